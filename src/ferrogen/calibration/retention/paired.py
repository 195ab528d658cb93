"""Cells before and after one bake: the distribution of ln(R_after / R_before), level by level.

Two times tell no law of time. What they do tell is how far single cells of a level drift, and how heavy the tails are.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from ferrogen.core.errors import argument_error

Array = NDArray[np.float64]

_SIGMA_PER_MAD = 1.4826  # standard deviation of a normal distribution over its median absolute deviation
_TAIL = 3.0  # robust standard deviations beyond which a cell belongs to the tail; a normal one has 0.0027 there
_ITERATIONS = 200


@dataclass(frozen=True, slots=True)
class LevelChange:
    """How the cells of one level changed.

    Attributes:
        cells: how many.
        resistance: median before [Ohm].
        median: of ln(R_after / R_before).
        median_low: lower end of its 95 % interval (bootstrap over cells).
        median_high: upper end.
        deviation: standard deviation.
        core: robust standard deviation, from the median absolute deviation.
        low_tail: 5 % quantile.
        high_tail: 95 % quantile.
        largest: largest size.
        tail_share: cells more than three robust standard deviations from the median; 0.0027 if they were normal.
        left_level: share of cells that are nearer to another level's median afterwards, in ln R.
    """

    cells: int
    resistance: float
    median: float
    median_low: float
    median_high: float
    deviation: float
    core: float
    low_tail: float
    high_tail: float
    largest: float
    tail_share: float
    left_level: float

    def record(self) -> dict[str, float]:
        """Return the numbers by name."""
        return asdict(self)


def split_levels(log_resistance: Array, count: int) -> NDArray[np.intp]:
    """Return the level of each cell, 0 the least resistance: one-dimensional k-means from evenly spaced starts.

    Args:
        log_resistance: ln R before the bake, shape ``(cells,)``.
        count: of levels.

    Raises:
        ArgumentError: fewer than two cells to a level, or fewer distinct values than levels.
    """
    ordered = np.sort(log_resistance)
    if log_resistance.size < 2 * count or np.unique(ordered).size < count:
        raise argument_error("levels", "leave at least two cells to a level", f"{count} for {ordered.size} cells")
    # The widest gaps that leave at least a tenth of a fair share on both sides separate levels that are apart.
    least = max(1, ordered.size // (10 * count))
    gaps = np.diff(ordered)
    cuts: list[int] = []
    for k in np.argsort(-gaps, kind="stable"):
        ends = [0, *sorted([*cuts, int(k) + 1]), ordered.size]
        if len(cuts) < count - 1 and min(np.diff(ends)) >= least:
            cuts.append(int(k) + 1)
    while len(cuts) < count - 1:  # levels that overlap: quantiles to begin with
        cuts = [round(ordered.size * (j + 1) / count) for j in range(count - 1)]
    parts = np.split(ordered, sorted(cuts))
    centres = np.array([np.median(part) for part in parts])
    for _ in range(_ITERATIONS):
        labels = np.abs(log_resistance[:, None] - centres).argmin(axis=1)
        new = np.array(
            [np.median(log_resistance[labels == j]) if (labels == j).any() else centres[j] for j in range(count)]
        )
        if np.array_equal(new, centres):
            break
        centres = new
    return np.asarray(np.abs(log_resistance[:, None] - centres).argmin(axis=1))


def level_changes(
    before: Array, after: Array, levels: NDArray[np.intp], generator: np.random.Generator, resamples: int = 400
) -> list[LevelChange]:
    """Return the change of each level.

    Args:
        before: resistance [Ohm], shape ``(cells,)``.
        after: likewise.
        levels: of each cell, from 0.
        generator: of the bootstrap.
        resamples: of the bootstrap.
    """
    change = np.log(after / before)
    present = np.unique(levels)
    centres = np.array([np.median(np.log(before[levels == level])) for level in present])
    nearest = present[np.abs(np.log(after)[:, None] - centres).argmin(axis=1)]
    found = []
    for level in present:
        inside = levels == level
        own = change[inside]
        middle = float(np.median(own))
        core = _SIGMA_PER_MAD * float(np.median(np.abs(own - middle)))
        drawn = np.median(own[generator.integers(0, own.size, (resamples, own.size))], axis=1)
        low, high = np.quantile(drawn, [0.025, 0.975])
        found.append(
            LevelChange(
                cells=int(own.size),
                resistance=float(np.median(before[inside])),
                median=middle,
                median_low=float(low),
                median_high=float(high),
                deviation=float(own.std(ddof=1)) if own.size > 1 else 0.0,
                core=core,
                low_tail=float(np.quantile(own, 0.05)),
                high_tail=float(np.quantile(own, 0.95)),
                largest=float(np.abs(own).max()),
                tail_share=float(np.mean(np.abs(own - middle) > _TAIL * core)),
                left_level=float(np.mean(nearest[inside] != level)),
            )
        )
    return found
