"""The numbers that sum up a junction: for the record, and as a table on the data sheet."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ferrogen.report.junction import Array, Junction, active_share, averaged_noise
from ferrogen.report.style import GREY, headline

if TYPE_CHECKING:
    from matplotlib.figure import SubFigure


def quantity(value: float, unit: str, meaning: str) -> dict[str, Any]:
    """Return a number for JSON with its unit and meaning; None stands for one that is not finite."""
    return {"value": value if math.isfinite(value) else None, "unit": unit, "meaning": meaning}


def key_figures(junction: Junction) -> dict[str, Any]:
    """Return the figures that sum up a data sheet, by name; noise comes from the closed forms."""
    low, high, window = junction.low, junction.high, junction.window

    def both(name: str, meaning: str, pick: Callable[[Array], Any], duration: float | None) -> dict[str, Any]:
        values = [math.sqrt(float(pick(junction.cell_variance(voltage, duration)))) for voltage in (low, high)]
        return {
            f"{name}_at_multiply_voltage": quantity(values[0], "1", meaning),
            f"{name}_at_sample_voltage": quantity(values[1], "1", meaning),
            f"{name}_suppression": quantity(
                values[1] / values[0] if values[0] > 0.0 else math.inf, "1", "sample voltage over multiply voltage"
            ),
        }

    def this(variance: Array) -> float:
        return float(variance[junction.cell])

    own = junction.own
    longer = averaged_noise(junction, high, np.array([window, 10.0 * window]))
    share = "occupied 10 to 90 % of the time"
    return {
        "cells_with_visible_trap": quantity(
            junction.visible_share, "1", "both times between 2 and 100 sampling times at the sample voltage"
        ),
        "multiply_voltage": quantity(low, "V", "card default"),
        "sample_voltage": quantity(high, "V", "card default"),
        "sampling_time": quantity(window, "s", "card default"),
        "cell_traps": quantity(own.stop - own.start, "1", "traps of the cell that is shown"),
        "cell_on_conductance": quantity(junction.level_conductance(max(junction.levels())), "S", "traps empty"),
        "cell_off_conductance": quantity(junction.level_conductance(0), "S", "traps empty"),
        "cell_current_at_multiply_voltage": quantity(junction.full_current(low), "A", "fully on, traps empty"),
        "cell_current_at_sample_voltage": quantity(junction.full_current(high), "A", "fully on, traps empty"),
        **both("cell_noise", "standard deviation over mean of the current, all frequencies", this, None),
        **both("cell_window_noise", "the same, averaged over one sampling time", this, window),
        **both("median_noise", "standard deviation over mean, median of the ensemble", np.median, None),
        **both("median_window_noise", "the same, averaged over one sampling time", np.median, window),
        **both("ensemble_noise", "standard deviation over mean, root mean square of the ensemble", np.mean, None),
        **both("ensemble_window_noise", "the same, averaged over one sampling time", np.mean, window),
        "ensemble_window_noise_left_by_ten_times_the_time": quantity(
            float(longer[1] / longer[0]), "1", "at the sample voltage; white noise would leave 0.32"
        ),
        "active_traps_at_multiply_voltage": quantity(active_share(junction, low), "1", share),
        "active_traps_at_sample_voltage": quantity(active_share(junction, high), "1", share),
    }


def draw_key_table(figure: SubFigure, key: dict[str, Any]) -> None:
    """Draw the noise at both voltages, and their ratio, as a table."""

    def shown(name: str, *, percent: bool = True) -> str:
        value = key[name]["value"]
        if value is None:
            return "none"
        return f"{100.0 * value:.2g} %" if percent else f"{value:.3g}"

    axes = figure.subplots()
    axes.set_axis_off()
    axes.set(xlim=(0.0, 1.0), ylim=(0.0, 1.0))
    heads = (f"{key['multiply_voltage']['value']:g} V", f"{key['sample_voltage']['value']:g} V", "ratio")
    averaged = "    averaged over one sampling time"
    rows = (
        ("noise / mean current: this cell", "cell_noise"),
        (averaged, "cell_window_noise"),
        ("noise / mean current: median cell", "median_noise"),
        (averaged, "median_window_noise"),
        ("noise / mean current: rms of all cells", "ensemble_noise"),
        (averaged, "ensemble_window_noise"),
        ("active traps", "active_traps"),
    )
    for x, head in zip((0.66, 0.84, 1.0), heads, strict=True):
        axes.text(x, 0.93, head, ha="right", fontweight="bold")
    axes.axhline(0.89, color=GREY, linewidth=0.8)
    for k, (label, name) in enumerate(rows):
        y = 0.81 - 0.1 * k
        axes.text(0.0, y, label)
        axes.text(0.66, y, shown(f"{name}_at_multiply_voltage"), ha="right")
        axes.text(0.84, y, shown(f"{name}_at_sample_voltage"), ha="right")
        if f"{name}_suppression" in key:
            axes.text(1.0, y, shown(f"{name}_suppression", percent=False), ha="right")
    headline(
        figure,
        "Key figures",
        "Noise: standard deviation from the closed forms. Active: occupied 10 to 90 % of the time.",
    )
