"""Sets a page: a headline, panels in a grid with a caption below each, key figures at the side, a footer.

All lengths are in inches on a landscape A4 page, so that every page of a data sheet has the same edges.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ferrogen.report.datasheet.drawing import draw_map, draw_plot, draw_text_table
from ferrogen.report.datasheet.page import Map, Panel, Plot, TextTable
from ferrogen.report.datasheet.subject import spelled
from ferrogen.report.style import GREY, INK, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH: Final = 11.69
HEIGHT: Final = 8.27

_LEFT, _RIGHT, _TOP, _BOTTOM = 0.4, 0.35, 0.80, 0.42
_SIDE = 2.55
_GAP = 0.28
_PAD_LEFT, _PAD_RIGHT, _PAD_TOP, _PAD_BOTTOM = 0.66, 0.10, 0.30, 0.46
_END_LABELS = 1.05
_COLOUR_BAR = 0.75
_LINE = 0.128
_CAPTION_SIZE = 7.5
_CHARACTER = 0.0555
_SHORTEST_AXES = 0.9
_MOST_ROWS = 3
_TITLE_SIZE, _TITLE_CHARACTER = 10.0, 0.088  # points, and inches of a bold character of that size
_TABLE_SIZE = 7.5  # points, in rows of the usual height


@dataclass(frozen=True, slots=True)
class Cell:
    """One panel of a page, of one card or of several over one another; each with the card's name."""

    panels: Sequence[tuple[str, Panel]]
    caption: str
    title: str
    lettered: bool = True


@dataclass(frozen=True, slots=True)
class Side:
    """The key figures at the side of a page: name -> value and unit, one column a card."""

    cards: Sequence[str]
    figures: Sequence[Mapping[str, Mapping[str, Any]]]


def set_page(
    title: str, subtitle: str, cells: Sequence[Cell], side: Side | None, footer: str, columns: int = 0
) -> Figure:
    """Return a page; call it inside :func:`ferrogen.report.style.styled`.

    Args:
        title: of the page.
        subtitle: one line below it.
        cells: panels, in reading order.
        side: key figures; None for none.
        footer: one line.
        columns: of the grid; 0 to choose.
    """
    figure = new_figure(WIDTH, HEIGHT, constrained=False)
    figure.text(_LEFT / WIDTH, 1.0 - 0.36 / HEIGHT, title, fontsize=15.0, fontweight="bold", va="center")
    figure.text(_LEFT / WIDTH, 1.0 - 0.60 / HEIGHT, subtitle, fontsize=9.0, color=GREY, va="center")
    figure.text(_LEFT / WIDTH, 0.17 / HEIGHT, footer, fontsize=7.5, color=GREY, va="center")
    _rule(figure, HEIGHT - 0.74)
    _rule(figure, 0.31)
    shown = side is not None and any(side.figures)
    right = WIDTH - _RIGHT - (_SIDE + _GAP if shown else 0.0)
    if side is not None and shown:
        _draw_side(figure, side)
    if not columns or len(cells) > _MOST_ROWS * columns:
        columns = 1 if len(cells) <= 1 else 2 if len(cells) <= 4 else 3
    rows = [cells[k : k + columns] for k in range(0, len(cells), columns)]
    heights = [max(_caption_height(cell, (right - _LEFT - (len(row) - 1) * _GAP) / len(row)) for cell in row)
               for row in rows]  # fmt: skip
    fixed = [_table_height(row) for row in rows]
    free = HEIGHT - _TOP - _BOTTOM - (len(rows) - 1) * 0.14 - sum(heights) - sum(item or 0.0 for item in fixed)
    free -= sum(_PAD_TOP + (0.12 if item else _PAD_BOTTOM) for item in fixed)
    share = max(free / max(fixed.count(None), 1), _SHORTEST_AXES)
    top = HEIGHT - _TOP
    letter = ord("a")
    for row, caption_height, own in zip(rows, heights, fixed, strict=True):
        axes_height = share if own is None else own
        width = (right - _LEFT - (len(row) - 1) * _GAP) / len(row)
        for k, cell in enumerate(row):
            left = _LEFT + k * (width + _GAP)
            _draw_cell(figure, cell, chr(letter) if len(cells) > 1 else "", left, top, width, axes_height)
            letter += 1
        top -= _PAD_TOP + axes_height + (0.12 if own else _PAD_BOTTOM) + caption_height + 0.14
    return figure


def _table_height(row: Sequence[Cell]) -> float | None:
    """Return the height of a row of nothing but tables; None for one that takes what is left."""
    tables = [cell.panels[0][1] for cell in row]
    lines = [len(item.rows) for item in tables if isinstance(item, TextTable)]
    return (
        (max(lines) + 1.4) * max(item.row for item in tables if isinstance(item, TextTable))
        if len(lines) == len(tables)
        else None
    )


def _rule(figure: Figure, y: float) -> None:
    from matplotlib.lines import Line2D

    figure.add_artist(Line2D([_LEFT / WIDTH, 1.0 - _RIGHT / WIDTH], [y / HEIGHT] * 2, color="#C8C8C8", linewidth=0.8))


