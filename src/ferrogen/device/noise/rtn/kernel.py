"""The compiled loops of the window sampler: following a trap switch by switch, or counting its points.

Why this is exact, and how a cycle is reached without its past, is told in :mod:`ferrogen.device.noise.rtn.windows`.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ferrogen.core.distributions import (
    POISSON_PLAN,
    beta_integer,
    exponential,
    poisson,
    prepare_poisson,
    seed_local,
    seed_object,
    uniform,
)

# Expected points, and to-and-fro moves, a cycle from which counting is cheaper than following the trap.
_COUNTED_FROM = 16.0
_MOVING_FROM = 4.0
# Blocks of a followed trap have 2**3 cycles, more if it is slow, and at most 2**32: within a longest block a double
# still places a switch to a millionth of a cycle.
_SHORTEST_BLOCK_LOG2 = 3
_LONGEST_BLOCK_LOG2 = 32
_QUIET_BLOCK_LOG2 = 10
# A trap with fewer expected points than this in a longest block counts as frozen: its state is drawn once.
_FROZEN_BELOW = 1e-6
# Blocks with a mean of four points that are all empty, 50 in a row, have probability exp(-200).
_LOOK_BACK_LIMIT = 50
# Where the state of a frozen trap is drawn: a counter that no cycle or block has.
_FROZEN_COUNTER = 1 << 62
# Added to a phase's number, counted from cycle 0: where its fraction is drawn.
_FRACTIONS = 1 << 61

# Rows of the hazard table: what an empty trap, an occupied trap, and one that awaits its block's first point await.
_EMPTY, _OCCUPIED, _WAITING = 0, 1, 2


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _fill_hazard(
    to_one: NDArray[np.float64], to_zero: NDArray[np.float64], trap: int, hazard: NDArray[np.float64]
) -> float:
    """Fill the hazard table of a trap; return how often it moves to and fro in a cycle, voltage changes apart.

    Most points of a trap that is almost always empty (or full) change nothing: it moves only as often as the rarer
    of its two events happens.
    """
    phases = to_one.shape[1]
    moves = 0.0
    hazard[:, phases] = 0.0
    for phase in range(phases):
        capture, emission = to_one[trap, phase], to_zero[trap, phase]
        hazard[_EMPTY, phase] = capture
        hazard[_OCCUPIED, phase] = emission
        hazard[_WAITING, phase] = capture + emission
        moves += min(capture, emission)
        for mode in range(3):
            hazard[mode, phases] += hazard[mode, phase]
    return moves


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _is_counted(points: float, moves: float) -> bool:
    """Say whether counting a trap's points is cheaper than following it."""
    return points >= _COUNTED_FROM and moves >= _MOVING_FROM


@njit(cache=True, nogil=True, error_model="numpy")
def _block_log2(points: float, moves: float) -> int:
    """Return log2 of the cycles in a block, for a number of points and of moves a cycle.

    At least four points a block, or looking back would take many; and up to 1024 cycles if a trap moves less than once
    in them, for a block costs as much as a move.
    """
    if points <= 0.0:
        return _LONGEST_BLOCK_LOG2
    needed = int(min(math.ceil(2.0 - math.log2(points)), _LONGEST_BLOCK_LOG2))
    quiet = int(min(max(-math.log2(max(moves, 1e-300)), _SHORTEST_BLOCK_LOG2), _QUIET_BLOCK_LOG2))
    return max(needed, quiet)


@njit(cache=True, nogil=True, error_model="numpy")
def _follow(
    state: NDArray[np.uint64],
    hazard: NDArray[np.float64],
    length: int,
    occupied: int,
    first: int,
    stop: int,
    weight: float,
    slot: NDArray[np.int64],
    out: NDArray[np.float64],
    at: int,
) -> int:
    """Follow a trap through a block from its beginning to cycle ``stop``; return its state then (-1: as it entered).

    Until the block's first point the trap keeps the state it entered with; from there on it is followed by its
    switches. The draws do not depend on that state, nor on ``first`` and ``stop``.

    Args:
        state: local generator, seeded for this block.
        hazard: expected events of each phase in each mode, shape ``(3, phases + 1)``; the last column is the cycle's.
        length: cycles in the block.
        occupied: the state on entry, or -1 if it is not known (then ``first`` must equal ``stop``).
        first: first cycle of the block to write.
        stop: first cycle not to be simulated.
        weight: of the trap.
        slot: output slot of each phase, -1 if it is not observed.
        out: ``(cycles, slots)``, added to.
        at: cycle of ``out`` that is cycle 0 of the block.
    """
    phases = hazard.shape[1] - 1
    mode = _WAITING
    cycle = 0
    phase = 0
    rest = 1.0  # of the present phase
    share = 0.0  # of the present phase that was occupied so far
    left = exponential(state)  # events to be awaited before the next one
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
        if cycle >= first and slot[phase] >= 0:
            out[at + cycle, slot[phase]] += weight * share
        share = 0.0
        rest = 1.0
        phase += 1
        if phase < phases:
            continue
        phase = 0
        cycle += 1
        if cycle >= stop:
            return -1 if mode == _WAITING else occupied
        if left >= hazard[mode, phases]:  # nothing happens for some whole cycles
            # compared as a float: for a slow trap the number exceeds every integer type
            ratio = left / hazard[mode, phases]
            quiet = length - cycle if ratio >= length - cycle else int(ratio)
            left -= quiet * hazard[mode, phases]
            if left < 0.0:
                left = 0.0
            if occupied == 1:
                for k in range(max(cycle, first), min(cycle + quiet, stop)):
                    for q in range(phases):
                        if slot[q] >= 0:
                            out[at + k, slot[q]] += weight
            cycle += quiet
            if cycle >= stop:
                return -1 if mode == _WAITING else occupied


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _points(state: NDArray[np.uint64], plans: NDArray[np.float64], phase: int) -> tuple[int, int, int]:
    """Draw a phase's points: to-1 points, to-0 points, and the last one's outcome (-1: there was none).

    They are counted in phases that nobody observes, too: what happens must not depend on who looks.
    """
    n1 = poisson(state, plans, 2 * phase * POISSON_PLAN)
    n0 = poisson(state, plans, (2 * phase + 1) * POISSON_PLAN)
    end = -1
    if n1 + n0 > 0:
        end = 1 if uniform(state) * (n1 + n0) < n1 else 0
    return n1, n0, end


