"""One trace: how many traps, what they are, how surely, and which of them the record does not identify."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferrogen.calibration.rtn.background import BACKGROUND_PARAMETERS, Background, fit_background
from ferrogen.calibration.rtn.dwell import Dwells, dwells, grid_to_rates
from ferrogen.calibration.rtn.factorial import MOST_TRAPS, Array, Chains, Workspace, covariance
from ferrogen.calibration.rtn.starts import best_fit, exchanged, noise_scale, single, without_trap
from ferrogen.core.errors import argument_error, check_number, is_whole

LEAST_SWITCHES = 10
"""A trap that switches fewer times than this (both ways together) counts as not identified: ln tau to about 45 %."""

_LEAST_SAMPLES = 50
_MOST_SAMPLES = 5_000_000


@dataclass(frozen=True, slots=True)
class TrapEstimate:
    """One trap of a trace. Times are in seconds if the interval was given, else in reads.

    Attributes:
        amplitude: by how much the high level lies above the low one, in the trace's unit.
        amplitude_error: standard error.
        time_low: mean dwell time at the low level, corrected for missed events.
        time_high: mean dwell time at the high level.
        log_error_low: standard error of ln time_low.
        log_error_high: standard error of ln time_high.
        time_constant: 1 / (1/time_low + 1/time_high).
        occupancy: share of time at the high level.
        switches: level changes along the most likely path, both ways together.
        low: dwell times at the low level along the most likely path (excursions that noise or sampling hide are not in
            it, so its mean is longer than ``time_low`` for a fast trap).
        high: dwell times at the high level.
        reason: why the trap is not identified; empty if it is.
    """

    amplitude: float
    amplitude_error: float
    time_low: float
    time_high: float
    log_error_low: float
    log_error_high: float
    time_constant: float
    occupancy: float
    switches: int
    low: Dwells
    high: Dwells
    reason: str

    @property
    def identified(self) -> bool:
        """Whether the record identifies the trap."""
        return not self.reason


@dataclass(frozen=True, slots=True)
class TraceFit:
    """What a trace says about its traps.

    Attributes:
        traps: largest amplitude first.
        level: values of the 2**M levels, ascending, in the trace's unit.
        level_error: their standard errors.
        noise: standard deviation of the white read noise.
        drift: change of the fitted straight baseline over the whole record (0 if it was held constant).
        criterion: Bayesian information criterion of 0, 1, 2, ... traps, as far as it was looked at.
        background_criterion: of a continuous background without levels.
        background: that background.
        log_likelihood: of the chosen number of traps.
        chains: the fitted parameters on the sampling grid, in the trace's unit.
        path: most likely state of each trap at each sample, shape ``(N, M)``.
        time_unit: ``"s"`` or ``"reads"``.
        error_source: ``"information"`` (observed information of the likelihood) or ``"switches"`` (the floor
            1 / sqrt(switches), where the information is not positive definite).
        notes: what a reader must know, one sentence each.
    """

    traps: tuple[TrapEstimate, ...]
    level: Array
    level_error: Array
    noise: float
    drift: float
    criterion: tuple[float, ...]
    background_criterion: float
    background: Background
    log_likelihood: float
    chains: Chains
    path: NDArray[np.uint8]
    time_unit: str
    error_source: str
    notes: tuple[str, ...]

    @property
    def has_levels(self) -> bool:
        """Whether traps explain the trace better than a continuous background does."""
        return bool(self.traps) and min(self.criterion) < self.background_criterion


def _check(x: Array, most_traps: int, least_switches: int, interval: float | None) -> Array:
    x = np.ascontiguousarray(x, dtype=np.float64)
    if x.ndim != 1 or not _LEAST_SAMPLES <= x.shape[0] <= _MOST_SAMPLES:
        raise argument_error(
            "x",
            f"be one trace of {_LEAST_SAMPLES} to {_MOST_SAMPLES} samples",
            f"of shape {x.shape}",
            "Cut a longer record into pieces, or average neighbouring samples.",
        )
    if not np.all(np.isfinite(x)):
        raise argument_error("x", "hold finite numbers", f"not finite at sample {int(np.argmin(np.isfinite(x)))}")
    if float(np.ptp(x)) == 0.0:
        raise argument_error("x", "vary", f"{x[0]:g} throughout", "A constant trace has no noise to analyse.")
    if not is_whole(most_traps, 0, MOST_TRAPS):
        raise argument_error("most_traps", f"be a whole number from 0 to {MOST_TRAPS}", most_traps)
    if not is_whole(least_switches, 1):
        raise argument_error("least_switches", "be a whole number, at least 1", least_switches)
    if interval is not None:
        check_number("interval", interval, "seconds")
    return x


def _time_errors(chains: Chains, matrix: Array | None, path: NDArray[np.uint8]) -> Array:
    """Return the standard errors of ln (time low, time high) of each trap, shape ``(M, 2)``."""
    traps = chains.traps
    exits = np.stack([np.count_nonzero((path[:-1] == s) & (path[1:] != s), axis=0) for s in (0, 1)], axis=1)
    floor = 1.0 / np.sqrt(np.maximum(exits, 0.25))  # half a switch or none: at most a factor e^2 is known
    if matrix is None:
        return np.asarray(floor)
    vector = chains.vector()
    out = np.empty((traps, 2))
    for m in range(traps):
        where = [1 + traps + m, 1 + 2 * traps + m]
        jacobian = np.empty((2, 2))
        for column, k in enumerate(where):
            logs = []
            for shift in (1e-5, -1e-5):
                moved = vector.copy()
                moved[k] += shift
                other = Chains.from_vector(moved)
                moves = other.rise[m] + other.fall[m]
                rate = -np.log1p(-min(moves, 1.0 - 1e-12))
                logs.append(-np.log(np.array([other.rise[m], other.fall[m]]) / moves * rate))
            jacobian[:, column] = (logs[0] - logs[1]) / 2e-5
        block = matrix[np.ix_(where, where)]
        variance = np.diagonal(jacobian @ block @ jacobian.T)
        out[m] = np.where(variance > 0.0, np.sqrt(np.maximum(variance, 0.0)), floor[m])
    return out


def _reason(estimate_moves: float, switches: int, least: int, amplitude: float, error: float, interval: float) -> str:
    if switches < least:
        return f"switches {switches} times in the record, fewer than {least}"
    if amplitude < 3.0 * error:
        return "has an amplitude of less than three standard errors"
    if estimate_moves > 1.0 - np.exp(-2.0):
        return f"has a time constant shorter than half the sampling interval ({interval:g})"
    return ""


@dataclass(frozen=True, slots=True)
class _Candidate:
    value: float
    chains: Chains
    converged: bool
    criterion: float

    @property
    def fit(self) -> tuple[float, Chains, bool]:
        return self.value, self.chains, self.converged


def _select(work: Workspace, generator: np.random.Generator, most_traps: int, passes: int) -> list[_Candidate]:
    """Fit 0, 1, 2, ... traps until the criterion rises, then look back: a better fit may leave out a trap."""
    penalty = float(np.log(work.x.shape[0]))

    def candidate(value: float, chains: Chains, *, converged: bool) -> _Candidate:
        # offset and noise, three parameters a trap; a straight baseline has one more
        parameters = 2 + 3 * chains.traps + int(work.drift)
        return _Candidate(value, chains, converged, -2.0 * value + parameters * penalty)

    chains = single(work.x, drift=work.drift)
    fits = [candidate(work.expect(chains)[0], chains, converged=True)]
    for traps in range(1, most_traps + 1):
        value, chains, converged = best_fit(work, traps, fits[-1].chains, generator, passes=passes)
        fits.append(candidate(value, chains, converged=converged))
        if fits[-1].criterion >= fits[-2].criterion:
            break
    best = min(range(len(fits)), key=lambda k: fits[k].criterion)
    if best > 1:
        value, chains, converged = exchanged(work, fits[best].fit, passes=passes)
        fits[best] = candidate(value, chains, converged=converged)
    for traps in range(best, 1, -1):
        value, chains, converged = without_trap(work, fits[traps].chains, passes=passes)
        if value <= fits[traps - 1].value:
            break
        fits[traps - 1] = candidate(value, chains, converged=converged)
    return fits


def fit_trace(
    x: Array,
    generator: np.random.Generator,
    *,
    interval: float | None = None,
    most_traps: int = MOST_TRAPS,
    drift: bool = False,
    least_switches: int = LEAST_SWITCHES,
    passes: int = 600,
) -> TraceFit:
    """Find the traps of a trace.

    Factorial hidden Markov models with 0, 1, 2, ... independent two-state traps, additive amplitudes and white Gaussian
    read noise are fitted by maximum likelihood; traps are added as long as the Bayesian information criterion
    -2 ln L + k ln N falls, with k = 2 + 3 M (+ 1 with drift). A continuous background (AR(1) plus white noise) is
    compared by the same criterion.

    Args:
        x: current, conductance or resistance at equal intervals, shape ``(N,)``, 50 to 5 million samples.
        generator: for random starts.
        interval: sampling interval [s]; if it is not known, times are in reads.
        most_traps: largest number of traps to look for, at most 4.
        drift: let the baseline be a straight line rather than constant.
        least_switches: traps that switch fewer times are said not to be identified.
        passes: most passes over the trace for each finalist of a fit.

    Raises:
        ArgumentError: a trace that is too short or long, constant, or not finite; options out of range.
    """
    x = _check(x, most_traps, least_switches, interval)
    step = 1.0 if interval is None else interval
    origin, scale = float(np.median(x)), noise_scale(x)
    work = Workspace((x - origin) / scale, drift=drift)
    penalty = float(np.log(x.shape[0]))
    fits = _select(work, generator, most_traps, passes)
    criterion = [fit.criterion for fit in fits]
    best = min(fits, key=lambda fit: fit.criterion)
    value, chains = best.value, best.chains.sorted()
    notes = [] if best.converged else [f"The fit with {chains.traps} traps had not converged after {passes} passes."]
    if chains.traps == MOST_TRAPS:
        notes.append(f"{MOST_TRAPS} traps are the most that are looked for: there may be more, or a 1/f background.")
    # the scaled trace has a density that is `scale` times higher a sample
    shift = -x.shape[0] * float(np.log(scale))
    continuous = fit_background(work.x - chains.drift * work.ramp)
    background_criterion = -2.0 * continuous.log_likelihood + (BACKGROUND_PARAMETERS + int(drift)) * penalty
    matrix = covariance(work, chains) if chains.traps else None
    path = work.path(chains)
    estimates = _estimates(chains, matrix, path, step, scale, least_switches)
    order = np.argsort(chains.levels, kind="stable")
    if chains.traps and min(criterion) >= background_criterion:
        notes.append(
            "A continuous background (AR(1) plus white noise) explains the trace better than levels do: the traps"
            " listed are not evidence of levels."
        )
    if interval is None:
        notes.append("The sampling interval is not known: times are in reads.")
    notes.extend(f"Trap {k} is not identified: it {trap.reason}." for k, trap in enumerate(estimates, 1) if trap.reason)
    return TraceFit(
        traps=estimates,
        level=(origin + scale * chains.levels)[order],
        level_error=scale * _level_errors(chains, matrix, x.shape[0])[order],
        noise=scale * chains.noise,
        drift=2.0 * scale * chains.drift,
        criterion=tuple(float(value - 2.0 * shift) for value in criterion),
        background_criterion=float(background_criterion - 2.0 * shift),
        background=Background(
            continuous.log_likelihood + shift,
            continuous.time_constant * step,
            scale * continuous.deviation,
            scale * continuous.noise,
        ),
        log_likelihood=value + shift,
        chains=chains.rescaled(origin, scale),
        path=path,
        time_unit="reads" if interval is None else "s",
        error_source="switches" if matrix is None and chains.traps else "information",
        notes=tuple(notes),
    )


def _level_errors(chains: Chains, matrix: Array | None, samples: int) -> Array:
    design = np.concatenate([np.ones((2**chains.traps, 1)), chains.states.astype(np.float64)], axis=1)
    if matrix is None:
        share = np.prod(np.where(chains.states, chains.occupancy, 1.0 - chains.occupancy), axis=1)
        return np.asarray(chains.noise / np.sqrt(np.maximum(samples * share, 1.0)))
    block = matrix[: chains.traps + 1, : chains.traps + 1]
    return np.asarray(np.sqrt(np.einsum("si,ij,sj->s", design, block, design)))


def _estimates(
    chains: Chains, matrix: Array | None, path: NDArray[np.uint8], interval: float, scale: float, least: int
) -> tuple[TrapEstimate, ...]:
    errors = _time_errors(chains, matrix, path)
    out = []
    for m in range(chains.traps):
        up, down = grid_to_rates(chains.rise[m], chains.fall[m], interval)
        low, high = (dwells(path[:, m], state, interval) for state in (0, 1))
        switches = int(np.count_nonzero(path[1:, m] != path[:-1, m]))
        share = float(chains.occupancy[m])
        if matrix is None:
            sizes = max(path.shape[0] * share * (1.0 - share), 1.0)
            amplitude_error = chains.noise / np.sqrt(sizes)
        else:
            amplitude_error = float(np.sqrt(matrix[1 + m, 1 + m]))
        moves = float(chains.rise[m] + chains.fall[m])
        reason = _reason(moves, switches, least, float(chains.amplitude[m]), float(amplitude_error), interval)
        out.append(
            TrapEstimate(
                amplitude=scale * float(chains.amplitude[m]),
                amplitude_error=scale * float(amplitude_error),
                time_low=float(1.0 / up),
                time_high=float(1.0 / down),
                log_error_low=float(errors[m, 0]),
                log_error_high=float(errors[m, 1]),
                time_constant=float(1.0 / (up + down)),
                occupancy=share,
                switches=switches,
                low=low,
                high=high,
                reason=reason,
            )
        )
    return tuple(out)
