"""How far are latents from independent standard normals?

Moments, distribution, correlation in time and across columns.

Intervals come from a block bootstrap over rows (Kuensch 1989, doi:10.1214/aos/1176347265), because telegraph
noise correlates neighbouring rows and plain intervals would be too narrow. Rows are resampled in blocks of at
least five integrated correlation times; the columns are those of the chip at hand and are taken as given.
Every statistic is a function of sums over blocks, so a resample is one row of a matrix product.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.core.errors import argument_error
from ferrogen.core.streams import Purpose, Streams
from ferrogen.metrics.checks import check_matrix
from ferrogen.metrics.score import CONFIDENCE, Score, percentile_interval

_Floats = NDArray[np.float64]

_RESAMPLES: Final = 500
_LEAST_ROWS: Final = 16
_LEAST_BLOCKS: Final = 16
_FEW_ROWS: Final = 64
_BINS: Final = 512


@dataclass(frozen=True)
class _Blocks:
    """Nearly equal runs of rows, and how often each resample takes them."""

    starts: NDArray[np.int64]
    weights: _Floats  # (resamples, blocks)
    stretch: float
    text: str
    note: str

    def sums(self, rows: _Floats) -> _Floats:
        """Sum each block; ``(n, ...)`` becomes ``(blocks, ...)``."""
        return np.asarray(np.add.reduceat(rows, self.starts, axis=0))

    def interval(self, draws: _Floats, shift: float = 0.0) -> tuple[float, float]:
        """Return the central 95 % of resamples, stretched because blocks are few, then shifted."""
        low, high = percentile_interval(draws)
        middle = float(np.median(draws))
        return (
            middle + self.stretch * (low - middle) + shift,
            middle + self.stretch * (high - middle) + shift,
        )

    def resample(self, sums: _Floats) -> _Floats:
        """Sum over the resampled blocks; ``(blocks, ...)`` becomes ``(resamples, ...)``."""
        flat = self.weights @ sums.reshape(len(sums), -1)
        return np.asarray(flat.reshape(len(self.weights), *sums.shape[1:]))


def latent_statistics(z: ArrayLike, *, lags: Sequence[int] = (1,), seed: int = 0) -> dict[str, Score]:
    """Score latents against independent standard normals.

    Args:
        z: latents ``(n, d)``, rows in the order of time, n >= 16.
        lags: the lags, in rows, of the autocorrelations; each from 1 to n // 4.
        seed: addresses the bootstrap draws.

    Returns:
        Scores by name, ``n`` counting rows:
        ``mean``, ``standard_deviation``, ``skewness``, ``excess_kurtosis`` of all entries pooled;
        ``ks_distance``, the Kolmogorov-Smirnov distance of the pooled entries to N(0, 1);
        ``autocorrelation_lag_<k>``, row to row, each column about its own mean, pooled over columns,
        bias-corrected; ``max_column_correlation`` and ``rms_column_correlation`` over pairs of columns (only
        if d >= 2; the root mean square is corrected for the noise of the estimate, so 0 means "none found").
        Constant columns are left out of the correlations, and ``note`` says so.

    Raises:
        ArgumentError: no matrix, too few rows, NaN, infinity, constant latents, or a lag out of range.
    """
    matrix = check_matrix("z", z, rows=_LEAST_ROWS)
    count = len(matrix)
    for lag in lags:
        if not 1 <= lag <= count // 4:
            raise argument_error("lags", f"be from 1 to n // 4 = {count // 4} rows", lag)
    spread = matrix.std(axis=0)
    varies = spread > 1e-12 * np.abs(matrix).max(axis=0)
    if not varies.any():
        raise argument_error("z", "vary from row to row", "constant in every column", "Is the sampler running?")
    constant = int(np.count_nonzero(~varies))
    note = f"{constant} constant columns left out" if constant else ""
    standard = (matrix[:, varies] - matrix[:, varies].mean(axis=0)) / spread[varies]
    blocks = _blocks(standard, seed)

    scores = [*_moment_scores(matrix, blocks), _ks_score(matrix, blocks)]
    scores += [_autocorrelation_score(standard, lag, blocks, note) for lag in lags]
    if standard.shape[1] > 1:
        scores += _correlation_scores(standard, blocks, note)
    return {score.name: score for score in scores}


def autocorrelation(standard: _Floats, most: int) -> _Floats:
    """Return the autocorrelation at lags 0 to ``most``, averaged over standardised columns ``(n, d)``."""
    from scipy.fft import irfft, next_fast_len, rfft

    count = len(standard)
    length = next_fast_len(count + most, real=True)
    power = (np.abs(rfft(standard, n=length, axis=0)) ** 2).mean(axis=1)
    products = irfft(power, n=length)[: most + 1]
    return np.asarray(products / products[0])


def _blocks(standard: _Floats, seed: int) -> _Blocks:
    from scipy.special import ndtri, stdtrit

    count, columns = standard.shape
    most = count // _LEAST_BLOCKS
    correlation = autocorrelation(standard, most)[1:]
    # Sum up to the first lag at which nothing significant is left (initial positive sequence, pooled).
    below = np.flatnonzero(correlation < 2.0 / math.sqrt(count * columns))
    last = int(below[0]) if len(below) else len(correlation)
    time = 1.0 + 2.0 * float(correlation[:last].sum())
    wanted = 5.0 * (time - 1.0)
    note = "" if count >= _FEW_ROWS else f"{count} rows are few: the interval is rough"
    if wanted > most:
        note = f"rows stay correlated over about {time:.0f} of {count} rows: the interval may be too narrow"
    number = count // min(math.ceil(max(count ** (1 / 3), wanted)), most)
    starts = np.linspace(0, count, number, endpoint=False).astype(np.int64)
    generator = Streams(seed).generator(Purpose.BOOTSTRAP)
    weights = generator.multinomial(number, np.full(number, 1.0 / number), size=_RESAMPLES).astype(np.float64)
    # A t quantile for the normal one, and B / (B - 1) for the variance among B blocks.
    normal, student = ndtri(0.5 + CONFIDENCE / 2), stdtrit(number - 1, 0.5 + CONFIDENCE / 2)
    stretch = float(student / normal * math.sqrt(number / (number - 1)))
    text = f"95 % interval by block bootstrap over rows ({number} blocks of about {count / number:.0f} rows)"
    return _Blocks(starts, weights, stretch, text, note)


def _score(name: str, value: float, low: float, high: float, count: int, text: str, *notes: str) -> Score:
    return Score(name, value, min(low, value), max(high, value), count, text, "; ".join(note for note in notes if note))


def _moment_scores(matrix: _Floats, blocks: _Blocks) -> list[Score]:
    centre, scale = float(matrix.mean()), float(matrix.std())
    shifted = (matrix - centre) / scale
    powers = np.stack(
        [np.ones(len(matrix)) * matrix.shape[1], *((shifted**p).sum(axis=1) for p in range(1, 5))], axis=1
    )
    sums = blocks.sums(powers)
    values = _moments(sums.sum(axis=0)[None], centre, scale)[0]
    resampled = _moments(blocks.resample(sums), centre, scale)
    names = ("mean", "standard_deviation", "skewness", "excess_kurtosis")
    texts = ("Mean", "Standard deviation", "Skewness", "Excess kurtosis (0 for a normal distribution)")
    return [
        _score(
            name,
            float(value),
            *blocks.interval(draws),
            len(matrix),
            f"{text} of all latent entries, pooled over rows and columns; {blocks.text}.",
            blocks.note,
        )
        for name, text, value, draws in zip(names, texts, values, resampled.T, strict=True)
    ]


def _moments(sums: _Floats, centre: float, scale: float) -> _Floats:
    """Turn sums of powers 0 to 4 of ``(z - centre) / scale`` into the four moments of ``z``."""
    m1, m2, m3, m4 = (sums[:, power] / sums[:, 0] for power in range(1, 5))
    variance = m2 - m1**2
    third = m3 - 3 * m1 * m2 + 2 * m1**3
    fourth = m4 - 4 * m1 * m3 + 6 * m1**2 * m2 - 3 * m1**4
    safe = _not_zero(variance)
    deviation = scale * np.sqrt(np.maximum(variance, 0.0))
    return np.stack([centre + scale * m1, deviation, third / safe**1.5, fourth / safe**2 - 3.0], axis=1)


def _not_zero(variance: _Floats) -> _Floats:
    """Make a vanished variance infinite: a resample of equal rows then has correlation and skewness 0, not NaN."""
    return np.where(variance > 1e-9, variance, np.inf)


def _ks_score(matrix: _Floats, blocks: _Blocks) -> Score:
    from scipy.special import ndtr

    uniform = ndtr(matrix)
    ordered = np.sort(uniform, axis=None)
    rank = np.arange(len(ordered) + 1) / len(ordered)
    value = float(max(np.max(rank[1:] - ordered), np.max(ordered - rank[:-1])))
    # The band: how far resampled distribution functions stray from the sample's own, anywhere.
    bins = np.minimum((uniform * _BINS).astype(np.int64), _BINS - 1)
    owner = np.searchsorted(blocks.starts, np.arange(len(matrix)), side="right") - 1
    flat = (owner[:, None] * _BINS + bins).ravel()
    counts = np.bincount(flat, minlength=len(blocks.starts) * _BINS).reshape(-1, _BINS).astype(np.float64)
    total = np.cumsum(counts.sum(axis=0)) / uniform.size
    resampled = np.cumsum(blocks.resample(counts), axis=1)
    strays = np.abs(resampled / resampled[:, -1:] - total).max(axis=1)
    band = blocks.stretch * float(np.quantile(strays, CONFIDENCE))
    text = (
        "Kolmogorov-Smirnov distance of all latent entries to N(0, 1), between 0 and 1;"
        f" {blocks.text}: the value plus and minus the simultaneous band of the distribution function."
    )
    return _score("ks_distance", value, max(0.0, value - band), min(1.0, value + band), len(matrix), text, blocks.note)


def _autocorrelation_score(standard: _Floats, lag: int, blocks: _Blocks, note: str) -> Score:
    count = len(standard)
    ones = np.ones_like(standard)
    products, pairs = np.zeros_like(standard), np.zeros_like(standard)
    products[:-lag] = standard[:-lag] * standard[lag:]
    pairs[:-lag] = 1.0
    sums = blocks.sums(np.stack([products, pairs, standard**2, standard, ones], axis=1))
    plain = float(_correlation_of_sums(sums.sum(axis=0)[None])[0])
    resampled = _correlation_of_sums(blocks.resample(sums))
    bias = float(resampled.mean()) - plain
    low, high = blocks.interval(resampled, -2.0 * bias)
    text = (
        f"Correlation of a row with the one {lag} later, each column about its own mean, pooled over columns,"
        f" less the bias that the estimated means bring; {blocks.text}."
    )
    name = f"autocorrelation_lag_{lag}"
    return _score(name, min(1.0, max(-1.0, plain - bias)), low, high, count, text, blocks.note, note)


def _correlation_of_sums(sums: _Floats) -> _Floats:
    """Pool the columns of (lagged products, pairs, squares, values, rows), each about its resampled mean."""
    mean = sums[:, 3] / sums[:, 4]
    covariance = (sums[:, 0] / sums[:, 1] - mean**2).sum(axis=1)
    return np.asarray(covariance / _not_zero((sums[:, 2] / sums[:, 4] - mean**2).sum(axis=1)))


def _correlation_scores(standard: _Floats, blocks: _Blocks, note: str) -> list[Score]:
    count, columns = standard.shape
    pairs = np.triu_indices(columns, k=1)
    outer = np.stack([part.T @ part for part in np.split(standard, blocks.starts[1:])])
    sizes = np.diff(np.append(blocks.starts, count)).astype(np.float64)
    total = blocks.resample(sizes)
    mean = blocks.resample(blocks.sums(standard)) / total[:, None]
    second = blocks.resample(outer[:, pairs[0], pairs[1]]) / total[:, None]
    variance = blocks.resample(np.einsum("bii->bi", outer)) / total[:, None] - mean**2
    root = np.sqrt(_not_zero(variance))
    resampled = (second - mean[:, pairs[0]] * mean[:, pairs[1]]) / (root[:, pairs[0]] * root[:, pairs[1]])
    found = outer.sum(axis=0)[pairs] / count

    largest = float(np.abs(found).max())
    band = blocks.stretch * float(np.quantile(np.abs(resampled - found).max(axis=1), CONFIDENCE))
    text = f"correlation between two of {columns} columns; {blocks.text}"
    chance = math.sqrt(2.0 * math.log(2.0 * len(found)) / count)
    most = _score(
        "max_column_correlation",
        largest,
        max(0.0, largest - band),
        min(1.0, largest + band),
        count,
        f"Largest absolute {text}: the value plus and minus the simultaneous band over all pairs.",
        f"independent columns reach about {chance:.2g} by chance alone",
        blocks.note,
        note,
    )
    square = float((found**2).mean())
    squares = (resampled**2).mean(axis=1)
    bias = float(squares.mean()) - square
    low, high = (math.sqrt(max(0.0, end)) for end in blocks.interval(squares, -2.0 * bias))
    rms = _score(
        "rms_column_correlation",
        math.sqrt(max(0.0, square - bias)),
        low,
        high,
        count,
        f"Root mean square {text}, corrected for the noise of the estimate (0: none found).",
        blocks.note,
        note,
    )
    return [most, rms]
