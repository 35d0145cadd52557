"""The commands and the code of README.md and of docs/ run as they are written.

The blocks of one document run in their order in one empty folder, so that a command may use what
an earlier one wrote. Two commands are only tried out: `make` is asked whether it knows the target
(`make check` runs it), and `pip install` stops short of installing. A block is left out only by a comment above it that says why:

    <!-- not run: needs an account -->

and a block whose commands must leave with another code than 0 says so:

    <!-- exit code 3: there is no key -->
"""

import doctest
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

SHELL = {"console", "bash", "sh", "shell", "shell-session"}
PYTHON = {"python", "py", "pycon"}
RUN = {"ebit", "python", "python3"}
PIP_DRY = "--dry-run --no-deps --no-build-isolation --quiet --disable-pip-version-check"
EXIT = re.compile(r"<!--\s*exit code (\d+)\b.*-->")
NOT_RUN = re.compile(r"<!--\s*not run:\s*\S.*-->")


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, the line of the document it starts at, and its text."""

    language: str
    line: int
    text: str
    code: int = 0


def blocks(document: str) -> Iterator[Block]:
    """The fenced blocks of a document that are not left out by a comment."""
    above = ""
    lines = iter(enumerate(document.splitlines(), 1))
    for number, line in lines:
        fence = re.match(r"(\s*)(`{3,}|~{3,})\s*(\w[\w-]*)?", line)
        if fence is None:
            above = line if line.strip() else above
            continue
        indent, mark, language = len(fence[1]), fence[2], fence[3] or ""
        inner = []
        for _, text in lines:
            if text.strip().startswith(mark) and not text.strip().strip(mark[0]):
                break
            inner.append(text[min(indent, len(text) - len(text.lstrip())) :])
        if not NOT_RUN.search(above):
            told = EXIT.search(above)
            yield Block(language.lower(), number, "\n".join(inner), int(told[1]) if told else 0)
        above = ""


def commands(block: Block) -> list[str]:
    """The commands of a block: lines after `$ ` where there are any, else every line."""
    text = block.text.replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines()]
    if any(line.startswith("$ ") for line in lines):
        lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    return [line for line in lines if line and not line.startswith("#")]


def _run(command: str, root: Path, code: int = 0) -> None:
    words = shlex.split(command, comments=True)
    if words[0] == "make":
        if shutil.which("make") is None:  # Windows: the other commands are tried all the same
            return
        command = f"{shlex.join(words)} --dry-run --directory {shlex.quote(str(root))}"
    elif words[:2] == ["pip", "install"]:
        command = f"cd {shlex.quote(str(root))} && python -m {shlex.join(words)} {PIP_DRY}"
    elif words[0] not in RUN:
        pytest.fail(f"`{command}` cannot be tried: say why with <!-- not run: reason -->")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command,
        shell=True,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        env={**os.environ, "PATH": path},
    )
    assert done.returncode == code, (
        f"`{command}` left with {done.returncode}:\n{done.stderr[-2000:]}"
    )


def _execute(block: Block, document: str, names: dict[str, Any]) -> None:
    if ">>> " in block.text:
        report: list[str] = []
        parser = doctest.DocTestParser()
        test = parser.get_doctest(f"{block.text}\n", names, document, document, block.line)
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
        runner.run(test, out=report.append, clear_globs=False)
        names.update(test.globs)
        assert not runner.summarize(verbose=False).failed, "\n" + "".join(report)
    else:
        code = "\n" * block.line + block.text  # so that a traceback names the document's line
        exec(compile(code, document, "exec"), names)


@pytest.mark.slow
def test_document_runs(document: str, root: Path, away: Path) -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks((root / document).read_text("utf-8")):
        if block.language in SHELL:
            for command in commands(block):
                _run(command, root, block.code)
        elif block.language in PYTHON:
            _execute(block, document, names)


def test_readme_shows_commands(root: Path) -> None:
    found = list(blocks((root / "README.md").read_text("utf-8")))
    shown = [c.split()[0] for b in found if b.language in SHELL for c in commands(b)]
    assert "make" in shown
    assert "ebit" in shown


def test_blocks_are_found_and_left_out() -> None:
    document = (
        "```console\n$ ebit bell \\\n    --shots 10\nS = 2.7\n$ ebit demo # now\n```\n\n"
        "<!-- not run: needs an account -->\n\n```bash\nebit bell --backend ibm:x\n```\n"
        "<!-- exit code 3: no key -->\n```bash\n# a remark\nebit demo\n```\n"
        "- item\n\n  ```python\n  if True:\n      x = 1\n  ```\n"
        "<!-- not run: -->\n~~~~bash\nebit jobs\n~~~~\n"
    )
    found = list(blocks(document))
    assert [b.language for b in found] == ["console", "bash", "python", "bash"]
    assert commands(found[0]) == ["ebit bell      --shots 10", "ebit demo # now"]
    assert commands(found[1]) == ["ebit demo"]
    assert [b.code for b in found] == [0, 3, 0, 0]
    assert found[2].text == "if True:\n    x = 1"
    assert commands(found[3]) == ["ebit jobs"]  # a comment without a reason leaves nothing out


def test_what_fails_is_seen(root: Path, away: Path) -> None:
    with pytest.raises(AssertionError, match="left with 3"):
        _run("python -c 'raise SystemExit(3)'", root)
    if shutil.which("make"):
        with pytest.raises(AssertionError, match="no-such-target"):
            _run("make no-such-target", root)
    with pytest.raises(pytest.fail.Exception, match="not run"):
        _run("curl https://example.org", root)
    with pytest.raises(ZeroDivisionError):
        _execute(Block("python", 1, "1 / 0"), "x.md", {})
    with pytest.raises(AssertionError, match="Expected"):
        _execute(Block("pycon", 1, ">>> 1 + 1\n3"), "x.md", {})
