"""
Replies as bytes and back: equal values of equal types.

Rule 1: decoding makes plain values only. It looks up no name, imports nothing and calls nothing
that the bytes choose: whoever can write them can at worst make a reply wrong.
Rule 2: `decode` raises `Damaged` for bytes it cannot read, and nothing else.

The form is MessagePack, of `[version, kind, member, value]`, with extension types for what it
lacks. Source: the MessagePack specification, "Extension types".
"""

from __future__ import annotations

import datetime
import struct
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from dateutil.tz import tzlocal, tzoffset, tzutc

from boto_accel.errors import MissingExtraError

try:
    from msgspec import MsgspecError
    from msgspec.msgpack import Decoder, Encoder, Ext
except ModuleNotFoundError as error:
    if error.name != "msgspec":
        raise
    raise MissingExtraError("botocache_context", "msgspec", "cache") from None

VERSION = 1
REPLY, ERROR = 0, 1
DEEPEST = 100  # levels of a reply; botocore's own parsers recurse as deeply as the answer does

MOST_KNOWN = 8192  # values of extension types that are remembered; a megabyte or so

# Extension types
UTC, TZUTC, LOCAL, NAIVE, OFFSET, TZOFFSET, INTEGER, DECIMAL, SET = range(1, 10)

_CIVIL = struct.Struct(">HBBBBBIB")  # year, month, day, hour, minute, second, microsecond, fold
_INSTANT = struct.Struct(">q")  # microseconds since the epoch
_SHIFT = struct.Struct(">i")  # seconds east of UTC
_tzutc = tzutc()
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
_MICROSECOND = datetime.timedelta(microseconds=1)
_SMALLEST, _LARGEST = -(2**63), 2**64 - 1  # integers that MessagePack has


class Unencodable(Exception):
    """The reply holds something that would not come back as it is; it is not kept."""


class Damaged(Exception):
    """Not bytes that `encode` has made."""


class Kept(NamedTuple):
    """
    What a payload holds.

    kind: REPLY, or ERROR: the `response` of a ClientError. member: the member of the reply that
    is a stream, its value being bytes; "" for none.
    """

    kind: int
    member: str
    value: dict[str, Any]


def encode(kept: Kept) -> bytes:
    """Raises Unencodable for a value of any other type than botocore's parsers make."""
    try:
        plain = _plain(kept.value, 0)
        return _encoder.encode([VERSION, kept.kind, kept.member, plain])
    except (MsgspecError, UnicodeEncodeError, OverflowError) as error:
        raise Unencodable(type(error).__name__) from None


def decode(payload: bytes, zone: object = None) -> Kept:
    """
    A new value each time: the caller may change it.

    zone: what is another object when the process's local time zone has changed (`time.tzname`).
    Raises Damaged for bytes that are no payload, or one of another version.
    """
    global _zone
    if zone is not _zone:
        _known.clear()
        _zone = zone
    try:
        version, kind, member, value = _decoder.decode(payload)
    except _UNREADABLE as error:
        raise Damaged(type(error).__name__) from None
    if version != VERSION or kind not in (REPLY, ERROR) or type(value) is not dict:
        raise Damaged("another version, or no reply")
    if type(member) is not str or (member and type(value.get(member)) is not bytes):
        raise Damaged("a stream without bytes")
    if kind == ERROR and not _is_error(value):
        raise Damaged("an error without a code")
    return Kept(kind, member, value)


def _is_error(response: dict[str, Any]) -> bool:
    """What `ClientError` and `client.exceptions.from_code` can be given."""
    error = response.get("Error")
    return (
        type(error) is dict
        and type(error.get("Code")) is str
        and type(error.get("QueryErrorCode", "")) is str
        and type(response.get("ResponseMetadata", {})) is dict
    )


# Whatever hostile bytes can make the decoder, and the functions below, raise.
_UNREADABLE = (
    MsgspecError,
    ValueError,
    TypeError,
    OverflowError,
    RecursionError,
    MemoryError,
    InvalidOperation,
    struct.error,
)


# Encoding: a walk that lets through exact types only, for the encoder itself takes many more ------


def _plain(value: Any, depth: int) -> Any:
    kind = type(value)
    if kind in _AS_THEY_ARE:
        return value
    make = _MAKERS.get(kind)
    if make is None or depth > DEEPEST:
        raise Unencodable(kind.__name__)
    return make(value, depth)


def _plain_dict(value: dict[Any, Any], depth: int) -> dict[str, Any]:
    depth += 1
    made = {}
    for key, item in value.items():
        if type(key) is not str:
            raise Unencodable("a key that is no text")
        made[key] = item if type(item) in _AS_THEY_ARE else _plain(item, depth)
    return made


def _plain_list(value: list[Any], depth: int) -> list[Any]:
    return [_plain(item, depth + 1) for item in value]


def _plain_integer(value: int, depth: int) -> Any:
    return value if _SMALLEST <= value <= _LARGEST else Ext(INTEGER, b"%d" % value)


def _plain_moment(value: datetime.datetime, depth: int) -> Ext:
    zone = value.tzinfo
    if zone is None:
        return Ext(NAIVE, _civil(value))
    made = _ZONES.get(type(zone))
    if made is None:
        raise Unencodable(type(zone).__name__)
    return made(value, zone)


def _civil(value: datetime.datetime) -> bytes:
    return _CIVIL.pack(
        value.year,
        value.month,
        value.day,
        value.hour,
        value.minute,
        value.second,
        value.microsecond,
        value.fold,
    )


