"""The same for aiobotocore, and its import after the first patch."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from boto_accel._stack import Layer
from tests.hook.patches import Answers, Marks, Passes

pytest.importorskip("aiobotocore")

from aiobotocore.client import AioBaseClient
from aiobotocore.session import AioSession


def attribute() -> Any:
    return AioBaseClient.__dict__["_make_api_call"]


def run(work: Any) -> Any:
    """*work(client)* on a client of its own loop."""

    async def main() -> Any:
        session = AioSession()
        session.set_credentials("AKIAIOSFODNN7EXAMPLE", "secret")
        made = session.create_client(
            "s3", region_name="us-east-1", endpoint_url="http://127.0.0.1:1"
        )
        async with made as client:
            return await work(client)

    return asyncio.run(main())


def test_patched_and_stock_again() -> None:
    original = attribute()

    async def work(client: Any) -> None:
        async with Answers():
            assert attribute() is not original
            task = asyncio.create_task(client.list_buckets())  # takes coroutines only
            assert (await task)["by"] == "answers"
        with pytest.raises(Exception, match="Missing required parameter"):
            await client.get_object()

    run(work)
    assert attribute() is original


def test_layers_run_around_the_sender_in_many_tasks() -> None:
    async def work(client: Any) -> Any:
        with Answers(), Marks("c"), Marks("r", Layer.ROUTE):
            return await asyncio.gather(*(client.list_buckets() for _ in range(20)))

    assert [reply["via"] for reply in run(work)] == [["r", "c"]] * 20


def test_the_error_of_stock_passes_through() -> None:
    async def work(client: Any) -> None:
        with Passes() as patch, Marks("c"):
            with pytest.raises(Exception, match="Missing required parameter"):
                await client.get_object()
            assert patch.seen == 1

    run(work)


def test_is_a_coroutine_function_where_python_can_say_so() -> None:
    with Answers():
        marked = hasattr(inspect, "markcoroutinefunction")
        assert inspect.iscoroutinefunction(attribute()) is marked


def test_presign() -> None:
    async def work(client: Any) -> None:
        function = type(client).generate_presigned_url
        stock = inspect.signature(function)
        params = {"Bucket": "b", "Key": "k"}
        with Answers("p"):
            assert inspect.iscoroutinefunction(function)
            assert inspect.signature(function) == stock
            got = await client.generate_presigned_url("get_object", Params=params)
            assert got[:3] == ("p", "generate_presigned_url", ("get_object", params, 3600, None))
            assert got[3].startswith("http://127.0.0.1:1/b/k?")
            assert (await client.generate_presigned_post("b", "k"))[0] == "p"
        assert isinstance(await client.generate_presigned_url("get_object", Params=params), str)

    run(work)


LATER = """
import sys
from tests.hook.patches import Answers
assert "botocore" not in sys.modules
patch = Answers()
patch.__enter__()
assert "aiobotocore" not in sys.modules
import inspect
import aiobotocore.client, aiobotocore.signers
hooked = aiobotocore.client.AioBaseClient.__dict__["_make_api_call"]
assert hooked.__module__ and hasattr(hooked, "__wrapped__")
assert "class AioBaseClient" in inspect.getsource(aiobotocore.client)
assert "from boto_accel" in inspect.getsource(
    aiobotocore.signers.generate_presigned_url.__code__)
original = hooked.__wrapped__
patch.__exit__()
assert aiobotocore.client.AioBaseClient.__dict__["_make_api_call"] is original
from boto_accel import _hook
assert _hook._watch not in sys.meta_path
print("good")
"""


def run_in_new_process(code: str) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


def test_aiobotocore_imported_later() -> None:
    """It is not imported for the patch's sake, is patched when it is, and is stock at the end."""
    done = run_in_new_process(LATER)
    assert (done.stdout.strip(), done.stderr) == ("good", "")
