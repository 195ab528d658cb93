"""The weighted time-lag plot: where successive samples lie, smoothed by the read noise.

Psi(x, y) is proportional to sum_i exp(-[(I_i - x)^2 + (I_(i+1) - y)^2] / 2 w^2) (Martin-Martinez et al., IEEE Electron
Device Lett. 35, 479 (2014), doi:10.1109/LED.2014.2304673). Peaks on the diagonal are levels, peaks off it transitions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, maximum_filter1d

from ferrogen.core.errors import argument_error, check_number

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TimeLag:
    """A weighted time-lag plot.

    Attributes:
        centres: values along both axes, in the trace's unit, shape ``(bins,)``.
        density: probability density of (sample, next sample), shape ``(bins, bins)``.
        levels: centres of the peaks on the diagonal, strongest first.
        weights: their share of the largest peak.
    """

    centres: Array
    density: Array
    levels: Array
    weights: Array


def time_lag(x: Array, width: float, *, bins: int = 160, least: float = 0.02) -> TimeLag:
    """Return the weighted time-lag plot of a trace.

    The sum over the samples is taken over a histogram with at least four bins a ``width``, as far as ``bins`` allows
    (up to 8 times as many are used), and smoothed.

    Args:
        x: trace, at least two samples.
        width: smoothing width, best the standard deviation of the read noise.
        bins: least number of bins an axis.
        least: share of the largest peak below which a peak on the diagonal is no level.

    Raises:
        ArgumentError: fewer than two samples, or a width that is not positive.
    """
    if x.ndim != 1 or x.shape[0] < 2 or not np.all(np.isfinite(x)):
        raise argument_error("x", "be a trace of at least two finite samples", f"of shape {x.shape}")
    check_number("width", width, "the trace's unit")
    low, high = float(x.min()) - 4.0 * width, float(x.max()) + 4.0 * width
    count = int(np.clip(np.ceil(4.0 * (high - low) / width), bins, 8 * bins))
    histogram, edges, _ = np.histogram2d(x[:-1], x[1:], bins=count, range=((low, high), (low, high)), density=True)
    step = float(edges[1] - edges[0])
    density = gaussian_filter(histogram, width / step, mode="constant", truncate=5.0)
    centres = 0.5 * (edges[1:] + edges[:-1])
    diagonal = np.diagonal(density)
    near = 2 * int(np.ceil(0.5 * width / step)) + 1
    peak = np.flatnonzero((diagonal >= maximum_filter1d(diagonal, near)) & (diagonal > least * diagonal.max()))
    order = peak[np.argsort(-diagonal[peak], kind="stable")]
    return TimeLag(centres, density, centres[order], diagonal[order] / diagonal.max())
