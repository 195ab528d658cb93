"""Spectra of a cell's current: the closed form of all its noises, reads sampled with them, and Welch's estimate.

All spectra are one-sided, in A^2/Hz unless relative. A cell's noise is that of its traps, and the thermal and shot
noise of the current through it; an amplifier's comes on top (:mod:`ferrogen.circuit`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.core.errors import ArgumentError, argument_error, check_number, is_whole
from ferrogen.core.streams import Purpose, Streams
from ferrogen.device.noise.cell import CellPoint
from ferrogen.device.noise.electronic import junction_density, white_window_variance
from ferrogen.device.noise.rtn.closed_form import averaging_factor, lorentzian, occupancy
from ferrogen.device.noise.rtn.windows import window_sums

Array = NDArray[np.float64]

_FIRST_BIN = 4  # the Hann window smears the lowest frequencies of a segment into one another
_HALF_OVERLAP = 1.0 / 36.0  # squared correlation of neighbouring half-overlapping Hann segments
_NEXT, _NEXT_BUT_ONE = 4.0 / 9.0, 1.0 / 36.0  # squared correlation of frequencies one and two bins apart


@dataclass(frozen=True, slots=True)
class CellSpectrum:
    """Spectrum of a cell's current by origin [A^2/Hz], one entry a frequency.

    Attributes:
        frequency: [Hz].
        telegraph: of the traps.
        thermal: of the junction without bias, 4 k T I / V.
        shot: what the bias adds.
    """

    frequency: Array
    telegraph: Array
    thermal: Array
    shot: Array

    @property
    def total(self) -> Array:
        """Sum of the three."""
        return np.asarray(self.telegraph + self.thermal + self.shot)


def cell_spectrum(point: CellPoint, frequency: ArrayLike) -> CellSpectrum:
    """Return the closed-form spectrum of a cell's current.

    Args:
        point: the cell at its operating point.
        frequency: [Hz], shape ``(frequencies,)``.

    Raises:
        ArgumentError: a voltage of zero, a temperature that is not positive.
    """
    f = np.atleast_1d(np.asarray(frequency, dtype=np.float64))
    lines = lorentzian(f[:, None], point.capture_rate, point.emission_rate)
    thermal, shot = junction_density(point.mean_current, point.voltage, point.temperature, point.fano_factor)
    flat = np.ones_like(f)
    return CellSpectrum(f, np.asarray(lines @ point.steps**2), flat * thermal, flat * shot)


def averaged_lorentzian(
    frequency: ArrayLike, capture_rate: ArrayLike, emission_rate: ArrayLike, duration: float, period: float
) -> Array:
    """Return the one-sided spectrum [1/Hz] of a trap's occupied fraction in windows, one every ``period``.

    The transform of the window covariances, 2 P [c_0 + 2 Re sum c_k e^(-i w k P)], a geometric series; up to 1 / (2 P).

    Args:
        frequency: [Hz].
        capture_rate: [1/s], positive.
        emission_rate: [1/s]; all broadcast.
        duration: of a window [s].
        period: from window to window [s], not shorter.

    Raises:
        ArgumentError: times that are not positive, or a shorter period.
    """
    check_number("duration", duration, "s")
    check_number("period", period, "s")
    if period < duration:
        raise argument_error("period", f"be at least the duration of a window, {duration:g} s", f"{period:g} s")
    p = occupancy(capture_rate, emission_rate)
    rate = np.asarray(capture_rate, dtype=np.float64) + np.asarray(emission_rate, dtype=np.float64)
    u = rate * duration
    small = u < 1e-6
    overlap = np.where(small, 1.0 - u, (np.expm1(-np.where(small, 1.0, u)) / np.where(small, 1.0, u)) ** 2)
    turn = -2.0j * np.pi * np.asarray(frequency, dtype=np.float64) * period
    # sum over k >= 1 of overlap e^(-L (k P - T)) e^(k turn)
    tail = overlap * np.exp(turn - rate * (period - duration)) / -np.expm1(turn - rate * period)
    return np.asarray(2.0 * period * p * (1.0 - p) * (averaging_factor(u) + 2.0 * tail.real))


def read_spectrum(point: CellPoint, frequency: ArrayLike, *, duration: float, period: float) -> Array:
    """Return the one-sided spectrum [A^2/Hz] of a cell's reads, aliasing included: means over windows, one a period.

    White noise of density S leaves S / (2 T) in every read, whatever the others: a density of S P / T.

    Args:
        point: the cell at its operating point.
        frequency: up to 1 / (2 period) [Hz], shape ``(frequencies,)``.
        duration: of a read [s].
        period: from read to read [s].

    Raises:
        ArgumentError: times that are not positive, or a shorter period.
    """
    f = np.atleast_1d(np.asarray(frequency, dtype=np.float64))
    lines = averaged_lorentzian(f[:, None], point.capture_rate, point.emission_rate, duration, period)
    white = sum(junction_density(point.mean_current, point.voltage, point.temperature, point.fano_factor))
    return np.asarray(lines @ point.steps**2 + white * period / duration)


def sample_reads(
    point: CellPoint, streams: Streams, *, duration: float, period: float, reads: int, address: int = 0
) -> Array:
    """Sample consecutive reads of a cell [A]: exact telegraph means, and Gaussian thermal and shot noise.

    Args:
        point: the cell at its operating point.
        streams: of the run.
        duration: of a read [s].
        period: from read to read [s], not shorter.
        reads: how many, at least 1.
        address: of the cell below the streams' purposes.

    Returns:
        Shape ``(reads,)``.

    Raises:
        ArgumentError: times that are not positive, a shorter period, no read.
    """
    check_number("duration", duration, "s")
    check_number("period", period, "s")
    if period < duration:
        raise argument_error("period", f"be at least the duration of a read, {duration:g} s", f"{period:g} s")
    if not is_whole(reads, 1):
        raise argument_error("reads", "be a whole number of at least 1", reads)
    phases = np.array([duration, period - duration]) if period > duration else np.array([duration])
    traps = point.steps.shape[0]
    telegraph = window_sums(
        streams.key(Purpose.TELEGRAPH_WINDOW, address),
        np.arange(traps, dtype=np.uint64),
        np.array([0, traps], dtype=np.int64),
        np.asarray(point.steps, dtype=np.float64),
        point.capture_rate[:, None] * phases,
        point.emission_rate[:, None] * phases,
        np.arange(phases.shape[0]) == 0,
        first_cycle=0,
        cycles=reads,
    )[0, :, 0]
    white = sum(junction_density(point.mean_current, point.voltage, point.temperature, point.fano_factor))
    deviation = np.sqrt(white_window_variance(white, duration))
    normals = streams.generator(Purpose.ELECTRONIC_NOISE, address).standard_normal(reads)
    return np.asarray(point.current + telegraph + deviation * normals)


def binned_welch(signal: Array, interval: float, segment: int) -> tuple[Array, Array]:
    """Estimate a one-sided spectrum by Welch's method and average it in eight logarithmic bins a decade.

    Args:
        signal: samples, shape ``(steps,)``.
        interval: time between them [s].
        segment: samples a segment (Hann window, half overlap).

    Returns:
        Frequency [Hz] (geometric mean of a bin) and density [signal^2 / Hz].
    """
    frequency, density, _ = _binned(signal, interval, segment)
    return frequency, density


def _binned(signal: Array, interval: float, segment: int) -> tuple[Array, Array, NDArray[np.int64]]:
    from scipy.signal import welch

    frequency, density = welch(signal, fs=1.0 / interval, nperseg=segment, window="hann", detrend="constant")
    # The last point, the Nyquist frequency itself, has a density of another definition.
    frequency, density = frequency[_FIRST_BIN:-1], density[_FIRST_BIN:-1]
    index = np.floor(8.0 * np.log10(frequency / frequency[0]) + 1e-9).astype(np.int64)
    number = np.bincount(index)
    kept = number > 0
    centre = np.exp(np.bincount(index, weights=np.log(frequency))[kept] / number[kept])
    return centre, np.bincount(index, weights=density)[kept] / number[kept], number[kept]


@dataclass(frozen=True, slots=True)
class WelchSpectrum:
    """An estimated one-sided spectrum with bounds of confidence, one entry a logarithmic bin.

    Attributes:
        frequency: geometric mean of a bin [Hz].
        density: estimate [signal^2 / Hz].
        low: lower bound of confidence.
        high: upper bound.
        freedom: equivalent degrees of freedom.
    """

    frequency: Array
    density: Array
    low: Array
    high: Array
    freedom: Array


def welch_spectrum(signal: Array, interval: float, segment: int, confidence: float = 0.95) -> WelchSpectrum:
    """Estimate a spectrum as :func:`binned_welch` does, with bounds of confidence for each bin.

    The estimate is taken to be chi-squared with the degrees of freedom that make its variance right: K segments that
    overlap by half, (1 + 2 (1 - 1/K) / 36) / K, times n frequencies, neighbours of which correlate through the window,
    (1 + 2 [4/9 (1 - 1/n) + 1/36 (1 - 2/n)]) / n (Welch 1967, doi:10.1109/TAU.1967.1161901). It holds for Gaussian
    noise, and for telegraph noise that switches many times in a segment; the bounds are those of a bin, not of all.

    Args:
        signal: samples, shape ``(steps,)``, finite.
        interval: time between them [s].
        segment: samples a segment, even, from 16 to the signal's length.
        confidence: probability that the bounds hold, between 0 and 1.

    Raises:
        ArgumentError: another segment or confidence, an interval that is not positive, a signal that is not finite.
    """
    from scipy.special import gammaincinv

    check_number("interval", interval, "s")
    values = np.asarray(signal, dtype=np.float64)
    if values.ndim != 1 or not np.all(np.isfinite(values)):
        raise argument_error("signal", "be a list of finite samples", f"of shape {values.shape}")
    if not is_whole(segment, 16, values.shape[0]) or segment % 2:
        raise ArgumentError(
            f"Argument `segment` must be an even number of samples from 16 to the {values.shape[0]} of the signal, but"
            f" it is {segment}."
        )
    if not 0.0 < confidence < 1.0:
        raise argument_error("confidence", "lie between 0 and 1", confidence)
    frequency, density, number = _binned(values, interval, segment)
    segments = (values.shape[0] - segment // 2) // (segment // 2)
    n = number.astype(np.float64)
    of_segments = (1.0 + 2.0 * (1.0 - 1.0 / segments) * _HALF_OVERLAP) / segments
    pairs, triples = _NEXT * (1.0 - 1.0 / n), _NEXT_BUT_ONE * np.maximum(1.0 - 2.0 / n, 0.0)
    freedom = 2.0 / (of_segments * (1.0 + 2.0 * (pairs + triples)) / n)
    tail = (1.0 - confidence) / 2.0
    # quantiles of chi-squared over its mean
    lower, upper = (gammaincinv(freedom / 2.0, q) / (freedom / 2.0) for q in (tail, 1.0 - tail))
    return WelchSpectrum(frequency, density, density / upper, density / lower, freedom)
