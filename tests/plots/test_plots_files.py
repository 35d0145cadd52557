"""Picture files are valid, the same each time, and whole or not there."""

import struct
import zlib
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ebit.analysis import Score
from ebit.analysis.fringe import FringeScore
from ebit.analysis.state_result import StateScore
from ebit.games import ArgumentError
from ebit.plots import save_fringe_figure, save_score_figures, save_state_figure


def png_size(data: bytes) -> tuple[int, int]:
    """Walk through the chunks of a PNG, checking each sum, and return its size."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    place, kinds, size = 8, [], (0, 0)
    while place < len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        kind, body = data[place + 4 : place + 8], data[place + 8 : place + 8 + length]
        (check,) = struct.unpack(">I", data[place + 8 + length : place + 12 + length])
        assert check == zlib.crc32(kind + body)
        if kind == b"IHDR":
            size = struct.unpack(">II", body[:8])
        kinds.append(kind)
        place += 12 + length
    assert kinds[0] == b"IHDR"
    assert kinds[-1] == b"IEND"
    return size


def check_svg(path: Path) -> None:
    root = ElementTree.fromstring(path.read_bytes())
    assert root.tag.endswith("svg")
    assert len(list(root.iter())) > 20


@pytest.mark.parametrize("name", ["violation", "withheld", "square", "many questions"])
def test_files_of_a_score(scores: dict[str, Score], name: str, tmp_path: Path) -> None:
    paths = save_score_figures(scores[name], tmp_path / "new" / "folder")
    assert [p.name for p in paths] == ["correlators.png", "correlators.svg", "evidence.png"]
    assert {p.name for p in (tmp_path / "new" / "folder").iterdir()} == {p.name for p in paths}
    for path in paths:
        if path.suffix == ".png":
            width, height = png_size(path.read_bytes())
            assert width >= 600
            assert height >= 400
        else:
            check_svg(path)


def test_files_of_states_and_fringes(
    state: StateScore, fringe: FringeScore, tmp_path: Path
) -> None:
    for paths in (save_state_figure(state, tmp_path), save_fringe_figure(fringe, tmp_path)):
        assert [p.suffix for p in paths] == [".png", ".svg"]
        png_size(paths[0].read_bytes())
        check_svg(paths[1])


def test_the_same_score_gives_the_same_files(scores: dict[str, Score], tmp_path: Path) -> None:
    one = save_score_figures(scores["violation"], tmp_path / "a")
    two = save_score_figures(scores["violation"], tmp_path / "b")
    assert [p.read_bytes() for p in one] == [p.read_bytes() for p in two]


def test_a_folder_that_cannot_be_written(scores: dict[str, Score], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ArgumentError, match="cannot write"):
        save_score_figures(scores["violation"], tmp_path / "file")


def test_nothing_is_written_when_drawing_fails(
    scores: dict[str, Score], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ebit.plots.save as save

    real = save.picture_bytes

    def breaks(figure, kind="png"):
        if kind == "svg":
            raise RuntimeError("no ink")
        return real(figure, kind)

    monkeypatch.setattr(save, "picture_bytes", breaks)
    with pytest.raises(RuntimeError):
        save_score_figures(scores["violation"], tmp_path)
    assert list(tmp_path.iterdir()) == []
