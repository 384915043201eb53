"""What signing keeps from one call to the next: keys, the clock's second, ids."""

from __future__ import annotations

import hashlib
import hmac
import os
import time
import uuid
import warnings
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import botocore.auth
import botocore.compat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boto_accel import _compat
from boto_accel.fastpath import invocation
from boto_accel.fastpath.sigv4 import SigningKey


@pytest.mark.parametrize("algorithm", [hashlib.sha256, hashlib.sha1])
@given(key=st.binary(max_size=200), text=st.text())
def test_a_key_signs_as_hmac_does(algorithm: Any, key: bytes, text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    expected = hmac.new(key, text.encode(), algorithm)
    signing_key = SigningKey(key, algorithm)
    assert [signing_key.sign(text), signing_key.sign(text)] == [expected.hexdigest()] * 2
    assert signing_key.digest(text) == expected.digest()


def test_invocation_ids_are_random_uuids() -> None:
    ids = [invocation.new_invocation_id() for _ in range(3 * invocation.AT_ONCE)]
    assert len(set(ids)) == len(ids)
    assert all(str(uuid.UUID(each)) == each and uuid.UUID(each).version == 4 for each in ids)
    assert all(uuid.UUID(each).variant == uuid.RFC_4122 for each in ids)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
def test_parent_and_child_have_ids_of_their_own() -> None:
    invocation.new_invocation_id()  # there are some in store now
    reads, writes = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python 3.12: there are threads, the test runner's
        child = os.fork()
    if child == 0:
        try:
            os.write(writes, invocation.new_invocation_id().encode())
        finally:
            os._exit(0)
    ours = [invocation.new_invocation_id() for _ in range(2 * invocation.AT_ONCE)]
    os.waitpid(child, 0)
    theirs = os.read(reads, 100).decode()
    os.close(reads)
    os.close(writes)
    assert len(theirs) == 36
    assert theirs not in ours


def test_the_time_of_signing_is_the_second_that_it_is() -> None:
    before = int(time.time())
    said = _compat.signing_time()
    after = int(time.time())
    allowed = {time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at)) for at in range(before, after + 1)}
    assert said in allowed


@pytest.mark.parametrize("place", ["the function", "the class"])
def test_a_clock_that_is_replaced_is_asked(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As freezegun and tests do it, in botocore's function or under it."""
    moment = datetime(2001, 2, 3, 4, 5, 6, 789)

    class Frozen(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return moment.replace(tzinfo=tz)

    _compat.signing_time()
    if place == "the function":
        monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: moment)
    else:
        import datetime as genuine

        frozen = SimpleNamespace(**{**vars(genuine), "datetime": Frozen})
        monkeypatch.setattr(botocore.compat, "datetime", frozen)
    assert _compat.signing_time() == "20010203T040506Z"
    monkeypatch.undo()
    assert _compat.signing_time() != "20010203T040506Z"
