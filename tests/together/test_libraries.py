"""Libraries that are built on botocore: their calls go fast, and do what they do without us."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig

from boto_accel import accelerate, route_s3
from tests.fastpath.callers import all_fast
from tests.servers.clients import ACCESS_KEY, REGION, SECRET_KEY, make_client
from tests.servers.moto_server import MotoServer

KEYS = {"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET_KEY}
MIB = 1024 * 1024


@pytest.mark.parametrize("threads", [True, False])
def test_transfers(moto_server: MotoServer, tmp_path: Path, threads: bool) -> None:
    """`upload_file` and `download_file` with a TransferConfig: parts, threads, progress."""
    data = bytes(range(256)) * (11 * MIB // 256)
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(data)
    config = TransferConfig(
        multipart_threshold=5 * MIB,
        multipart_chunksize=5 * MIB,
        max_concurrency=4,
        use_threads=threads,
        preferred_transfer_client="classic",
    )
    moved: list[int] = []
    with make_client("sync", "s3", **moto_server.client_options) as s3:
        s3.create_bucket(Bucket="bucket")
        # create, three parts, complete; head, three ranges
        with all_fast(9):
            s3.upload_file(str(source), "bucket", "k", Config=config, Callback=moved.append)
            s3.download_file("bucket", "k", str(target), Config=config, Callback=moved.append)
        assert s3.head_object(Bucket="bucket", Key="k")["ETag"].endswith('-3"')
    assert target.read_bytes() == data
    assert sum(moved) == 2 * len(data)


def test_smart_open(moto_server: MotoServer) -> None:
    """Reading, seeking and multipart writing."""
    smart_open = pytest.importorskip("smart_open")
    pytest.importorskip("smart_open.s3")
    data = bytes(range(256)) * (6 * MIB // 256)
    with make_client("sync", "s3", **moto_server.client_options) as s3:
        s3.create_bucket(Bucket="bucket")
        options = {"client": s3, "min_part_size": 5 * MIB}
        with all_fast():
            with smart_open.open("s3://bucket/k", "wb", transport_params=options) as file:
                file.write(data)
            with smart_open.open("s3://bucket/k", "rb", transport_params={"client": s3}) as file:
                assert file.read(10) == data[:10]
                file.seek(5 * MIB)
                assert file.read() == data[5 * MIB :]
        assert s3.head_object(Bucket="bucket", Key="k")["ETag"].endswith('-2"')


def _parquet(moto_server: MotoServer, frame: Any, key: str) -> None:
    into = io.BytesIO()
    frame.to_parquet(into)
    with make_client("sync", "s3", **moto_server.client_options) as s3:
        s3.create_bucket(Bucket="lake")
        s3.put_object(Bucket="lake", Key=key, Body=into.getvalue())


@pytest.mark.aiobotocore
@pytest.mark.parametrize("routed", [False, True], ids=["accelerated", "routed and accelerated"])
def test_parquet_of_pandas(moto_server: MotoServer, routed: bool) -> None:
    """`read_parquet("s3://…")` and `to_parquet`, by s3fs and pyarrow, and where rules lead them."""
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    pytest.importorskip("s3fs")
    frame = pandas.DataFrame({"a": range(1000), "b": [f"text {n}" for n in range(1000)]})
    _parquet(moto_server, frame, "main/in.parquet")
    options = {
        "key": ACCESS_KEY,
        "secret": SECRET_KEY,
        "client_kwargs": {"endpoint_url": moto_server.endpoint_url, "region_name": REGION},
        "use_listings_cache": False,
        "skip_instance_cache": True,
    }
    target = {**KEYS, **moto_server.client_options, "region_name": REGION}
    rule = {"bucket_name": "old", "mapped_bucket_name": "lake", "client": "far"}
    routing = route_s3(
        {"far": target},
        [{**rule, "key_prefix": "main/"}, {"bucket_name": "*", "client": "far"}],
    )
    place = "s3://old" if routed else "s3://lake/main"
    with all_fast():
        if routed:
            routing.__enter__()
        try:
            found = pandas.read_parquet(f"{place}/in.parquet", storage_options=options)
            columns = pandas.read_parquet(
                f"{place}/in.parquet", columns=["b"], storage_options=options
            )
            found.to_parquet(f"{place}/out.parquet", storage_options=options)
        finally:
            if routed:
                routing.__exit__()
    assert found.equals(frame)
    assert columns.equals(frame[["b"]])
    with make_client("sync", "s3", **moto_server.client_options) as s3:
        written = s3.get_object(Bucket="lake", Key="main/out.parquet")["Body"].read()
    assert pandas.read_parquet(io.BytesIO(written)).equals(frame)


def test_pynamodb(moto_server: MotoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """It calls `_make_api_call` itself, and its handler of before-send makes its calls stock's."""
    pytest.importorskip("pynamodb")
    from pynamodb.attributes import NumberAttribute, UnicodeAttribute
    from pynamodb.exceptions import PutError
    from pynamodb.models import Model

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)

    class Thing(Model):
        class Meta:
            table_name = "things"
            host = moto_server.endpoint_url
            region = REGION

        owner = UnicodeAttribute(hash_key=True)
        number = NumberAttribute(range_key=True)
        text = UnicodeAttribute(null=True)

    with accelerate() as patch:
        Thing.create_table(read_capacity_units=1, write_capacity_units=1, wait=True)
        Thing("me", 1, text="one").save(Thing.text.does_not_exist())
        with pytest.raises(PutError) as refused:
            Thing("me", 1).save(Thing.owner.does_not_exist())
        with Thing.batch_write() as batch:
            for number in range(2, 40):
                batch.save(Thing("me", number))
        assert Thing.get("me", 1).text == "one"
        with pytest.raises(Thing.DoesNotExist):
            Thing.get("me", 99)
        found = [thing.number for thing in Thing.query("me", Thing.number > 30, limit=5)]
        assert found == [31, 32, 33, 34, 35]
        one = Thing.get("me", 2)
        one.update(actions=[Thing.text.set("two")])
        assert (one.text, Thing.count("me")) == ("two", 39)
        one.delete()
    assert refused.value.cause_response_code == "ConditionalCheckFailedException"
    reason = "handlers of before-send (pynamodb.connection.base)"
    assert (patch.stats.fast, set(patch.stats.reasons)) == (0, {reason})


