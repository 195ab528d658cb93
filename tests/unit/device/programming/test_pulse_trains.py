from __future__ import annotations

import numpy as np
import pytest

from ferrogen.core.errors import ArgumentError
from ferrogen.device.parameter import Parameter
from ferrogen.device.programming.spec import ProgrammingSpec
from ferrogen.device.programming.trains import (
    PulseTrain,
    amplitude_steps,
    card_train,
    identical_pulses,
    width_steps,
)


def section() -> ProgrammingSpec:
    def item(value: float, unit: str) -> Parameter:
        return Parameter(value=value, unit=unit, status="assumed", source="none")

    return ProgrammingSpec(
        set_voltage=item(3.0, "V"),
        reset_voltage=item(2.5, "V"),
        first_set_voltage=item(0.8, "V"),
        first_reset_voltage=item(0.7, "V"),
        pulse_width=item(1e-6, "s"),
        pulse_gap=item(2e-6, "s"),
        last_pulse_width=item(1e-3, "s"),
        pulse_count=item(8, "1"),
    )


def test_trains_have_the_pulses_that_were_asked_for() -> None:
    same = identical_pulses(1.5, 1e-6, 4, gap=1e-7)
    assert same.amplitude.tolist() == [1.5] * 4
    assert same.time == pytest.approx(4.4e-6)
    rising = amplitude_steps(0.8, 3.0, 1e-6, 5)
    np.testing.assert_allclose(np.diff(rising.amplitude), 0.55)
    longer = width_steps(-2.0, 1e-7, 1e-3, 5)
    np.testing.assert_allclose(longer.width[1:] / longer.width[:-1], 10.0)
    assert np.all(longer.amplitude == -2.0)


def test_waveform_has_a_gap_behind_every_pulse() -> None:
    wave = amplitude_steps(1.0, 2.0, 1e-6, 2, gap=3e-6).waveform()
    assert wave.voltages.tolist() == [1.0, 0.0, 2.0, 0.0]
    assert wave.durations.tolist() == [1e-6, 3e-6, 1e-6, 3e-6]
    assert identical_pulses(1.0, 1e-6, 3).waveform().steps == 3


def test_card_trains_have_the_signs_and_ends_of_the_card() -> None:
    spec = section()
    assert card_train(spec, "identical").amplitude.tolist() == [3.0] * 8
    down = card_train(spec, "amplitude", reset=True)
    assert (down.amplitude[0], down.amplitude[-1], down.gap) == (-0.7, -2.5, 2e-6)
    wide = card_train(spec, "width")
    assert (wide.width[0], wide.width[-1]) == (pytest.approx(1e-6), pytest.approx(1e-3))
    both = card_train(spec, "amplitude").then(down)
    assert both.count == 16
    assert both.amplitude[8] == -0.7


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: identical_pulses(1.0, 0.0, 3), "width"),
        (lambda: identical_pulses(float("nan"), 1e-6, 3), "amplitude"),
        (lambda: identical_pulses(1.0, 1e-6, 0), "count"),
        (lambda: identical_pulses(1.0, 1e-6, 3, gap=-1.0), "gap"),
        (lambda: amplitude_steps(-1.0, 2.0, 1e-6, 3), "last"),
        (lambda: width_steps(1.0, 0.0, 1e-3, 3), "first"),
        (lambda: PulseTrain(np.ones(3), np.ones(2)), "amplitude"),
        (lambda: identical_pulses(1.0, 1e-6, 1).then(identical_pulses(1.0, 1e-6, 1, gap=1e-6)), "other"),
        (lambda: card_train(section(), "sawtooth"), "kind"),  # type: ignore[arg-type]
    ],
)
def test_bad_trains_are_refused_by_name(make: object, name: str) -> None:
    with pytest.raises(ArgumentError, match=f"`{name}`"):
        make()  # type: ignore[operator]
