"""An ensemble of traps that many cells draw from, and what repeated reads of such cells look like.

A cell has Poisson many traps. An occupied trap lowers the conductance by a relative amplitude (log-normal over the
traps); its relaxation time 1 / (capture + emission rate) is log-uniform, and its level lies uniformly within
``level_width`` thermal energies on either side of the Fermi level, so that in equilibrium it is occupied for a share
1 / (1 + exp(level)) of time. Programming, just before the first read, leaves a share ``scrambled`` of the traps empty
or occupied at random, whatever their level: these relax during the reads, and the first of many reads are the noisiest.
White read noise is log-normal over the cells. A read is a sample in time (short beside the interval between reads).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import poisson

from ferrogen.core.distributions import exponential, seed_local, seed_object, uniform
from ferrogen.core.errors import argument_error, check_number, is_whole
from ferrogen.core.streams import Purpose, Streams

Array = NDArray[np.float64]

_MOST_TRAPS = 256  # a cell: the addresses of a cell's traps are as far apart
AMPLITUDE_LIMIT = 0.5
"""Largest relative amplitude of a trap, as on the cards."""


@dataclass(frozen=True, slots=True)
class TrapEnsemble:
    """Distribution of the traps of a kind of cell. Times are in reads.

    Attributes:
        traps_per_cell: mean of the Poisson number of traps.
        amplitude: median of the relative amplitude.
        amplitude_width: standard deviation of ln amplitude.
        shortest: least relaxation time.
        longest: largest relaxation time.
        level_width: half width of the uniform trap level, in thermal energies.
        white: median over the cells of the white read noise over the mean.
        white_width: standard deviation of ln white.
        scrambled: share of the traps that programming leaves empty or occupied with even odds; the others are in
            equilibrium from the first read on.

    Raises:
        ArgumentError: a number that is not positive, ``scrambled`` not within 0 to 1, or ``longest`` not above
            ``shortest``.
    """

    traps_per_cell: float
    amplitude: float
    amplitude_width: float
    shortest: float
    longest: float
    level_width: float
    white: float
    white_width: float
    scrambled: float = 1.0

    def __post_init__(self) -> None:
        for name in ("traps_per_cell", "amplitude", "shortest", "longest", "white"):
            check_number(name, getattr(self, name), "reads" if name in ("shortest", "longest") else "1")
        for name in ("amplitude_width", "level_width", "white_width", "scrambled"):
            check_number(name, getattr(self, name), "1", may_vanish=True)
        if self.scrambled > 1.0:
            raise argument_error("scrambled", "be a share from 0 to 1", f"{self.scrambled:g}")
        if self.longest <= self.shortest:
            raise argument_error("longest", f"be above `shortest`, {self.shortest:g} reads", f"{self.longest:g}")

    @property
    def traps_per_efold(self) -> float:
        """Traps per cell and factor e of time constant: what the spectrum's height depends on."""
        return self.traps_per_cell / float(np.log(self.longest / self.shortest))


@njit(cache=True, nogil=True, error_model="numpy")
def _block_conductance(
    key: np.uint64,
    address: NDArray[np.uint64],
    cell: NDArray[np.int64],
    amplitude: Array,
    rate: Array,
    occupied: Array,
    start: Array,
    out: Array,
) -> None:
    """Take every trap's amplitude off its cell's row of ``out`` wherever it is occupied.

    On the grid a trap is a two-state chain with geometric dwell times, one draw each, as in
    :mod:`ferrogen.device.noise.rtn.traces`; but its first state is occupied with probability ``start``.
    """
    state = np.empty(2, dtype=np.uint64)
    steps = out.shape[1]
    for trap in range(cell.shape[0]):
        moves = -math.expm1(-rate[trap])
        leave_zero = occupied[trap] * moves
        leave_one = (1.0 - occupied[trap]) * moves
        # -1 / ln(1 - leave): mean of the exponential whose floor is the geometric dwell; 0 if left for certain
        scale_zero = -1.0 / math.log1p(-leave_zero) if 0.0 < leave_zero < 1.0 else 0.0
        scale_one = -1.0 / math.log1p(-leave_one) if 0.0 < leave_one < 1.0 else 0.0
        seed_local(state, seed_object(key, address[trap]), 0)
        high = uniform(state) < start[trap]
        k = 0
        while k < steps:
            dwell = exponential(state) * (scale_one if high else scale_zero)
            leave = leave_one if high else leave_zero
            # compared as a float: for a slow trap the dwell exceeds every integer type
            end = steps if leave <= 0.0 or dwell >= steps - k - 1 else k + 1 + int(dwell)
            if high:
                for j in range(k, end):
                    out[cell[trap], j] -= amplitude[trap]
            k = end
            high = not high


