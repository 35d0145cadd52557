"""ETSI GS QKD 014 without sockets: paths, parameters, status codes and messages of the standard."""

from __future__ import annotations

import base64
import json
import re
import sqlite3
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
import pytest

from ebit.games import ArgumentError
from ebit.protocols.etsi014 import Answer, KeyService, Limits, Request
from ebit.protocols.key_store import MOST_BITS, KeyStore
from ebit.protocols.secret_bits import SecretBits

BLOCK = UUID(int=5 << 100)
BASE = "/api/v1/keys"


def stores(
    folder: Path, *, keys: int = 40, demonstration: bool = False
) -> tuple[KeyStore, KeyStore]:
    """Both ends of a link, with so many keys of 256 bits at each."""
    data = np.random.default_rng(1).bytes(16 + 2 * 32 * keys)
    found = []
    for kme, peer in (("kme-a", "kme-b"), ("kme-b", "kme-a")):
        store = KeyStore.create(
            folder / f"{kme}.db", kme=kme, peer=peer, demonstration=demonstration
        )
        secrecy = "demonstration" if demonstration else "own"
        store.add(SecretBits.of_bytes(data), origin={}, secrecy=secrecy, block=BLOCK)
        found.append(store)
    return found[0], found[1]


@pytest.fixture
def service(tmp_path):
    a, b = stores(tmp_path)
    yield KeyService(a, saes=["alice", "anne"], peer_saes=["bob", "ben"], peer_store=b)
    a.close()
    b.close()


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """A service for tests that get no key out of it."""
    a, b = stores(tmp_path_factory.mktemp("full"))
    service = KeyService(a, saes=["alice", "anne"], peer_saes=["bob", "ben"], peer_store=b)
    yield service
    assert get(service, "alice", "bob/status").body["stored_key_count"] == 40
    a.close()
    b.close()


def get(service: KeyService, who: str, path: str, query: str = "") -> Answer:
    return service(Request("GET", f"{BASE}/{path}", query, names=(who,)))


def post(service: KeyService, who: str, path: str, body: object) -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return service(Request("POST", f"{BASE}/{path}", body=raw, names=(who,)))


def test_status_has_the_fields_of_table_9(full):
    answer = get(full, "alice", "bob/status")
    assert answer.status == 200
    assert answer.body == {
        "source_KME_ID": "kme-a",
        "target_KME_ID": "kme-b",
        "master_SAE_ID": "alice",
        "slave_SAE_ID": "bob",
        "key_size": 256,
        "stored_key_count": 40,
        "max_key_count": MOST_BITS // 256,
        "max_key_per_request": 128,
        "max_key_size": 4096,
        "min_key_size": 64,
        "max_SAE_ID_count": 1,
    }
    other = get(full, "ben", "anne/status").body
    assert [other[f"{end}_KME_ID"] for end in ("source", "target")] == ["kme-b", "kme-a"]


def test_what_the_master_has_the_slave_gets_once(service):
    had = post(service, "alice", "bob/enc_keys", {"number": 3, "size": 512})
    assert had.status == 200
    keys = had.body["keys"]
    assert [sorted(key) for key in keys] == [["key", "key_ID"]] * 3
    assert [len(base64.b64decode(key["key"], validate=True)) for key in keys] == [64] * 3
    assert [str(UUID(key["key_ID"])) for key in keys] == [key["key_ID"] for key in keys]
    ids = {"key_IDs": [{"key_ID": key["key_ID"]} for key in keys]}
    assert post(service, "bob", "alice/dec_keys", ids).body == had.body
    again = post(service, "bob", "alice/dec_keys", ids)
    assert again.status == 400
    assert again.body["message"] == "one or more keys specified are not found on KME"
    assert again.body["details"] == ids["key_IDs"]


def test_get_and_post_are_alike(service):
    by_get = get(service, "alice", "bob/enc_keys")
    by_post = post(service, "alice", "bob/enc_keys", {})
    two = get(service, "alice", "bob/enc_keys", "number=2&size=128").body["keys"]
    ids = [answer.body["keys"][0]["key_ID"] for answer in (by_get, by_post)]
    assert get(service, "bob", "alice/dec_keys", f"key_ID={ids[0]}").body == by_get.body
    upper = {
        "key_IDs": [{"key_ID": ids[1].upper(), "key_ID_extension": {}}],
        "key_IDs_extension": {},
    }
    assert post(service, "bob", "alice/dec_keys", upper).body == by_post.body
    assert [len(base64.b64decode(key["key"])) for key in two] == [16, 16]


