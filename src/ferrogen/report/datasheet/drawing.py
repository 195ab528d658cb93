"""Draws the panels of a page: curves, maps and tables, of one card or of two over one another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ferrogen.report.datasheet.page import Array, Axis, Curve, Map, Mark, Plot, TextTable
from ferrogen.report.style import DASHES, GREY, INK, PALETTE, end_labels, sequential, si_scale, si_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PRACTICAL: Final = {
    "C/m^2": (1e2, "µC/cm²"), "V/m": (1e-8, "MV/cm"), "A/m^2": (1e-4, "A/cm²"), "1": (1.0, ""), "%": (1.0, "%"),
    "1/Hz": (1.0, "1/Hz"), "A^2/Hz": (1.0, "A²/Hz"), "m^2": (1e18, "nm²"),
}  # fmt: skip
_WITH_PREFIX: Final = ("s", "Hz", "A", "S", "V", "Ohm", "m", "J")
_MOST_DECADES: Final = 30.0
_SMALL: Final = 7.5
_PLAIN: Final = (1e-2, 1e4)  # numbers that need no power of ten
_LONG: Final = 2e3  # s
_FEW_DECADES: Final = 120.0  # largest over least value of a logarithmic axis
_NEAR_EDGE: Final = 0.1  # of the width: a mark there has its name at the other side
_CHARACTER: Final = 0.058  # inches, of small text
_HANDLE: Final = 0.45  # inches, of a legend beside its text
_HIDDEN: Final = 0.05  # of the points of the lines: a legend that hides more gets room of its own
_SECOND_DASH: Final = {"solid": (0, (5, 1.6)), "dashed": (0, (5, 1.2, 1, 1.2)), "dotted": (0, (1, 2.6))}
_FIRST_DASH: Final = {"solid": "-", "dashed": DASHES, "dotted": (0, (1.2, 1.4))}


@dataclass(frozen=True, slots=True)
class Scale:
    """How an axis is written: values times ``factor``, in ``unit``; ``prefixes`` if its ticks carry the unit."""

    factor: float
    unit: str
    prefixes: bool = False


def scale_of(axis: Axis, values: Sequence[Array]) -> Scale:
    """Return the field's own unit, SI prefixes on the ticks of a logarithmic axis, or one prefix for the whole axis."""
    if axis.unit in _PRACTICAL:
        return Scale(*_PRACTICAL[axis.unit])
    if axis.unit not in _WITH_PREFIX:
        return Scale(1.0, axis.unit)
    if axis.logarithmic:
        return Scale(1.0, axis.unit, prefixes=True)
    sizes = [np.abs(item[np.isfinite(item)]) for item in values]
    largest = max((float(item.max()) for item in sizes if item.size), default=0.0)
    if largest == 0.0 or axis.unit == "V":
        return Scale(1.0, axis.unit)
    return Scale(*si_scale(largest * 1.0001, axis.unit))


def label_of(axis: Axis, scale: Scale) -> str:
    """Return the words beside an axis."""
    return axis.name if scale.prefixes or not scale.unit else f"{axis.name} [{scale.unit}]"


def draw_plot(axes: Axes, plots: Sequence[tuple[str, Plot]]) -> None:
    """Draw a plot of one card, or those of two over one another: solid the first, dashed the second.

    Args:
        axes: empty.
        plots: each with the name of its card.
    """
    first = plots[0][1]
    curves = [item for _, plot in plots for item in plot.curves]
    x_scale, y_scale = (
        scale_of(axis, [getattr(item, which) for item in curves]) for axis, which in ((first.x, "x"), (first.y, "y"))
    )
    _prepare(axes, first, x_scale, y_scale)
    colours = _colours(plots)
    for number, (name, plot) in enumerate(plots):
        for item in plot.curves:
            if item.data and number:
                continue  # both cards bring the same data
            shown = number == 0 or _label_of_second(first, item)
            label = (item.shown or item.label) if len(plots) == 1 or item.data else item.label
            own = f"{label} ({name})" if len(plots) > 1 and number else label
            colour = INK if item.data and sum(other.data for other in plot.curves) == 1 else colours[item.label]
            _draw_curve(axes, item, x_scale.factor, y_scale.factor, colour, number, own if shown else "")
    if not any(_drawable(item, first) for item in curves):
        axes.text(0.5, 0.5, "nothing in this range", transform=axes.transAxes, ha="center", color=GREY, fontsize=9.0)
        axes.set_yticks([])
        return
    _limits(axes, _widest([plot for _, plot in plots]), curves, x_scale.factor, y_scale.factor)
    legend = None
    if first.legend == "ends":
        _name_ends(axes, plots, colours, x_scale.factor, y_scale.factor)
    elif first.legend:
        legend = _legend(axes, plots, logarithmic=first.y.logarithmic)
    _marks(axes, first.marks, x_scale.factor, y_scale.factor, legend)


