"""Test certificates: what they say, whose they are, and what is refused."""

from __future__ import annotations

import os
import ssl
import stat
from datetime import UTC, datetime, timedelta

import pytest

from ebit.games import ArgumentError
from ebit.protocols.certificates import make_certificates

x509 = pytest.importorskip("cryptography.x509")


def load(path):
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_what_they_say(tmp_path):
    made = make_certificates(
        tmp_path / "tls", servers=["kme-a"], saes=["alice"], hosts=["localhost", "10.0.0.1"], days=3
    )
    ca, server, sae = (
        load(made.ca),
        load(made.certificate("kme-a")),
        load(made.certificate("alice")),
    )
    for one in (server, sae):
        one.verify_directly_issued_by(ca)
        assert one.not_valid_after_utc - one.not_valid_before_utc == timedelta(days=3, minutes=5)
        assert one.not_valid_before_utc < datetime.now(UTC) < one.not_valid_after_utc
    assert sae.subject.rfc4514_string() == "CN=alice"
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost", "kme-a"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.1"]
    uses = [
        [use._name for use in one.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value]
        for one in (server, sae)
    ]
    assert uses == [["serverAuth"], ["clientAuth"]]
    assert made.ends == ca.not_valid_after_utc.isoformat(timespec="seconds")
    assert "alice" in str(made)
    assert made.to_dict()["saes"] == ["alice"]


def test_each_key_is_its_certificates(tmp_path):
    made = make_certificates(tmp_path / "tls", servers=["kme-a"], saes=["alice", "bob"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for name in ("kme-a", "alice", "bob"):
        context.load_cert_chain(made.certificate(name), made.key(name))
    with pytest.raises(ssl.SSLError, match="KEY_VALUES_MISMATCH"):
        context.load_cert_chain(made.certificate("alice"), made.key("bob"))


@pytest.mark.skipif(os.name != "posix", reason="modes of files are POSIX's")
def test_all_files_are_their_owners(tmp_path):
    made = make_certificates(tmp_path / "tls", servers=["kme-a"])
    assert stat.S_IMODE(made.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in made.folder.iterdir()} == {0o600}


def test_names_are_added_under_the_same_authority(tmp_path):
    made = make_certificates(tmp_path / "tls", servers=["kme-a"])
    before = made.ca.read_bytes()
    more = make_certificates(tmp_path / "tls", saes=["carol"])
    assert more.ca.read_bytes() == before
    load(more.certificate("carol")).verify_directly_issued_by(load(made.ca))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"saes": ["a/b"]}, "letters, digits.*but was 'a/b'"),
        ({"saes": [".."]}, "but was '..'"),
        ({"saes": ["ca"]}, "not 'ca'"),
        ({"saes": ["a" * 65]}, "1 to 64"),
        ({"saes": ["a", "b", "a"]}, "'a' occurs twice"),
        ({"servers": ["a"], "saes": ["a"]}, "'a' occurs twice"),
        ({}, "at least one name"),
        ({"saes": ["a"], "days": 0}, "greater than 0, but was 0"),
    ],
)
def test_what_is_refused(tmp_path, arguments, words):
    with pytest.raises(ArgumentError, match=words):
        make_certificates(tmp_path / "tls", **arguments)
    assert not (tmp_path / "tls").exists()


def test_nothing_is_overwritten(tmp_path):
    made = make_certificates(tmp_path / "tls", saes=["alice"])
    with pytest.raises(ArgumentError, match=r"alice\.crt is there already"):
        make_certificates(tmp_path / "tls", saes=["bob", "alice"])
    assert not made.certificate("bob").exists()
    made.ca.write_text("no certificate")
    with pytest.raises(ArgumentError, match="authority that cannot be used"):
        make_certificates(tmp_path / "tls", saes=["bob"])
