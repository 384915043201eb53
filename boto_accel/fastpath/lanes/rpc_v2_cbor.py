"""
The smithy-rpc-v2-cbor lane: CloudWatch Logs' and a few other services' newer protocol.

One address an operation; parameters and answer are one CBOR map (RFC 8949).
Source: `botocore.serialize.RpcV2CBORSerializer`, `botocore.parsers.RpcV2CBORParser`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from struct import Struct
from typing import Any

from boto_accel._compat import Declined
from boto_accel.fastpath.lanes import json_values, rest, scalars
from boto_accel.fastpath.lanes.scalars import INVALID, TOO_DEEP, Odd

Put = Callable[[Any, bytearray], None]

# Major types (RFC 8949, 3.1), at their place in the first byte of an item.
UNSIGNED, NEGATIVE, BYTES, TEXT, ARRAY, MAP, TAG, SIMPLE = range(0, 256, 32)
FALSE, TRUE = b"\xf4", b"\xf5"
BREAK = 0xFF  # the end of an item of indefinite length
INDEFINITE = 31


# Writing


def head(major: int, number: int) -> bytes:
    """The first bytes of an item. Raises OverflowError from 2**64 on."""
    if number < 24:
        return bytes((major | number,))
    for information, size in ((24, 1), (25, 2), (26, 4)):
        if number < 1 << 8 * size:
            return bytes((major | information,)) + number.to_bytes(size, "big")
    return bytes((major | 27,)) + number.to_bytes(8, "big")


def put_text(text: str, out: bytearray) -> None:
    encoded = text.encode("utf-8")
    out += head(TEXT, len(encoded))
    out += encoded


class WriterCompiler:
    """Compiles writers for shapes; *serializer* is botocore's, asked for the rarer conversions."""

    def __init__(self, serializer: Any) -> None:
        self._serializer = serializer
        self._structures: dict[str, Put] = {}  # by name, as shapes may contain themselves

    def value(self, shape: Any) -> Put:
        """A writer of one value of *shape*."""
        type_name = shape.type_name
        if type_name == "structure":
            return self.structure(shape)
        if type_name == "list":
            return self._list(shape)
        if type_name == "map":
            return self._map(shape)
        return self._scalar(shape)

    def structure(self, shape: Any) -> Put:
        """A writer of a structure, with what it has to have."""
        known = self._structures.get(shape.name)
        if known is not None:
            return known
        if shape.is_document_type:
            raise Declined("documents in CBOR")
        required = frozenset(shape.metadata.get("required", ()))
        one_of = shape.is_tagged_union
        writers: dict[str, tuple[bytes, Put]] = {}  # filled as they are used

        def learned(key: str) -> tuple[bytes, Put]:
            member = shape.members.get(key)
            if member is None:
                raise Declined(INVALID)
            name = bytearray()
            put_text(member.serialization.get("name", key), name)
            known = writers[key] = (bytes(name), self.value(member))
            return known

        def put(value: Any, out: bytearray) -> None:
            if not isinstance(value, dict) or (required and not required <= value.keys()):
                raise Declined(INVALID)
            if one_of and len(value) != 1:
                raise Declined(INVALID)
            out += head(MAP, len(value))
            for key, item in value.items():
                known = writers.get(key)
                name, put_item = learned(key) if known is None else known
                out += name
                put_item(item, out)

        self._structures[shape.name] = put
        return put

    def _list(self, shape: Any) -> Put:
        least = shape.metadata.get("min", 0)
        put_item = self.value(shape.member)

        def put(value: Any, out: bytearray) -> None:
            if not isinstance(value, (list, tuple)) or len(value) < least:
                raise Declined(INVALID)
            out += head(ARRAY, len(value))
            for item in value:
                put_item(item, out)

        return put

    def _map(self, shape: Any) -> Put:
        put_key, put_value = self.value(shape.key), self.value(shape.value)

        def put(value: Any, out: bytearray) -> None:
            if not isinstance(value, dict):
                raise Declined(INVALID)
            out += head(MAP, len(value))
            for key, item in value.items():
                put_key(key, out)
                put_value(item, out)

        return put

    def _scalar(self, shape: Any) -> Put:
        type_name = shape.type_name
        serializer = self._serializer
        if type_name == "string":
            check_text = scalars.string_writer(shape)
            return lambda value, out: put_text(check_text(value), out)
        if type_name in ("integer", "long"):
            check_number = scalars.checked(int, shape)
            return lambda value, out: _put_number(check_number(value), out)
        if type_name == "boolean":
            check = scalars.checked(bool, shape)
            return lambda value, out: out.extend(TRUE if check(value) else FALSE)
        if type_name == "blob":
            return _put_blob
        if type_name == "timestamp":
            return _by_botocore(serializer._serialize_type_timestamp, shape)
        if type_name in ("float", "double"):
            write = getattr(serializer, f"_serialize_type_{type_name}")
            return _by_botocore(write, shape, scalars.checked((float, Decimal, int), shape))
        raise Declined(f"input of type {type_name}")


def _put_number(value: int, out: bytearray) -> None:
    try:
        out += head(UNSIGNED, value) if value >= 0 else head(NEGATIVE, -1 - value)
    except OverflowError:
        raise Declined(INVALID) from None  # stock's to raise


def _put_blob(value: Any, out: bytearray) -> None:
    blob = scalars.blob(value)
    if isinstance(blob, str):
        blob = blob.encode("utf-8")
    out += head(BYTES, len(blob))
    out += blob


