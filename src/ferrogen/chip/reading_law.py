"""The exact law of a reading of the sample mode, and draws from it without following a trap.

A reading is the sum of many independent traps' doubly sampled steps and of amplifier noise. Its characteristic function
is the product of the traps' (:mod:`ferrogen.device.noise.rtn.difference`), its distribution function the inversion of
that (R. B. Davies, Biometrika 60, 415 (1973), doi:10.1093/biomet/60.2.415; with the k-th term at (k + 1/2) pi / H it
errs by no more than the probability beyond a half-range H, which Chernoff's bound makes smaller than 1e-10). A table of
quantiles turns one normal into one reading.

Every reading thus has exactly the distribution that its traps give. What links readings is kept to second order: the
memory from cycle to cycle by a moving average of the normals with the exact autocovariance, traps that several
readings see (through wires or broken lines) by the exact covariance. The traps beyond the followed share enter with
their exact mean and a Gaussian of their exact variance, as at the level of cells.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import sparse
from scipy.interpolate import PchipInterpolator
from scipy.special import ndtri

from ferrogen.core.normals import standard_normals
from ferrogen.device.noise.rtn.difference import (
    difference_cumulants,
    difference_memory,
    difference_transform,
    start_of_cycle,
)

# Quantiles are tabulated for normals from -6 to 6, 64 a unit; beyond (2 in 10^9) the table goes on straight.
_LARGEST_NORMAL = 6.0
_NODES_A_UNIT = 64
_NODES = int(2 * _LARGEST_NORMAL * _NODES_A_UNIT) + 1
# What is left out beyond the half-range: e^-25.
_LOG_TAIL = 25.0
_TILTS = np.linspace(0.5, 14.0, 28)
_LARGEST_EXPONENT = 300.0
# A law with less Gaussian noise than this share of its spread is smoothed by so much: a twentieth of what the
# converter's rounding adds.
_LEAST_SMOOTHING = 1.0 / 250.0
_MOST_FREQUENCIES = 2**14
_NEGLIGIBLE = 1e-10
# Memory: how far the autocovariance is taken, and the smallest tap that is kept.
_LAGS = 128
_MOST_TAPS = 64
_LEAST_TAP = 2e-4

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class SeenTraps:
    """Traps in the order of the readings that see them.

    Attributes:
        trap: its index among the tile's traps, shape ``(seen,)``; a trap that several readings see comes several times.
        starts: those of reading r are ``starts[r]:starts[r + 1]``.
        steps: what each adds to its reading while occupied [A], shape ``(seen,)``.
        to_one: capture rate x duration of every phase, shape ``(seen, phases)``; phases 0 and 1 are the windows.
        to_zero: emission rate x duration, same shape.
    """

    trap: NDArray[np.int64]
    starts: NDArray[np.int64]
    steps: Array
    to_one: Array
    to_zero: Array

    @property
    def reading(self) -> NDArray[np.int64]:
        """Which reading each belongs to."""
        return np.repeat(np.arange(self.starts.shape[0] - 1), np.diff(self.starts))


@dataclass(frozen=True, slots=True, eq=False)
class ReadingLaw:
    """What there is to know of a tile's readings; made by :func:`reading_law`.

    Attributes:
        cumulants: of every reading, amplifier noise included: mean [A], variance [A^2], third, fourth; shape
            ``(4, readings)``.
        autocovariance: of readings 1, 2, ... cycles apart [A^2], shape ``(lags, readings)``.
        covariance: of the readings of a cycle [A^2], ``(readings, readings)``; None: they share no trap.
        resolved_traps: how many traps enter with their own law.
    """

    cumulants: Array
    autocovariance: Array
    covariance: Array | None
    resolved_traps: int
    _table: Array
    _taps: Array
    _mixing: sparse.csr_array | None

    @property
    def deviation(self) -> Array:
        """Standard deviation of every reading [A]."""
        return np.asarray(np.sqrt(self.cumulants[1]))

    @property
    def skewness(self) -> Array:
        """Third standardised cumulant of every reading; 0 where it never changes."""
        return _standardised(self.cumulants[2], self.cumulants[1] ** 1.5)

    @property
    def excess_kurtosis(self) -> Array:
        """Fourth standardised cumulant of every reading; 0 where it never changes."""
        return _standardised(self.cumulants[3], self.cumulants[1] ** 2)

    def quantile(self, normal: Array) -> Array:
        """Return the readings [A] that have the probabilities of standard normals ``(n, readings)``."""
        out = np.empty(normal.shape)
        _through(np.ascontiguousarray(normal), self._table, out)
        return out

    def unlinked(self) -> ReadingLaw:
        """Return the law of readings of the same distribution without memory and without traps in common."""
        alone = np.ones((1, self._table.shape[0]))
        return replace(
            self, autocovariance=np.zeros_like(self.autocovariance), covariance=None, _taps=alone, _mixing=None
        )

    def normal(self) -> ReadingLaw:
        """Return the law of normal readings of the same means, variances and links: what endless traps would give."""
        nodes = np.linspace(-_LARGEST_NORMAL, _LARGEST_NORMAL, _NODES)
        cumulants = np.stack([*self.cumulants[:2], np.zeros_like(self.cumulants[2]), np.zeros_like(self.cumulants[3])])
        return replace(self, cumulants=cumulants, _table=self.cumulants[0][:, None] + self.deviation[:, None] * nodes)

    def draw(self, key: np.uint64, first_cycle: int, cycles: int) -> Array:
        """Return readings [A] of consecutive cycles, ``(cycles, readings)``; each depends on its own cycle only."""
        memory = self._taps.shape[0] - 1
        # Addresses are shifted, for those before cycle 0 must not be negative.
        rows = np.arange(first_cycle - memory, first_cycle + cycles, dtype=np.int64) + _MOST_TAPS
        normals = standard_normals(key, rows, self._table.shape[0])
        filtered = np.empty((cycles, normals.shape[1]))
        _average(normals, self._taps, filtered)
        if self._mixing is not None:
            mixed = np.empty_like(filtered)
            _mix(filtered, self._mixing.indptr, self._mixing.indices, self._mixing.data, mixed)
            filtered = mixed
        out = np.empty_like(filtered)
        _through(filtered, self._table, out)
        return out


def reading_law(traps: SeenTraps, electronic_noise: Array, *, resolved_share: float) -> ReadingLaw:
    """Find the law of a tile's readings.

    Args:
        traps: that the readings see.
        electronic_noise: rms of amplifier and shot noise [A], shape ``(readings,)``.
        resolved_share: share of the variance, and of the fourth cumulants' magnitude, carried by traps that enter with
            their own law, in (0, 1].
    """
    readings, reading = electronic_noise.shape[0], traps.reading

    def per_reading(values: Array) -> Array:
        return np.asarray(np.bincount(reading, weights=values, minlength=readings), dtype=np.float64)

    own = difference_cumulants(traps.to_one, traps.to_zero) * traps.steps ** np.arange(1, 5)[:, None]
    cumulants = np.stack([per_reading(values) for values in own])
    cumulants[1] += electronic_noise**2
    followed = _largest(own[1], resolved_share) | _largest(np.abs(own[3]), resolved_share)
    floor = np.sqrt(per_reading(np.where(followed, 0.0, own[1])) + electronic_noise**2)
    starts = np.concatenate([[0], np.cumsum(np.bincount(reading[followed], minlength=readings))]).astype(np.int64)
    table = _quantiles(
        np.ascontiguousarray(traps.steps[followed]),
        np.ascontiguousarray(traps.to_one[followed, 0]),
        np.ascontiguousarray(traps.to_zero[followed, 0]),
        start_of_cycle(traps.to_one[followed], traps.to_zero[followed]),
        starts,
        per_reading(np.where(followed, own[0], 0.0)),
        cumulants[0],
        np.sqrt(cumulants[1]),
        floor,
    )
    last, kept = difference_memory(traps.to_one, traps.to_zero)
    autocovariance = np.empty((_LAGS, readings))
    term = traps.steps**2 * last
    for lag in range(_LAGS):
        autocovariance[lag] = per_reading(term)
        term = term * kept
    covariance = _covariance(traps, own[1], electronic_noise)
    # The table bends a Gaussian correlation r to nearly r E[x z]^2 / E[x^2]: it is asked for that much more.
    passed = _linear_share(table, np.sqrt(cumulants[1]))
    return ReadingLaw(
        cumulants=cumulants,
        autocovariance=autocovariance,
        covariance=covariance,
        resolved_traps=int(followed.sum()),
        _table=table,
        _taps=_taps(_standardised(autocovariance, cumulants[1] * passed**2)),
        _mixing=None if covariance is None else _mixing(covariance, passed),
    )


def _standardised(values: Array, by: Array) -> Array:
    return np.divide(values, by, out=np.zeros_like(values), where=np.broadcast_to(by > 0.0, values.shape))


def _largest(shares: Array, share: float) -> NDArray[np.bool_]:
    """Mark the fewest entries that carry ``share`` of the sum."""
    chosen = np.full(shares.shape[0], share >= 1.0)
    if share < 1.0 and shares.size and shares.max() > 0.0:
        order = np.argsort(-shares, kind="stable")
        total = np.cumsum(shares[order])
        chosen[order[: int(np.searchsorted(total, share * total[-1])) + 1]] = True
    return chosen


def _quantiles(
    steps: Array,
    a: Array,
    b: Array,
    start: Array,
    starts: NDArray[np.int64],
    own_mean: Array,
    mean: Array,
    deviation: Array,
    floor: Array,
) -> Array:
    """Return readings [A] at the table's nodes, ``(readings, nodes)``.

    Args:
        steps: of the followed traps [A].
        a: their expected to-1 points in a window.
        b: their expected to-0 points.
        start: their probability of being occupied when the first window opens.
        starts: those of reading r are ``starts[r]:starts[r + 1]``.
        own_mean: mean of the followed traps' sum [A].
        mean: of the readings [A].
        deviation: of the readings [A].
        floor: rms of what is Gaussian in them [A].
    """
    nodes = np.linspace(-_LARGEST_NORMAL, _LARGEST_NORMAL, _NODES)
    table = np.repeat(mean[:, None], _NODES, axis=1)
    smooth = np.maximum(floor, _LEAST_SMOOTHING * deviation)
    for r in np.flatnonzero(deviation > 0.0):
        mine = slice(starts[r], starts[r + 1])
        law = steps[mine], a[mine], b[mine], start[mine]
        half = _half_range(*law, float(own_mean[r]), float(smooth[r]), _TILTS / deviation[r])
        phi = _characteristic(*law, float(own_mean[r]), float(smooth[r]), math.pi / half, _MOST_FREQUENCIES)
        x, below, above = _invert(phi, half)
        usable = (below > _NEGLIGIBLE) & (above > _NEGLIGIBLE)
        x, below, above = x[usable], below[usable], above[usable]
        normal = np.where(below < 0.5, ndtri(below), -ndtri(above))
        # Rounding may stall where there is hardly any probability; interpolation needs steps forward.
        ahead = normal > np.concatenate([[-np.inf], np.maximum.accumulate(normal)[:-1]]) + 1e-9
        inverse = PchipInterpolator(normal[ahead], x[ahead])
        reached = np.clip(nodes, normal[ahead][0], normal[ahead][-1])
        values = inverse(reached)
        # Beyond what inversion reaches, the last slope goes on.
        slope = inverse.derivative()
        table[r] = mean[r] + values + slope(reached) * (nodes - reached)
        if floor[r] == 0.0:  # all is telegraph noise: no move of any trap is exactly zero
            table[r] = np.where(np.abs(table[r]) < 4.0 * smooth[r], 0.0, table[r])
    return table


def _invert(phi: NDArray[np.complex128], half: float) -> tuple[Array, Array, Array]:
    """Return x, P(X < x) and P(X > x) from the characteristic function at (k + 1/2) pi / half.

    P(X < x) = 1/2 - sum_k Im(phi_k e^(-i w_k x)) / (pi (k + 1/2)), on a grid that a Fourier transform serves.
    """
    points = max(512, 1 << (8 * phi.shape[0] - 1).bit_length())
    k = np.arange(phi.shape[0]) + 0.5
    terms = np.zeros(points, dtype=np.complex128)
    terms[: phi.shape[0]] = phi * np.exp(1j * math.pi * k) / (math.pi * k)
    j = np.arange(points)
    total = (np.exp(-1j * math.pi * j / points) * np.fft.fft(terms)).imag
    x = half * (2.0 * j / points - 1.0)
    return x, 0.5 - total, 0.5 + total


@njit(cache=True, nogil=True, error_model="numpy")
def _half_range(steps: Array, a: Array, b: Array, start: Array, own_mean: float, rms: float, tilts: Array) -> float:
    """Return H such that |X - E X| exceeds it with a probability below 2 e^-25, by Chernoff's bound."""
    half = 8.0 * rms
    largest = 0.0
    for n in range(steps.shape[0]):
        half += abs(steps[n])
        largest = max(largest, abs(steps[n]))
    half += abs(own_mean)
    best = np.array([half, half])
    for side in range(2):
        sign = 1.0 - 2.0 * side
        for tilt in tilts:
            if largest * tilt > _LARGEST_EXPONENT:
                break
            log = 0.5 * (rms * tilt) ** 2 - sign * tilt * own_mean
            for n in range(steps.shape[0]):
                log += math.log(difference_transform(a[n], b[n], start[n], complex(sign * tilt * steps[n], 0.0)).real)
            best[side] = min(best[side], (log + _LOG_TAIL) / tilt)
    return float(max(best[0], best[1]))


