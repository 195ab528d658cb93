"""Exact occupied fractions of read windows for any number of traps, at a cost that does not grow with L T.

A two-state trap with capture rate a and emission rate b is *resampled* at the points of a Poisson process of rate
L = a + b: each point sets the state to 1 with probability a / L, whatever it was. So the numbers of to-1 and to-0
points in a window are independent, n1 ~ Poisson(a T) and n0 ~ Poisson(b T); given them and the state s at the start,
the occupied fraction is Beta(n1 + s, n0 + 1 - s); and the state at the end is 1 with probability n1 / (n1 + n0).

Time is a periodic schedule (:class:`Schedule`): a cycle of phases with their own voltage, some of them observed. The
points of a cycle are a function of (key, trap, cycle) alone; the state carried into a cycle is the outcome of the last
point before it, found by looking back. For traps slower than a cycle the points of a whole block of cycles share one
address, with the block as long as the trap is slow, so looking back costs a block or two however slow the trap is. So
any cycle of any trap can be computed on its own, and the trap has been on the schedule for ever: no start-up.
"""

from __future__ import annotations

import itertools
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ferrogen.core.distributions import beta_integer, poisson, seed_local, uniform
from ferrogen.core.errors import argument_error

# Expected points a cycle below which the points are listed one by one (cheaper), above which they are counted.
_LISTED_BELOW = 4.0
# The longest block. Within it a double still places a point to a millionth of a cycle.
_LONGEST_BLOCK_LOG2 = 32
# A trap with fewer expected points than this in a longest block counts as frozen: its state is drawn once.
_FROZEN_BELOW = 1e-6
# Blocks with a mean of one point or more that are all empty, 200 in a row, have probability exp(-200).
_LOOK_BACK_LIMIT = 200
# Cycles and blocks may be negative (the past before cycle 0), addresses may not.
_ADDRESS_OFFSET = 1 << 45


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
    """What one cell goes through, over and over: a cycle of phases.

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


@njit(cache=True, nogil=True)
def _block_log2(points_per_cycle: float) -> int:
    """Return log2 of the cycles in a block: about one point or more a block, at least one cycle."""
    if points_per_cycle >= 1.0:
        return 0
    if points_per_cycle <= 0.0:
        return _LONGEST_BLOCK_LOG2
    return int(min(math.ceil(-math.log2(points_per_cycle)), _LONGEST_BLOCK_LOG2))


@njit(cache=True, nogil=True)
def _phase_of(position: float, edges: NDArray[np.float64]) -> int:
    """Return the phase in which a point at ``position`` of the cycle's cumulative mean lies."""
    phase = 0
    while phase < edges.shape[0] - 1 and position >= edges[phase]:
        phase += 1
    return phase


@njit(cache=True, nogil=True)
def _last_listed(
    state: NDArray[np.uint64], length: float, total: float, edges: NDArray[np.float64], p: NDArray[np.float64]
) -> int:
    """Return the outcome of a block's last point, or -1 if it has none (same draws as the listing)."""
    outcome = -1
    position = -math.log(uniform(state)) / total
    while position < length:
        phase = _phase_of((position - math.floor(position)) * total, edges)
        outcome = 1 if uniform(state) < p[phase] else 0
        position += -math.log(uniform(state)) / total
    return outcome


