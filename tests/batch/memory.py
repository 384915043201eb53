"""
The benchmark's in-memory S3 behind a scripted server: it answers well until it is told not to.

`fault(request)` is asked for each request; what it returns is done in place of an answer.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any
from urllib.parse import unquote

from boto_accel.batch import names, tar
from boto_accel.batch.catalogue import Located
from boto_accel.batch.index import Entry, Index, decode
from boto_accel.batch.maintenance import index_of
from boto_accel.bench.objects import Bucket
from boto_accel.bench.service import Request, Service
from tests.servers.capture import CaptureServer
from tests.servers.clients import make_client
from tests.servers.recorded import Recorded
from tests.servers.steps import Answer

Fault = Callable[[Recorded], "Answer | None"]
PREFIX = "batches/"


def path_of(request: Recorded) -> str:
    return unquote(request.target.decode().partition("?")[0])


def is_tar(request: Recorded) -> bool:
    return request.method == b"PUT" and path_of(request).endswith(names.TAR)


def is_index(request: Recorded) -> bool:
    return request.method == b"PUT" and path_of(request).endswith(names.INDEX)


class MemoryS3:
    """Answered one request at a time. `objects`: of the bucket `events`. tls: for https."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._service = Service()
        self._lock = threading.Lock()
        self._bucket = self._service.buckets["events"] = Bucket("events")
        self.fault: Fault = lambda request: None
        self.after: Callable[[Recorded], None] = lambda request: None
        self._server = CaptureServer(self._answer, tls=tls)

    def _answer(self, request: Recorded) -> Answer:
        wrong = self.fault(request)
        if wrong is not None:
            return wrong
        headers = {name.lower(): value for name, value in (*request.headers, *request.trailers)}
        with self._lock:
            head, body = self._service.answer(
                Request(request.method, request.target, headers, request.body)
            )
        self.after(request)
        return head + body

    def __enter__(self) -> MemoryS3:
        self._server.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.__exit__(kind, error, trace)

    @property
    def endpoint_url(self) -> str:
        return self._server.endpoint_url

    @property
    def requests(self) -> list[Recorded]:
        return self._server.requests

    @contextmanager
    def client(self, **options: Any) -> Iterator[Any]:
        given = {"endpoint_url": self.endpoint_url, "s3": {"addressing_style": "path"}, **options}
        with make_client("sync", "s3", **given) as client:  # type: ignore[union-attr]
            yield client

    # What is there

    def content(self, key: str) -> bytes:
        return self._bucket.objects[key].body

    def content_of(self, found: Located) -> bytes:
        """What is at the place in a tar that an index tells."""
        data, entry = self.content(names.tar_key(PREFIX, found.batch)), found.entry
        return data[entry.offset : entry.offset + entry.size]

    def keys(self) -> list[str]:
        return sorted(self._bucket.objects)

    def tars(self) -> Iterator[Index]:
        """Of each tar what an index of it holds; raises DamagedBatchError for an unsound one."""
        for key in self.keys():
            if key.endswith(names.TAR):
                data = self.content(key)
                yield index_of(key, PREFIX, reader_of(data), len(data))

    def indexes(self) -> dict[str, Index]:
        """By batch; two of one batch have to be equal."""
        found: dict[str, Index] = {}
        for key in self.keys():
            if key.endswith(names.INDEX):
                index = decode(key, self.content(key))
                assert found.setdefault(index.batch, index) == index
        return found


def reader_of(data: bytes) -> tar.Read:
    return lambda offset, size: data[offset : offset + size]


def entries_of(data: bytes) -> list[Entry]:
    found = tar.scan(reader_of(data), len(data))
    return [each.what for each in found if isinstance(each.what, Entry)]
