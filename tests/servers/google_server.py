"""A small server that speaks as much of Google's engine API as the client needs, on the loopback.

The unpatched client talks to it over gRPC: programs, jobs, results, processors, calibrations, and the
stream that runs jobs. What it accepted is in SQLite, so that it can be killed at any moment and
started again. Circuits run under the noise of Google's virtual processors. Faults are ordered
beforehand, in the process that holds the server.

    python tests/servers/google_server.py --port 0 --state jobs.sqlite

prints its port. A client process needs the variables of `environment`.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc

if __package__ in (None, ""):  # run as a program
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from cirq_google.cloud.quantum_v1alpha1.types import engine, quantum
from google.protobuf import empty_pb2

from tests.servers.google_faults import Fault
from tests.servers.google_run import device_of, metrics_of, processors, run

SERVICE = "google.cloud.quantum.v1alpha1.QuantumEngineService"
PROJECT = "project-of-tests"
_TABLES = """
CREATE TABLE IF NOT EXISTS programs (name TEXT PRIMARY KEY, data BLOB);
CREATE TABLE IF NOT EXISTS jobs (
    name TEXT PRIMARY KEY, data BLOB, state TEXT, polls INTEGER, seed INTEGER, result BLOB);
CREATE TABLE IF NOT EXISTS accepted (name TEXT);
"""
State = quantum.ExecutionStatus.State


class GoogleServer:
    """A server in this process; use it in a `with` statement.

    Args:
        state: file of the jobs, None for memory.
        port: 0 for a free one.
        queue: polls that a job stays in the queue.
    """

    def __init__(self, state: str | Path | None = None, *, port: int = 0, queue: int = 0) -> None:
        self.db = sqlite3.connect(str(state or ":memory:"), check_same_thread=False)
        self.db.executescript(_TABLES)
        self.lock = threading.RLock()
        self.queue = queue
        self.hold = 0  # jobs that will never run
        self.spoil = ""  # "shots": one too few; "keys": one is missing
        self.health = quantum.QuantumProcessor.Health.OK
        self.faults: list[Fault] = []
        self.calls: Counter[str] = Counter()
        self.closed = threading.Event()
        self.server = grpc.server(ThreadPoolExecutor(16))
        handlers = {name: self._handler(name, *kinds) for name, kinds in self._unary().items()}
        handlers["QuantumRunStream"] = grpc.stream_stream_rpc_method_handler(
            self._stream,
            request_deserializer=engine.QuantumRunStreamRequest.deserialize,
            response_serializer=engine.QuantumRunStreamResponse.serialize,
        )
        self.server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(SERVICE, handlers),)
        )
        self.port = self.server.add_insecure_port(f"127.0.0.1:{port}")

    def __enter__(self) -> GoogleServer:
        self.server.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.closed.set()
        self.server.stop(0).wait(5)
        with self.lock:
            self.db.close()

    def fault(self, kind: str, call: str, **more: Any) -> Fault:
        """Order a fault."""
        self.faults.append(Fault(kind, call, **more))
        return self.faults[-1]

    def accepted(self) -> Counter[str]:
        """How often a job of each name was accepted."""
        with self.lock:
            rows = list(self.db.execute("SELECT name FROM accepted"))
        return Counter(name.rpartition("/")[2] for (name,) in rows)

    def _unary(self) -> dict[str, tuple[Callable[[Any], Any], Any, Callable[[Any], bytes]]]:
        def empty(_: Any) -> bytes:
            return empty_pb2.Empty().SerializeToString()

        q, e = quantum, engine
        return {
            "CreateQuantumProgram": (
                self._create_program,
                e.CreateQuantumProgramRequest,
                q.QuantumProgram.serialize,
            ),
            "GetQuantumProgram": (
                lambda r: self._program(r.name, code=r.return_code),
                e.GetQuantumProgramRequest,
                q.QuantumProgram.serialize,
            ),
            "CreateQuantumJob": (
                self._create_job,
                e.CreateQuantumJobRequest,
                q.QuantumJob.serialize,
            ),
            "GetQuantumJob": (
                lambda r: self._job(r.name, poll=True),
                e.GetQuantumJobRequest,
                q.QuantumJob.serialize,
            ),
            "ListQuantumJobs": (
                self._list_jobs,
                e.ListQuantumJobsRequest,
                e.ListQuantumJobsResponse.serialize,
            ),
            "CancelQuantumJob": (self._cancel, e.CancelQuantumJobRequest, empty),
            "GetQuantumResult": (
                lambda r: self._result(r.parent),
                e.GetQuantumResultRequest,
                q.QuantumResult.serialize,
            ),
            "GetQuantumProcessor": (
                lambda r: self._processor(r.name),
                e.GetQuantumProcessorRequest,
                q.QuantumProcessor.serialize,
            ),
            "ListQuantumProcessors": (
                lambda r: e.ListQuantumProcessorsResponse(
                    processors=[self._processor(f"{r.parent}/processors/{n}") for n in processors()]
                ),
                e.ListQuantumProcessorsRequest,
                e.ListQuantumProcessorsResponse.serialize,
            ),
            "GetQuantumCalibration": (
                self._calibration,
                e.GetQuantumCalibrationRequest,
                q.QuantumCalibration.serialize,
            ),
        }

    def _handler(self, name: str, work: Any, request: Any, serialize: Any) -> Any:
        def handle(asked: Any, context: Any) -> Any:
            self.calls[name] += 1
            fault = self._take(name)
            if fault is not None and fault.kind == "error":
                context.abort(grpc.StatusCode[fault.code], f"fault of the tests: {fault.code}")
            if fault is not None and fault.kind in ("slow", "stall"):
                self.closed.wait(fault.seconds)
            try:
                with self.lock:
                    reply = work(asked)
            except _Refused as refused:
                context.abort(refused.code, str(refused))
            if fault is not None and fault.kind == "drop":
                context.abort(grpc.StatusCode.UNAVAILABLE, "the reply was lost")
            if fault is not None and fault.kind == "cut" and hasattr(reply, "result"):
                reply.result.value = reply.result.value[: len(reply.result.value) // 2]
            return reply

        return grpc.unary_unary_rpc_method_handler(
            handle, request_deserializer=request.deserialize, response_serializer=serialize
        )

    def _take(self, name: str) -> Fault | None:
        for fault in self.faults:
            if fault.call == name and fault.hits < fault.times:
                fault.hits += 1
                return fault
        return None

    def _create_program(self, r: Any) -> Any:
        program = r.quantum_program
        if not program.name:
            program.name = f"{r.parent}/programs/p{time.time_ns()}"
        if self._row("programs", program.name):
            raise _Refused(grpc.StatusCode.ALREADY_EXISTS, f"{program.name} exists")
        program.create_time = _now()
        self.db.execute(
            "INSERT INTO programs VALUES (?, ?)",
            (program.name, quantum.QuantumProgram.serialize(program)),
        )
        self.db.commit()
        return self._program(program.name, code=False)

    def _program(self, name: str, *, code: bool) -> Any:
        row = self._row("programs", name)
        if row is None:
            raise _Refused(grpc.StatusCode.NOT_FOUND, f"program {name} not found")
        program = quantum.QuantumProgram.deserialize(row[1])
        program.code = program.code if code else None
        return program

    def _create_job(self, r: Any) -> Any:
        job = r.quantum_job
        if not job.name:
            job.name = f"{r.parent}/jobs/j{time.time_ns()}"
        if self._row("jobs", job.name):
            raise _Refused(grpc.StatusCode.ALREADY_EXISTS, f"{job.name} exists")
        self._program(r.parent, code=False)
        job.create_time = _now()
        polls = 10**9 if self.hold else self.queue
        self.hold = max(0, self.hold - 1)
        self.db.execute("INSERT INTO accepted VALUES (?)", (job.name,))
        self.db.execute(
            "INSERT INTO jobs VALUES (?, ?, 'READY', ?, ?, NULL)",
            (job.name, quantum.QuantumJob.serialize(job), polls, time.time_ns() % 2**31),
        )
        self.db.commit()
        return self._job(job.name)

    def _job(self, name: str, *, poll: bool = False) -> Any:
        row = self._row("jobs", name)
        if row is None:
            raise _Refused(grpc.StatusCode.NOT_FOUND, f"job {name} not found")
        _, data, state, polls, _, _ = row
        if poll and state == "READY":
            state = "READY" if polls > 0 else "SUCCESS"
            self.db.execute(
                "UPDATE jobs SET state = ?, polls = ? WHERE name = ?", (state, polls - 1, name)
            )
            self.db.commit()
        job = quantum.QuantumJob.deserialize(data)
        job.execution_status.state = State[state]
        processor = job.scheduling_config.processor_selector.processor
        job.execution_status.processor_name = processor
        if state == "FAILURE":
            job.execution_status.failure.error_code = (
                quantum.ExecutionStatus.Failure.Code.SYSTEM_ERROR
            )
            job.execution_status.failure.error_message = "the fridge\nis warm"
        return job

    def fail(self, id: str) -> None:
        """Let a job fail."""
        with self.lock:
            self.db.execute("UPDATE jobs SET state = 'FAILURE' WHERE name LIKE ?", (f"%/{id}",))
            self.db.commit()

    def _list_jobs(self, r: Any) -> Any:
        prefix = r.parent.replace("/programs/-", "/programs/%")
        rows = self.db.execute(
            "SELECT name FROM jobs WHERE name LIKE ?", (f"{prefix}/jobs/%",)
        ).fetchall()
        return engine.ListQuantumJobsResponse(jobs=[self._job(name) for (name,) in rows])

    def _cancel(self, r: Any) -> Any:
        self._job(r.name)
        self.db.execute(
            "UPDATE jobs SET state = 'CANCELLED' WHERE name = ? AND state != 'SUCCESS'", (r.name,)
        )
        self.db.commit()
        return empty_pb2.Empty()

    def _result(self, name: str) -> Any:
        row = self._row("jobs", name)
        if row is None:
            raise _Refused(grpc.StatusCode.NOT_FOUND, f"job {name} not found")
        if row[2] != "SUCCESS":
            raise _Refused(grpc.StatusCode.FAILED_PRECONDITION, f"job {name} is {row[2]}")
        result = row[5]
        if result is None or self.spoil:
            job = quantum.QuantumJob.deserialize(row[1])
            code = self._program(name.rpartition("/jobs/")[0], code=True).code
            where = job.scheduling_config.processor_selector.processor.rpartition("/")[2]
            result = run(code, job.run_context, where, row[4], self.spoil)
            self.db.execute("UPDATE jobs SET result = ? WHERE name = ?", (result, name))
            self.db.commit()
        out = quantum.QuantumResult(parent=name)
        out.result.type_url = "type.googleapis.com/cirq.google.api.v2.Result"
        out.result.value = result
        return out

    def _processor(self, name: str) -> Any:
        which = name.rpartition("/")[2]
        if which not in processors():
            raise _Refused(grpc.StatusCode.NOT_FOUND, f"processor {which} not found")
        out = quantum.QuantumProcessor(name=name, health=self.health)
        out.device_spec.type_url = "type.googleapis.com/cirq.google.api.v2.DeviceSpecification"
        out.device_spec.value = device_of(which)
        return out

    def _calibration(self, r: Any) -> Any:
        which = r.name.split("/processors/")[1].partition("/")[0]
        out = quantum.QuantumCalibration(name=r.name)
        out.data.type_url = "type.googleapis.com/cirq.google.api.v2.MetricsSnapshot"
        out.data.value = metrics_of(which)
        return out

    def _row(self, table: str, name: str) -> Any:
        return self.db.execute(f"SELECT * FROM {table} WHERE name = ?", (name,)).fetchone()

    def _stream(self, requests: Iterator[Any], context: Any) -> Iterator[Any]:
        """The default path of Google's own samplers: a job is made and its result comes back."""
        for r in requests:
            self.calls["QuantumRunStream"] += 1
            reply = engine.QuantumRunStreamResponse(message_id=r.message_id)
            fault = self._take("QuantumRunStream")
            if fault is not None and fault.kind == "error":
                context.abort(grpc.StatusCode[fault.code], "fault of the tests")
            try:
                with self.lock:
                    name = self._streamed(r)
                if fault is not None and fault.kind == "drop":
                    context.abort(grpc.StatusCode.UNAVAILABLE, "the stream was lost")
                while True:
                    with self.lock:
                        job = self._job(name, poll=True)
                        if job.execution_status.state == State.SUCCESS:
                            reply.result = self._result(name)
                            break
                    if self.closed.wait(0.01):
                        return
            except _Refused as refused:
                reply.error.code = {
                    grpc.StatusCode.NOT_FOUND: (
                        engine.StreamError.Code.JOB_DOES_NOT_EXIST
                        if "job" in str(refused)
                        else engine.StreamError.Code.PROGRAM_DOES_NOT_EXIST
                    ),
                    grpc.StatusCode.ALREADY_EXISTS: (
                        engine.StreamError.Code.JOB_ALREADY_EXISTS
                        if "/jobs/" in str(refused)
                        else engine.StreamError.Code.PROGRAM_ALREADY_EXISTS
                    ),
                }.get(refused.code, engine.StreamError.Code.INTERNAL)
                reply.error.message = str(refused)
            yield reply

    def _streamed(self, r: Any) -> str:
        if "create_quantum_program_and_job" in r:
            both = r.create_quantum_program_and_job
            self._create_program(
                engine.CreateQuantumProgramRequest(
                    parent=both.parent, quantum_program=both.quantum_program
                )
            )
            parent = both.quantum_program.name
            made = self._create_job(
                engine.CreateQuantumJobRequest(parent=parent, quantum_job=both.quantum_job)
            )
            return str(made.name)
        if "create_quantum_job" in r:
            return str(self._create_job(r.create_quantum_job).name)
        return str(r.get_quantum_result.parent)


class _Refused(Exception):
    def __init__(self, code: grpc.StatusCode, words: str) -> None:
        super().__init__(words)
        self.code = code


def _now() -> Any:
    return datetime.now(UTC)


def environment(server: GoogleServer | int) -> dict[str, str]:
    """Variables with which a process's client uses this server."""
    port = getattr(server, "port", server)
    return {
        "GOOGLE_CLOUD_PROJECT": PROJECT,
        "EBIT_GOOGLE_ENDPOINT": f"http://127.0.0.1:{port}",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--state", default=None, help="file of the jobs")
    parser.add_argument("--queue", type=int, default=0, help="polls that a job is queued for")
    asked = parser.parse_args()
    with GoogleServer(asked.state, port=asked.port, queue=asked.queue) as server:
        print(server.port, flush=True)
        try:
            server.closed.wait()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
