"""HKDF and the combiners, against published vectors and against openssl."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebit.games import ArgumentError
from ebit.protocols.combiner import cas_kdf, cas_round, cat_kdf, framed, hkdf, one_step

# ML-KEM-768: seeds d, z, ciphertext and shared secret of a vector of the NIST known-answer tests for
# FIPS 203 (github.com/post-quantum-cryptography/KAT), number 1, which ETSI's vectors use as well.
MLKEM_D = "8d45a2ab49d8c20d4ab5680e5c9d9d0cc9ca8228484946f9afce5b8df6f39d19"
MLKEM_Z = "a9f93c7b791356b66afcceb745a548c7f6b185e4f45ec1ff1a22acdd96e7a6d8"
MLKEM_SECRET = "e3e4f4e9d4f5c9ae03836bb9266c50b033285ace9bc56f73817ce19679d1429a"
MLKEM_CIPHERTEXT = """
db3d4f38a49cc5c1c7766573873f3926184923f570fcdba6d7086bea39601fadfebabb2f9ed0ebd86a6468be
03d3b05713de50b5e5d58ffdb5500f2af7419682bc7857870d1e624c2b48a7e0d30a91f141f0764014fbed12
a9f72c958eb53a7ed4a1682578b4348a05c183c790ff56d66b23bd601fb372c771f52045e13ca2d6dab80a16
5a2159b8f990b5bbf125883dec0a2af4a54c3f386de4df6ee96923e9bb2551753ddc6d1f00d7ee910835082c
6260974d11fba49951db2e27b47362ec4ebf804327ad968201edb71bdc8c32887214fb2aaa842aabbe0a4e03
fdc695b19610377b9bea9d371016674e977e9e45382d236365efedf566659f9936d9d14ca8595ddf121ae7ac
c6056dd6fe1b58dc0f0b23cf5366d2488c4d6361b09875242b3a39374159cf3654abd25f8b080bae117a5f77
d15031ad8b350c6922ffd426ec9f9f80a1918fe722cb7a4b537210ef8a5538a52048badce3caf5c46454eeaf
413819d57efba834d7017f9343b302679a0a28f532e93fe8c5b6aec3c42c160a3fad20fa2abadd29c2564db5
9fa25a11ca502d11421f7f080a616f9656942932e11bfdcc47b1d8effa81d724ffabf4613830631737eb7e52
da78a6b026db1c4fb80bbf2d8f9393875330b2f9c1a124436028bf2624c1e64797abe2e526967dd99bc21b55
5a5833a31ace7969e3ecc64c1697dec0b074108f6b17efa2a517923b435d8446043fb1a96b2ef3b3d3952f08
657997d1d9169ffd14316185ec30457e0faf7eba2b5a02a01993ec530bb9c44c091d2e9d9bc82951e577d76d
c2757f2e04e822b6a29f840887a297202e7389a0999f9e69255de0a33aeb8cd0b21b7f3b5aa7bfd864cf8ff4
ffe78fff166caf1b805464d5e4b60eb0277e3ba4f3f3390640f5f16e0b784cc8a67940977b2f0202d37a7447
2161589a7b9e7721cc532904a17aff8fa86ecdc46a410bd6f9309b2cc310d7941a02a5720cd64241b5c13c78
a86010805ac74c3b81d83348c63c410451bd2052ce764da83cf80b2654cb1d033f259da36039e4df1a5c4ce3
f8613e28cfc2b25eae2a21b425b44d0c998977b3adf5156bfca1e357ec3f6b5805b2cdc4d46a4c83154aef0f
50d493bab0bbca130e92ca21af8bdf817f7616b55c4c24c066ebf896f39a7bf50a241561e578bdd931cb07ea
dd193986c455f8798ab97b8d732d37c796e09c1c7abb978bf666ced961373198607ac355fcf6903b4f3047a1
d97c344a2d8b73db310769ccfb4ae3da6c4e82deb83bf4060722d9e5a9afbd3e03b4517e3b7d563f31821d5d
8ef7f06f0d92a9f401ea9befd52ca8db331360e603c14a340b806155de690cd2d92ee6a8ee53bceed7eeb308
d375518c851c109a03ee61960d6cd7cd1fdee5cc2a401039a15ee4f97a73400801a090fbf09be42119662d06
c3ff8217fcfc2c70cde6e1c2f9a396a2e08a3c22ae3ce90a5c97c9f69ebc1546898a047c9dcad128003a90b2
9b62f7b093cc90c9cd38104c1a3ce62bea6a3646ef7e3b9fb7c4c44e78ff650c
"""

INFO = b"ETSI_QSHKE_TEST_VECTORS_V_1_2"


@dataclass(frozen=True)
class Vector:
    """Inputs and key material of ETSI's reference implementation of TS 103 744 V1.2.1."""

    hash: Any
    curve: str  # digit of the curve in the scheme's number
    private: str
    labels: tuple[str, str, str, str]  # LA1, LB1, LA2, LB2
    points: tuple[str, str]  # PA1, PB1
    secret: str  # k1
    keys: dict[str, str]