@njit(cache=True, nogil=True, error_model="numpy")
def _characteristic(
    steps: Array, a: Array, b: Array, start: Array, own_mean: float, rms: float, spacing: float, most: int
) -> NDArray[np.complex128]:
    """Return E[e^(i w (X - E X))] at w = (k + 1/2) spacing, until it stays negligible."""
    phi = np.empty(most, dtype=np.complex128)
    quiet = 0
    for k in range(most):
        w = (k + 0.5) * spacing
        size = math.exp(-0.5 * (w * rms) ** 2)
        value = complex(size * math.cos(w * own_mean), -size * math.sin(w * own_mean))
        for n in range(steps.shape[0]):
            value *= difference_transform(a[n], b[n], start[n], complex(0.0, w * steps[n]))
        phi[k] = value
        quiet = quiet + 1 if abs(value) < 1e-3 * _NEGLIGIBLE else 0
        if quiet == 8:
            return phi[: k + 1].copy()
    return phi


def _linear_share(table: Array, deviation: Array) -> Array:
    """Return E[x z] / (E[x^2] E[z^2])^1/2 of readings and their normals."""
    nodes = np.linspace(-_LARGEST_NORMAL, _LARGEST_NORMAL, _NODES)
    weight = nodes * np.exp(-0.5 * nodes**2) / math.sqrt(2.0 * math.pi) / _NODES_A_UNIT
    share = _standardised(table @ weight, deviation)
    return np.where(share > 0.0, share, 1.0)


