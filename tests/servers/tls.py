"""A certificate authority of the tests' own, with a server's and a client's certificate."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

NAMES = ("127.0.0.1", "localhost")  # what the server's certificate is good for
CLIENT_NAME = "client@boto-accel.test"


@dataclass(frozen=True)
class TLSFiles:
    """
    PEM files: the CA, the server's chain and key, the client's.

    `client` holds the client's certificate and key in one file, as `client_cert="..."` takes it;
    `client_cert` and `client_key` are the two apart, as `client_cert=(cert, key)` takes them.
    `other_ca` signed none of them: who trusts only it must refuse the server.
    """

    ca: Path
    other_ca: Path
    cert: Path
    key: Path
    client: Path
    client_cert: Path
    client_key: Path


def write_tls_files(directory: Path) -> TLSFiles:
    """Raises ImportError without `trustme`."""
    import trustme

    ca = trustme.CA()
    files = TLSFiles(
        ca=directory / "ca.pem",
        other_ca=directory / "other-ca.pem",
        cert=directory / "server.pem",
        key=directory / "server-key.pem",
        client=directory / "client-and-key.pem",
        client_cert=directory / "client.pem",
        client_key=directory / "client-key.pem",
    )
    ca.cert_pem.write_to_path(files.ca)
    trustme.CA().cert_pem.write_to_path(files.other_ca)
    _write_leaf(ca.issue_cert(*NAMES), files.cert, files.key)
    client = ca.issue_cert(CLIENT_NAME)
    _write_leaf(client, files.client_cert, files.client_key)
    client.private_key_and_cert_chain_pem.write_to_path(files.client)
    return files


def _write_leaf(leaf: object, cert: Path, key: Path) -> None:
    cert.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))  # type: ignore[attr-defined]
    key.write_bytes(leaf.private_key_pem.bytes())  # type: ignore[attr-defined]


def server_context(files: TLSFiles, *, require_client: bool = False) -> ssl.SSLContext:
    """The server's side of TLS; with *require_client* it asks for a certificate of the same CA."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.cert, files.key)
    if require_client:
        context.load_verify_locations(files.ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context