# From main.c of ETSI's forge, cyber/103744_QHKEX (strLA1 ... strkmcas_hmac), which makes the vectors of
# the standard's annex: X25519 and X448, each with ML-KEM-768. The curves' values are those of RFC 7748.
VECTORS = [
    Vector(
        "sha256",
        "7",
        "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
        (
            "0102030405060708090A0B0C0D0E0F1101020304050607081020304050607085",
            "202030405060708090A0B0C0D0E0F100202030405060708E020304050607080C",
            "14102030405060708090A0B0C0D0E0F14102030405060708090A0B0C0D0E0F11",
            "202030405060708090A0B0C0D0E0F110202030405060708A0203040506070808",
        ),
        (
            "8520F0098930A754748B7DDCB43EF75A0DBF3A0D26381AF4EBA4A98EAA9B4E6A",
            "DE9EDB7D7B7DC1B4D35B61C2ECE435373F8343C85B78674DADFC7E146F882B4F",
        ),
        "4A5D9D5BA4CE2DE1728E3BF480350F25E07E21C947D19E3376F09B3C1E161742",
        {
            "cat hkdf": "701675524E4986A391AFEFBB604AA63D",
            "cas hkdf": "2D490429EE1F9F17CB05AE44691CCD09",
            "cat hmac": "56617E0EC39843C6E41935F02A5D7FFD",
            "cas hmac": "37A9900F776007E7FBE40A5486322855",
        },
    ),
    Vector(
        "sha384",
        "8",
        "9a8f4925d1519f5775cf46b04b5800d4ee9ee8bae8bc5565d498c28dd9c9baf574a9419744897391006382a6f127ab1d"
        "9ac2d8c0a598726b",
        (
            "3102030405060708090A0B0C0D0E0F100102030405060708090A0B0C0D0E0F13102030405060708090A0B0C0D0E0F108",
            "202030405060708090A0B0C0D0E0F100202030405060708090A0B0C0D0E0F10F02030405060708090A0B0C0D0E0F100F",
            "6102030405060708090A0B0C0D0E0F110102030405060709102030405060708090A0B0C0D0E0F1101020304050607094",
            "202030405060708090A0B0C0D0E0F110202030405060708090A0B0C0D0E0F11C02030405060708090A0B0C0D0E0F110B",
        ),
        (
            "9B08F7CC31B7E3E67D22D5AEA121074A273BD2B83DE09C63FAA73D2C22C5D9BBC836647241D953D40C5B12DA88120D53"
            "177F80E532C41FA0",
            "3EB7A829B0CD20F5BCFC0B599B6FECCF6DA4627107BDB0D4F345B43027D8B972FC3E34FB4232A13CA706DCB57AEC3DAE"
            "07BDC1C67BF33609",
        ),
        "07FFF4181AC6CC95EC1C16A94A0F74D12DA232CE40A77552281D282BB60C0B56FD2464C335543936521C24403085D59A"
        "449A5037514A879D",
        {
            "cat hkdf": "C3C3D576335BF6D31522B3A72A00765981CE67B99FCBE85D",
            "cas hkdf": "E22BDF8A0F358DC7AA80BB142FF0FD328DF575352D010950",
            "cat hmac": "C5AADE55D5BCE6EA33E971EF6A80F32EEECC418F490D1457",
            "cas hmac": "887AEC133D7D1B967A913F766AB9A61A78506652EBFEDEC9",
        },
    ),
]
KDF_DIGIT = {"sha256": {"hkdf": "1", "hmac": "4"}, "sha384": {"hkdf": "2", "hmac": "5"}}


def ciphertext() -> bytes:
    return bytes.fromhex(MLKEM_CIPHERTEXT)


