"""Dwell times: cut off at both ends of a record, and seen only once an interval.

On the grid a trap moves with probabilities rise and fall a sample. The continuous rates behind them are
a = rise L / (rise + fall), b = fall L / (rise + fall) with L = -ln(1 - rise - fall) / interval: excursions that come
and go between two samples are thereby counted. At rise + fall >= 1 no continuous rates exist.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.core.errors import argument_error, check_number

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Dwells:
    """The dwell times of one trap in one state.

    Attributes:
        completed: durations between two switches, shape ``(n,)``.
        censored: durations that the record's start or end cut off (none, one or two).
        mean: maximum-likelihood mean for exponential dwell times; infinite if none was completed.
        log_error: standard error of ln mean, 1 / sqrt(exits); infinite if the trap was never seen to leave.
        censored_share: share of the time in this state that lies in cut-off dwells.
    """

    completed: Array
    censored: Array
    mean: float
    log_error: float
    censored_share: float


def grid_to_rates(rise: ArrayLike, fall: ArrayLike, interval: float) -> tuple[Array, Array]:
    """Return the continuous rates (low to high, high to low) [1/unit of the interval] behind two grid probabilities.

    Args:
        rise: probability that a low trap is high one sample later.
        fall: probability that a high trap is low one sample later; rise + fall < 1.
        interval: time between samples.

    Raises:
        ArgumentError: rise + fall is not below one, or the interval is not positive.
    """
    check_number("interval", interval, "seconds (or 1 read)")
    up, down = np.asarray(rise, dtype=np.float64), np.asarray(fall, dtype=np.float64)
    moves = up + down
    if not np.all((up >= 0.0) & (down >= 0.0) & (moves > 0.0) & (moves < 1.0)):
        raise argument_error(
            "rise", "not be negative, with 0 < rise + fall < 1", f"{up} with fall {down}",
            "A trap that moves more often than that is not resolved by the sampling interval.",
        )  # fmt: skip
    rate = -np.log1p(-moves) / interval
    return np.asarray(up / moves * rate), np.asarray(down / moves * rate)


def dwells(path: NDArray[np.uint8], state: int, interval: float = 1.0) -> Dwells:
    """Return the dwell times of a trap in ``state`` (0 or 1) along a path of 0 and 1.

    The first and the last dwell of a record are cut off: of them only a lower bound is known. For exponential dwell
    times the likelihood is exits * ln(rate) - rate * (all time in the state), hence mean = all time / exits. A dwell
    that the record's start cut off does end in an observed exit.

    Raises:
        ArgumentError: the path is empty, or the state is neither 0 nor 1.
    """
    if path.ndim != 1 or path.shape[0] == 0:
        raise argument_error("path", "be a one-dimensional array with at least one sample", f"of shape {path.shape}")
    if state not in (0, 1):
        raise argument_error("state", "be 0 or 1", state)
    edges = np.concatenate([[0], np.flatnonzero(np.diff(path.astype(np.int8))) + 1, [path.shape[0]]])
    length = np.diff(edges) * interval
    here = path[edges[:-1]] == state
    inner = np.zeros(length.shape[0], dtype=bool)
    inner[1:-1] = True
    completed, censored = length[here & inner], length[here & ~inner]
    total = float(completed.sum() + censored.sum())
    exits = int(np.count_nonzero(here[:-1]))
    return Dwells(
        completed,
        censored,
        total / exits if exits else np.inf,
        exits**-0.5 if exits else np.inf,
        float(censored.sum()) / total if total > 0.0 else 0.0,
    )
