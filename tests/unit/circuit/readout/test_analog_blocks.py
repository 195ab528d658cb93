"""Amplifier, integrator, sample-and-hold, multiplexer, line driver: settling, noise, range, energy."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from ferrogen.circuit.amplifier import Amplifier, IdealAmplifier, IdealIntegrator, Integrator
from ferrogen.circuit.readout.drivers import LineDriver
from ferrogen.circuit.readout.integrator import CapacitiveIntegrator
from ferrogen.circuit.readout.multiplexer import Multiplexer
from ferrogen.circuit.readout.sample_hold import IdealSampleHold, SampleHold
from ferrogen.core.constants import BOLTZMANN
from ferrogen.core.errors import ArgumentError

close = partial(pytest.approx, rel=1e-6, abs=0.0)  # its own default would take any two femtojoules for equal


def test_an_amplifier_settles_with_its_pole() -> None:
    amplifier = Amplifier(bandwidth=1e6)
    tau = amplifier.time_constant
    assert tau == close(1.0 / (2.0 * math.pi * 1e6))
    assert amplifier.settling_error(3.0 * tau) == close(math.exp(-3.0))
    times = np.linspace(0.0, 1e-6, 200001)
    mean = np.trapezoid(1.0 - np.exp(-times / tau), times) / 1e-6
    assert amplifier.window_gain(1e-6) == close(mean, rel=1e-8)
    assert amplifier.settling_error(amplifier.latency(1e-4)) == close(1e-4)
    fast = Amplifier()
    assert (fast.settling_error(0.0), fast.window_gain(1e-9), fast.latency()) == (0.0, 1.0, 0.0)


def test_an_offset_drives_the_lines_cells_too() -> None:
    amplifier = Amplifier(feedback_resistance=1e7, offset_voltage=1e-3)
    offsets = amplifier.draw((40000,), np.random.default_rng(0))
    assert offsets.std() == close(1e-3, rel=3.3 / math.sqrt(80000))
    # Kirchhoff at the virtual ground held at v: cells of 2 uS draw v G from it, the resistance passes v / R.
    assert amplifier.offset_current(1e-3, 2e-6) == close(1e-3 * 2e-6 + 1e-3 / 1e7)
    assert not IdealAmplifier().draw((3,), np.random.default_rng(0)).any()


def test_voltage_noise_drives_the_lines_cells_if_asked() -> None:
    amplifier = Amplifier(feedback_resistance=1e7, voltage_noise=4e-8, noise_gain=True)
    rms = amplifier.line_noise_current(1e-4, np.array([0.0, 2.4e-6]))
    np.testing.assert_allclose(rms, 4e-8 * np.array([1e-7, 2.5e-6]) * math.sqrt(5e3))
    assert not Amplifier().line_noise_current(1e-4, np.ones(3)).any()
    assert not IdealAmplifier().line_noise_current(1e-4, np.ones(3)).any()


def test_an_amplifier_saturates_at_its_swing() -> None:
    amplifier = Amplifier(feedback_resistance=1e6, swing=0.5)
    x = np.array([-2e-6, -1e-7, 4.9e-7, 5.1e-7])
    np.testing.assert_allclose(amplifier.limit(x), [-5e-7, -1e-7, 4.9e-7, 5e-7])
    np.testing.assert_allclose(amplifier.limit(torch.from_numpy(x)).numpy(), amplifier.limit(x))
    assert Amplifier().limit(x) is x
    assert IdealAmplifier().limit(x) is x


def test_bias_follows_from_the_noise() -> None:
    # e_n^2 = 8 k T gamma / gm: the bias gives back the noise that was asked for
    amplifier = Amplifier(voltage_noise=5e-9)
    transconductance = amplifier.bias_current() / 2.0 * amplifier.transconductance_efficiency
    assert math.sqrt(8.0 * BOLTZMANN * 300.0 * (2.0 / 3.0) / transconductance) == close(5e-9)
    assert amplifier.energy(1e-4) == close(1.2 * amplifier.bias_current() * 1e-4)
    assert Amplifier(voltage_noise=5e-8).energy(1.0) == close(amplifier.energy(1.0) / 100.0)
    assert Amplifier(voltage_noise=0.0).energy(1.0) == IdealAmplifier().energy(1.0) == 0.0


def test_an_integrator_leaks_as_its_equation_says() -> None:
    duration, leakage, gain = 1e-3, 2e-3, 500.0
    integrator = CapacitiveIntegrator(leakage_time=leakage, amplifier_gain=gain)
    solved = solve_ivp(lambda _, q: [1.0 - q[0] / leakage], (0.0, duration), [0.0], rtol=1e-10, atol=1e-15)
    assert integrator.gain(duration) == close(solved.y[0, -1] / duration / (1.0 + 1.0 / gain), rel=1e-8)
    assert CapacitiveIntegrator(leakage_time=math.inf, amplifier_gain=math.inf).gain(1.0) == 1.0


def test_reset_noise_is_that_of_the_capacitor() -> None:
    integrator, full_scale, duration = CapacitiveIntegrator(swing=0.5), 2e-8, 1e-4
    capacitance = integrator.capacitance(duration, full_scale)
    assert full_scale * duration / capacitance == close(0.5)
    charge = math.sqrt(BOLTZMANN * 350.0 * capacitance)
    assert integrator.noise_current(duration, 350.0, full_scale) * duration == close(charge)
    assert CapacitiveIntegrator(reset_noise=False).noise_current(duration, 350.0, full_scale) == 0.0
    x = np.array([-3e-8, 1e-8])
    np.testing.assert_array_equal(integrator.saturate(x, full_scale), Integrator().saturate(x, full_scale))
    for simple in (Integrator(), IdealIntegrator()):
        assert (simple.noise_current(duration, 300.0, full_scale), simple.gain(duration)) == (0.0, 1.0)


def test_a_held_sample_droops_and_has_thermal_noise() -> None:
    hold = SampleHold(capacitance=1e-13, leakage_current=1e-12, swing=0.5, resistance=1e5, acquisition_time=3e-8)
    assert hold.noise(300.0) * 0.5 == close(math.sqrt(BOLTZMANN * 300.0 / 1e-13))
    assert hold.noise(300.0) * 0.5 == close(203.5e-6, rel=1e-3)  # known: 203 uV on 100 fF
    assert hold.missed_share() == close(math.exp(-3.0))
    assert hold.droop(1e-3) * 0.5 == close(1e-12 * 1e-3 / 1e-13)
    times = np.array([0.0, 1e-3])
    np.testing.assert_allclose(
        hold.hold(np.full(2, 1e-8), 2e-8, times), 1e-8 * (1 - math.exp(-3)) - np.array([0, 4e-10])
    )
    assert hold.energy() == close(1e-13 * 0.25)
    assert hold.latency() == 3e-8
    ideal, x = IdealSampleHold(), np.ones(2)
    assert ideal.hold(x, 1.0) is x
    assert (ideal.noise(300.0), ideal.energy(), ideal.latency()) == (0.0, 0.0, 0.0)
    assert SampleHold(resistance=0.0).missed_share() == 0.0


def test_pairs_take_turns_at_a_converter() -> None:
    multiplexer = Multiplexer(pairs_per_converter=4, resistance=1e4, capacitance=1e-13, settling_error=1e-3)
    assert multiplexer.converters(10) == 3
    assert multiplexer.converter_of(10).tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2]
    assert multiplexer.turn(10).tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]
    assert math.exp(-multiplexer.settling_time() / 1e-9) == close(1e-3)
    assert multiplexer.latency(10, 1e-7) == close(4 * (1e-7 + multiplexer.settling_time()))
    assert multiplexer.latency(2, 1e-7) == close(2 * (1e-7 + multiplexer.settling_time()))
    ideal = Multiplexer.ideal()
    assert (ideal.latency(10, 0.0), ideal.energy(), ideal.converters(10)) == (0.0, 0.0, 10)


def test_a_line_settles_as_its_ladder_does() -> None:
    cells, resistance, each = 64, 3.0, 2e-16
    driver = LineDriver(resistance=200.0)
    # The first moment of the ladder's step response at the far end, from its conductance matrix: sum of R C paths.
    matrix = np.zeros((cells, cells))
    for k in range(cells):
        to_left = 1.0 / (resistance if k else resistance + driver.resistance)
        matrix[k, k] += to_left
        if k:
            matrix[k - 1, k - 1] += to_left
            matrix[k, k - 1] -= to_left
            matrix[k - 1, k] -= to_left
    moment = np.linalg.solve(matrix, np.full(cells, each))[-1]
    assert driver.time_constant(cells, resistance, each) == close(moment, rel=1e-9)
    assert driver.latency(cells, resistance, each, error=math.exp(-2)) == close(2 * moment)
    assert driver.energy(0.5, cells, each) == close(cells * each * 0.25)
    assert LineDriver.ideal().time_constant(cells, 0.0, each) == 0.0


@pytest.mark.parametrize(
    ("make", "name", "value"),
    [
        (Amplifier, "bandwidth", 0.0),
        (Amplifier, "swing", -1.0),
        (Amplifier, "offset_voltage", float("nan")),
        (CapacitiveIntegrator, "leakage_time", 0.0),
        (CapacitiveIntegrator, "swing", 0.0),
        (SampleHold, "capacitance", 0.0),
        (SampleHold, "leakage_current", -1.0),
        (Multiplexer, "pairs_per_converter", 0),
        (Multiplexer, "pairs_per_converter", 2.0),
        (Multiplexer, "settling_error", 1.0),
        (LineDriver, "supply", 0.0),
        (LineDriver, "resistance", float("inf")),
    ],
)
def test_numbers_that_are_none(make: Any, name: str, value: Any) -> None:
    with pytest.raises(ArgumentError, match=f"`{name}`"):
        make(**{name: value})


def test_times_that_are_none() -> None:
    with pytest.raises(ArgumentError, match="`duration`"):
        Amplifier().window_gain(0.0)
    with pytest.raises(ArgumentError, match="`duration`"):
        CapacitiveIntegrator().gain(-1.0)
    with pytest.raises(ArgumentError, match="`error`"):
        Amplifier(bandwidth=1.0).latency(0.0)
