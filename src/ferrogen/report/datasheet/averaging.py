"""What averaging buys: noise of the averaged current against the sampling time, and its size in many junctions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ferrogen.report.datasheet.page import Array, Axis, Content, Curve, Mark, Page, Plot, curve, quantity
from ferrogen.report.datasheet.subject import Subject
from ferrogen.report.datasheet.words import no_traps, short
from ferrogen.report.junction import Junction, averaged_noise
from ferrogen.report.style import HIGH, INK, LOW

_DURATIONS = 61


def _make(subject: Subject) -> Content:
    junction = subject.junction
    shortest, longest = junction.card.validity.read_time
    durations = np.geomspace(max(shortest, 1e-3 * junction.window), min(longest, 1e4 * junction.window), _DURATIONS)
    between = [round(float(v), 1) for v in np.linspace(junction.low, junction.high, 5)[1:-1]]
    voltages = sorted({junction.low, junction.high, *(v for v in between if junction.low < v < junction.high)})
    noise = {voltage: averaged_noise(junction, voltage, durations) for voltage in voltages}
    top = noise[max(noise)]
    white = top[0] * np.sqrt(durations[0] / durations)
    longer = averaged_noise(junction, junction.high, np.array([junction.window, 10.0 * junction.window]))
    window = Mark(junction.window, f"sampling time {short(junction.window, 's')}")
    floor = 0.5 * min(float(values[values > 0.0].min()) for values in noise.values() if np.any(values > 0.0))
    panels = [
        Plot(
            "averaging", "Against the sampling time",
            f"Root mean square over {subject.cells} junctions, closed form of two-state traps. Slow traps do not"
            f" average out: ten times the sampling time leaves {longer[1] / longer[0]:.2f} of the noise at"
            f" {junction.high:g} V; of white noise (dotted, from the shortest time) it would leave 0.32.",
            Axis("Sampling time", "s", logarithmic=True),
            Axis("Deviation of the averaged current over its mean", "1", logarithmic=True),
            [
                *(curve(_role(junction, voltage), durations, values, shown=f"{voltage:g} V")
                  for voltage, values in noise.items()),
                curve("white noise", durations, white, style="dotted", colour=INK, guide=True),
            ],
            marks=(window,), ordered=True, y_from=floor,
        ),
        Plot(
            "cells", f"Junctions of the ensemble, averaged over {short(junction.window, 's')}",
            f"Share of {subject.cells} junctions whose noise is below the value: few traps with log-normal steps make"
            " junctions very unequal.",
            Axis("Deviation of the averaged current over its mean", "1", logarithmic=True),
            Axis("Share of junctions", "1"),
            [
                _cumulative(junction, junction.high, HIGH),
                _cumulative(junction, junction.low, LOW),
            ],
            y_from=0.0, y_to=1.0,
        ),
    ]  # fmt: skip
    return Content(panels, _key(junction, float(longer[1] / longer[0])))


def _role(junction: Junction, voltage: float) -> str:
    """Return what a voltage is for: two cards share that, not its value."""
    way = (voltage - junction.low) / (junction.high - junction.low) if junction.high > junction.low else 0.0
    return {junction.low: "multiply voltage", junction.high: "sample voltage"}.get(voltage, f"{way:.2f} of the way")


def _cumulative(junction: Junction, voltage: float, colour: str) -> Curve:
    noise = np.sort(np.sqrt(junction.cell_variance(voltage, junction.window)))
    share = (np.arange(noise.size) + 0.5) / noise.size
    kept = noise > max(1e-7, 1e-5 * float(noise[-1]))
    return curve(_role(junction, voltage), noise[kept], share[kept], colour=colour, shown=f"{voltage:g} V")


def _key(junction: Junction, left: float) -> dict[str, Any]:
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

    return {
        "sampling_time": quantity(window, "s", "card default"),
        **both("cell_noise", "standard deviation over mean of the current, all frequencies", this, None),
        **both("cell_window_noise", "the same, averaged over one sampling time", this, window),
        **both("median_noise", "standard deviation over mean, median of the ensemble", np.median, None),
        **both("median_window_noise", "the same, averaged over one sampling time", np.median, window),
        **both("ensemble_noise", "standard deviation over mean, root mean square of the ensemble", np.mean, None),
        **both("ensemble_window_noise", "the same, averaged over one sampling time", np.mean, window),
        "ensemble_window_noise_left_by_ten_times_the_time": quantity(
            left, "1", "at the sample voltage; white noise would leave 0.32"
        ),
    }


PAGE = Page("averaging", "What averaging buys", (), _make, no_traps)
