from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ferrogen.core.errors import ArgumentError
from ferrogen.device.reliability.acceleration import fit_accelerated, life_in_use
from ferrogen.device.reliability.extrapolation import fit_decay, time_to_criterion
from ferrogen.device.reliability.lifetime import bootstrap_life, failures, fit_lifetime, life_interval


def draw(seed: int, size: int, shape: float = 1.5, life: float = 100.0) -> np.ndarray:
    return life * np.random.default_rng(seed).standard_exponential(size) ** (1.0 / shape)


def test_intervals_agree_with_each_other_in_large_samples() -> None:
    time = draw(1, 400)
    fit = fit_lifetime(failures(np.minimum(time, 150.0), time < 150.0))
    profile = life_interval(fit, 0.01)
    fisher = life_interval(fit, 0.01, method="fisher")
    boot = bootstrap_life(fit, 0.01, np.random.default_rng(2), 100)
    assert profile.low < profile.estimate < profile.high
    for other in (fisher, boot):
        assert other.estimate == pytest.approx(profile.estimate)
        # Ends in ln t: the intervals' own widths, 0.5 here, agree to a third of it (100 resamples scatter as much).
        assert abs(math.log(other.low / profile.low)) < 0.2
        assert abs(math.log(other.high / profile.high)) < 0.2
    wider = life_interval(fit, 0.01, level=0.99)
    assert wider.low < profile.low < profile.high < wider.high


def test_scale_of_time_does_not_matter() -> None:
    """Seconds or years: the same fit, up to the unit."""
    time = draw(3, 30)
    a = fit_lifetime(failures(time))
    b = fit_lifetime(failures(time * 1e7))
    assert b.location - a.location == pytest.approx(math.log(1e7), abs=1e-5)
    assert b.scale == pytest.approx(a.scale, rel=1e-5)
    high = life_interval(b, 0.1).high / 1e7
    assert high == pytest.approx(life_interval(a, 0.1).high, rel=1e-4)


def test_family_that_is_right_is_more_likely() -> None:
    time = np.exp(np.random.default_rng(4).standard_normal(300))
    data = failures(time)
    assert fit_lifetime(data, "lognormal").log_likelihood > fit_lifetime(data, "weibull").log_likelihood + 3.0


def test_accelerated_fit_finds_its_parameters_and_says_when_it_extrapolates() -> None:
    generator = np.random.default_rng(5)
    voltage = np.repeat([3.6, 3.8, 4.0], 60)
    temperature = np.tile([300.0, 350.0, 400.0], 60)
    life = np.exp(-10.0 * (voltage - 4.0) + 0.5 / 8.617333e-5 * (1 / temperature - 1 / 300.0))
    time = life * generator.standard_exponential(180) ** (1 / 1.5)
    fit = fit_accelerated(failures(time), voltage, temperature)
    assert fit.acceleration == pytest.approx(10.0, abs=4.0 * fit.acceleration_error)
    assert fit.acceleration_error < 0.6
    assert fit.activation_energy == pytest.approx(0.5, abs=0.03)
    assert 1.0 / fit.scale == pytest.approx(1.5, rel=0.2)
    inside = life_in_use(fit, 3.8, 0.01, 300.0)
    outside = life_in_use(fit, 3.0, 0.01, 300.0)
    assert inside.extrapolation == ""
    assert "3 V" in outside.extrapolation
    truth = math.exp(10.0) * (-math.log(0.99)) ** (1 / 1.5)
    assert outside.life.low < truth < outside.life.high


def test_power_law_and_exponential_part_ways_outside_the_test() -> None:
    generator = np.random.default_rng(6)
    voltage = np.repeat([3.0, 3.5, 4.0], 40)
    time = (voltage / 4.0) ** -35.0 * generator.standard_exponential(120)
    data = failures(time)
    power = fit_accelerated(data, voltage, power_law=True)
    assert power.acceleration == pytest.approx(35.0, abs=4.0 * power.acceleration_error)
    straight = fit_accelerated(data, voltage)
    # The exponential is the careful one: it promises less far below the tested voltages.
    assert life_in_use(power, 1.5, 0.5).life.estimate > 10.0 * life_in_use(straight, 1.5, 0.5).life.estimate


