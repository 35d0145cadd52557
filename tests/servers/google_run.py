"""What Google's server does with a job, and what it says of its processors."""

from __future__ import annotations

from functools import cache
from typing import Any

import cirq
import cirq_google
import numpy as np
from cirq_google.api import v2
from cirq_google.engine import virtual_engine_factory as factory

from ebit.backends.sample import draw
from ebit.backends.virtual import VirtualBackend


def processors() -> tuple[str, ...]:
    """Names of the processors on offer."""
    return tuple(factory.list_virtual_processors())


@cache
def device_of(name: str) -> bytes:
    """The device specification of a processor, as Google sends it."""
    spec = factory.create_device_spec_from_processor_id(name)
    return bytes(spec.SerializeToString())


@cache
def metrics_of(name: str) -> bytes:
    """The calibration metrics of a processor, as Google sends them."""
    known = factory.load_median_device_calibration(name)
    proto = known.to_proto()
    proto.timestamp_ms = known.timestamp
    return bytes(proto.SerializeToString())


@cache
def _simulator(name: str) -> VirtualBackend:
    return VirtualBackend(name)


def run(code: Any, context: Any, processor: str, seed: int, spoil: str = "") -> bytes:
    """Run the circuits of a program as its context asks; the result, serialised."""
    program = v2.program_pb2.Program.FromString(code.value)
    serializer = cirq_google.CIRCUIT_SERIALIZER
    if program.keyed_circuits:
        circuits = [circuit for _, _, circuit in serializer.deserialize_multi_program(program)]
    else:
        circuits = [serializer.deserialize(program)]
    asked = v2.run_context_pb2.RunContext.FromString(context.value)
    (sweep,) = asked.parameter_sweeps
    shots = sweep.repetitions - (spoil == "shots")
    backend = _simulator(processor)
    out = v2.result_pb2.Result()
    for i, circuit in enumerate(circuits):
        parts = backend._exact([circuit])
        width = 1 + max(bit for part in parts[0] for bit in part.clbits)
        bits = draw(parts, [width], [shots], seed=seed + i).bits(0)
        keys = sorted(circuit.all_measurement_key_names(), key=lambda k: int(k[1:]))
        records = {k: bits[:, [[int(k[1:])]]].astype(np.int8).reshape(-1, 1, 1) for k in keys}
        if spoil == "keys":
            records.pop(keys[-1])
        result = cirq.ResultDict(params=cirq.ParamResolver({}), records=records)
        measured = [m for m in v2.find_measurements(circuit) if m.key in records]
        v2.results_to_proto([[result]], measured, out=out)
    return bytes(out.SerializeToString())
