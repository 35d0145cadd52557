"""The wheel holds the packages of the tree: every file, byte for byte, and nothing else."""

import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(root: Path, files: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source archive, and the wheel that was built from that archive."""
    assert importlib.util.find_spec("build"), "install the test tools: make dev"
    tree = tmp_path_factory.mktemp("tree")
    for name in files:  # a copy, since what is left of an earlier build would get into the wheel
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / name, tree / name)
    out = tmp_path_factory.mktemp("built")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(tree)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return out


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    """The wheel."""
    (path,) = built.glob("*.whl")
    return path


def _in_wheel(name: str, folders: dict[str, str]) -> str | None:
    """Where a file of the tree stands in the wheel, None where it does not belong there."""
    top, _, rest = name.partition("/")
    for package, folder in folders.items():
        if folder == top and rest:
            return f"{package.replace('.', '/')}/{rest}"
    return None


def test_wheel_equals_tree(
    root: Path, files: list[str], folders: dict[str, str], wheel: Path
) -> None:
    wanted = {
        place: (root / name).read_bytes()
        for name in files
        if (place := _in_wheel(name, folders)) is not None
    }
    with zipfile.ZipFile(wheel) as archive:
        names = [n for n in archive.namelist() if ".dist-info/" not in n]
        held = {name: archive.read(name) for name in names}
    assert sorted(held) == sorted(wanted)
    assert [name for name in wanted if held[name] != wanted[name]] == []
    assert "ebit/py.typed" in held


def test_wheel_says_what_it_is(pyproject: dict[str, Any], wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        info = {n.partition(".dist-info/")[2]: n for n in archive.namelist() if ".dist-info/" in n}
        assert "licenses/LICENSE" in info
        entries = archive.read(info["entry_points.txt"]).decode()
        metadata = archive.read(info["METADATA"]).decode()
    for name, target in pyproject["project"]["scripts"].items():
        assert f"{name} = {target}" in entries
    assert "\nLicense-Expression: Apache-2.0\n" in metadata


def test_wheel_runs(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = "import ebit, ebit.cli; print(ebit.__file__, ebit.cli.__file__, sep='\\n')"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    for arguments in (["-c", code], ["-m", "ebit", "--version"]):
        done = subprocess.run(
            [sys.executable, *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env=environment,
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stderr
        if arguments[0] == "-c":  # this copy, and not an installation that is editable
            assert all(Path(line).is_relative_to(tmp_path) for line in done.stdout.split("\n")[:2])


def test_source_archive_holds_the_tree(files: list[str], built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    assert [name for name in files if name not in held and name != ".gitignore"] == []
