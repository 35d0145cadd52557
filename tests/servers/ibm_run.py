"""Runs the programs that clients send, under the noise of the device they were sent to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from ebit.backends.calibration import load_calibration
from ebit.backends.noise import DeviceNoise
from ebit.backends.simulate import simulate

Bools = npt.NDArray[np.bool_]


def run(params: dict[str, Any], snapshot: str, seed: int, spoil: str = "") -> str:
    """The result of an executor's program, as JSON of the API.

    Args:
        params: what was posted.
        snapshot: short name of the device's calibration.
        seed: of the shots.
        spoil: "shots" takes one shot less than asked, "bits" forgets a bit, "none" takes no shots,
            "empty" gives no circuits, "" is honest.
    """
    from ibm_quantum_schemas.common import CompressedTensorModel
    from ibm_quantum_schemas.executor import version_2_0 as schema
    from qiskit_ibm_runtime.quantum_program.params_converters import (
        QUANTUM_PROGRAM_PARAMS_CONVERTERS,
    )

    converter = QUANTUM_PROGRAM_PARAMS_CONVERTERS[params["schema_version"]]
    model: Any = converter.model.model_validate(params)
    program, _ = converter.decoder(model)
    noise = _noise(snapshot)
    data, spans, at = [], [], datetime.now(UTC).replace(tzinfo=None)
    for i, item in enumerate(program.items if spoil != "empty" else ()):
        shots = program.shots - (spoil == "shots")
        found = _item(item, noise, shots, seed + i)
        if spoil == "bits":
            found = {name: a[..., :-1] if a.ndim > 1 else a for name, a in found.items()}
        if spoil == "none":
            found = {name: a[..., :0, :] for name, a in found.items()}
        tensors = {name: CompressedTensorModel.from_numpy(array) for name, array in found.items()}
        data.append(
            schema.QuantumProgramResultItemModel(
                results=tensors, metadata=schema.ItemMetadataModel()
            )
        )
        size = prod(item.shape)
        part = schema.ChunkPart(
            idx_item=i,
            size=size,
            permutation=list(range(len(item.shape))),
            element_range=(0, size, 1),
        )
        later = at + timedelta(milliseconds=250 * shots / 1000)
        spans.append(schema.ChunkSpan(start=at, stop=later, parts=[part]))
        at = later
    result = schema.QuantumProgramResultModel(
        data=data,
        metadata=schema.MetadataModel(chunk_timing=spans),
        passthrough_data=model.quantum_program.passthrough_data,
        semantic_role=model.quantum_program.semantic_role,
    )
    return result.model_dump_json()


def _item(item: Any, noise: DeviceNoise, shots: int, seed: int) -> dict[str, Any]:
    """Boolean arrays (*shape, shots, bits) per register, and what untwirls them."""
    extra: dict[str, Any] = {}
    if hasattr(item, "samplex"):
        from qiskit_ibm_runtime.fake_provider.executor.broadcast_sample import broadcast_sample

        item.samplex.finalize()  # it comes over the wire without
        drawn = broadcast_sample(
            item.samplex, item.samplex_arguments, item.shape, np.random.default_rng(seed)
        )
        angles = np.asarray(drawn.pop("parameter_values"))
        extra = dict(drawn)
    else:
        angles = np.asarray(item.circuit_arguments, dtype=float)
    shape = angles.shape[:-1]
    rows = angles.reshape(prod(shape), angles.shape[-1])
    bound = [
        item.circuit.assign_parameters(dict(zip(item.circuit.parameters, row, strict=True)))
        for row in rows
    ]
    taken = simulate(bound, noise, [shots] * len(bound), seed=seed)
    bits = np.stack([taken.bits(i) for i in range(len(bound))]).astype(bool)
    whole: Bools = bits.reshape(*shape, shots, bits.shape[-1])
    place = {bit: i for i, bit in enumerate(item.circuit.clbits)}
    arrays = {r.name: whole[..., [place[bit] for bit in r]] for r in item.circuit.cregs}
    return {**extra, **arrays}


def prepare() -> None:
    """Load every library that `run` uses."""
    import qiskit_ibm_runtime.quantum_program.params_converters  # noqa: F401

    from ebit.backends.lower import standard_gates

    standard_gates()


@cache
def _noise(snapshot: str) -> DeviceNoise:
    return DeviceNoise(load_calibration(snapshot))