def _by_botocore(
    write: Callable[..., None], shape: Any, check: Callable[[Any], Any] | None = None
) -> Put:
    def put(value: Any, out: bytearray) -> None:
        if check is not None:
            check(value)
        try:
            write(out, value, shape, None)
        except Exception:
            raise Declined(INVALID) from None  # stock's to raise

    return put


class RequestWriter:
    """See `boto_accel.fastpath.lanes`."""

    method = "POST"
    streams_payload = False
    may_have_body = True

    def __init__(self, operation_model: Any, serializer: Any) -> None:
        self.binding = rest.RequestBinding(operation_model, serializer, located=False)
        service = operation_model.service_model
        name = service.metadata["targetPrefix"]
        self.path = f"/service/{name}/operation/{operation_model.name}"
        self.headers = {"smithy-protocol": "rpc-v2-cbor"}
        if service.is_query_compatible:
            self.headers["x-amzn-query-mode"] = "true"
        self.headers["Accept"] = "application/cbor"
        shape = operation_model.input_shape
        self._put: Put | None = None
        if shape is not None:
            self.headers["Content-Type"] = "application/cbor"
            self._put = WriterCompiler(serializer).structure(shape)

    def body(self, params: Mapping[str, Any]) -> bytes:
        """The body for *params*."""
        if self._put is None:
            return b""
        out = bytearray()
        try:
            self._put(params, out)
        except RecursionError:
            raise Declined(TOO_DEEP) from None
        return bytes(out)


# Reading


class Decoder:
    """
    Reads the items of one body.

    A pair of a map whose value is null is left out, as botocore does. Raises Odd for what is cut
    off, and for what botocore's parser refuses or is more lenient about.
    """

    def __init__(self, body: bytes, read_timestamp: Callable[[Any], Any]) -> None:
        self._body = body
        self._at = 0
        self._read_timestamp = read_timestamp

    def item(self) -> Any:
        first = self._take(1)[0]
        return _ITEMS[first >> 5](self, first & 31)

    def _take(self, size: int) -> bytes:
        start = self._at
        end = self._at = start + size
        if end > len(self._body):
            raise Odd
        return self._body[start:end]

    def _number(self, information: int) -> int:
        if information < 24:
            return information
        if information > 27:
            raise Odd
        return int.from_bytes(self._take(1 << (information - 24)), "big")

    def _ends(self) -> bool:
        """Whether an item of indefinite length ends here; then what is behind it comes next."""
        if self._body[self._at : self._at + 1] != _BREAK:
            return False
        self._at += 1
        return True

    def _negative(self, information: int) -> int:
        return -1 - self._number(information)

    def _bytes(self, information: int) -> bytes:
        if information != INDEFINITE:
            return self._take(self._number(information))
        pieces = []
        while not self._ends():
            pieces.append(self._take(self._number(self._take(1)[0] & 31)))
        return b"".join(pieces)

    def _text(self, information: int) -> str:
        return self._bytes(information).decode("utf-8")

    def _array(self, information: int) -> list[Any]:
        if information != INDEFINITE:
            return [self.item() for _ in range(self._number(information))]
        items = []
        while not self._ends():
            items.append(self.item())
        return items

    def _map(self, information: int) -> dict[Any, Any]:
        found = {}
        left = None if information == INDEFINITE else self._number(information)
        while not self._ends() if left is None else left > 0:
            key, value = self.item(), self.item()
            if value is not None:
                found[key] = value
            if left is not None:
                left -= 1
        return found

    def _tag(self, information: int) -> Any:
        tag, value = self._number(information), self.item()
        if tag != 1 or not isinstance(value, (int, float)):
            raise Odd
        return self._read_timestamp(value)

    def _simple(self, information: int) -> Any:
        if information in _SIMPLE:
            return _SIMPLE[information]
        form = _FLOATS.get(information)
        if form is None:
            raise Odd
        return form.unpack(self._take(form.size))[0]


_BREAK = bytes((BREAK,))
_SIMPLE = {20: False, 21: True, 22: None, 23: None}
_FLOATS = {25: Struct(">e"), 26: Struct(">f"), 27: Struct(">d")}
_ITEMS = (
    Decoder._number,
    Decoder._negative,
    Decoder._bytes,
    Decoder._text,
    Decoder._array,
    Decoder._map,
    Decoder._tag,
    Decoder._simple,
)


class ReaderCompiler(json_values.ReaderCompiler):
    """Structures by the names of the model; scalars and maps are as they were decoded."""

    def __init__(self) -> None:
        super().__init__({})

    def value(self, shape: Any) -> json_values.Convert | None:
        """A reader of one value of *shape*; None where the value is as it is."""
        return super().value(shape) if shape.type_name in ("structure", "list") else None

    def wire_name(self, name: str, member: Any) -> str:
        """Source: `BaseRpcV2Parser._handle_structure`."""
        return name


class AnswerReader:
    """See `boto_accel.fastpath.lanes`."""

    head = None
    payload: str | None = None
    is_stream = False
    metadata_first = False

    def __init__(self, shape: Any, read_timestamp: Any, read_blob: Any) -> None:
        self._read_timestamp = read_timestamp
        self._read = None if shape is None else ReaderCompiler().structure(shape)

    def ids(self, headers: Mapping[str, str]) -> dict[str, Any]:
        """Source: `BaseRpcV2Parser._do_parse`, which forgets them where there is no output."""
        request_id = headers.get("x-amzn-requestid")
        return {} if request_id is None or self._read is None else {"RequestId": request_id}

    def read_body(self, body: bytes, result: dict[str, Any], metadata: dict[str, Any]) -> None:
        """Put the members of *body* into *result*; Odd where botocore's parser should read it."""
        if self._read is not None:
            result.update(self._read(Decoder(body, self._read_timestamp).item()))
