"""`clients=`, `services=`, `operations=`."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from boto_accel.errors import (
    InvalidOptionError,
    MissingExtraError,
    PatchStateError,
    UnsupportedBotocoreError,
)
from tests.hook.patches import Answers


@pytest.mark.parametrize(
    ("narrowing", "expected"),
    [
        ({}, True),
        ({"services": "s3"}, True),
        ({"services": ["sqs", "s3"]}, True),
        ({"services": ["sqs"]}, False),
        ({"services": []}, False),
        ({"operations": "list_objects_v2"}, True),
        ({"operations": ("ListObjectsV2", "GetObject")}, True),
        ({"operations": iter(["list_objects"])}, False),
        ({"clients": []}, False),
        ({"services": "s3", "operations": "get_object"}, False),
    ],
)
def test_matches(s3: Any, narrowing: dict[str, Any], expected: bool) -> None:
    patch = Answers(**narrowing)
    assert patch.matches(s3, "ListObjectsV2") is expected
    assert patch.unrestricted is (not narrowing)


def test_clients(s3: Any) -> None:
    assert Answers(clients=s3).matches(s3, "GetObject")
    assert Answers(clients=(s3,)).matches(s3, "GetObject")


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("clients", 3),
        ("clients", "s3"),
        ("clients", [object()]),
        ("services", 3),
        ("services", ["s3", None]),
        ("services", ""),
        ("operations", b"get_object"),
        ("operations", [object()]),
    ],
)
def test_wrong_types_name_the_parameter(parameter: str, value: Any) -> None:
    with pytest.raises(InvalidOptionError) as caught:
        Answers(**{parameter: value})
    assert caught.value.parameter == parameter
    assert str(caught.value).startswith(f"{parameter}=")
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    "error",
    [
        UnsupportedBotocoreError("patching", "botocore 9", "a method", "here"),
        MissingExtraError("http='aiosonic'", "aiosonic", "aiosonic"),
        PatchStateError("Answers", "leave", "it is not in force"),
        InvalidOptionError("clients", lambda: 1, "a client"),
        InvalidOptionError("shadow", 3, "a share"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_pickle_with_their_facts(error: Exception) -> None:
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is type(error)
    assert (str(back), vars(back)) == (str(error), vars(error))


def test_a_missing_extra_says_what_would_do() -> None:
    error = MissingExtraError("http='aiosonic'", "aiosonic", "aiosonic")
    assert "pip install 'boto_accel[aiosonic]'" in str(error)
