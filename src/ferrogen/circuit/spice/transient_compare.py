"""Our sampling chain and ngspice's, code for code: where they differ, and whether that is at a rounding edge."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ferrogen.circuit.converters import ADC
from ferrogen.circuit.sampling_chain.column import ColumnRecord, Staircase
from ferrogen.circuit.sampling_chain.simulate import ChainReadings, ChainWaveform, digitise, run_chain, virtual_ground
from ferrogen.circuit.sampling_chain.spec import (
    ChargeIntegrator,
    SamplingChain,
    conversion_moment,
    intervals,
    window_of,
)
from ferrogen.circuit.spice.run import DEFAULT_TIME_LIMIT, SimulatorOutputError, run_ngspice
from ferrogen.circuit.spice.transient import DEFAULT_RAMP, CellSources, ramp_charge, sampling_chain_deck
from ferrogen.core.errors import argument_error
from ferrogen.device.transport.compact import effective_voltage

Array = NDArray[np.float64]

SOLVER_TOLERANCE = 5e-7
"""What the simulator's own tolerances may make of a difference of held voltages [V]."""

_SWITCHINGS_PER_RUN = 1500  # ngspice searches its piecewise-linear sources from their beginning at every step


@dataclass(frozen=True, slots=True, eq=False)
class SpiceReadings:
    """What ngspice read, one entry a cycle.

    Attributes:
        held: the two held voltages at the conversions [V], shape ``(cycles, 2)``.
        codes: of the converter in the netlist, shape ``(cycles,)``.
        seconds: wall-clock time of all runs.
        runs: how many runs there were.
        version: of ngspice.
    """

    held: Array
    codes: Array
    seconds: float
    runs: int
    version: str


@dataclass(frozen=True, slots=True, eq=False)
class ChainComparison:
    """Two accounts of one column's readings.

    Attributes:
        readings: ours.
        spice: the simulator's.
        deviation: the simulator's difference of held voltages minus ours [codes], shape ``(cycles,)``.
        limit: what ramps, switches and tolerances of the simulator may make of it at most [codes].
    """

    readings: ChainReadings
    spice: SpiceReadings
    deviation: Array
    limit: float

    @property
    def codes(self) -> Array:
        """Our codes."""
        return self.readings.codes

    @property
    def spice_codes(self) -> Array:
        """The simulator's codes."""
        return self.spice.codes

    @property
    def edge_distance(self) -> Array:
        """Distance of our differences from the nearest rounding edge [codes]."""
        return self.readings.edge_distance

    @property
    def disagreements(self) -> NDArray[np.int64]:
        """Cycles whose codes differ."""
        return np.flatnonzero(self.codes != self.spice_codes)

    @property
    def unexplained(self) -> NDArray[np.int64]:
        """Cycles whose codes differ although our value is further than ``limit`` from an edge."""
        which = self.disagreements
        return which[self.edge_distance[which] > self.limit]

    @property
    def agrees(self) -> bool:
        """Whether all values agree within ``limit`` and codes differ, by one, at rounding edges only."""
        near = bool(np.all(np.abs(self.deviation) <= self.limit))
        return near and not self.unexplained.size and bool(np.all(np.abs(self.codes - self.spice_codes) <= 1.0))


