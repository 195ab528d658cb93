"""Waveforms: voltages (or fields) that are constant from step to step, for every model that follows one.

A piecewise-constant waveform is what the exact steps of the domain ensemble, the effective field of the dynamic
Preisach model and programming pulses all take. A ramp becomes steps at its midpoint values, so that its integral is
exact. The values have no unit of their own: volts here become fields with ``waveform.scaled(1 / thickness)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.core.errors import argument_error, check_number, is_whole

_MOST_STEPS = 50_000_000  # 800 MB of waveform: more is a slipped argument


@dataclass(frozen=True, slots=True, eq=False)
class Waveform:
    """A voltage that is constant during each step.

    Attributes:
        durations: of each step [s], positive, shape ``(steps,)``.
        voltages: during each step [V, or whatever the waveform stands for], shape ``(steps,)``.

    Raises:
        ArgumentError: the shapes differ, there is no step, or a number is unusable.
    """

    durations: NDArray[np.float64]
    voltages: NDArray[np.float64]

    def __post_init__(self) -> None:
        durations = np.array(self.durations, dtype=np.float64)
        voltages = np.array(self.voltages, dtype=np.float64)
        if durations.ndim != 1 or durations.shape != voltages.shape or durations.size == 0:
            raise argument_error(
                "durations",
                "be a list of at least one time in s, as long as `voltages`",
                f"of shape {durations.shape} beside {voltages.shape}",
            )
        with np.errstate(over="ignore"):
            whole = durations.sum()
        if not (np.all(durations > 0.0) and np.isfinite(whole)):
            raise argument_error("durations", "be positive, finite times in s", _first_bad(durations, durations > 0.0))
        if not np.all(np.isfinite(voltages)):
            raise argument_error("voltages", "be finite", _first_bad(voltages, np.isfinite(voltages)))
        durations.flags.writeable = False
        voltages.flags.writeable = False
        object.__setattr__(self, "durations", durations)
        object.__setattr__(self, "voltages", voltages)

    @property
    def steps(self) -> int:
        """Number of steps."""
        return int(self.durations.shape[0])

    @property
    def total(self) -> float:
        """Duration of the whole waveform [s]."""
        return float(self.durations.sum())

    @property
    def times(self) -> NDArray[np.float64]:
        """Where steps begin and end [s], from 0, shape ``(steps + 1,)``."""
        return np.concatenate([[0.0], np.cumsum(self.durations)])

    @property
    def midpoints(self) -> NDArray[np.float64]:
        """Middle of each step [s], shape ``(steps,)``."""
        times = self.times
        return 0.5 * (times[1:] + times[:-1])

    def scaled(self, factor: float) -> Waveform:
        """Return the waveform with all values times ``factor``; 1 / thickness makes fields of voltages.

        Raises:
            ArgumentError: ``factor`` is not finite.
        """
        return Waveform(self.durations, self.voltages * _finite("factor", factor))

    def repeated(self, times: int) -> Waveform:
        """Return the waveform ``times`` times in a row.

        Raises:
            ArgumentError: ``times`` is not a whole number from 1, or the result would be too long.
        """
        if not is_whole(times, 1, _MOST_STEPS // self.steps):
            raise argument_error("times", "be a whole number from 1, of 5e7 steps in all at most", times)
        return Waveform(np.tile(self.durations, times), np.tile(self.voltages, times))


def _first_bad(values: NDArray[np.float64], good: NDArray[np.bool_]) -> str:
    bad = ~good | ~np.isfinite(values)
    if not bad.any():
        return "a sum beyond the largest number"
    at = int(np.argmax(bad))
    return f"{values[at]:g} at position {at}"


def _finite(name: str, value: float) -> float:
    if isinstance(value, bool) or not np.isfinite(value):
        raise argument_error(name, "be a finite number", value)
    return float(value)


def constant(voltage: float, duration: float) -> Waveform:
    """Return one step of ``duration`` [s]."""
    return Waveform(np.array([duration]), np.array([voltage]))


def ramp(start: float, stop: float, duration: float, steps: int) -> Waveform:
    """Return a straight line in ``steps`` equal steps at their midpoint values.

    Raises:
        ArgumentError: a number is unusable.
    """
    check_number("duration", duration, "s")
    if not is_whole(steps, 1, _MOST_STEPS):
        raise argument_error("steps", "be a whole number from 1 to 5e7", steps)
    share = (np.arange(steps) + 0.5) / steps
    values = _finite("start", start) * (1.0 - share) + _finite("stop", stop) * share
    return Waveform(np.full(steps, duration / steps), values)


def triangle(
    amplitude: float, frequency: float, cycles: int = 1, steps_per_cycle: int = 400, offset: float = 0.0
) -> Waveform:
    """Return a triangular wave: from ``offset`` up to ``+amplitude``, down to ``-amplitude`` and back.

    Args:
        amplitude: above the offset; negative to go down first.
        frequency: [Hz].
        cycles: how many.
        steps_per_cycle: a multiple of 4, so that corners lie between steps; each step has its midpoint value.
        offset: added to all.

    Raises:
        ArgumentError: a number is unusable.
    """
    check_number("frequency", frequency, "Hz")
    if not is_whole(steps_per_cycle, 4, _MOST_STEPS) or steps_per_cycle % 4:
        raise argument_error("steps_per_cycle", "be a multiple of 4, at least 4", steps_per_cycle)
    phase = (np.arange(steps_per_cycle) + 0.5) / steps_per_cycle
    shape = np.abs((phase + 0.75) % 1.0 - 0.5) * 4.0 - 1.0
    values = _finite("offset", offset) + _finite("amplitude", amplitude) * shape
    return Waveform(np.full(steps_per_cycle, 1.0 / (frequency * steps_per_cycle)), values).repeated(cycles)


def pulses(amplitudes: ArrayLike, widths: ArrayLike, gap: float, rest: float = 0.0) -> Waveform:
    """Return rectangular pulses, each followed by ``gap`` seconds at ``rest``.

    Args:
        amplitudes: one a pulse, or one for all.
        widths: [s], one a pulse, or one for all.
        gap: [s]; 0 for none, the pulses then touch.
        rest: value between pulses.

    Raises:
        ArgumentError: a number is unusable, or the two lists differ in length.
    """
    check_number("gap", gap, "s", may_vanish=True)
    try:
        heights, lengths = np.broadcast_arrays(
            np.atleast_1d(np.asarray(amplitudes, dtype=np.float64)), np.atleast_1d(np.asarray(widths, dtype=np.float64))
        )
    except ValueError:
        raise argument_error("widths", "be one number or as many as `amplitudes`", np.shape(widths)) from None
    if gap == 0.0:
        return Waveform(lengths, heights)
    durations = np.stack([lengths, np.full(lengths.shape, gap)], axis=-1).reshape(-1)
    values = np.stack([heights, np.full(lengths.shape, _finite("rest", rest))], axis=-1).reshape(-1)
    return Waveform(durations, values)


def trapezoid(amplitude: float, rise: float, width: float, gap: float, steps: int = 32) -> Waveform:
    """Return one pulse with ramps: ``rise`` up, ``width`` flat, ``rise`` down, ``gap`` at zero: 2 steps + 2 steps.

    Args:
        amplitude: of the flat part.
        rise: time of each ramp [s].
        width: of the flat part [s].
        gap: at zero after the pulse [s].
        steps: of each ramp.

    Raises:
        ArgumentError: a number is unusable.
    """
    check_number("width", width, "s")
    check_number("gap", gap, "s")
    return concatenate(
        ramp(0.0, amplitude, rise, steps),
        constant(amplitude, width),
        ramp(amplitude, 0.0, rise, steps),
        constant(0.0, gap),
    )


def pund(amplitude: float, rise: float, width: float, gap: float, steps: int = 32) -> Waveform:
    """Return the PUND sequence: a negative preset pulse, then positive, up, negative, down.

    The positive pulse switches what the preset had set; the up pulse repeats it and switches nothing more; the negative
    and down pulses do the same with the other sign. Each of the five pulses has ``2 steps + 2`` steps.

    Args:
        amplitude: of all pulses; negative to begin the other way round.
        rise: time of each ramp [s].
        width: of each pulse's flat part [s].
        gap: at zero after each pulse [s].
        steps: of each ramp.

    Raises:
        ArgumentError: a number is unusable.
    """
    up, down = (trapezoid(sign * amplitude, rise, width, gap, steps) for sign in (1.0, -1.0))
    return concatenate(down, up, up, down, down)


def first_order_reversal(
    saturation: float, reversal: float, step: float, rate: float, hold: float | None = None
) -> Waveform:
    """Return one first-order reversal curve: hold at saturation, go down to ``reversal``, go back up.

    The steps stand at ``saturation, saturation - step, ..., reversal, ..., saturation``: on the grid itself, not at
    midpoints, so that curves of different reversals share their values.

    Args:
        saturation: where it starts and ends, positive.
        reversal: lowest value, a whole number of ``step`` below saturation.
        step: distance of levels, positive.
        rate: slope, in units of the value per second, positive.
        hold: time at saturation before [s]; as long as the way from +saturation to -saturation if not given.

    Raises:
        ArgumentError: a number is unusable, or the reversal does not lie on the grid.
    """
    check_number("saturation", saturation, "V")
    check_number("step", step, "V")
    check_number("rate", rate, "V/s")
    down = (saturation - _finite("reversal", reversal)) / step
    count = round(down) if abs(down) < _MOST_STEPS else 0
    if count < 1 or abs(down - count) > 1e-6:
        raise argument_error("reversal", "lie a whole number of `step` below `saturation`", f"{reversal:g}")
    if hold is None:
        hold = 2.0 * saturation / rate
    check_number("hold", hold, "s")
    levels = saturation - step * np.concatenate([np.arange(1, count + 1), np.arange(count - 1, -1, -1)])
    return concatenate(constant(saturation, hold), Waveform(np.full(levels.shape, step / rate), levels))


def from_samples(time: ArrayLike, voltage: ArrayLike) -> Waveform:
    """Return the waveform through samples: each interval has the mean of its two ends.

    Args:
        time: of the samples [s], rising, shape ``(samples,)``, at least two.
        voltage: at these times, shape ``(samples,)``.

    Raises:
        ArgumentError: the shapes differ, the time does not rise, or a number is unusable.
    """
    times, values = np.asarray(time, dtype=np.float64), np.asarray(voltage, dtype=np.float64)
    if times.ndim != 1 or times.shape != values.shape or times.size < 2:
        raise argument_error(
            "time", "be a list of at least two times in s, as long as `voltage`", f"of shape {times.shape}"
        )
    if not (np.all(np.isfinite(times)) and np.all(np.isfinite(values))):
        raise argument_error("time", "be finite, as must `voltage`", "not", "Drop the samples without a number.")
    with np.errstate(over="ignore"):  # an infinite interval is refused below
        rise = np.diff(times)
    if np.any(rise <= 0.0):
        at = int(np.argmax(rise <= 0.0))
        raise argument_error(
            "time",
            "rise from sample to sample",
            f"{times[at + 1]:g} s after {times[at]:g} s at position {at + 1}",
            "Sort the samples, and keep one of those with the same time.",
        )
    return Waveform(rise, 0.5 * values[1:] + 0.5 * values[:-1])


def concatenate(*parts: Waveform) -> Waveform:
    """Return the parts one after the other.

    Raises:
        ArgumentError: there are none.
    """
    if not parts:
        raise argument_error("parts", "be at least one waveform", "none")
    return Waveform(
        np.concatenate([part.durations for part in parts]), np.concatenate([part.voltages for part in parts])
    )


def staircase(amplitudes: Sequence[float], duration: float) -> Waveform:
    """Return one step of equal ``duration`` [s] at each amplitude."""
    return Waveform(np.full(len(amplitudes), duration), np.asarray(amplitudes, dtype=np.float64))
