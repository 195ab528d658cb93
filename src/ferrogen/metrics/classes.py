"""Are all digits made, are they told apart with confidence, and do images of one digit differ?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.core.errors import argument_error
from ferrogen.core.streams import Purpose, Streams
from ferrogen.metrics.checks import check_matrix, check_probabilities
from ferrogen.metrics.manifold import squared_distances
from ferrogen.metrics.score import (
    CONFIDENCE,
    RESAMPLES,
    Score,
    mean_score,
    percentile_interval,
    proportion_score,
)

_DIVERSITY: Final = (
    "Mean Euclidean feature distance of two different images{}, relative to the reference's; 1 is as"
    " diverse; 95 % normal interval from the U-statistics' variances."
)
_VANISHED: Final = 1e-100  # a smaller distance is rounding, and would overflow as a divisor


def class_histogram(probabilities: ArrayLike, names: Sequence[str] = ()) -> dict[str, Score]:
    """Score the share of images that fall to each class (the most probable one).

    Args:
        probabilities: ``(n, classes)``, rows that sum to one.
        names: of the classes, for the definitions; none for their numbers.

    Returns:
        Scores ``class_0`` to ``class_{classes - 1}``, each with its own Wilson interval (not simultaneous).

    Raises:
        ArgumentError: no probabilities, or no rows.
    """
    checked = check_probabilities("probabilities", probabilities)
    counts = np.bincount(checked.argmax(axis=1), minlength=checked.shape[1])
    definition = "Share of images whose most probable class is {}; 95 % Wilson interval, each class by itself."
    return {
        f"class_{index}": proportion_score(
            f"class_{index}", int(hits), len(checked), definition.format(_class_name(index, names))
        )
        for index, hits in enumerate(counts)
    }


def _class_name(index: int, names: Sequence[str]) -> str:
    return f"{index} ({names[index]})" if index < len(names) and names[index] != str(index) else str(index)


def class_entropy(probabilities: ArrayLike, *, seed: int = 0) -> Score:
    """Score how evenly the classes are made: the Shannon entropy of the class histogram in bits.

    ``log2(classes)`` (3.32 bits for ten) means equal shares, 0 one class only. The plug-in estimate is too
    low by about ``(classes - 1) / (2 n ln 2)`` bits (Miller 1955); this is not corrected, only the interval
    is shifted by the bootstrap's estimate of it.

    Args:
        probabilities: ``(n, classes)``, rows that sum to one.
        seed: addresses the bootstrap draws.

    Returns:
        Score ``class_entropy`` in bits.

    Raises:
        ArgumentError: no probabilities, or no rows.
    """
    checked = check_probabilities("probabilities", probabilities)
    count, classes = checked.shape
    shares = np.bincount(checked.argmax(axis=1), minlength=classes) / count
    value = float(_entropy_bits(shares[None])[0])
    # Resampling images and counting classes is a multinomial draw of the counts.
    generator = Streams(seed).generator(Purpose.BOOTSTRAP)
    resampled = _entropy_bits(generator.multinomial(count, shares, size=RESAMPLES * 5) / count)
    shift = value - float(resampled.mean())
    low, high = (min(max(end + shift, 0.0), math.log2(classes)) for end in percentile_interval(resampled))
    definition = (
        f"Shannon entropy of the class histogram in bits, at most {math.log2(classes):.3f}; plug-in estimate,"
        " too low by about (classes - 1)/(2 n ln 2);"
        " 95 % bootstrap interval over images, shifted by the bootstrap's bias."
    )
    return Score("class_entropy", value, min(low, value), max(high, value), count, definition)


def classifier_confidence(probabilities: ArrayLike) -> Score:
    """Score how surely the classifier names a class: the mean of the largest class probability.

    Real digits reach about 0.995 with the shipped network, but so does uniform noise, which it takes for a
    digit (networks can be sure of nonsense: Guo et al. 2017, doi:10.48550/arXiv.1706.04599). It is a measure
    of doubt, not of quality or diversity: read it beside precision.

    Args:
        probabilities: ``(n, classes)``, rows that sum to one.

    Returns:
        Score ``classifier_confidence`` with a Student t interval over images.

    Raises:
        ArgumentError: no probabilities, or no rows.
    """
    checked = check_probabilities("probabilities", probabilities)
    definition = "Mean over images of the largest class probability; 95 % Student t interval over images."
    score = mean_score("classifier_confidence", checked.max(axis=1), definition)
    return replace(score, high=min(score.high, 1.0)) if len(checked) > 1 else score


def diversity(
    features: ArrayLike, labels: ArrayLike, reference: ArrayLike, reference_labels: ArrayLike
) -> tuple[Score, Score]:
    """Score how much images differ from each other, relative to the reference: overall, and within a class.

    The mean Euclidean distance of two different images in feature space, divided by that of the reference.
    Overall it falls when classes are missing; within a class it falls when every "3" looks alike (mode
    collapse), which the class histogram cannot see. 1 is as diverse as the reference; noise can exceed it, so
    this is no measure of quality. The within-class score is the mean over the classes that both sets hold at
    least twice. Intervals: the variance of the two U-statistics (Hoeffding 1948,
    doi:10.1214/aoms/1177730196), first order, carried to the ratio.

    Args:
        features: the features to judge, ``(n, d)``, n >= 2.
        labels: their integer classes, ``(n,)``, e.g. the most probable ones.
        reference: reference features, ``(m, d)``, m >= 2.
        reference_labels: their integer classes, ``(m,)``.

    Returns:
        Scores ``diversity`` and ``diversity_within_class``; the latter is NaN, with a note, if no class
        qualifies.

    Raises:
        ArgumentError: shapes that do not fit, fewer than 2 rows, a reference of identical rows, NaN or
            infinity.
    """
    own = check_matrix("features", features, rows=2)
    other = check_matrix("reference", reference, rows=2, columns=own.shape[1])
    own_labels = _labels("labels", labels, len(own))
    other_labels = _labels("reference_labels", reference_labels, len(other))
    overall = _overall(own, other)

    ratios: list[tuple[float, float]] = []
    missing: list[str] = []
    for label in np.unique(other_labels):
        ratio = _ratio(own[own_labels == label], other[other_labels == label])
        if ratio is None:
            missing.append(str(label))
        else:
            ratios.append(ratio)
    note = f"classes left out for want of 2 different images: {', '.join(missing)}" if missing else ""
    mean = float(np.mean([value for value, _ in ratios])) if ratios else math.nan
    spread = math.hypot(*(error for _, error in ratios)) / len(ratios) if ratios else math.nan
    definition = _DIVERSITY.format(" of one class, mean over classes")
    return overall, _with_error("diversity_within_class", mean, spread, len(own), definition, note)


def feature_diversity(features: ArrayLike, reference: ArrayLike) -> Score:
    """Score how much images differ from each other, relative to the reference, where there are no classes.

    The first of the two scores of :func:`diversity`, which see for the definition.

    Args:
        features: the features to judge, ``(n, d)``, n >= 2.
        reference: reference features, ``(m, d)``, m >= 2.

    Raises:
        ArgumentError: shapes that do not fit, fewer than 2 rows, a reference of identical rows, NaN or infinity.
    """
    own = check_matrix("features", features, rows=2)
    return _overall(own, check_matrix("reference", reference, rows=2, columns=own.shape[1]))


def _overall(own: NDArray[np.float64], other: NDArray[np.float64]) -> Score:
    whole = _ratio(own, other)
    if whole is None:
        raise argument_error("reference", "hold images that differ", "a set of equal rows")
    return _with_error("diversity", *whole, len(own), _DIVERSITY.format(""))


def _entropy_bits(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    terms = shares * np.log2(np.where(shares > 0.0, shares, 1.0))
    return np.asarray(np.maximum(0.0, -terms.sum(axis=1)))


def _ratio(own: NDArray[np.float64], other: NDArray[np.float64]) -> tuple[float, float] | None:
    """Return the ratio of the mean distances and its standard error; None if there is nothing to divide by."""
    if len(own) < 2 or len(other) < 2:
        return None
    mine, my_error = _mean_distance(own)
    theirs, their_error = _mean_distance(other)
    if theirs < _VANISHED:
        return None
    value = mine / theirs
    return value, math.hypot(my_error, value * their_error) / theirs


def _mean_distance(points: NDArray[np.float64]) -> tuple[float, float]:
    """Return the mean distance of two different rows and its standard error.

    First order for a U-statistic of two arguments: twice the standard error of the mean of the row means.
    """
    count = len(points)
    row_means = np.empty(count)
    for rows, squared in squared_distances(points, points):
        row_means[rows] = np.sqrt(squared, out=squared).sum(axis=1) / (count - 1)
    error = 2.0 * float(row_means.std(ddof=1)) / math.sqrt(count)
    return float(row_means.mean()), error


def _with_error(name: str, value: float, error: float, count: int, definition: str, note: str = "") -> Score:
    half = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2.0) * error
    return Score(name, value, value - half, value + half, count, definition, note)


def _labels(name: str, value: ArrayLike, count: int) -> NDArray[np.int64]:
    array = np.asarray(value)
    if array.shape != (count,) or array.dtype.kind not in "iu":
        raise argument_error(name, f"be {count} integers, one a row", f"{array.dtype} of shape {array.shape}")
    return array.astype(np.int64)