def mlkem_key() -> Any:
    mlkem = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.mlkem")
    return mlkem.MLKEM768PrivateKey.from_seed_bytes(bytes.fromhex(MLKEM_D + MLKEM_Z))


def message(scheme: str, *parts: str) -> bytes:
    """As annex C.1 formats them: each part behind the number of its hexadecimal digits."""
    return bytes.fromhex(scheme) + b"".join(
        len(part).to_bytes(4, "big") + bytes.fromhex(part) for part in parts
    )


def label(a: str, b: str) -> bytes:
    return bytes(x ^ y for x, y in zip(bytes.fromhex(a), bytes.fromhex(b), strict=True))


def test_mlkem_768_gives_the_secret_of_the_nist_vector() -> None:
    assert mlkem_key().decapsulate(ciphertext()).hex() == MLKEM_SECRET


def test_mlkem_768_gives_another_secret_for_a_ciphertext_that_was_changed() -> None:
    changed = bytearray(ciphertext())
    changed[700] ^= 1
    assert mlkem_key().decapsulate(bytes(changed)).hex() != MLKEM_SECRET


@pytest.mark.parametrize(
    ("scalar", "point", "wanted"),
    [  # RFC 7748, 5.2
        (
            "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
            "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
            "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
        ),
        (
            "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
            "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
            "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
        ),
    ],
)
def test_x25519_is_that_of_rfc_7748(scalar: str, point: str, wanted: str) -> None:
    x25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.x25519")
    private = x25519.X25519PrivateKey.from_private_bytes(bytes.fromhex(scalar))
    public = x25519.X25519PublicKey.from_public_bytes(bytes.fromhex(point))
    assert private.exchange(public).hex() == wanted


def test_x448_and_x25519_give_the_secrets_of_the_vectors() -> None:
    pytest.importorskip("cryptography")
    from cryptography.hazmat.primitives.asymmetric import x448, x25519

    kinds = [
        (x25519.X25519PrivateKey, x25519.X25519PublicKey),
        (x448.X448PrivateKey, x448.X448PublicKey),
    ]
    for vector, (private, public) in zip(VECTORS, kinds, strict=True):
        mine = private.from_private_bytes(bytes.fromhex(vector.private))
        theirs = public.from_public_bytes(bytes.fromhex(vector.points[1]))
        assert mine.public_key().public_bytes_raw().hex().upper() == vector.points[0]
        assert mine.exchange(theirs).hex().upper() == vector.secret


@pytest.mark.parametrize("kdf", ["hkdf", "hmac"])
@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: f"{v.hash}")
def test_cat_kdf_gives_the_keys_of_etsi_ts_103_744(vector: Vector, kdf: Any) -> None:
    scheme = KDF_DIGIT[vector.hash][kdf] + vector.curve + "21"
    la, lb, _, _ = vector.labels
    pa, pb = vector.points
    key = mlkem_key().public_key().public_bytes_raw().hex()
    found = cat_kdf(
        [bytes.fromhex(vector.secret), bytes.fromhex(MLKEM_SECRET)],
        message_a=message(scheme, la, pa, key),
        message_b=message(scheme, lb, pb, ciphertext().hex()),
        info=INFO,
        label=label(la, lb),
        length=len(vector.keys[f"cat {kdf}"]) // 2,
        kdf=kdf,
        hash=vector.hash,
    )
    assert found.hex().upper() == vector.keys[f"cat {kdf}"]


@pytest.mark.parametrize("kdf", ["hkdf", "hmac"])
@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: f"{v.hash}")
def test_cas_kdf_gives_the_keys_of_etsi_ts_103_744(vector: Vector, kdf: Any) -> None:
    scheme = KDF_DIGIT[vector.hash][kdf] + vector.curve + "22"
    la1, lb1, la2, lb2 = vector.labels
    pa, pb = vector.points
    key = mlkem_key().public_key().public_bytes_raw().hex()
    _, found = cas_kdf(
        [bytes.fromhex(vector.secret), bytes.fromhex(MLKEM_SECRET)],
        messages_a=[message(scheme, la1, pa), message(scheme, la2, key)],
        messages_b=[message(scheme, lb1, pb), message(scheme, lb2, ciphertext().hex())],
        infos=[INFO, INFO],
        labels=[label(la1, lb1), label(la2, lb2)],
        length=len(vector.keys[f"cas {kdf}"]) // 2,
        kdf=kdf,
        hash=vector.hash,
    )
    assert found.hex().upper() == vector.keys[f"cas {kdf}"]


