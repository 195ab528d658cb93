"""A column's current over time: cells driven at the voltage of each phase, and traps that switch at known moments.

At the virtual ground of the integrator a cell of conductance G carries G V0 sinh(V / V0) (the compact read model); an
occupied trap changes G by its step. Between switches and phase edges everything is constant, so the current is a
staircase, known exactly. Negative conductances stand for a line whose current is mirrored and subtracted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ferrogen.array.population import CellPopulation
from ferrogen.core.arrays import finite_array
from ferrogen.core.errors import argument_error, check_number, is_whole
from ferrogen.device.noise.rtn.closed_form import scheduled_moments
from ferrogen.device.noise.rtn.events import TrapHistory, trap_history
from ferrogen.device.noise.rtn.schedule import Schedule
from ferrogen.device.transport.compact import effective_voltage

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Staircase:
    """A function of time that is constant between jumps.

    Attributes:
        times: at which ``values`` begin [s], rising; the first is 0.
        values: shape of ``times``.
        end: when the last value ends [s].
    """

    times: Array
    values: Array
    end: float

    def at(self, times: Array) -> Array:
        """Return the values at some times [s]; at a jump, the one after it."""
        return self.values[np.searchsorted(self.times, times, side="right") - 1]

    def integral(self, begin: Array, end: Array) -> Array:
        """Return the integral from ``begin`` to ``end`` [s], arrays of one shape."""
        edges = np.append(self.times, self.end)
        sums = np.concatenate([[0.0], np.cumsum(self.values * np.diff(edges))])
        return np.asarray(np.interp(end, edges, sums) - np.interp(begin, edges, sums))


@dataclass(frozen=True, slots=True, eq=False)
class ColumnRecord:
    """The cells that meet at one integrator, and what their traps do over some cycles.

    Attributes:
        conductance: of each cell at 0 V with empty traps [S]; negative where it is subtracted; shape ``(cells,)``.
        cell: in which cell each trap sits, shape ``(traps,)``.
        steps: what an occupied trap adds to its cell [S], with the cell's sign, same shape.
        history: when the traps switch.
        schedule: of a cycle.
        cycles: how many.
        characteristic_voltage: V0 of the cells [V].
        standing: conductance at 0 V of the added cells, with their traps as they are on average in the windows [S].
    """

    conductance: Array
    cell: NDArray[np.int64]
    steps: Array
    history: TrapHistory
    schedule: Schedule
    cycles: int
    characteristic_voltage: float
    standing: float

    def __post_init__(self) -> None:
        finite_array("conductance", self.conductance, "S")
        finite_array("steps", self.steps, "S")
        check_number("standing", self.standing, "S", may_vanish=True)
        traps = self.history.initial.shape
        if self.cell.shape != traps or self.steps.shape != traps:
            raise argument_error(
                "steps", f"have one entry for each of the {traps[0]} traps, as `cell`",
                f"of shape {self.steps.shape} and {self.cell.shape}",
            )  # fmt: skip
        if self.cell.size and not 0 <= int(self.cell.min()) <= int(self.cell.max()) < self.conductance.shape[0]:
            raise argument_error("cell", f"lie in 0 to {self.conductance.shape[0] - 1}", "outside in places")
        if abs(self.history.duration - self.cycles * self.schedule.period) > 1e-9 * self.history.duration:
            raise argument_error(
                "cycles", f"fill the history's {self.history.duration:g} s with cycles of {self.schedule.period:g} s",
                self.cycles,
            )  # fmt: skip

    @property
    def duration(self) -> float:
        """Length of all cycles [s]."""
        return self.cycles * self.schedule.period

    @property
    def phase_edges(self) -> Array:
        """When each phase of each cycle begins [s], shape ``(cycles * phases,)``."""
        lengths = np.array([phase.duration for phase in self.schedule.phases])
        within = np.concatenate([[0.0], np.cumsum(lengths)[:-1]])
        return np.asarray((np.arange(self.cycles)[:, None] * self.schedule.period + within).ravel())

    def load(self, ground: float = 0.0) -> float:
        """Return the slope of the added cells' currents in the windows [S]: what loads the summing node.

        Args:
            ground: the virtual ground [V]. A line that is subtracted has one of its own, in front of the current
                mirror.
        """
        voltage = self.schedule.phases[0].voltage - ground
        return self.standing * math.cosh(voltage / self.characteristic_voltage)

    def excerpt(self, first: int, cycles: int) -> ColumnRecord:
        """Return ``cycles`` cycles of the record from cycle ``first`` on, as a record of its own.

        Raises:
            ArgumentError: cycles that the record does not have.
        """
        if not is_whole(first, 0, self.cycles - 1) or not is_whole(cycles, 1, self.cycles - first):
            raise argument_error("cycles", f"lie within the record's {self.cycles}", f"{cycles} from cycle {first} on")
        begin, end = first * self.schedule.period, (first + cycles) * self.schedule.period
        times, trap = self.history.times, self.history.trap
        before = np.bincount(trap[times < begin], minlength=self.steps.shape[0])
        inside = (times >= begin) & (times < end)
        counts = np.bincount(trap[inside], minlength=self.steps.shape[0])
        history = TrapHistory(
            initial=self.history.initial ^ (before % 2 == 1),
            starts=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            times=times[inside] - begin,
            duration=cycles * self.schedule.period,
        )
        return replace(self, history=history, cycles=cycles)

    def current(self, cells: Sequence[int] | None = None, *, ground: float = 0.0) -> Staircase:
        """Return the current [A] of some cells, or of all, into the summing node.

        Args:
            cells: their numbers; all, if not given.
            ground: voltage of the summing node [V], as the amplifier's offset makes it. Added cells see that much less
                than the row's voltage; those that are subtracted have a virtual ground of their own at 0 V.
        """
        chosen = np.ones(self.conductance.shape[0], dtype=np.bool_)
        if cells is not None:
            chosen[:] = False
            chosen[list(cells)] = True
        added = self.conductance > 0.0
        if ground == 0.0:
            return self._staircase(chosen, 0.0)
        up, down = self._staircase(chosen & added, ground), self._staircase(chosen & ~added, 0.0)
        times = np.union1d(up.times, down.times)
        return Staircase(times, up.at(times) + down.at(times), self.duration)

    def _staircase(self, chosen: NDArray[np.bool_], ground: float) -> Staircase:
        mine = chosen[self.cell]
        start = float(self.conductance[chosen].sum() + (self.steps * self.history.initial)[mine].sum())
        kept = mine[self.history.trap]
        moments, jumps = self.history.times[kept], (self.steps[self.history.trap] * self.history.direction)[kept]
        order = np.argsort(moments, kind="stable")
        moments, levels = moments[order], start + np.concatenate([[0.0], np.cumsum(jumps[order])])
        edges = self.phase_edges
        times = np.unique(np.concatenate([edges, moments]))
        voltages = np.array([phase.voltage for phase in self.schedule.phases]) - ground
        drives = np.tile(effective_voltage(voltages, self.characteristic_voltage), self.cycles)
        drive = drives[np.searchsorted(edges, times, side="right") - 1]
        return Staircase(times, drive * levels[np.searchsorted(moments, times, side="right")], self.duration)


def record_column(
    population: CellPopulation,
    conductance: Array,
    steps: Array,
    schedule: Schedule,
    *,
    key: np.uint64,
    temperature: float,
    characteristic_voltage: float,
    plus: int = 0,
    minus: int | None = None,
    reference: bool = True,
    first_cycle: int = 0,
    cycles: int = 1,
) -> ColumnRecord:
    """Follow the traps of one column, or of a differential pair, through some cycles.

    With the key and the cells of a chip's tile these are the very traps, and the switches, behind the chip's readings.

    Args:
        population: the array's cells.
        conductance: of the cells with empty traps [S], shape ``(rows, columns)``.
        steps: of the population's traps when occupied [S], shape ``(traps,)``.
        schedule: beginning with the two windows.
        key: of the telegraph noise; a trap's address is its number in the population.
        temperature: [K].
        characteristic_voltage: V0 of the cells [V].
        plus: column whose current is integrated.
        minus: column whose current is subtracted, if any.
        reference: whether a quiet cell is added that takes away what the cells carry on average during the windows.
        first_cycle: number of the first cycle.
        cycles: how many.

    Raises:
        ArgumentError: shapes that do not fit, or columns that the array does not have.
        ValidityError: voltages beyond the range of the traps' rates.
    """
    shape = (population.rows, population.columns)
    if conductance.shape != shape or steps.shape != (population.traps.count,):
        raise argument_error(
            "conductance", f"have the array's shape {shape}, and `steps` one entry for each trap",
            f"of shape {conductance.shape} beside {steps.shape}",
        )  # fmt: skip
    columns = [plus] if minus is None else [plus, minus]
    for name, column in zip(("plus", "minus"), columns, strict=False):
        if not is_whole(column, 0, population.columns - 1):
            raise argument_error(name, f"be a column of the array, 0 to {population.columns - 1}", column)
    if minus == plus:
        raise argument_error("minus", "be another column than `plus`", minus)
    rows = population.rows
    signs = np.repeat([1.0, -1.0][: len(columns)], rows)
    traps = [
        np.arange(population.traps.starts[column * rows], population.traps.starts[(column + 1) * rows])
        for column in columns
    ]
    chosen = np.concatenate(traps)
    place = np.concatenate(
        [population.traps.cell[k] + (j - c) * rows for j, (c, k) in enumerate(zip(columns, traps, strict=True))]
    )
    means = [
        [rate[chosen] * phase.duration for rate in population.traps.rates(phase.voltage, temperature)]
        for phase in schedule.phases
    ]
    to_one, to_zero = (np.stack([part[which] for part in means], axis=1) for which in (0, 1))
    cells = signs * conductance[:, columns].T.ravel()
    signed = steps[chosen] * signs[place]
    occupied = 0.5 * (scheduled_moments(to_one, to_zero, 0)[0] + scheduled_moments(to_one, to_zero, 1)[0])
    standing = float(cells[cells > 0.0].sum() + (signed * occupied)[signs[place] > 0.0].sum())
    if reference:
        cells = np.append(cells, -(cells.sum() + (signed * occupied).sum()))
    return ColumnRecord(
        conductance=cells,
        cell=place,
        steps=signed,
        history=trap_history(
            key, chosen.astype(np.uint64), to_one, to_zero, np.array([phase.duration for phase in schedule.phases]),
            first_cycle=first_cycle, cycles=cycles,
        ),
        schedule=schedule,
        cycles=cycles,
        characteristic_voltage=characteristic_voltage,
        standing=standing,
    )  # fmt: skip