def _label_of_second(first: Plot, item: Curve) -> bool:
    """Name a curve of the second card only if the first has none like it: line styles tell the cards apart."""
    return all(other.label != item.label for other in first.curves)


def _spelled_times() -> Any:
    """Return a formatter that writes "1 ms" as usual, but a megasecond, which nobody says, as a power of ten."""
    from matplotlib.ticker import EngFormatter, FuncFormatter

    short = EngFormatter(unit="s")

    def spell(value: float, place: int | None) -> str:
        if value < _LONG:
            return short(value, place)
        power = math.floor(math.log10(value) + 1e-9)
        digit = value / 10.0**power
        return f"$10^{{{power}}}$ s" if abs(digit - 1.0) < 1e-6 else f"${digit:.0f} \\cdot 10^{{{power}}}$ s"

    return FuncFormatter(spell)


def _widest(plots: Sequence[Plot]) -> Plot:
    """Return the first plot with limits that hold those of all; a limit that one of them leaves open is open."""
    low, high = [plot.y_from for plot in plots], [plot.y_to for plot in plots]
    return replace(
        plots[0],
        y_from=None if None in low else min(value for value in low if value is not None),
        y_to=None if None in high else max(value for value in high if value is not None),
    )


def _drawable(item: Curve, plot: Plot) -> bool:
    kept = np.isfinite(item.x) & np.isfinite(item.y)
    return bool(np.any(kept & (item.y > 0.0) if plot.y.logarithmic else kept))


def _prepare(axes: Axes, plot: Plot, x_scale: Scale, y_scale: Scale) -> None:
    from matplotlib.ticker import NullFormatter

    for axis, scale, item, set_scale in (
        (plot.x, x_scale, axes.xaxis, axes.set_xscale),
        (plot.y, y_scale, axes.yaxis, axes.set_yscale),
    ):
        if axis.logarithmic:
            set_scale("log")
            if scale.prefixes:
                si_ticks(item, axis.unit)
            if scale.prefixes and axis.unit == "s":
                item.set_major_formatter(_spelled_times())
            item.set_minor_formatter(NullFormatter())
    axes.set_xlabel(label_of(plot.x, x_scale), labelpad=2)
    axes.set_ylabel(label_of(plot.y, y_scale), labelpad=3)


def _narrow_ticks(axis: Any, low: float, high: float) -> None:
    """Give a logarithmic axis of few decades ticks at 1, 2 and 5, so that it is never without a number."""
    from matplotlib.ticker import FuncFormatter, LogFormatter, LogLocator

    if high / low >= _FEW_DECADES:
        return
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=12))
    if isinstance(axis.get_major_formatter(), LogFormatter):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _colours(plots: Sequence[tuple[str, Plot]]) -> dict[str, str]:
    """Give every label a colour; the same in both cards."""
    every = [item for _, plot in plots for item in plot.curves]
    labels = list(dict.fromkeys(item.label for item in every if item.colour is None and not item.like))
    ordered = plots[0][1].ordered
    ramp = sequential(len(labels)) if ordered or len(labels) > len(PALETTE) else list(PALETTE)
    chosen = dict(zip(labels, ramp, strict=False))
    for item in every:
        if isinstance(item.colour, int):
            chosen[item.label] = PALETTE[item.colour % len(PALETTE)]
        elif item.colour is not None:
            chosen[item.label] = item.colour
    for item in every:
        if item.like:
            chosen[item.label] = chosen[item.like]
    return chosen


def _draw_curve(axes: Axes, item: Curve, fx: float, fy: float, colour: str, number: int, label: str) -> None:
    x, y = fx * item.x, fy * item.y
    name = label if item.legend and label else "_"
    if item.low is not None and item.high is not None:
        axes.fill_between(
            x, fy * np.asarray(item.low), fy * np.asarray(item.high), color=colour, alpha=0.16, linewidth=0.0
        )
    if item.data:
        axes.plot(
            x, y, "o", color=colour, markersize=2.6 if x.size > 60 else 4.0, markeredgewidth=0.0, alpha=0.75, label=name
        )
        return
    if item.style in ("points", "crosses"):
        marker = "x" if item.style == "crosses" else ("o", "s")[number]
        many = x.size > 60
        axes.plot(
            x, y, marker, markersize=2.8 if many else 4.2, markerfacecolor="white", markeredgecolor=colour,
            markeredgewidth=0.8 if many else 1.1, label=name,
        )  # fmt: skip
        return
    width = {"thin": 0.8, "faint": 0.5}.get(item.style, 1.5)
    dash: Any = (_FIRST_DASH if number == 0 else _SECOND_DASH).get(item.style)
    dash = ("-" if number == 0 else _SECOND_DASH["solid"]) if dash is None else dash
    axes.plot(
        x, y, color=colour, linewidth=width, linestyle=dash, alpha=0.35 if item.style == "faint" else 1.0,
        drawstyle="steps-post" if item.style in ("steps", "faint") else "default", label=name,
    )  # fmt: skip


