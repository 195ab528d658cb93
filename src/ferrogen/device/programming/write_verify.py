"""Write-verify on the physical junction: rising pulses until a read is close enough, and what that costs.

Every cell is read, and gets a pulse in the direction of its error. As long as the direction stays, the amplitude rises
by one step from pulse to pulse; when it turns, the other polarity begins at its own first amplitude. Cells whose read
was within the tolerance are left alone. The abstract form of the same loop, for whole arrays, is
:mod:`ferrogen.array.programming`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.core.constants import VACUUM_PERMITTIVITY
from ferrogen.core.errors import argument_error, check_number, is_whole
from ferrogen.device.polarization.domains import DomainEnsemble, DomainState, polarization
from ferrogen.device.programming.drive import Drive, hold
from ferrogen.device.programming.spec import ProgrammingSpec
from ferrogen.device.transport import compact


@dataclass(frozen=True, slots=True)
class IncrementalPulses:
    """Pulses of write-verify, and when to stop.

    Attributes:
        first_set: first amplitude that switches on [V].
        first_reset: first amplitude that switches off, as a size [V].
        increment: of the amplitude from pulse to pulse [V].
        limit: largest amplitude [V].
        width: of a pulse [s].
        gap: after it, at zero volts [s].
        read_time: of a verify read [s].
        tolerance: largest accepted error of a verify read, as a share of the conductance window.
        verify_noise: standard deviation of a verify read, as a share of the window.
        max_pulses: give up on a cell after so many.
    """

    first_set: float
    first_reset: float
    increment: float
    limit: float
    width: float
    gap: float = 1e-6
    read_time: float = 1e-6
    tolerance: float = 0.02
    verify_noise: float = 0.0
    max_pulses: int = 100

    def __post_init__(self) -> None:
        for name, unit in (("first_set", "V"), ("first_reset", "V"), ("width", "s"), ("gap", "s")):
            check_number(name, getattr(self, name), unit)
        check_number("increment", self.increment, "V", may_vanish=True)
        check_number("read_time", self.read_time, "s", may_vanish=True)
        check_number("limit", self.limit, "V")
        if self.limit < max(self.first_set, self.first_reset):
            raise argument_error("limit", "not lie below the first amplitudes", f"{self.limit:g} V")
        if not 0.0 < self.tolerance < 1.0:
            raise argument_error("tolerance", "lie between 0 and 1 (a share of the window)", self.tolerance)
        check_number("verify_noise", self.verify_noise, "1", may_vanish=True)
        if not is_whole(self.max_pulses, 1):
            raise argument_error("max_pulses", "be a whole number of at least 1", self.max_pulses)


def card_pulses(spec: ProgrammingSpec, **others: float) -> IncrementalPulses:
    """Return the pulses that a card's section describes: ``pulse_count`` of them span its amplitudes.

    Args:
        spec: of the card.
        others: further attributes of :class:`IncrementalPulses`, e.g. ``tolerance``.

    Raises:
        ArgumentError: a value out of range.
    """
    span = spec.set_voltage.value - spec.first_set_voltage.value
    settings: dict[str, float] = {
        "first_set": spec.first_set_voltage.value,
        "first_reset": spec.first_reset_voltage.value,
        "increment": max(span, 0.0) / (round(spec.pulse_count.value) - 1),
        "limit": max(spec.set_voltage.value, spec.reset_voltage.value),
        "width": spec.pulse_width.value,
        "gap": spec.pulse_gap.value,
    }
    return IncrementalPulses(**(settings | others))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """Cells after write-verify, and what it took; arrays of shape ``(cells,)``.

    Attributes:
        conductance: reached, without the noise of a read [S].
        target: asked for [S].
        error: reached less target, as a share of the window.
        pulses: used.
        time: of pulses, gaps and reads [s].
        switching_energy: switched charge times voltage [J].
        charging_energy: C V^2 of the stack's linear capacitance, lost in every pulse's charging and discharging [J].
        converged: whether the last verify read was within tolerance. A cell that has not converged keeps its state.
        state: of the domains.
    """

    conductance: NDArray[np.float64]
    target: NDArray[np.float64]
    error: NDArray[np.float64]
    pulses: NDArray[np.int64]
    time: NDArray[np.float64]
    switching_energy: NDArray[np.float64]
    charging_energy: NDArray[np.float64]
    converged: NDArray[np.bool_]
    state: DomainState


def write_verify(
    ensemble: DomainEnsemble,
    state: DomainState,
    target: ArrayLike,
    on_conductance: ArrayLike,
    off_conductance: ArrayLike,
    how: IncrementalPulses,
    drive: Drive,
    cell_area: float,
    generator: np.random.Generator,
    *,
    key: np.uint64 | None = None,
) -> Written:
    """Program every cell to its target.

    Args:
        ensemble: domains of the cells.
        state: before; binary if there is a key.
        target: conductance [S], one number or one a cell.
        on_conductance: [S], likewise; the window is the distance of the means of on and off.
        off_conductance: [S], likewise.
        how: pulses and tolerance.
        drive: how voltages reach the domains.
        cell_area: [m^2].
        generator: of the noise of verify reads.
        key: of random flips; without one the expected response is followed.

    Raises:
        ArgumentError: a value out of range.
    """
    check_number("cell_area", cell_area, "m^2")
    cells = ensemble.cells
    wanted, on, off = (_per_cell(name, values, cells) for name, values in (
        ("target", target), ("on_conductance", on_conductance), ("off_conductance", off_conductance)))  # fmt: skip
    window = float(on.mean() - off.mean())
    if window <= 0.0:
        raise argument_error("on_conductance", "exceed `off_conductance`", f"{on.mean():g} S")
    remanent = np.maximum(ensemble.remanent_polarization, np.finfo(np.float64).tiny)
    capacitance = (
        VACUUM_PERMITTIVITY * drive.stack.ferroelectric_permittivity / drive.stack.equivalent_thickness * cell_area
    )

    def conductance(now: DomainState) -> NDArray[np.float64]:
        return compact.conductance(0.5 + 0.5 * polarization(ensemble, now) / remanent, on, off)

    pulses = np.zeros(cells, dtype=np.int64)
    reads = np.zeros(cells, dtype=np.int64)
    switching, charging = np.zeros(cells), np.zeros(cells)
    direction, amplitude = np.zeros(cells), np.zeros(cells)
    active = np.ones(cells, dtype=np.bool_)
    step = 0
    for turn in range(how.max_pulses + 1):
        # One draw a cell in every turn, so that a cell's noise does not depend on when another one converged.
        noise = how.verify_noise * window * generator.standard_normal(cells)
        missing = wanted - conductance(state) - noise
        reads += active
        active &= np.abs(missing) > how.tolerance * window
        if not active.any() or turn == how.max_pulses:
            break
        sign = np.sign(missing)
        first = np.where(sign > 0.0, how.first_set, how.first_reset)
        amplitude = np.where(sign == direction, np.minimum(amplitude + how.increment, how.limit), first)
        direction = sign
        voltage = np.where(active, sign * amplitude, 0.0)
        before = polarization(ensemble, state)
        state = hold(ensemble, state, drive, voltage, how.width, key=key, step=step)
        switched = np.abs(polarization(ensemble, state) - before) * cell_area
        state = hold(ensemble, state, drive, 0.0, how.gap, key=key, step=step + drive.steps)
        step += 2 * drive.steps
        pulses += active
        switching += np.where(active, switched * np.abs(voltage), 0.0)
        charging += np.where(active, capacitance * voltage**2, 0.0)
    reached = conductance(state)
    return Written(
        conductance=reached,
        target=wanted,
        error=(reached - wanted) / window,
        pulses=pulses,
        time=pulses * (how.width + how.gap) + reads * how.read_time,
        switching_energy=switching,
        charging_energy=charging,
        converged=~active,
        state=state,
    )


def _per_cell(name: str, values: ArrayLike, cells: int) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.shape not in ((), (cells,)) or not np.all(np.isfinite(array)):
        raise argument_error(name, f"be one finite conductance in S, or {cells} of them", f"of shape {array.shape}")
    return np.array(np.broadcast_to(array, (cells,)))


@dataclass(frozen=True, slots=True)
class LevelCost:
    """What write-verify costs on one target level, as means over its cells.

    Attributes:
        target: [S].
        cells: number of cells.
        pulses: used.
        time: [s].
        energy: switching and charging [J].
        error: root mean square of the reached error, as a share of the window; of all cells.
        converged: share of cells that converged.
    """

    target: float
    cells: int
    pulses: float
    time: float
    energy: float
    error: float
    converged: float


def cost_by_level(written: Written) -> tuple[LevelCost, ...]:
    """Return the cost of each target level, by rising target."""
    out = []
    for level in np.unique(written.target):
        own = written.target == level
        energy = written.switching_energy[own] + written.charging_energy[own]
        out.append(
            LevelCost(
                target=float(level),
                cells=int(own.sum()),
                pulses=float(written.pulses[own].mean()),
                time=float(written.time[own].mean()),
                energy=float(energy.mean()),
                error=float(np.sqrt(np.mean(written.error[own] ** 2))),
                converged=float(written.converged[own].mean()),
            )
        )
    return tuple(out)