@pytest.fixture
def sqs_url(moto_server: MotoServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """The broker for kombu: keys in the environment, as its URL cannot have a slash in them."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    return moto_server.endpoint_url.replace("http://", "sqs://")


def transport_options(moto_server: MotoServer) -> dict[str, Any]:
    return {
        "is_secure": False,
        "region": REGION,
        "predefined_queues": {
            "queue": {"url": f"{moto_server.endpoint_url}/123456789012/queue", **_kombu_keys()}
        },
        "polling_interval": 0,
        "wait_time_seconds": 0,
    }


def _kombu_keys() -> dict[str, str]:
    return {"access_key_id": ACCESS_KEY, "secret_access_key": SECRET_KEY}


def test_kombu(moto_server: MotoServer, sqs_url: str) -> None:
    """Messages are sent, received and acknowledged, fast."""
    kombu = pytest.importorskip("kombu")
    with make_client("sync", "sqs", **moto_server.client_options) as sqs:
        url = sqs.create_queue(QueueName="queue")["QueueUrl"]
        with (
            all_fast(),
            kombu.Connection(
                sqs_url, transport_options=transport_options(moto_server)
            ) as connection,
            connection.SimpleQueue("queue") as queue,
        ):
            for number in range(3):
                queue.put({"number": number})
            found = []
            for _ in range(3):
                message = queue.get(block=True, timeout=60)
                found.append(message.payload["number"])
                message.ack()
        assert sorted(found) == [0, 1, 2]
        counts = sqs.get_queue_attributes(
            QueueUrl=url,
            AttributeNames=[
                "ApproximateNumberOfMessages",
                "ApproximateNumberOfMessagesNotVisible",
            ],
        )["Attributes"]
    assert set(counts.values()) == {"0"}


def test_celery(moto_server: MotoServer, sqs_url: str) -> None:
    """`delay()` and a countdown: tasks come out of the queue as they went in."""
    celery = pytest.importorskip("celery")
    app = celery.Celery("app", broker=sqs_url, set_as_current=False)
    app.conf.task_default_queue = "queue"
    app.conf.broker_transport_options = transport_options(moto_server)

    @app.task(name="add")
    def add(left: int, right: int) -> int:
        return left + right

    with make_client("sync", "sqs", **moto_server.client_options) as sqs:
        sqs.create_queue(QueueName="queue")
        with all_fast():
            sent = {add.delay(1, 2).id, add.apply_async((3, 4), countdown=1).id}
            with app.connection_for_read() as connection, connection.SimpleQueue("queue") as queue:
                got = set()
                for _ in range(2):
                    message = queue.get(block=True, timeout=60)
                    got.add(message.headers["id"])
                    message.ack()
        app.close()
    assert got == sent
