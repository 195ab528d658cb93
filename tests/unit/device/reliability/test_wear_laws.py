from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferrogen.core.errors import ArgumentError, CardError
from ferrogen.core.streams import Purpose, Streams
from ferrogen.device.card import DeviceCard
from ferrogen.device.reliability.arrhenius import slowdown
from ferrogen.device.reliability.breakdown import (
    Breakdown,
    breakdown_of,
    characteristic_life,
    draw_breakdown,
    equivalent_stress,
    life_at,
    survival,
)
from ferrogen.device.reliability.decay import PowerLaw, StretchedExponential, decay_of, share_kept, time_until
from ferrogen.device.reliability.fatigue import Fatigue, cycles_to_loss, fatigue_factor, fatigue_of, logarithmic_fatigue
from ferrogen.device.reliability.imprint import (
    Imprint,
    equivalent_storage,
    imprint_field,
    imprint_from_barriers,
    imprint_of,
)
from ferrogen.device.reliability.spec import ReliabilitySpec
from ferrogen.device.reliability.wake_up import WakeUp, pinching_bias, wake_up_factor, wake_up_of

Make = Callable[..., ReliabilitySpec]
temperatures = st.floats(77.0, 1000.0)
times = st.floats(0.0, 1e100)


def test_reference_temperature_changes_nothing() -> None:
    assert slowdown(0.7, 300.0) == 1.0
    assert slowdown(0.7, 358.0) < 1e-1 < 1.0 < slowdown(0.7, 250.0)
    # exp[0.5 eV / k (1/358 - 1/300)], worked out by hand with k = 8.617333e-5 eV/K.
    assert slowdown(0.5, 358.0) == pytest.approx(math.exp(0.5 / 8.617333262e-5 * (1 / 358.0 - 1 / 300.0)), rel=1e-9)


def test_wake_up_goes_from_pristine_to_full() -> None:
    law = WakeUp(share=0.3, cycles=1e3, exponent=0.5, pinching_field=2e7)
    np.testing.assert_allclose(wake_up_factor(law, [0.0, 1e3, 1e9]), [0.7, 1.0 - 0.3 / math.e, 1.0])
    bias = pinching_bias(law, 0.0, 300.0, 6)
    assert bias.tolist() == [2e7, -2e7] * 3
    assert np.all(np.abs(pinching_bias(law, 1e9, 300.0, 6)) < 1.0)


def test_heat_speeds_up_wake_up_and_fatigue() -> None:
    assert wake_up_factor(WakeUp(0.3, 1e3, 0.5, 0.2), 10.0, 400.0) > wake_up_factor(WakeUp(0.3, 1e3, 0.5, 0.2), 10.0)
    assert fatigue_factor(Fatigue(1e6, 0.5, 0.2), 1e5, 400.0) < fatigue_factor(Fatigue(1e6, 0.5, 0.2), 1e5)


def test_fatigue_halves_and_is_inverted() -> None:
    law = Fatigue(1e6, 0.4)
    np.testing.assert_allclose(fatigue_factor(law, [0.0, 1e6]), [1.0, 0.5])
    for kept in (0.99, 0.5, 0.1):
        assert fatigue_factor(law, cycles_to_loss(law, kept)) == pytest.approx(kept)


def test_logarithmic_fatigue_falls_by_the_decade_and_not_below_nothing() -> None:
    np.testing.assert_allclose(
        logarithmic_fatigue([0.0, 1e4, 1e5, 1e7, 1e30], 1e4, 0.1), [1.0, 1.0, 0.9, 0.7, 0.0], atol=1e-12
    )


def test_imprint_starts_linearly_and_goes_on_with_the_logarithm() -> None:
    law = Imprint(2e6, 1.0)
    assert imprint_field(law, 1e-6) == pytest.approx(2.0, rel=1e-5)
    assert imprint_field(law, math.e * 1e6) - imprint_field(law, 1e6) == pytest.approx(2e6, rel=1e-5)
    assert imprint_field(law, 0.0) == 0.0
    assert imprint_from_barriers(law, [0.0, 1e-12])[1] == pytest.approx(2e6 * 1e-12)