def _limits(axes: Axes, plot: Plot, curves: Sequence[Curve], fx: float, fy: float) -> None:
    xs = np.concatenate([fx * item.x for item in curves])
    xs = xs[np.isfinite(xs) & ((xs > 0.0) | (not plot.x.logarithmic))]
    if xs.size and xs.max() > xs.min():
        room = 0.0 if plot.legend == "ends" else 0.015
        if plot.x.logarithmic:
            ratio = (xs.max() / xs.min()) ** room
            axes.set_xlim(xs.min() / ratio, xs.max() * ratio)
        else:
            span = room * (xs.max() - xs.min())
            axes.set_xlim(xs.min() - span, xs.max() + span)
    low, high = axes.get_ylim()
    if plot.y.logarithmic:
        ys = np.concatenate([fy * item.y for item in curves])
        ys = ys[np.isfinite(ys) & (ys > 0.0)]
        if ys.size:
            low, high = ys.min() / 1.6, ys.max() * 1.6
            if high / low < 10.0:  # ticks at decades only would leave the axis without a number
                middle = math.sqrt(low * high)
                low, high = min(low, middle / 4.0), max(high, middle * 4.0)
        low = max(low, high * 10.0**-_MOST_DECADES)
    if plot.y_from is not None:
        low = max(low, fy * plot.y_from) if plot.y.logarithmic else fy * plot.y_from
    if plot.y_to is not None:
        high = min(high, fy * plot.y_to) if plot.y.logarithmic else fy * plot.y_to
    if low < high:
        axes.set_ylim(low, high)
    for logarithmic, axis in ((plot.x.logarithmic, axes.xaxis), (plot.y.logarithmic, axes.yaxis)):
        if logarithmic:
            _narrow_ticks(axis, *sorted(axis.get_view_interval()))