def _in_utc(value: datetime.datetime, zone: tzutc) -> Ext:
    return Ext(TZUTC, _civil(value))


def _in_local_time(value: datetime.datetime, zone: tzlocal) -> Ext:
    # The instant, as botocore makes it of a number: another process may be in another zone.
    return Ext(LOCAL, _INSTANT.pack((value - _EPOCH) // _MICROSECOND))


def _with_timezone(value: datetime.datetime, zone: datetime.timezone) -> Ext:
    if zone is datetime.timezone.utc:
        return Ext(UTC, _civil(value))
    shift = zone.utcoffset(None)
    if datetime.timezone(shift).tzname(None) != zone.tzname(None) or shift % _SECOND:
        raise Unencodable("a time zone with a name of its own")
    return Ext(OFFSET, _civil(value) + _SHIFT.pack(shift // _SECOND))


def _with_tzoffset(value: datetime.datetime, zone: tzoffset) -> Ext:
    shift = zone.utcoffset(None)
    name = zone.tzname(None)
    if shift is None or shift % _SECOND:
        raise Unencodable("a time zone with a fraction of a second")
    named = b"" if name is None else b"=" + name.encode()
    return Ext(TZOFFSET, _civil(value) + _SHIFT.pack(shift // _SECOND) + named)


def _plain_decimal(value: Decimal, depth: int) -> Ext:
    return Ext(DECIMAL, str(value).encode())


def _plain_set(value: set[Any], depth: int) -> Ext:
    """As boto3's DynamoDB resource gives them: of texts, numbers, or bytes."""
    if any(type(item) not in (str, bytes, Decimal) for item in value):
        raise Unencodable("a set of other things")
    items = [_plain(item, depth) for item in value]
    return Ext(SET, _encoder.encode(items))


_SECOND = datetime.timedelta(seconds=1)
_AS_THEY_ARE = frozenset([str, bytes, bool, float, type(None)])
_MAKERS: dict[type, Callable[[Any, int], Any]] = {
    dict: _plain_dict,
    list: _plain_list,
    int: _plain_integer,
    datetime.datetime: _plain_moment,
    Decimal: _plain_decimal,
    set: _plain_set,
}
_ZONES: dict[type, Callable[[datetime.datetime, Any], Ext]] = {
    tzutc: _in_utc,
    tzlocal: _in_local_time,
    datetime.timezone: _with_timezone,
    tzoffset: _with_tzoffset,
}


# Decoding ---------------------------------------------------------------------------------------


def _extension(code: int, data: memoryview) -> Any:
    raw = bytes(data)
    try:
        return _known[code, raw]
    except KeyError:
        return _read_extension(code, raw)


def _read_extension(code: int, raw: bytes) -> Any:
    read = _READERS.get(code)
    if read is None:
        raise ValueError("an extension type that is not known")
    value = read(raw)
    # All but sets are immutable, and a moment costs ten times as much as this look-up.
    if code != SET:
        if len(_known) >= MOST_KNOWN:
            _known.clear()
        _known[code, raw] = value
    return value


def _moment(data: bytes, zone: datetime.tzinfo | None) -> datetime.datetime:
    year, month, day, hour, minute, second, microsecond, fold = _CIVIL.unpack(data)
    return datetime.datetime(year, month, day, hour, minute, second, microsecond, zone, fold=fold)


def _local(data: bytes) -> datetime.datetime:
    (microseconds,) = _INSTANT.unpack(data)
    instant: datetime.datetime = _EPOCH + microseconds * _MICROSECOND
    return instant.astimezone(tzlocal())


def _offset(data: bytes) -> datetime.datetime:
    (seconds,) = _SHIFT.unpack(data[_CIVIL.size :])
    zone = datetime.timezone(datetime.timedelta(seconds=seconds))
    return _moment(data[: _CIVIL.size], zone)


def _tzoffset(data: bytes) -> datetime.datetime:
    after = _CIVIL.size + _SHIFT.size
    (seconds,) = _SHIFT.unpack(data[_CIVIL.size : after])
    named = data[after:]
    name = named[1:].decode() if named else None
    return _moment(data[: _CIVIL.size], tzoffset(name, seconds))


def _integer(data: bytes) -> int:
    # Python itself bounds the digits of a text that becomes a number (CVE-2020-10735).
    return int(data)


def _decimal(data: bytes) -> Decimal:
    return Decimal(data.decode("ascii"))


def _set(data: bytes) -> set[Any]:
    return set(_flat_decoder.decode(data))


def _flat_extension(code: int, data: memoryview) -> Any:
    if code != DECIMAL:
        raise ValueError("sets hold decimals, and nothing that is nested")
    return _decimal(bytes(data))


_READERS: dict[int, Callable[[bytes], Any]] = {
    UTC: lambda data: _moment(data, datetime.timezone.utc),
    TZUTC: lambda data: _moment(data, _tzutc),
    LOCAL: _local,
    NAIVE: lambda data: _moment(data, None),
    OFFSET: _offset,
    TZOFFSET: _tzoffset,
    INTEGER: _integer,
    DECIMAL: _decimal,
    SET: _set,
}
_encoder = Encoder()
_decoder = Decoder(ext_hook=_extension)
_flat_decoder = Decoder(ext_hook=_flat_extension)
# What has been read, and the local zone at that time. No lock: what is lost is read again.
_known: dict[tuple[int, bytes], Any] = {}
_zone: object = None
