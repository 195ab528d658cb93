"""One junction of a card, seen through its telegraph noise: the numbers behind ``ferrogen characterise``.

All cells are fully switched on, where a trap's step is its ``amplitude``; the current of a cell is
I(t) = I0(V) (1 + sum of amplitude x occupied), and "relative" means divided by its mean at that voltage.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ferrogen.array.population import CellPopulation, draw_population
from ferrogen.core.errors import argument_error
from ferrogen.core.streams import Purpose, Streams
from ferrogen.device.card import DeviceCard
from ferrogen.device.noise.rtn.closed_form import averaging_factor, occupancy, sampled_lorentzian, window_variance
from ferrogen.device.noise.rtn.traces import occupancy_traces
from ferrogen.device.noise.spectra import binned_welch
from ferrogen.device.transport.compact import read_current

SPAN_WINDOWS: Final = 1000
"""A trace shows this many sampling times."""

_STEPS_A_WINDOW = 10
_CELL_STEPS = 1 << 17
_ENSEMBLE_STEPS = 1 << 16  # every trap of a thousand cells is sampled
_SEGMENTS = 8  # 15 with the half overlap
_TRAPS_AT_ONCE = 64  # bounds the memory of the summed trace
_MOST_TRAPS = 8000  # of an ensemble whose spectrum is sampled: cells with many traps are averages already

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Junction:
    """A junction among the ensemble it was drawn with.

    Attributes:
        card: its device card.
        seed: of the draw.
        temperature: [K].
        population: the ensemble, one row of cells.
        cell: index of the junction that is shown.
        visible_share: share of the ensemble's cells that have a visible trap, see :func:`draw_junction`.
        silent: no trap of the ensemble is ever occupied at the sample voltage, or there is none.
    """

    card: DeviceCard
    seed: int
    temperature: float
    population: CellPopulation
    cell: int = 0
    visible_share: float = 0.0
    silent: bool = False

    @property
    def low(self) -> float:
        """Multiply voltage [V]."""
        return self.card.default_multiply_voltage

    @property
    def high(self) -> float:
        """Sample voltage [V]."""
        return self.card.default_sample_voltage

    @property
    def window(self) -> float:
        """Sampling time [s]."""
        return self.card.default_sampling_time

    @property
    def own(self) -> slice:
        """Which traps of the population are the junction's."""
        starts = self.population.traps.starts
        return slice(int(starts[self.cell]), int(starts[self.cell + 1]))

    def rates(self, voltage: float) -> tuple[Array, Array]:
        """Return (capture rate, emission rate) [1/s] of all traps at ``voltage`` [V]."""
        return self.population.traps.rates(voltage, self.temperature)

    def weights(self, voltage: float) -> Array:
        """Return the step of every trap relative to its cell's mean current at ``voltage`` [V]."""
        traps = self.population.traps
        mean = 1.0 + self.population.per_cell(traps.amplitude * occupancy(*self.rates(voltage))).ravel()
        return traps.amplitude / mean[traps.cell]

    def cell_variance(self, voltage: float, duration: float | None = None) -> Array:
        """Return each cell's variance of the relative current, or of its average over ``duration`` [s].

        Closed form; shape ``(cells,)``.
        """
        rates = self.rates(voltage)
        p = occupancy(*rates)
        variance = p * (1.0 - p) if duration is None else window_variance(*rates, duration)
        return self.population.per_cell(self.weights(voltage) ** 2 * variance).ravel()

    def levels(self, count: int = 5) -> list[int]:
        """Return up to ``count`` programmed levels, from 0 (off) to the highest (on), spaced for a log axis."""
        top = max(1, round(self.card.programmable_levels.value) - 1)
        return sorted({0, *(int(k) for k in np.round(np.geomspace(1, top, count - 1)))})

    def level_conductance(self, level: int) -> float:
        """Return the junction's conductance [S] at a programmed level, traps empty."""
        share = level / max(1, round(self.card.programmable_levels.value) - 1)
        return float(self.population.conductance(np.full((1, 1), share))[0, self.cell])

    def level_current(self, level: int, voltage: Array) -> Array:
        """Return the junction's read current [A] at a programmed level, traps empty."""
        share = level / max(1, round(self.card.programmable_levels.value) - 1)
        on, off = (g[0, self.cell] for g in (self.population.on_conductance, self.population.off_conductance))
        return read_current(voltage, share, on, off, self.card.characteristic_voltage.value)

    def full_current(self, voltage: float) -> float:
        """Return the junction's current [A] when fully on, traps empty."""
        return float(self.level_current(max(self.levels()), np.array([voltage]))[0])