def _marks(axes: Axes, marks: Sequence[Mark], fx: float, fy: float, legend: Box | None) -> None:
    """Draw the marks; a name that the legend would hide stands at the bottom."""
    (low, high), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    for mark in marks:
        if mark.across and not bottom <= fy * mark.value <= top:
            continue
        colour = mark.colour or GREY
        white = {"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.85}
        if mark.across:
            axes.axhline(fy * mark.value, color=colour, linewidth=0.9, linestyle=":", zorder=1.4)
            axes.annotate(
                mark.text, (0.985, fy * mark.value), xycoords=("axes fraction", "data"), xytext=(0, 2), ha="right",
                textcoords="offset points", va="bottom", fontsize=_SMALL, color=colour, bbox=white,
            )  # fmt: skip
        elif low <= fx * mark.value <= high:
            axes.axvline(fx * mark.value, color=colour, linewidth=0.9, linestyle=DASHES, zorder=1.4)
            at = _share(axes, fx * mark.value)
            hidden = legend is not None and legend.bottom > 0.4 and legend.covers(at, 0.04)
            axes.annotate(
                mark.text, (fx * mark.value, 0.02 if hidden else 0.985), xycoords=("data", "axes fraction"),
                va="bottom" if hidden else "top", rotation=90, xytext=(2 if at < _NEAR_EDGE else -2, 0),
                ha="left" if at < _NEAR_EDGE else "right", textcoords="offset points", fontsize=_SMALL, color=colour,
                bbox=white,
            )  # fmt: skip


def _share(axes: Axes, x: float) -> float:
    """Return where a value of the x axis lies, from 0 at the left to 1."""
    return float(axes.transAxes.inverted().transform(axes.transData.transform((x, axes.get_ylim()[0])))[0])


def _name_ends(axes: Axes, plots: Sequence[tuple[str, Plot]], colours: dict[str, str], fx: float, fy: float) -> None:
    named = [item for item in plots[0][1].curves if item.legend and not item.data]
    ends = [(item, _last(item)) for item in named]
    shown = [(item, end) for item, end in ends if end is not None]
    if not shown:
        return
    at = max(fx * end[0] for _, end in shown)
    logarithmic = plots[0][1].y.logarithmic
    if logarithmic:
        end_labels(
            axes, at, [fy * end[1] for _, end in shown], [_end_name(item, plots) for item, _ in shown],
            [colours[item.label] for item, _ in shown],
        )  # fmt: skip
    else:
        _linear_end_labels(
            axes, at, [(fy * end[1], _end_name(item, plots), colours[item.label]) for item, end in shown]
        )
    if len(plots) > 1:
        _legend(axes, plots, cards_only=True)


def _end_name(item: Curve, plots: Sequence[tuple[str, Plot]]) -> str:
    return (item.shown or item.label) if len(plots) == 1 else item.label


def _last(item: Curve) -> tuple[float, float] | None:
    kept = np.flatnonzero(np.isfinite(item.x) & np.isfinite(item.y))
    return None if not kept.size else (float(item.x[kept[-1]]), float(item.y[kept[-1]]))


def _linear_end_labels(axes: Axes, x: float, ends: Sequence[tuple[float, str, str]]) -> None:
    low, high = axes.get_ylim()
    gap = 0.055 * (high - low)
    order = sorted(ends)
    heights = [height for height, _, _ in order]
    for k in range(1, len(heights)):
        heights[k] = max(heights[k], heights[k - 1] + gap)
    over = max(0.0, heights[-1] - high)
    for height, (_, text, colour) in zip(heights, order, strict=True):
        axes.annotate(
            text, (x, height - over), xytext=(5, 0), textcoords="offset points", color=colour, va="center",
            fontsize=_SMALL, annotation_clip=False,
        )  # fmt: skip


def _legend(
    axes: Axes,
    plots: Sequence[tuple[str, Plot]],
    *,
    cards_only: bool = False,
    logarithmic: bool = False,
) -> Box | None:
    from matplotlib.lines import Line2D

    handles: list[Any]
    handles, labels = axes.get_legend_handles_labels()
    if cards_only:
        handles, labels = [], []
    if len(plots) > 1:
        own = f" ({plots[0][0]})"
        labels = [text.removesuffix(own) for text in labels]
        styles: tuple[Any, Any] = ("-", _SECOND_DASH["solid"])
        handles = [*handles, *(Line2D([], [], color=INK, linewidth=1.2, linestyle=style) for style in styles)]
        labels = [*labels, *(name for name, _ in plots)]
    if not handles or (len(handles) == 1 and len(plots) == 1):
        return None
    width = axes.get_window_extent().width / axes.figure.dpi
    fits = 2.0 * (_CHARACTER * max(len(text) for text in labels) + _HANDLE) < width
    columns = 2 if len(handles) > 4 and fits else 1
    place, box = _place(axes, -(-len(handles) // columns), columns * max(len(text) for text in labels), logarithmic)
    axes.legend(
        handles, labels, loc=place, fontsize=_SMALL, ncols=columns, handlelength=1.8, columnspacing=1.0,
        labelspacing=0.25, borderaxespad=0.3, framealpha=0.85,
    )  # fmt: skip
    return box


_CORNERS: Final = {
    "upper left": (0.0, 1.0), "upper right": (1.0, 1.0), "lower right": (1.0, 0.0), "lower left": (0.0, 0.0),
    "center left": (0.0, 0.5), "center right": (1.0, 0.5), "upper center": (0.5, 1.0), "lower center": (0.5, 0.0),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Box:
    """Where a legend stands, in shares of the axes."""

    left: float
    bottom: float
    width: float
    height: float

    def covers(self, x: float, room: float) -> bool:
        """Return whether it reaches to ``x``."""
        return self.left - room <= x <= self.left + self.width + room


def _place(axes: Axes, rows: int, characters: int, logarithmic: bool) -> tuple[Any, Box]:  # noqa: FBT001
    """Return where a legend hides least of the lines; where it would hide much, make room for it above them.

    Matplotlib's own search is slow for long traces.
    """
    box = axes.get_window_extent()
    dpi = axes.figure.dpi
    wide = min(0.95, (characters * _CHARACTER + _HANDLE) * dpi / box.width)
    tall = min(0.6, (rows * 0.145 + 0.10) * dpi / box.height)

    def at(name: str) -> Box:
        x, y = _CORNERS[name]
        return Box(x * (1.0 - wide), y * (1.0 - tall), wide, tall)

    lines = _seen(axes)
    if not lines.size:
        return "upper right", at("upper right")

    def hidden(name: str) -> float:
        it = at(name)
        across = (lines[:, 0] >= it.left) & (lines[:, 0] <= it.left + wide)
        return float(np.mean(across & (lines[:, 1] >= it.bottom) & (lines[:, 1] <= it.bottom + tall)))

    best = min(_CORNERS, key=hidden)
    if hidden(best) > _HIDDEN:
        low, high = axes.get_ylim()
        room = tall / (1.0 - tall)
        axes.set_ylim(low, high * (high / low) ** room if logarithmic else high + (high - low) * room)
        best = min(("upper right", "upper left", "upper center"), key=hidden)
    return best, at(best)


def _seen(axes: Axes) -> Array:
    """Return points along all lines in shares of the axes, shape ``(points, 2)``."""
    to_share = axes.transData + axes.transAxes.inverted()
    found = [np.empty((0, 2))]
    for line in axes.get_lines():
        data = np.asarray(line.get_xydata(), dtype=np.float64)
        if len(data) < 3:  # marks
            continue
        with np.errstate(invalid="ignore", divide="ignore"):
            share = to_share.transform(data[:: max(1, len(data) // 600)])
        dense = np.linspace(0.0, 1.0, 8)[:, None]
        between = (share[:-1, None] * (1.0 - dense) + share[1:, None] * dense).reshape(-1, 2)
        found.append(between[np.isfinite(between).all(axis=1)])
    return np.concatenate(found)


def draw_map(axes: Axes, item: Map) -> None:
    """Draw a map with its colour bar inside the axes' own box."""
    from matplotlib import colormaps

    x_scale, y_scale = scale_of(item.x, [item.at_x]), scale_of(item.y, [item.at_y])
    value_scale = scale_of(item.value, [np.asarray(item.values).ravel()])
    values = value_scale.factor * np.asarray(item.values)
    finite = values[np.isfinite(values)]
    most = float(np.abs(finite).max()) if finite.size else 1.0
    name = label_of(item.value, value_scale)
    if most and not _PLAIN[0] <= most < _PLAIN[1]:  # a power of ten belongs into the label
        power = math.floor(math.log10(most))
        values, finite, most = values / 10.0**power, finite / 10.0**power, most / 10.0**power
        name = f"{item.value.name} [10$^{{{power}}}$ {value_scale.unit.replace('^2', '²')}]"
    low = -most if item.diverging else float(min(finite.min(), 0.0)) if finite.size else 0.0
    colours = colormaps["RdBu_r" if item.diverging else "Blues"].with_extremes(bad="#F0F0F0")
    image = axes.pcolormesh(
        _edges(x_scale.factor * item.at_x), _edges(y_scale.factor * item.at_y), values, cmap=colours, vmin=low,
        vmax=most if most > low else low + 1.0, rasterized=True, shading="flat",
    )  # fmt: skip
    axes.grid(visible=False)
    axes.set_xlabel(label_of(item.x, x_scale), labelpad=2)
    axes.set_ylabel(label_of(item.y, y_scale), labelpad=3)
    bar = axes.inset_axes((1.03, 0.0, 0.035, 1.0))
    axes.figure.colorbar(image, cax=bar)
    bar.set_ylabel(name, fontsize=_SMALL + 0.5)
    bar.tick_params(labelsize=_SMALL)
    bar.grid(visible=False)


def _edges(centres: Array) -> Array:
    step = centres[1] - centres[0] if centres.size > 1 else 1.0
    return np.concatenate([[centres[0] - 0.5 * step], centres + 0.5 * step])


def draw_text_table(axes: Axes, item: TextTable, *, line: float, size: float) -> None:
    """Draw a table; ``line`` is the height of a row as a share of the axes."""
    axes.set_axis_off()
    axes.set(xlim=(0.0, 1.0), ylim=(0.0, 1.0))
    width = axes.get_window_extent().width / axes.figure.dpi
    characters = sum(max(len(row[k]) for row in (item.heads, *item.rows)) + 1 for k in range(len(item.heads)))
    size = min(size, width / (characters * _CHARACTER / _SMALL))
    ends = np.cumsum(item.widths) / sum(item.widths)
    starts = np.concatenate([[0.0], ends[:-1]])
    for row, cells in enumerate((item.heads, *item.rows)):
        y = 1.0 - (row + 0.6) * line
        for column, text in enumerate(cells):
            stands_left = column in item.left
            axes.text(
                starts[column] if stands_left else ends[column] - 0.01, y, text, ha="left" if stands_left else "right",
                va="center", fontsize=size, fontweight="bold" if row == 0 else "normal",
            )  # fmt: skip
    axes.axhline(1.0 - 1.12 * line, color=GREY, linewidth=0.7)
