"""A trace as M independent two-state traps with additive amplitudes plus white read noise: likelihood and fit.

Factorial hidden Markov model (Ghahramani & Jordan, Mach. Learn. 29, 245 (1997), doi:10.1023/A:1007425814087; for
telegraph noise Puglisi & Pavan 2013), fitted by expectation-maximisation on the exact product chain, with squared
extrapolation (Varadhan & Roland, Scand. J. Stat. 35, 335 (2008), doi:10.1111/j.1467-9469.2007.00585.x).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ferrogen.calibration.rtn.chain import expectation, most_likely_path

Array = NDArray[np.float64]

MOST_TRAPS = 4
"""The product chain of four traps has 16 states; a fifth would double the cost and is hardly ever told apart."""

_LEAST_PROBABILITY = 1e-9
_MOST_MOVES = 0.9999  # rise + fall: at 1 successive samples are independent, and the trap is white noise


@dataclass(frozen=True, slots=True)
class Chains:
    """Parameters of M traps on a sampling grid.

    Attributes:
        offset: mean of the trace with every trap in its low state and no drift.
        amplitude: by how much each trap's high state lies above its low state, positive, shape ``(M,)``.
        rise: probability that a low trap is high one sample later, shape ``(M,)``.
        fall: probability that a high trap is low one sample later, shape ``(M,)``.
        noise: standard deviation of the white read noise.
        drift: change of the baseline from the trace's middle to its end.
    """

    offset: float
    amplitude: Array
    rise: Array
    fall: Array
    noise: float
    drift: float = 0.0

    @property
    def traps(self) -> int:
        """Number of traps M."""
        return int(self.amplitude.shape[0])

    @property
    def states(self) -> NDArray[np.int64]:
        """State of each trap (column) in each state of the product chain (row), shape ``(2**M, M)``."""
        return (np.arange(2**self.traps)[:, None] >> np.arange(self.traps)) & 1

    @property
    def levels(self) -> Array:
        """Mean of the trace in each state of the product chain, shape ``(2**M,)``."""
        return self.offset + self.states @ self.amplitude

    @property
    def transition(self) -> Array:
        """Transition matrix of the product chain, shape ``(2**M, 2**M)``."""
        total = np.ones((1, 1))
        for rise, fall in zip(self.rise, self.fall, strict=True):
            total = np.kron(np.array([[1.0 - rise, rise], [fall, 1.0 - fall]]), total)
        return np.ascontiguousarray(total)

    @property
    def occupancy(self) -> Array:
        """Share of time that each trap is high, shape ``(M,)``."""
        return self.rise / (self.rise + self.fall)

    def rescaled(self, origin: float, scale: float) -> Chains:
        """Return the chains of the trace ``origin + scale * x``."""
        return replace(
            self,
            offset=origin + scale * self.offset,
            amplitude=scale * self.amplitude,
            noise=scale * self.noise,
            drift=scale * self.drift,
        )

    def sorted(self) -> Chains:
        """Return the same chains with positive amplitudes, largest first (low and high are swapped where needed)."""
        down = self.amplitude < 0.0
        order = np.argsort(-np.abs(self.amplitude), kind="stable")
        return replace(
            self,
            offset=self.offset + float(self.amplitude[down].sum()),
            amplitude=np.abs(self.amplitude)[order],
            rise=np.where(down, self.fall, self.rise)[order],
            fall=np.where(down, self.rise, self.fall)[order],
        )

    def vector(self) -> Array:
        """Return the parameters free of bounds: offset, amplitudes, logits of rise and fall, ln noise, drift."""
        logit_rise, logit_fall = (np.log(p) - np.log1p(-p) for p in (self.rise, self.fall))
        return np.concatenate(
            [[self.offset], self.amplitude, logit_rise, logit_fall, [np.log(self.noise)], [self.drift]]
        )

    @staticmethod
    def from_vector(vector: Array) -> Chains:
        """Return the chains of a :meth:`vector`."""
        traps = (vector.shape[0] - 3) // 3
        probability = 0.5 * (1.0 + np.tanh(0.5 * vector[1 + traps : 1 + 3 * traps]))
        probability = np.clip(probability, _LEAST_PROBABILITY, 1.0 - _LEAST_PROBABILITY)
        return Chains(
            float(vector[0]),
            vector[1 : 1 + traps].copy(),
            probability[:traps],
            probability[traps:],
            float(np.exp(vector[-2])),
            float(vector[-1]),
        )


class Workspace:
    """A trace with the room that passes over it need; one may be reused for any number of traps.

    Args:
        x: trace, shape ``(N,)``, scaled to a noise of order one.
        drift: whether the baseline may be a straight line rather than a constant.
    """

    __slots__ = ("_emission", "_forward", "drift", "ramp", "squares", "x")

    def __init__(self, x: Array, *, drift: bool = False) -> None:
        self.x = np.ascontiguousarray(x, dtype=np.float64)
        self.ramp = np.linspace(-1.0, 1.0, self.x.shape[0]) if drift else np.zeros(self.x.shape[0])
        self.drift = drift
        self.squares = (float(self.x @ self.x), float(self.x @ self.ramp), float(self.ramp @ self.ramp))
        self._forward = np.empty((0, 0))
        self._emission = np.empty((0, 0))

    def part(self, begin: int, end: int) -> Workspace:
        """Return the workspace of samples ``begin`` to ``end`` of the same trace, with the same baseline."""
        part = Workspace(self.x[begin:end], drift=self.drift)
        part.ramp = self.ramp[begin:end].copy()
        part.squares = (part.squares[0], float(part.x @ part.ramp), float(part.ramp @ part.ramp))
        return part

    def expect(self, chains: Chains) -> tuple[float, Array, Array]:
        """Return (log-likelihood, expected transitions ``(S, S)``, sums ``(3, S)``) of one pass."""
        size = 2**chains.traps
        if self._forward.shape[1] != size:
            self._forward = np.empty((self.x.shape[0], size))
            self._emission = np.empty_like(self._forward)
        pairs, sums = np.empty((size, size)), np.empty((3, size))
        value = expectation(
            self.x,
            self.ramp,
            chains.levels,
            chains.drift,
            chains.noise,
            chains.transition,
            self._forward,
            self._emission,
            pairs,
            sums,
        )
        return float(value), pairs, sums

    def occupied(self, chains: Chains) -> Array:
        """Return the smoothed probability that each trap is high at each sample, shape ``(N, M)``."""
        self.expect(chains)
        return np.asarray(self._emission @ chains.states.astype(np.float64))

    def path(self, chains: Chains) -> NDArray[np.uint8]:
        """Return the most likely state of each trap at each sample (Viterbi), shape ``(N, M)``."""
        flat = self.x - chains.drift * self.ramp
        states = most_likely_path(flat, chains.levels, chains.noise, chains.transition)
        return np.asarray(chains.states, dtype=np.uint8)[states]


def _counts(chains: Chains, pairs: Array) -> Array:
    """Return the expected transitions of each trap, shape ``(M, 2, 2)``."""
    bits = chains.states
    both = np.stack([1 - bits, bits], axis=1).astype(np.float64)  # (S, 2, M)
    return np.asarray(np.einsum("sim,sq,qjm->mij", both, pairs, both))


def _design(chains: Chains, *, drift: bool) -> Array:
    ones = np.ones((2**chains.traps, 1))
    return np.concatenate([ones, chains.states.astype(np.float64)] + ([0.0 * ones] if drift else []), axis=1)


def maximise(work: Workspace, chains: Chains, pairs: Array, sums: Array) -> Chains:
    """Return the parameters that maximise the expected complete likelihood, given one pass's sums."""
    count = _counts(chains, pairs)
    rise = count[:, 0, 1] / np.maximum(count[:, 0].sum(axis=1), 1e-12)
    fall = count[:, 1, 0] / np.maximum(count[:, 1].sum(axis=1), 1e-12)
    moves = rise + fall
    shrink = np.where(moves > _MOST_MOVES, _MOST_MOVES / np.maximum(moves, 1e-12), 1.0)
    rise, fall = (np.clip(p * shrink, _LEAST_PROBABILITY, 1.0 - _LEAST_PROBABILITY) for p in (rise, fall))
    design = _design(chains, drift=work.drift)
    normal = design.T @ (sums[0][:, None] * design)
    right = design.T @ sums[1]
    if work.drift:
        normal[-1, :-1] = normal[:-1, -1] = design[:, :-1].T @ sums[2]
        normal[-1, -1], right[-1] = work.squares[2], work.squares[1]
    # a trap that is never high leaves the equations singular; the ridge keeps it where it was
    ridge = 1e-9 * work.x.shape[0]
    old = np.concatenate([[chains.offset], chains.amplitude, [chains.drift] if work.drift else []])
    theta = np.linalg.solve(normal + ridge * np.eye(old.shape[0]), right + ridge * old)
    residual = work.squares[0] - 2.0 * theta @ right + theta @ normal @ theta
    noise = float(np.sqrt(max(residual / work.x.shape[0], 1e-12 * max(work.squares[0] / work.x.shape[0], 1e-300))))
    amplitude = theta[1 : 1 + chains.traps]
    return Chains(float(theta[0]), amplitude, rise, fall, noise, float(theta[-1]) if work.drift else 0.0)