def _wrapped(text: str, width: float, size: float = _CAPTION_SIZE) -> list[str]:
    return textwrap.wrap(text, max(10, int(width / (_CHARACTER * size / _CAPTION_SIZE))))


def _caption_height(cell: Cell, width: float) -> float:
    return _LINE * len(_wrapped(cell.caption, width - 0.05)) + 0.06


def _draw_cell(
    figure: Figure, cell: Cell, letter: str, left: float, top: float, width: float, axes_height: float
) -> None:
    first = cell.panels[0][1]
    title = f"{letter}   {cell.title}" if letter and cell.lettered else cell.title
    figure.text(
        left / WIDTH, (top - 0.13) / HEIGHT, title, fontweight="bold", va="center",
        fontsize=min(_TITLE_SIZE, _TITLE_SIZE * width / (_TITLE_CHARACTER * max(len(title), 1))),
    )  # fmt: skip
    room = _PAD_RIGHT
    if isinstance(first, Plot) and first.legend == "ends":
        room = _END_LABELS
    elif isinstance(first, Map):
        room = _COLOUR_BAR
    inner = (left + _PAD_LEFT, width - _PAD_LEFT - room)
    if isinstance(first, TextTable):
        inner = (left, width)
    bottom = top - _PAD_TOP - axes_height
    axes = figure.add_axes((inner[0] / WIDTH, bottom / HEIGHT, inner[1] / WIDTH, axes_height / HEIGHT))
    axes.tick_params(labelsize=8.0)
    axes.xaxis.label.set_fontsize(8.5)
    axes.yaxis.label.set_fontsize(8.5)
    if isinstance(first, Plot):
        draw_plot(axes, [(name, panel) for name, panel in cell.panels if isinstance(panel, Plot)])
    elif isinstance(first, Map):
        draw_map(axes, first)
    else:
        draw_text_table(axes, first, line=first.row / axes_height, size=min(_TABLE_SIZE, 52.0 * first.row))
    y = bottom - (0.12 if isinstance(first, TextTable) else _PAD_BOTTOM)
    for k, line in enumerate(_wrapped(cell.caption, width - 0.05)):
        figure.text(left / WIDTH, (y - k * _LINE) / HEIGHT, line, fontsize=_CAPTION_SIZE, color=GREY, va="top")


def _draw_side(figure: Figure, side: Side) -> None:
    """Write the key figures: the name, below it the value of each card."""
    left = WIDTH - _RIGHT - _SIDE
    top, bottom = HEIGHT - _TOP, _BOTTOM
    figure.add_artist(_panel(figure, left - 0.06, bottom, _SIDE + 0.1, top - bottom + 0.02))
    figure.text(
        (left + 0.08) / WIDTH, (top - 0.13) / HEIGHT, "Key figures", fontsize=10.0, fontweight="bold", va="center"
    )
    names = list(dict.fromkeys(name for figures in side.figures for name in figures))
    entries = []
    for name in names:
        words = _wrapped(name.replace("_", " "), _SIDE - 0.15, 7.5)
        values = [shown(figures[name]) if name in figures else "-" for figures in side.figures]
        entries.append((words, values))
    lines = sum(len(words) + len(values) for words, values in entries)
    room = top - bottom - 0.40
    line = min(0.135, (room - 0.04 * len(entries)) / max(lines, 1))
    gap = min(0.085, (room - line * lines) / max(len(entries), 1))
    size = min(7.5, line / 0.135 * 7.5)
    y = top - 0.36
    for words, values in entries:
        for text in words:
            figure.text((left + 0.08) / WIDTH, y / HEIGHT, text, fontsize=size, color=GREY, va="center")
            y -= line
        for card, value in zip(side.cards, values, strict=True):
            figure.text(
                (left + 0.08) / WIDTH, y / HEIGHT, value, fontsize=size + 1.0 if len(values) == 1 else size + 0.5,
                color=INK, va="center", fontweight="bold",
            )  # fmt: skip
            if len(values) > 1:
                figure.text(
                    (left + _SIDE - 0.08) / WIDTH, y / HEIGHT, card, fontsize=size - 0.5, color=GREY, va="center",
                    ha="right",
                )  # fmt: skip
            y -= line
        y -= gap


def _panel(figure: Figure, left: float, bottom: float, width: float, height: float) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle(
        (left / WIDTH, bottom / HEIGHT), width / WIDTH, height / HEIGHT, facecolor="#F6F7F9", edgecolor="none",
        zorder=-5, transform=figure.transFigure,
    )  # fmt: skip


def shown(item: Mapping[str, Any]) -> str:
    """Return a key figure as text: three digits and its unit; "none" for one that is not finite."""
    value, unit = item["value"], str(item["unit"])
    if value is None:
        return "none"
    if unit == "C/m^2":
        return f"{100.0 * value:.3g} µC/cm²"
    if unit == "V/m":
        return f"{1e-8 * value:.3g} MV/cm"
    if unit == "A/m^2":
        return f"{1e-4 * value:.3g} A/cm²"
    return spelled(float(value), unit)
