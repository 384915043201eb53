"""
What S3 says of names, ranges and ETags. Pure: functions of their arguments.

Sources: the S3 API reference of the operation that is named; RFC 9110, section 14.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from urllib.parse import parse_qsl

LONGEST_KEY = 1024  # bytes of UTF-8; user guide, "Naming Amazon S3 objects"
MOST_METADATA = 2048  # bytes of names and values; user guide, "Working with object metadata"
MOST_TAGS = 10  # of an object; user guide, "Categorizing your objects using tags"
MOST_KEYS = 1000  # of a page of a listing, and of a DeleteObjects
MOST_PARTS = 10_000  # user guide, "Multipart upload limits"
LEAST_PART = 5 * 1024 * 1024  # bytes, of all parts but the last
LARGEST_PUT = 5 * 1024**3  # bytes of one PutObject, UploadPart or CopyObject


class Refusal(Exception):
    """An error answer of S3: *code*, its HTTP *status*, what it says, and further elements."""

    def __init__(self, code: str, status: int, message: str, **more: str) -> None:
        super().__init__(code, status, message)
        self.code = code
        self.status = status
        self.message = message
        self.more = more


def no_such_bucket(bucket: str) -> Refusal:
    text = "The specified bucket does not exist"
    return Refusal("NoSuchBucket", 404, text, BucketName=bucket)


def no_such_key(key: str) -> Refusal:
    return Refusal("NoSuchKey", 404, "The specified key does not exist.", Key=key)


def no_such_upload(upload_id: str) -> Refusal:
    text = (
        "The specified upload does not exist. The upload ID may be invalid, "
        "or the upload may have been aborted or completed."
    )
    return Refusal("NoSuchUpload", 404, text, UploadId=upload_id)


def precondition_failed(condition: str) -> Refusal:
    text = "At least one of the pre-conditions you specified did not hold"
    return Refusal("PreconditionFailed", 412, text, Condition=condition)


def not_implemented(header: str = "") -> Refusal:
    if header:
        text = f"A header you provided implies functionality that is not implemented: {header}"
        return Refusal("NotImplemented", 501, text, Header=header)
    return Refusal("NotImplemented", 501, "This operation is not implemented on Redis.")


def invalid_argument(text: str, name: str, value: str) -> Refusal:
    return Refusal("InvalidArgument", 400, text, ArgumentName=name, ArgumentValue=value)


# Names ---------------------------------------------------------------------------------------

_BUCKET = re.compile(r"(?!xn--|sthree-|amzn-s3-demo-)[a-z0-9](?:[a-z0-9.-]{1,61})[a-z0-9]")
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+")
_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")


def check_new_bucket(name: str) -> None:
    """Raise what S3 says to a name that a bucket cannot have. User guide, "naming rules"."""
    if (
        not _BUCKET.fullmatch(name)
        or _ADDRESS.fullmatch(name)
        or ".." in name
        or name.endswith(_SUFFIXES)
    ):
        text = "The specified bucket is not valid."
        raise Refusal("InvalidBucketName", 400, text, BucketName=name)


def is_plain_bucket(name: str) -> bool:
    """Whether botocore, too, has nothing to say against *name*."""
    return _BUCKET.fullmatch(name) is not None


def key_bytes(key: str) -> bytes:
    """*key* in UTF-8, by which S3 sorts; raises what S3 says to a key that is too long."""
    encoded = key.encode()
    if len(encoded) > LONGEST_KEY:
        raise Refusal(
            "KeyTooLongError",
            400,
            "Your key is too long",
            Size=str(len(encoded)),
            MaxSizeAllowed=str(LONGEST_KEY),
        )
    return encoded


def user_metadata(given: Mapping[str, str]) -> dict[str, str]:
    """
    As S3 keeps it: names in lower case, values without the blanks that HTTP does not keep.
    """
    kept = {name.lower(): value.strip(" \t") for name, value in given.items()}
    size = sum(len(name) + len(value) for name, value in kept.items())
    if size > MOST_METADATA:
        raise Refusal(
            "MetadataTooLarge",
            400,
            "Your metadata headers exceed the maximum allowed metadata size",
            Size=str(size),
            MaxSizeAllowed=str(MOST_METADATA),
        )
    return kept


# Tags ----------------------------------------------------------------------------------------


def tags_of_header(text: str) -> list[tuple[str, str]]:
    """The tags of a Tagging header, "a=1&b=2"."""
    return check_tags(parse_qsl(text, keep_blank_values=True))


def check_tags(tags: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    kept = list(tags)
    if len(kept) > MOST_TAGS:
        raise Refusal("BadRequest", 400, "Object tags cannot be greater than 10")
    names = [name for name, _ in kept]
    if len(set(names)) < len(names):
        raise Refusal("InvalidTag", 400, "Cannot provide multiple Tags with the same key")
    for name, value in kept:
        if not 1 <= len(name) <= 128:
            raise Refusal("InvalidTag", 400, "The TagKey you have provided is invalid")
        if len(value) > 256:
            raise Refusal("InvalidTag", 400, "The TagValue you have provided is invalid")
        if name.lower().startswith("aws:"):
            raise Refusal("InvalidTag", 400, "System tags cannot be added/updated by requester")
    return kept


# Ranges --------------------------------------------------------------------------------------

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def read_range(header: str, size: int) -> tuple[int, int] | None:
    """
    (first, last) byte of a Range header; None for what S3 answers whole.

    Several ranges, and what is no range, are answered whole: RFC 9110, 14.2; S3 API, GetObject.
    Raises InvalidRange (416).
    """
    found = _RANGE.fullmatch(header.replace(" ", ""))
    if found is None or found.group() == "bytes=-":
        return None
    first, last = found.groups()
    if not first:
        length = int(last)
        start, end = max(size - length, 0), size - 1
        if length == 0 or size == 0:
            raise invalid_range(header, size)
        return start, end
    start = int(first)
    end = min(int(last), size - 1) if last else size - 1
    if last and int(last) < start:
        return None
    if start >= size:
        raise invalid_range(header, size)
    return start, end


def invalid_range(header: str, size: int) -> Refusal:
    return Refusal(
        "InvalidRange",
        416,
        "The requested range is not satisfiable",
        ActualObjectSize=str(size),
        RangeRequested=header,
    )


def copied_range(header: str, size: int) -> tuple[int, int]:
    """(first, last) of a CopySourceRange, which has both. S3 API, UploadPartCopy."""
    found = _RANGE.fullmatch(header)
    if found is None or not all(found.groups()) or int(found[1]) > int(found[2]):
        text = "The x-amz-copy-source-range value must be of the form bytes=first-last"
        raise invalid_argument(text, "x-amz-copy-source-range", header)
    first, last = int(found[1]), int(found[2])
    if last >= size:
        text = f"Range specified is not valid for source object of size: {size}"
        raise invalid_argument(text, "x-amz-copy-source-range", header)
    return first, last


# Multipart -----------------------------------------------------------------------------------


def multipart_etag(digest: str, parts: int) -> str:
    """*digest*: hex MD5 of the MD5s of the parts."""
    return f'"{digest}-{parts}"'


def check_parts(wanted: Sequence[tuple[int, str]], known: Mapping[int, tuple[str, int]]) -> None:
    """
    Raise what S3 says to the parts of a CompleteMultipartUpload: (number, ETag) each.

    known: by number the ETag (quoted) and size of what was uploaded.
    """
    if not wanted:
        raise Refusal("MalformedXML", 400, _MALFORMED)
    numbers = [number for number, _ in wanted]
    if any(later <= earlier for earlier, later in pairwise(numbers)):
        text = (
            "The list of parts was not in ascending order. The parts list must be specified in "
            "order by part number."
        )
        raise Refusal("InvalidPartOrder", 400, text)
    for number, etag in wanted:
        if number not in known or known[number][0].strip('"') != etag.strip('"'):
            raise invalid_part(number, etag)
    for number in numbers[:-1]:
        if known[number][1] < LEAST_PART:
            text = "Your proposed upload is smaller than the minimum allowed object size."
            raise Refusal(
                "EntityTooSmall",
                400,
                text,
                ProposedSize=str(known[number][1]),
                MinSizeAllowed=str(LEAST_PART),
                PartNumber=str(number),
                ETag=known[number][0],
            )


def invalid_part(number: int, etag: str) -> Refusal:
    text = (
        "One or more of the specified parts could not be found. The part might not have been "
        "uploaded, or the specified entity tag might not have matched the part's entity tag."
    )
    return Refusal("InvalidPart", 400, text, PartNumber=str(number), ETag=etag)


_MALFORMED = (
    "The XML you provided was not well-formed or did not validate against our published schema"
)


def check_part_number(number: int) -> None:
    if not 1 <= number <= MOST_PARTS:
        text = "Part number must be an integer between 1 and 10000, inclusive"
        raise invalid_argument(text, "partNumber", str(number))


# Pages ---------------------------------------------------------------------------------------


def page_size(wanted: int | None, name: str = "max-keys") -> int:
    if wanted is None:
        return MOST_KEYS
    if wanted < 0:
        text = f"Argument {name} must be an integer between 0 and 2147483647"
        raise invalid_argument(text, name, str(wanted))
    return min(wanted, MOST_KEYS)


def token_of(last: bytes) -> str:
    """The ContinuationToken of the page that follows *last*: a key or a common prefix."""
    return base64.urlsafe_b64encode(b"1" + last).decode()


def last_of_token(token: str) -> bytes:
    try:
        decoded = base64.b64decode(token, altchars=b"-_", validate=True)
    except ValueError:
        decoded = b""
    if decoded[:1] != b"1":
        text = "The continuation token provided is incorrect"
        raise invalid_argument(text, "continuation-token", token)
    return decoded[1:]


# Time to live --------------------------------------------------------------------------------


def ttl_ms(
    metadata: Mapping[str, str], expires: float | None, default_s: float | None, now: float
) -> int | None:
    """
    Milliseconds that an object lives; None for ever.

    User metadata "ttl" (seconds) counts first, then an Expires that lies ahead of *now*, then the
    default. Whatever is not a positive number is only metadata, an Expires that is past only a
    header for caches.
    """
    given = metadata.get("ttl", "")
    if _SECONDS.fullmatch(given) and 0 < float(given) <= _LONGEST_TTL_S:
        return max(1, round(float(given) * 1000))
    if expires is not None and now < expires <= now + _LONGEST_TTL_S:
        return max(1, round((expires - now) * 1000))
    return None if default_s is None else max(1, round(default_s * 1000))


_SECONDS = re.compile(r"\d{1,12}(\.\d{1,6})?")
_LONGEST_TTL_S = 100 * 366 * 86400.0
