"""What a cell goes through, over and over: a cycle of phases, each at its own voltage, some of them observed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferrogen.core.errors import argument_error


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of a cycle at one voltage.

    Attributes:
        voltage: across the cell [V].
        duration: [s], positive.
        observed: whether the occupied fraction of this phase is wanted.
    """

    voltage: float
    duration: float
    observed: bool = False


@dataclass(frozen=True, slots=True)
class Schedule:
    """A periodic cycle of phases.

    Raises:
        ArgumentError: no phase, a duration that is not positive, or nothing observed.
    """

    phases: tuple[Phase, ...]

    def __post_init__(self) -> None:
        if not self.phases:
            raise argument_error("phases", "hold at least one phase", "empty")
        for phase in self.phases:
            if not (math.isfinite(phase.duration) and phase.duration > 0.0):
                raise argument_error("duration", "be a positive time in seconds", f"{phase.duration} s")
        if not any(phase.observed for phase in self.phases):
            raise argument_error("phases", "have at least one observed phase", "all unobserved")

    @property
    def period(self) -> float:
        """Length of a cycle [s]."""
        return math.fsum(phase.duration for phase in self.phases)

    @property
    def observed(self) -> NDArray[np.bool_]:
        """Which phases are observed, shape ``(phases,)``."""
        return np.array([phase.observed for phase in self.phases])

    @property
    def stretches(self) -> list[list[int]]:
        """Numbers of its phases, neighbours at one voltage that nobody observes together: to a trap they are one."""
        together: list[list[int]] = []
        for number, phase in enumerate(self.phases):
            last = self.phases[number - 1]
            if number and phase.voltage == last.voltage and not (phase.observed or last.observed):
                together[-1].append(number)
            else:
                together.append([number])
        return together
