"""How many one-key requests per second the ETSI 014 server answers, with mutual TLS on the loopback.

    python benchmarks/key_server.py [REQUESTS] [FOLDER]

The server is a process of its own (`ebit serve`), its store lies in FOLDER (a temporary one if left
out), and every key is on disk as delivered (synchronous = FULL) before its answer leaves. The client,
this process, keeps 1, 8 and 32 connections open and has one request outstanding on each. Each key must
be new. Processor time is the server's, for all requests.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ebit.protocols.certificates import Certificates, make_certificates
from ebit.protocols.key_store import KeyStore
from ebit.protocols.secret_bits import SecretBits

SERVER = "import sys; from ebit.cli.serve import command; command(sys.argv[1:])"
REQUEST = b"GET /api/v1/keys/bob/enc_keys HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def client(port: int, context: ssl.SSLContext, count: int, seen: list[str]) -> None:
    """Ask for one key after another on one connection."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, server_hostname="localhost"
    )
    for _ in range(count):
        writer.write(REQUEST)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        body = json.loads(await reader.readexactly(length))
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"the server said {head!r} {body}")
        seen.append(body["keys"][0]["key_ID"])
    writer.close()


def cpu(pid: int) -> float:
    """Processor seconds of a process, where the system tells."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return float("nan")
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


async def measure(pid: int, port: int, made: Certificates, requests: int) -> None:
    """Print a line for each number of connections."""
    context = ssl.create_default_context(cafile=str(made.ca))
    context.load_cert_chain(made.certificate("alice"), made.key("alice"))
    print("connections  requests  requests/s  server's CPU, us/request")
    for connections in (1, 8, 32):
        seen: list[str] = []
        each = requests // connections
        begun, used = time.perf_counter(), cpu(pid)
        await asyncio.gather(*(client(port, context, each, seen) for _ in range(connections)))
        seconds, used = time.perf_counter() - begun, cpu(pid) - used
        if len(set(seen)) != each * connections:
            raise SystemExit("a key came twice")
        print(
            f"{connections:11d}  {len(seen):8d}  {len(seen) / seconds:10.0f}  "
            f"{1e6 * used / len(seen):8.0f}"
        )


def main(requests: int, folder: Path) -> None:
    """Make a store and certificates, start the server, and measure it."""
    made = make_certificates(folder / "tls", servers=["kme-a"], saes=["alice", "bob"])
    place = folder / "a.db"
    with KeyStore.create(place, kme="kme-a", peer="kme-b", share=1) as store:
        data = os.urandom(32 * (3 * requests + 300) + 16)
        store.add(SecretBits.of_bytes(data), origin={}, secrecy="own")
        begun = time.perf_counter()
        for _ in range(300):
            store.deliver(256, master="alice", slave="bob")
        rate = 300 / (time.perf_counter() - begun)
    print(f"the store alone, a write to the disk for each key: {rate:.0f} keys/s", flush=True)
    words = ["--store", place, "--sae", "alice", "--peer-sae", "bob", "--port", "0", "--json"]
    words += ["--certificates", made.folder]
    server = subprocess.Popen(
        [sys.executable, "-P", "-c", SERVER, *map(str, words)], stdout=subprocess.PIPE, text=True
    )
    try:
        told = server.stdout.readline() if server.stdout else ""
        if not told:
            raise SystemExit("the server did not start")
        port = json.loads(told)["port"]
        asyncio.run(measure(server.pid, port, made, requests))
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    count = int(float(sys.argv[1])) if len(sys.argv) > 1 else 3000
    with tempfile.TemporaryDirectory(dir=sys.argv[2] if len(sys.argv) > 2 else None) as place:
        main(count, Path(place))
