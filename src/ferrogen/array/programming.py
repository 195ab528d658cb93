"""Write-verify: pulses until every cell reads within a tolerance of its target conductance.

One pulse aimed at a change d of the switched fraction makes d + sigma sqrt(|d|) N(0, 1): independent domains, whose
number switched fluctuates as its root (sigma: the card's ``switching_noise``, the scatter of a full-range pulse). Which
voltage and width such a pulse needs is the business of the switching kinetics, not of this file.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferrogen.array.population import CellPopulation
from ferrogen.core.errors import argument_error


@dataclass(frozen=True, slots=True)
class WriteVerify:
    """How to program.

    Attributes:
        tolerance: largest accepted error of a verify read, as a share of the conductance window.
        max_pulses: give up on a cell after so many pulses.
        verify_noise: standard deviation of a verify read, as a share of the window.
    """

    tolerance: float = 0.005
    max_pulses: int = 50
    verify_noise: float = 0.001

    def __post_init__(self) -> None:
        if not 0.0 < self.tolerance < 1.0:
            raise argument_error("tolerance", "lie between 0 and 1 (a share of the window)", self.tolerance)
        if self.max_pulses < 1:
            raise argument_error("max_pulses", "be at least 1", self.max_pulses)
        if not 0.0 <= self.verify_noise < self.tolerance:
            raise argument_error("verify_noise", f"lie between 0 and the tolerance {self.tolerance}", self.verify_noise)


@dataclass(frozen=True, slots=True)
class IdealProgramming:
    """Every cell that can reach its target has it exactly, after one pulse: the ideal to compare with."""


@dataclass(frozen=True, slots=True)
class SinglePulse:
    """One pulse a cell, and no verify read: cells land off their targets by normal errors, those asked to stay off too.

    Attributes:
        error: standard deviation of what a cell is off by, as a share of the conductance window.
    """

    error: float = 0.05

    def __post_init__(self) -> None:
        if not 0.0 < self.error < 1.0:
            raise argument_error("error", "lie between 0 and 1 (a share of the window)", self.error)

    @property
    def tolerance(self) -> float:
        """Error up to which a cell counts as programmed, as a share of the window."""
        return self.error

    @property
    def max_pulses(self) -> int:
        """Pulses a cell takes."""
        return 1


Programming = WriteVerify | IdealProgramming | SinglePulse


@dataclass(frozen=True, slots=True)
class ProgrammedState:
    """The state of an array after programming, and what it took.

    Attributes:
        switched_fraction: share of each cell's domains in the on state, shape ``(rows, columns)``.
        target: conductance asked for [S].
        pulses: pulses used, per cell.
        converged: whether the last verify read was within tolerance, per cell.
    """

    switched_fraction: NDArray[np.float64]
    target: NDArray[np.float64]
    pulses: NDArray[np.int64]
    converged: NDArray[np.bool_]


def program(
    population: CellPopulation,
    target: NDArray[np.float64],
    window: float,
    how: Programming,
    switching_noise: float,
    generator: np.random.Generator,
) -> ProgrammedState:
    """Program every cell of an array, from the off state, to a target conductance.

    Args:
        population: the cells.
        target: [S], shape ``(rows, columns)``.
        window: width of the conductance window [S], to which tolerance and verify noise refer.
        how: write-verify, or ideal.
        switching_noise: of the card.
        generator: addressed generator of this array's programming.

    Raises:
        ArgumentError: a target of the wrong shape, or not finite.
    """
    if target.shape != population.on_conductance.shape or not np.all(np.isfinite(target)):
        raise argument_error(
            "target", f"hold finite conductances of shape {population.on_conductance.shape}", f"of shape {target.shape}"
        )
    reach = population.on_conductance - population.off_conductance
    if isinstance(how, IdealProgramming):
        ideal = np.clip((target - population.off_conductance) / reach, 0.0, 1.0)
        reached = np.isclose(population.conductance(ideal), target, rtol=0.0, atol=1e-9 * window)
        return ProgrammedState(ideal, target, np.ones(target.shape, dtype=np.int64), reached)
    if isinstance(how, SinglePulse):
        aim = target + how.error * window * generator.standard_normal(target.shape)
        landed = np.clip((aim - population.off_conductance) / reach, 0.0, 1.0)
        near = np.abs(population.conductance(landed) - target) <= how.tolerance * window
        return ProgrammedState(landed, target, np.ones(target.shape, dtype=np.int64), near)
    state = np.zeros(target.shape)
    pulses = np.zeros(target.shape, dtype=np.int64)
    active = np.ones(target.shape, dtype=np.bool_)
    for _ in range(how.max_pulses + 1):
        # Draws have a fixed shape, so that one cell's noise does not depend on when another one converged.
        read = how.verify_noise * window * generator.standard_normal(target.shape)
        push = generator.standard_normal(target.shape)
        error = target - population.conductance(state) - read
        active &= np.abs(error) > how.tolerance * window
        if not active.any() or int(pulses.max()) >= how.max_pulses:
            break
        change = np.clip(error / reach, -1.0, 1.0)
        moved = np.clip(state + change + switching_noise * np.sqrt(np.abs(change)) * push, 0.0, 1.0)
        state = np.where(active, moved, state)
        pulses += active
    return ProgrammedState(state, target, pulses, ~active)
