"""The coupled junction: against one exact step without coupling, an ODE with it, and refinement of its own steps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from ferrogen.core.errors import ArgumentError, CardError, FerrogenError, ValidityError
from ferrogen.device.card import DeviceCard, load_card
from ferrogen.device.electrostatics.interface_charge import InterfaceSites, settled
from ferrogen.device.electrostatics.stack import Stack, ferroelectric_field
from ferrogen.device.junction import Junction, JunctionState, draw_cells, make_junction
from ferrogen.device.polarization import domains
from ferrogen.device.polarization.ensemble import DomainEnsemble
from ferrogen.device.transport.compact import read_current


def _one_domain(card: DeviceCard, stack: Stack, sites: InterfaceSites | None) -> Junction:
    """Two cells of one Markov domain each: small enough for an independent ODE."""
    ensemble = DomainEnsemble(
        remanent_polarization=np.full(2, 0.02),
        activation_field=np.full((2, 1), 1.5e8),
        local_bias_field=np.zeros((2, 1)),
        weight=np.ones((2, 1)),
        attempt_time=3.6e-6,
        field_exponent=2.0,
        nucleation_exponent=1.0,
    )
    return Junction(card, ensemble, stack, sites, np.full(2, 2e-8), np.full(2, 4e-10), None)


@pytest.fixture(scope="module")
def bilayer() -> Stack:
    return Stack(10e-9, 30.0, interlayer_thickness=1e-9, interlayer_permittivity=9.0)


def test_without_layers_one_exact_step(card: DeviceCard) -> None:
    junction = _one_domain(card, Stack(10e-9, 30.0), None)
    assert not junction.coupled
    after = junction.advance(junction.initial_state(), np.array([1.0, 2.0]), 1e-5)
    rate = np.exp(-((1.5e8 / np.array([1e8, 2e8])) ** 2.0)) / 3.6e-6
    np.testing.assert_allclose(junction.switched_fraction(after), -np.expm1(-rate * 1e-5), rtol=1e-9)
    assert after.steps == 1


def test_coupled_switching_follows_an_independent_ode(card: DeviceCard, bilayer: Stack) -> None:
    """The implicit steps are first-order accurate; at the default 8 a decade, errors of both signs cancel in part."""
    sites = InterfaceSites(0.9, 1e-6, 1e-6, 1)
    junction = _one_domain(card, bilayer, sites)
    volts, duration = 1.0, 1e-4

    def slopes(_time: float, state: np.ndarray) -> list[float]:
        up, charge = state
        polarization = 0.02 * (2.0 * up - 1.0)
        field = float(ferroelectric_field(bilayer, volts, polarization, charge))
        rate = np.exp(-((1.5e8 / abs(field)) ** 2.0)) / 3.6e-6
        return [rate * ((field > 0.0) - up), (-0.9 * polarization - charge) / 1e-6]

    start = float(settled(sites, np.array([-0.02]))[0, 0])
    exact = solve_ivp(slopes, (0.0, duration), [0.0, start], method="LSODA", rtol=1e-9, atol=1e-12).y[0, -1]
    assert 0.2 < exact < 0.95  # the test would say nothing at saturation
    errors = []
    for steps in (8, 64, 256):
        after = junction.advance(junction.initial_state(), volts, duration, steps_per_decade=steps)
        errors.append(abs(float(junction.switched_fraction(after)[0]) - exact))
    assert max(errors) < 0.005
    assert errors[2] < 0.45 * errors[1]


def test_the_field_at_the_end_of_a_step_belongs_to_its_polarisation(card: DeviceCard, bilayer: Stack) -> None:
    junction = _one_domain(card, bilayer, None)
    after = junction.advance(junction.initial_state(), 3.0, 1e-6)
    expected = ferroelectric_field(bilayer, 3.0, junction.polarization(after), 0.0)
    np.testing.assert_allclose(junction.field(after, 3.0), expected)
    # Depolarisation: with the same voltage a thicker interlayer switches less.
    thick = _one_domain(card, replace(bilayer, interlayer_thickness=2e-9), None)
    less = thick.advance(thick.initial_state(), 3.0, 1e-6)
    assert thick.switched_fraction(less)[0] < junction.switched_fraction(after)[0]


def test_random_flips_have_the_mean_of_the_probabilities() -> None:
    """4 standard errors of 300 cells of finite domains: a false alarm in 16,000 seeds."""
    card = load_card("hzo-10nm-measured")
    shares = []
    for random_flips in (True, False):
        junction = draw_cells(card, 300, 5, random_flips=random_flips)
        after = junction.advance(junction.initial_state(), 1.8, 1e-6)
        shares.append(junction.switched_fraction(after))
    error = float(np.std(shares[0] - shares[1])) / np.sqrt(300)
    assert error > 0.0
    assert abs(float(np.mean(shares[0] - shares[1]))) < 4.0 * error


def test_current_is_the_compact_read_model() -> None:
    card = load_card("hzo-mfis-nor")
    junction = draw_cells(card, 4, 3)
    state = junction.initial_state()
    state = JunctionState(replace(state.domains, up=np.ones_like(state.domains.up)), state.charge, state.steps)
    expected = read_current(0.3, 1.0, junction.on_conductance, junction.off_conductance, 0.4)
    np.testing.assert_allclose(junction.current(state, 0.3), expected)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    voltage=st.floats(allow_nan=True, allow_infinity=True),
    duration=st.floats(allow_nan=True, allow_infinity=True),
    temperature=st.floats(allow_nan=True, allow_infinity=True),
)
def test_any_number_gives_a_state_or_a_typed_error(voltage: float, duration: float, temperature: float) -> None:
    junction = draw_cells(load_card("hzo-10nm-measured"), 2, 1)
    try:
        after = junction.advance(junction.initial_state(), voltage, duration, temperature=temperature)
    except FerrogenError:
        return
    assert np.isfinite(junction.polarization(after)).all()


def test_the_first_cells_of_many_are_those_of_a_few() -> None:
    few, many = (draw_cells(load_card("hzo-mfis-nor"), cells, 7) for cells in (3, 9))
    for name in ("on_conductance", "off_conductance"):
        np.testing.assert_array_equal(getattr(few, name), getattr(many, name)[:3])
    states = [model.advance(model.initial_state(), 3.0, 1e-6) for model in (few, many)]
    np.testing.assert_array_equal(few.polarization(states[0]), many.polarization(states[1])[:3])
    assert np.ptp(few.off_conductance) > 0.0


def test_voltages_beyond_the_card_are_refused() -> None:
    junction = draw_cells(load_card("hzo-mfis-nor"), 2, 1)
    state = junction.initial_state()
    for voltage in (6.1, [0.0, -6.1], 1e300):
        with pytest.raises(ValidityError, match="`voltage` must lie between 0 V and 6 V"):
            junction.advance(state, voltage, 1e-6)
    for voltage in (1e3, [0.1, -2.0]):
        with pytest.raises(ValidityError, match="`voltage` must lie between"):
            junction.current(state, voltage)
    assert np.isfinite(junction.current(junction.advance(state, [0.0, -6.0], 1e-6), 0.0)).all()


def test_refusals(card: DeviceCard) -> None:
    junction = draw_cells(load_card("hzo-mfis-nor"), 3, 1)
    state = junction.initial_state()
    with pytest.raises(ArgumentError, match="one for each of 3 cells"):
        junction.advance(state, np.zeros(2), 1e-6)
    with pytest.raises(ArgumentError, match="`duration` must be a positive"):
        junction.advance(state, 1.0, -1.0)
    with pytest.raises(ValidityError, match="`temperature` must lie between"):
        junction.advance(state, 1.0, 1e-6, temperature=900.0)
    with pytest.raises(ArgumentError, match="`cells`"):
        draw_cells(load_card("hzo-mfis-nor"), 0, 1)
    bare = card.model_copy(update={"switching": None})
    with pytest.raises(CardError, match=r"no section \[switching\]"):
        draw_cells(bare, 1, 1)
    with pytest.raises(CardError, match="no device model 'unheard-of'"):
        make_junction(card.model_copy(update={"model": "unheard-of"}), 1, 1)
    assert domains.polarization(junction.ensemble, state.domains).shape == (3,)
