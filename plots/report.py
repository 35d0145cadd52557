"""One HTML file that holds everything: words, tables and pictures, for screen, phone and paper."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from ebit._version import __version__
from ebit.games import ArgumentError, write_whole
from ebit.plots.style import picture_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Picture", "Section", "write_report"]

# Nothing is loaded and nothing runs, whatever a section holds.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

_CSS = """
:root { color-scheme: light dark; --text: #1b1b1b; --soft: #555; --page: #fff; --line: #d0d0d0;
  --band: #f4f6f8; --link: #00558a; }
@media (prefers-color-scheme: dark) { :root { --text: #e8e8e8; --soft: #b0b0b0; --page: #16181b;
  --line: #3b3f45; --band: #1f2327; --link: #6fbcf0; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem 1.25rem 3rem; max-width: 54rem; color: var(--text);
  background: var(--page); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 1rem 0 .5rem; }
h2 { font-size: 1.25rem; margin: 2.2rem 0 .6rem; padding-top: .8rem; border-top: 1px solid var(--line); }
h3 { font-size: 1.02rem; margin: 1.4rem 0 .4rem; }
a { color: var(--link); }
nav ul { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; list-style: none; margin: 0; padding: 0; }
p.verdict { font-size: 1.08rem; padding: .7rem 1rem; background: var(--band); margin: .6rem 0;
  border-left: 5px solid var(--soft); }
p.violation, p.genuine, p.entangled { border-color: #0072b2; }
p.signalling, p.fault { border-color: #d55e00; }
.figures { display: flex; flex-wrap: wrap; gap: .5rem 1.2rem; margin: 1rem 0; align-items: flex-end; }
figure { margin: 0; flex: 1 1 23rem; max-width: 40rem; }
figure img { display: block; max-width: 100%; height: auto; background: #fff; border-radius: 4px; }
figcaption, p.note, footer { color: var(--soft); font-size: .9rem; }
figcaption { margin-top: .35rem; }
.scroll { overflow-x: auto; }
.scroll > div { font: inherit !important; }
.scroll > div > p:first-child { display: none; }
table { border-collapse: collapse; font-size: .93rem; font-variant-numeric: tabular-nums; }
td, th { border-bottom: 1px solid var(--line); }
summary { font-weight: 600; margin-top: .8rem; }
ul { padding-left: 1.3rem; margin: .3rem 0; }
footer { margin-top: 2.5rem; border-top: 1px solid var(--line); padding-top: .6rem; }
@media (max-width: 40rem) {
  body { padding: .5rem .8rem 2rem; }
  .scroll > div > table:first-of-type > tbody > tr > * { display: block; width: 100%;
    border: 0; padding: 0 !important; white-space: normal !important; }
  .scroll > div > table:first-of-type > tbody > tr { display: block; padding: .35rem 0;
    border-bottom: 1px solid var(--line); }
}
@media print {
  :root { --text: #000; --soft: #444; --page: #fff; --line: #bbb; --band: #f4f4f4; --link: #000; }
  body { max-width: none; padding: 0; font-size: 10.5pt; }
  nav { display: none; }
  figure, p.verdict, tr, li { break-inside: avoid; }
  h2, h3, p.verdict { break-after: avoid; }
}
"""


@dataclass(frozen=True)
class Picture:
    """A figure as a report shows it.

    Attributes:
        figure: a matplotlib figure.
        alt: what it shows, for those who cannot see it; it must not be empty.
        caption: a line below it.
    """

    figure: Figure
    alt: str
    caption: str = ""


@dataclass(frozen=True)
class Section:
    """A part of a report.

    Attributes:
        title: its heading, plain text.
        html: what comes first, HTML whose maker has escaped what it holds; headings from h3 down.
        figures: shown below it, side by side where there is room.
        note: a last word in small print, plain text.
        more: HTML below the figures, as for ``html``.
    """

    title: str
    html: str = ""
    figures: tuple[Picture, ...] = ()
    note: str = ""
    more: str = ""


def write_report(path: str | Path, sections: Iterable[Section], *, title: str) -> Path:
    """Write one self-contained HTML file: no network, no script, pictures inside.

    It is written whole or not at all, and the same sections give the same file.

    Args:
        path: where the file goes.
        sections: its parts, in order.
        title: the heading of the page, plain text.

    Returns:
        The path.

    Raises:
        ArgumentError: no section, a picture without an alternative text, or a file that cannot
            be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = write_report(f"{folder}/report.html", [Section("Hello")], title="Test")
        ...     path.name
        'report.html'
    """
    parts = tuple(sections)
    if not parts:
        raise ArgumentError("sections must have at least one section, but was empty")
    names = _anchors(parts)
    body = "".join(_section(part, name) for part, name in zip(parts, names, strict=True))
    contents = ""
    if len(parts) > 1:
        items = "".join(
            f'<li><a href="#{name}">{escape(part.title)}</a></li>'
            for part, name in zip(parts, names, strict=True)
        )
        contents = f'<nav aria-label="Contents"><ul>{items}</ul></nav>'
    page = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_CSS}</style>\n</head>\n<body>\n"
        f"<header><h1>{escape(title)}</h1>{contents}</header>\n<main>\n{body}</main>\n"
        f"<footer>Written by ebit {escape(__version__)}.</footer>\n</body>\n</html>\n"
    )
    return write_whole(path, page)


def _anchors(parts: tuple[Section, ...]) -> list[str]:
    names: list[str] = []
    for part in parts:
        name = re.sub(r"[^a-z0-9]+", "-", part.title.lower()).strip("-") or "section"
        unique, k = name, 2
        while unique in names:
            unique, k = f"{name}-{k}", k + 1
        names.append(unique)
    return names


def _section(part: Section, name: str) -> str:
    figures = "".join(_figure(picture) for picture in part.figures)
    if figures:
        figures = f'<div class="figures">\n{figures}</div>\n'
    note = f'<p class="note">{escape(part.note)}</p>\n' if part.note else ""
    return (
        f'<section id="{name}" aria-labelledby="{name}-title">\n'
        f'<h2 id="{name}-title">{escape(part.title)}</h2>\n{part.html}\n{figures}{part.more}\n{note}</section>\n'
    )


def _figure(picture: Picture) -> str:
    if not picture.alt.strip():
        raise ArgumentError("alt of a picture must say what it shows, but was empty")
    data = base64.b64encode(picture_bytes(picture.figure)).decode()
    width, height = (round(96 * inches) for inches in picture.figure.get_size_inches())
    caption = f"<figcaption>{escape(picture.caption)}</figcaption>" if picture.caption else ""
    return (
        f'<figure><img src="data:image/png;base64,{data}" width="{width}" height="{height}" '
        f'alt="{escape(picture.alt)}">{caption}</figure>\n'
    )
