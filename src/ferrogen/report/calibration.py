"""The figure of a calibration: data, model and residuals, in the units a person would use."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ferrogen.report.style import GREY, PALETTE, headline, new_figure, save_figure, sequential, si_scale, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ferrogen.calibration.result import Axis, Calibration, Panel

_MOST_POINTS = 4000  # of one series: more cannot be seen
_MOST_PANELS = 12
_MOST_NAMED = 10  # series in a legend
_COLUMNS = 2
_PRACTICAL = {"C/m^2": (1e2, "µC/cm²"), "V/m": (1e-8, "MV/cm"), "A/m^2": (1e2, "µA/cm²"), "1": (1.0, "")}

Array = NDArray[np.float64]


def calibration_figure(path: Path, result: Calibration) -> int:
    """Draw ``residuals.png``: each panel's data (points) and model (lines), below them data minus model.

    Args:
        path: ends in ``.png``.
        result: of a calibration.

    Returns:
        how many panels were drawn: at most 12, and 0 (no file) if the calibration has none.

    Raises:
        OutputError: the folder cannot be written.
    """
    panels = list(result.panels[:_MOST_PANELS])
    if not panels:
        return 0
    columns = min(_COLUMNS, len(panels))
    rows = math.ceil(len(panels) / columns)
    with styled():
        figure = new_figure(5.4 * columns + 0.4, 3.9 * rows + 0.9)
        grid = figure.add_gridspec(rows, columns)
        for k, panel in enumerate(panels):
            cell = grid[k // columns, k % columns]
            if panel.residuals:
                inner = cell.subgridspec(2, 1, height_ratios=(3, 1), hspace=0.06)
                upper, lower = figure.add_subplot(inner[0]), figure.add_subplot(inner[1])
                lower.sharex(upper)
            else:
                upper, lower = figure.add_subplot(cell), None
            _draw(upper, lower, panel)
        _headline(figure, result, len(panels))
        save_figure(figure, path)
    return len(panels)


def _headline(figure: Figure, result: Calibration, drawn: int) -> None:
    left_out = len(result.panels) - drawn
    caption = (
        "".join(result.summary[:1])
        + " Points: data; lines: model."
        + (f" {left_out} more panels are not drawn." if left_out else "")
    )
    files = ", ".join(str(item["name"]) for item in result.provenance.get("files", []))
    headline(figure, f"Calibration: {result.kind}", caption, footer=f"Data: {files}." if files else "")


def _draw(upper: Axes, lower: Axes | None, panel: Panel) -> None:
    x_factor, x_unit = _scale(panel.x, [series.x for series in panel.series])
    values = [item for series in panel.series for item in (series.data, series.model) if item is not None]
    y_factor, y_unit = _scale(panel.y, values)
    many = len(panel.series) > len(PALETTE)
    colours = sequential(len(panel.series)) if many else list(PALETTE)
    for k, series in enumerate(panel.series):
        x = np.asarray(series.x, dtype=np.float64) * x_factor
        keep = slice(None, None, max(1, math.ceil(x.size / _MOST_POINTS)))
        data, model = (
            None if item is None else np.asarray(item, dtype=np.float64) * y_factor
            for item in (series.data, series.model)
        )
        label = series.label if k < _MOST_NAMED else "_"
        colour = colours[k % len(colours)]
        if data is not None:
            alone = (
                model is not None and len(panel.series) == 1
            )  # else a line among many points cannot be told from them
            upper.plot(
                x[keep],
                data[keep],
                ".",
                color=GREY if alone else colour,
                markersize=3.5,
                alpha=0.7,
                label=label if model is None else "_",
            )
        if model is not None:
            upper.plot(x[keep], model[keep], color=colour, linewidth=1.3, label=label)
        if data is not None and model is not None and lower is not None:
            left = residuals_shown(data, model, logarithmic=panel.y.logarithmic)
            lower.plot(x[keep], left[keep], ".", color=colour, markersize=2.5)
    upper.set_title(panel.title)
    upper.set_ylabel(_label(panel.y, y_unit))
    last = upper if lower is None else lower
    last.set_xlabel(_label(panel.x, x_unit))
    for axes in (upper, lower):
        if axes is not None and panel.x.logarithmic:
            axes.set_xscale("log")
    if panel.y.logarithmic:
        upper.set_yscale("log")
    if lower is not None:
        upper.tick_params(labelbottom=False)
        lower.axhline(0.0, color=GREY, linewidth=0.8)
        lower.set_ylabel("ln(data /\nmodel)" if panel.y.logarithmic else "data -\nmodel")
    if any(series.label for series in panel.series):
        upper.legend(loc="best", fontsize=7.5, ncols=2 if len(panel.series) > 5 else 1)


def residuals_shown(data: Array, model: Array, *, logarithmic: bool) -> Array:
    """Return data minus model, or on a logarithmic axis the logarithm of their ratio (NaN where it has none).

    Args:
        data: shape ``(n,)``.
        model: shape ``(n,)``.
        logarithmic: whether the axis above is.
    """
    if not logarithmic:
        return data - model
    positive = (data > 0.0) & (model > 0.0)
    return np.log(np.where(positive, data, np.nan) / np.where(positive, model, np.nan))


def _label(axis: Axis, unit: str) -> str:
    return f"{axis.name} ({unit})" if unit else axis.name


def _scale(axis: Axis, values: Sequence[object]) -> tuple[float, str]:
    """Return (factor, unit) of an axis: the field's own units, else an SI prefix for the largest value."""
    if axis.unit in _PRACTICAL:
        return _PRACTICAL[axis.unit]
    if not axis.unit.isalpha() or axis.logarithmic or axis.unit in ("K", "eV"):
        return 1.0, axis.unit
    sizes: list[Array] = [np.abs(np.asarray(item, dtype=np.float64)) for item in values]
    largest = max((float(np.nanmax(item)) for item in sizes if item.size), default=0.0)
    return si_scale(largest, axis.unit) if largest > 0.0 and math.isfinite(largest) else (1.0, axis.unit)
