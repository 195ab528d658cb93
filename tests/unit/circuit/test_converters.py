from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ferrogen.circuit.amplifier import Amplifier, IdealAmplifier, IdealIntegrator, Integrator
from ferrogen.circuit.converters import ADC, DAC, IdealADC, IdealDAC
from ferrogen.circuit.periphery import Periphery
from ferrogen.core.errors import ArgumentError


@given(st.integers(2, 16), st.floats(1e-12, 10.0), st.lists(st.floats(-1.0, 1.0), min_size=1, max_size=20))
def test_half_a_code_at_most_symmetric_and_zero_is_a_code(bits: int, scale: float, values: list[float]) -> None:
    x = np.array(values)
    step = 1.0 / (2 ** (bits - 1) - 1)
    for rounded in (DAC(bits).quantise(x), ADC(bits).quantise(x * scale, scale) / scale):
        assert np.abs(rounded - x).max() <= step / 2 * (1 + 1e-9)
        codes = rounded / step
        np.testing.assert_allclose(codes, np.round(codes), atol=1e-6)
    np.testing.assert_array_equal(DAC(bits).quantise(-x), -DAC(bits).quantise(x))
    np.testing.assert_array_equal(ADC(bits).quantise(-x * scale, scale), -ADC(bits).quantise(x * scale, scale))
    assert DAC(bits).quantise(np.zeros(1))[0] == 0.0


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_every_code_is_used_and_the_rest_is_clipped(bits: int) -> None:
    x = np.linspace(-1.5, 1.5, 40001)
    for rounded in (DAC(bits).quantise(x), ADC(bits).quantise(3e-9 * x, 3e-9) / 3e-9):
        assert len(np.unique(np.round(rounded, 9))) == 2**bits - 1
        assert rounded.min() == pytest.approx(-1.0)
        assert rounded.max() == pytest.approx(1.0)


def test_torch_and_numpy_agree() -> None:
    x = np.random.default_rng(0).uniform(-1.2, 1.2, 1000)
    np.testing.assert_allclose(DAC(6).quantise(torch.from_numpy(x)).numpy(), DAC(6).quantise(x), rtol=1e-14)
    np.testing.assert_allclose(ADC(6).quantise(torch.from_numpy(x), 0.7).numpy(), ADC(6).quantise(x, 0.7), rtol=1e-14)
    held = Integrator().saturate(torch.from_numpy(x), 0.5)
    np.testing.assert_array_equal(held.numpy(), Integrator().saturate(x, 0.5))
    assert held.abs().max() == 0.5


def test_ideal_circuits_change_nothing() -> None:
    x = np.array([-7.0, 0.1234567])
    ideal = Periphery.ideal()
    assert ideal.dac.quantise(x) is x
    assert ideal.multiply_adc.quantise(x, 1.0) is x
    assert ideal.sample_adc.quantise(x, 1.0) is x
    assert ideal.integrator.saturate(x, 1.0) is x
    assert ideal.wires.effective_conductance(x) is x
    assert not ideal.multiply_amplifier.noise_current(1e-3, 300.0, x).any()
    assert not ideal.sample_amplifier.noise_current(1e-3, 300.0, x).any()
    assert IdealDAC().driver == "sinh-compensated"
    assert IdealADC() == ideal.sample_adc
    assert IdealIntegrator() == ideal.integrator
    assert IdealAmplifier() == ideal.sample_amplifier


@pytest.mark.parametrize("bits", [-1, 0, 1, 25, 8.5, float("nan"), True, "8"])
def test_bits_out_of_range(bits: Any) -> None:
    for make in (DAC, ADC):
        with pytest.raises(ArgumentError, match="`bits`"):
            make(bits)


@pytest.mark.parametrize(
    ("resistance", "capacitance", "noise", "current", "duration", "rms"),
    [
        # thermal noise of 1 MOhm and 10 MOhm, voltage noise of 5 nV/sqrt(Hz) on 1 pF, shot noise of 10 nA
        (1e6, 0.0, 0.0, 0.0, 1e-7, 288e-12),
        (1e6, 0.0, 0.0, 0.0, 1e-6, 91e-12),
        (1e6, 0.0, 0.0, 0.0, 1e-5, 29e-12),
        (1e7, 0.0, 0.0, 0.0, 1e-5, 9e-12),
        (1e30, 1e-12, 5e-9, 0.0, 1e-7, 203e-12),
        (1e30, 1e-12, 5e-9, 0.0, 1e-6, 6.4e-12),
        (1e30, 0.0, 0.0, 1e-8, 1e-7, 127e-12),
        (1e30, 0.0, 0.0, 1e-8, 1e-6, 40e-12),
        (1e30, 0.0, 0.0, -1e-8, 1e-5, 13e-12),
    ],
)
def test_noise_of_a_window(
    resistance: float, capacitance: float, noise: float, current: float, duration: float, rms: float
) -> None:
    amplifier = Amplifier(resistance, noise, capacitance)
    assert float(amplifier.noise_current(duration, 300.0, current)) == pytest.approx(rms, rel=0.03)


def test_contributions_add_in_squares_and_no_resistance_is_refused() -> None:
    both = float(Amplifier().noise_current(1e-6, 300.0, 1e-8))
    parts = [
        Amplifier(voltage_noise=0.0).noise_current(1e-6, 300.0, 0.0),
        Amplifier(1e30).noise_current(1e-6, 300.0, 1e-8),
    ]
    assert both == pytest.approx(float(np.hypot(*parts)))
    with pytest.raises(ArgumentError, match="`feedback_resistance`"):
        Amplifier(feedback_resistance=0.0)


@pytest.mark.parametrize("name", ["feedback_resistance", "voltage_noise", "input_capacitance"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1e-12, "1", None])
def test_an_amplifier_of_numbers_that_are_none(name: str, value: Any) -> None:
    with pytest.raises(ArgumentError, match=f"Argument `{name}` must be "):
        Amplifier(**{name: value})


def test_noise_of_no_window_is_refused() -> None:
    for duration, temperature, name in ((0.0, 300.0, "duration"), (1e-3, -1.0, "temperature")):
        with pytest.raises(ArgumentError, match=f"`{name}`"):
            Amplifier().noise_current(duration, temperature, 0.0)


@pytest.mark.parametrize("full_scale", [0.0, -1.0, float("nan"), float("inf"), np.float64(0.0), 0])
def test_a_full_scale_that_is_none(full_scale: float) -> None:
    with pytest.raises(ArgumentError, match="`full_scale`"):
        ADC().quantise(np.ones(3), full_scale)


def test_an_unknown_driver_is_refused() -> None:
    with pytest.raises(ArgumentError, match="`driver`"):
        DAC(driver="cubic")  # type: ignore[arg-type]
