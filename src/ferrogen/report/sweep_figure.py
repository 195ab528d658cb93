"""Figures of a sweep: quantities over the operating plane, and the error budget of one point."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.core.errors import argument_error
from ferrogen.core.units import format_quantity
from ferrogen.report.style import BLUE, GREY, INK, ORANGE, headline, new_figure, save_figure, si_ticks, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_PRINTED: Final = 64  # cells of a map with their value written in
_MISSING: Final = "//"


def _edges(centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return cell borders halfway between centres; a single centre gets a cell of its own size."""
    if centres.shape[0] == 1:
        half = 0.1 * abs(centres[0]) or 0.1
        return np.array([centres[0] - half, centres[0] + half])
    inner = (centres[1:] + centres[:-1]) / 2.0
    first, last = 2.0 * centres[0] - inner[0], 2.0 * centres[-1] - inner[-1]
    return np.concatenate([[first], inner, [last]])


def _axis_values(values: ArrayLike, name: str, unit: str, *, positive: bool) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    good = array.ndim == 1 and array.size > 0 and bool(np.all(np.isfinite(array)) and np.all(np.diff(array) > 0.0))
    if not good or (positive and array[0] <= 0.0):
        what = f"hold {'positive ' if positive else ''}values in {unit}, each larger than the one before"
        raise argument_error(name, what, array.tolist())
    return array


def _printed(value: float, *, crowded: bool) -> str:
    if value == 0.0 or 1e-2 <= abs(value) < 1e4:
        return f"{value:.3g}" if abs(value) < 1e3 else f"{value:.0f}"
    return f"{value:.0e}" if crowded else f"{value:.1e}"


def _draw_map(
    figure: Figure,
    axes: Axes,
    voltages: NDArray[np.float64],
    times: NDArray[np.float64],
    values: NDArray[np.float64],
    *,
    log_colour: bool,
) -> bool:
    """Draw one map; return whether a value is missing."""
    from matplotlib.colors import LogNorm, Normalize
    from matplotlib.patches import Rectangle

    x, y = _edges(voltages), 10.0 ** _edges(np.log10(times))
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if low == high:
        low, high = (low / 1.1, high * 1.1) if low > 0.0 else (low - 0.5, high + 0.5)
    norm = LogNorm(low, high) if log_colour and low > 0.0 else Normalize(low, high)
    axes.set_yscale("log")
    mesh = axes.pcolormesh(x, y, np.ma.masked_invalid(values), norm=norm, cmap="cividis", shading="flat")
    missing = np.argwhere(~np.isfinite(values))
    for row, column in missing:
        corner = (float(x[column]), float(y[row]))
        size = (float(x[column + 1] - x[column]), float(y[row + 1] - y[row]))
        axes.add_patch(Rectangle(corner, *size, facecolor="#F4F4F4", edgecolor="#9A9A9A", hatch=_MISSING, linewidth=0))
    if values.size <= _MOST_PRINTED:
        crowded = values.shape[1] > 6
        for (row, column), value in np.ndenumerate(values):
            if math.isfinite(value):
                ink = "white" if float(norm(value)) < 0.55 else INK
                axes.text(
                    float(voltages[column]), float(times[row]), _printed(float(value), crowded=crowded),
                    ha="center", va="center", fontsize=7.0 if crowded else 9.0, color=ink,
                )  # fmt: skip
    axes.set_xlim(float(x[0]), float(x[-1]))
    axes.set_ylim(float(y[0]), float(y[-1]))
    axes.grid(visible=False)
    axes.set_xlabel("Sample voltage [V]")
    axes.set_ylabel("Sampling time")
    if voltages.shape[0] <= 8:
        axes.set_xticks(voltages, [f"{v:.3g}" for v in voltages])
    if times.shape[0] <= 8:
        axes.set_yticks(times, [_short_time(t) for t in times])
        axes.minorticks_off()
    else:
        si_ticks(axes.yaxis, "s")
    if finite.size:
        bar = figure.colorbar(mesh, ax=axes, pad=0.02, fraction=0.06)
        bar.outline.set_visible(False)
    return missing.size > 0


def _short_time(seconds: float) -> str:
    return format_quantity(float(f"{seconds:.3g}"), "s").replace(" u", " µ")


