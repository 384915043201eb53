"""
Random calls under random rules, against one store without rules: what is seen is equal.

BOTO_ACCEL_ROUTER_RUNS=2000 makes that many runs, each another time other ones.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from botocore.exceptions import ClientError
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from boto_accel import route_s3
from boto_accel.router import copying
from boto_accel.router.rules import parse_rules
from tests.router.memory import MemoryStores, Refused, Store, Stored
from tests.router.pages import next_page
from tests.servers.clients import make_client

RUNS = int(os.environ.get("BOTO_ACCEL_ROUTER_RUNS", "60"))
NEAR, FAR, THIRD = "http://near.test", "http://far.test", "http://third.test"
BUCKETS = ("one", "two", "three")
LETTERS = "ab/"

keys = st.text(LETTERS, min_size=1, max_size=3)
names = st.sampled_from(BUCKETS)
bodies = st.binary(max_size=9)
prefixes = st.text(LETTERS, max_size=3)
delimiters = st.sampled_from(["", "/", "a", "b/"])
patterns = st.text(LETTERS + "*?", min_size=1, max_size=4)
rules = st.fixed_dictionaries(
    {
        "bucket_name": st.sampled_from([*BUCKETS, "t*"]),
        "key_pattern": st.none() | patterns,
        "client": st.sampled_from(["far", "third", "near"]),
        "key_prefix": st.sampled_from(["", "p/", "a", "b//"]),
    }
)


def placed(index: int, given: Mapping[str, Any]) -> dict[str, Any]:
    """
    A rule with a bucket of its own at its target.

    Two rules that lead to overlapping places make two names of one object, as they do for anybody.
    """
    found = {name: value for name, value in given.items() if value is not None}
    if found["bucket_name"] in BUCKETS:
        return {**found, "mapped_bucket_name": f"mapped-{index}"}
    # Several buckets by one rule: their names stay, and the prefix keeps the rules apart.
    return {**found, "client": "far", "key_prefix": f"{index}/{found['key_prefix']}"}


class Routed(RuleBasedStateMachine):
    """`plain` is the model; `near` (where the client is), `far` and `third` are routed between."""

    def __init__(self) -> None:
        super().__init__()
        self.plain = Store()
        self.plain.buckets = {name: {} for name in BUCKETS}
        self.stores = {NEAR: Store(), FAR: Store(), THIRD: Store()}
        self.uploads: list[tuple[str, str, str, str]] = []  # bucket, key, id here, id in the model
        self.client = _CLIENTS["near"]
        self.memory = MemoryStores(self.stores).__enter__()
        self.usual = copying.PART_BYTES
        copying.PART_BYTES = 3  # so that objects of a few bytes are copied in parts

    def teardown(self) -> None:
        copying.PART_BYTES = self.usual
        if hasattr(self, "patch"):
            self.patch.__exit__()
        self.memory.__exit__()

    @initialize(
        given=st.lists(rules, max_size=4), left=st.lists(st.tuples(names, keys), max_size=6)
    )
    def begin(self, given: list[dict[str, Any]], left: list[tuple[str, str]]) -> None:
        mapping = [placed(index, each) for index, each in enumerate(given)]
        mapping.append({"bucket_name": "*", "client": "near"})
        targets = {name: _CLIENTS[name] for name in ("far", "third")}
        for store in self.stores.values():
            store.buckets = {name: {} for name in (*BUCKETS, *(f"mapped-{i}" for i in range(4)))}
        # What was left behind where it no longer belongs is nobody's.
        parsed = parse_rules(mapping)
        for bucket, key in left:
            if parsed.place_of_key(bucket, key).rule is not parsed.default:
                self.stores[NEAR].buckets[bucket][key] = Stored(b"left behind")
        self.patch = route_s3(targets, mapping).__enter__()

    # One call on both sides

    def both(self, method: str, operation: str, **params: Any) -> tuple[Any, Any]:
        """(what is seen, what the model says), of which errors are codes."""
        try:
            expected: Any = self.plain.answer(operation, params)
        except Refused as refused:
            expected = refused.response["Error"]["Code"]
        return self.seen(method, **params), expected

    def seen(self, method: str, **params: Any) -> Any:
        try:
            return getattr(self.client, method)(**params)
        except ClientError as error:
            return error.response["Error"]["Code"]

    def same(self, method: str, operation: str, **params: Any) -> None:
        found, expected = self.both(method, operation, **params)
        assert found == expected

    # Objects

    @rule(bucket=names, key=keys, body=bodies, kind=st.sampled_from(["text/a", "text/b"]))
    def put(self, bucket: str, key: str, body: bytes, kind: str) -> None:
        self.same("put_object", "PutObject", Bucket=bucket, Key=key, Body=body, ContentType=kind)

    @rule(bucket=names, key=keys)
    def get(self, bucket: str, key: str) -> None:
        found, expected = self.both("get_object", "GetObject", Bucket=bucket, Key=key)
        if isinstance(found, dict) and isinstance(expected, dict):
            found, expected = _read(found), _read(expected)
        assert found == expected

    @rule(bucket=names, key=keys)
    def head(self, bucket: str, key: str) -> None:
        self.same("head_object", "HeadObject", Bucket=bucket, Key=key)

    @rule(bucket=names, key=keys)
    def delete(self, bucket: str, key: str) -> None:
        self.same("delete_object", "DeleteObject", Bucket=bucket, Key=key)

    @rule(
        bucket=names,
        several=st.lists(keys, min_size=1, max_size=5, unique=True),
        quiet=st.booleans(),
    )
    def delete_several(self, bucket: str, several: list[str], quiet: bool) -> None:
        given = {"Objects": [{"Key": key} for key in several], "Quiet": quiet}
        self.same("delete_objects", "DeleteObjects", Bucket=bucket, Delete=given)

    @rule(bucket=names, key=keys, from_bucket=names, from_key=keys, replaces=st.booleans())
    def copy(self, bucket: str, key: str, from_bucket: str, from_key: str, replaces: bool) -> None:
        params: dict[str, Any] = {
            "Bucket": bucket,
            "Key": key,
            "CopySource": {"Bucket": from_bucket, "Key": from_key},
        }
        if replaces:
            params |= {"MetadataDirective": "REPLACE", "ContentType": "text/c"}
        found, expected = self.both("copy_object", "CopyObject", **params)
        if isinstance(found, dict) and isinstance(expected, dict):
            assert found["CopyObjectResult"].keys() == expected["CopyObjectResult"].keys()
            found = expected = None
        assert found == expected
        self.get(bucket, key)

    # Listings

    @rule(
        bucket=names,
        prefix=prefixes,
        delimiter=delimiters,
        limit=st.integers(1, 5),
        after=st.just("") | keys,
    )
    def list_keys(self, bucket: str, prefix: str, delimiter: str, limit: int, after: str) -> None:
        """Each page of each kind, to the end; where it goes on is our own."""
        base = {"Bucket": bucket, "Prefix": prefix, "MaxKeys": limit}
        if delimiter:
            base["Delimiter"] = delimiter
        start = {"StartAfter": after} if after else {}
        self._pages("list_objects_v2", "ListObjectsV2", {**base, **start}, ["ContinuationToken"])
        start = {"Marker": after} if after else {}
        self._pages("list_objects", "ListObjects", {**base, **start}, ["Marker"])
        start = {"KeyMarker": after} if after else {}
        markers = ["KeyMarker", "VersionIdMarker"]
        params = {**base, **start}
        self._pages("list_object_versions", "ListObjectVersions", params, markers)

    def _pages(
        self, method: str, operation: str, params: dict[str, Any], markers: list[str]
    ) -> None:
        here, there = dict(params), dict(params)
        while True:
            found = self.seen(method, **here)
            expected = self.plain.answer(operation, there)
            assert _without(found, markers) == _without(expected, markers)
            if not expected["IsTruncated"]:
                return
            here, there = next_page(here, found, markers), next_page(there, expected, markers)

    @rule(bucket=names, prefix=prefixes, limit=st.integers(1, 4))
    def list_uploads(self, bucket: str, prefix: str, limit: int) -> None:
        params: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix, "MaxUploads": limit}
        expected = sorted((key, own) for name, key, own, _ in self.uploads if name == bucket)
        expected = [each for each in expected if each[0].startswith(prefix)]
        found: list[Any] = []
        while True:
            page = self.client.list_multipart_uploads(**params)
            assert len(page.get("Uploads", ())) <= limit
            found += [(each["Key"], each["UploadId"]) for each in page.get("Uploads", ())]
            if not page["IsTruncated"]:
                break
            params = next_page(params, page, ["KeyMarker", "UploadIdMarker"])
        assert sorted(found) == expected
        assert [key for key, _ in found] == [key for key, _ in expected]

    # Multipart

    @rule(bucket=names, key=keys)
    def begin_upload(self, bucket: str, key: str) -> None:
        found, expected = self.both(
            "create_multipart_upload", "CreateMultipartUpload", Bucket=bucket, Key=key
        )
        assert (found["Bucket"], found["Key"]) == (bucket, key)
        self.uploads.append((bucket, key, found["UploadId"], expected["UploadId"]))

    def _upload(self, index: int) -> tuple[dict[str, Any], dict[str, Any]] | None:
        if not self.uploads:
            return None
        bucket, key, own, model = self.uploads[index % len(self.uploads)]
        names = {"Bucket": bucket, "Key": key}
        return {**names, "UploadId": own}, {**names, "UploadId": model}

    @rule(index=st.integers(0, 9), number=st.integers(1, 3), body=bodies)
    def upload_part(self, index: int, number: int, body: bytes) -> None:
        upload = self._upload(index)
        if upload is None:
            return
        more = {"PartNumber": number, "Body": body}
        found = self.seen("upload_part", **upload[0], **more)
        assert found == self.plain.answer("UploadPart", {**upload[1], **more})

    @rule(
        index=st.integers(0, 9),
        number=st.integers(1, 3),
        bucket=names,
        key=keys,
        span=st.none() | st.tuples(st.integers(0, 4), st.integers(0, 6)),
    )
    def copy_part(
        self, index: int, number: int, bucket: str, key: str, span: tuple[int, int] | None
    ) -> None:
        upload = self._upload(index)
        if upload is None:
            return
        more: dict[str, Any] = {
            "PartNumber": number,
            "CopySource": {"Bucket": bucket, "Key": key},
        }
        if span is not None:
            more["CopySourceRange"] = f"bytes={span[0]}-{span[0] + span[1]}"
        found = self.seen("upload_part_copy", **upload[0], **more)
        try:
            expected: Any = self.plain.answer("UploadPartCopy", {**upload[1], **more})
        except Refused as refused:
            expected = refused.response["Error"]["Code"]
        if isinstance(found, dict) and isinstance(expected, dict):
            found, expected = found["CopyPartResult"], expected["CopyPartResult"]
            assert found["ETag"] == expected["ETag"]
            assert found.keys() == expected.keys()
        else:
            assert found == expected

    @rule(index=st.integers(0, 9), aborts=st.booleans())
    def end_upload(self, index: int, aborts: bool) -> None:
        upload = self._upload(index)
        if upload is None:
            return
        here, there = upload
        found = self.client.list_parts(**here)
        assert found == self.plain.answer("ListParts", there)
        if aborts or not found["Parts"]:
            self.client.abort_multipart_upload(**here)
            self.plain.answer("AbortMultipartUpload", there)
        else:
            parts = [{"PartNumber": each["PartNumber"], "ETag": "e"} for each in found["Parts"]]
            more = {"MultipartUpload": {"Parts": parts}}
            made = self.client.complete_multipart_upload(**here, **more)
            assert made == self.plain.answer("CompleteMultipartUpload", {**there, **more})
        assert self.seen("list_parts", **here) == "NoSuchUpload"
        self.uploads = [
            each for each in self.uploads if each[2:] != (here["UploadId"], there["UploadId"])
        ]
        self.get(here["Bucket"], here["Key"])


def _read(answer: dict[str, Any]) -> dict[str, Any]:
    return {**answer, "Body": answer["Body"].read()}


def _without(page: dict[str, Any], markers: list[str]) -> dict[str, Any]:
    left_out = {*markers, *(f"Next{name}" for name in markers)} - {"KeyMarker", "NextKeyMarker"}
    if "Marker" not in markers:
        left_out |= {"VersionIdMarker", "NextVersionIdMarker"}
    else:
        left_out = set()
    return {name: value for name, value in page.items() if name not in left_out}


_CLIENTS: dict[str, Any] = {}  # making one costs more than a run does


def test_what_is_seen_is_what_one_store_shows() -> None:
    with ExitStack() as stack:
        for name, url in (("near", NEAR), ("far", FAR), ("third", THIRD)):
            client = make_client("sync", "s3", endpoint_url=url)
            _CLIENTS[name] = stack.enter_context(client)
        _run()


def _run() -> None:
    run_state_machine_as_test(
        Routed,
        settings=settings(
            max_examples=RUNS,
            stateful_step_count=30,
            deadline=None,
            derandomize=RUNS < 100,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
