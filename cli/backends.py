"""ebit backends."""

from __future__ import annotations

from textwrap import fill

import click

from ebit.cli.common import common, emit

_SHOWN = 5  # more devices than this that lack the same thing are named in one line


@click.command(name="backends")
@click.option("--all", "every", is_flag=True, help="A line for each processor's calibration.")
@common(seed=False, out=False)
def command(*, every: bool, as_json: bool, quiet: bool, debug: bool) -> None:
    """List where circuits can run, and why the rest cannot.

    Names: `aer` is an ideal simulator, `aer:fez` the same with the published calibration of IBM's
    Fez, `cirq` Cirq's simulator, `cirq:willow_pink` Google's virtual processor; `ibm:NAME` and
    `google:NAME` are real processors.
    """
    del quiet, debug
    from ebit.backends import list_backends
    from ebit.backends.calibration import shipped

    listed = list_backends()

    def text() -> str:
        usable = [b for b in listed if b.usable]
        # The calibrations that need a further package are many: their names are enough.
        first = {f"aer:{name}" for name in shipped()}
        many = [b for b in usable if b.name.startswith("aer:") and b.name not in first]
        folded = [] if every else [b.name for b in many]
        usable = usable if every else [b for b in usable if b not in many]
        rest = [b for b in listed if not b.usable]
        # Dozens of devices that lack the same package make one entry.
        shared: dict[str, list[str]] = {}
        for b in rest:
            shared.setdefault(b.note, []).append(b.name)
        groups = {} if every else {n: names for n, names in shared.items() if len(names) > _SHOWN}
        rest = [b for b in rest if b.note not in groups]
        width = max(len(b.name) for b in listed)
        lines = ["usable here:"]
        lines += [f"  {b.name:<{width}}  {_qubits(b.qubits)}  {b.note}" for b in usable]
        if folded:
            lines += [f"and with the published noise of (see --all):\n{_listing(folded)}"]
        for note, names in groups.items():
            lines += ["", f"after {note} (see --all):\n{_listing(names)}"]
        if rest:
            lines += ["", "not usable here:"]
            lines += [f"  {b.name:<{width}}  {_qubits(b.qubits)}  {b.note}" for b in rest]
        return "\n".join(lines)

    result = {
        "backends": [
            {"name": b.name, "usable": b.usable, "qubits": b.qubits, "note": b.note} for b in listed
        ]
    }
    emit(result, text, as_json=as_json)


def _listing(names: list[str]) -> str:
    return fill(", ".join(names), 96, initial_indent="  ", subsequent_indent="  ")


def _qubits(number: int | None) -> str:
    return f"{number:>4} qubits" if number is not None else " " * 11
