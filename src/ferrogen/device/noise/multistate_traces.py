"""Exact sampling of traps with many states: on a time grid, switch by switch, and averaged over windows.

* *grid*: from grid point to grid point with the probabilities e^(Q dt); one draw a step, exact at the points;
* *events*: exponential stays and jumps in proportion to the rates; one pair of draws a switch;
* *windows*: the same events, integrated over each window. Its cost, too, is that of the switches.

A trap's draws depend on the key and its address alone. Events and windows of the same key and address are the same
trajectory, so window means are exactly those of the event trace.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ferrogen.core.distributions import exponential, seed_local, seed_object, uniform
from ferrogen.core.errors import argument_error, check_number, is_whole
from ferrogen.device.noise.multistate import MultistateTrap, stationary_distribution, transition_matrix

MOST_EVENTS = 1e9
"""Most expected switches of one call: beyond, sampling event by event takes minutes."""

Array = NDArray[np.float64]


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _pick(cumulative: NDArray[np.float64], u: float) -> int:
    """Return the first index whose cumulative probability exceeds ``u`` (the last entry is 1)."""
    k = 0
    while u >= cumulative[k]:
        k += 1
    return k


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_grid(
    key: np.uint64,
    address: np.uint64,
    start: NDArray[np.float64],
    step: NDArray[np.float64],
    out: NDArray[np.uint8],
) -> None:
    state = np.empty(2, dtype=np.uint64)
    seed_local(state, seed_object(key, address), 0)
    now = _pick(start, uniform(state))
    out[0] = now
    for k in range(1, out.shape[0]):
        now = _pick(step[now], uniform(state))
        out[k] = now


@njit(cache=True, nogil=True, error_model="numpy")
def _follow(
    key: np.uint64,
    address: np.uint64,
    start: NDArray[np.float64],
    jump: NDArray[np.float64],
    leaving: NDArray[np.float64],
    signal: NDArray[np.float64],
    duration: float,
    gap: float,
    means: NDArray[np.float64],
    times: NDArray[np.float64],
    states: NDArray[np.uint8],
) -> int:
    """Follow a trap through windows of ``duration`` with ``gap`` between them; return how many stays began.

    The first stays that fit are written to ``times`` and ``states``; the signal's mean over each window to ``means``.
    """
    state = np.empty(2, dtype=np.uint64)
    seed_local(state, seed_object(key, address), 1)
    now = _pick(start, uniform(state))
    if times.shape[0] > 0:
        times[0] = 0.0
        states[0] = now
    stays = 1
    left = exponential(state) / leaving[now]
    for window in range(means.shape[0]):
        for observed in (True, False):
            length = duration if observed else gap
            at = 0.0  # within this stretch: absolute times would lose the digits of short stays
            total = 0.0
            while left < length - at:
                total += left * signal[now]
                at += left
                now = _pick(jump[now], uniform(state))
                if stays < times.shape[0]:
                    times[stays] = window * (duration + gap) + (0.0 if observed else duration) + at
                    states[stays] = now
                stays += 1
                left = exponential(state) / leaving[now]
            total += (length - at) * signal[now]
            left -= length - at
            if observed:
                means[window] = total / length
    return stays


def _cumulative(probability: Array) -> Array:
    """Return cumulative probabilities along the last axis that end in exactly 1, from the last possible state on."""
    total = np.cumsum(probability, axis=-1)
    total = total / total[..., -1:]
    possible = np.cumsum((probability > 0.0)[..., ::-1], axis=-1)[..., ::-1] > 0
    later = np.concatenate([possible[..., 1:], np.zeros_like(possible[..., :1])], axis=-1)
    return np.ascontiguousarray(np.where(later, total, 1.0))


def _addresses(traps: Sequence[MultistateTrap], trap_address: NDArray[np.uint64] | None) -> NDArray[np.uint64]:
    if trap_address is None:
        return np.arange(len(traps), dtype=np.uint64)
    if trap_address.shape != (len(traps),):
        raise argument_error("trap_address", f"have {len(traps)} entries, one a trap", f"of shape {trap_address.shape}")
    return np.asarray(trap_address, dtype=np.uint64)


def _check_events(traps: Sequence[MultistateTrap], duration: float) -> None:
    events = sum(float(stationary_distribution(trap) @ trap.rates.sum(axis=1)) for trap in traps) * duration
    if events > MOST_EVENTS:
        raise argument_error(
            "traps",
            f"switch at most {MOST_EVENTS:g} times in all",
            f"{events:.3g} expected switches in {duration:g} s",
            "Use state_traces, whose cost is that of the grid, or the closed forms.",
        )


def state_traces(
    key: np.uint64,
    traps: Sequence[MultistateTrap],
    *,
    interval: float,
    steps: int,
    trap_address: NDArray[np.uint64] | None = None,
) -> NDArray[np.uint8]:
    """Sample the states of independent stationary traps on a time grid; exact at every grid point.

    Args:
        key: stream key (:meth:`ferrogen.core.streams.Streams.key`).
        traps: the traps.
        interval: time between grid points [s].
        steps: number of grid points; a longer trace begins with the shorter one.
        trap_address: address of each trap below the key; 0, 1, 2, ... if not given.

    Returns:
        uint8 array ``(traps, steps)`` of state numbers; ``trap.signal[states]`` is what a trap shows.

    Raises:
        ArgumentError: an interval or a number of steps that is not positive.
    """
    check_number("interval", interval, "s")
    if not is_whole(steps, 1):
        raise argument_error("steps", "be a whole number of at least 1", steps)
    out = np.empty((len(traps), steps), dtype=np.uint8)
    for trap, address, row in zip(traps, _addresses(traps, trap_address), out, strict=True):
        step = _cumulative(transition_matrix(trap, interval))
        _fill_grid(key, address, _cumulative(stationary_distribution(trap)), step, row)
    return out


def _run(
    key: np.uint64,
    trap: MultistateTrap,
    address: np.uint64,
    duration: float,
    gap: float,
    means: Array,
    room: int,
) -> tuple[int, Array, NDArray[np.uint8]]:
    times, states = np.empty(room), np.empty(room, dtype=np.uint8)
    leaving = trap.rates.sum(axis=1)
    start, jump = _cumulative(stationary_distribution(trap)), _cumulative(trap.rates)
    stays = _follow(key, address, start, jump, leaving, trap.signal, duration, gap, means, times, states)
    return stays, times, states


def event_trace(
    key: np.uint64, trap: MultistateTrap, *, duration: float, address: int = 0
) -> tuple[Array, NDArray[np.uint8]]:
    """Sample one stationary trap switch by switch.

    Args:
        key: stream key.
        trap: the trap.
        duration: length of the trace [s]; a longer trace begins with the shorter one.
        address: of the trap below the key.

    Returns:
        Times [s] at which stays begin, the first of them 0, and the states of these stays (uint8), as many.

    Raises:
        ArgumentError: a duration that is not positive, or more than :data:`MOST_EVENTS` expected switches.
    """
    check_number("duration", duration, "s")
    _check_events([trap], duration)
    own = np.uint64(address)
    expected = float(stationary_distribution(trap) @ trap.rates.sum(axis=1)) * duration
    room = int(expected + 6.0 * math.sqrt(expected + 1.0)) + 16
    stays, times, states = _run(key, trap, own, duration, 0.0, np.empty(1), room)
    if stays > room:  # rare: the same trace again, with enough room
        stays, times, states = _run(key, trap, own, duration, 0.0, np.empty(1), stays)
    return times[:stays], states[:stays]


def window_means(
    key: np.uint64,
    traps: Sequence[MultistateTrap],
    *,
    duration: float,
    windows: int,
    period: float | None = None,
    trap_address: NDArray[np.uint64] | None = None,
) -> Array:
    """Sample the signal's exact mean over consecutive windows of independent stationary traps.

    Args:
        key: stream key.
        traps: the traps.
        duration: of a window [s].
        windows: how many; more of them begin with the fewer.
        period: from start to start [s]; the duration if not given.
        trap_address: address of each trap below the key; 0, 1, 2, ... if not given.

    Returns:
        float64 array ``(traps, windows)``, in the signal's unit.

    Raises:
        ArgumentError: a duration that is not positive, a shorter period, no window, or more than
            :data:`MOST_EVENTS` expected switches.
    """
    check_number("duration", duration, "s")
    every = duration if period is None else period
    check_number("period", every, "s")
    if every < duration:
        raise argument_error("period", f"be at least the duration, {duration:g} s", f"{every:g} s")
    if not is_whole(windows, 1):
        raise argument_error("windows", "be a whole number of at least 1", windows)
    _check_events(traps, windows * every)
    out = np.empty((len(traps), windows))
    for trap, address, row in zip(traps, _addresses(traps, trap_address), out, strict=True):
        _run(key, trap, address, duration, every - duration, row, 0)
    return out
