"""Make `typings/ebit`, the tree of links by which type checkers see the packages as `ebit`.

The folders of the packages stand at the root (`games/` is `ebit.games`), which a type checker
cannot know. Links show it the same names as an installation does. Where links are not allowed
(Windows without developer mode) the files are copied: run it again after an edit.
"""

import os
import shutil
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def place(source: Path, target: Path) -> None:
    """Link `target` to `source`, or copy it where links are refused."""
    link = os.path.relpath(source, target.parent)
    if target.is_symlink() and os.readlink(target) == link:
        return
    remove(target)
    try:
        target.symlink_to(link, source.is_dir())
    except OSError:
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target)


def remove(path: Path) -> None:
    """Remove a link or a copy, never what a link leads to."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def main() -> None:
    """Bring `typings/ebit` into line with the packages that pyproject.toml lists."""
    with open(ROOT / "pyproject.toml", "rb") as file:
        folders: dict[str, str] = tomllib.load(file)["tool"]["setuptools"]["package-dir"]
    tree = ROOT / "typings" / "ebit"
    tree.mkdir(parents=True, exist_ok=True)
    wanted = {p.removeprefix("ebit."): ROOT / f for p, f in folders.items() if p != "ebit"}
    front = ROOT / folders["ebit"]
    wanted |= {p.name: p for p in front.iterdir() if p.suffix == ".py" or p.name == "py.typed"}
    for name, source in wanted.items():
        place(source, tree / name)
    for path in tree.iterdir():
        if path.name not in wanted:
            remove(path)


if __name__ == "__main__":
    main()
