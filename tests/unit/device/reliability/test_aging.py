from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from ferrogen.core.errors import ArgumentError
from ferrogen.device.polarization.domains import follow, initial_state, mean_domains
from ferrogen.device.polarization.ensemble import DomainEnsemble
from ferrogen.device.polarization.spec import SwitchingSpec
from ferrogen.device.reliability.age import Age
from ferrogen.device.reliability.aging import aged_polarization, aged_switching
from ferrogen.device.reliability.spec import ReliabilitySpec
from ferrogen.device.waveforms import triangle

Make = Callable[..., ReliabilitySpec]


def loop(ensemble: DomainEnsemble) -> tuple[np.ndarray, np.ndarray]:
    wave = triangle(3e8, 1e3, cycles=2, steps_per_cycle=400)
    p, _ = follow(ensemble, initial_state(ensemble), wave.voltages, wave.durations)
    return wave.voltages[400:], p[0, 400:]


def coercive(field: np.ndarray, p: np.ndarray) -> tuple[float, float]:
    """Fields at which the polarisation changes sign, going down and going up."""
    order = np.flatnonzero(np.diff(np.sign(p)) != 0)
    crossings = field[order]
    return float(crossings.min()), float(crossings.max())


def test_new_junction_is_only_pinched_and_weak(switching: SwitchingSpec, reliability: Make) -> None:
    ensemble = mean_domains(switching, 48, 12)
    fresh = aged_switching(ensemble, reliability(), Age())
    np.testing.assert_allclose(fresh.remanent_polarization, 0.8 * ensemble.remanent_polarization)
    np.testing.assert_allclose(np.abs(fresh.local_bias_field - ensemble.local_bias_field), 3e7)
    np.testing.assert_array_equal(fresh.activation_field, ensemble.activation_field)


def test_pinched_loop_opens_with_cycling(switching: SwitchingSpec, reliability: Make) -> None:
    """Pinching: at zero field, going down, a pristine film has lost more of its polarisation than a woken one."""
    ensemble = mean_domains(switching, 48, 12)
    spec = reliability(pinching_field=1.2e8, fatigue_cycles=1e15)
    kept = []
    for cycles in (0.0, 1e6):
        aged = aged_switching(ensemble, spec, Age(cycles))
        field, p = loop(aged)
        down = slice(100, 300)
        kept.append(float(np.interp(0.0, -field[down], p[down]) / aged.remanent_polarization[0]))
    assert kept[0] < 0.75 * kept[1]


def test_polarization_rises_then_falls(reliability: Make) -> None:
    factor = aged_polarization(reliability(), np.array([0.0, 1e5, 1e11]))
    assert factor[0] == pytest.approx(0.8)
    assert factor[0] < factor[1]
    assert factor[2] < 0.2


def test_imprint_shifts_the_loop_towards_the_stored_state(switching: SwitchingSpec, reliability: Make) -> None:
    """Stored up: up is favoured, so the loop moves to negative fields, by the imprint field."""
    ensemble = mean_domains(switching, 48, 12)
    spec = reliability(pinching_field=None)
    age = Age(cycles=1e6, storage_time=1e5)
    shift = 2e6 * np.log1p(1e5)
    woken = coercive(*loop(aged_switching(ensemble, spec, replace(age, storage_time=0.0))))
    for stored, sign in ((1.0, -1.0), (-1.0, 1.0)):
        moved = coercive(*loop(aged_switching(ensemble, spec, age, stored=stored)))
        # The loop is sampled every 3 MV/m: two such steps.
        np.testing.assert_allclose(np.array(moved) - np.array(woken), sign * shift, atol=6.1e6)


def test_impossible_states_are_refused(switching: SwitchingSpec, reliability: Make) -> None:
    with pytest.raises(ArgumentError, match="`stored`"):
        aged_switching(mean_domains(switching, 4, 2), reliability(), Age(), stored=1.5)
