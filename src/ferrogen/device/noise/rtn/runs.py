"""When traps are occupied, as a list of runs: all that a product needs, and nothing for traps that stay empty.

The window sampler writes a number for every trap and cycle. At the low voltage almost all of them are zero: a trap is
empty, cycle after cycle. Here each trap is followed as :mod:`.kernel` follows it, by the same draws, but what comes out
is a list of stretches of cycles with the same occupied fraction of the observed phase: one entry for a stretch of
whole occupation, one for every cycle with a part of it. The cost is one visit a trap and one entry a move.
"""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ferrogen.core.distributions import (
    POISSON_PLAN,
    beta_integer,
    exponential,
    prepare_poisson,
    seed_local,
    seed_object,
    uniform,
)
from ferrogen.device.noise.rtn.kernel import (
    _EMPTY,
    _FRACTIONS,
    _FROZEN_BELOW,
    _FROZEN_COUNTER,
    _LOOK_BACK_LIMIT,
    _OCCUPIED,
    _WAITING,
    _block_log2,
    _is_counted,
    _points,
)

# A point that comes so much, relatively, before a cycle comes before it whatever the rounding.
_SURELY = 1.0 - 1e-9
_ROOM = 1 << 16  # entries that are noted at a time, at least


@dataclass(frozen=True, slots=True, eq=False)
class FollowedTraps:
    """Traps of many cells on a schedule, in the order of their columns.

    Attributes:
        key: stream key (:meth:`ferrogen.core.streams.Streams.key`).
        address: of each trap below the key, shape ``(traps,)``.
        starts: traps of column c are ``starts[c]:starts[c + 1]``, shape ``(columns + 1,)``.
        row: of each trap's cell, shape ``(traps,)``.
        weight: what an occupied trap adds, float32: whole numbers, so that sums are exact. Shape ``(traps,)``.
        rates: capture and emission rate [1/s] at each of the schedule's voltages, ``(traps, voltages, 2)``.
        voltage: which voltage each phase has, shape ``(phases,)``.
        duration: of each phase [s], same shape.
        observed: the phase that is read.
    """

    key: np.uint64
    address: NDArray[np.uint32]
    starts: NDArray[np.int64]
    row: NDArray[np.int32]
    weight: NDArray[np.float32]
    rates: NDArray[np.float64]
    voltage: NDArray[np.int64]
    duration: NDArray[np.float64]
    observed: int

    @property
    def count(self) -> int:
        """Number of traps."""
        return int(self.address.shape[0])

    @property
    def columns(self) -> int:
        """Number of columns."""
        return int(self.starts.shape[0]) - 1


@dataclass(frozen=True, slots=True, eq=False)
class OccupiedRuns:
    """When traps are occupied in consecutive cycles.

    Attributes:
        first_cycle: number of the first.
        cycles: how many.
        starts: runs of column c are ``starts[c]:starts[c + 1]``, shape ``(columns + 1,)``.
        row: of each run's cell, shape ``(runs,)``.
        begin: its first cycle, counted from ``first_cycle``, same shape.
        end: the cycle behind its last.
        value: weight x occupied fraction of the observed phase in each of its cycles, rounded to a whole number.
    """

    first_cycle: int
    cycles: int
    starts: NDArray[np.int64]
    row: NDArray[np.int32]
    begin: NDArray[np.int32]
    end: NDArray[np.int32]
    value: NDArray[np.float32]


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _note(
    begin: NDArray[np.int32],
    end: NDArray[np.int32],
    value: NDArray[np.float32],
    count: int,
    own_first: int,
    first: int,
    last: int,
    amount: float,
) -> int:
    """Write a run down, or lengthen the trap's last one; return how many there are now."""
    if amount == 0.0:
        return count
    if count > own_first and end[count - 1] == first and value[count - 1] == amount:
        end[count - 1] = last
        return count
    begin[count] = first
    end[count] = last
    value[count] = amount
    return count + 1


