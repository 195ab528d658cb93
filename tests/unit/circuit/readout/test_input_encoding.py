"""Input encodings: exact planes, drawn errors, jitter, and the logarithmic driver against another cell."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ferrogen.circuit.converters import DAC, IdealDAC
from ferrogen.circuit.readout.drivers import logarithmic_drive, seen_share
from ferrogen.circuit.readout.input_encoding import BitSerial, PulseWidth, serial_gain
from ferrogen.core.errors import ArgumentError

close = partial(pytest.approx, rel=1e-6, abs=0.0)  # its own default would take any two femtojoules for equal

RNG = np.random.default_rng


@given(st.integers(2, 12), st.lists(st.floats(-2.0, 2.0), min_size=1, max_size=20))
def test_every_encoding_makes_up_the_same_codes(bits: int, values: list[float]) -> None:
    x = np.array(values)
    nominal = DAC(bits).quantise(x)
    for encoding in (DAC(bits), PulseWidth(bits), BitSerial(bits)):
        planes = encoding.planes(x)
        assert len(planes) == encoding.cycles
        np.testing.assert_allclose(sum(w * plane for w, plane in planes), nominal, atol=1e-12)
        np.testing.assert_array_equal(encoding.quantise(x), nominal)
    for _, plane in BitSerial(bits).planes(x):
        assert set(np.unique(plane)) <= {-1.0, 0.0, 1.0}


def test_planes_of_tensors_are_those_of_arrays() -> None:
    x = RNG(0).uniform(-1.2, 1.2, (5, 9)).astype(np.float32)
    for (w, plane), (v, tensor) in zip(BitSerial(6).planes(x), BitSerial(6).planes(torch.from_numpy(x)), strict=True):
        assert w == v
        np.testing.assert_array_equal(plane, tensor.numpy())
        assert tensor.dtype == torch.float32


def test_planes_written_out() -> None:
    # 4 bits: codes -7 to 7; 5 = 101, -3 = 011, 7 = 111
    planes = BitSerial(4).planes(np.array([5.0, -3.0, 7.0, 0.0]) / 7.0)
    assert [w * 7 for w, _ in planes] == [1.0, 2.0, 4.0]
    assert np.stack([plane for _, plane in planes]).tolist() == [[1, -1, 1, 0], [0, -1, 1, 0], [1, 0, 1, 0]]


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_independent_errors_of_planes_add_with_squared_weights(bits: int) -> None:
    count = 40000
    errors = RNG(bits).standard_normal((bits - 1, count))
    weights = [w for w, _ in BitSerial(bits).planes(np.zeros(1))]
    variance = (np.array(weights) @ errors).var()
    assert variance == close(serial_gain(bits), rel=3.3 * math.sqrt(2 / count))  # two-sided 1e-3
    assert serial_gain(bits) == close(sum(w * w for w in weights))


def test_a_driver_without_errors_gives_what_it_is_given() -> None:
    x = RNG(0).uniform(-1.0, 1.0, (3, 4))
    for encoding in (DAC(), IdealDAC(), PulseWidth(), BitSerial()):
        errors = encoding.draw((4,), RNG(0))
        assert errors.absent
        assert errors.apply(x) is x


def test_nonlinearity_of_a_driver_is_a_bridge_between_its_ends() -> None:
    bits, mismatch, count = 7, 0.02, 4000
    steps = 2 ** (bits - 1) - 1
    errors = DAC(bits, unit_mismatch=mismatch).draw((count,), RNG(2))
    assert errors.levels is not None
    codes = np.arange(-steps, steps + 1)
    given_codes = np.broadcast_to(codes[:, None] / steps, (2 * steps + 1, count))
    integral = errors.apply(given_codes) * steps - codes[:, None]
    np.testing.assert_allclose(integral[[0, steps, -1]], 0.0, atol=1e-9)
    np.testing.assert_allclose(integral, -integral[::-1], atol=1e-9)
    # Brownian bridge: variance k (n - k) / n of the units' own; level 1e-3 at each of two codes
    for code in (steps // 2, steps // 4):
        expected = mismatch * math.sqrt(code * (steps - code) / steps)
        assert integral[steps + code].std() == close(expected, rel=3.3 / math.sqrt(2 * count))


def test_gain_and_offset_of_drivers_are_drawn_and_stay() -> None:
    errors = DAC(8, gain_error=0.01, offset=0.5).draw((20000,), RNG(3))
    assert errors.gain.std() == close(0.01, rel=0.02)
    assert (errors.offset * 127).std() == close(0.5, rel=0.02)
    x = np.full((2, 20000), 0.25)
    np.testing.assert_allclose(errors.apply(x), 0.25 * errors.gain + errors.offset + np.zeros((2, 1)))
    again = DAC(8, gain_error=0.01, offset=0.5, unit_mismatch=0.01).draw((20000,), RNG(3))
    np.testing.assert_array_equal(again.gain, errors.gain)  # other errors leave these where they are


def test_jitter_belongs_to_pulses_only() -> None:
    encoding = PulseWidth(8, jitter=1e-3)
    errors = encoding.draw((2,), RNG(0))
    count = 20000
    plane = np.tile([[0.0, 0.5]], (count, 1))
    out = errors.apply(plane, RNG(1).standard_normal((count, 2)))
    assert not out[:, 0].any()
    assert out[:, 1].std() == close(math.sqrt(2.0) * 1e-3, rel=3.3 / math.sqrt(2 * count))
    assert out[:, 1].mean() == close(0.5, abs=3.3 * 1.5e-3 / math.sqrt(count))
    assert errors.apply(plane) is not None
    assert encoding.tick(1e-4) == close(1e-4 / 127)


def test_noise_of_an_amplitude_driver_is_everywhere() -> None:
    errors = DAC(8, noise=0.3).draw((1,), RNG(0))
    out = errors.apply(np.zeros((20000, 1)), RNG(1).standard_normal((20000, 1)))
    assert out.std() * 127 == close(0.3, rel=0.02)


def test_a_logarithmic_driver_linearises_the_cell_it_is_built_for() -> None:
    x = np.linspace(-1.0, 1.0, 41)
    np.testing.assert_allclose(seen_share(x, 1.2, 0.4, 0.4), x, atol=1e-14)
    voltages = logarithmic_drive(x, 1.2, 0.4)
    np.testing.assert_allclose(0.4 * np.sinh(voltages / 0.4), x * 0.4 * math.sinh(3.0), atol=1e-13)
    assert voltages[-1] == close(1.2)
    tensor = seen_share(torch.from_numpy(x), 1.2, 0.4, 0.44)
    np.testing.assert_allclose(tensor.numpy(), seen_share(x, 1.2, 0.4, 0.44), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("voltage", [0.1, 1.2])
def test_another_cell_bends_it_by_the_first_order(voltage: float) -> None:
    v0, d, x = 0.4, 1e-3, 1e-3
    u = voltage / v0
    assert seen_share(np.array([-1.0, 0.0, 1.0]), voltage, v0, v0 * (1 + d)).tolist() == close([-1, 0, 1])
    bent = float(seen_share(np.array([x]), voltage, v0, v0 * (1 + d))[0]) / x - 1.0
    assert bent == close(d * (1.0 - u / math.tanh(u)), rel=0.01)  # the second order in d is a thousandth


def test_energy_and_latency() -> None:
    assert DAC(8).energy() == close(256 * 5e-15)
    assert (IdealDAC().energy(), IdealDAC().latency()) == (0.0, 0.0)
    assert BitSerial(8).latency() == close(7 * BitSerial().settling_time)
    assert BitSerial(8).energy() == close(7 * BitSerial().figure_of_merit)
    assert PulseWidth(8).latency() == 0.0
    assert PulseWidth(8).energy() == close(256 * PulseWidth().figure_of_merit)


@pytest.mark.parametrize(
    ("make", "name", "value"),
    [
        (DAC, "unit_mismatch", -0.1),
        (DAC, "noise", float("nan")),
        (DAC, "driver_mismatch", -1.0),
        (DAC, "driver_mismatch", "0"),
        (PulseWidth, "jitter", -1e-3),
        (PulseWidth, "bits", 1),
        (BitSerial, "gain_error", float("inf")),
        (BitSerial, "bits", 2.5),
    ],
)
def test_numbers_that_are_none(make: Any, name: str, value: Any) -> None:
    with pytest.raises(ArgumentError, match=f"`{name}`"):
        make(**{name: value})
