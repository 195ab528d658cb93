"""The conductances that a coding uses: the chip's window, or its part in which telegraph noise leaves levels apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ferrogen.array.levels import ConductanceWindow, ContinuousLevels, DiscreteLevels, Levels
from ferrogen.chip.chip import Chip
from ferrogen.chip.point import OperatingPoint
from ferrogen.core.errors import argument_error
from ferrogen.device.noise.safe_levels import safe_levels
from ferrogen.mapping.coding.spec import CodingSpec


@dataclass(frozen=True, slots=True)
class CodingWindow:
    """What cells are asked for.

    Attributes:
        window: conductances [S].
        levels: in this window.
        whole: the chip's window [S].
        levels_left: levels that are used; of a continuous window, of the card's number.
        levels_there: levels of the chip's window.
        noise: rms telegraph noise of a read over the window used, mean over its levels [1]; None: not asked for.
        noise_before: likewise of the chip's window.
    """

    window: ConductanceWindow
    levels: Levels
    whole: ConductanceWindow
    levels_left: int
    levels_there: int
    noise: float | None = None
    noise_before: float | None = None

    @property
    def share(self) -> float:
        """Span of the window used over the chip's: signals shrink by it, beside the circuits' noise."""
        return self.window.span / self.whole.span

    def __str__(self) -> str:
        """Say what the window costs, in one line."""
        text = f"{self.levels_left} of {self.levels_there} levels, {self.share:.1%} of the window's span"
        if self.noise is None or self.noise_before is None:
            return text
        noise = f"{self.noise:.2%} of the span (whole window: {self.noise_before:.2%})"
        return f"{text}; rms telegraph noise of a cell {noise}"


def coding_window(chip: Chip, coding: CodingSpec) -> CodingWindow:
    """Return the window of a coding on a chip.

    Levels are judged as those of a nominal cell of the card, all its traps' amplitudes and times in the mean.

    Raises:
        ArgumentError: fewer than two levels are safe.
        ValidityError: the operating point lies outside the card's validity.
    """
    whole, levels = chip.window, chip.levels
    there = levels.count if isinstance(levels, DiscreteLevels) else round(chip.device.programmable_levels.value)
    if coding.safe_levels is None:
        return CodingWindow(whole, levels, whole, there, there)
    point = coding.safe_at or OperatingPoint.for_card(chip.device)
    on, off = chip.device.on_conductance.value, chip.device.off_conductance.value
    conductances = np.linspace(whole.low, whole.high, there)
    judged = safe_levels(
        chip.device,
        voltage=point.multiply_voltage,
        temperature=point.temperature,
        duration=point.multiply_time,
        share=coding.safe_levels,
        fraction=np.clip((conductances - off) / (on - off), 0.0, 1.0),
    )
    run = judged.longest_run
    left = run.stop - run.start
    if left < 2:
        best = float(np.min(judged.noise / judged.spacing))
        raise argument_error(
            "safe_levels",
            "leave at least two neighbouring levels",
            f"{coding.safe_levels:g}, and {left} of {there} stay below it",
            f"The quietest level's noise is {best:.2g} of the spacing; allow more, or read longer.",
        )
    window = ConductanceWindow(float(conductances[run.start]), float(conductances[run.stop - 1]))
    noise = float(np.sqrt(np.mean(judged.noise[run] ** 2))) / window.span
    before = float(np.sqrt(np.mean(judged.noise**2))) / whole.span
    used: Levels = DiscreteLevels(left) if isinstance(levels, DiscreteLevels) else ContinuousLevels()
    return CodingWindow(window, used, whole, left, there, noise, before)
