"""Traps with any number of states: closed forms of a continuous-time Markov chain whose states show a signal.

With the generator Q (rates off the diagonal, rows that sum to zero), the stationary probabilities w and the signal x
minus its mean, the autocovariance is C(s) = sum w x e^(Q s) x, the one-sided spectrum 4 Re sum w x (i w - Q)^-1 x, and
the window moments follow from the matrices of :mod:`ferrogen.device.noise.propagator`. Two states give the formulas of
:mod:`ferrogen.device.noise.rtn.closed_form`. Sampling: :mod:`ferrogen.device.noise.multistate_traces`; what kinds of
traps have more than two states: :mod:`ferrogen.device.noise.anomalous`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.core.errors import argument_error, check_number
from ferrogen.device.noise.propagator import propagator, resolvent, window_matrices

Array = NDArray[np.float64]

MOST_STATES = 64
"""Largest number of states of one trap."""

_SLOWEST, _FASTEST = 1e-40, 1e40  # 1/s; beyond, products of rates would leave the range of numbers


@dataclass(frozen=True, slots=True)
class MultistateTrap:
    """A trap that jumps among states, and what each state shows.

    Attributes:
        rates: from state i to state j [1/s], shape ``(states, states)``, zero on the diagonal. Every state must be
            reached from every other, or the trap has no stationary noise.
        signal: what the state shows, e.g. its occupancy or its current [A], shape ``(states,)``.
    """

    rates: Array
    signal: Array

    def __post_init__(self) -> None:
        rates = np.array(self.rates, dtype=np.float64)
        signal = np.array(self.signal, dtype=np.float64)
        if rates.ndim != 2 or rates.shape[0] != rates.shape[1] or not 2 <= rates.shape[0] <= MOST_STATES:
            raise argument_error("rates", f"be a square matrix of 2 to {MOST_STATES} states", f"of shape {rates.shape}")
        if not np.all((rates == 0.0) | ((rates >= _SLOWEST) & (rates <= _FASTEST))):
            raise argument_error(
                "rates", f"hold rates in 1/s, each of them 0 or from {_SLOWEST:g} to {_FASTEST:g}", rates.tolist()
            )
        if np.any(np.diag(rates) != 0.0):
            raise argument_error("rates", "be zero on the diagonal", np.diag(rates).tolist())
        if signal.shape != rates.shape[:1] or not np.all(np.isfinite(signal)):
            raise argument_error("signal", f"hold {rates.shape[0]} finite numbers, one a state", signal.tolist())
        if not _connected(rates > 0.0):
            raise argument_error("rates", "lead from every state to every other", rates.tolist())
        rates.setflags(write=False)
        signal.setflags(write=False)
        object.__setattr__(self, "rates", rates)
        object.__setattr__(self, "signal", signal)

    @property
    def states(self) -> int:
        """Number of states."""
        return int(self.rates.shape[0])

    @property
    def generator(self) -> Array:
        """The generator Q [1/s]: the rates, and minus the sum of each row on its diagonal."""
        return np.asarray(self.rates - np.diag(self.rates.sum(axis=1)))


def _connected(edge: NDArray[np.bool_]) -> bool:
    """Return whether every state is reached from every other along the edges."""
    for reach in (edge, edge.T):
        seen = np.zeros(edge.shape[0], dtype=np.bool_)
        seen[0] = True
        for _ in range(edge.shape[0]):
            seen = seen | (seen @ reach)
        if not np.all(seen):
            return False
    return True


def stationary_distribution(trap: MultistateTrap) -> Array:
    """Return the stationary probability of every state, shape ``(states,)``.

    Source: Grassmann, Taksar and Heyman, Oper. Res. 33, 1107 (1985), doi:10.1287/opre.33.5.1107: elimination without a
    subtraction, so that every probability has nearly all of its digits even where the rates differ by 20 decades.
    """
    a = trap.rates.copy()
    # Each state in turn is cut out of the chain; what it led to is then led to by those that led to it.
    for k in range(trap.states - 1, 0, -1):
        a[:k, k] /= a[k, :k].sum()
        a[:k, :k] += np.outer(a[:k, k], a[k, :k])
    p = np.ones(trap.states)
    for k in range(1, trap.states):
        p[k] = p[:k] @ a[:k, k]
    return np.asarray(p / p.sum())


def transition_matrix(trap: MultistateTrap, duration: float) -> Array:
    """Return the probability of state j a ``duration`` [s] after state i, shape ``(states, states)``: e^(Q t).

    Raises:
        ArgumentError: a negative duration.
    """
    check_number("duration", duration, "s", may_vanish=True)
    return propagator(trap.rates, duration)


def mean(trap: MultistateTrap) -> float:
    """Return the signal's mean."""
    return float(stationary_distribution(trap) @ trap.signal)


