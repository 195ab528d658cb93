"""The conductances a cell may be asked for: a window, and the levels in it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferrogen.core.errors import ArgumentError, argument_error, check_number, is_whole
from ferrogen.device.card import DeviceCard


@dataclass(frozen=True, slots=True)
class DiscreteLevels:
    """Equally spaced conductance levels.

    Attributes:
        count: number of levels, at least 2.
    """

    count: int

    def __post_init__(self) -> None:
        if not is_whole(self.count, 2):
            raise argument_error("count", "be a whole number of at least 2 levels", self.count)

    def quantise(self, fraction: NDArray[np.float64]) -> NDArray[np.float64]:
        """Round positions in the window (0 to 1) to the nearest level."""
        steps = self.count - 1
        return np.asarray(np.round(fraction * steps) / steps)


@dataclass(frozen=True, slots=True)
class ContinuousLevels:
    """Any conductance in the window: the ideal to compare with."""

    def quantise(self, fraction: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the positions unchanged."""
        return fraction


Levels = DiscreteLevels | ContinuousLevels


@dataclass(frozen=True, slots=True)
class ConductanceWindow:
    """The range of conductance [S] that (nearly) every cell of a card can reach."""

    low: float
    high: float

    @property
    def span(self) -> float:
        """Width of the window [S]."""
        return self.high - self.low


def conductance_window(card: DeviceCard, sigmas: float = 3.0) -> ConductanceWindow:
    """Return the window that all cells within ``sigmas`` device-to-device standard deviations can reach.

    Raises:
        ArgumentError: the spread leaves no window, or ``sigmas`` is negative or no number.
    """
    check_number("sigmas", sigmas, "standard deviations", may_vanish=True)
    low, high = card.off_conductance, card.on_conductance

    def width(spread: float | None) -> float:
        return math.exp(min(sigmas * (spread or 0.0), 700.0))

    bottom = low.value * width(low.spread.value if low.spread else None)
    top = high.value / width(high.spread.value if high.spread else None)
    if bottom >= top:
        raise ArgumentError(
            f"Card '{card.name}' leaves no window between off and on conductance: at {sigmas:g} standard deviations"
            f" they are {bottom:g} S and {top:g} S. Use a card with a larger ratio or a smaller spread."
        )
    return ConductanceWindow(bottom, top)