def sweep_figure(
    path: Path,
    voltages: ArrayLike,
    times: ArrayLike,
    maps: Mapping[str, NDArray[Any]],
    marks: Sequence[tuple[float, float, str]] = (),
    *,
    log_colours: Collection[str] = (),
    title: str = "Operating plane",
    caption: str = "",
    footer: str = "",
) -> None:
    """Write heat maps over sample voltage and sampling time, one panel a quantity.

    Values are written into the cells when there are at most 64 of them. Missing ones (NaN) are hatched.

    Args:
        path: PNG file.
        voltages: sample voltages [V], rising, shape ``(voltages,)``.
        times: sampling times [s], rising, shape ``(times,)``.
        maps: title (with its unit) -> values of shape ``(times, voltages)``.
        marks: points to mark on every map, as (voltage [V], time [s], name).
        log_colours: titles whose colour scale is logarithmic; a map with a value of zero or less stays linear.
        title: above all panels.
        caption: below all panels.
        footer: last line, e.g. :func:`ferrogen.report.style.card_footer`.

    Raises:
        ArgumentError: axes that do not rise, no map, or a map of another shape.
        OutputError: the folder cannot be written.
    """
    x = _axis_values(voltages, "voltages", "V", positive=False)
    y = _axis_values(times, "times", "s", positive=True)
    if not maps:
        raise argument_error("maps", "hold at least one map", "empty")
    for name, values in maps.items():
        if np.shape(values) != (y.shape[0], x.shape[0]):
            raise argument_error(f"maps['{name}']", f"have the shape ({y.shape[0]}, {x.shape[0]})", np.shape(values))
    across = 2 if len(maps) == 4 else min(len(maps), 3)
    down = math.ceil(len(maps) / across)
    with styled():
        from matplotlib.lines import Line2D
        from matplotlib.patches import Patch
        from matplotlib.transforms import ScaledTranslation

        figure = new_figure(1.0 + 4.6 * across, 1.3 + 3.5 * down)
        grid = figure.subplots(down, across, squeeze=False).ravel()
        anything_missing = False
        for axes, (name, values) in zip(grid, maps.items(), strict=False):
            array = np.asarray(values, dtype=np.float64)
            anything_missing |= _draw_map(figure, axes, x, y, array, log_colour=name in log_colours)
            axes.set_title(textwrap.fill(name, 44))
            # A mark stands below its point where the point is covered by a printed value.
            down_points = -14.0 / 72.0 if array.size <= _MOST_PRINTED else 0.0
            at = axes.transData + ScaledTranslation(0.0, down_points, figure.dpi_scale_trans)
            for k, (voltage, time, _) in enumerate(marks):
                axes.plot(voltage, time, transform=at, zorder=4, clip_on=False, **_mark_look(k))
        for axes in grid[len(maps) :]:
            axes.remove()
        handles: list[Any] = [Line2D([], [], **_mark_look(k), label=mark[2]) for k, mark in enumerate(marks)]
        if anything_missing:
            handles.append(Patch(facecolor="#F4F4F4", edgecolor="#9A9A9A", hatch=_MISSING, label="no value"))
        if handles:
            figure.legend(handles=handles, loc="outside upper right", ncols=len(handles))
        headline(figure, title, caption, footer=footer)
        save_figure(figure, path)


def _mark_look(k: int) -> dict[str, Any]:
    return {
        "marker": "oDs^v"[k % 5], "markersize": 7.5, "markerfacecolor": ORANGE, "markeredgecolor": "white",
        "markeredgewidth": 1.2, "linestyle": "none",
    }  # fmt: skip


def budget_figure(
    path: Path,
    budget: Mapping[str, float],
    *,
    title: str = "Error budget: effective bits with one error source at a time",
    caption: str = "",
    footer: str = "",
) -> None:
    """Write the error budget as horizontal bars, the worst source on top.

    Args:
        path: PNG file.
        budget: error source -> effective bits of the product with it; infinity if it causes no error.
        title: above.
        caption: below.
        footer: last line.

    Raises:
        ArgumentError: no source, or a value that is NaN.
        OutputError: the folder cannot be written.
    """
    if not budget or any(math.isnan(value) for value in budget.values()):
        raise argument_error("budget", "hold at least one source and no NaN", dict(budget))
    order = sorted(budget, key=lambda name: budget[name], reverse=True)
    finite = [value for value in budget.values() if math.isfinite(value)]
    widest = max([*finite, 1.0])
    with styled():
        figure = new_figure(7.5, 1.4 + 0.42 * len(order))
        axes = figure.subplots()
        for row, name in enumerate(order):
            value = budget[name]
            if math.isfinite(value):
                axes.barh(row, value, height=0.62, color=BLUE)
                text, at = f"{value:.2f}", max(value, 0.0)
            else:
                axes.barh(row, widest, height=0.62, facecolor="#F4F4F4", edgecolor="#9A9A9A", hatch=_MISSING)
                text, at = "no error", widest
            axes.annotate(text, (at, row), xytext=(5, 0), textcoords="offset points", va="center", fontsize=9.5)
        axes.set_yticks(range(len(order)), order)
        axes.tick_params(axis="y", length=0, labelsize=9.5)
        axes.grid(visible=False, axis="y")
        axes.spines["left"].set_color(GREY)
        axes.set_xlim(min([*finite, 0.0]) * 1.1, 1.12 * widest)
        axes.set_xlabel("Effective bits [bit]")
        headline(figure, title, caption, footer=footer)
        save_figure(figure, path)
