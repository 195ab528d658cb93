"""What the occupied traps of a block add to the currents of its lines, vector by vector.

No conductance is ever made for a cycle: a run of a trap (:mod:`ferrogen.device.noise.rtn.runs`) adds its step times the
inputs of its row to its line, for the vectors of the cycles that it lasts. Steps and inputs are whole numbers of small
units, so every sum is exact: the result is the same, bit for bit, whatever the order, the batch, the threads and the
cycles that were followed together.
"""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ferrogen.chip.cells.following import BlockCells
from ferrogen.device.noise.rtn.runs import OccupiedRuns, occupied_runs

Array = NDArray[np.float64]

_INPUT_UNIT = 2.0**-18
_SHORTEST, _LONGEST = 16, 1024
_MOST_RUNS = 4_000_000  # of a page: 64 MB


@njit(cache=True, nogil=True, error_model="numpy")
def _add_runs(
    starts: NDArray[np.int64],
    row: NDArray[np.int32],
    begin: NDArray[np.int32],
    end: NDArray[np.int32],
    value: NDArray[np.float32],
    vector: NDArray[np.int64],
    inputs: Array,
    first: int,
    last: int,
    out: Array,
) -> None:
    """Add to ``out[column]`` for columns ``first`` to ``last``; vectors of cycle k: ``vector[k]:vector[k + 1]``."""
    for column in range(first, last):
        for k in range(starts[column], starts[column + 1]):
            a, b = vector[begin[k]], vector[end[k]]
            step = np.float64(value[k])
            for v in range(a, b):
                out[column, v] += step * inputs[row[k], v]


@dataclass(slots=True)
class LineCurrents:
    """Follows the traps of a block through cycles asked for in any order; remembers the last page of cycles.

    Attributes:
        cells: the block.
        threads: results do not depend on it.
    """

    cells: BlockCells
    threads: int = 1
    _page: OccupiedRuns | None = field(default=None, repr=False)
    _length: int = field(default=_SHORTEST, repr=False)

    @property
    def runs_kept(self) -> int:
        """How many runs the remembered page has."""
        return 0 if self._page is None else int(self._page.starts[-1])

    def forget(self) -> None:
        """Forget the page, and that cycles were asked for one after the other."""
        self._page, self._length = None, _SHORTEST

    def add(self, inputs: Array, cycles: NDArray[np.int64]) -> Array:
        """Return what occupied traps add to the lines, in S times an input: shape ``(lines, vectors)``.

        Args:
            inputs: share of the full drive at the block's rows, ``(rows, vectors)``; rounded to 2^-18.
            cycles: of the vectors, rising, shape ``(vectors,)``.
        """
        seen = inputs if self.cells.inputs is None else self.cells.inputs @ inputs
        whole = np.round(seen / _INPUT_UNIT)
        sums = np.zeros((self.cells.traps.columns, cycles.shape[0]))
        at = 0
        while at < cycles.shape[0]:
            page = self._cover(int(cycles[at]), int(cycles[-1]))
            past = int(np.searchsorted(cycles, page.first_cycle + page.cycles))
            self._add_page(page, whole[:, at:past], cycles[at:past], sums[:, at:past])
            at = past
        lines = sums * (self.cells.step * _INPUT_UNIT)
        return np.asarray(lines if self.cells.outputs is None else self.cells.outputs @ lines)

    def _cover(self, cycle: int, last: int) -> OccupiedRuns:
        page = self._page
        if page is not None and page.first_cycle <= cycle < page.first_cycle + page.cycles:
            return page
        if page is not None and cycle == page.first_cycle + page.cycles:  # one after the other: read ahead
            self._length = min(2 * self._length, _LONGEST)
        if page is not None and page.starts[-1] * self._length > _MOST_RUNS * page.cycles:
            self._length = max(self._length // 2, _SHORTEST)
        length = max(self._length, min(last - cycle + 1, 4 * self._length, _LONGEST))
        self._page = occupied_runs(self.cells.traps, first_cycle=cycle, cycles=length, threads=self.threads)
        return self._page

    def _add_page(self, page: OccupiedRuns, inputs: Array, cycles: NDArray[np.int64], out: Array) -> None:
        vector = np.searchsorted(cycles, page.first_cycle + np.arange(page.cycles + 1)).astype(np.int64)
        packed = np.ascontiguousarray(inputs)
        sums = np.zeros(out.shape)
        arguments = (page.starts, page.row, page.begin, page.end, page.value, vector, packed)
        columns = out.shape[0]
        if self.threads <= 1:
            _add_runs(*arguments, 0, columns, sums)
        else:
            bounds = np.linspace(0, columns, min(4 * self.threads, columns) + 1).astype(int)
            with ThreadPoolExecutor(self.threads) as pool:
                jobs = [pool.submit(_add_runs, *arguments, int(a), int(b), sums) for a, b in itertools.pairwise(bounds)]
                for job in jobs:
                    job.result()
        out += sums
