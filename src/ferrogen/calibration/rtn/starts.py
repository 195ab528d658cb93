"""Where the fit of M traps may start: from the fit of M - 1, from step heights, from the time-lag plot, at random.

The likelihood has many maxima, and the right one is found only from a start near it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d
from scipy.special import ndtri

from ferrogen.calibration.rtn.factorial import Array, Chains, Workspace, improve

_WINDOWS = (1, 3, 10, 30)
_STEP_Z = 3.5
_RANDOM_STARTS = 6
_STRETCH = 30_000  # samples, or a quarter of the trace if that is more, on which starts are compared


def noise_scale(x: Array) -> float:
    """Return a scale for the trace: its robust noise from successive differences, or its spread if those are ties."""
    differences = np.diff(x)
    robust = float(np.median(np.abs(differences)) / (ndtri(0.75) * np.sqrt(2.0)))
    spread = float(np.std(x))
    return robust if robust > 1e-6 * spread else spread


def step_heights(x: Array, window: int, noise: float) -> Array:
    """Return the heights of the steps in a trace: differences of adjacent window means that stand out.

    Args:
        x: trace.
        window: samples in each of the two windows.
        noise: standard deviation of the white noise.
    """
    if x.shape[0] < 4 * window:
        return np.empty(0)
    total = np.concatenate([[0.0], np.cumsum(x)])
    mean = (total[window:] - total[:-window]) / window
    jump = np.abs(mean[window:] - mean[:-window])
    peak = (jump >= maximum_filter1d(jump, 2 * window + 1)) & (jump > _STEP_Z * noise * np.sqrt(2.0 / window))
    return np.asarray(jump[peak])


def cluster(values: Array, count: int) -> tuple[Array, NDArray[np.int64]] | None:
    """Return (centres, members) of ``count`` one-dimensional clusters (Lloyd, started at quantiles), or None."""
    if np.unique(values).shape[0] < count:
        return None
    centres = np.quantile(values, (np.arange(count) + 0.5) / count)
    for _ in range(30):
        nearest = np.abs(values[:, None] - centres).argmin(axis=1)
        members = np.bincount(nearest, minlength=count)
        sums = np.bincount(nearest, weights=values, minlength=count)
        fresh = np.where(members > 0, sums / np.maximum(members, 1), centres)
        if np.allclose(fresh, centres):
            break
        centres = fresh
    return centres, members


def single(x: Array, *, drift: bool) -> Chains:
    """Return the fit without traps: a constant or straight line with white noise."""
    ramp = np.linspace(-1.0, 1.0, x.shape[0])
    slope = float(ramp @ (x - x.mean()) / (ramp @ ramp)) if drift else 0.0
    empty = np.empty(0)
    noise = float(np.std(x - slope * ramp))
    return Chains(float(np.mean(x)), empty, empty, empty, max(noise, 1e-300), slope)


def _grown(fit: Chains) -> Iterator[Chains]:
    """Add a trap to a fit, of every size and pace."""
    for height in (0.7, 1.4, 2.2):
        for rise, fall in ((0.3, 0.3), (0.05, 0.05), (0.005, 0.005), (0.02, 0.2), (0.2, 0.02)):
            step, share = height * fit.noise, rise / (rise + fall)
            yield Chains(
                fit.offset - share * step,
                np.append(fit.amplitude, step),
                np.append(fit.rise, rise),
                np.append(fit.fall, fall),
                max(0.5, 1.0 - 0.25 * height**2 * share * (1.0 - share)) * fit.noise,
                fit.drift,
            )


def _stepped(x: Array, traps: int, noise: float, drift: float) -> Iterator[Chains]:
    """Take amplitudes from clusters of step heights; the lowest or the highest level fixes the offset."""
    low, high = np.quantile(x, (0.005, 0.995))
    for window in _WINDOWS:
        found = cluster(step_heights(x, window, noise), traps)
        if found is None:
            continue
        centres, members = found
        pace = np.clip(2.0 * members / x.shape[0], 2.0 / x.shape[0], 0.4)
        for offset in (low + 2.0 * noise, high - 2.0 * noise - float(centres.sum())):
            yield Chains(float(offset), centres, pace, pace.copy(), noise, drift)


def _random(x: Array, traps: int, noise: float, drift: float, generator: np.random.Generator) -> Iterator[Chains]:
    spread = max(float(np.ptp(np.quantile(x, (0.005, 0.995)))), 2.0 * noise)
    for _ in range(_RANDOM_STARTS):
        amplitude = np.exp(generator.uniform(np.log(0.5 * noise), np.log(spread), traps))
        rise, fall = np.exp(generator.uniform(np.log(3.0 / x.shape[0]), np.log(0.4), (2, traps)))
        offset = float(np.mean(x)) - float(amplitude @ (rise / (rise + fall)))
        yield Chains(offset, amplitude, rise, fall, noise, drift)


def best_fit(
    work: Workspace, traps: int, smaller: Chains, generator: np.random.Generator, *, passes: int = 600
) -> tuple[float, Chains, bool]:
    """Fit ``traps`` traps from many starts, by rounds in which only the best go on.

    Args:
        work: the trace, scaled.
        traps: how many traps, at least one.
        smaller: the fit of one trap less.
        generator: for the random starts.
        passes: most passes over the trace for each finalist.

    Returns:
        (log-likelihood, parameters, whether converged).
    """
    noise = min(noise_scale(work.x), smaller.noise)
    field = [
        *_grown(smaller),
        *_stepped(work.x - smaller.drift * work.ramp, traps, noise, smaller.drift),
        *_random(work.x - smaller.drift * work.ramp, traps, noise, smaller.drift, generator),
    ]
    scored = [improve(_stretch(work), chains, passes=7) for chains in field]
    for keep, more in ((6, 16), (2, passes)):
        scored.sort(key=lambda entry: -entry[0])
        scored = [improve(work, chains, passes=more) for _, chains, _ in _distinct(scored, keep)]
    return max(scored, key=lambda entry: entry[0])


def without_trap(work: Workspace, larger: Chains, *, passes: int = 600) -> tuple[float, Chains, bool]:
    """Fit one trap less than ``larger`` has, from every start that leaves out one of its traps."""
    scored = []
    for k in range(larger.traps):
        rest = np.arange(larger.traps) != k
        start = replace(
            larger,
            offset=larger.offset + float(larger.amplitude[k] * larger.occupancy[k]),
            amplitude=larger.amplitude[rest],
            rise=larger.rise[rest],
            fall=larger.fall[rest],
        )
        scored.append(improve(work, start, passes=16))
    _, chains, _ = max(scored, key=lambda entry: entry[0])
    return improve(work, chains, passes=passes)


def exchanged(work: Workspace, fit: tuple[float, Chains, bool], *, passes: int = 600) -> tuple[float, Chains, bool]:
    """Leave a maximum in which one trap carries the sum or the difference of two amplitudes, if a better one is near.

    Traps of amplitudes a and b make the levels 0, a, b, a + b; a fit with a + b and b has three of these in common.
    """
    while True:
        chains = fit[1]
        field: list[Chains] = []
        for i in range(chains.traps):
            for j in range(chains.traps):
                for sign in (-1.0, 1.0):
                    if i != j:
                        amplitude = chains.amplitude.copy()
                        amplitude[i] += sign * amplitude[j]
                        step = sign * float(chains.amplitude[j])
                        # the mean stays, or the levels of a low, or of a high trap j; more noise keeps states open
                        field.extend(
                            replace(chains, amplitude=amplitude, offset=offset, noise=2.0 * chains.noise)
                            for offset in (
                                chains.offset - step * chains.occupancy[i],
                                chains.offset,
                                chains.offset - step,
                            )
                        )
        scored = [improve(_stretch(work), start, passes=10) for start in field]
        scored.sort(key=lambda entry: -entry[0])
        tried = [improve(work, start, passes=22) for _, start, _ in _distinct(scored, 4)]
        best = improve(work, max(tried, key=lambda entry: entry[0])[1], passes=passes)
        if best[0] < fit[0] + 0.1:
            return fit
        fit = best


def _stretch(work: Workspace) -> Workspace:
    size = max(_STRETCH, work.x.shape[0] // 4)
    if size >= work.x.shape[0]:
        return work
    begin = (work.x.shape[0] - size) // 2
    return work.part(begin, begin + size)


def _distinct(scored: list[tuple[float, Chains, bool]], keep: int) -> list[tuple[float, Chains, bool]]:
    """Return the best entries that are not copies of a better one."""
    kept: list[tuple[float, Chains, bool]] = []
    for entry in scored:
        amplitude = np.sort(np.abs(entry[1].amplitude))
        if all(
            abs(entry[0] - other[0]) > 1e-3
            or not np.allclose(amplitude, np.sort(np.abs(other[1].amplitude)), rtol=0.02)
            for other in kept
        ):
            kept.append(entry)
        if len(kept) == keep:
            break
    return kept