@njit(cache=True, nogil=True, error_model="numpy")
def _follow(
    state: NDArray[np.uint64],
    hazard: NDArray[np.float64],
    length: int,
    occupied: int,
    first: int,
    stop: int,
    at: int,
    weight: float,
    observed: int,
    begin: NDArray[np.int32],
    end: NDArray[np.int32],
    value: NDArray[np.float32],
    count: int,
    own_first: int,
) -> tuple[int, int]:
    """Follow a trap through a block as ``kernel._follow`` does, by its draws; note cycles ``first`` to ``stop``.

    Returns:
        (state at cycle ``stop``, or -1 if it is the one on entry; number of runs noted).
    """
    phases = hazard.shape[1] - 1
    mode = _WAITING
    cycle = 0
    phase = 0
    rest = 1.0
    share = 0.0
    left = exponential(state)
    while True:
        ahead = hazard[mode, phase] * rest
        if left < ahead:
            spent = left / hazard[mode, phase]
            if occupied == 1:
                share += spent
            rest -= spent
            if mode == _WAITING:
                occupied = 1 if uniform(state) * hazard[_WAITING, phase] < hazard[_EMPTY, phase] else 0
            else:
                occupied = 1 - occupied
            mode = occupied
            left = exponential(state)
            continue
        left -= ahead
        if occupied == 1:
            share += rest
        if share > 0.0 and phase == observed and cycle >= first:
            amount = np.round(weight * share)
            count = _note(begin, end, value, count, own_first, at + cycle, at + cycle + 1, amount)
        share = 0.0
        rest = 1.0
        phase += 1
        if phase < phases:
            continue
        phase = 0
        cycle += 1
        if cycle >= stop:
            return (-1 if mode == _WAITING else occupied), count
        if left >= hazard[mode, phases]:
            ratio = left / hazard[mode, phases]
            quiet = length - cycle if ratio >= length - cycle else int(ratio)
            left -= quiet * hazard[mode, phases]
            if left < 0.0:
                left = 0.0
            if occupied == 1:
                a, b = max(cycle, first), min(cycle + quiet, stop)
                if a < b:
                    count = _note(begin, end, value, count, own_first, at + a, at + b, np.round(weight))
            cycle += quiet
            if cycle >= stop:
                return (-1 if mode == _WAITING else occupied), count


@njit(cache=True, nogil=True, error_model="numpy")
def _run_followed(
    own: tuple[np.uint64, np.uint64],
    state: NDArray[np.uint64],
    hazard: NDArray[np.float64],
    log2: int,
    first_cycle: int,
    cycles: int,
    weight: float,
    observed: int,
    begin: NDArray[np.int32],
    end: NDArray[np.int32],
    value: NDArray[np.float32],
    count: int,
) -> int:
    phases = hazard.shape[1] - 1
    total = hazard[_WAITING, phases]
    length = 1 << log2
    block = first_cycle >> log2
    own_first = count
    occupied = -1
    seed_local(state, own, block)
    if exponential(state) < total * (first_cycle - (block << log2)) * _SURELY:
        occupied = 0  # forgotten before it matters
    look = block
    while occupied < 0:
        look -= 1
        if total * length < _FROZEN_BELOW or block - look > _LOOK_BACK_LIMIT:
            seed_local(state, own, _FROZEN_COUNTER)
            occupied = 1 if uniform(state) * total < hazard[_EMPTY, phases] else 0
            break
        seed_local(state, own, look)
        occupied, _ = _follow(
            state, hazard, length, -1, length, length, 0, weight, observed, begin, end, value, count, own_first
        )
    last_cycle = first_cycle + cycles
    while block << log2 < last_cycle:
        start = block << log2
        first = max(first_cycle - start, 0)
        stop = min(last_cycle - start, length)
        seed_local(state, own, block)
        last, count = _follow(
            state, hazard, length, occupied, first, stop, start - first_cycle, weight, observed,
            begin, end, value, count, own_first,
        )  # fmt: skip
        if last >= 0:
            occupied = last
        block += 1
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def _run_counted(
    own: tuple[np.uint64, np.uint64],
    state: NDArray[np.uint64],
    other: NDArray[np.uint64],
    phases: int,
    plans: NDArray[np.float64],
    first_cycle: int,
    cycles: int,
    weight: float,
    observed: int,
    begin: NDArray[np.int32],
    end: NDArray[np.int32],
    value: NDArray[np.float32],
    count: int,
) -> int:
    own_first = count
    occupied = -1
    look = first_cycle
    while occupied < 0:
        look -= 1
        seed_local(state, own, look)
        for phase in range(phases):
            _, _, last = _points(state, plans, phase)
            if last >= 0:
                occupied = last
    for k in range(cycles):
        seed_local(state, own, first_cycle + k)
        for phase in range(phases):
            n1, n0, last = _points(state, plans, phase)
            if phase == observed:
                ones, zeros = n1 + occupied, n0 + 1 - occupied
                share = 0.0
                if zeros == 0:
                    share = 1.0
                elif ones > 0:
                    seed_local(other, own, (first_cycle + k) * phases + phase + _FRACTIONS)
                    share = beta_integer(other, ones, zeros)
                count = _note(begin, end, value, count, own_first, k, k + 1, np.round(weight * share))
            if last >= 0:
                occupied = last
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def _note_runs(
    key: np.uint64,
    address: NDArray[np.uint32],
    weight: NDArray[np.float32],
    rates: NDArray[np.float64],
    voltage: NDArray[np.int64],
    duration: NDArray[np.float64],
    observed: int,
    first_cycle: int,
    cycles: int,
    trap: int,
    last_trap: int,
    after: NDArray[np.int64],
    begin: NDArray[np.int32],
    end: NDArray[np.int32],
    value: NDArray[np.float32],
) -> int:
    """Note the runs of traps from ``trap`` on as long as there is room; return the first one not noted.

    ``after[k]`` becomes the number of runs noted with trap k.
    """
    phases = voltage.shape[0]
    state = np.empty(2, dtype=np.uint64)
    other = np.empty(2, dtype=np.uint64)
    plans = np.empty(2 * phases * POISSON_PLAN, dtype=np.float64)
    hazard = np.empty((3, phases + 1), dtype=np.float64)
    most = begin.shape[0] - 2 * cycles - 2
    count = 0
    while trap < last_trap and count <= most:
        moves = 0.0
        empty, occupied, waiting = 0.0, 0.0, 0.0
        for phase in range(phases):
            capture = rates[trap, voltage[phase], 0] * duration[phase]
            emission = rates[trap, voltage[phase], 1] * duration[phase]
            hazard[_EMPTY, phase] = capture
            hazard[_OCCUPIED, phase] = emission
            hazard[_WAITING, phase] = capture + emission
            moves += min(capture, emission)
            empty += capture
            occupied += emission
            waiting += capture + emission
        hazard[_EMPTY, phases] = empty
        hazard[_OCCUPIED, phases] = occupied
        hazard[_WAITING, phases] = waiting
        own = seed_object(key, np.uint64(address[trap]))
        if not _is_counted(waiting, moves):
            count = _run_followed(
                own, state, hazard, _block_log2(waiting, moves), first_cycle, cycles, weight[trap], observed,
                begin, end, value, count,
            )  # fmt: skip
        else:
            for phase in range(phases):
                prepare_poisson(hazard[_EMPTY, phase], plans, 2 * phase * POISSON_PLAN)
                prepare_poisson(hazard[_OCCUPIED, phase], plans, (2 * phase + 1) * POISSON_PLAN)
            count = _run_counted(
                own, state, other, phases, plans, first_cycle, cycles, weight[trap], observed,
                begin, end, value, count,
            )  # fmt: skip
        after[trap] = count
        trap += 1
    return trap