def variance(trap: MultistateTrap) -> float:
    """Return the signal's variance."""
    weights, deviation = _centred(trap)
    return float(weights @ deviation)


def _centred(trap: MultistateTrap) -> tuple[Array, Array]:
    """Return (probability x deviation, deviation) of the signal."""
    p = stationary_distribution(trap)
    deviation = trap.signal - p @ trap.signal
    deviation = deviation - p @ deviation  # what rounding left, where the signals nearly coincide
    return p * deviation, deviation


def autocovariance(trap: MultistateTrap, lag: ArrayLike) -> Array:
    """Return the autocovariance of the signal at each ``lag`` [s] (its sign does not matter).

    Raises:
        ArgumentError: a lag that is not finite.
    """
    lags = np.abs(np.asarray(lag, dtype=np.float64))
    if not np.all(np.isfinite(lags)):
        raise argument_error("lag", "hold finite times in s", np.ravel(lags)[:3])
    weights, deviation = _centred(trap)
    values = [weights @ propagator(trap.rates, float(s)) @ deviation for s in lags.ravel()]
    return np.array(values, dtype=np.float64).reshape(lags.shape)


def relaxation_rates(trap: MultistateTrap) -> NDArray[np.complex128]:
    """Return the rates [1/s] at which correlations decay: minus the eigenvalues of Q but 0, slowest first.

    They are real if the states are in detailed balance, and may be complex where the chain runs round a circle.
    """
    values = -np.linalg.eigvals(trap.generator).astype(np.complex128)
    return np.asarray(values[np.argsort(np.abs(values))][1:])


def spectrum(trap: MultistateTrap, frequency: ArrayLike) -> Array:
    """Return the one-sided power spectral density [signal^2 / Hz] at each ``frequency`` [Hz].

    One elimination a frequency: S = 4 Re sum w x (i w - Q)^-1 x (:func:`~ferrogen.device.noise.propagator.resolvent`).

    Raises:
        ArgumentError: a frequency that is not finite.
    """
    f = np.asarray(frequency, dtype=np.float64)
    if not np.all(np.isfinite(f)):
        raise argument_error("frequency", "hold finite frequencies in Hz", np.ravel(f)[:3])
    weights, deviation = _centred(trap)
    answer = resolvent(
        trap.rates, (2.0j * np.pi * f.ravel()).astype(np.complex128), stationary_distribution(trap), deviation
    )
    return np.asarray(np.maximum(4.0 * (answer.real @ weights), 0.0).reshape(f.shape))


