"""A score is a number with its interval, its sample size and its definition; nothing here is quoted bare."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ferrogen.core.errors import argument_error
from ferrogen.core.streams import Purpose, Streams

CONFIDENCE: Final = 0.95
"""The level of every interval in this package."""

RESAMPLES: Final = 200
"""Bootstrap resamples unless a score says otherwise."""

_DEGENERATE: Final = 1e-12


@dataclass(frozen=True, slots=True)
class Score:
    """One number that can be quoted.

    Attributes:
        name: short name in lower case with underscores, e.g. ``"frechet_distance"``.
        value: the estimate.
        low: lower end of the 95 % interval.
        high: upper end of the 95 % interval.
        n: the number of samples judged (images or latent rows, not those of the reference set).
        definition: what the number is, with unit, method of the interval and source.
        note: why it should be read with care; empty if nothing speaks against it.
    """

    name: str
    value: float
    low: float
    high: float
    n: int
    definition: str
    note: str = ""

    def __str__(self) -> str:
        """Write it as ``1.23 [1.18, 1.29] (n = 10000)``."""
        value, low, high = _aligned(self.value, self.low, self.high)
        return f"{value} [{low}, {high}] (n = {self.n})"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, with the interval's confidence level; what is not finite is None."""
        table = {**asdict(self), "confidence": CONFIDENCE}
        return {
            key: None if isinstance(item, float) and not math.isfinite(item) else item for key, item in table.items()
        }


def _aligned(value: float, low: float, high: float) -> tuple[str, str, str]:
    """Write three numbers with as many decimals as the interval's width supports (two digits of it)."""
    width = high - low
    if not math.isfinite(width + value) or width <= _DEGENERATE * max(abs(value), _DEGENERATE):
        return f"{value:.4g}", f"{low:.4g}", f"{high:.4g}"
    decimals = min(12, max(0, 1 - math.floor(math.log10(width))))
    if max(abs(value), abs(low), abs(high)) < 1e-4:
        return f"{value:.3g}", f"{low:.3g}", f"{high:.3g}"
    return f"{value:.{decimals}f}", f"{low:.{decimals}f}", f"{high:.{decimals}f}"


def percentile_interval(estimates: NDArray[np.float64]) -> tuple[float, float]:
    """Return the central 95 % of resampled estimates."""
    tail = (1.0 - CONFIDENCE) / 2.0
    low, high = np.quantile(estimates, [tail, 1.0 - tail])
    return float(low), float(high)


def bootstrap(
    statistic: Callable[[NDArray[np.float64]], float],
    count: int,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    address: int = 0,
) -> NDArray[np.float64]:
    """Recompute a statistic under multinomial weights, i.e. under resampling with replacement.

    Weights instead of copied rows let weighted moments be reused. Efron 1979, doi:10.1214/aos/1176344552.

    Args:
        statistic: maps float64 weights ``(count,)``, which sum to ``count``, to the statistic.
        count: the number of samples.
        seed: addresses the draws; equal seeds give equal intervals.
        resamples: how many times.
        address: tells apart several bootstraps under one seed.

    Returns:
        The resampled statistics, shape ``(resamples,)``.

    Raises:
        ArgumentError: ``count`` or ``resamples`` below 1, or a bad seed.
    """
    weights = resampling_weights(count, seed=seed, resamples=resamples, address=address)
    return np.array([statistic(row) for row in weights])


def resampling_weights(
    count: int, *, seed: int = 0, resamples: int = RESAMPLES, address: int = 0
) -> NDArray[np.float64]:
    """Draw multinomial bootstrap weights, shape ``(resamples, count)``; each row sums to ``count``.

    Raises:
        ArgumentError: ``count`` or ``resamples`` below 1, or a bad seed.
    """
    if count < 1:
        raise argument_error("count", "be at least 1", count)
    if resamples < 1:
        raise argument_error("resamples", "be at least 1", resamples)
    generator = Streams(seed).generator(Purpose.BOOTSTRAP, address)
    weights = np.empty((resamples, count))
    for row in weights:
        row[:] = np.bincount(generator.integers(0, count, size=count), minlength=count)
    return weights


def mean_score(name: str, values: NDArray[np.float64], definition: str) -> Score:
    """Score the mean of independent values with a Student t interval; one value gives a NaN interval."""
    from scipy.special import stdtrit

    count = len(values)
    mean = float(values.mean())
    half = math.nan
    if count > 1:
        quantile = float(stdtrit(count - 1, 0.5 + CONFIDENCE / 2.0))
        half = quantile * float(values.std(ddof=1)) / math.sqrt(count)
    note = "" if count > 1 else "one sample gives no interval"
    return Score(name, mean, mean - half, mean + half, count, definition, note)


def proportion_score(name: str, hits: int, count: int, definition: str, note: str = "") -> Score:
    """Score a proportion with the Wilson interval (Wilson 1927, doi:10.1080/01621459.1927.10502953).

    Raises:
        ArgumentError: ``count`` below 1 or ``hits`` outside 0 to ``count``.
    """
    if count < 1:
        raise argument_error("count", "be at least 1", count)
    if not 0 <= hits <= count:
        raise argument_error("hits", f"be from 0 to {count}", hits)
    z = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2.0)
    share = hits / count
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    # Rounding must not push the ends past the value at 0 and 1.
    return Score(
        name,
        share,
        max(0.0, min(share, centre - half)),
        min(1.0, max(share, centre + half)),
        count,
        definition,
        note,
    )
