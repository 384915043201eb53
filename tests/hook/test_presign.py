"""Presigning: the code of botocore's functions is exchanged, and put back."""

from __future__ import annotations

import inspect
import sys
import types
from typing import Any

import botocore.signers
import pytest
from botocore.exceptions import UnknownClientMethodError

from boto_accel._patch import Patch
from boto_accel._stack import Layer
from tests.hook.patches import Answers, Passes

URL = botocore.signers.generate_presigned_url


def test_url_and_form_go_to_the_patch(s3: Any) -> None:
    """All arguments come in the order of the signature, whichever way they were given."""
    with Answers("p"):
        got = s3.generate_presigned_url(
            "get_object", ExpiresIn=9, Params={"Bucket": "b", "Key": "k"}
        )
        assert got[:2] == ("p", "generate_presigned_url")
        assert got[2] == ("get_object", {"Bucket": "b", "Key": "k"}, 9, None)
        assert got[3].startswith("http://127.0.0.1:1/b/k?")
        form = s3.generate_presigned_post("b", "k")
        assert form[:3] == ("p", "generate_presigned_post", ("b", "k", None, None, 3600))
        assert form[3]["fields"]["key"] == "k"
    assert s3.generate_presigned_post("b", "k")["url"] == "http://127.0.0.1:1/b"


def test_signature_defaults_and_errors_stay(s3: Any) -> None:
    stock, code = inspect.signature(URL), URL.__code__
    with Answers() as patch:
        assert URL.__code__ is not code
        assert inspect.signature(URL) == stock
        assert "boto_accel" in inspect.getsource(URL.__code__)
        with pytest.raises(TypeError, match="generate_presigned_url\\(\\) missing 1 required"):
            s3.generate_presigned_url()
        with pytest.raises(UnknownClientMethodError):
            s3.generate_presigned_url("no_such")
    assert patch.closed == 1


def test_patches_without_a_part_in_it_are_not_asked(s3: Any) -> None:
    with Passes():
        url = s3.generate_presigned_url("get_object", Params={"Bucket": "b", "Key": "k"})
    assert url.startswith("http://127.0.0.1:1/b/k?")


def test_narrowed(s3: Any) -> None:
    params = {"Bucket": "b", "Key": "k"}
    with Answers("put", operations="PutObject"), Answers("get", operations="get_object"):
        assert s3.generate_presigned_url("get_object", Params=params)[0] == "get"
        assert s3.generate_presigned_url("put_object", Params=params)[0] == "put"
        assert s3.generate_presigned_post(**params)[0] == "put"
        assert isinstance(s3.generate_presigned_url("head_object", Params=params), str)


class Renames(Patch):
    layer = Layer.ROUTE

    def presign(self, client: Any, args: Any, kwargs: Any, stock: Any) -> Any:
        return ["renamed", stock.__name__, stock(client, *args, **kwargs)]


def test_layers_nest_around_the_sender(s3: Any) -> None:
    with Answers("p"), Renames():
        outer = s3.generate_presigned_post("b", "k")
    assert outer[:2] == ["renamed", "generate_presigned_post"]
    assert outer[2][0] == "p"


def test_code_exchanged_by_somebody_stays(s3: Any) -> None:
    """Theirs stays when we leave; entered again, ours is around theirs, and off again after."""
    code = URL.__code__
    patch = Answers("p")

    def theirs(self: Any, ClientMethod: Any, Params: Any, ExpiresIn: Any, HttpMethod: Any) -> Any:
        return "theirs"

    patch.__enter__()
    URL.__code__ = theirs.__code__
    patch.__exit__()
    assert s3.generate_presigned_url("get_object") == "theirs"
    with patch:
        assert s3.generate_presigned_url("get_object")[::3] == ("p", "theirs")
    assert URL.__code__ is theirs.__code__
    URL.__code__ = code


def test_a_function_that_is_wrapped_is_left_alone(s3: Any, monkeypatch: Any) -> None:
    """Presigning is then not accelerated, and all else is."""
    monkeypatch.setattr(botocore.signers, "generate_presigned_url", lambda *a, **k: URL(*a, **k))
    with Answers():
        assert isinstance(s3.generate_presigned_url("list_buckets"), str)
        assert s3.list_buckets()["by"] == "answers"


def test_code_that_somebody_kept_goes_silent(s3: Any) -> None:
    """Ours lives on inside theirs, and goes straight to stock: each URL is seen once."""
    code = URL.__code__
    patch = Answers("p")
    patch.__enter__()
    kept = types.FunctionType(URL.__code__, URL.__globals__, "kept", URL.__defaults__)
    sys.modules["tests.hook.kept"] = kept  # type: ignore[assignment]

    def theirs(self: Any, ClientMethod: Any, Params: Any, ExpiresIn: Any, HttpMethod: Any) -> Any:
        import sys

        return sys.modules["tests.hook.kept"](self, ClientMethod, Params, ExpiresIn, HttpMethod)

    URL.__code__ = theirs.__code__
    patch.__exit__()
    try:
        with patch:
            got = s3.generate_presigned_url("list_buckets")
    finally:
        URL.__code__ = code
        del sys.modules["tests.hook.kept"]
    assert got[0] == "p"
    assert got[3].startswith("http://127.0.0.1:1/?")
