"""gevent: greenlets over our blocking sockets, in a process of its own, for it patches for good."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec

import pytest

from tests.servers.capture import CaptureServer, http_answer
from tests.servers.recorded import Recorded

pytestmark = pytest.mark.skipif(find_spec("gevent") is None, reason="gevent is not installed")

GREENLETS = 8
BODY = bytes(range(256)) * 2048  # more than the socket buffers of one read

PATCH = "from gevent import monkey; monkey.patch_all()"
PROGRAM = """
import sys
{first}
import boto3, gevent, warnings
from botocore.config import Config
from boto_accel import accelerate, botocache_context

url, count = sys.argv[1], int(sys.argv[2])
body = bytes(range(256)) * 2048
s3 = boto3.client(
    "s3", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b",
    endpoint_url=url, config=Config(max_pool_connections=count, retries=dict(total_max_attempts=1)),
)
warnings.simplefilter("ignore")  # gevent says that it is late
{later}

def get(number):
    return s3.get_object(Bucket="b", Key="get-%s" % number)["Body"].read() == body

def put(number):
    return "ETag" in s3.put_object(Bucket="b", Key="put-%s" % number, Body=body)

def together(work):
    jobs = [gevent.spawn(work, number) for number in range(count)]
    gevent.joinall(jobs, timeout=240, raise_error=True)
    return all(job.value for job in jobs)

with accelerate() as patch:
    for work in (get, put):
        for _ in range(2):
            assert work("first")
        for _ in range(2):
            assert together(work)
stats = patch.stats
assert (stats.fast, stats.fallback, stats.retired) == (4 + 4 * count, 0, 0), stats
with botocache_context(cache_path=sys.argv[3]):
    assert together(lambda number: s3.list_buckets() is not None)
s3.close()
print("done")
"""


@pytest.mark.parametrize("place", ["first", "later"])
def test_greenlets(place: str, capture: Callable[..., CaptureServer], tmp_path: object) -> None:
    """
    Greenlets wait for their answers at the same time: the server answers none before all are there.

    Calls are fast; with the cache, those that want the same wait for the one that asks.
    """
    pytest.importorskip("msgspec")

    def answer(request: Recorded) -> bytes:
        if b"first" not in request.target and request.target != b"/":
            mine = request.target.partition(b"-")[0]
            sent = [each for each in server.requests if each.target.startswith(mine + b"-")]
            rounds = -(-(len(sent) - 2) // GREENLETS)
            assert server.wait_for_requests(_before(mine) + 2 + rounds * GREENLETS, within=240)
        if request.target == b"/":
            return http_answer(200, b"<R></R>")
        return http_answer(200, BODY if request.method == b"GET" else b"", {"ETag": '"x"'})

    def _before(mine: bytes) -> int:
        return 0 if mine == b"/b/get" else 2 + 2 * GREENLETS

    server = capture(answer)
    program = PROGRAM.format(**{"first": "", "later": "", place: PATCH})
    done = subprocess.run(
        [sys.executable, "-c", program, server.endpoint_url, str(GREENLETS), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "done"), done.stderr
    assert [request.target for request in server.requests].count(b"/") == 1