@pytest.mark.parametrize(
    ("law", "value"),
    [
        ("stretched", lambda t: 0.2 * np.exp(-((t / 1e7) ** 0.2))),
        ("power", lambda t: 0.2 * t**-0.02),
        ("logarithmic", lambda t: 0.2 - 0.004 * np.log(t)),
    ],
)
def test_decay_is_carried_on_to_the_criterion(law: str, value: Callable[[np.ndarray], np.ndarray]) -> None:
    time = np.geomspace(1.0, 1e4, 25)
    noise = 1.0 + 2e-3 * np.random.default_rng(7).standard_normal(25)
    fit = fit_decay(time, value(time) * noise, law)  # type: ignore[arg-type]
    assert fit.residual < 1e-3
    criterion = float(value(np.array([1e6]))[0])
    reached = time_to_criterion(fit, criterion)
    assert reached.time.low < 1e6 < reached.time.high
    assert reached.time.high / reached.time.low < 300.0
    assert reached.decades_beyond == pytest.approx(2.0, abs=1.0)
    assert "extrapolated" in reached.extrapolation
    early = time_to_criterion(fit, float(value(np.array([100.0]))[0]))
    assert early.extrapolation == ""


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: failures([1.0, 2.0, 0.0]), "time"),
        (lambda: failures([1.0, 2.0, 3.0], [True, False, False]), "failed"),
        (lambda: failures([1.0, 1.0, 1.0]), "failed"),
        (lambda: failures([1.0, 2.0, 3.0], [True, True]), "failed"),
        (lambda: fit_lifetime(failures([1.0, 2.0, 3.0]), "gamma"), "family"),  # type: ignore[arg-type]
        (lambda: life_interval(fit_lifetime(failures(draw(1, 20))), 0.0), "failed"),
        (lambda: life_interval(fit_lifetime(failures(draw(1, 20))), 0.1, level=1.0), "level"),
        (lambda: life_interval(fit_lifetime(failures(draw(1, 20))), 0.1, method="guess"), "method"),  # type: ignore[arg-type]
        (lambda: fit_accelerated(failures(draw(1, 20)), np.full(20, 3.0)), "voltage"),
        (lambda: fit_accelerated(failures(draw(1, 20)), np.ones(3)), "voltage"),
        (lambda: fit_decay([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0], "cubic"), "law"),  # type: ignore[arg-type]
        (lambda: fit_decay([1.0, 2.0], [1.0, 2.0], "power"), "value"),
        (lambda: time_to_criterion(fit_decay([1.0, 2.0, 3.0, 4.0], [1.0, 1.1, 1.2, 1.3], "power"), 0.5), "criterion"),
        (lambda: bootstrap_life(fit_lifetime(failures(draw(1, 20))), 0.1, np.random.default_rng(1), 5), "resamples"),
    ],
)
def test_bad_data_are_refused_by_name(call: Callable[[], object], name: str) -> None:
    with pytest.raises(ArgumentError, match=f"`{name}`"):
        call()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.floats(1e-6, 1e12), st.booleans()), min_size=1, max_size=25),
    st.sampled_from(["weibull", "lognormal"]),
    st.floats(0.001, 0.9),
)
def test_any_test_gives_a_finite_life_or_a_reason(
    junctions: list[tuple[float, bool]], family: str, failed: float
) -> None:
    try:
        fit = fit_lifetime(failures([t for t, _ in junctions], [dead for _, dead in junctions]), family)  # type: ignore[arg-type]
        found = [life_interval(fit, failed, method=method) for method in ("fisher", "profile")]  # type: ignore[arg-type]
    except ArgumentError:
        return
    for interval in found:
        assert 0.0 < interval.low <= interval.estimate <= interval.high < math.inf


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(1e-9, 1e12), st.floats(1e-6, 1e3)), min_size=1, max_size=15),
    st.sampled_from(["stretched", "power", "logarithmic"]),
    st.floats(1e-6, 1e3),
)
def test_any_curve_gives_a_finite_time_or_a_reason(
    points: list[tuple[float, float]], law: str, criterion: float
) -> None:
    try:
        fit = fit_decay([t for t, _ in points], [v for _, v in points], law)  # type: ignore[arg-type]
        time = time_to_criterion(fit, criterion).time
    except ArgumentError:
        return
    assert 0.0 < time.low <= time.estimate <= time.high < math.inf
