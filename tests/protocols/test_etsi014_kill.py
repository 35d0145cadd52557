"""A key server that is killed while it delivers, again and again: no key is delivered twice."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import signal
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest

from ebit.protocols.certificates import Certificates, make_certificates
from ebit.protocols.key_store import KeyStore
from ebit.protocols.secret_bits import SecretBits

pytest.importorskip("aiohttp")
SERVER = "import sys; from ebit.cli.serve import command; command(sys.argv[1:])"


class Lab:
    """Both stores of a link, certificates, and a server of both as a process of its own."""

    def __init__(self, folder: Path, keys: int) -> None:
        self.made: Certificates = make_certificates(
            folder / "tls", servers=["kme-a"], saes=["alice", "bob"]
        )
        data = np.random.default_rng(1).bytes(16 + 32 * keys)
        self.places = folder / "a.db", folder / "b.db"
        names = ("kme-a", "kme-b")
        for place, kme, peer in zip(self.places, names, names[::-1], strict=True):
            with KeyStore.create(place, kme=kme, peer=peer, share=1) as store:
                store.add(
                    SecretBits.of_bytes(data), origin={}, secrecy="own", block=UUID(int=3 << 100)
                )
        self.context = ssl.create_default_context(cafile=str(self.made.ca))

    def start(self) -> tuple[subprocess.Popen[str], int]:
        words = ["--store", self.places[0], "--sae", "alice", "--peer-sae", "bob", "--port", "0"]
        words += ["--peer-store", self.places[1], "--certificates", self.made.folder, "--json"]
        server = subprocess.Popen(
            [sys.executable, "-P", "-c", SERVER, *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert server.stdout is not None
        line = server.stdout.readline()
        if not line:
            raise AssertionError(server.communicate()[1])
        return server, int(json.loads(line)["port"])

    def caller(self, port: int, name: str) -> http.client.HTTPSConnection:
        context = ssl.create_default_context(cafile=str(self.made.ca))
        context.load_cert_chain(self.made.certificate(name), self.made.key(name))
        return http.client.HTTPSConnection("localhost", port, context=context, timeout=20)


def ask(connection: http.client.HTTPSConnection, path: str) -> tuple[int, dict]:
    connection.request("GET", f"/api/v1/keys/{path}")
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
@pytest.mark.parametrize("rounds", [2, pytest.param(12, marks=pytest.mark.slow)])
def test_killed_while_delivering_it_delivers_no_key_twice(rounds: int, tmp_path: Path) -> None:
    lab, rng = Lab(tmp_path, 20_000), random.Random(rounds)
    had: list[dict] = []  # what masters got
    got: list[dict] = []  # what slaves got

    def work(port: int) -> None:
        alice, bob = lab.caller(port, "alice"), lab.caller(port, "bob")
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
            while True:
                code, answer = ask(alice, "bob/enc_keys")
                assert code == 200
                had.extend(answer["keys"])
                code, answer = ask(bob, f"alice/dec_keys?key_ID={answer['keys'][0]['key_ID']}")
                assert code == 200
                got.extend(answer["keys"])

    for _ in range(rounds):
        server, port = lab.start()
        threads = [threading.Thread(target=work, args=(port,)) for _ in range(4)]
        before = len(got)
        for thread in threads:
            thread.start()
        end = time.monotonic() + 20
        while len(got) < before + 20 and time.monotonic() < end:
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.2))
        server.kill()
        server.communicate()
        for thread in threads:
            thread.join()
    # What slaves had not collected when the server died is there for them, once.
    server, port = lab.start()
    bob = lab.caller(port, "bob")
    late = 0
    collected = {key["key_ID"] for key in got}
    for key in had:
        if key["key_ID"] not in collected:
            code, answer = ask(bob, f"alice/dec_keys?key_ID={key['key_ID']}")
            assert code in (200, 400)  # 400: it left, and the answer was lost with the server
            late += code == 200
            got.extend(answer.get("keys", []))
    server.terminate()
    server.communicate()
    assert server.returncode == 0
    assert len({key["key_ID"] for key in had}) == len({key["key"] for key in had}) == len(had)
    assert len({key["key_ID"] for key in got}) == len(got)
    first = {key["key_ID"]: key["key"] for key in had}
    assert all(first[key["key_ID"]] == key["key"] for key in got)
    with KeyStore.open(lab.places[0]) as a, KeyStore.open(lab.places[1]) as b:
        a.check()
        b.check()
        assert {*first} <= {use.key_id for use in a.uses()}
        assert len(a.uses()) <= len(had) + 4 * rounds
        assert 20_000 - a.stored(256) == len(a.uses())
    print(
        f"\n{rounds} kills of the server: {len(had)} keys to masters, {len(got)} to slaves "
        f"({late} late), none twice"
    )
    assert len(had) >= 20 * rounds