@njit(cache=True, nogil=True, error_model="numpy")
def _run_followed(
    own: tuple[np.uint64, np.uint64],
    state: NDArray[np.uint64],
    hazard: NDArray[np.float64],
    moves: float,
    first_cycle: int,
    weight: float,
    slot: NDArray[np.int64],
    out: NDArray[np.float64],
) -> None:
    """Add one trap that seldom moves to its column's ``out``, shape ``(cycles, slots)``."""
    phases = hazard.shape[1] - 1
    total = hazard[_WAITING, phases]
    log2 = _block_log2(total, moves)
    length = 1 << log2
    block = first_cycle >> log2
    occupied = -1
    look = block
    while occupied < 0:
        look -= 1
        if total * length < _FROZEN_BELOW or block - look > _LOOK_BACK_LIMIT:
            seed_local(state, own, _FROZEN_COUNTER)
            occupied = 1 if uniform(state) * total < hazard[_EMPTY, phases] else 0
            break
        seed_local(state, own, look)
        occupied = _follow(state, hazard, length, -1, length, length, weight, slot, out, 0)
    last_cycle = first_cycle + out.shape[0]
    while block << log2 < last_cycle:
        start = block << log2
        first = max(first_cycle - start, 0)
        stop = min(last_cycle - start, length)
        seed_local(state, own, block)
        end = _follow(state, hazard, length, occupied, first, stop, weight, slot, out, start - first_cycle)
        if end >= 0:
            occupied = end
        block += 1


@njit(cache=True, nogil=True, error_model="numpy")
def _run_counted(
    own: tuple[np.uint64, np.uint64],
    state: NDArray[np.uint64],
    fraction_state: NDArray[np.uint64],
    phases: int,
    plans: NDArray[np.float64],
    first_cycle: int,
    weight: float,
    slot: NDArray[np.int64],
    out: NDArray[np.float64],
) -> None:
    """Add one fast trap to its column's ``out``, shape ``(cycles, slots)``.

    Points of a cycle and the fraction of each phase have a generator each: a cycle's end must not depend on the state
    that entered it, but how much a fraction draws does.
    """
    occupied = -1
    look = first_cycle
    while occupied < 0:
        look -= 1
        seed_local(state, own, look)
        for phase in range(phases):
            _, _, end = _points(state, plans, phase)
            if end >= 0:
                occupied = end
    for k in range(out.shape[0]):
        seed_local(state, own, first_cycle + k)
        for phase in range(phases):
            n1, n0, end = _points(state, plans, phase)
            if slot[phase] >= 0:
                ones = n1 + occupied
                zeros = n0 + 1 - occupied
                if zeros == 0:
                    out[k, slot[phase]] += weight
                elif ones > 0:
                    seed_local(fraction_state, own, (first_cycle + k) * phases + phase + _FRACTIONS)
                    out[k, slot[phase]] += weight * beta_integer(fraction_state, ones, zeros)
            if end >= 0:
                occupied = end


@njit(cache=True, nogil=True, error_model="numpy")
def accumulate(
    key: np.uint64,
    trap_address: NDArray[np.uint64],
    starts: NDArray[np.int64],
    weights: NDArray[np.float64],
    to_one: NDArray[np.float64],
    to_zero: NDArray[np.float64],
    observed: NDArray[np.bool_],
    first_cycle: int,
    first_column: int,
    last_column: int,
    out: NDArray[np.float64],
) -> None:
    """Add weight x occupied fraction of every trap of columns [first, last) to ``out[column, cycle, slot]``."""
    phases = to_one.shape[1]
    state = np.empty(2, dtype=np.uint64)
    fraction_state = np.empty(2, dtype=np.uint64)
    plans = np.empty(2 * phases * POISSON_PLAN, dtype=np.float64)
    hazard = np.empty((3, phases + 1), dtype=np.float64)
    slot = np.full(phases, -1, dtype=np.int64)
    slots = 0
    for phase in range(phases):
        if observed[phase]:
            slot[phase] = slots
            slots += 1
    for column in range(first_column, last_column):
        for trap in range(starts[column], starts[column + 1]):
            moves = _fill_hazard(to_one, to_zero, trap, hazard)
            own = seed_object(key, trap_address[trap])
            if not _is_counted(hazard[_WAITING, phases], moves):
                _run_followed(own, state, hazard, moves, first_cycle, weights[trap], slot, out[column])
                continue
            for phase in range(phases):
                prepare_poisson(to_one[trap, phase], plans, 2 * phase * POISSON_PLAN)
                prepare_poisson(to_zero[trap, phase], plans, (2 * phase + 1) * POISSON_PLAN)
            _run_counted(
                own,
                state,
                fraction_state,
                phases,
                plans,
                first_cycle,
                weights[trap],
                slot,
                out[column],
            )
