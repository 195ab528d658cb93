"""The floor plan of a mapping: which cells of which tiles belong to which layer."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ferrogen.core.errors import argument_error
from ferrogen.mapping.report import MappingReport
from ferrogen.report.style import GREY, INK, PALETTE, headline, new_figure, save_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_HATCHES: Final = ("", "////", "....", "xxxx", "\\\\\\\\", "----")
_MOST_TILES: Final = 96
_MOST_NAMES: Final = 36
_EMPTY: Final = "#EFEFEF"


def _style(number: int) -> dict[str, Any]:
    """Return colour and hatch of a layer: the hatch changes when the colours have been used up."""
    hatch = _HATCHES[number // len(PALETTE) % len(_HATCHES)]
    return {"facecolor": PALETTE[number % len(PALETTE)], "hatch": hatch, "edgecolor": "white", "linewidth": 0.4}


def _short(name: str, most: int = 30) -> str:
    return name if len(name) <= most else "…" + name[1 - most :]


def save_floor_plan(report: MappingReport, path: Path | str, *, title: str = "Where the layers are") -> None:
    """Draw every tile in use with the cells of each layer on it, and name the layers.

    At most 96 tiles are drawn; the caption says how many are not.

    Args:
        report: of a mapped module.
        path: PNG file.
        title: above the figure.

    Raises:
        ArgumentError: no layer is on a tile, or the path does not end in ``.png``.
        OutputError: the folder cannot be written.
    """
    if not report.blocks:
        raise argument_error("report", "be of a module with layers on tiles", "of one without")
    numbers = sorted({block.tile for block in report.blocks})
    drawn = numbers[:_MOST_TILES]
    across = min(len(drawn), max(4, math.ceil(math.sqrt(1.6 * len(drawn)))))
    down = math.ceil(len(drawn) / across)
    order = {name: k for k, name in enumerate(dict.fromkeys(block.layer for block in report.blocks))}
    aspect = report.lines / report.rows
    each = min(1.7, 8.4 / across)
    height = each / min(max(aspect, 0.5), 2.0)
    named = list(order)[:_MOST_NAMES]
    columns = 1 if len(named) <= 18 else 2
    width = max(each * across, 3.6) + 0.3 + 2.7 * columns
    with styled():
        import matplotlib as mpl

        mpl.rcParams["hatch.color"], mpl.rcParams["hatch.linewidth"] = "white", 1.0  # styled() sets them back
        figure = new_figure(width, max(down * (height + 0.22), 0.19 * math.ceil(len(named) / columns) + 0.4) + 1.15)
        grid = figure.add_gridspec(down, across)
        for k, number in enumerate(drawn):
            axes = figure.add_subplot(grid[k // across, k % across])
            _draw_tile(axes, report, number, order, named=across <= 12)
        _legend(figure, named, order, columns)
        left = len(numbers) - len(drawn)
        caption = (
            f"Each square is a tile of {report.rows} word lines (down) by {report.lines} bit lines (across)."
            f" {report.utilisation:.1%} of the cells of {report.tiles_used} tiles carry weights;"
            f" {report.tiles_free} of {report.tiles_of_chip} tiles are free."
            + (f" {left} more tiles are not drawn." if left else "")
            + (f" {len(order) - len(named)} more layers are not named." if len(order) > len(named) else "")
        )
        coverage = "" if math.isnan(report.coverage) else f"{report.coverage:.2%} of the products are on the chip."
        headline(figure, title, caption, footer=f"Card {report.card}, chip {report.seed}. {coverage}".strip())
        save_figure(figure, Path(path))


def _draw_tile(axes: Axes, report: MappingReport, number: int, order: dict[str, int], *, named: bool) -> None:
    from matplotlib.patches import Rectangle

    axes.set_xlim(0, report.lines)
    axes.set_ylim(report.rows, 0)
    axes.set_facecolor(_EMPTY)
    axes.grid(visible=False)
    axes.set_xticks([])
    axes.set_yticks([])
    for block in report.blocks:
        if block.tile == number:
            corner = (block.line, block.row)
            axes.add_patch(Rectangle(corner, block.lines, block.rows, **_style(order[block.layer])))
    for side in ("left", "right", "top", "bottom"):
        axes.spines[side].set_visible(True)
        axes.spines[side].set_color(GREY)
        axes.spines[side].set_linewidth(0.6)
    if named:
        axes.set_title(f"{number}", fontsize=7.5, color=GREY, pad=2)


def _legend(figure: Figure, named: list[str], order: dict[str, int], columns: int) -> None:
    from matplotlib.patches import Patch

    handles: list[Any] = [Patch(label=_short(name or "(the module)"), **_style(order[name])) for name in named]
    handles.append(Patch(facecolor=_EMPTY, edgecolor=GREY, linewidth=0.4, label="no weights"))
    legend = figure.legend(handles=handles, loc="outside right upper", ncols=columns, fontsize=8.0, handleheight=1.1)
    for text in legend.get_texts():
        text.set_color(INK)