def test_both_ends_may_be_masters(service):
    one = get(service, "alice", "bob/enc_keys").body["keys"][0]
    other = get(service, "bob", "alice/enc_keys").body["keys"][0]
    assert one["key"] != other["key"]
    assert get(service, "alice", "bob/dec_keys", f"key_ID={other['key_ID']}").body["keys"] == [
        other
    ]


def test_only_who_was_named_gets_a_key(service):
    key = get(service, "alice", "bob/enc_keys").body["keys"][0]
    query = f"key_ID={key['key_ID']}"
    refused = get(service, "ben", "alice/dec_keys", query)
    assert (refused.status, refused.body) == (401, {"message": "Unauthorized"})
    assert get(service, "ben", "anne/dec_keys", query).status == 401
    assert get(service, "bob", "anne/dec_keys", query).status == 400  # anne has no such key
    assert get(service, "alice", "bob/dec_keys", query).status == 400  # it was handed out here
    for who in ("eve", "kme-a", ""):
        for path in ("alice/dec_keys", "bob/enc_keys", "bob/status"):
            assert get(service, who, path, query if "dec" in path else "").status == 401
    assert service(Request("GET", f"{BASE}/bob/status")).status == 401  # no name at all
    # One key of another in a request refuses the whole of it.
    mine = get(service, "alice", "ben/enc_keys").body["keys"][0]
    both = {"key_IDs": [{"key_ID": mine["key_ID"]}, {"key_ID": key["key_ID"]}]}
    assert post(service, "ben", "alice/dec_keys", both).status == 401
    assert get(service, "ben", "alice/dec_keys", f"key_ID={mine['key_ID']}").status == 200
    assert get(service, "bob", "alice/dec_keys", query).body["keys"] == [key]
    assert get(service, "ben", "alice/dec_keys", query).status == 400  # it is gone


def test_additional_slaves_each_get_the_key_once(service):
    body = {"number": 2, "additional_slave_SAE_IDs": ["ben"]}
    had = post(service, "alice", "bob/enc_keys", body)
    assert had.status == 200
    ids = {"key_IDs": [{"key_ID": key["key_ID"]} for key in had.body["keys"]]}
    for slave in ("ben", "bob"):
        assert post(service, slave, "alice/dec_keys", ids).body == had.body
        assert post(service, slave, "alice/dec_keys", ids).status == 400


@pytest.mark.parametrize(
    ("saes", "most"),
    [(1, 0), (2, 1), (3, 2), (9, 8), (10, 4), (12, 3), (20, 2), (256, 1), (257, 0)],
)
def test_how_many_additional_slaves_there_may_be(tmp_path, saes, most):
    store = KeyStore.create(tmp_path / "a.db", kme="kme-a", peer="kme-b")
    service = KeyService(store, saes=["alice"], peer_saes=[f"bob{k}" for k in range(saes)])
    assert get(service, "alice", "bob0/status").body["max_SAE_ID_count"] == most


def test_an_alternative_name_is_a_name_too(full):
    request = Request("GET", f"{BASE}/bob/status", names=("Alice Ltd", "alice"))
    assert full(request).body["master_SAE_ID"] == "alice"


def test_names_are_url_encoded(tmp_path):
    a, _ = stores(tmp_path)
    service = KeyService(a, saes=["sae 1/x"], peer_saes=["bö b"])
    assert get(service, "sae 1/x", "b%C3%B6%20b/enc_keys").status == 200


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "JSON"),
        (b"{", "JSON"),
        (b"\xff{}", "JSON"),
        (b"[" * 100_000, "JSON"),
        (b'{"number": 1' + b"0" * 5000 + b"}", "JSON"),
        ([], "JSON object"),
        ("text", "JSON object"),
        (None, "JSON object"),
        ({"number": 0}, r"number shall be from 1 to max_key_per_request \(128\)"),
        ({"number": -1}, "number shall be from 1"),
        ({"number": 129}, "number shall be from 1"),
        ({"number": "2"}, "number shall be an integer"),
        ({"number": 2.0}, "number shall be an integer"),
        ({"number": True}, "number shall be an integer"),
        ({"number": None}, "number shall be an integer"),
        ({"number": [1]}, "number shall be an integer"),
        ({"size": "256"}, "size shall be an integer"),
        ({"size": 257}, "^size shall be a multiple of 8$"),
        ({"size": 7}, "^size shall be a multiple of 8$"),
        ({"size": 0}, r"size shall be from min_key_size \(64\)"),
        ({"size": 56}, "size shall be from min_key_size"),
        ({"size": -8}, "size shall be from min_key_size"),
        ({"size": 4104}, r"to max_key_size \(4096\)"),
        ({"sice": 256}, "sice is no parameter"),
        ({"additional_slave_SAE_IDs": "ben"}, "array of strings"),
        ({"additional_slave_SAE_IDs": [1]}, "array of strings"),
        ({"additional_slave_SAE_IDs": ["ben"] * 2}, r"at most max_SAE_ID_count \(1\)"),
        ({"additional_slave_SAE_IDs": ["bob"]}, "others than slave_SAE_ID"),
        ({"additional_slave_SAE_IDs": ["anne"]}, "SAE of the target KME"),
        ({"extension_mandatory": {}}, "array of objects"),
        ({"extension_mandatory": ["x"]}, "array of objects"),
        ({"extension_optional": 3}, "array of objects"),
    ],
)
def test_a_bad_key_request_is_400(full, body, message):
    answer = post(full, "alice", "bob/enc_keys", body)
    assert answer.status == 400
    assert re.search(message, answer.body["message"])
    assert get(full, "alice", "bob/status").body["stored_key_count"] == 40


