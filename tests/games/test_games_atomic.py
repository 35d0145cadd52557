"""Files are written whole or not at all."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from ebit.games import ArgumentError, Trials, write_whole


def half(error: BaseException) -> Callable[[BinaryIO], None]:
    """A writer that is stopped half way."""

    def write(file: BinaryIO) -> None:
        file.write(b"half of it")
        file.flush()
        raise error

    return write


@pytest.mark.parametrize("content", [b"new", "new", lambda file: file.write(b"new")])
def test_writes(content: object, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "file.txt"
    assert write_whole(path, content) == path
    assert path.read_bytes() == b"new"
    assert write_whole(str(path), "übertragen").read_text("utf-8") == "übertragen"
    assert os.listdir(path.parent) == ["file.txt"]


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), ValueError("no"), MemoryError(), SystemExit(1), GeneratorExit()]
)
def test_an_interrupted_writer_leaves_the_old_file(error: BaseException, tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(type(error)):
        write_whole(path, half(error))
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.txt"]
    with pytest.raises(type(error)):
        write_whole(tmp_path / "other.txt", half(error))
    assert os.listdir(tmp_path) == ["file.txt"]


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(ArgumentError, match=r"cannot write .*file\.txt: No space left") as caught:
        write_whole(path, half(OSError(28, "No space left on device")))
    assert "\n" not in str(caught.value)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.txt"]


@pytest.mark.parametrize("step", ["fsync", "replace", "chmod"])
def test_a_failure_at_the_end_leaves_the_old_file(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")

    def fail(*words: object, **more: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(ArgumentError, match="cannot write"):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.txt"]


def test_folders_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ArgumentError, match="cannot write"):
        write_whole(tmp_path / "file" / "below.txt", "new")
    with pytest.raises(ArgumentError, match="cannot write"):
        write_whole(tmp_path, "new")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(ArgumentError, match="cannot write"):
        Trials.from_rounds([[0, 0]], [[0, 0]]).save(tmp_path / "folder.csv")
    with pytest.raises(ArgumentError, match="cannot write"):
        write_whole(tmp_path / ("n" * 300), "new")
    assert sorted(os.listdir(tmp_path)) == ["file", "folder.csv"]
    assert not [name for name in os.listdir(tmp_path.parent) if name.endswith(".tmp")]

    def refuse(*words: object, **more: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    with pytest.raises(ArgumentError, match="Permission denied"):
        write_whole(tmp_path / "new.txt", "new")


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="permissions do not bind this user"
)
def test_a_read_only_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(ArgumentError, match="Permission denied"):
            write_whole(tmp_path / "new.txt", "new")
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".npz", ".parquet"])
def test_trials_interrupted_while_written(
    ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = Trials.from_rounds([[0, 1]] * 500, [[1, 0]] * 500, block=range(500))
    path = trials.save(tmp_path / f"t{ending}")
    before = path.read_bytes()

    def stop(*words: object, **more: object) -> None:
        raise KeyboardInterrupt

    for name in ("csvfiles.unpack", "binaryfiles.unpack", "binaryfiles.meta_of"):
        monkeypatch.setattr(f"ebit.games.{name}", stop)
    with pytest.raises(KeyboardInterrupt):
        trials.save(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_permissions_follow_the_mask(mask: int, tmp_path: Path) -> None:
    old = os.umask(mask)
    try:
        path = write_whole(tmp_path / "file.txt", "new")
        assert path.stat().st_mode & 0o777 == 0o666 & ~mask
        assert os.umask(mask) == mask
    finally:
        os.umask(old)
