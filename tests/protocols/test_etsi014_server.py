"""The key server over mutual TLS: another project's client, plain HTTP, who may call, and many at once."""

from __future__ import annotations

import base64
import gzip
import http.client
import json
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote
from uuid import UUID

import numpy as np
import pytest

from ebit.games import ArgumentError
from ebit.protocols.certificates import Certificates, make_certificates
from ebit.protocols.etsi014 import KeyService
from ebit.protocols.etsi014_server import KeyServer, server_context
from ebit.protocols.key_store import KeyStore
from ebit.protocols.secret_bits import SecretBits

pytest.importorskip("aiohttp")


def both(folder: Path, keys: int) -> tuple[KeyStore, KeyStore]:
    """The two ends of a link with so many keys of 256 bits to hand out at the first."""
    data = np.random.default_rng(1).bytes(16 + 32 * keys)
    found = []
    for kme, peer in (("kme-a", "kme-b"), ("kme-b", "kme-a")):
        store = KeyStore.create(folder / f"{kme}.db", kme=kme, peer=peer, share=1)
        store.add(SecretBits.of_bytes(data), origin={}, secrecy="own", block=UUID(int=9 << 100))
        found.append(store)
    return found[0], found[1]


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Certificates:
    return make_certificates(
        tmp_path_factory.mktemp("tls"), servers=["kme-a"], saes=["alice", "bob", "ben", "mallory"]
    )


@pytest.fixture
def server(tmp_path, made):
    a, b = both(tmp_path, 400)
    service = KeyService(a, saes=["alice"], peer_saes=["bob", "ben"], peer_store=b)
    context = server_context(made.certificate("kme-a"), made.key("kme-a"), made.ca)
    with KeyServer(service, context) as running:
        yield running
    a.close()
    b.close()


class Caller:
    """A client with a certificate, on one connection."""

    def __init__(self, server: KeyServer, made: Certificates, name: str | None) -> None:
        context = ssl.create_default_context(cafile=str(made.ca))
        if name is not None:
            context.load_cert_chain(made.certificate(name), made.key(name))
        self.connection = http.client.HTTPSConnection(
            "localhost", server.port, context=context, timeout=20
        )

    def __call__(self, method: str, path: str, body: object = None, **headers: str):
        raw = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        self.connection.request(method, f"/api/v1/keys/{path}", raw, headers)
        answer = self.connection.getresponse()
        text = answer.read()
        assert answer.headers["Content-Type"].startswith("application/json")
        assert answer.headers["Cache-Control"] == "no-store"
        return answer.status, json.loads(text) if text else None


def test_with_the_client_of_another_project(server, made):
    data = pytest.importorskip("etsi_qkd_014_client.data")
    client = pytest.importorskip("etsi_qkd_014_client.client").QKD014Client

    def of(name):
        return client(
            f"localhost:{server.port}",
            str(made.certificate(name)),
            str(made.key(name)),
            str(made.ca),
        )

    alice, bob, ben, mallory = (of(name) for name in ("alice", "bob", "ben", "mallory"))
    code, status = alice.get_status("bob")
    assert code == 200
    assert (status.source_kme_id, status.target_kme_id) == ("kme-a", "kme-b")
    assert (status.stored_key_count, status.key_size, status.max_sae_id_count) == (400, 256, 1)
    code, simple = alice.get_key("bob")
    assert code == 200
    code, several = alice.get_key("bob", number=3, size=128, extension_optional=[{"x": 1}])
    assert code == 200
    keys = [*simple.keys, *several.keys]
    assert [8 * len(base64.b64decode(key.key)) for key in keys] == [256, 128, 128, 128]
    code, refused = ben.get_key_with_key_IDs("alice", [keys[0].key_id])
    assert (code, refused.message) == (401, "Unauthorized")
    code, same = bob.get_key_with_key_IDs("alice", [key.key_id for key in keys])
    assert code == 200
    assert [(key.key_id, key.key) for key in same.keys] == [(key.key_id, key.key) for key in keys]
    code, gone = bob.get_key_with_key_IDs("alice", [keys[1].key_id])
    assert (code, gone.message) == (400, "one or more keys specified are not found on KME")
    code, odd = alice.get_key("bob", size=100)
    assert (code, odd.message) == (400, "size shall be a multiple of 8")
    code, mandatory = alice.get_key("bob", extension_mandatory=[{"abc": 1}])
    assert (code, mandatory.message) == (
        400,
        "not all extension_mandatory parameters are supported",
    )
    assert mandatory.details == [{"extension_mandatory_unsupported": "abc is not supported"}]
    code, shared = alice.get_key("ben", additional_slave_sae_ids=["bob"])
    assert code == 200
    for slave in (bob, ben):
        code, same = slave.get_key_with_key_IDs("alice", [shared.keys[0].key_id])
        assert (code, same.keys[0].key) == (200, shared.keys[0].key)
    code, none = alice.get_key("bob", number=128, size=4096)
    assert code == 503
    assert isinstance(none, data.DataError)
    assert mallory.get_status("bob")[0] == 401


