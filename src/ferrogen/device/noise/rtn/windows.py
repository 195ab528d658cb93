"""Exact occupied fractions of read windows for any number of traps, at a cost that does not grow with L T.

A two-state trap with capture rate a and emission rate b is *resampled* at the points of a Poisson process of rate
L = a + b: each point sets the state to 1 with probability a / L, whatever it was. So the numbers of to-1 and to-0
points in a window are independent, n1 ~ Poisson(a T) and n0 ~ Poisson(b T); given them and the state s at the start,
the occupied fraction is Beta(n1 + s, n0 + 1 - s); and the state at the end is 1 with probability n1 / (n1 + n0).

Time is a periodic schedule (:class:`ferrogen.device.noise.rtn.schedule.Schedule`): a cycle of phases with their own
voltage, some of them observed. What happens in a cycle is a function of (key, trap, cycle) and of the state carried
into it, and that state is the outcome of the last point before, found by looking back. So any cycle of any trap can be
computed on its own, and the trap has been on the schedule for ever: no start-up.

Two ways, the cheaper for each trap (:mod:`ferrogen.device.noise.rtn.kernel`):

* *counted*, for many points a cycle: n1, n0 and the last outcome are drawn for every phase, then the fractions.
* *followed*, for few: cycles are grouped in blocks, as long as the trap is slow, so that looking back costs a block or
  two. A block's first point makes the trap forget the past; from there it is followed by its dwell times, which are
  exponential with the rates of the phases they run through. A quiet stretch costs nothing but its output.
"""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from ferrogen.device.noise.rtn.kernel import accumulate


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
        accumulate(*arguments, 0, columns, out)
        return out
    bounds = np.linspace(0, columns, min(4 * threads, columns) + 1).astype(int)
    with ThreadPoolExecutor(threads) as pool:
        jobs = [pool.submit(accumulate, *arguments, int(a), int(b), out) for a, b in itertools.pairwise(bounds)]
        for job in jobs:
            job.result()
    return out
