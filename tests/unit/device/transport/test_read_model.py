from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferrogen.core.errors import ArgumentError, CardError, ValidityError
from ferrogen.device.card import DeviceCard
from ferrogen.device.electrostatics.stack import Stack
from ferrogen.device.transport.barrier import Bands, band_profile
from ferrogen.device.transport.compact import averaged_conductance, conductance, effective_voltage
from ferrogen.device.transport.read_model import (
    Transport,
    compact_of,
    current_density,
    domain_current,
    fit_compact,
    law_errors,
    reference_currents,
    transport_of,
)
from ferrogen.device.transport.trap_assisted import AssistingTraps, trap_assisted_current
from ferrogen.device.transport.wkb import tunnel_current


def parameter(value: float, unit: str) -> dict[str, Any]:
    return {"value": value, "unit": unit, "status": "assumed", "source": "none"}


@pytest.fixture
def data(raw_card: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """A capacitor with 3 nm of HZO between two unlike metals, as plain data."""
    card = raw_card()
    for section in ("switching", "interface", "transport"):
        card.pop(section, None)
    card["ferroelectric_thickness"]["value"] = 3e-9
    card["trap_depth"] = {**card["trap_depth"], "value": 1e-9}
    card["interlayer_thickness"]["value"] = 0.0
    card["validity"]["read_voltage"], card["default_sample_voltage"] = [0.02, 0.6], 0.5
    card["interface"] = {
        "built_in_voltage": parameter(0.0, "V"),
        "compensated_share": parameter(0.8, "1"),
        "compensation_time": parameter(1e-3, "s"),
        "top_screening_length": parameter(0.03e-9, "m"),
        "bottom_screening_length": parameter(0.08e-9, "m"),
    }
    card["transport"] = {
        "top_barrier_height": parameter(2.0, "eV"),
        "bottom_barrier_height": parameter(2.0, "eV"),
        "tunnelling_mass": parameter(0.2, "1"),
        "read_polarization": parameter(0.18, "C/m^2"),
    }
    return card


@pytest.fixture
def transport(data: dict[str, Any]) -> Transport:
    return transport_of(DeviceCard.model_validate(data))


VOLTAGES = np.linspace(0.05, 0.5, 10)


def test_transport_of_a_card(data: dict[str, Any], transport: Transport) -> None:
    assert (transport.compensation, transport.read_polarization, transport.area) == (0.8, 0.18, 1e-14)
    assert transport.traps is None
    data["transport"]["interface_compensation"] = parameter(0.5, "1")
    assert transport_of(DeviceCard.model_validate(data)).compensation == 0.5
    del data["transport"]["read_polarization"]
    with pytest.raises(CardError, match="read_polarization"):
        transport_of(DeviceCard.model_validate(data))
    data["interlayer_thickness"]["value"] = 1e-9
    data["transport"]["read_polarization"] = parameter(0.18, "C/m^2")
    with pytest.raises(CardError, match="interlayer_barrier_height"):
        transport_of(DeviceCard.model_validate(data))
    data["transport"] |= {"interlayer_barrier_height": parameter(3.1, "eV"), "interlayer_mass": parameter(0.3, "1")}
    data["transport"]["tunnelling_trap_density"] = parameter(1e25, "1/m^3")
    with pytest.raises(CardError, match="tunnelling_trap_energy"):
        transport_of(DeviceCard.model_validate(data))
    del data["transport"]
    with pytest.raises(CardError, match=r"\[transport\]"):
        transport_of(DeviceCard.model_validate(data))


def test_currents_vanish_at_rest_and_follow_the_voltage(data: dict[str, Any]) -> None:
    data["transport"] |= {
        "tunnelling_trap_density": parameter(1e25, "1/m^3"),
        "tunnelling_trap_energy": parameter(1.8, "eV"),
        "tunnelling_trap_relaxation_energy": parameter(1.19, "eV"),
        "tunnelling_trap_attempt_rate": parameter(1e13, "1/s"),
        "leakage_conductance": parameter(0.1, "S/m^2"),
        "leakage_voltage": parameter(0.4, "V"),
        "leakage_activation_energy": parameter(0.3, "eV"),
        "leakage_polarization_ratio": parameter(4.0, "1"),
    }
    full = transport_of(DeviceCard.model_validate(data))
    v = np.array([-0.6, -1e-6, 0.0, 1e-6, 0.6])
    for p in (-0.18, 0.0, 0.18):
        parts = current_density(full, v, p)
        for part in (parts.tunnelling, parts.trap_assisted, parts.leakage):
            assert part[2] == 0.0
            assert (np.sign(part) == np.sign(v)).all()
        np.testing.assert_allclose(parts.total, parts.tunnelling + parts.trap_assisted + parts.leakage, rtol=1e-15)
    up, down = (current_density(full, 0.3, p).leakage for p in (-0.18, 0.18))
    assert down / up == pytest.approx(4.0)
    assert current_density(full, 0.3, 0.0, 350.0).leakage / current_density(full, 0.3, 0.0, 300.0).leakage == (
        pytest.approx(np.exp(0.3 / 8.617333e-5 * (1 / 300 - 1 / 350)), rel=1e-5)
    )


def test_the_polarization_opens_a_window(transport: Transport) -> None:
    """TER about 10 at 1.5 MV/cm of depolarisation; without polarisation there is none."""
    fit, on_is_down = compact_of(transport, VOLTAGES)
    up, down = reference_currents(transport, VOLTAGES)
    assert on_is_down == bool(down[0] > up[0])
    assert 5.0 < fit.on_conductance / fit.off_conductance < 20.0
    assert 0.2 < fit.characteristic_voltage < 0.5
    assert fit.residual < 0.05
    np.testing.assert_allclose(
        np.array([fit.on_conductance, fit.off_conductance])[:, None]
        * effective_voltage(VOLTAGES, fit.characteristic_voltage),
        np.sort(np.stack([up, down]), axis=0)[::-1] * transport.area,
        rtol=1.2 * fit.largest_error + 1e-9,
    )


@given(st.floats(-8.0, 8.0), st.floats(0.01, 6.0), st.floats(-1.2, 0.9))
def test_a_sinh_is_fitted_exactly(log_on: float, log_ratio: float, log_scale: float) -> None:
    on, off, scale = 10.0**log_on, 10.0 ** (log_on - log_ratio), 10.0**log_scale
    v = scale * np.array([-2.0, -0.7, 0.3, 1.0, 2.5])
    v = v[np.abs(v) < 10.0]
    shape = effective_voltage(v, scale)
    fit = fit_compact(v, on * shape, off * shape)
    assert fit.characteristic_voltage == pytest.approx(scale, rel=1e-5)
    assert (fit.on_conductance, fit.off_conductance) == pytest.approx((on, off), rel=1e-4, abs=0.0)
    assert fit.residual < 1e-5


def test_fit_tells_of_states_that_differ_in_shape() -> None:
    fit = fit_compact(VOLTAGES, effective_voltage(VOLTAGES, 0.2), 0.1 * effective_voltage(VOLTAGES, 0.4))
    assert fit.on_voltage == pytest.approx(0.2, rel=1e-4)
    assert fit.off_voltage == pytest.approx(0.4, rel=1e-4)
    assert 0.2 < fit.characteristic_voltage < 0.4
    assert fit.residual > 0.1


@pytest.mark.parametrize(
    ("voltages", "on", "off", "name"),
    [
        ([0.1], [1.0], [1.0], "voltages"),
        ([0.0, 0.1], [1.0, 1.0], [1.0, 1.0], "voltages"),
        ([0.1, 20.0], [1.0, 1.0], [1.0, 1.0], "voltages"),
        ([0.1, 0.2], [1.0, -1.0], [1.0, 1.0], "currents_on"),
        ([0.1, 0.2], [1.0, 1.0], [1.0, np.nan], "currents_off"),
        ([0.1, 0.2], [1.0, 1.0], [1.0], "currents_off"),
    ],
)
def test_currents_that_cannot_be_fitted(voltages: list[float], on: list[float], off: list[float], name: str) -> None:
    with pytest.raises(ArgumentError, match=name):
        fit_compact(voltages, on, off)


def test_laws_of_mixing(transport: Transport) -> None:
    """Wide domains add in parallel exactly; the averaged barrier is nearer once each domain sees mostly the mean."""
    parallel, averaged = law_errors(transport, 0.0, 0.1)
    assert parallel < 1e-9
    assert averaged > 0.3
    for coupling in (0.1, 0.5, 1.0):  # they cross near a quarter
        parallel, averaged = law_errors(transport, coupling, 0.1)
        assert (averaged < parallel) == (coupling > 0.3)
    with pytest.raises(ArgumentError, match="lateral_coupling"):
        domain_current(transport, 0.5, 1.5, 0.1)
    with pytest.raises(ArgumentError, match="switched_fraction"):
        domain_current(transport, -0.1, 0.5, 0.1)


def test_a_contact_is_no_junction(transport: Transport) -> None:
    with pytest.raises(ValidityError, match="no barrier"):
        current_density(transport, 0.1, -2.0)
    with pytest.raises(ArgumentError, match="polarization"):
        current_density(transport, 0.1, float("nan"))


def test_averaged_conductance_lies_below_the_parallel_one() -> None:
    s = np.linspace(0.0, 1.0, 11)
    law = averaged_conductance(s, 1e-8, 1e-10)
    np.testing.assert_allclose(law[[0, 5, -1]], [1e-10, 1e-9, 1e-8])
    assert (law[1:-1] < conductance(s, 1e-8, 1e-10)[1:-1]).all()


@given(st.floats(-6.0, 6.0), st.floats(-0.5, 0.5), st.floats(4.0, 900.0))
def test_any_voltage_gives_a_finite_current(voltage: float, polarization: float, temperature: float) -> None:
    stack, bands = Stack(5e-9, 30.0, 1e-9, 9.0, 0.3e-9, 20.0, 0.02e-9, 0.05e-9), Bands(2.0, 1.8, 0.2, 3.0, 0.3)
    profile = band_profile(stack, bands, voltage, polarization, -0.5 * polarization)
    current = tunnel_current(profile, voltage, temperature)
    assisted = trap_assisted_current(profile, voltage, AssistingTraps(1e25, 1.8, 0.1, 1.19, 1e13), temperature, 2, 2)
    assert np.isfinite(current)
    assert np.isfinite(assisted)
    assert current * voltage >= 0.0
    assert assisted * voltage >= 0.0