def test_cas_kdf_is_its_rounds() -> None:
    words: dict[str, Any] = {"messages_a": [b"a", b"c"], "messages_b": [b"b", b"d"]}
    words |= {"infos": [b"i", b"j"], "labels": [b"k", b"l"]}
    chain, key = cas_round(b"psk", b"one", message_a=b"a", message_b=b"b", info=b"i", label=b"k")
    assert key != chain
    wanted = cas_round(chain, b"two", message_a=b"c", message_b=b"d", info=b"j", label=b"l")
    assert cas_kdf([b"one", b"two"], psk=b"psk", **words) == wanted


@pytest.mark.parametrize(
    ("secret", "salt", "info", "wanted"),
    [  # RFC 5869, A.1 to A.3
        (
            b"\x0b" * 22,
            bytes(range(13)),
            bytes(range(0xF0, 0xFA)),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        ),
        (
            bytes(range(0x50)),
            bytes(range(0x60, 0xB0)),
            bytes(range(0xB0, 0x100)),
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
            "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
        ),
        (
            b"\x0b" * 22,
            b"",
            b"",
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
        ),
    ],
)
def test_hkdf_is_that_of_rfc_5869(secret: bytes, salt: bytes, info: bytes, wanted: str) -> None:
    assert hkdf(secret, salt=salt, info=info, length=len(wanted) // 2).hex() == wanted


def test_both_derivations_are_openssls() -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    secret, salt, info = bytes(range(40)), b"a salt of some length", b"what for"
    for name, mine, options in (
        ("HKDF", hkdf, []),
        ("SSKDF", one_step, ["-kdfopt", "mac:HMAC"]),
    ):
        for digest in ("sha256", "sha384"):
            asked = [openssl, "kdf", "-keylen", "100", "-kdfopt", f"digest:{digest}", *options]
            for option, value in (
                ("key" if name == "HKDF" else "secret", secret),
                ("salt", salt),
                ("info", info),
            ):
                asked += ["-kdfopt", f"hex{option}:{value.hex()}"]
            done = subprocess.run([*asked, name], capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"this openssl has no {name}: {done.stderr.strip()[:80]}")
            wanted = bytes.fromhex(done.stdout.replace(":", ""))
            assert mine(secret, salt=salt, info=info, length=100, hash=digest) == wanted  # type: ignore[operator]


@given(st.lists(st.binary(max_size=5), max_size=4), st.lists(st.binary(max_size=5), max_size=4))
def test_different_parts_are_framed_differently(a: list[bytes], b: list[bytes]) -> None:
    assert (framed(*a) == framed(*b)) == (a == b)


@given(
    st.sampled_from(["secret 1", "secret 2", "psk", "a", "b", "info", "label"]),
    st.binary(max_size=9),
)
def test_everything_enters_the_key(which: str, extra: bytes) -> None:
    def key(change: str) -> bytes:
        more = {
            name: (b"+" + extra if name == change else b"")
            for name in ("secret 1", "secret 2", "psk", "a", "b", "info", "label")
        }
        return cat_kdf(
            [b"one" + more["secret 1"], b"two" + more["secret 2"]],
            psk=b"psk" + more["psk"],
            message_a=b"A" + more["a"],
            message_b=b"B" + more["b"],
            info=b"info" + more["info"],
            label=b"label" + more["label"],
        )

    assert key(which) != key("")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: hkdf(b"x", length=0), "between 1 and 8160 bytes, but was 0"),
        (lambda: hkdf(b"x", length=8161), "but was 8161"),
        (lambda: hkdf(b"x", hash="md5"), "sha256, sha384, but was 'md5'"),  # type: ignore[arg-type]
        (lambda: cat_kdf([], message_a=b"", message_b=b""), "there was none"),
        (lambda: cat_kdf([b"x", b""], message_a=b"", message_b=b""), "secret 2 was empty"),
        (
            lambda: cat_kdf([b"x"], message_a=b"", message_b=b"", kdf="kmac"),  # type: ignore[arg-type]
            "hkdf, hmac, but was 'kmac'",
        ),
        (
            lambda: cas_kdf([b"x"], messages_a=[], messages_b=[b""], infos=[b""], labels=[b""]),
            r"each of the 1 secrets, but had \[0, 1\]",
        ),
    ],
)
def test_what_is_refused(call: Any, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        call()
