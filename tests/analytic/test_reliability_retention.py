"""Retention from the switching law against a stiff solver of the same differential equation, and its convergence."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import integrate

from ferrogen.device.electrostatics.stack import Stack
from ferrogen.device.polarization.domains import DomainEnsemble, initial_state
from ferrogen.device.reliability.imprint import Imprint
from ferrogen.device.reliability.retention import Storage, decades, retain

EPS0 = 8.8541878188e-12
ATTEMPT, EXPONENT, REMANENT = 3.6e-6, 3.3, 0.2
STORAGE = Storage(Stack(10e-9, 30.0, 2e-9, 9.0), 0.75, Imprint(2e6, 1e-2, 0.5), 340.0)
TIMES = decades(1e-6, 1e6, 2)


def ensemble(domains: int = 40, exponent: float = 1.0) -> DomainEnsemble:
    generator = np.random.default_rng(9)
    return DomainEnsemble(
        remanent_polarization=np.array([REMANENT]),
        activation_field=1.55e8 * np.exp(0.33 * generator.standard_normal((1, domains))),
        local_bias_field=2.4e7 * generator.standard_normal((1, domains)),
        weight=np.full((1, domains), 1.0 / domains),
        attempt_time=ATTEMPT,
        field_exponent=EXPONENT,
        nucleation_exponent=exponent,
    )


def by_solver(domains: DomainEnsemble) -> NDArray[np.float64]:
    """dp/d(ln t) = t k (theta - p), BDF at 1e-8, written down anew from equations 1.9 and 3.3."""
    activation, bias = domains.activation_field[0], domains.local_bias_field[0]
    # E_dep = -(1 - kappa) P t_D / [eps0 (eps_D t_F + eps_F t_D)]
    factor = 0.25 * 2e-9 / (EPS0 * (9.0 * 10e-9 + 30.0 * 2e-9))
    onset = 1e-2 * np.exp(0.5 / 8.617333262e-5 * (1 / 340.0 - 1 / 300.0))

    def slope(log_time: float, p: NDArray[np.float64]) -> NDArray[np.float64]:
        time = np.exp(log_time)
        polarization = REMANENT * (2.0 * p.mean() - 1.0)
        field = -factor * polarization + 2e6 * (340.0 / 300.0) * np.log1p(time / onset)
        local = field - bias
        rate = np.exp(-(300.0 / 340.0) * (activation / np.abs(local)) ** EXPONENT) / ATTEMPT
        return np.asarray(time * rate * ((local > 0.0) - p))

    solution = integrate.solve_ivp(
        slope, (np.log(1e-10), np.log(TIMES[-1])), np.ones(activation.size), method="BDF", t_eval=np.log(TIMES),
        rtol=1e-8, atol=1e-10, max_step=0.1,
    )  # fmt: skip
    return np.asarray(REMANENT * (2.0 * solution.y.mean(axis=0) - 1.0))


def test_retention_against_a_stiff_solver() -> None:
    domains = ensemble()
    curve = retain(domains, initial_state(domains, 1.0), STORAGE, TIMES, tolerance=1e-6)
    expected = by_solver(domains)
    assert expected[0] - expected[-1] > 0.2 * REMANENT
    # Some 300 steps of at most 1e-6 each; the solver, with its own error and the direction's jumps, is good to 1e-4.
    np.testing.assert_allclose(curve.polarization[0] / REMANENT, expected / REMANENT, atol=3e-4)


@pytest.mark.parametrize("exponent", [1.0, 2.0])
def test_finer_steps_change_less_and_less(exponent: float) -> None:
    domains = ensemble(exponent=exponent)
    ends = {
        tolerance: retain(domains, initial_state(domains, 1.0), STORAGE, TIMES, tolerance=tolerance).polarization[0]
        for tolerance in (1e-3, 1e-5, 1e-8)
    }
    coarse = np.abs(ends[1e-3] - ends[1e-8]).max() / REMANENT
    fine = np.abs(ends[1e-5] - ends[1e-8]).max() / REMANENT
    # A hundredth of the error a step in some 100^(1/3) times as many steps: a factor of 20 in all.
    assert coarse < 0.01
    assert fine < 0.15 * coarse + 1e-6
    assert fine < 5e-4
