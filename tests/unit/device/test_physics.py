"""Conductance and traps against their own formulas. KS and Poisson tests at a level of 1e-3 each, fixed seeds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ferrogen.core.constants import BOLTZMANN_EV
from ferrogen.core.errors import CardError
from ferrogen.device.card import DeviceCard
from ferrogen.device.noise.rtn.closed_form import occupancy, window_variance
from ferrogen.device.noise.traps import REFERENCE_TEMPERATURE, draw_parameter, draw_traps, stack_thickness
from ferrogen.device.parameter import Parameter
from ferrogen.device.transport.compact import conductance, effective_voltage, read_current


def _changed(card: DeviceCard, name: str, **fields: object) -> DeviceCard:
    return card.model_copy(update={name: getattr(card, name).model_copy(update=fields)})


@given(st.floats(0.0, 1.0), st.floats(0.02, 1.5))
def test_current_is_conductance_times_effective_voltage(s: float, v: float) -> None:
    on, off, v0 = 20e-9, 0.4e-9, 0.4
    expected = (s * on + (1 - s) * off) * v0 * np.sinh(v / v0)
    assert float(read_current(v, s, on, off, v0)) == pytest.approx(expected, rel=1e-12, abs=0.0)
    assert float(conductance(s, on, off)) == pytest.approx(off + s * (on - off), rel=1e-12, abs=0.0)
    assert float(effective_voltage(-v, v0)) == -float(effective_voltage(v, v0))


def test_small_signals_see_an_ohmic_cell() -> None:
    assert float(effective_voltage(1e-5, 0.4)) == pytest.approx(1e-5, rel=1e-9, abs=0.0)
    ratio = float(effective_voltage(1.0, 0.4) / effective_voltage(0.5, 0.4))
    assert ratio == pytest.approx(2 * np.cosh(1.0 / 0.8))  # the usual nonlinearity figure


@pytest.mark.parametrize("temperature", [260.0, 300.0, 390.0])
@pytest.mark.parametrize("voltage", [0.02, 0.1, 0.7, 1.5])
def test_detailed_balance(card: DeviceCard, voltage: float, temperature: float) -> None:
    traps = draw_traps(card, 500, np.random.default_rng(0))
    capture, emission = traps.rates(voltage, temperature)
    offset = traps.level - voltage * traps.relative_depth
    np.testing.assert_allclose(capture / emission, np.exp(-offset / (BOLTZMANN_EV * temperature)), rtol=1e-9)


def test_time_constant_and_arrhenius_slope_at_the_crossing(card: DeviceCard) -> None:
    fixed = _changed(card, "trap_time_constant", spread=None)
    traps = draw_traps(fixed, 200, np.random.default_rng(1))

    def total(trap: int, temperature: float) -> float:
        voltage = traps.level[trap] / traps.relative_depth[trap]
        a, b = traps.rates(float(voltage), temperature)
        assert a[trap] == pytest.approx(b[trap])
        return float(a[trap] + b[trap])

    for trap in range(0, traps.count, 50):
        assert 1.0 / total(trap, REFERENCE_TEMPERATURE) == pytest.approx(card.trap_time_constant.value, rel=1e-9)
        slope = np.log(total(trap, 350.0) / total(trap, 280.0)) / (1 / 280.0 - 1 / 350.0)
        assert slope * BOLTZMANN_EV == pytest.approx(traps.relaxation_energy[trap] / 4, rel=1e-9)


def test_the_bias_shift_measures_the_depth(card: DeviceCard) -> None:
    """x / t = -(kT/q) d ln(tau_c / tau_e) / dV."""
    traps = draw_traps(card, 100, np.random.default_rng(2))
    thermal = BOLTZMANN_EV * 300.0
    low, high = (np.log(np.divide(*traps.rates(v, 300.0))) for v in (0.5, 0.9))
    np.testing.assert_allclose(thermal * (high - low) / 0.4, traps.relative_depth, rtol=1e-9)
    assert stack_thickness(card) == pytest.approx(10e-9 + 1e-9 * 30 / 3.9, rel=1e-12, abs=0.0)


@pytest.mark.parametrize("scale", [0.25, 1.0, 4.0])
def test_number_grows_and_amplitude_falls_with_area(card: DeviceCard, scale: float) -> None:
    scaled = _changed(_changed(card, "cell_area", value=1e-14 * scale), "trap_amplitude_limit", value=1e9)
    cells = 20_000
    traps = draw_traps(scaled, cells, np.random.default_rng(3))
    number = np.diff(traps.starts)
    mean = 5.0 * scale
    assert abs(number.mean() - mean) < 3.3 * np.sqrt(mean / cells)
    assert number.var() / mean == pytest.approx(1.0, abs=3.3 * np.sqrt(2 / cells) * 1.5)
    logarithm = np.log(-traps.amplitude)
    assert stats.kstest(logarithm, stats.norm(np.log(0.01 / scale), 0.9).cdf).pvalue > 1e-3
    np.testing.assert_array_equal(traps.cell, np.repeat(np.arange(cells), number))


def test_distributions_of_the_card(card: DeviceCard) -> None:
    traps = draw_traps(card, 4000, np.random.default_rng(4))
    voltage = traps.level / traps.relative_depth
    tau = np.exp(traps.relaxation_energy / (4 * BOLTZMANN_EV * 300)) / (2 * traps.attempt_rate)
    assert stats.kstest(np.log(tau), stats.uniform(np.log(1e-6), np.log(1e9)).cdf).pvalue > 1e-3
    depth = traps.relative_depth * stack_thickness(card)
    for name, values in (
        ("trap_level", traps.level),
        ("trap_relaxation_energy", traps.relaxation_energy),
        ("trap_depth", depth),
    ):
        item = card.parameters[name]
        assert item.spread is not None
        width = item.spread.value or 0.0
        law = {
            "uniform": stats.uniform(item.value - width, 2 * width),
            "normal": stats.norm(item.value, width),
        }[item.spread.distribution]
        assert stats.kstest(values, law.cdf).pvalue > 1e-3, name
    assert -traps.amplitude.min() <= card.trap_amplitude_limit.value
    assert np.isfinite(voltage).all()


def test_spreads_without_a_value_for_each_item(card: DeviceCard) -> None:
    rng = np.random.default_rng(5)
    np.testing.assert_array_equal(draw_parameter(card, "interlayer_thickness", 3, rng), 1e-9)
    with pytest.raises(CardError, match=r"`traps_per_cell` has a poisson spread"):
        draw_parameter(card, "traps_per_cell", 3, rng)


def test_a_low_read_voltage_silences_the_traps(card: DeviceCard) -> None:
    """The claim the dual-mode array rests on: at 0.1 V the traps are empty, near 1.2 V they are active."""
    traps = draw_traps(card, 4000, np.random.default_rng(6))

    def relative_variance(voltage: float) -> float:
        capture, emission = traps.rates(voltage, 300.0)
        return float((traps.amplitude**2 * window_variance(capture, emission, 1e-3)).sum()) / 4000

    assert relative_variance(1.2) > 10 * relative_variance(0.1)
    assert np.median(occupancy(*traps.rates(0.1, 300.0))) < 1e-3
    assert 0.1 < np.median(occupancy(*traps.rates(1.2, 300.0))) < 0.9


def test_parameters_are_frozen(card: DeviceCard) -> None:
    assert isinstance(card.trap_level, Parameter)
    with pytest.raises(ValueError, match="frozen"):
        card.trap_level.value = 0.0  # type: ignore[misc]
