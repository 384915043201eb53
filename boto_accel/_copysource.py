"""What is copied: the forms of CopySource. Source: `botocore.handlers.handle_copy_source_param`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

_VERSION = re.compile(r"\?versionId=(\S+)\Z")
# An access point, of a region or of an outpost: "arn:…:accesspoint/name/object/key".
_ACCESS_POINT = re.compile(r"(arn:.*?[:/]accesspoint[:/][^/]+)/object/(.*)\Z", re.DOTALL)
_BUCKET_ARN = re.compile(r"arn:[^:]*:s3:[^:]*:[^:]*:([^/:]+)(?:/(.*))?\Z", re.DOTALL)


class Source(NamedTuple):
    """bucket: a name, or the ARN of an access point."""

    bucket: str
    key: str
    version: str | None = None

    def as_param(self) -> dict[str, Any]:
        """The dict form, which botocore quotes."""
        version = {} if self.version is None else {"VersionId": self.version}
        return {"Bucket": self.bucket, "Key": self.key, **version}


def read_copy_source(given: Any) -> Source | None:
    """None for what botocore will refuse, or does not know either."""
    if isinstance(given, Mapping):
        bucket, key, version = (given.get(name) for name in ("Bucket", "Key", "VersionId"))
        if not isinstance(bucket, str) or not isinstance(key, str) or not bucket or not key:
            return None
        return Source(_name_of(bucket), key, version)
    if not isinstance(given, str):
        return None
    found = _VERSION.search(given)
    version, path = (None, given) if found is None else (found[1], given[: found.start()])
    return _read_path(path.removeprefix("/"), version)


def _read_path(path: str, version: str | None) -> Source | None:
    for form in (_ACCESS_POINT, _BUCKET_ARN):
        found = form.match(path)
        if found is not None:
            return Source(found[1], found[2], version) if found[2] else None
    bucket, _, key = path.partition("/")
    return Source(bucket, key, version) if bucket and key else None


def _name_of(bucket: str) -> str:
    found = _BUCKET_ARN.match(bucket)
    return bucket if found is None or found[2] is not None else found[1]