@njit(cache=True, nogil=True)
def _draw_counts(
    state: NDArray[np.uint64],
    to_one: NDArray[np.float64],
    to_zero: NDArray[np.float64],
    exp_one: NDArray[np.float64],
    exp_zero: NDArray[np.float64],
    observed: NDArray[np.bool_],
    counts: NDArray[np.int64],
) -> int:
    """Draw a cycle's points as counts; ``counts[phase] = (n1, n0, end)`` with end -1 for no point.

    Returns the state after the cycle's last point, or -1. Drawn before, and apart from, the fractions: the end of a
    cycle must not depend on the state that entered it.
    """
    last = -1
    for phase in range(to_one.shape[0]):
        if observed[phase]:
            n1 = poisson(state, to_one[phase], exp_one[phase])
            n0 = poisson(state, to_zero[phase], exp_zero[phase])
        else:  # only whether there was a point, and the last one's outcome, are needed
            none = exp_one[phase] * exp_zero[phase]
            n1, n0 = 0, 0
            if uniform(state) >= none:
                if uniform(state) * (to_one[phase] + to_zero[phase]) < to_one[phase]:
                    n1 = 1
                else:
                    n0 = 1
        end = -1
        if n1 + n0 > 0:
            end = 1 if uniform(state) * (n1 + n0) < n1 else 0
            last = end
        counts[phase, 0] = n1
        counts[phase, 1] = n0
        counts[phase, 2] = end
    return last