def score(work: Workspace, chains: Chains) -> Array:
    """Return the gradient of the log-likelihood with respect to :meth:`Chains.vector` (Fisher's identity)."""
    _, pairs, sums = work.expect(chains)
    count = _counts(chains, pairs)
    design = _design(chains, drift=False)
    weight = 1.0 / chains.noise**2
    gap = sums[1] - sums[0] * chains.levels - chains.drift * sums[2]
    residual = (
        work.squares[0]
        + float(sums[0] @ chains.levels**2)
        + chains.drift**2 * work.squares[2]
        - 2.0 * float(sums[1] @ chains.levels)
        - 2.0 * chains.drift * work.squares[1]
        + 2.0 * chains.drift * float(sums[2] @ chains.levels)
    )
    ramp = work.squares[1] - float(sums[2] @ chains.levels) - chains.drift * work.squares[2]
    return np.concatenate(
        [
            weight * (design.T @ gap),
            count[:, 0, 1] - count[:, 0].sum(axis=1) * chains.rise,
            count[:, 1, 0] - count[:, 1].sum(axis=1) * chains.fall,
            [-work.x.shape[0] + weight * residual],
            [weight * ramp],
        ]
    )


def improve(work: Workspace, chains: Chains, *, passes: int, tolerance: float = 1e-3) -> tuple[float, Chains, bool]:
    """Improve the parameters by accelerated expectation-maximisation.

    Args:
        work: the trace.
        chains: where to start.
        passes: most passes over the trace.
        tolerance: stop when a cycle of passes gains less log-likelihood than this.

    Returns:
        (log-likelihood, parameters, whether the tolerance was reached).
    """
    used, last = 0, -np.inf
    value, pairs, sums = work.expect(chains)
    used += 1
    while True:
        if value - last < tolerance:
            return value, chains, True
        last = value
        if used + 3 > passes:
            return value, chains, False
        first = maximise(work, chains, pairs, sums)
        value_1, pairs, sums = work.expect(first)
        second = maximise(work, first, pairs, sums)
        start, middle, end = chains.vector(), first.vector(), second.vector()
        change, bend = middle - start, end - 2.0 * middle + start
        norm = float(np.linalg.norm(bend))
        step = -float(np.linalg.norm(change)) / norm if norm > 1e-12 else -1.0
        step = float(np.clip(step, -16.0, -1.0))
        trial = Chains.from_vector(start - 2.0 * step * change + step**2 * bend)
        trial_value, trial_pairs, trial_sums = work.expect(trial)
        used += 2
        if np.isfinite(trial_value) and trial_value >= value_1:
            value, chains, pairs, sums = trial_value, trial, trial_pairs, trial_sums
        else:
            value, pairs, sums = work.expect(second)
            used += 1
            chains = second


def covariance(work: Workspace, chains: Chains) -> Array | None:
    """Return the inverse observed information of :meth:`Chains.vector`, or None where it is not positive definite.

    The information is the central difference of the score. Parameters on a bound (probabilities near 0, no drift) are
    left out and get a variance of zero.
    """
    vector = chains.vector()
    free = np.ones(vector.shape[0], dtype=bool)
    free[-1] = work.drift
    index = np.flatnonzero(free)
    hessian = np.empty((index.shape[0], index.shape[0]))
    for row, k in enumerate(index):
        h = 1e-4 * max(1.0, abs(vector[k])) if k > chains.traps else 1e-3 * chains.noise
        up, down = vector.copy(), vector.copy()
        up[k] += h
        down[k] -= h
        slope = (score(work, Chains.from_vector(up)) - score(work, Chains.from_vector(down))) / (2.0 * h)
        hessian[row] = slope[index]
    information = -0.5 * (hessian + hessian.T)
    try:
        np.linalg.cholesky(information)
    except np.linalg.LinAlgError:
        return None
    full = np.zeros((vector.shape[0], vector.shape[0]))
    full[np.ix_(index, index)] = np.linalg.inv(information)
    return full
