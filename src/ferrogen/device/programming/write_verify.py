"""Write-verify on the physical junction: rising pulses until a read is close enough, and what that costs.

Every cell is read, and gets a pulse in the direction of its error. As long as the direction stays, the amplitude rises
by one step from pulse to pulse; when it turns, the other polarity begins at its own first amplitude. Cells whose read
was within the tolerance are left alone. The abstract form of the same loop, for whole arrays, is
:mod:`ferrogen.array.programming`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.core.constants import VACUUM_PERMITTIVITY
from ferrogen.core.errors import argument_error, check_number, is_whole
from ferrogen.device.electrostatics.stack import Stack, stack_of
from ferrogen.device.interface import JunctionModel
from ferrogen.device.noise.traps import REFERENCE_TEMPERATURE
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
        state: of the domains, or of the device model.
    """

    conductance: NDArray[np.float64]
    target: NDArray[np.float64]
    error: NDArray[np.float64]
    pulses: NDArray[np.int64]
    time: NDArray[np.float64]
    switching_energy: NDArray[np.float64]
    charging_energy: NDArray[np.float64]
    converged: NDArray[np.bool_]
    state: Any


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
    steps = 0

    def conductance(now: DomainState) -> NDArray[np.float64]:
        return compact.conductance(0.5 + 0.5 * polarization(ensemble, now) / remanent, on, off)

    def charge(now: DomainState) -> NDArray[np.float64]:
        return polarization(ensemble, now) * cell_area

    def move(now: DomainState, voltage: NDArray[np.float64], duration: float) -> DomainState:
        nonlocal steps
        after = hold(ensemble, now, drive, voltage, duration, key=key, step=steps)
        steps += drive.steps
        return after

    capacitance = _capacitance(drive.stack, cell_area)
    return _written(state, wanted, window, how, generator, capacitance, conductance, charge, move)


def write_verify_junction(
    model: JunctionModel,
    state: Any,
    target: ArrayLike,
    how: IncrementalPulses,
    generator: np.random.Generator,
    *,
    read_voltage: float = 0.1,
    temperature: float = REFERENCE_TEMPERATURE,
) -> Written:
    """Program every cell of a device model, ferrogen's own or a third party's, to its target.

    Args:
        model: the cells, with their own scatter from pulse to pulse.
        state: before.
        target: conductance at ``read_voltage`` [S], one number or one a cell; the window is that of the card.
        how: pulses and tolerance.
        generator: of the noise of verify reads.
        read_voltage: of a verify read [V].
        temperature: [K].

    Raises:
        ArgumentError: a value out of range.
        ValidityError: a pulse, voltage or temperature for which the card is not stated to hold.
    """
    card = model.card
    for name, voltage in (("limit", how.limit), ("first_set", how.first_set), ("first_reset", how.first_reset)):
        card.check("program_voltage", voltage, name)
    card.check("pulse_width", how.width, "width")
    card.check("read_voltage", read_voltage, "read_voltage")
    card.check("temperature", temperature, "temperature")
    check_number("read_voltage", read_voltage, "V")
    wanted = _per_cell("target", target, model.cells)
    area = card.cell_area.value

    def conductance(now: Any) -> NDArray[np.float64]:
        return model.current(now, read_voltage) / read_voltage

    def charge(now: Any) -> NDArray[np.float64]:
        return model.polarization(now) * area

    def move(now: Any, voltage: NDArray[np.float64], duration: float) -> Any:
        return model.advance(now, voltage, duration, temperature=temperature)

    shape = float(compact.effective_voltage(read_voltage, card.characteristic_voltage.value)) / read_voltage
    window = (card.on_conductance.value - card.off_conductance.value) * shape
    capacitance = _capacitance(stack_of(card), area)
    return _written(state, wanted, window, how, generator, capacitance, conductance, charge, move)


def _capacitance(stack: Stack, area: float) -> float:
    return VACUUM_PERMITTIVITY * stack.ferroelectric_permittivity / stack.equivalent_thickness * area


def _written(
    state: Any,
    wanted: NDArray[np.float64],
    window: float,
    how: IncrementalPulses,
    generator: np.random.Generator,
    capacitance: float,
    conductance: Callable[[Any], NDArray[np.float64]],
    charge: Callable[[Any], NDArray[np.float64]],
    move: Callable[[Any, NDArray[np.float64], float], Any],
) -> Written:
    """Run the loop on cells of which only these three functions are known."""
    cells = wanted.size
    pulses, reads = np.zeros(cells, dtype=np.int64), np.zeros(cells, dtype=np.int64)
    switching, charging = np.zeros(cells), np.zeros(cells)
    direction, amplitude = np.zeros(cells), np.zeros(cells)
    active = np.ones(cells, dtype=np.bool_)
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
        before = charge(state)
        state = move(state, voltage, how.width)
        switched = np.abs(charge(state) - before)
        state = move(state, np.zeros(cells), how.gap)
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
