from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from ferrogen.core.errors import ArgumentError
from ferrogen.core.streams import Purpose, Streams
from ferrogen.device.electrostatics.stack import Stack
from ferrogen.device.polarization.domains import draw_domains, initial_state, mean_domains, polarization
from ferrogen.device.polarization.spec import SwitchingSpec
from ferrogen.device.programming.drive import Drive, film_drive, hold
from ferrogen.device.programming.respond import pulses_until, respond
from ferrogen.device.programming.trains import amplitude_steps, identical_pulses

Film = Callable[..., SwitchingSpec]


@pytest.mark.parametrize("exponent", [1.0, 2.0])
def test_identical_pulses_do_what_one_long_pulse_does(film: Film, exponent: float) -> None:
    ensemble = mean_domains(film(nucleation_exponent=exponent))
    state, drive = initial_state(ensemble), film_drive(10e-9)
    many = respond(ensemble, state, identical_pulses(1.2, 1e-6, 50, gap=1e-6), drive)
    once = respond(ensemble, state, identical_pulses(1.2, 50e-6, 1), drive)
    # Exact in the kernel but for rounding of fifty products.
    np.testing.assert_allclose(many.polarization[0, -1], once.polarization[0, -1], rtol=1e-6)


def test_weak_pulses_add_up(film: Film) -> None:
    """With growing nuclei one sub-threshold pulse does nothing to speak of, and n of them do n^2 times as much."""
    ensemble = mean_domains(film(nucleation_exponent=2.0))
    state, drive = initial_state(ensemble), film_drive(10e-9)
    response = respond(ensemble, state, identical_pulses(1.0, 1e-7, 64, gap=1e-6), drive)
    s = response.switched_fraction[0]
    assert s[1] < 1e-3
    assert s[4] / s[1] > 8.0
    needed = pulses_until(ensemble, state, identical_pulses(1.0, 1e-7, 1, gap=1e-6), drive, float(s[20]) * 0.9999)
    assert needed.tolist() == [20]
    assert pulses_until(ensemble, state, identical_pulses(1.0, 1e-7, 1), drive, 0.9, most=3).tolist() == [-1]


def test_stochastic_cells_scatter_around_the_expected_response(film: Film) -> None:
    spec = film(domain_area=1e-16)
    train, drive = amplitude_steps(0.8, 2.0, 1e-6, 12, gap=1e-6), film_drive(10e-9)
    mean = mean_domains(spec)
    expected = respond(mean, initial_state(mean), train, drive).switched_fraction[0]
    cells = draw_domains(spec, 1e-14, 800, Streams(3).generator(Purpose.DOMAINS))
    key = Streams(3).key(Purpose.SWITCHING)
    response = respond(cells, initial_state(cells, key=key), train, drive, key=key)
    s = response.switched_fraction
    error = np.sqrt(expected * (1 - expected) / 100 / 800)
    # 13 comparisons at a false-alarm level of 1e-3 together: |z| < 4.1.
    assert np.all(np.abs(s.mean(axis=0) - expected) <= 4.1 * error + 1e-12)
    # Cells one by one, in another order and number, flip alike.
    some = cells.select([5, 2])
    again = respond(some, initial_state(some, key=key), train, drive, key=key)
    np.testing.assert_array_equal(again.switched_fraction, s[[5, 2]])
    # In two parts, with the count of steps carried on.
    first = respond(cells, initial_state(cells, key=key), identical_pulses(1.0, 1e-6, 3, gap=1e-6), drive, key=key)
    rest = respond(cells, first.state, identical_pulses(1.0, 1e-6, 2, gap=1e-6), drive, key=key, step=first.step)
    whole = respond(cells, initial_state(cells, key=key), identical_pulses(1.0, 1e-6, 5, gap=1e-6), drive, key=key)
    np.testing.assert_array_equal(rest.polarization[:, -1], whole.polarization[:, -1])


def test_conductance_is_that_of_parallel_domains(film: Film) -> None:
    cells = draw_domains(film(), 1e-14, 3, Streams(1).generator(Purpose.DOMAINS))
    response = respond(cells, initial_state(cells), identical_pulses(1.5, 1e-6, 2), film_drive(10e-9))
    on, off = np.array([20e-9, 21e-9, 22e-9]), 0.4e-9
    s = response.switched_fraction
    np.testing.assert_allclose(response.conductance(on, off), s * on[:, None] + (1 - s) * off, rtol=1e-12)


def test_substeps_of_a_coupled_stack_converge(film: Film) -> None:
    """In a bilayer the polarisation opposes its own switching: less switches, and finer substeps change little."""
    ensemble = mean_domains(film(bias_width=2e7), 48, 12)
    state = initial_state(ensemble)
    stack = Stack(10e-9, 30.0, 1e-9, 9.0)
    train = identical_pulses(2.5, 1e-5, 2, gap=1e-6)
    ends = {
        n: respond(ensemble, state, train, Drive(stack, 0.8, substeps=n)).switched_fraction[0, -1]
        for n in (16, 64, 256)
    }
    alone = respond(ensemble, state, train, Drive(stack, 1.0)).switched_fraction[0, -1]
    assert ends[256] < alone - 0.02
    # First order in the logarithmic step: a quarter of it, a quarter of the error.
    assert abs(ends[16] - ends[256]) < 0.02
    assert abs(ends[64] - ends[256]) < 0.4 * abs(ends[16] - ends[256])


def test_hold_counts_the_steps_it_draws(film: Film) -> None:
    ensemble = draw_domains(film(), 1e-14, 4, Streams(1).generator(Purpose.DOMAINS))
    key = Streams(1).key(Purpose.SWITCHING)
    drive = film_drive(10e-9)
    assert (drive.coupled, drive.steps) == (False, 1)
    state = hold(ensemble, initial_state(ensemble, key=key), drive, np.array([2.0, 2.0, 0.0, -2.0]), 1e-4, key=key)
    p = polarization(ensemble, state) / ensemble.remanent_polarization
    assert np.all(p[:2] > 0.5)
    np.testing.assert_allclose(p[2:], -1.0)


def test_bad_arguments_are_refused_by_name(film: Film) -> None:
    ensemble = mean_domains(film(), 8, 1)
    state, drive, train = initial_state(ensemble), film_drive(10e-9), identical_pulses(1.0, 1e-6, 1)
    with pytest.raises(ArgumentError, match="`fraction`"):
        pulses_until(ensemble, state, train, drive, 1.0)
    with pytest.raises(ArgumentError, match="`most`"):
        pulses_until(ensemble, state, train, drive, 0.5, most=0)
    with pytest.raises(ArgumentError, match="`compensated_share`"):
        Drive(drive.stack, 1.5)
    with pytest.raises(ArgumentError, match="`substeps`"):
        Drive(drive.stack, 0.5, substeps=0)
    with pytest.raises(ArgumentError, match="`temperature`"):
        film_drive(10e-9, 5000.0)
