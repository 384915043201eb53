"""Programs: what is done with a client, step by step, as data."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore import UNSIGNED
from hypothesis import strategies as st

from tests.twins.answers import ANSWERS, CUT_OFF, LONG

OBJECT = {"Bucket": "b", "Key": "k"}
PARTS = {"Parts": [{"ETag": "e", "PartNumber": 1}]}
SSE = {"SSECustomerKey": "k" * 32, "SSECustomerAlgorithm": "AES256"}
# Name to (client method, what makes its parameters).
CALLS: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
    "get": ("get_object", lambda: dict(OBJECT)),
    "get long": ("get_object", lambda: {"Bucket": "b", "Key": "long"}),
    "get lines": ("get_object", lambda: {"Bucket": "b", "Key": "lines", "Range": "bytes=0-"}),
    "get empty": ("get_object", lambda: {"Bucket": "b", "Key": "empty"}),
    "get with a key": ("get_object", lambda: {**OBJECT, **SSE}),
    "head": ("head_object", lambda: dict(OBJECT)),
    "head bucket": ("head_bucket", lambda: {"Bucket": "b"}),
    "list": ("list_objects_v2", lambda: {"Bucket": "b"}),
    "list encoded": (
        "list_objects_v2",
        lambda: {"Bucket": "c", "Prefix": "x y", "EncodingType": "url"},
    ),
    "put bytes": ("put_object", lambda: {**OBJECT, "Body": b"x" * 100}),
    "put text": ("put_object", lambda: {**OBJECT, "Body": "t\u00e9xt"}),
    "put nothing": ("put_object", lambda: dict(OBJECT)),
    "put a file": (
        "put_object",
        lambda: {**OBJECT, "Body": io.BytesIO(LONG), "Metadata": {"a": "b", "C": "d  e"}},
    ),
    "put under an odd name": (
        "put_object",
        lambda: {"Bucket": "b", "Key": "k \u00e9/..//", "Body": bytearray(b"y" * 10)},
    ),
    "put a part": (
        "upload_part",
        lambda: {**OBJECT, "UploadId": "u", "PartNumber": 1, "Body": b"z" * 1000},
    ),
    "complete": (
        "complete_multipart_upload",
        lambda: {**OBJECT, "UploadId": "u", "MultipartUpload": PARTS},
    ),
    "copy": (
        "copy_object",
        lambda: {"Bucket": "b", "Key": "copy", "CopySource": {"Bucket": "x", "Key": "y z"}},
    ),
    "delete": ("delete_object", lambda: dict(OBJECT)),
    "delete many": ("delete_objects", lambda: {"Bucket": "b", "Delete": {"Objects": [OBJECT_ID]}}),
    "policy": ("get_bucket_policy", lambda: {"Bucket": "b"}),
    "location": ("get_bucket_location", lambda: {"Bucket": "b"}),
    "no key": ("get_object", lambda: {"Bucket": "b", "Key": ""}),
    "a bad bucket": ("get_object", lambda: {"Bucket": "b/../c", "Key": "k"}),
    "bad metadata": ("put_object", lambda: {**OBJECT, "Metadata": {"a": "\u00e9"}}),
    "an unknown parameter": ("get_object", lambda: {**OBJECT, "Nope": 1}),
}
OBJECT_ID = {"Key": "k"}
READINGS = ("all", "twice", "some, later more", "later", "some, closed", "closed", "dropped")
READINGS += ("lines", "chunks", "nothing", "within")
PARAMETER_EVENTS = ("provide-client-params", "before-parameter-build")
EVENTS = (
    *PARAMETER_EVENTS,
    "before-endpoint-resolution",
    "before-call",
    "request-created",
    "choose-signer",
    "before-sign",
    "before-send",
    "response-received",
    "before-parse",
    "needs-retry",
    "after-call",
    "after-call-error",
)


@dataclass(frozen=True)
class Call:
    """A call of CALLS, what the server says to its attempts, and how its body is read."""

    name: str
    answers: tuple[str, ...]
    reading: str


@dataclass(frozen=True)
class ReadOn:
    """Go on with a body that was put aside, if there is one."""

    which: int
    reading: str


@dataclass(frozen=True)
class Register:
    """A handler that notes what it is given, and may change it or raise."""

    event: str
    operation: str
    deed: str
    last: bool


@dataclass(frozen=True)
class Unregister:
    which: int


@dataclass(frozen=True)
class Change:
    """Of the client's own credentials, or the time; *to* its new value."""

    what: str
    to: Any


@dataclass(frozen=True)
class Presign:
    method: str


@dataclass(frozen=True)
class CloseClient:
    """boto3 makes new connections then."""


@dataclass(frozen=True)
class Reenter:
    """Leave the patch, and enter it again."""


Step = Call | ReadOn | Register | Unregister | Change | Presign | CloseClient | Reenter


@dataclass(frozen=True)
class Program:
    options: dict[str, Any]
    steps: list[Step]


def programs(flavour: str) -> st.SearchStrategy[Program]:
    names = sorted(ANSWERS) + (sorted(CUT_OFF) if flavour == "sync" else [])
    said = st.one_of(st.just("good"), st.sampled_from(names))
    call = st.builds(
        Call,
        st.sampled_from(sorted(CALLS)),
        st.lists(said, max_size=3).map(tuple),
        st.sampled_from(READINGS),
    )
    which = st.integers(0, 4)
    operations = st.sampled_from(["", ".GetObject", ".PutObject", ".ListObjectsV2"])
    deeds = st.sampled_from(["note", "change", "raise"])
    others = st.one_of(
        st.builds(ReadOn, which, st.sampled_from(READINGS)),
        st.builds(Register, st.sampled_from(EVENTS), operations, deeds, st.booleans()),
        st.builds(Unregister, which),
        st.builds(Change, st.just("access_key"), st.just("AKIAOTHER")),
        st.builds(Change, st.just("token"), st.sampled_from([None, "t"])),
        st.builds(Change, st.just("time"), st.sampled_from([1, 86_400])),
        st.builds(Presign, st.sampled_from(["get_object", "put_object", "list_objects_v2"])),
        st.just(CloseClient()),
        st.just(Reenter()),
    )
    steps = st.lists(st.one_of(call, call, others), min_size=3, max_size=16)
    return st.builds(Program, options(), steps)


def options() -> st.SearchStrategy[dict[str, Any]]:
    """Of the client."""
    return st.fixed_dictionaries(
        {
            "retries": st.fixed_dictionaries(
                {
                    "mode": st.sampled_from(["legacy", "standard"]),
                    "total_max_attempts": st.sampled_from([1, 2, 3]),
                }
            ),
            "read_timeout": st.sampled_from([60, 50]),
        },
        optional={
            "request_checksum_calculation": st.just("when_required"),
            "response_checksum_validation": st.just("when_required"),
            "aws_session_token": st.just("token"),
            "signature_version": st.just(UNSIGNED),
            "parameter_validation": st.just(False),
            "max_pool_connections": st.just(1),
        },
    )
