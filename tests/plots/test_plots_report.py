"""A report is one sound HTML file that needs nothing else, whatever the scores say."""

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from ebit.analysis import RunInfo, Score
from ebit.analysis.fringe import FringeScore
from ebit.analysis.state_result import StateScore
from ebit.games import ArgumentError
from ebit.plots import (
    Picture,
    Section,
    bell_section,
    fringe_section,
    state_section,
    write_report,
)

VOID = {"meta", "img", "br", "hr", "input", "link"}


class Checker(HTMLParser):
    """Follows the tags, and keeps what could go wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.images: list[dict[str, str]] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.headings: list[int] = []
        self.tags: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        assert not any(name.startswith("on") for name in found)
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        if tag == "img":
            self.images.append(found)
        if re.fullmatch(r"h\d", tag):
            self.headings.append(int(tag[1]))
        self.ids += [found["id"]] if "id" in found else []
        self.links += [found[name] for name in ("href", "src", "action", "data") if name in found]

    def handle_endtag(self, tag: str) -> None:
        assert self.open
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data


def check(path: Path) -> Checker:
    page = path.read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    parsed = Checker()
    parsed.feed(page)
    parsed.close()
    assert parsed.open == []
    assert not parsed.tags & {"script", "link", "iframe", "object", "embed"}
    assert parsed.links
    for link in parsed.links:
        assert link.startswith(("#", "data:image/png;base64,"))
        if link.startswith("#"):
            assert link[1:] in parsed.ids
        else:
            assert base64.b64decode(link.split(",")[1]).startswith(b"\x89PNG")
    for image in parsed.images:
        assert len(image["alt"]) > 20
        assert int(image["width"]) > 0
    assert "url(" not in page
    assert "@import" not in page
    assert len(parsed.ids) == len(set(parsed.ids))
    assert parsed.headings[0] == 1
    assert parsed.headings.count(1) == 1
    steps = zip(parsed.headings, parsed.headings[1:], strict=False)
    assert all(after - before <= 1 for before, after in steps)
    return parsed


def test_every_score_in_one_report(
    scores: dict[str, Score], state: StateScore, fringe: FringeScore, tmp_path: Path
) -> None:
    sections = [bell_section(found, title=f"Bell: {name}") for name, found in scores.items()]
    sections += [state_section(state), fringe_section(fringe, note="A note & more.")]
    path = write_report(tmp_path / "out" / "report.html", sections, title="All <of> them")
    parsed = check(path)
    assert len(parsed.images) == 2 * len(scores) + 2
    assert parsed.headings.count(2) == len(sections)
    assert "All <of> them" in parsed.text
    assert "A note & more." in parsed.text
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]


def test_what_a_score_rests_on_is_seen(scores: dict[str, Score], tmp_path: Path) -> None:
    found = replace(
        scores["counts"],
        assumptions=("an assumption <script>alert(1)</script>",),
        not_given=("not given & never",),
        withheld={"S": "a reason of its own"},
        run=RunInfo("<img src=x onerror=alert(1)>"),
    )
    page = write_report(tmp_path / "r.html", [bell_section(found)], title="T").read_text()
    parsed = check(tmp_path / "r.html")
    text = " ".join(parsed.text.split())
    assert found.verdict in text
    assert "an assumption <script>alert(1)</script>" in text
    assert "not given & never" in text
    assert "S: a reason of its own" in text
    assert "<img src=x onerror=alert(1)>" in text
    folded = re.findall(r"<details(?! open)", page)
    assert not folded
    for evidence in found.evidence:
        if not evidence.valid:
            assert evidence.reason in text


def test_alternative_texts_say_the_numbers(
    scores: dict[str, Score], state: StateScore, fringe: FringeScore
) -> None:
    found = scores["violation"]
    values, evidence = (picture.alt for picture in bell_section(found).figures)
    assert f"S = {found.S:.4f}" in values
    assert "quantum bound 2.8284" in values
    assert found.path is not None
    assert f"{found.path.log10_e[-1]:.1f}" in evidence
    assert f"{state.fidelity:.4f}" in state_section(state).figures[0].alt
    assert f"{fringe.visibility:.4f}" in fringe_section(fringe).figures[0].alt
    assert "withheld" in bell_section(scores["withheld"]).figures[1].alt
    assert f"{scores['wins'].win_rate:.4f}" in bell_section(scores["wins"]).figures[0].alt


def test_equal_titles_get_different_anchors(tmp_path: Path) -> None:
    sections = [Section("Same"), Section("Same"), Section("!"), Section("Same 2")]
    parsed = check(write_report(tmp_path / "r.html", sections, title="T"))
    assert len(parsed.ids) == 8


def test_print_phone_and_dark(tmp_path: Path) -> None:
    page = write_report(tmp_path / "r.html", [Section("One")], title="T").read_text()
    for wanted in ("@media print", "max-width: 40rem", "prefers-color-scheme: dark", "viewport"):
        assert wanted in page
    assert "default-src 'none'" in page


def test_the_same_sections_give_the_same_file(scores: dict[str, Score], tmp_path: Path) -> None:
    pages = [
        write_report(tmp_path / name, [bell_section(scores["violation"])], title="T").read_bytes()
        for name in ("a.html", "b.html")
    ]
    assert pages[0] == pages[1]


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="sections"):
        write_report(tmp_path / "r.html", [], title="T")
    unnamed = Section("One", figures=(Picture(Figure(), " "),))
    with pytest.raises(ArgumentError, match="alt"):
        write_report(tmp_path / "r.html", [unnamed], title="T")
    (tmp_path / "file").write_text("")
    with pytest.raises(ArgumentError, match="cannot write"):
        write_report(tmp_path / "file" / "r.html", [Section("One")], title="T")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