def simulate_in_spice(
    chain: SamplingChain,
    column: ColumnRecord,
    *,
    full_scale: float,
    ramp: float = DEFAULT_RAMP,
    cells: CellSources = "currents",
    header: str = "",
    time_limit: float = DEFAULT_TIME_LIMIT,
    ngspice: str | Path | None = None,
    keep_log: Path | None = None,
) -> SpiceReadings:
    """Run a column's history through the chain in ngspice.

    A long history is cut into runs of some cycles, each of which starts from rest like the first: the reset of the
    first window leaves nothing of what was before.

    Args:
        chain: as for :func:`.transient.sampling_chain_deck`, with ``column``, ``full_scale``, ``ramp``, ``cells`` and
            ``header``.
        column: see there.
        full_scale: see there.
        ramp: see there.
        cells: see there.
        header: see there.
        time_limit: for each run [s].
        ngspice: path of the program; searched in the PATH, if not given.
        keep_log: file for the log of the last run.

    Raises:
        ArgumentError: see :func:`.transient.sampling_chain_deck`.
        SimulatorError: see :func:`.run.run_ngspice`.
    """
    runs = int(np.clip(column.history.times.shape[0] // _SWITCHINGS_PER_RUN, 1, column.cycles))
    bounds = np.linspace(0, column.cycles, runs + 1).astype(int)
    held, codes, seconds, version = np.empty((column.cycles, 2)), np.empty(column.cycles), 0.0, ""
    for begin, end in itertools.pairwise(bounds):
        part = column if runs == 1 else column.excerpt(int(begin), int(end - begin))
        deck = sampling_chain_deck(chain, part, full_scale=full_scale, ramp=ramp, cells=cells, header=header)
        run = run_ngspice(deck, time_limit=time_limit, ngspice=ngspice, keep_log=keep_log, plots=1)
        plot = run.plots[0]
        moments = conversion_moment(chain, part.schedule) + np.arange(part.cycles) * part.schedule.period
        times = plot.vector("time")[: part.cycles]
        if times.shape != moments.shape or np.abs(times - moments).max() > ramp:
            raise SimulatorOutputError(f"ngspice did not return the values at the {part.cycles} conversions.")
        h0, h1, read = (plot.vector(f"v({name})")[: part.cycles] for name in ("h0", "h1", "code"))
        held[begin:end] = np.stack([h0, h1], axis=1)
        codes[begin:end] = np.round(read)
        if np.abs(read - codes[begin:end]).max() > 1e-3:
            raise SimulatorOutputError("The converter in ngspice returned a value that is no code.")
        seconds, version = seconds + run.seconds, run.version
    return SpiceReadings(held=held, codes=codes, seconds=seconds, runs=runs, version=version)


def spice_waveform(
    chain: SamplingChain,
    column: ColumnRecord,
    *,
    full_scale: float,
    ramp: float = DEFAULT_RAMP,
    time_limit: float = DEFAULT_TIME_LIMIT,
    ngspice: str | Path | None = None,
) -> ChainWaveform:
    """Return the chain's voltages over time as ngspice finds them, in one run; for a few cycles, to look at.

    Args and Raises: see :func:`simulate_in_spice`.
    """
    deck = sampling_chain_deck(chain, column, full_scale=full_scale, ramp=ramp, waveform=True)
    plot = run_ngspice(deck, time_limit=time_limit, ngspice=ngspice, plots=1).plots[0]
    held = np.stack([plot.vector("v(h0)"), plot.vector("v(h1)")], axis=1)
    return ChainWaveform(times=plot.vector("time"), output=plot.vector("v(u)"), held=held)


def deviation_limit(
    chain: SamplingChain,
    column: ColumnRecord,
    readings: ChainReadings,
    *,
    ramp: float = DEFAULT_RAMP,
    cells: CellSources = "currents",
) -> float:
    """Return what a netlist may do to a difference of held voltages [codes], at most.

    The sum of: the charge that ramps of the currents add (:func:`.transient.ramp_charge`, exact); the moments of the
    four switches that begin and end two integrations, each uncertain by half of its ramp, times the largest current;
    the simulator's tolerance. With ``conductances`` also what our chain leaves out, as it takes the cells' slope to be
    that of their average conductance: the largest departure from it, times the largest departure e of the summing node
    from the amplifier's offset, and the bend of the sinh, (e / V0)^2 / 2 of the standing current.
    """
    ground, window = virtual_ground(chain), window_of(column.schedule)
    integrated = [part for part in intervals(chain, column.schedule) if not part.reset and part.tracks is not None]
    turns = np.arange(column.cycles) * column.schedule.period

    def largest(staircase: Staircase) -> float:
        found = 0.0
        for part in integrated:
            first = np.searchsorted(staircase.times, turns + part.begin, side="right") - 1
            last = np.searchsorted(staircase.times, turns + part.end, side="left")
            found = max(found, *(float(np.abs(staircase.values[a:b]).max()) for a, b in zip(first, last, strict=True)))
        return found

    current = largest(column.current(ground=ground))
    added = ramp_charge(chain, column, ramp)
    charge = float(np.abs(added[:, 1] - added[:, 0]).max()) + 2.0 * ramp * current
    if cells == "conductances" and isinstance(chain.integrator, ChargeIntegrator):
        speed = 2.0 * math.pi * chain.integrator.gain_bandwidth * chain.integrator.capacitance
        excursion = current / speed + float(np.abs(readings.held).max()) / chain.integrator.gain
        voltage = column.schedule.phases[0].voltage - ground
        slope = column.load(ground)
        flow = column.standing * float(effective_voltage(voltage, column.characteristic_voltage))
        own = column.current([int(k) for k in np.flatnonzero(column.conductance > 0.0)], ground=ground)
        swing = largest(replace(own, values=own.values - flow)) * slope / flow if flow > 0.0 else 0.0
        bend = 0.5 * flow * (excursion / column.characteristic_voltage) ** 2
        charge += 2.0 * window * (swing * excursion + bend)
    return (charge / chain.integrator.capacitance + SOLVER_TOLERANCE) / readings.volts_per_step


def compare_codes(
    chain: SamplingChain,
    column: ColumnRecord,
    spice: SpiceReadings,
    *,
    full_scale: float,
    ramp: float = DEFAULT_RAMP,
    cells: CellSources = "currents",
) -> ChainComparison:
    """Compare our reading of a column with one that ngspice made.

    Raises:
        ArgumentError: as many conversions as cycles must have been read.
    """
    if spice.codes.shape[0] != column.cycles:
        raise argument_error("spice", f"have one code for each of {column.cycles} cycles", spice.codes.shape[0])
    readings = run_chain(chain, column, full_scale=full_scale)
    difference = spice.held[:, 0] - spice.held[:, 1]
    return ChainComparison(
        readings=readings,
        spice=spice,
        deviation=(difference - readings.difference) / readings.volts_per_step,
        limit=deviation_limit(chain, column, readings, ramp=ramp, cells=cells),
    )


def compare_with_spice(
    chain: SamplingChain,
    column: ColumnRecord,
    *,
    full_scale: float,
    ramp: float = DEFAULT_RAMP,
    cells: CellSources = "currents",
    time_limit: float = DEFAULT_TIME_LIMIT,
    ngspice: str | Path | None = None,
    keep_log: Path | None = None,
) -> ChainComparison:
    """Run one column through our chain and through ngspice, and compare them code for code.

    Args and Raises: see :func:`simulate_in_spice`.
    """
    spice = simulate_in_spice(
        chain, column, full_scale=full_scale, ramp=ramp, cells=cells, time_limit=time_limit, ngspice=ngspice,
        keep_log=keep_log,
    )  # fmt: skip
    return compare_codes(chain, column, spice, full_scale=full_scale, ramp=ramp, cells=cells)


@dataclass(frozen=True, slots=True)
class Resolution:
    """How codes of the same held voltages differ with another resolution of the converter.

    Attributes:
        bits: of the converter.
        differ: cycles whose codes differ.
        furthest: distance of our values of these from a rounding edge, the largest [codes]; 0 if there are none.
    """

    bits: int
    differ: int
    furthest: float


def disagreements_by_bits(
    chain: SamplingChain, compared: ChainComparison, bits: Sequence[int]
) -> tuple[Resolution, ...]:
    """Digitise the held voltages of both again, by converters with other numbers of bits and the same full scale.

    Raises:
        ArgumentError: the chain's converter is ideal, or a number of bits that no converter has.
    """
    if not isinstance(chain.adc, ADC):
        raise argument_error("chain", "have a converter with a number of bits", "ideal", "Use ADC.")
    full = compared.readings.volts_per_step * (2 ** (chain.adc.bits - 1) - 1)
    rows = []
    for count in bits:
        other = replace(chain, adc=replace(chain.adc, bits=count))
        step = full / (2 ** (count - 1) - 1)
        codes, distance = digitise(other, compared.readings.difference, step)
        theirs, _ = digitise(other, compared.spice.held[:, 0] - compared.spice.held[:, 1], step)
        which = codes != theirs
        rows.append(Resolution(count, int(which.sum()), float(distance[which].max()) if which.any() else 0.0))
    return tuple(rows)
