"""One column through the chain: exact between jumps, at a cost of one small product a jump."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferrogen.circuit.converters import ADC
from ferrogen.circuit.sampling_chain.column import ColumnRecord
from ferrogen.circuit.sampling_chain.response import (
    CURRENT,
    CURRENT_UNIT,
    FIRST,
    ONE,
    OUTPUT,
    SECOND,
    advance,
    beyond_rail,
    propagators,
    rate_matrix,
)
from ferrogen.circuit.sampling_chain.spec import (
    ChargeIntegrator,
    IdealChargeIntegrator,
    IdealSampleAndHold,
    Interval,
    SamplingChain,
    conversion_moment,
    intervals,
    window_of,
)
from ferrogen.core.errors import check_number

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ChainReadings:
    """What a chain read, one entry a cycle.

    Attributes:
        held: the two held voltages when the converter reads them [V], shape ``(cycles, 2)``.
        difference: first minus second [V], shape ``(cycles,)``; it grows with the second window's current.
        current: what the difference says of the mean current of the second window minus that of the first [A].
        codes: of the converter; the difference itself [V] if it is ideal.
        edge_distance: how far each difference is from the nearest edge between two codes [codes]; infinite if the
            converter is ideal.
        volts_per_step: of the converter [V]; 0: it has no steps.
        saturated: whether the integrator was beyond a rail at a jump or a switch within the windows, by cycle.
    """

    held: Array
    difference: Array
    current: Array
    codes: Array
    edge_distance: Array
    volts_per_step: float
    saturated: NDArray[np.bool_]


def volts_per_step(chain: SamplingChain, window: float, full_scale: float) -> float:
    """Return the converter's step [V] for a ``full_scale`` [A] of the current's difference; 0 for an ideal converter.

    Raises:
        ArgumentError: a full scale that is not positive, or a window too short for the chain.
    """
    check_number("full_scale", full_scale, "A")
    if not isinstance(chain.adc, ADC):
        return 0.0
    return full_scale * chain.volts_per_ampere(window) / float(2 ** (chain.adc.bits - 1) - 1)


def virtual_ground(chain: SamplingChain) -> float:
    """Return the voltage at which the amplifier keeps the summing node [V]: its offset."""
    return chain.integrator.offset if isinstance(chain.integrator, ChargeIntegrator) else 0.0


def digitise(chain: SamplingChain, difference: Array, step: float) -> tuple[Array, Array]:
    """Return (codes, distances from the nearest rounding edge in codes) of differences [V] at ``step`` [V] a code.

    The codes are those of :meth:`ferrogen.circuit.converters.ADC.quantise`: symmetric, clipped. An ideal converter
    (``step`` 0) returns the difference and infinity.
    """
    if not isinstance(chain.adc, ADC):
        return difference.copy(), np.full(difference.shape, np.inf)
    steps = 2 ** (chain.adc.bits - 1) - 1
    full = step * steps
    codes = np.round(np.asarray(chain.adc.quantise(difference, full)) / step)
    # edges lie half-way between codes; beyond the last code there is none
    place = difference / step
    edge = np.clip(np.floor(place) + 0.5, -steps + 0.5, steps - 0.5)
    return codes, np.abs(place - edge)


def run_chain(chain: SamplingChain, column: ColumnRecord, *, full_scale: float) -> ChainReadings:
    """Take a column's current through the chain, without noise of the circuits.

    The chain starts from rest: all voltages zero at the beginning of the first window.

    Args:
        chain: the circuit.
        column: cells and switching moments.
        full_scale: the difference of the windows' mean currents that makes the highest code [A].

    Raises:
        ArgumentError: a schedule, window or full scale that the chain cannot serve.
    """
    window = window_of(column.schedule)
    step = volts_per_step(chain, window, full_scale)
    path = _follow(chain, column)
    turns = np.arange(column.cycles) * column.schedule.period
    converted = np.searchsorted(path.times, turns + conversion_moment(chain, column.schedule))
    held = path.states[converted, FIRST : SECOND + 1]
    difference = held[:, 0] - held[:, 1]
    codes, edges = digitise(chain, difference, step)
    return ChainReadings(
        held=held,
        difference=difference,
        current=difference / chain.volts_per_ampere(window),
        codes=codes,
        edge_distance=edges,
        volts_per_step=step,
        saturated=path.saturated,
    )


@dataclass(frozen=True, slots=True, eq=False)
class ChainWaveform:
    """Voltages of a chain at every jump of the current and every move of a switch, just after it.

    Attributes:
        times: [s], rising.
        output: of the integrator [V], shape of ``times``.
        held: of the two holds [V], shape ``(times, 2)``.
    """

    times: Array
    output: Array
    held: Array


def chain_waveform(chain: SamplingChain, column: ColumnRecord) -> ChainWaveform:
    """Return the voltages over time, as :func:`run_chain` goes through them.

    Raises:
        ArgumentError: a schedule or window that the chain cannot serve.
    """
    path = _follow(chain, column)
    return ChainWaveform(path.times, path.states[:, OUTPUT].copy(), path.states[:, FIRST : SECOND + 1].copy())


@dataclass(frozen=True, slots=True, eq=False)
class _Path:
    """States at all times at which something happens, shape ``(times, 6)``, and which cycles met a rail."""

    times: Array
    states: Array
    saturated: NDArray[np.bool_]


def _follow(chain: SamplingChain, column: ColumnRecord) -> _Path:
    schedule = column.schedule
    parts = intervals(chain, schedule)
    ground = virtual_ground(chain)
    staircase, load = column.current(ground=ground), column.load(ground)
    turns = np.arange(column.cycles)[:, None] * schedule.period
    starts = (turns + np.array([part.begin for part in parts])).ravel()
    times = np.unique(np.concatenate([starts, turns[:, 0] + conversion_moment(chain, schedule), staircase.times]))
    times = times[times < column.duration]
    durations = np.diff(np.append(times, column.duration))
    interval = np.searchsorted(starts, times, side="right") - 1
    carry = np.empty((times.shape[0], 6, 6))
    for number, part in enumerate(parts):
        which = np.flatnonzero(interval % len(parts) == number)
        carry[which] = propagators(rate_matrix(chain, part, load), durations[which])
    states = np.zeros((times.shape[0], 6))
    states[:, ONE] = 1.0
    saturated = np.zeros(column.cycles, dtype=np.bool_)
    state = states[0].copy()
    entered, tracked = -1, None
    for k, current in enumerate(staircase.at(times) / CURRENT_UNIT):
        part = parts[interval[k] % len(parts)]
        if interval[k] != entered:
            _enter(chain, part, tracked, state)
            entered, tracked = interval[k], part.tracks
        state[CURRENT] = current
        states[k] = state
        after = carry[k] @ state
        if beyond_rail(chain, state) or beyond_rail(chain, after):
            saturated[interval[k] // len(parts)] |= part.tracks is not None
            after = advance(chain, part, load, state, float(durations[k]))
        state = after
    return _Path(times, states, saturated)


def _enter(chain: SamplingChain, part: Interval, tracked: int | None, state: Array) -> None:
    """Let ideal stages do what they do in no time when an interval begins; ``tracked`` until then was that hold."""
    if isinstance(chain.hold, IdealSampleAndHold) and tracked is not None and part.tracks != tracked:
        state[FIRST + tracked] = state[OUTPUT]
    # an ideal integrator is reset also where the chain leaves no time for it
    begins = part.tracks is not None and part.tracks != tracked
    if isinstance(chain.integrator, IdealChargeIntegrator) and (part.reset or begins):
        state[OUTPUT] = 0.0