def draw_junction(card: DeviceCard, seed: int, temperature: float, cells: int) -> Junction:
    """Draw ``cells`` junctions and choose one that shows telegraph noise, neither the best nor the worst.

    A trap is visible if, at the sample voltage, its capture and emission times both lie between 2 and 100 sampling
    times: a trace of a thousand shows it switch, again and again. Of the cells with a visible trap the one with the
    median standard deviation is chosen: that expected of averages over one sampling time, within the trace. If no cell
    has a visible trap, all cells count; if none makes any noise, the ensemble is silent and its first cell is shown.

    Raises:
        ArgumentError: fewer than 10 cells, or a seed that is none.
        ValidityError: the temperature lies outside the card's validity.
    """
    card.check("temperature", temperature, "temperature")
    if cells < 10:
        raise argument_error("cells", "be at least 10", cells)
    generator = Streams(seed).generator(Purpose.POPULATION)
    junction = Junction(card, seed, temperature, draw_population(card, 1, cells, generator))
    span = SPAN_WINDOWS * junction.window
    capture, emission = junction.rates(junction.high)
    p = occupancy(capture, emission)
    total = capture + emission
    seen = p * (1.0 - p) * (averaging_factor(total * junction.window) - averaging_factor(total * span))
    noise = junction.population.per_cell(junction.weights(junction.high) ** 2 * seen).ravel()
    if not np.any(noise > 0.0):
        return replace(junction, silent=True)
    slowest, fastest = np.minimum(capture, emission), np.maximum(capture, emission)
    visible = (1.0 / fastest >= 2.0 * junction.window) & (1.0 / slowest <= 100.0 * junction.window)
    has_one = junction.population.per_cell(visible.astype(np.float64)).ravel() > 0.0
    candidates = np.flatnonzero(has_one if np.any(has_one) else noise > 0.0)
    order = candidates[np.argsort(noise[candidates], kind="stable")]
    return replace(junction, cell=int(order[order.shape[0] // 2]), visible_share=float(has_one.mean()))


def relative_trace(junction: Junction, voltage: float, *, address: int) -> tuple[Array, Array]:
    """Return (time [s], the junction's current over its current with all traps empty) on a grid."""
    own = junction.own
    capture, emission = (rate[own] for rate in junction.rates(voltage))
    interval, count = junction.window / _STEPS_A_WINDOW, SPAN_WINDOWS * _STEPS_A_WINDOW
    key = Streams(junction.seed).key(Purpose.TELEGRAPH_TRACE, address)
    states = occupancy_traces(key, capture, emission, interval=interval, steps=count)
    steps = np.asarray(junction.population.traps.amplitude[own] @ states, dtype=np.float64)
    return interval * np.arange(count, dtype=np.float64), 1.0 + steps


def window_averages(trace: Array) -> Array:
    """Return the average of a trace over each sampling time, repeated for every step of it; shape ``(steps,)``."""
    return np.repeat(trace.reshape(SPAN_WINDOWS, _STEPS_A_WINDOW).mean(axis=1), _STEPS_A_WINDOW)


@dataclass(frozen=True, slots=True)
class Spectrum:
    """A one-sided power spectral density of the relative current, at ``voltage`` [V].

    Attributes:
        voltage: [V].
        frequency: centres of logarithmic bins [Hz].
        sampled: Welch estimate of a sampled trace [1/Hz]; NaN where nothing switched.
        closed_form: sum of aliased Lorentzians [1/Hz].
        cells: of which this is the mean.
    """

    voltage: float
    frequency: Array
    sampled: Array
    closed_form: Array
    cells: int = 1


def spectrum(junction: Junction, voltage: float, *, ensemble: bool, address: int) -> Spectrum:
    """Sample a trace and set its spectrum beside the closed form.

    Args:
        junction: what to sample.
        voltage: [V].
        ensemble: cells of the population (mean spectrum of a cell) instead of the junction alone: all, or as many of
            the first as have 8000 traps together. Their summed relative current is sampled: the cells are independent,
            so its density is the sum of theirs.
        address: of the random stream.
    """
    starts = junction.population.traps.starts
    cells = max(1, int(np.searchsorted(starts, _MOST_TRAPS, side="right")) - 1) if ensemble else 1
    own = slice(0, int(starts[cells])) if ensemble else junction.own
    interval, steps = (junction.window / 10.0, _ENSEMBLE_STEPS) if ensemble else (junction.window / 100.0, _CELL_STEPS)
    capture, emission = (rate[own] for rate in junction.rates(voltage))
    weights = junction.weights(voltage)[own]
    key = Streams(junction.seed).key(Purpose.TELEGRAPH_TRACE, address)
    signal = np.zeros(steps)
    for first in range(0, weights.shape[0], _TRAPS_AT_ONCE):
        part = slice(first, first + _TRAPS_AT_ONCE)
        addresses = np.arange(first, first + weights[part].shape[0], dtype=np.uint64)
        states = occupancy_traces(
            key, capture[part], emission[part], interval=interval, steps=steps, trap_address=addresses
        )
        for weight, state in zip(weights[part], states, strict=True):
            signal += weight * state
    frequency, density = binned_welch(signal, interval, steps // _SEGMENTS)
    lines = sampled_lorentzian(frequency[:, None], capture, emission, interval)
    share = 1.0 / cells
    density[density < 1e-12 * np.max(density, initial=0.0)] = np.nan  # rounding of a trace that never moved
    density[density == 0.0] = np.nan
    return Spectrum(voltage, frequency, share * density, share * (lines @ weights**2), cells)


@dataclass(frozen=True, slots=True)
class Activity:
    """Ensemble averages over all traps, one entry a voltage.

    Attributes:
        voltage: [V].
        occupancy: mean probability that a trap is occupied.
        variance: mean of p (1 - p).
    """

    voltage: Array
    occupancy: Array
    variance: Array


def activity(junction: Junction, voltages: Array) -> Activity:
    """Return how occupied and how active the ensemble's traps are at each voltage [V]."""
    p = np.array([occupancy(*junction.rates(float(voltage))) for voltage in voltages])
    return Activity(voltages, p.mean(axis=1), (p * (1.0 - p)).mean(axis=1))


def active_share(junction: Junction, voltage: float) -> float:
    """Return the share of all traps that are occupied 10 % to 90 % of the time at ``voltage`` [V]."""
    p = occupancy(*junction.rates(voltage))
    return float(np.mean((p >= 0.1) & (p <= 0.9)))


def averaged_noise(junction: Junction, voltage: float, durations: Array) -> Array:
    """Return the ensemble's rms deviation of the window-averaged relative current, for each duration [s]."""
    return np.array([np.sqrt(junction.cell_variance(voltage, float(t)).mean()) for t in durations])