def test_extensions(service):
    mandatory = [{"abc_route": "direct"}, {"abc_age": 30}]
    answer = post(service, "alice", "bob/enc_keys", {"extension_mandatory": mandatory})
    assert answer.status == 400
    assert answer.body == {
        "message": "not all extension_mandatory parameters are supported",
        "details": [
            {"extension_mandatory_unsupported": "abc_route is not supported"},
            {"extension_mandatory_unsupported": "abc_age is not supported"},
        ],
    }
    for fine in (
        {"extension_optional": mandatory},
        {"extension_mandatory": [], "additional_slave_SAE_IDs": []},
    ):
        assert post(service, "alice", "bob/enc_keys", fine).status == 200


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("number=0", "number shall be from 1"),
        ("number=x", "number shall be an integer"),
        ("number=-1", "number shall be an integer"),
        ("number=1.5", "number shall be an integer"),
        ("number=", "number shall be an integer"),
        ("number=" + "9" * 30, "number shall be an integer"),
        ("number=٣", "number shall be an integer"),
        ("size=100", "size shall be a multiple of 8"),
        ("size=8", "size shall be from"),
        ("number=1&number=2", "given once"),
        ("extension_optional=1", "no parameter here"),
        ("number", "name=value"),
        ("&&", "name=value"),
        ("number=%ff", "name=value"),
    ],
)
def test_a_bad_query_is_400(full, query, message):
    answer = get(full, "alice", "bob/enc_keys", query)
    assert answer.status == 400
    assert message in answer.body["message"]


GOOD = str(uuid4())


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "key_IDs shall be an array"),
        ({"key_IDs": []}, "at least one"),
        ({"key_IDs": GOOD}, "key_IDs shall be an array"),
        ({"key_IDs": [GOOD]}, "objects with a key_ID"),
        ({"key_IDs": [{}]}, "objects with a key_ID"),
        ({"key_IDs": [{"key_ID": GOOD, "more": 1}]}, "objects with a key_ID"),
        ({"key_IDs": [{"key_ID": 5}]}, "UUID"),
        ({"key_IDs": [{"key_ID": None}]}, "UUID"),
        ({"key_IDs": [{"key_ID": "5"}]}, "UUID"),
        ({"key_IDs": [{"key_ID": "{" + GOOD + "}"}]}, "UUID"),
        ({"key_IDs": [{"key_ID": GOOD}] * 2}, "different"),
        ({"key_IDs": [{"key_ID": str(UUID(int=k))} for k in range(129)]}, "max_key_per_request"),
        ({"key_IDs": [{"key_ID": GOOD}], "number": 1}, "no parameter"),
        ({"key_IDs": [{"key_ID": GOOD}]}, "one or more keys specified are not found on KME"),
    ],
)
def test_bad_key_ids_are_400(full, body, message):
    answer = post(full, "bob", "alice/dec_keys", body)
    assert answer.status == 400
    assert message in answer.body["message"]


