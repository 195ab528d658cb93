"""The figure of a telegraph-noise calibration: time-lag plots of traces, or spectrum, spread and decay of many cells.

Everything is drawn from what the calibration hands over (record and panels), so a stored result can be drawn again.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ferrogen.report.style import (
    BLUE,
    DASHES,
    GREY,
    INK,
    ORANGE,
    headline,
    new_figure,
    save_figure,
    si_scale,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ferrogen.calibration.result import Calibration, Panel

_MOST = 4  # traces


def rtn_figure(path: Path, result: Calibration) -> int:
    """Draw the figure of a calibration of the kind ``rtn``.

    Args:
        path: a PNG file.
        result: the calibration.

    Returns:
        how many panels were drawn; 0 (and no file) if there is nothing to draw.

    Raises:
        OutputError: the file cannot be written.
    """
    traces = list(result.record.get("traces", []))[:_MOST]
    panels = [] if traces else list(result.panels)
    count = len(traces) + len(panels)
    if not count:
        return 0
    with styled():
        figure = new_figure(4.4 * count + 0.6, 4.6)
        axes = np.atleast_1d(figure.subplots(1, count))
        if traces:
            for own, trace in zip(axes, traces, strict=True):
                draw_time_lag(own, trace)
            caption = (
                "Weighted time-lag plot: density of (sample, next sample), logarithmic over three decades. Peaks on the"
                " diagonal are levels, peaks off it switches. Dashed: levels of the fitted traps."
            )
            headline(figure, "Telegraph noise of single traces", caption)
        else:
            for own, panel in zip(axes, panels, strict=True):
                draw_curves(own, panel)
            caption = (
                "Points: measured cells. Lines: cells simulated from the fitted trap ensemble. Dashed, right: what"
                " white noise would leave."
            )
            averages = np.asarray(result.record["decay"]["averages"], dtype=np.float64)
            axes[-1].plot(averages, averages**-0.5, color=GREY, linestyle=DASHES, linewidth=1.2)
            headline(figure, "Read noise of many cells", caption)
        save_figure(figure, path)
    return count


def draw_time_lag(axes: Axes, trace: Mapping[str, Any]) -> None:
    """Draw the time-lag plot of one trace, with the levels of its fitted traps."""
    lag = trace["time_lag"]
    centres, density = np.asarray(lag["centres"]), np.asarray(lag["density"])
    scale, prefix = si_scale(float(np.abs(centres).max()), str(trace["unit"]))
    edge = np.array([centres[0], centres[-1]]) * scale
    top = float(density.max())
    axes.imshow(
        np.log10(np.maximum(density, 1e-3 * top) / top).T,
        origin="lower",
        extent=(edge[0], edge[1], edge[0], edge[1]),
        cmap="cividis",
        aspect="equal",
        interpolation="nearest",
    )
    for level in trace["levels"]:
        axes.axvline(level * scale, color="white", linewidth=0.7, linestyle=DASHES)
        axes.axhline(level * scale, color="white", linewidth=0.7, linestyle=DASHES)
    axes.set_xlim(edge[0], edge[1])
    axes.set_ylim(edge[0], edge[1])
    axes.grid(visible=False)
    axes.set_xlabel(f"Sample [{prefix}]")
    axes.set_ylabel(f"Next sample [{prefix}]")
    axes.set_title(f"{trace['label']}: {len(trace['traps'])} traps", fontsize=9.5)


def draw_curves(axes: Axes, panel: Panel) -> None:
    """Draw data as points and model as a line."""
    for series in panel.series:
        if series.data is not None:
            axes.plot(series.x, series.data, "o", markersize=3.5, color=BLUE)
        if series.model is not None:
            axes.plot(series.x, series.model, color=ORANGE)
    if panel.x.logarithmic:
        axes.set_xscale("log")
    if panel.y.logarithmic:
        axes.set_yscale("log")
    axes.set_xlabel(panel.x.name)
    axes.set_ylabel(panel.y.name)
    axes.set_title(panel.title, fontsize=9.5, color=INK)