@njit(cache=True, nogil=True)
def _accumulate(
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
    cycles = out.shape[1]
    state = np.empty(2, dtype=np.uint64)
    counts = np.empty((phases, 3), dtype=np.int64)
    edges = np.empty(phases, dtype=np.float64)
    p = np.empty(phases, dtype=np.float64)
    exp_one = np.empty(phases, dtype=np.float64)
    exp_zero = np.empty(phases, dtype=np.float64)
    slot = np.empty(phases, dtype=np.int64)
    slots = 0
    for phase in range(phases):
        slot[phase] = slots
        if observed[phase]:
            slots += 1
    fraction = np.zeros(phases, dtype=np.float64)
    for column in range(first_column, last_column):
        for trap in range(starts[column], starts[column + 1]):
            weight = weights[trap]
            total = 0.0
            chance = 0.0
            for phase in range(phases):
                mean = to_one[trap, phase] + to_zero[trap, phase]
                total += mean
                chance += to_one[trap, phase]
                edges[phase] = total
                p[phase] = to_one[trap, phase] / mean if mean > 0.0 else 0.0
            address = trap_address[trap]
            block_log2 = _block_log2(total)
            listed = total < _LISTED_BELOW
            if not listed:
                for phase in range(phases):
                    exp_one[phase] = math.exp(-to_one[trap, phase])
                    exp_zero[phase] = math.exp(-to_zero[trap, phase])
            # Look back for the state that enters the first block.
            block = first_cycle >> block_log2
            length = float(1 << block_log2)
            occupied = -1
            look = block
            while occupied < 0:
                look -= 1
                if total * length < _FROZEN_BELOW or block - look > _LOOK_BACK_LIMIT:
                    seed_local(state, key, address, np.uint64(0))
                    occupied = 1 if uniform(state) * total < chance else 0
                    break
                seed_local(state, key, address, np.uint64(look + _ADDRESS_OFFSET))
                if listed:
                    occupied = _last_listed(state, length, total, edges, p)
                else:
                    occupied = _draw_counts(state, to_one[trap], to_zero[trap], exp_one, exp_zero, observed, counts)
            if not listed:
                for k in range(cycles):
                    seed_local(state, key, address, np.uint64(first_cycle + k + _ADDRESS_OFFSET))
                    _draw_counts(state, to_one[trap], to_zero[trap], exp_one, exp_zero, observed, counts)
                    for phase in range(phases):
                        if observed[phase]:
                            ones = counts[phase, 0] + occupied
                            zeros = counts[phase, 1] + 1 - occupied
                            if ones == 0:
                                value = 0.0
                            elif zeros == 0:
                                value = 1.0
                            else:
                                value = beta_integer(state, ones, zeros)
                            out[column, k, slot[phase]] += weight * value
                        if counts[phase, 2] >= 0:
                            occupied = counts[phase, 2]
                continue
            # Listed points: walk them block by block, writing the cycles as they are completed.
            k = 0
            while k < cycles:
                start = block << block_log2
                seed_local(state, key, address, np.uint64(block + _ADDRESS_OFFSET))
                position = -math.log(uniform(state)) / total
                stop = min(start + (1 << block_log2), first_cycle + cycles)
                while first_cycle + k < stop:
                    here = first_cycle + k - start
                    if position >= here + 1:  # nothing happens for a while
                        quiet = int(min(position, float(stop - start))) - here
                        if occupied == 1:
                            for j in range(k, k + quiet):
                                for s in range(slots):
                                    out[column, j, s] += weight
                        k += quiet
                        continue
                    if position < here:  # a point before the first cycle asked for
                        phase = _phase_of((position - math.floor(position)) * total, edges)
                        occupied = 1 if uniform(state) < p[phase] else 0
                        position += -math.log(uniform(state)) / total
                        continue
                    # At least one point in this cycle: integrate the pieces between points.
                    for phase in range(phases):
                        fraction[phase] = 0.0
                    done = 0  # the phase in which the last point lay, and how much of it is past
                    past = 0.0
                    while position < here + 1:
                        depth = (position - here) * total
                        phase = _phase_of(depth, edges)
                        low = edges[phase - 1] if phase > 0 else 0.0
                        span = edges[phase] - low
                        within = min(max((depth - low) / span, 0.0), 1.0)
                        if occupied == 1:
                            if phase == done:
                                fraction[phase] += within - past
                            else:
                                fraction[done] += 1.0 - past
                                for q in range(done + 1, phase):
                                    fraction[q] += 1.0
                                fraction[phase] += within
                        done = phase
                        past = within
                        occupied = 1 if uniform(state) < p[phase] else 0
                        position += -math.log(uniform(state)) / total
                    if occupied == 1:
                        fraction[done] += 1.0 - past
                        for q in range(done + 1, phases):
                            fraction[q] += 1.0
                    for phase in range(phases):
                        if observed[phase]:
                            out[column, k, slot[phase]] += weight * fraction[phase]
                    k += 1
                block += 1


def window_sums(
    key: np.uint64,
    trap_address: NDArray[np.uint64],
    starts: NDArray[np.int64],
    weights: NDArray[np.float64],
    to_one: NDArray[np.float64],
    to_zero: NDArray[np.float64],
    observed: NDArray[np.bool_],
    *,
    first_cycle: int,
    cycles: int,
    threads: int = 1,
) -> NDArray[np.float64]:
    """Sum weight x occupied fraction over the traps of each column, for consecutive cycles.

    Args:
        key: stream key (:meth:`ferrogen.core.streams.Streams.key`).
        trap_address: unique address of each trap below the key, shape ``(traps,)``.
        starts: traps of column c are ``starts[c]:starts[c + 1]``, shape ``(columns + 1,)``.
        weights: what an occupied trap adds to its column (e.g. a current in A), shape ``(traps,)``.
        to_one: expected to-1 points, capture rate x duration, shape ``(traps, phases)``.
        to_zero: expected to-0 points, emission rate x duration, same shape.
        observed: which phases are wanted, shape ``(phases,)``.
        first_cycle: number of the first cycle (not negative).
        cycles: how many consecutive cycles.
        threads: columns are shared among threads; the result does not depend on it.

    Returns:
        float64 array ``(columns, cycles, observed phases)``.
    """
    columns = starts.shape[0] - 1
    out = np.zeros((columns, cycles, int(np.count_nonzero(observed))))
    if cycles == 0 or columns == 0:
        return out
    arguments = (key, trap_address, starts, weights, to_one, to_zero, observed, first_cycle)
    if threads <= 1 or columns == 1:
        _accumulate(*arguments, 0, columns, out)
        return out
    bounds = np.linspace(0, columns, min(4 * threads, columns) + 1).astype(int)
    with ThreadPoolExecutor(threads) as pool:
        jobs = [pool.submit(_accumulate, *arguments, int(a), int(b), out) for a, b in itertools.pairwise(bounds)]
        for job in jobs:
            job.result()
    return out