def _taps(correlation: Array) -> Array:
    """Return the moving average of unit variance that gives white noise this autocorrelation, ``(taps, readings)``.

    Spectral factorisation by the causal half of the spectrum's cepstrum (A. N. Kolmogorov 1939; A. V. Oppenheim, R. W.
    Schafer, Discrete-Time Signal Processing, section 13). Trailing taps below 2e-4 are left out.
    """
    lags, readings = correlation.shape
    size = 4 * lags
    line = np.zeros((size, readings))
    line[0] = 1.0
    line[1 : lags + 1] = correlation
    line[-lags:] = correlation[::-1]
    cepstrum = np.fft.irfft(np.log(np.maximum(np.fft.rfft(line, axis=0).real, 1e-6)), n=size, axis=0)
    cepstrum[0] *= 0.5
    cepstrum[size // 2 :] = 0.0
    taps = np.fft.irfft(np.exp(np.fft.rfft(cepstrum, axis=0)), n=size, axis=0)[:_MOST_TAPS]
    large = np.flatnonzero(np.abs(taps).max(axis=1, initial=0.0) >= _LEAST_TAP)
    taps = taps[: int(large[-1]) + 1 if large.size else 1]
    return np.ascontiguousarray(taps / np.sqrt((taps**2).sum(axis=0)))


def _covariance(traps: SeenTraps, variance: Array, electronic_noise: Array) -> Array | None:
    """Return the covariance of the readings of a cycle; None if no trap is seen by two."""
    readings = electronic_noise.shape[0]
    names, place = np.unique(traps.trap, return_inverse=True)
    if names.shape[0] == traps.trap.shape[0]:
        return None
    # A trap's variance is its own; what differs from reading to reading is the step.
    unit = np.sqrt(variance) * np.sign(traps.steps)
    seen = sparse.csr_array((unit, (place, traps.reading)), shape=(names.shape[0], readings))
    covariance: Array = (seen.T @ seen).toarray()
    return covariance + np.diag(electronic_noise**2)


def _mixing(covariance: Array, passed: Array) -> sparse.csr_array:
    """Return the lower triangle that gives independent normals the readings' correlations."""
    deviation = np.sqrt(np.diag(covariance))
    scale = deviation * passed
    correlation = _standardised(covariance, np.outer(scale, scale))
    np.fill_diagonal(correlation, 1.0)
    values, vectors = np.linalg.eigh(correlation)
    if values[0] < 1e-9:  # two readings that see the same traps only: nearly singular
        correlation = (vectors * np.maximum(values, 1e-9)) @ vectors.T
        size = np.sqrt(np.diag(correlation))
        correlation /= np.outer(size, size)
    lower = np.linalg.cholesky(correlation)
    return sparse.csr_array(np.where(np.abs(lower) > 1e-12, lower, 0.0))


@njit(cache=True, nogil=True)
def _average(normals: NDArray[np.float32], taps: Array, out: Array) -> None:
    """Filter each column: out[k] = sum_m taps[m] normals[k + memory - m]."""
    memory = taps.shape[0] - 1
    for k in range(out.shape[0]):
        for r in range(out.shape[1]):
            total = 0.0
            for m in range(memory + 1):
                total += taps[m, r] * normals[k + memory - m, r]
            out[k, r] = total


@njit(cache=True, nogil=True)
def _mix(x: Array, indptr: NDArray[np.int32], indices: NDArray[np.int32], data: Array, out: Array) -> None:
    """Multiply each row by a sparse matrix, in an order that no batch changes."""
    for k in range(x.shape[0]):
        for r in range(x.shape[1]):
            total = 0.0
            for n in range(indptr[r], indptr[r + 1]):
                total += data[n] * x[k, indices[n]]
            out[k, r] = total


@njit(cache=True, nogil=True)
def _through(normal: Array, table: Array, out: Array) -> None:
    """Look up quantiles of normals, straight between the nodes."""
    last = table.shape[1] - 2
    for k in range(normal.shape[0]):
        for r in range(normal.shape[1]):
            place = (normal[k, r] + _LARGEST_NORMAL) * _NODES_A_UNIT
            node = min(max(math.floor(place), 0), last)
            low = table[r, node]
            out[k, r] = low + (place - node) * (table[r, node + 1] - low)
