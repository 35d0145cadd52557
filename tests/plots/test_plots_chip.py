"""The picture of a chip: every pair a line, in its place, marked by what it is."""

from __future__ import annotations

from pathlib import Path

import pytest

import ebit
from ebit.analysis.chip_result import ChipMap
from ebit.plots import (
    chip_canvas,
    chip_section,
    plot_chip,
    plot_chip_values,
    plot_crosstalk,
    save_chip_figures,
    write_report,
)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> ChipMap:
    pairs = [(0, 1), (1, 2), (3, 4), (27, 28)]
    return ebit.chip_map("aer:fez", shots=1024, pairs=pairs, mode="both", seed=1)


def test_every_pair_is_a_line_between_its_qubits(found: ChipMap) -> None:
    ax = plot_chip(found)
    (lines,) = ax.collections[:1]
    segments = [[tuple(p) for p in s.tolist()] for s in lines.get_segments()]
    assert segments == [[found.positions[q] for q in pair.qubits] for pair in found.pairs]
    assert len({tuple(c) for c in lines.get_colors().tolist()}) > 1
    assert "3 of 4 pairs violate" in ax.get_title(loc="left")


def test_values_in_order_with_predictions(found: ChipMap) -> None:
    ax = plot_chip_values(found)
    drawn = {line.get_label(): line.get_ydata() for line in ax.lines}
    assert sorted(drawn["violates"], reverse=True) == list(drawn["violates"])
    assert len(drawn["predicted"]) == 4


def test_crosstalk_is_centred_on_nothing(found: ChipMap) -> None:
    ax = plot_crosstalk(found)
    assert "0 pairs" in ax.get_title(loc="left")


def test_files_and_report(found: ChipMap, tmp_path: Path) -> None:
    assert len(chip_canvas(found).axes) == 5
    names = [path.name for path in save_chip_figures(found, tmp_path)]
    assert names == ["chip.png", "chip.svg"]
    write_report(tmp_path / "report.html", [chip_section(found)], title="a chip")
    text = (tmp_path / "report.html").read_text("utf-8")
    assert "3 of 4 pairs violate" in text
    assert 'alt="The chip' in text
