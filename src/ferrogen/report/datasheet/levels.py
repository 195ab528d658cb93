"""Levels that can be told apart: scatter of programming and of a read, confusion matrix, RTN-safe levels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ferrogen.array.levels import conductance_window
from ferrogen.array.programming import WriteVerify
from ferrogen.core.errors import ArgumentError
from ferrogen.device.noise.electronic import electronic_window_variance
from ferrogen.device.noise.safe_levels import SafeLevels, safe_levels, safe_share
from ferrogen.device.programming.distinguishability import (
    GaussianLevels,
    confusion_matrix,
    most_levels,
    mutual_information,
    symbol_error_rate,
)
from ferrogen.report.datasheet.page import Array, Axis, Content, Map, Page, Plot, curve, quantity
from ferrogen.report.datasheet.subject import Subject
from ferrogen.report.datasheet.words import short
from ferrogen.report.style import HIGH, LOW

_SAFE = 0.25  # of the spacing of levels that the rms noise of a read may reach
_ERROR_LIMIT = 0.01


def _noise(subject: Subject, voltage: float) -> SafeLevels:
    return safe_levels(
        subject.card, voltage=voltage, temperature=subject.temperature, duration=subject.junction.window, share=_SAFE
    )


def _deviation(subject: Subject, voltage: float, noise: SafeLevels) -> Array:
    """Return the standard deviation [S] of a read of each level: programming, telegraph and electronic noise."""
    card, how = subject.card, WriteVerify()
    window = conductance_window(card).span
    programmed = window * math.hypot(how.tolerance / math.sqrt(3.0), how.verify_noise)
    fano = 1.0 if card.noise is None else card.noise.fano_factor.value
    variance = electronic_window_variance(
        noise.conductance * voltage, voltage, subject.temperature, subject.junction.window, fano
    )
    return np.sqrt(programmed**2 + noise.noise**2 + variance / voltage**2)


def _make(subject: Subject) -> Content:
    card, junction = subject.card, subject.junction
    found = {}
    for name, voltage in (("sample", junction.high), ("multiply", junction.low)):
        noise = _noise(subject, voltage)
        found[name] = (voltage, noise, _deviation(subject, voltage, noise))
    levels = round(card.programmable_levels.value)
    window = short(junction.window, "s")
    matrices = {
        name: confusion_matrix(GaussianLevels(noise.conductance, deviation))
        for name, (_, noise, deviation) in found.items()
    }
    g, number = Axis("Conductance of the level", "S"), Axis("Level", "1")
    share = {
        name: safe_share(
            card, junction.population.traps, voltage=voltage, temperature=subject.temperature,
            duration=junction.window, share=_SAFE,
        )
        for name, (voltage, _, _) in found.items()
    }  # fmt: skip
    index = np.arange(levels, dtype=np.float64)
    colours = {"sample": HIGH, "multiply": LOW}
    model = (
        f"The card's {levels} levels, equally spaced; write-verify with a tolerance of"
        f" {100.0 * WriteVerify().tolerance:g} % of the window, telegraph noise of the rms junction averaged over"
        f" {window}, thermal and shot noise; all taken to be Gaussian, which telegraph noise of few traps is not."
    )
    panels: list[Any] = [
        Plot(
            "noise", "Noise over distance of levels",
            f"Telegraph noise of the rms junction, averaged over {window}, over the distance to the next level. Below"
            f" {_SAFE:g} a level counts as safe (Koo 2024 proposes to use such levels only).",
            g, Axis("Noise over distance", "1", logarithmic=True),
            [
                curve(f"{name} voltage", noise.conductance, noise.noise / noise.spacing, colour=colours[name],
                      shown=f"{voltage:g} V")
                for name, (voltage, noise, _) in found.items()
            ],
        ),
        Plot(
            "safe", "RTN-safe levels",
            f"Share of {subject.cells} junctions in which the level is safe, at both voltages: traps are few and"
            " unequal, so most junctions are better than their rms.",
            number, Axis("Share of junctions", "1"),
            [
                curve(f"{name} voltage", index, values, colour=colours[name], style="points",
                      shown=f"{found[name][0]:g} V")
                for name, values in share.items()
            ],
            y_from=0.0, y_to=1.05,
        ),
        *(
            Map(
                f"confusion_{name}", f"Confusion at {found[name][0]:g} V", model, Axis("Read as level", "1"),
                Axis("Written as level", "1"), Axis("Probability", "1"), index, index, matrix,
            )
            for name, matrix in matrices.items()
        ),
    ]  # fmt: skip
    key = {}
    for name, (voltage, noise, deviation) in found.items():
        matrix = matrices[name]
        at = f"at_{name}_voltage"
        key[f"level_error_{at}"] = quantity(
            symbol_error_rate(matrix), "1", f"share of reads told to be another of {levels} levels, {voltage:g} V"
        )
        key[f"information_{at}"] = quantity(
            mutual_information(matrix), "1", f"bits that a read carries, of {math.log2(levels):.3g}"
        )
        key[f"distinguishable_levels_{at}"] = quantity(
            _most(noise, deviation), "1", f"levels placed best, told apart with {100.0 * _ERROR_LIMIT:g} % errors"
        )
        key[f"safe_levels_{at}"] = quantity(
            float(noise.safe.sum()), "1", f"levels whose rms noise is below {_SAFE:g} of their distance"
        )
    return Content(panels, key)


def _most(noise: SafeLevels, deviation: Array) -> float:
    def width(conductance: Array) -> Array:
        return np.interp(conductance, noise.conductance, deviation)

    try:
        return float(most_levels(float(noise.conductance[0]), float(noise.conductance[-1]), width, _ERROR_LIMIT).count)
    except ArgumentError:
        return 1.0


PAGE = Page("levels", "Levels that can be told apart", (), _make)
