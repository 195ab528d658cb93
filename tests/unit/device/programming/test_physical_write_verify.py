from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.constants import epsilon_0

from ferrogen.core.errors import ArgumentError
from ferrogen.core.streams import Purpose, Streams
from ferrogen.device.polarization.domains import draw_domains, initial_state, mean_domains
from ferrogen.device.polarization.spec import SwitchingSpec
from ferrogen.device.programming.drive import film_drive
from ferrogen.device.programming.respond import respond
from ferrogen.device.programming.trains import identical_pulses
from ferrogen.device.programming.variability_limits import (
    binomial_deviation,
    domain_scatter,
    domains_for_noise,
    implied_switching_noise,
)
from ferrogen.device.programming.write_verify import IncrementalPulses, Written, cost_by_level, write_verify

Film = Callable[..., SwitchingSpec]
HOW = IncrementalPulses(
    first_set=0.8, first_reset=0.8, increment=0.05, limit=3.0, width=1e-6, tolerance=0.03, max_pulses=120
)
ON, OFF = 20e-9, 0.4e-9


def write(film: Film, targets: np.ndarray, how: IncrementalPulses = HOW, domains: int = 400, seed: int = 1) -> Written:
    cells = draw_domains(
        film(domain_area=1e-14 / domains), 1e-14, targets.size, Streams(seed).generator(Purpose.DOMAINS)
    )
    key = Streams(seed).key(Purpose.SWITCHING)
    state = initial_state(cells, key=key)
    generator = Streams(seed).generator(Purpose.PROGRAMMING)
    return write_verify(cells, state, targets, ON, OFF, how, film_drive(10e-9), 1e-14, generator, key=key)


def test_cells_reach_their_targets_and_the_books_balance(film: Film) -> None:
    targets = np.repeat(OFF + (ON - OFF) * np.array([0.0, 0.25, 0.5, 0.75]), 40)
    done = write(film, targets)
    assert done.converged.all()
    assert np.all(np.abs(done.error) <= HOW.tolerance)
    assert np.all(done.pulses[:40] == 0)
    assert np.all(done.pulses[40:] > 0)
    np.testing.assert_allclose(done.time, done.pulses * 2e-6 + (done.pulses + 1) * 1e-6)
    # The charge 2 P_r s A switched at 0.8 to 3 V bounds the energy from below; overshoots can only add to it.
    least = 2.0 * 0.2547 * 1e-14 * np.array([0.0, 0.25, 0.5, 0.75]) * 0.8
    costs = cost_by_level(done)
    assert [cost.cells for cost in costs] == [40] * 4
    for cost, bound in zip(costs, least, strict=True):
        assert bound * 0.9 <= cost.energy < max(bound, 1e-18) * 60.0
    assert costs[1].pulses < costs[3].pulses


def test_the_energy_is_what_each_pulse_takes(film: Film) -> None:
    """Set pulses of 0.8, 1.2, 1.2 V on a film of 10 nm whose drive has the permittivity 1: C V^2, and V dP A."""
    how = replace(HOW, increment=0.4, limit=1.2, max_pulses=3, tolerance=1e-3)
    done = write(film, np.full(30, ON), how)
    assert np.all(done.pulses == 3)
    capacitance = epsilon_0 * 1e-14 / 10e-9
    volts = np.array([0.8, 1.2, 1.2])
    np.testing.assert_allclose(done.charging_energy, capacitance * np.sum(volts**2), rtol=1e-8)
    moved = 2.0 * 0.2547 * 1e-14 * (done.conductance - OFF) / (ON - OFF)  # charge, all of it at these voltages
    assert np.all(moved > 0.0)
    assert np.all((done.switching_energy >= 0.8 * moved * (1 - 1e-9)) & (done.switching_energy <= 1.2 * moved * 1.001))


def test_cells_that_cannot_get_there_are_reported(film: Film) -> None:
    weak = replace(HOW, limit=0.9, max_pulses=20)
    done = write(film, np.full(20, ON), weak)
    assert not done.converged.any()
    assert np.all(done.pulses == 20)
    assert cost_by_level(done)[0].converged == 0.0


def test_overshoot_is_taken_back(film: Film) -> None:
    """From the on state the target lies below: pulses of the other polarity must bring the cell down."""
    cells = draw_domains(film(domain_area=2.5e-17), 1e-14, 20, Streams(1).generator(Purpose.DOMAINS))
    key = Streams(1).key(Purpose.SWITCHING)
    done = write_verify(
        cells, initial_state(cells, 1.0, key=key), OFF + 0.5 * (ON - OFF), ON, OFF, HOW, film_drive(10e-9), 1e-14,
        Streams(1).generator(Purpose.PROGRAMMING), key=key,
    )  # fmt: skip
    assert done.converged.all()
    assert np.all(np.abs(done.error) < HOW.tolerance)


def test_few_domains_cannot_meet_a_fine_tolerance(film: Film) -> None:
    """Ten domains have eleven states, 0.1 apart: a target between two of them is never met within 0.02."""
    target = np.full(30, OFF + 0.55 * (ON - OFF))
    done = write(film, target, replace(HOW, tolerance=0.02, max_pulses=60), domains=10)
    assert not done.converged.any()


def test_same_seed_same_result(film: Film) -> None:
    targets = np.linspace(OFF, ON, 12)[1:-1]
    first, again = write(film, targets, seed=4), write(film, targets, seed=4)
    np.testing.assert_array_equal(first.conductance, again.conductance)
    assert not np.array_equal(first.conductance, write(film, targets, seed=5).conductance)


def test_scatter_adds_up_to_the_binomial(film: Film) -> None:
    ensemble = mean_domains(film(bias_width=2e7), 48, 12)
    state = respond(ensemble, initial_state(ensemble), identical_pulses(1.4, 1e-6, 3), film_drive(10e-9)).state
    scatter = domain_scatter(ensemble, state, 50)
    assert scatter.total == pytest.approx(float(binomial_deviation(scatter.switched_fraction, 50)), rel=1e-9)
    assert scatter.cycle_to_cycle > 0.0
    assert scatter.device_to_device > 0.0


def test_implied_noise_of_weak_and_sure_pulses(film: Film) -> None:
    ensemble = mean_domains(film(), 200, 1)
    off, drive = initial_state(ensemble), film_drive(10e-9)
    weak = respond(ensemble, off, identical_pulses(0.7, 1e-8, 1), drive).state
    sure = respond(ensemble, off, identical_pulses(30.0, 1.0, 1), drive).state
    assert implied_switching_noise(off, weak, ensemble, 100) == pytest.approx(0.1, rel=0.01)
    assert implied_switching_noise(off, sure, ensemble, 100) == pytest.approx(0.0, abs=1e-6)
    assert domains_for_noise(0.1) == pytest.approx(100.0)
    with pytest.raises(ArgumentError, match="`after`"):
        implied_switching_noise(off, off, ensemble, 100)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"tolerance": 0.0}, "tolerance"),
        ({"limit": 0.5}, "limit"),
        ({"width": -1.0}, "width"),
        ({"max_pulses": 0}, "max_pulses"),
        ({"verify_noise": math.inf}, "verify_noise"),
    ],
)
def test_bad_pulses_are_refused_by_name(changes: dict[str, float], name: str) -> None:
    with pytest.raises(ArgumentError, match=f"`{name}`"):
        replace(HOW, **changes)


def test_bad_targets_are_refused(film: Film) -> None:
    with pytest.raises(ArgumentError, match="`target`"):
        write(film, np.array([np.nan]))
    with pytest.raises(ArgumentError, match="`switched_fraction`"):
        binomial_deviation(1.5, 10)
