"""A certificate for 127.0.0.1 and localhost, signed by itself, for https benchmarks."""

from __future__ import annotations

import datetime
import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path

from boto_accel.errors import MissingExtraError

VALID_FOR = datetime.timedelta(days=7)


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """PEM files; the certificate is its own CA."""

    certificate: Path
    key: Path


def write_certificate(folder: Path) -> CertificateFiles:
    """
    Make a new key and certificate in *folder*, which is created where it is missing.

    Raises MissingExtraError without the package `cryptography`.
    """
    try:
        certificate, key = _make()
    except ImportError as error:
        raise MissingExtraError("https", "cryptography", "bench") from error
    folder.mkdir(parents=True, exist_ok=True)
    files = CertificateFiles(folder / "cert.pem", folder / "key.pem")
    files.certificate.write_bytes(certificate)
    with open(files.key, "wb", opener=_owner_only) as file:
        file.write(key)
    return files


def _owner_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _make() -> tuple[bytes, bytes]:
    """Certificate and key as PEM: ECDSA on P-256, the kind S3 itself offers first."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "boto_accel bench")])
    now = datetime.datetime.now(datetime.timezone.utc)
    hosts = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + VALID_FOR)
        .add_extension(x509.SubjectAlternativeName(hosts), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    return certificate.public_bytes(pem), key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