@pytest.mark.parametrize("query", ["", "key_ID=", "key_ID=5", f"key_ID={GOOD}&key_ID={GOOD}"])
def test_bad_key_ids_in_a_query_are_400(full, query):
    assert get(full, "bob", "alice/dec_keys", query).status == 400


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/api/v1/keys/bob"),
        ("GET", "/api/v1/keys/bob/enc_keys/"),
        ("GET", "/api/v1/keys//enc_keys"),
        ("GET", "/api/v2/keys/bob/enc_keys"),
        ("GET", "/x/api/v1/keys/bob/enc_keys"),
        ("GET", "/api/v1/keys/bob/keys"),
        ("HEAD", "/api/v1/keys/bob/enc_keys"),
        ("PUT", "/api/v1/keys/bob/enc_keys"),
        ("DELETE", "/api/v1/keys/bob/dec_keys"),
        ("POST", "/api/v1/keys/bob/status"),
        ("GET", "/api/v1/keys/nobody/enc_keys"),
        ("GET", "/api/v1/keys/nobody/status"),
        ("GET", "/api/v1/keys/alice/enc_keys"),
        ("GET", f"/api/v1/keys/{'x' * 300}/status"),
    ],
)
def test_other_paths_and_methods_are_400(full, method, path):
    answer = full(Request(method, path, body=b"{}" if method != "GET" else b"", names=("alice",)))
    assert answer.status == 400
    assert answer.body["message"]
    assert get(full, "alice", "bob/status").body["stored_key_count"] == 40


def test_no_key_left_is_503(service):
    assert post(service, "alice", "bob/enc_keys", {"number": 40}).status == 200
    answer = get(service, "alice", "bob/enc_keys")
    assert answer.status == 503
    assert answer.body["message"] == "not enough keys are stored"
    assert get(service, "alice", "bob/status").body["stored_key_count"] == 0
    assert get(service, "bob", "alice/enc_keys").status == 200  # the other end has its own part


def test_a_damaged_store_is_503_and_told_to_the_operator(tmp_path):
    a, _ = stores(tmp_path)
    told: list[str] = []
    service = KeyService(a, saes=["alice"], peer_saes=["bob"], fault=told.append)
    a.close()
    db = sqlite3.connect(a.path)
    db.execute("UPDATE pieces SET sealed = zeroblob(length(sealed))")
    db.commit()
    db.close()
    answer = get(service, "alice", "bob/enc_keys")
    assert (answer.status, answer.body) == (
        503,
        {"message": "the key store of the KME cannot be used"},
    )
    assert len(told) == 1
    assert "is damaged" in told[0]


def test_demonstration_is_said_in_every_answer(tmp_path):
    a, b = stores(tmp_path, demonstration=True)
    service = KeyService(a, saes=["alice"], peer_saes=["bob"], peer_store=b)
    says = {"secrecy": "demonstration"}
    assert get(service, "alice", "bob/status").body["status_extension"] == says
    had = get(service, "alice", "bob/enc_keys").body
    same = get(service, "bob", "alice/dec_keys", f"key_ID={had['keys'][0]['key_ID']}").body
    assert had == same
    assert had["key_container_extension"] == had["keys"][0]["key_extension"] == says
    strict = KeyStore.open(a.path)
    service = KeyService(strict, saes=["alice"], peer_saes=["bob"])
    answer = get(service, "alice", "bob/enc_keys")
    assert answer.status == 503
    assert "--demonstration" in answer.body["details"][0]["reason"]


def test_an_answer_does_not_print_its_keys(service):
    answer = get(service, "alice", "bob/enc_keys")
    assert answer.body["keys"][0]["key"] not in repr(answer)


def test_what_no_service_is_made_of(tmp_path):
    a, b = stores(tmp_path)
    for arguments, words in (
        ({"saes": [], "peer_saes": ["bob"]}, "saes must be one or more names"),
        ({"saes": ["alice"], "peer_saes": [""]}, "peer_saes must be"),
        ({"saes": ["alice"], "peer_saes": ["bob", "alice"]}, "'alice' was at both"),
        ({"saes": ["alice"], "peer_saes": ["bob"], "peer_store": a}, "must be the other end"),
    ):
        with pytest.raises(ArgumentError, match=words):
            KeyService(a, **arguments)
    c = KeyStore.create(tmp_path / "c.db", kme="kme-b", peer="kme-a", share=0.25)
    with pytest.raises(ArgumentError, match=r"same share, but had 0.5 and 0.25"):
        KeyService(a, saes=["alice"], peer_saes=["bob"], peer_store=c)
    for sizes, words in (
        ((250, 64, 4096), "multiples of 8"),
        ((32, 64, 4096), "min_key_size <= key_size"),
        ((256, 64, 80_000), "at most 65536"),
    ):
        with pytest.raises(ArgumentError, match=words):
            Limits(*sizes)
    with pytest.raises(ArgumentError, match="max_key_per_request must be from 1"):
        Limits(max_key_per_request=0)
    assert b.kme == "kme-b"