@dataclass(frozen=True, slots=True)
class Draws:
    """Random numbers of a simulated population, drawn once so that equal parameters give equal cells.

    Parameters that change a little change the cells a little: what is compared with data is then a function, not noise.
    """

    key: np.uint64
    number: Array
    amplitude: Array
    time: Array
    level: Array
    white: Array
    noise: NDArray[np.float32]


def draw_numbers(cells: int, reads: int, streams: Streams, *address: int) -> Draws:
    """Draw the random numbers of ``cells`` cells with ``reads`` reads each.

    Raises:
        ArgumentError: no cell or no read.
    """
    for name, value in (("cells", cells), ("reads", reads)):
        if not is_whole(value, 1):
            raise argument_error(name, "be a whole number, at least 1", value)
    generator = streams.generator(Purpose.CALIBRATION, *address)
    # stratified over the cells: the extremes of trap numbers and noise are all there, none twice
    number, white = ((generator.permutation(cells) + generator.random(cells)) / cells for _ in range(2))
    amplitude, time, level = generator.random((3, cells, _MOST_TRAPS))
    noise = generator.standard_normal((cells, reads), dtype=np.float32)
    key = streams.key(Purpose.CALIBRATION, *address)
    return Draws(key, number, np.asarray(ndtri(amplitude)), time, level, np.asarray(ndtri(white)), noise)


def simulate_cells(ensemble: TrapEnsemble, draws: Draws) -> Array:
    """Return the relative conductance of every cell at every read, shape ``(cells, reads)``; 1 with all traps empty."""
    cells, reads = draws.noise.shape
    number = np.minimum(poisson.ppf(draws.number, ensemble.traps_per_cell), _MOST_TRAPS).astype(np.int64)
    cell = np.repeat(np.arange(cells), number)
    first = np.concatenate([[0], np.cumsum(number)[:-1]])
    which = np.arange(cell.shape[0]) - np.repeat(first, number)
    z, u, v = (part[cell, which] for part in (draws.amplitude, draws.time, draws.level))
    amplitude = np.minimum(ensemble.amplitude * np.exp(ensemble.amplitude_width * z), AMPLITUDE_LIMIT)
    rate = 1.0 / (ensemble.shortest * np.exp(u * np.log(ensemble.longest / ensemble.shortest)))
    occupied = 1.0 / (1.0 + np.exp(ensemble.level_width * (2.0 * v - 1.0)))
    out = np.ones((cells, reads))
    address = (cell * _MOST_TRAPS + which).astype(np.uint64)
    start = (1.0 - ensemble.scrambled) * occupied + 0.5 * ensemble.scrambled
    _block_conductance(draws.key, address, cell, amplitude, rate, occupied, start, out)
    # traps that together block more than everything leave a tenth of the conductance
    out = np.maximum(out, 0.1)
    white = ensemble.white * np.exp(ensemble.white_width * draws.white)
    return np.asarray(out + white[:, None] * out.mean(axis=1, keepdims=True) * draws.noise)


def white_cells(deviation: float, width: float, draws: Draws) -> Array:
    """Return cells with nothing but white noise, its relative deviation log-normal over the cells (a baseline)."""
    own = deviation * np.exp(width * draws.white)
    return np.asarray(1.0 + own[:, None] * draws.noise)


def flicker_cells(deviation: float, width: float, draws: Draws, generator: np.random.Generator) -> Array:
    """Return cells with Gaussian 1/f noise: power density A / f, A log-normal over the cells (a baseline).

    The noise is made by shaping white noise in the frequency domain over eight times the record, of which one record is
    kept: a record does not close on itself, and slower noise than the record is there.

    Args:
        deviation: median of the relative standard deviation within a record.
        width: standard deviation of its logarithm over the cells.
        draws: number of cells and reads, and the cells' deviations.
        generator: for the noise itself.
    """
    cells, reads = draws.noise.shape
    long = 8 * reads
    frequency = np.fft.rfftfreq(long)
    shape = np.zeros_like(frequency)
    shape[1:] = frequency[1:] ** -0.5
    lines = generator.standard_normal((2, cells, frequency.shape[0]))
    y = np.fft.irfft((lines[0] + 1j * lines[1]) * shape, n=long, axis=1)[:, :reads]
    y -= y.mean(axis=1, keepdims=True)
    # one factor for all cells: a record's own deviation varies around it, as it does for any 1/f noise
    y *= deviation / float(np.median(y.std(axis=1)))
    return np.asarray(1.0 + np.exp(width * draws.white)[:, None] * y)
