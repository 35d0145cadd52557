"""What IBM's adapter is made of: errors read, runs split, lengths and costs, gates checked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import numpy as np
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister, transpile
from qiskit.circuit import Measure, Parameter
from qiskit.circuit.library import XGate
from qiskit.primitives import StatevectorSampler
from qiskit.transpiler import Target

from ebit.backends import load_calibration
from ebit.backends.ibm import listing
from ebit.backends.ibm_client import account_visible
from ebit.backends.ibm_cost import circuit_seconds, quantum_seconds
from ebit.backends.ibm_errors import Told, explain, hide, judge, keep_secret, trouble
from ebit.backends.ibm_native import check_native
from ebit.backends.ibm_options import Options, randomizations
from ebit.backends.ibm_parts import Part, Plan, part_from, plan_of, run_tag, split, tags
from ebit.backends.ibm_results import bits_of_pub
from ebit.backends.patience import DeadlineError
from ebit.games import ArgumentError, BudgetError, GuardError, JobError, NetworkError

runtime = pytest.importorskip("qiskit_ibm_runtime")


def reply(status: int, body: str = "", **headers: str) -> requests.Response:
    made = requests.Response()
    made.status_code, made._content = status, body.encode()
    made.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return made


def raised(status: int, body: str = "", **headers: str) -> Exception:
    """An error as the client raises it when sending: the cause is suppressed, but there."""
    try:
        try:
            try:
                raise requests.HTTPError("bad", response=reply(status, body, **headers))
            except requests.HTTPError as error:
                raise runtime.api.exceptions.RequestsApiError("bad", status) from error
        except runtime.api.exceptions.RequestsApiError as error:
            raise runtime.exceptions.IBMRuntimeError(f"Failed to run program: {error}") from None
    except runtime.exceptions.IBMRuntimeError as error:
        return error


WORDS = '{"errors": [{"message": "only five jobs\\n a minute"}]}'


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, ArgumentError),
        (403, ArgumentError),
        (404, JobError),
        (409, BudgetError),
        (400, JobError),
        (429, NetworkError),
        (500, NetworkError),
        (503, NetworkError),
    ],
)
def test_every_status_becomes_one_line_of_its_kind(status: int, kind: type[Exception]) -> None:
    error = raised(status, WORDS)
    found = trouble(error)
    assert (found.status, found.words) == (status, f"{status}: only five jobs a minute")
    assert found.passing == (status in (429, 500, 503))
    assert (judge(error) is not None) == found.passing
    said = explain(error, "sending it")
    assert type(said) is kind
    assert "only five jobs a minute" in str(said)
    assert "\n" not in str(said)


def test_retry_after_in_both_forms() -> None:
    assert judge(raised(429, Retry_After="17")) == 17.0
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=40), usegmt=True)
    assert judge(raised(503, Retry_After=later)) == pytest.approx(40, abs=3)
    for odd in ("soon", "-5", ""):
        assert judge(raised(429, Retry_After=odd)) == 0.0
    assert judge(raised(403, Retry_After="17")) is None


def test_faults_without_a_reply() -> None:
    dropped = requests.ConnectionError("HTTPConnectionPool(host='x', port=1): <object at 0x1>")
    dropped.__cause__ = ConnectionResetError("Connection reset by peer")
    assert trouble(dropped).passing
    assert trouble(dropped).words == "no whole reply came from IBM (Connection reset by peer)"
    tired = requests.exceptions.RetryError(
        "(Caused by ResponseError('too many 502 error responses'))"
    )
    assert (trouble(tired).status, trouble(tired).passing) == (502, True)
    assert trouble(tired).words == "IBM's server answers with error 502"
    assert judge(ValueError("a bug")) is None
    assert trouble(DeadlineError("asking took longer than 5 s")).passing


def test_a_key_that_iam_does_not_know() -> None:
    from ibm_cloud_sdk_core import ApiException

    wrong = runtime.accounts.exceptions.InvalidAccountError("Unable to retrieve instances.")
    body = '{"errorMessage": "Provided API key could not be found."}'
    wrong.__cause__ = ApiException(400, http_response=reply(400, body))
    assert judge(wrong) is None
    assert "does not accept the API key (400: Provided API key" in str(explain(wrong, "opening"))
    down = runtime.accounts.exceptions.InvalidAccountError("Unable to retrieve instances.")
    down.__cause__ = requests.ConnectionError("refused")
    assert judge(down) == 0.0
    assert isinstance(explain(down, "opening"), NetworkError)


def test_keys_are_taken_out_of_every_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QISKIT_IBM_TOKEN", "key-of-the-environment")
    keep_secret("key-of-a-file")
    text = hide("got 'key-of-a-file' and key-of-the-environment")
    assert text == "got '***' and ***"
    assert "key-of" not in str(explain(ValueError("bad key-of-a-file"), "opening"))
    told = Told(trouble(ValueError("bad key-of-a-file")).words)
    assert "key-of" not in trouble(told).words


def test_accounts_are_seen_without_the_client(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pathlib import Path

    file = Path(str(tmp_path)) / "accounts.json"
    monkeypatch.setattr("ebit.backends.ibm_client.ACCOUNTS", file)
    assert not account_visible()
    for text in ("", "[]", "{", '{"old": {"channel": "ibm_quantum", "token": "t"}}'):
        file.write_text(text)
        assert not account_visible()
    assert "QISKIT_IBM_TOKEN" in listing()[0].note
    runtime.QiskitRuntimeService.save_account(token="t" * 44, filename=str(file))
    assert account_visible()
    assert listing()[0].usable


@given(
    shares=st.lists(st.integers(1, 5000), min_size=1, max_size=40),
    most_shots=st.integers(1, 1500),
    most_circuits=st.integers(1, 12),
    executions=st.integers(1, 9000),
)
def test_a_run_is_split_within_the_limits_and_loses_nothing(
    shares: list[int], most_shots: int, most_circuits: int, executions: int
) -> None:
    parts = split(shares, most_shots=most_shots, most_circuits=most_circuits, executions=executions)
    total = [0] * len(shares)
    for part in parts:
        assert 1 <= part.shots <= most_shots
        assert 1 <= len(part.circuits) <= most_circuits
        assert part.shots * len(part.circuits) <= executions
        for circuit in part.circuits:
            total[circuit] += part.shots
    assert total == shares
    plan = Plan("run.1", "abc", "ibm_x", (3, 4), (2,) * len(shares), parts)
    assert Plan.from_plain(plan.to_plain()) == plan
    assert plan.shots == tuple(shares)
    assert plan_of(plan.handle("ibm:ibm_x", {}, {}, "job")) == plan


def test_equal_shares_need_one_job() -> None:
    assert split((1000,) * 4, most_shots=100_000, most_circuits=300) == (Part((0, 1, 2, 3), 1000),)


@pytest.mark.parametrize("id", ["", "a b", "a,b", "x" * 65, "a/b", "ä"])
def test_ids_that_no_tag_can_hold(id: str) -> None:
    with pytest.raises(ArgumentError, match="id must be 1 to 64 letters"):
        run_tag(id)


def test_tags_tell_the_part_and_nothing_else() -> None:
    assert tags("r.1", 1, 3) == ["ebit", "ebit-r.1", "ebit-r.1-2-of-3"]
    assert part_from("r.1", tags("r.1", 1, 3)) == 1
    # Neither the dot nor a longer id is taken for this one.
    assert part_from("r.1", ["ebit-rx1-2-of-3", "ebit-r.1-4-2-of-3"]) is None


@pytest.mark.parametrize("device", ["fez", "manila", "sherbrooke"])
def test_lengths_agree_with_qiskit(device: str) -> None:
    """The second route is Qiskit's own estimate of a scheduled circuit's length."""
    name = {"fez": "FakeFez", "manila": "FakeManilaV2", "sherbrooke": "FakeSherbrooke"}[device]
    backend = getattr(runtime.fake_provider, name)()
    rng = np.random.default_rng(3)
    calibration = load_calibration(device)
    a, b = calibration.pairs[0]
    c = next(q for q in calibration.neighbours[b] if q != a)
    for _ in range(4):
        circuit = QuantumCircuit(3, 3)
        for _ in range(6):
            pair = [[0, 1], [1, 2]][int(rng.integers(2))]
            circuit.ry(float(rng.uniform(0, 6)), int(rng.integers(3)))
            circuit.cx(*pair)
            if rng.integers(3) == 0:
                circuit.barrier()
        circuit.measure(range(3), range(3))
        native = transpile(
            circuit, backend, initial_layout=[a, b, c], optimization_level=0, seed_transpiler=1
        )
        expected = native.estimate_duration(backend.target, unit="s")
        assert circuit_seconds(native, calibration) == pytest.approx(expected, rel=1e-4)


def test_a_condition_takes_its_longer_branch() -> None:
    fez = load_calibration("fez")
    circuit = QuantumCircuit(QuantumRegister(156, "q"), ClassicalRegister(1, "c"))
    circuit.measure(3, 0)
    with circuit.if_test((circuit.clbits[0], 1)) as otherwise:
        circuit.sx(4)
        circuit.sx(4)
    with otherwise:
        circuit.sx(4)
    read, gate = fez.readout[3], fez.gates["sx"][(4,)]
    assert read is not None
    assert read.duration
    assert gate.duration
    assert circuit_seconds(circuit, fez) == pytest.approx(read.duration + 2 * gate.duration)


def test_the_cost_model() -> None:
    parts = [Part((0, 1), 1000), Part((2,), 500)]
    by_hand = 2 + 1000 * (250e-6 + 1e-6 + 250e-6 + 2e-6) + 2 + 500 * (250e-6 + 3e-6)
    assert quantum_seconds(parts, (1e-6, 2e-6, 3e-6), 250e-6) == pytest.approx(by_hand)


@pytest.mark.parametrize("shots", [1, 63, 64, 1000, 4096, 100_000])
def test_randomisations_never_take_more_than_asked(shots: int) -> None:
    count, each = randomizations(shots)
    assert shots - count < count * each <= shots
    assert Options(twirl_gates=True).rounded(shots) == count * each
    assert Options().rounded(shots) == shots


def sherbrooke(*gates: tuple[str, tuple[int, ...]]) -> QuantumCircuit:
    circuit = QuantumCircuit(QuantumRegister(127, "q"), ClassicalRegister(2, "c"), name="it")
    for name, where in gates:
        getattr(circuit, name)(*where)
    return circuit


@pytest.mark.parametrize(
    ("gate", "words"),
    [
        (("h", (3,)), r"h on 3 is not native .* it has .*ecr"),
        (("cx", (1, 0)), r"cx on 1,0 is not native"),
        (("ecr", (0, 1)), r"ecr on 0,1 is not native .* it has ecr on 1,0 only"),
        (("ecr", (1, 9)), r"ecr on 1,9 is not native .* not coupled"),
    ],
)
def test_gates_that_a_processor_lacks(gate: tuple[str, tuple[int, ...]], words: str) -> None:
    target = runtime.fake_provider.FakeSherbrooke().target
    check_native([sherbrooke(("sx", (0,)), ("ecr", (1, 0)))], target, "sherbrooke", Options())
    inside = sherbrooke()
    inside.measure(5, 0)
    with inside.if_test((inside.clbits[0], 1)):
        getattr(inside, gate[0])(*gate[1])
    for circuit in (sherbrooke(gate), inside):
        with pytest.raises(GuardError, match=words):
            check_native([circuit], target, "sherbrooke", Options())


def test_conditions_and_parameters() -> None:
    target = runtime.fake_provider.FakeSherbrooke().target
    circuit = sherbrooke()
    circuit.measure(5, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(4)
    check_native([circuit], target, "sherbrooke", Options())
    with pytest.raises(ArgumentError, match="dynamical_decoupling cannot be used"):
        check_native([circuit], target, "sherbrooke", Options(dynamical_decoupling="XX"))
    without = Target(num_qubits=5)
    without.add_instruction(Measure(), {(q,): None for q in range(5)})
    without.add_instruction(XGate(), {(q,): None for q in range(5)})
    small = QuantumCircuit(2, 1)
    small.measure(0, 0)
    with small.if_test((small.clbits[0], 1)):
        small.x(1)
    with pytest.raises(ArgumentError, match="corrects afterwards"):
        check_native([small], without, "lima", Options())
    free = sherbrooke()
    free.rz(Parameter("angle"), 3)
    with pytest.raises(ArgumentError, match="bind angle"):
        check_native([free], target, "sherbrooke", Options())
    with pytest.raises(GuardError, match="has 127 qubits, but lima has 5"):
        check_native([sherbrooke()], without, "lima", Options())


@pytest.mark.parametrize("widths", [(1,), (8,), (9,), (2, 3), (9, 1, 2)])
def test_bits_of_registers_in_their_order(widths: tuple[int, ...]) -> None:
    rng = np.random.default_rng(sum(widths))
    wanted = rng.integers(0, 2, sum(widths))
    registers = [ClassicalRegister(size, f"r{i}") for i, size in enumerate(widths)]
    circuit = QuantumCircuit(QuantumRegister(sum(widths), "q"), *registers)
    for i in np.flatnonzero(wanted):
        circuit.x(int(i))
    order = rng.permutation(sum(widths))
    circuit.measure([int(i) for i in order], [int(i) for i in order])
    pub = StatevectorSampler(seed=1).run([circuit], shots=3).result()[0]
    sizes = [(register.name, register.size) for register in registers]
    packed = bits_of_pub(pub, sizes, 3, "the job")
    assert packed.shape == (3, (sum(widths) + 7) // 8)
    bits = np.unpackbits(packed, axis=1, count=sum(widths), bitorder="little")
    assert (bits == wanted).all()
    with pytest.raises(JobError, match="3 shots instead of 4"):
        bits_of_pub(pub, sizes, 4, "the job")