def test_equivalent_storage_imprints_alike() -> None:
    law = Imprint(2e6, 1.0, 0.5)
    for time, temperature in ((1e4, 358.0), (1e-3, 250.0), (0.0, 400.0), (1e6, 300.0)):
        same = equivalent_storage(law, time, temperature)
        assert imprint_field(law, same) == pytest.approx(float(imprint_field(law, time, temperature)), rel=1e-9)
    assert equivalent_storage(law, 1e6, 300.0) == pytest.approx(1e6)
    with pytest.raises(ArgumentError, match="`time`"):
        equivalent_storage(Imprint(2e6, 1e-30, 0.0), 1e100, 1000.0)


def test_empirical_decays_are_inverted() -> None:
    for law in (StretchedExponential(1e6, 0.3, 0.4), PowerLaw(1e-3, 0.05, 0.4)):
        assert share_kept(law, 0.0) == 1.0
        for temperature in (300.0, 358.0):
            assert share_kept(law, time_until(law, 0.8, temperature), temperature) == pytest.approx(0.8)
        assert time_until(law, 0.8, 358.0) < time_until(law, 0.8)
    with pytest.raises(ArgumentError, match="`kept`"):
        time_until(PowerLaw(1.0, 0.01), 1e-200)


BREAK = Breakdown(time=1.0, voltage=4.0, shape=1.5, acceleration=10.0, activation_energy=0.5)


def test_life_falls_with_voltage_heat_and_area() -> None:
    assert characteristic_life(BREAK, 4.0) == pytest.approx(1.0)
    assert characteristic_life(BREAK, -3.0) == pytest.approx(math.exp(10.0))
    assert characteristic_life(BREAK, 4.0, 358.0) == pytest.approx(slowdown(0.5, 358.0))
    assert characteristic_life(BREAK, 4.0, area=8e-14) == pytest.approx(8.0 ** (-1.0 / 1.5))
    power = Breakdown(1.0, 4.0, 1.5, 40.0, power_law=True)
    assert characteristic_life(power, 2.0) == pytest.approx(2.0**40)
    with pytest.raises(ArgumentError, match="`voltage`"):
        characteristic_life(power, 0.0)
    with pytest.raises(ArgumentError, match="`voltage`"):
        characteristic_life(BREAK, 1e4)


def test_ten_junctions_survive_as_one_of_ten_times_the_area() -> None:
    t = np.array([0.1, 0.5, 1.0])
    large = characteristic_life(BREAK, 4.0, area=10.0 * BREAK.area)
    np.testing.assert_allclose(survival(BREAK, t, large), survival(BREAK, t) ** 10, rtol=1e-12)


def test_survival_is_inverted_and_stress_is_converted() -> None:
    assert survival(BREAK, life_at(BREAK, 0.01)) == pytest.approx(0.99)
    long = characteristic_life(BREAK, 3.0, 350.0)
    assert survival(BREAK, equivalent_stress(BREAK, 0.3 * long, 3.0, 350.0)) == pytest.approx(
        float(survival(BREAK, 0.3 * long, long))
    )
    assert equivalent_stress(BREAK, 0.0, 3.0) == 0.0


def test_drawn_breakdowns_follow_their_law() -> None:
    from scipy import stats

    drawn = draw_breakdown(BREAK, 4000, Streams(7).generator(Purpose.BREAKDOWN), life=100.0)
    assert stats.kstest(drawn, stats.weibull_min(1.5, scale=100.0).cdf).pvalue > 1e-3