def sampled_spectrum(trap: MultistateTrap, frequency: ArrayLike, interval: float) -> Array:
    """Return the one-sided spectrum [signal^2 / Hz] of the signal sampled every ``interval`` [s], aliasing included.

    2 dt [C(0) + 2 Re sum over k >= 1 of C(k dt) e^(-i w k dt)], the sum being that of a geometric series of matrices.

    Raises:
        ArgumentError: an interval that is not positive, or a frequency that is not finite.
    """
    check_number("interval", interval, "s")
    f = np.asarray(frequency, dtype=np.float64)
    if not np.all(np.isfinite(f)):
        raise argument_error("frequency", "hold finite frequencies in Hz", np.ravel(f)[:3])
    weights, deviation = _centred(trap)
    # 1 - z e^(Q dt) = z [(1 / z - 1) + (1 - e^(Q dt))], z = e^(-i w dt): a chain whose "rates" are the step's moves
    moves = propagator(trap.rates, interval) * (1.0 - np.eye(trap.states))
    angle = 2.0j * np.pi * f.ravel() * interval
    answer = resolvent(moves, np.expm1(angle), stationary_distribution(trap), deviation) * np.exp(angle)[:, None]
    density = 2.0 * interval * (2.0 * (answer.real @ weights) - weights @ deviation)
    return np.asarray(np.maximum(density, 0.0).reshape(f.shape))


def window_variance(trap: MultistateTrap, duration: float) -> float:
    """Return the variance of the signal's mean over a window of ``duration`` [s].

    (2 / T^2) sum w x [int (T - s) e^(Q s) ds] x, good to 1e-14 of the squared range of the signal.

    Raises:
        ArgumentError: a duration that is not positive.
    """
    check_number("duration", duration, "s")
    weights, deviation = _centred(trap)
    _, _, ramp = window_matrices(trap.rates, duration)
    return max(2.0 * float(weights @ ramp @ deviation), 0.0)


def window_covariance(trap: MultistateTrap, duration: float, period: float, lag: int) -> float:
    """Return the covariance of two window means whose windows start ``lag`` >= 1 periods apart.

    Args:
        trap: the trap.
        duration: of a window [s].
        period: from start to start [s], not shorter than the duration.
        lag: how many periods.

    Raises:
        ArgumentError: a duration that is not positive, a shorter period, a lag below 1.
    """
    check_number("duration", duration, "s")
    check_number("period", period, "s")
    if period < duration or lag < 1:
        raise argument_error(
            "period",
            "be no shorter than the window, and the lag at least 1",
            f"{period} s (window {duration} s), {lag}",
        )
    weights, deviation = _centred(trap)
    _, flat, _ = window_matrices(trap.rates, duration)
    gap = propagator(trap.rates, lag * period - duration)
    return float(weights @ flat @ gap @ flat @ deviation)


def mean_dwell_time(trap: MultistateTrap, inside: NDArray[np.bool_]) -> float:
    """Return the mean stay [s] in a set of states, from entering to leaving it (e.g. all that show one level).

    It is the set's probability over the flow out of it.

    Args:
        trap: the trap.
        inside: which states belong to the set, shape ``(states,)``; some must, and some must not.

    Raises:
        ArgumentError: no state, or all of them, are inside.
    """
    chosen = np.asarray(inside, dtype=np.bool_)
    if chosen.shape != trap.signal.shape or np.all(chosen) or not np.any(chosen):
        raise argument_error("inside", f"mark some of the {trap.states} states, but not all", chosen.tolist())
    p = stationary_distribution(trap)
    return float(p[chosen].sum() / (p[chosen] @ trap.rates[np.ix_(chosen, ~chosen)]).sum())


def mean_first_passage_time(trap: MultistateTrap, source: int, target: int) -> float:
    """Return the mean time [s] from state ``source`` until state ``target`` is first reached.

    Raises:
        ArgumentError: a state that the trap does not have.
    """
    for name, state in (("source", source), ("target", target)):
        if not 0 <= state < trap.states:
            raise argument_error(name, f"be a state from 0 to {trap.states - 1}", state)
    if source == target:
        return 0.0
    # states cut out one by one, source and target last: each leaves its mean stay to those that lead to it
    middle = [k for k in range(trap.states) if k not in (source, target)]
    order = [target, source, *middle]
    a, stay = trap.rates[np.ix_(order, order)].copy(), np.ones(trap.states)
    for k in range(trap.states - 1, 1, -1):
        into = a[:k, k] / a[k, :k].sum()
        a[:k, :k] += np.outer(into, a[k, :k])
        stay[:k] += into * stay[k]
    return float(stay[1] / a[1, 0])
