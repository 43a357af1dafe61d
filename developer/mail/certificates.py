"""An authority made on the spot, and the certificate of a server that it signed."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certificates:
    """Files in the PEM format."""

    authority: Path
    certificate: Path
    key: Path


def make_certificates(folder: Path) -> Certificates:
    """An authority and a certificate of it for localhost and 127.0.0.1, both good for a day."""
    authority, authority_key = folder / "ca.pem", folder / "ca.key"
    certificate, key = folder / "server.pem", folder / "server.key"
    _openssl("-subj", "/CN=Authority of the check", "-out", authority, "-keyout", authority_key)
    _openssl(
        *("-subj", "/CN=localhost", "-out", certificate, "-keyout", key),
        *("-CA", authority, "-CAkey", authority_key),
        *("-addext", "basicConstraints=critical,CA:FALSE"),
        *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
    )
    return Certificates(authority, certificate, key)


def _openssl(*arguments: str | Path) -> None:
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *arguments]
    subprocess.run(made, check=True, capture_output=True)