def test_laws_are_those_of_the_section(reliability: Make, aging_card: DeviceCard) -> None:
    spec = reliability()
    assert wake_up_of(spec) == WakeUp(0.2, 1e3, 0.5, 0.1, 3e7)
    assert wake_up_of(reliability(pinching_field=None)).pinching_field == 0.0
    assert fatigue_of(spec) == Fatigue(1e9, 0.5, 0.1)
    assert imprint_of(spec) == Imprint(2e6, 1.0, 0.5)
    assert decay_of(spec) == StretchedExponential(1e12, 0.25, 1.0)
    law = breakdown_of(aging_card)
    assert (law.time, law.voltage, law.area) == (1.0, 4.0, aging_card.cell_area.value)


def test_a_card_without_the_section_is_refused(aging_card: DeviceCard) -> None:
    with pytest.raises(CardError, match="reliability"):
        breakdown_of(aging_card.model_copy(update={"reliability": None}))


@given(times, temperatures, st.floats(1e-30, 1e60), st.floats(0.01, 100.0), st.floats(0.0, 5.0))
def test_laws_stay_within_their_bounds(
    time: float, temperature: float, scale: float, power: float, energy: float
) -> None:
    values = [
        wake_up_factor(WakeUp(0.5, scale, power, energy), time, temperature),
        fatigue_factor(Fatigue(scale, power, energy), time, temperature),
        share_kept(StretchedExponential(scale, power, energy), time, temperature),
        share_kept(PowerLaw(scale, power, energy), time, temperature),
        survival(Breakdown(scale, 1.0, power, 1.0, energy), time),
    ]
    assert all(0.0 <= float(value) <= 1.0 for value in values)
    field = float(imprint_field(Imprint(1e6, scale, energy), time, temperature))
    assert 0.0 <= field < 1e11
    assert math.isfinite(float(imprint_from_barriers(Imprint(1e6, scale, energy), time, temperature)))


@given(st.floats(-50.0, 50.0), temperatures, st.floats(0.001, 0.999), times)
def test_breakdown_is_finite_or_refused(voltage: float, temperature: float, failed: float, time: float) -> None:
    try:
        life = characteristic_life(BREAK, voltage, temperature)
        assert 0.0 < life < math.inf
        assert life_at(BREAK, failed, life) > 0.0
        assert 0.0 <= equivalent_stress(BREAK, time, voltage, temperature) < math.inf
    except ArgumentError:
        pass


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: slowdown(-0.1, 300.0), "activation_energy"),
        (lambda: slowdown(6.0, 300.0), "activation_energy"),
        (lambda: slowdown(0.1, 20.0), "temperature"),
        (lambda: WakeUp(1.0, 1e3), "share"),
        (lambda: WakeUp(0.1, 0.0), "cycles"),
        (lambda: WakeUp(0.1, 1e3, 1000.0), "exponent"),
        (lambda: WakeUp(0.1, 1e3, pinching_field=-1.0), "pinching_field"),
        (lambda: fatigue_factor(Fatigue(1e3, 1.0), -1.0), "cycles"),
        (lambda: fatigue_factor(Fatigue(1e3, 1.0), [1.0, math.nan]), "cycles"),
        (lambda: cycles_to_loss(Fatigue(1e3, 1.0), 1.0), "kept"),
        (lambda: logarithmic_fatigue(1.0, 0.0, 0.1), "onset"),
        (lambda: Imprint(-1.0, 1.0), "field"),
        (lambda: imprint_field(Imprint(1.0, 1.0), math.inf), "time"),
        (lambda: Breakdown(1.0, 4.0, 0.0, 1.0), "shape"),
        (lambda: life_at(BREAK, 1.0), "failed"),
        (lambda: survival(BREAK, -1.0), "time"),
        (lambda: draw_breakdown(BREAK, 0, np.random.default_rng(1)), "cells"),
    ],
)
def test_bad_values_are_refused_by_name(call: Callable[[], object], name: str) -> None:
    with pytest.raises(ArgumentError, match=f"`{name}`"):
        call()
