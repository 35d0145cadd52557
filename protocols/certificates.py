"""Certificates for trying out mutual TLS: an authority, key servers and applications.

They are for laboratories and tests: whoever holds the authority's key file can make more, and nothing
is ever revoked. A real installation brings the certificates of its own authority.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from ebit.games import ArgumentError, MissingExtraError
from ebit.protocols.private_files import private_file, private_folder

__all__ = ["Certificates", "make_certificates"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SLACK = timedelta(minutes=5)  # clocks that differ a little


@dataclass(frozen=True)
class Certificates:
    """Where the files are that were made.

    Attributes:
        folder: readable by its owner only.
        servers, saes: the names, each with NAME.crt and NAME.key in the folder.
        ends: date and time (UTC) after which none is valid.
    """

    folder: Path
    servers: tuple[str, ...]
    saes: tuple[str, ...]
    ends: str

    @property
    def ca(self) -> Path:
        """The authority's certificate, which both sides of a connection trust."""
        return self.folder / "ca.crt"

    def certificate(self, name: str) -> Path:
        """Return the file of a certificate."""
        return self.folder / f"{name}.crt"

    def key(self, name: str) -> Path:
        """Return the file of a private key, readable by its owner only."""
        return self.folder / f"{name}.key"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "folder": str(self.folder),
            "ca": str(self.ca),
            "servers": list(self.servers),
            "saes": list(self.saes),
            "ends": self.ends,
        }

    def __str__(self) -> str:
        names = ", ".join((*self.servers, *self.saes))
        return f"certificates of {names} in {self.folder}, valid until {self.ends} (for tests)"


def make_certificates(
    folder: str | Path,
    *,
    servers: Sequence[str] = (),
    saes: Sequence[str] = (),
    hosts: Sequence[str] = ("localhost", "127.0.0.1", "::1"),
    days: float = 30,
    begins: datetime | None = None,
) -> Certificates:
    """Make an authority and the certificates of key servers and applications (SAEs).

    Elliptic curve P-256. The name is the subject's common name and, for an SAE, a DNS name too. An
    authority that is in the folder already signs the new ones, so that names can be added later.

    Args:
        folder: where to; made if it is not there.
        servers: names of key management entities; their certificates hold ``hosts`` too.
        saes: names of applications.
        hosts: names and addresses under which the servers are reached.
        days: how long all are valid.
        begins: from when on; now if left out.

    Raises:
        ArgumentError: a name with other characters than letters, digits, dots, hyphens and
            underscores, one that occurs twice or is there already, or a folder that cannot be written.
        MissingExtraError: the package ``cryptography`` is not installed.

    Example:
        >>> import tempfile
        >>> made = make_certificates(tempfile.mkdtemp(), servers=["kme-a"], saes=["alice"])
        >>> sorted(path.name for path in made.folder.iterdir())
        ['alice.crt', 'alice.key', 'ca.crt', 'ca.key', 'kme-a.crt', 'kme-a.key']
    """
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import ExtendedKeyUsageOID
    except ImportError:
        raise MissingExtraError("making certificates", "keys") from None
    place = Path(folder)
    names = [*servers, *saes]
    _check(place, names, days)
    private_folder(place)
    start = datetime.now(UTC) - _SLACK if begins is None else begins
    end = start + timedelta(days=days) + (_SLACK if begins is None else timedelta())
    maker = _Maker(start, end)
    authority = _authority(place, maker)
    for name in names:
        server = name in servers
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives: list[Any] = [_general(host) for host in hosts] if server else []
        alternatives.append(x509.DNSName(name))
        builder = (
            maker.begun(name, authority[0].subject, key)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .add_extension(_usage(signs=False), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage(
                    [ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH]
                ),
                critical=False,
            )
        )
        maker.write(place, name, builder, authority, key)
    last = min(end, authority[0].not_valid_after_utc)
    return Certificates(place, tuple(servers), tuple(saes), last.isoformat(timespec="seconds"))


def _check(folder: Path, names: Sequence[str], days: float) -> None:
    if not days > 0:
        raise ArgumentError(f"days must be greater than 0, but was {days}")
    if not names:
        raise ArgumentError("at least one name must be given: servers or saes")
    for name in names:
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name == "ca":
            raise ArgumentError(
                "a name must be 1 to 64 letters, digits, dots, hyphens and underscores, and not "
                f"'ca', but was {name!r}"
            )
        if names.count(name) > 1:
            raise ArgumentError(f"names must be different, but {name!r} occurs twice")
        for ending in ("crt", "key"):
            if (folder / f"{name}.{ending}").exists():
                raise ArgumentError(
                    f"{folder / name}.{ending} is there already: take another folder or name"
                )


class _Maker:
    """Makes certificates for one span of time."""

    def __init__(self, start: datetime, end: datetime) -> None:
        self.start, self.end = start, end

    def begun(self, name: str, issuer: Any, key: Any) -> Any:
        from cryptography import x509

        return (
            x509.CertificateBuilder()
            .subject_name(_subject(name))
            .issuer_name(_subject(name) if issuer is None else issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.start)
            .not_valid_after(self.end)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
        )

    def write(
        self, place: Path, name: str, builder: Any, authority: tuple[Any, Any] | None, key: Any
    ) -> Any:
        from cryptography import x509
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.serialization import (
            Encoding,
            NoEncryption,
            PrivateFormat,
        )

        signer = key if authority is None else authority[1]
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
        made = builder.sign(signer, SHA256())
        with private_file(place / f"{name}.key") as out:
            out.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        with private_file(place / f"{name}.crt") as out:
            out.write(made.public_bytes(Encoding.PEM))
        return made


def _authority(place: Path, maker: _Maker) -> tuple[Any, Any]:
    """The authority's certificate and key, made if they are not there."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    paths = place / "ca.crt", place / "ca.key"
    if paths[0].exists():
        try:
            found = x509.load_pem_x509_certificate(paths[0].read_bytes())
            return found, load_pem_private_key(paths[1].read_bytes(), None)
        except (OSError, ValueError, TypeError) as error:
            raise ArgumentError(
                f"{place} holds an authority that cannot be used ({error}): take another folder"
            ) from None
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        maker.begun(f"ebit test authority {os.urandom(4).hex()}", None, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
    )
    return maker.write(place, "ca", builder, None, key), key


def _usage(*, signs: bool) -> Any:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _subject(name: str) -> Any:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general(host: str) -> Any:
    from cryptography import x509

    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)