def test_every_error_over_the_wire_is_json_with_its_code(server, made):
    alice = Caller(server, made, "alice")
    for method, path, body, code in (
        ("POST", "bob/enc_keys", b"{", 400),
        ("POST", "bob/enc_keys", {"number": "1"}, 400),
        ("POST", "bob/enc_keys", {"number": 0}, 400),
        ("POST", "bob/enc_keys", {"number": 1000}, 400),
        ("POST", "bob/enc_keys", {"size": 255}, 400),
        ("POST", "bob/enc_keys", {"size": 16}, 400),
        ("POST", "bob/enc_keys", {"size": 1 << 40}, 400),
        ("POST", "bob/enc_keys", b" " * (1 << 21), 400),
        ("GET", "bob/enc_keys?size=12", None, 400),
        ("GET", "nobody/enc_keys", None, 400),
        ("GET", "bob/dec_keys?key_ID=nonsense", None, 400),
        ("GET", f"bob/dec_keys?key_ID={UUID(int=1)}", None, 400),
        ("DELETE", "bob/enc_keys", None, 400),
        ("POST", "bob/status", {}, 400),
        ("GET", "bob/other", None, 400),
        ("POST", "bob/enc_keys", {"number": 128, "size": 4096}, 503),
    ):
        got, answer = alice(method, path, body)
        assert got == code, (method, path, answer)
        assert isinstance(answer["message"], str)
        assert answer.keys() <= {"message", "details"}
        if body is not None and len(str(body)) > 10_000:
            alice = Caller(server, made, "alice")  # the server does not read the rest
    mallory = Caller(server, made, "mallory")
    assert mallory("GET", "bob/enc_keys") == (401, {"message": "Unauthorized"})
    assert Caller(server, made, "bob")("GET", "bob/status")[0] == 400  # bob is at the other end
    assert alice("GET", "bob/status")[1]["stored_key_count"] == 400
    assert alice("HEAD", "bob/enc_keys")[0] == 400
    assert alice("GET", "bob/status")[1]["stored_key_count"] == 400


def test_get_and_post_over_the_wire(server, made):
    alice, bob = Caller(server, made, "alice"), Caller(server, made, "bob")
    _, one = alice("GET", "bob/enc_keys?number=2&size=64")
    _, other = alice("POST", "bob/enc_keys", {"number": 2, "size": 64})
    assert one.keys() == other.keys() == {"keys"}
    for key in (*one["keys"], *other["keys"]):
        assert bob("GET", f"alice/dec_keys?key_ID={quote(key['key_ID'])}")[1] == {"keys": [key]}


