"""
One call, stock and accelerated, with the package as a user installs it; what `make smoke` runs.

Run with `python -I` in an environment that holds the wheel and its dependencies and nothing else:
no boto3, no extras, and not the files of the checkout.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata
from pathlib import Path

CALLS = 5  # the first ones prove the plan, those after them run it alone
CONTENT = b"smoke\n" * 100


class OneObject(BaseHTTPRequestHandler):
    """An S3 that answers every GET with the same object."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.send_header("Content-Type", "text/plain")
        self.send_header("ETag", '"smoke"')
        self.end_headers()
        self.wfile.write(CONTENT)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), OneObject) as http:
        # A connection that a client keeps alive must not keep this program alive.
        http.daemon_threads = True
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{http.server_port}"
        finally:
            http.shutdown()
            thread.join()


def main() -> None:
    import boto_accel

    check_installed(Path(boto_accel.__file__))
    check(not {"botocore", "httptools"} & set(sys.modules), "importing boto_accel imports little")
    check(
        metadata.version("boto_accel") == boto_accel.__version__,
        f"version {boto_accel.__version__}",
    )

    from botocore.session import Session

    with server() as endpoint_url:
        client = Session().create_client(
            "s3",
            region_name="us-east-1",
            endpoint_url=endpoint_url,
            aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
            aws_secret_access_key="smoke",
        )
        stock = read(client)
        with boto_accel.accelerate() as patch:
            for _ in range(CALLS):
                fast = read(client)
                check(fast == stock, "an accelerated call gives what stock gives")
        print(patch.stats)
        check(patch.stats.fast == CALLS, "every call went fast")
        check(read(client) == stock, "and stock is back")
        client.close()
    print("smoke test passed")


def read(client):
    """What a GetObject gives, but for what differs from one answer to the next."""
    reply = client.get_object(Bucket="bucket", Key="key")
    reply["Body"] = reply["Body"].read()
    check(reply["Body"] == CONTENT, "the body is whole")
    reply["ResponseMetadata"]["HTTPHeaders"].pop("date")
    return reply


def check_installed(file: Path) -> None:
    check(Path(sys.prefix) in file.parents, "boto_accel comes from the environment")
    check((file.parent / "py.typed").is_file(), "py.typed is installed")


def check(holds: bool, promise: str) -> None:
    if not holds:
        raise SystemExit(f"smoke test failed: {promise}")


if __name__ == "__main__":
    main()