def _runs_of(traps: FollowedTraps, first_cycle: int, cycles: int, first: int, last: int) -> list[NDArray[np.int32]]:
    """Return (number a trap, begin, end, value) of traps ``first`` to ``last``."""
    after = np.zeros(last, dtype=np.int64)
    room = max(_ROOM, 4 * (2 * cycles + 2))
    numbers, pieces = [], []
    at = first
    while at < last:
        begin, end = np.empty(room, dtype=np.int32), np.empty(room, dtype=np.int32)
        value = np.empty(room, dtype=np.float32)
        done = _note_runs(
            traps.key, traps.address, traps.weight, traps.rates, traps.voltage, traps.duration, traps.observed,
            first_cycle, cycles, at, last, after, begin, end, value,
        )  # fmt: skip
        number = int(after[done - 1])
        numbers.append(np.diff(after[at:done], prepend=0))
        pieces.append((begin[:number].copy(), end[:number].copy(), value[:number].copy()))
        at = done
    joined = [np.concatenate(part) for part in zip(*pieces, strict=True)]
    return [np.concatenate(numbers), *joined]


def occupied_runs(traps: FollowedTraps, *, first_cycle: int, cycles: int, threads: int = 1) -> OccupiedRuns:
    """Return when traps are occupied in consecutive cycles: the history that :func:`.windows.window_sums` averages.

    Args:
        traps: on their schedule.
        first_cycle: number of the first cycle (not negative).
        cycles: how many, at least 1.
        threads: traps are shared among threads; the result does not depend on it.
    """
    none = np.zeros(0, dtype=np.int32)
    if traps.count == 0:
        starts = np.zeros(traps.columns + 1, dtype=np.int64)
        return OccupiedRuns(first_cycle, cycles, starts, none, none, none, none.astype(np.float32))
    parts = max(1, min(4 * threads if threads > 1 else 1, traps.count))
    bounds = np.linspace(0, traps.count, parts + 1).astype(int)
    spans = [(int(a), int(b)) for a, b in itertools.pairwise(bounds) if b > a]
    if threads <= 1:
        found = [_runs_of(traps, first_cycle, cycles, a, b) for a, b in spans]
    else:
        with ThreadPoolExecutor(threads) as pool:
            jobs = [pool.submit(_runs_of, traps, first_cycle, cycles, a, b) for a, b in spans]
            found = [job.result() for job in jobs]
    number, begin, end, value = (np.concatenate(part) for part in zip(*found, strict=True))
    before = np.concatenate([[0], np.cumsum(number)])
    return OccupiedRuns(
        first_cycle,
        cycles,
        before[traps.starts],
        np.repeat(traps.row, number),
        begin,
        end,
        np.asarray(value, dtype=np.float32),
    )