def _refused(server: KeyServer, context: ssl.SSLContext) -> bool:
    """Whether the server ends the connection before it answers anything."""
    with socket.create_connection(("localhost", server.port), timeout=20) as plain:
        try:
            with context.wrap_socket(plain, server_hostname="localhost") as secure:
                secure.sendall(b"GET /api/v1/keys/bob/status HTTP/1.1\r\nHost: localhost\r\n\r\n")
                return secure.recv(100) == b""
        except (ssl.SSLError, ConnectionError):
            return True


def test_no_answer_without_a_valid_certificate_of_the_authority(server, made, tmp_path):
    def client(files: Certificates | None, name: str = "alice") -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(made.ca))
        if files is not None:
            context.load_cert_chain(files.certificate(name), files.key(name))
        return context

    other = make_certificates(tmp_path / "other", saes=["alice"])
    (tmp_path / "late").mkdir(mode=0o700)
    for name in ("ca.crt", "ca.key"):
        (tmp_path / "late" / name).write_bytes((made.folder / name).read_bytes())
    begins = datetime.now(UTC) - timedelta(days=2)
    expired = make_certificates(tmp_path / "late", saes=["alice"], days=1, begins=begins)
    assert not _refused(server, client(made))
    assert _refused(server, client(None))
    assert _refused(server, client(other))
    assert _refused(server, client(expired))
    assert _refused(server, client(made, "kme-a"))  # a server's certificate is no caller's
    assert not _refused(server, client(made))


def test_what_is_no_http_is_400_in_json_too(server, made):
    context = ssl.create_default_context(cafile=str(made.ca))
    context.load_cert_chain(made.certificate("alice"), made.key("alice"))
    for raw in (
        b"NONSENSE\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\na\x00: b\r\n\r\n",
    ):
        with socket.create_connection(("localhost", server.port), timeout=20) as plain:
            secure = context.wrap_socket(plain, server_hostname="localhost")
            secure.sendall(raw)
            said = b""
            while part := secure.recv(1000):
                said += part
        head, _, body = said.partition(b"\r\n\r\n")
        assert head.split()[1] == b"400"
        assert json.loads(body) == {"message": "the request shall be HTTP"}


def test_a_compressed_body_is_400(server, made, capfd):
    caller = Caller(server, made, "alice")
    for raw, how in ((b"no gzip", "gzip"), (gzip.compress(b"{}"), "gzip"), (b"x", "br")):
        said = caller("POST", "bob/enc_keys", raw, **{"Content-Encoding": how})
        assert said == (400, {"message": "the body shall not be compressed"})
    assert caller("POST", "bob/enc_keys", {}, **{"Content-Encoding": "identity"})[0] == 200
    assert capfd.readouterr().err == ""


