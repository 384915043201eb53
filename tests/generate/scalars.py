"""Single values a botocore shape accepts: text, numbers, times, blobs, documents."""

from __future__ import annotations

import datetime
import io
import math
import string
from email.utils import format_datetime
from typing import Any

from tests.generate.choices import Choices

# Safe anywhere: a path segment, a query, a header, XML and JSON.
PLAIN = string.ascii_letters + string.digits + "-_."
# Legal in a header value as both http.client and aiohttp send it.
HEADER = PLAIN + " ,;:=/+\"'()<>@!~*&%$#?[]{}|^`\\"
# What percent-encoding, XML escaping and JSON escaping have to do something about.
BODY = PLAIN + " /?#&=+%:;,@!$'()*[]~\"<>\\{}|^`äß€中\U0001f600\u00a0é\t"
PATH = PLAIN + " /?#&=+%:;,@!$'()*[]~\"<>\\{}|^`äß€中\U0001f600"
# White space that XML and SigV4 treat in ways of their own.
SPACES = "\n\r\t "

LONGEST_TEXT = 24  # characters; enough for every escaping rule, short enough to read in a failure
LONG_TEXTS = (24, 140, 300)  # characters; their lengths are of different widths in CBOR
EDGES = (23, 24, 128, 255, 256, 65_535, 65_536)  # where CBOR's next width begins (RFC 8949, 3)
YEARS_S = (0, 4_102_444_800)  # seconds since the epoch: 1970 to 2100
UTC = datetime.timezone.utc


def make_text(choices: Choices, alphabet: str, low: int = 0, high: int | None = None) -> str:
    """Text of *alphabet*, its length within a model's *low* and *high*."""
    longest = max(low, min(LONGEST_TEXT, high if high is not None else LONGEST_TEXT))
    return choices.text(alphabet, low, longest)


def make_header_text(choices: Choices, low: int = 0, high: int | None = None) -> str:
    """A header value without white space at its ends, which no HTTP parser keeps."""
    text = make_text(choices, HEADER, low, high)
    return text if text == text.strip() else f"x{text[1:-1]}x"[: max(len(text), 1)].strip()


def make_datetime(choices: Choices) -> datetime.datetime:
    """An aware datetime, some with an offset, some with a fraction of a second."""
    moment = datetime.datetime.fromtimestamp(choices.integer(*YEARS_S), UTC)
    if choices.chance(40):
        moment = moment.replace(microsecond=choices.integer(0, 999_999))
    if choices.chance(30):
        offset = datetime.timezone(datetime.timedelta(minutes=15 * choices.integer(-48, 48)))
        moment = moment.astimezone(offset)
    return moment


def _naive(choices: Choices) -> datetime.datetime:
    return make_datetime(choices).replace(tzinfo=None)


def _iso(choices: Choices) -> str:
    return make_datetime(choices).isoformat()


def _zulu(choices: Choices) -> str:
    return make_datetime(choices).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _rfc822(choices: Choices) -> str:
    return make_datetime(choices).astimezone(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")


def _epoch(choices: Choices) -> int:
    return choices.integer(*YEARS_S)


def _epoch_text(choices: Choices) -> str:
    return str(_epoch(choices))


def _epoch_fraction(choices: Choices) -> float:
    return _epoch(choices) + choices.integer(0, 999) / 1000


_TIMES = (make_datetime, _naive, _iso, _zulu, _rfc822, _epoch, _epoch_text, _epoch_fraction)


def make_time(choices: Choices) -> Any:
    """A timestamp in any form `botocore.utils.parse_to_aware_datetime` reads."""
    return choices.pick(_TIMES)(choices)


def make_integer(choices: Choices, low: int | None, high: int | None, *, long: bool) -> int:
    """A whole number within the model's range, its ends more often than others."""
    widest = 2**53 if long else 2**31 - 1
    first = low if low is not None else -widest
    last = max(first, high if high is not None else widest)
    near = [value for value in (first, last, 0, 1, -1, first + 1, *EDGES) if first <= value <= last]
    return choices.pick(near) if choices.chance(60) else choices.integer(first, last)


def make_number(choices: Choices, low: float | None, high: float | None) -> int | float:
    """A float or an int for a float shape; where the model sets no range, also the odd ones."""
    if low is None and high is None and choices.chance(15):
        return choices.pick((float("inf"), float("-inf"), float("nan"), 1e300, 1e-7, -0.0))
    first = math.ceil(low if low is not None else -1000)
    last = math.floor(high if high is not None else max(first, 1000))
    if last < first:  # no whole number fits between the ends
        return high if high is not None else first
    whole = choices.integer(first, last)
    if choices.chance(40) or whole + 0.5 > last:
        return whole
    return whole + choices.pick((0.5, 0.25, 0.1))


def make_blob(choices: Choices, low: int, high: int | None, *, streaming: bool) -> Any:
    """A blob in each type botocore takes; file-like ones only where the body is streamed."""
    content = choices.octets(low, max(low, min(high if high is not None else 64, 64)))
    kinds = [bytes, bytearray, _blob_text]
    return choices.pick([*kinds, io.BytesIO] if streaming else kinds)(content)


def _blob_text(content: bytes) -> str:
    return content.decode("latin-1")


def make_document(choices: Choices, depth: int = 3) -> Any:
    """A document: any JSON value without nulls (botocore does not tell them from absent)."""
    if depth and choices.chance(35):
        return [make_document(choices, depth - 1) for _ in range(choices.integer(0, 3))]
    if depth and choices.chance(50):
        names = [make_text(choices, BODY, 1, 6) for _ in range(choices.integer(0, 3))]
        return {name: make_document(choices, depth - 1) for name in names}
    return choices.pick((make_text(choices, BODY, 0, 8), 7, -1.5, True, False, ""))


def make_timestamp_text(choices: Choices) -> str:
    """A time in each spelling services use: rfc822, iso8601 with and without fraction, epoch."""
    moment = datetime.datetime.fromtimestamp(choices.integer(0, 4_102_444_800), UTC)
    plain = moment.strftime("%Y-%m-%dT%H:%M:%S")
    return choices.pick(
        (
            plain + ".000Z",
            format_datetime(moment, usegmt=True),
            plain + "Z",
            plain + ".123456Z",
            plain + "+02:00",
            plain + ".5-0330",
            plain,
            plain[:10],
            str(int(moment.timestamp())),
            f"{moment.timestamp():.3f}",
            moment.strftime("%A, %d-%b-%y %H:%M:%S GMT"),
            moment.strftime("%a, %d %b %Y %H:%M:%S +0100"),
        )
    )
