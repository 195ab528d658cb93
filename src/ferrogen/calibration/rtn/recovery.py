"""Does the fit find traps that are known? Synthetic traces of known traps, and a strict score of what was found.

The record length follows from the number of switches asked for: its slowest trap switches that often on average.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from ferrogen.calibration.rtn.trace import TraceFit
from ferrogen.core.errors import argument_error, check_number, is_whole
from ferrogen.core.streams import Purpose, Streams
from ferrogen.device.noise.rtn.traces import occupancy_traces

Array = NDArray[np.float64]

LEVEL_TOLERANCE = 0.25
"""A level counts as right within this share of the smallest amplitude."""

_SAMPLES_A_SWITCH = 40
_LARGEST_RATIO = 4.0  # of amplitudes
_FASTEST = 5.0  # switching rate over the slowest trap's
_LEAST_OCCUPANCY = 0.2


@dataclass(frozen=True, slots=True)
class Truth:
    """Known traps. The noise is 1, so the smallest amplitude is the signal-to-noise ratio; times are in samples.

    Attributes:
        amplitude: shape ``(M,)``.
        time_low: mean dwell time at the low level, shape ``(M,)``.
        time_high: mean dwell time at the high level, shape ``(M,)``.
        samples: length of the record.
    """

    amplitude: Array
    time_low: Array
    time_high: Array
    samples: int


@dataclass(frozen=True, slots=True)
class Score:
    """How well a fit found the traps of a record.

    Attributes:
        traps: number of traps found minus the true number.
        levels_right: the number is right, and each of the 2**M levels within ``LEVEL_TOLERANCE`` smallest amplitudes.
        floors: errors of ln(mean dwell time) over the floor 1 / sqrt(exits), for each trap and state; exits are the
            true trap's switches out of that state in the record. Empty if the number of traps is wrong.
        decades: errors of log10(mean dwell time) over 1 / sqrt(switches of the trap, both ways).
        reported: errors of ln(mean dwell time) over the standard errors that the fit reports.
    """

    traps: int
    levels_right: bool
    floors: Array
    decades: Array
    reported: Array


def draw_truth(traps: int, ratio: float, switches: int, generator: np.random.Generator) -> Truth:
    """Draw known traps: nothing keeps amplitudes, their sums, or time constants apart.

    The smallest amplitude is ``ratio`` times the noise, the others log-uniform up to four times that. The slowest trap
    switches ``switches`` times in the record on average, the others up to five times as often (log-uniform), every 40
    to 8 samples. Occupancies are uniform from 0.2 to 0.8.

    Raises:
        ArgumentError: no trap, a ratio that is not positive, or no switches.
    """
    if not is_whole(traps, 1):
        raise argument_error("traps", "be a whole number, at least 1", traps)
    if not is_whole(switches, 1):
        raise argument_error("switches", "be a whole number, at least 1", switches)
    check_number("ratio", ratio, "units of the noise")
    amplitude = ratio * np.exp(generator.uniform(0.0, np.log(_LARGEST_RATIO), traps))
    pace = np.exp(generator.uniform(0.0, np.log(_FASTEST), traps)) / _SAMPLES_A_SWITCH
    amplitude[generator.integers(traps)] = ratio
    pace[generator.integers(traps)] = 1.0 / _SAMPLES_A_SWITCH
    share = generator.uniform(_LEAST_OCCUPANCY, 1.0 - _LEAST_OCCUPANCY, traps)
    # a trap switches 2 / (time_low + time_high) times a sample
    return Truth(amplitude, 2.0 * (1.0 - share) / pace, 2.0 * share / pace, switches * _SAMPLES_A_SWITCH)


def synthetic_trace(truth: Truth, streams: Streams, *address: int) -> tuple[Array, NDArray[np.uint8]]:
    """Return (trace with unit white noise, true states of the traps ``(M, N)``) of known traps."""
    states = occupancy_traces(
        streams.key(Purpose.SYNTHETIC_DATA, *address),
        1.0 / truth.time_low,
        1.0 / truth.time_high,
        interval=1.0,
        steps=truth.samples,
    )
    noise = streams.generator(Purpose.SYNTHETIC_DATA, *address).standard_normal(truth.samples)
    return truth.amplitude @ states + noise, states


def score_fit(truth: Truth, states: NDArray[np.uint8], fit: TraceFit) -> Score:
    """Compare a fit with the truth; traps are paired so that the sum of their squared log ratios is least."""
    count, found = truth.amplitude.shape[0], len(fit.traps)
    empty = np.empty(0)
    if count != found:
        return Score(found - count, levels_right=False, floors=empty, decades=empty, reported=empty)
    real = np.log(np.stack([truth.amplitude, truth.time_low, truth.time_high], axis=1))
    seen = np.log([[trap.amplitude, trap.time_low, trap.time_high] for trap in fit.traps])
    weight = np.array([4.0, 1.0, 1.0])
    order = min(permutations(range(count)), key=lambda p: float(((seen[list(p)] - real) ** 2 @ weight).sum()))
    paired = [fit.traps[k] for k in order]
    bits = (np.arange(2**count)[:, None] >> np.arange(count)) & 1
    level = fit.chains.offset + bits @ np.array([trap.amplitude for trap in paired])
    right = bool(np.all(np.abs(level - bits @ truth.amplitude) <= LEVEL_TOLERANCE * truth.amplitude.min()))
    before, after = states[:, :-1], states[:, 1:]
    exits = np.stack([np.count_nonzero((before == s) & (after != s), axis=1) for s in (0, 1)], axis=1)
    error = seen[list(order), 1:] - real[:, 1:]
    reported = np.array([[trap.log_error_low, trap.log_error_high] for trap in paired])
    return Score(
        0,
        right,
        (error * np.sqrt(exits)).ravel(),
        (error / np.log(10.0) * np.sqrt(exits.sum(axis=1))[:, None]).ravel(),
        (error / reported).ravel(),
    )