def test_old_versions_of_tls_and_plain_http_are_refused(server, made):
    context = ssl.create_default_context(cafile=str(made.ca))
    context.load_cert_chain(made.certificate("alice"), made.key("alice"))
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    assert _refused(server, context)
    with socket.create_connection(("localhost", server.port), timeout=20) as plain:
        plain.sendall(b"GET /api/v1/keys/bob/status HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200" not in plain.recv(100)


def test_many_callers_at_once_get_different_keys(server, made):
    got: list = []

    def work() -> None:
        alice = Caller(server, made, "alice")
        for _ in range(25):
            code, answer = alice("GET", "bob/enc_keys")
            assert code == 200
            got.append(answer["keys"][0])

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (
        len(got) == len({key["key_ID"] for key in got}) == len({key["key"] for key in got}) == 400
    )
    assert Caller(server, made, "alice")("GET", "bob/enc_keys")[0] == 503
    bob = Caller(server, made, "bob")
    for some in (got[:128], got[128:256], got[256:384], got[384:]):
        ids = [{"key_ID": key["key_ID"]} for key in some]
        assert bob("POST", "alice/dec_keys", {"key_IDs": ids}) == (200, {"keys": some})
    assert server.service.delivered == 800


def test_two_race_for_one_key_and_one_gets_it(server, made):
    alice = Caller(server, made, "alice")
    bobs = [Caller(server, made, "bob") for _ in range(4)]
    for _ in range(20):
        key = alice("GET", "bob/enc_keys")[1]["keys"][0]
        start, codes = threading.Barrier(4), []

        def work(bob, key=key, start=start, codes=codes) -> None:
            start.wait()
            codes.append(bob("GET", f"alice/dec_keys?key_ID={key['key_ID']}")[0])

        threads = [threading.Thread(target=work, args=(bob,)) for bob in bobs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(codes) == [200, 400, 400, 400]


def test_a_caller_that_leaves_has_lost_its_key_and_nothing_else(server, made):
    context = ssl.create_default_context(cafile=str(made.ca))
    context.load_cert_chain(made.certificate("alice"), made.key("alice"))
    for _ in range(20):
        with socket.create_connection(("localhost", server.port), timeout=20) as plain:
            secure = context.wrap_socket(plain, server_hostname="localhost")
            secure.sendall(b"GET /api/v1/keys/bob/enc_keys HTTP/1.1\r\nHost: localhost\r\n\r\n")
            secure.close()
    alice = Caller(server, made, "alice")
    left = alice("GET", "bob/status")[1]["stored_key_count"]
    assert 380 <= left <= 400
    assert alice("GET", "bob/enc_keys")[0] == 200


def test_two_servers_agree_without_talking(tmp_path, made):
    more = make_certificates(made.folder, servers=[f"kme-b-{tmp_path.name[-8:].lower()}"])
    a, b = both(tmp_path, 20)
    context = server_context(made.certificate("kme-a"), made.key("kme-a"), made.ca)
    name = more.servers[0]
    other = server_context(more.certificate(name), more.key(name), made.ca)
    one = KeyService(a, saes=["alice"], peer_saes=["bob"])
    two = KeyService(b, saes=["bob"], peer_saes=["alice"])
    with KeyServer(one, context) as first, KeyServer(two, other) as second:
        had = Caller(first, made, "alice")("POST", "bob/enc_keys", {"number": 20})[1]
        ids = [{"key_ID": key["key_ID"]} for key in had["keys"]]
        bob = Caller(second, made, "bob")
        assert bob("POST", "alice/dec_keys", {"key_IDs": ids}) == (200, had)
        assert Caller(first, made, "bob")("GET", "alice/status")[0] == 401  # not his KME
        assert bob("GET", "alice/enc_keys")[0] == 503  # share = 1: all are handed out by kme-a
    a.close()
    b.close()


def test_what_no_server_is_made_of(tmp_path, made):
    good = {"certificate": made.certificate("kme-a"), "key": made.key("kme-a"), "ca": made.ca}
    (tmp_path / "text").write_text("text")
    begins = datetime.now(UTC) - timedelta(days=9)
    old = make_certificates(tmp_path / "old", servers=["kme"], days=1, begins=begins)
    for change, words in (
        ({"certificate": tmp_path / "none"}, "certificate .*none cannot be read: No such file"),
        ({"certificate": tmp_path / "text"}, "must be a pair in PEM form"),
        ({"key": made.key("alice")}, "must be a pair.*key values mismatch"),
        ({"ca": tmp_path / "text"}, "must be PEM certificates"),
        ({"certificate": old.certificate("kme"), "key": old.key("kme")}, "must be valid now"),
    ):
        with pytest.raises(ArgumentError, match=words) as caught:
            server_context(**{**good, **change})
        assert "\n" not in str(caught.value)


def test_a_port_that_is_taken(server, made, tmp_path):
    context = server_context(made.certificate("kme-a"), made.key("kme-a"), made.ca)
    with (
        pytest.raises(ArgumentError, match=f"port {server.port} is not: .*in use"),
        KeyServer(server.service, context, port=server.port),
    ):
        pass
