from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferrogen.core.errors import ArgumentError
from ferrogen.device import waveforms
from ferrogen.device.waveforms import Waveform


def test_a_triangle_has_the_integral_and_corners_of_one() -> None:
    wave = waveforms.triangle(2.0, 50.0, cycles=3, steps_per_cycle=8, offset=0.5)
    assert wave.steps == 24
    assert wave.total == pytest.approx(3 / 50.0)
    np.testing.assert_allclose(wave.voltages[:8] - 0.5, [0.5, 1.5, 1.5, 0.5, -0.5, -1.5, -1.5, -0.5])
    np.testing.assert_allclose(wave.times[[0, 8, 24]], [0.0, 0.02, 0.06])
    np.testing.assert_allclose(wave.midpoints[:2], [0.00125, 0.00375])
    down = waveforms.triangle(-2.0, 50.0, steps_per_cycle=8)
    np.testing.assert_allclose(down.voltages, -(wave.voltages[:8] - 0.5))


def test_pulses_touch_or_have_gaps() -> None:
    wave = waveforms.pulses([1.0, -2.0], 1e-6, 1e-3, rest=0.1)
    np.testing.assert_allclose(wave.voltages, [1.0, 0.1, -2.0, 0.1])
    np.testing.assert_allclose(wave.durations, [1e-6, 1e-3, 1e-6, 1e-3])
    np.testing.assert_allclose(waveforms.pulses(1.0, [1e-6, 2e-6], 0.0).durations, [1e-6, 2e-6])


def test_pund_has_five_pulses_of_the_promised_steps() -> None:
    wave = waveforms.pund(3.0, 1e-6, 2e-6, 1e-5, steps=4)
    pulses = wave.voltages.reshape(5, 10)
    np.testing.assert_allclose(pulses[1], [0.375, 1.125, 1.875, 2.625, 3.0, 2.625, 1.875, 1.125, 0.375, 0.0])
    np.testing.assert_allclose(pulses, np.outer([-1.0, 1.0, 1.0, -1.0, -1.0], pulses[1]))
    assert wave.total == pytest.approx(5 * (2 * 1e-6 + 2e-6 + 1e-5))


def test_first_order_reversal_stands_on_the_grid() -> None:
    wave = waveforms.first_order_reversal(1.0, -0.5, 0.5, 100.0)
    np.testing.assert_allclose(wave.voltages, [1.0, 0.5, 0.0, -0.5, 0.0, 0.5, 1.0])
    np.testing.assert_allclose(wave.durations, [0.02, *[0.005] * 6])


def test_samples_become_interval_means_and_waveforms_compose() -> None:
    wave = waveforms.from_samples([0.0, 1.0, 3.0], [0.0, 2.0, 4.0])
    np.testing.assert_allclose(wave.voltages, [1.0, 3.0])
    np.testing.assert_allclose(wave.durations, [1.0, 2.0])
    both = waveforms.concatenate(wave, waveforms.constant(5.0, 1.0).scaled(2.0)).repeated(2)
    np.testing.assert_allclose(both.voltages, [1.0, 3.0, 10.0, 1.0, 3.0, 10.0])
    assert both.total == pytest.approx(8.0)
    np.testing.assert_allclose(waveforms.staircase([1.0, 2.0], 0.1).durations, [0.1, 0.1])
    np.testing.assert_allclose(waveforms.ramp(1.0, 2.0, 4.0, 2).voltages, [1.25, 1.75])


def test_arrays_cannot_be_changed_from_outside() -> None:
    given_voltages = np.array([1.0, 2.0])
    wave = Waveform(np.array([1.0, 1.0]), given_voltages)
    given_voltages[0] = 9.0
    assert wave.voltages[0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        wave.voltages[0] = 9.0


@pytest.mark.parametrize(
    "call",
    [
        lambda: Waveform(np.array([]), np.array([])),
        lambda: Waveform(np.array([1.0]), np.array([1.0, 2.0])),
        lambda: Waveform(np.array([0.0]), np.array([1.0])),
        lambda: Waveform(np.array([1.0]), np.array([np.inf])),
        lambda: Waveform(np.array([1e308, 1e308]), np.array([0.0, 0.0])),
        lambda: waveforms.triangle(1.0, 0.0),
        lambda: waveforms.triangle(1.0, 1.0, steps_per_cycle=6),
        lambda: waveforms.triangle(1.0, 1.0, cycles=0),
        lambda: waveforms.triangle(np.nan, 1.0),
        lambda: waveforms.ramp(0.0, 1.0, 1.0, 0),
        lambda: waveforms.pulses([1.0, 2.0], [1.0, 2.0, 3.0], 0.0),
        lambda: waveforms.pulses([1.0], 1.0, -1.0),
        lambda: waveforms.pund(1.0, 1e-6, 0.0, 1e-6),
        lambda: waveforms.first_order_reversal(1.0, -0.3, 0.5, 1.0),
        lambda: waveforms.first_order_reversal(1.0, 1.0, 0.5, 1.0),
        lambda: waveforms.from_samples([0.0, 1.0, 1.0], [0.0, 1.0, 2.0]),
        lambda: waveforms.from_samples([0.0], [0.0]),
        lambda: waveforms.from_samples([0.0, np.nan], [0.0, 1.0]),
        waveforms.concatenate,
        lambda: waveforms.constant(1.0, 1.0).scaled(np.inf),
    ],
)
def test_what_is_no_waveform_is_refused(call: Callable[[], Waveform]) -> None:
    with pytest.raises(ArgumentError):
        call()


@given(
    st.lists(st.tuples(st.floats(), st.floats()), max_size=6),
)
def test_any_samples_give_a_usable_waveform_or_a_typed_error(samples: list[tuple[float, float]]) -> None:
    try:
        wave = waveforms.from_samples([t for t, _ in samples], [v for _, v in samples])
    except ArgumentError:
        return
    assert np.all(np.isfinite(wave.voltages))
    assert np.all(wave.durations > 0.0)
    assert np.isfinite(wave.total)
