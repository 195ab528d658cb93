"""Repeated reads of many cells, reduced to a few numbers a cell: deviation, spectrum, decay under averaging.

Each cell's reads are divided by their own mean. The spectrum is Welch's, divided by the cell's variance so that every
cell counts alike, and averaged in logarithmic bins. Averaging K successive reads leaves std(K); its ratio to std(1) is
1/sqrt(K) for white noise and falls hardly at all for slow traps. As the record's own mean is taken off, noise that is
slower than the record is not seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.signal import welch
from scipy.special import ndtri

from ferrogen.core.errors import argument_error, is_whole

Array = NDArray[np.float64]

AVERAGES = (10, 100, 200)
"""Numbers of averaged reads at which the decay of the standard deviation is taken."""

_BINS = 12
_LEAST_READS = 64
_SEGMENTS = 4  # the longest period that the spectrum shows is a quarter of the record


@dataclass(frozen=True, slots=True)
class CellTable:
    """One row a cell.

    Attributes:
        mean: mean of the cell's reads, in their unit, shape ``(cells,)``.
        deviation: standard deviation over mean, shape ``(cells,)``.
        white: robust white noise over mean, from the median of the absolute differences of successive reads.
        tail: fourth central moment over the squared variance (3 for a normal distribution).
        decay: std(K) / std(1), shape ``(cells, averages)``; NaN where K is more than half of the record.
        spectrum: power density over variance [1 / (cycles per read)] in logarithmic bins, shape ``(cells, bins)``.
        frequency: geometric centres of the bins [cycles per read], shape ``(bins,)``.
        averages: the numbers K.
        reads: reads a cell.
    """

    mean: Array
    deviation: Array
    white: Array
    tail: Array
    decay: Array
    spectrum: Array
    frequency: Array
    averages: tuple[int, ...]
    reads: int

    @property
    def count(self) -> int:
        """Number of cells."""
        return int(self.mean.shape[0])

    def take(self, index: NDArray[np.int64]) -> CellTable:
        """Return the cells of ``index``, which may repeat."""
        return replace(
            self,
            mean=self.mean[index],
            deviation=self.deviation[index],
            white=self.white[index],
            tail=self.tail[index],
            decay=self.decay[index],
            spectrum=self.spectrum[index],
        )

    @property
    def mean_spectrum(self) -> Array:
        """Spectrum averaged over the cells, each with its variance set to one, shape ``(bins,)``."""
        return np.asarray(self.spectrum.mean(axis=0))

    @property
    def slope(self) -> float:
        """Exponent of the mean spectrum: least squares on the logarithms, every bin with the same weight."""
        return spectrum_slope(self.frequency, self.mean_spectrum)

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Which averages leave at least two blocks in the record, shape ``(averages,)``."""
        return np.asarray([2 * k <= self.reads for k in self.averages])

    @property
    def median_decay(self) -> Array:
        """Median over the cells of std(K) / std(1), shape ``(averages,)``; NaN where the record is too short."""
        return np.asarray(np.median(self.decay, axis=0))


def spectrum_slope(frequency: Array, spectrum: Array) -> float:
    """Return the exponent of a binned spectrum: d ln S / d ln f by least squares."""
    x, y = np.log(frequency), np.log(np.maximum(spectrum, 1e-300))
    x = x - x.mean()
    return float(x @ y / (x @ x))


def _bin_edges(lines: int) -> NDArray[np.int64]:
    """Return edges of logarithmic bins over spectral lines 1 to ``lines``."""
    return np.unique(np.round(np.geomspace(1, lines + 1, _BINS + 1)).astype(np.int64))


def cell_table(reads: Array, averages: Sequence[int] = AVERAGES) -> CellTable:
    """Reduce repeated reads to one row a cell.

    Args:
        reads: conductance or current, one cell a row, shape ``(cells, reads)``, at least 64 reads of positive mean.
        averages: numbers of averaged reads.

    Raises:
        ArgumentError: too few reads, numbers that are not finite, a mean that is not positive, or a constant cell.
    """
    reads = np.asarray(reads, dtype=np.float64)
    if reads.ndim != 2 or reads.shape[0] < 1 or reads.shape[1] < _LEAST_READS:
        raise argument_error("reads", f"have one cell a row of at least {_LEAST_READS} reads", f"{reads.shape}")
    if not np.all(np.isfinite(reads)):
        raise argument_error("reads", "hold finite numbers", "not finite in places")
    if not averages or not all(is_whole(k, 2) for k in averages):
        raise argument_error("averages", "be whole numbers, at least 2", tuple(averages))
    mean = reads.mean(axis=1)
    if not np.all(mean > 0.0):
        raise argument_error("reads", "have a positive mean in every cell", f"{mean.min():g}", "Check sign and unit.")
    y = reads / mean[:, None] - 1.0
    square = y * y
    variance = square.mean(axis=1)
    if not np.all(variance > 1e-24):
        where = int(np.argmin(variance))
        raise argument_error("reads", "vary in every cell", f"constant in cell {where}", "Leave such cells out.")
    cells, length = y.shape
    decay = np.full((cells, len(averages)), np.nan)
    for column, k in enumerate(averages):
        blocks = length // k
        if blocks >= 2:
            averaged = y[:, : blocks * k].reshape(cells, blocks, k).mean(axis=2)
            decay[:, column] = averaged.std(axis=1) / np.sqrt(variance)
    segment = max(length // _SEGMENTS, 32)
    frequency, power = welch(y, nperseg=segment, axis=1)
    # the first line is the offset, the last one (the Nyquist frequency of an even length) is counted by half
    frequency, power = frequency[1:-1], power[:, 1:-1] / variance[:, None]
    edges = _bin_edges(frequency.shape[0])
    sizes = np.diff(edges)
    spectrum = np.add.reduceat(power, edges[:-1] - 1, axis=1) / sizes
    centres = np.exp(np.add.reduceat(np.log(frequency), edges[:-1] - 1) / sizes)
    white = np.median(np.abs(np.diff(y, axis=1)), axis=1) / (ndtri(0.75) * np.sqrt(2.0))
    tail = (square * square).mean(axis=1) / variance**2
    return CellTable(
        mean, np.sqrt(variance), white, tail, decay, spectrum, centres, tuple(int(k) for k in averages), length
    )


def collect_cells(chunks: Iterable[Array], averages: Sequence[int] = AVERAGES) -> CellTable:
    """Reduce cells that come in chunks of rows; the memory needed is that of a chunk.

    Raises:
        ArgumentError: as :func:`cell_table`; no chunk, or chunks with different numbers of reads.
    """
    parts = [cell_table(chunk, averages) for chunk in chunks]
    if not parts:
        raise argument_error("chunks", "hold at least one cell", "empty")
    if len({part.reads for part in parts}) > 1:
        raise argument_error("chunks", "all have the same number of reads", sorted({part.reads for part in parts}))

    def joined(name: str) -> Array:
        return np.concatenate([getattr(part, name) for part in parts])

    return replace(
        parts[0],
        mean=joined("mean"),
        deviation=joined("deviation"),
        white=joined("white"),
        tail=joined("tail"),
        decay=joined("decay"),
        spectrum=joined("spectrum"),
    )
