"""
Anything that can be done, in any order, against a dict: put, read, list, delete, flush, restart.

Hypothesis chooses; the server is the benchmark's, in memory.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from boto_accel.batch import BatchReader, batch_puts
from boto_accel.batch.maintenance import compact, reindex
from tests.batch.memory import MemoryS3

KEYS = st.sampled_from(
    [f"raw/{name}" for name in ("a", "a/b", "a/c", "b", "b/x/y", "é", "z" * 200, "z" * 200 + "é")]
)
BODIES = st.binary(max_size=700)


class Batched(RuleBasedStateMachine):
    """What the bucket should hold is a dict."""

    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        self._server = self._stack.enter_context(MemoryS3())
        self._client = self._stack.enter_context(self._server.client())
        self._wanted: dict[str, bytes] = {}
        self._enter()

    def _enter(self) -> None:
        self._batch = batch_puts(
            "s3://events/raw/*",
            "s3://events/batches/",
            spool_dir=self._folder / "spool",
            max_delay=3600.0,
            max_count=3,
            max_object_bytes=600,
            refresh_after=0.0,
        ).__enter__()

    def teardown(self) -> None:
        self._batch.__exit__()
        self._stack.close()

    @rule(key=KEYS, body=BODIES)
    def put(self, key: str, body: bytes) -> None:
        reply = self._client.put_object(Bucket="events", Key=key, Body=body)
        assert ("BatchLocation" in reply) == (len(body) <= 600)
        self._wanted[key] = body

    @rule(key=KEYS, body=BODIES)
    def put_past(self, key: str, body: bytes) -> None:
        self._client.put_object(Bucket="events", Key=key, Body=body, ACL="private")
        self._wanted[key] = body

    @rule(key=KEYS)
    def delete(self, key: str) -> None:
        self._client.delete_object(Bucket="events", Key=key)
        self._wanted.pop(key, None)

    @rule(keys=st.lists(KEYS, min_size=1, unique=True))
    def delete_several(self, keys: list[str]) -> None:
        named = [{"Key": key} for key in keys]
        self._client.delete_objects(Bucket="events", Delete={"Objects": named})
        for key in keys:
            self._wanted.pop(key, None)

    @rule(key=KEYS, first=st.integers(0, 300), length=st.integers(1, 300))
    def read(self, key: str, first: int, length: int) -> None:
        body = self._wanted.get(key)
        if body is None:
            for method in (self._client.get_object, self._client.head_object):
                with pytest.raises(ClientError):
                    method(Bucket="events", Key=key)
            return
        assert self._client.head_object(Bucket="events", Key=key)["ContentLength"] == len(body)
        found = self._client.get_object(Bucket="events", Key=key)
        assert found["Body"].read() == body
        if first < len(body):
            span = f"bytes={first}-{first + length - 1}"
            found = self._client.get_object(Bucket="events", Key=key, Range=span)
            assert found["Body"].read() == body[first : first + length]

    @rule()
    def flush(self) -> None:
        self._batch.flush()

    @rule()
    def restart(self) -> None:
        """With what is spooled uploaded at the end, or by the next one."""
        self._batch.__exit__()
        self._enter()

    @rule()
    def restart_after_an_interrupt(self) -> None:
        self._batch.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
        self._enter()

    @rule()
    def compact(self) -> None:
        self._batch.flush()
        with BatchReader(self._client, "s3://events/batches/") as reader:
            compact(reader)

    @rule()
    def reindex(self) -> None:
        """All indexes are lost, and the catalogue, and made of the tars."""
        self._batch.__exit__()
        names = self._server.keys()
        for key in names:
            if key.startswith("batches/index/"):
                self._client.delete_object(Bucket="events", Key=key)
        for file in self._folder.glob("spool/catalogue*"):
            file.unlink()
        with BatchReader(self._client, "s3://events/batches/") as reader:
            assert reindex(reader.place).damaged == []
        self._enter()

    @rule(size=st.integers(1, 4))
    def list_pages(self, size: int) -> None:
        assert self._listed(PaginationConfig={"PageSize": size}) == self._sizes()

    @invariant()
    def lists_what_there_is(self) -> None:
        assert self._listed() == self._sizes()

    def _listed(self, **params: Any) -> list[tuple[str, int]]:
        pages = self._client.get_paginator("list_objects_v2")
        found = pages.paginate(Bucket="events", Prefix="raw/", **params)
        return [(each["Key"], each["Size"]) for page in found for each in page.get("Contents", ())]

    def _sizes(self) -> list[tuple[str, int]]:
        return [(key, len(self._wanted[key])) for key in sorted(self._wanted)]


class TestBatched(Batched.TestCase):  # type: ignore[misc]
    settings = settings(
        max_examples=8,
        stateful_step_count=20,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
