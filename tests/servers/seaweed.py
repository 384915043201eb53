"""SeaweedFS as tests use it: one process, one view of it over http and one over https."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from boto_accel.bench.seaweedfs import Certificate, SeaweedFS, find_weed
from tests.servers.tls import TLSFiles

__all__ = ["Seaweed", "find_weed", "run_seaweed"]


@dataclass(frozen=True)
class Seaweed:
    """
    One endpoint of a running SeaweedFS.

    *verify* is what a client passes as `verify`: the CA file over https, None over http.
    """

    endpoint_url: str
    access_key: str
    secret_key: str
    region: str
    verify: str | None = None

    @property
    def client_options(self) -> dict[str, Any]:
        """Keyword arguments of make_client(), or of boto3.client() likewise."""
        return {
            "endpoint_url": self.endpoint_url,
            "aws_access_key_id": self.access_key,
            "aws_secret_access_key": self.secret_key,
            "region_name": self.region,
            "verify": self.verify,
        }


@contextmanager
def run_seaweed(files: TLSFiles) -> Iterator[tuple[Seaweed, Seaweed]]:
    """The http and the https endpoint of one server over the same data."""
    with SeaweedFS(certificate=Certificate(files.cert, files.key)) as server:
        keys = (server.access_key, server.secret_key, server.region)
        yield (
            Seaweed(server.endpoint_url, *keys),
            Seaweed(server.tls_endpoint_url, *keys, verify=str(files.ca)),
        )
