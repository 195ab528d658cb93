"""The fit against closed forms: covariance of linear problems, intervals that cover, what is not determined."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from ferrogen.calibration.fit import Array, Free, fit
from ferrogen.calibration.validation import bootstrap, cross_validate, profile
from ferrogen.core.errors import ArgumentError
from ferrogen.core.streams import Purpose, Streams


def line(x: Array, y: Array):
    return lambda values: y - values["slope"] * x - values["offset"]


SLOPE, OFFSET = Free("slope", 1.0, -50.0, 50.0), Free("offset", 0.0, -50.0, 50.0)


def noisy_line(seed: int, count: int = 40) -> tuple[Array, Array]:
    x = np.linspace(0.0, 2.0, count)
    return x, 3.0 * x - 1.0 + 0.2 * Streams(seed).generator(Purpose.CALIBRATION).standard_normal(count)


def test_a_line_has_the_covariance_of_the_textbook() -> None:
    x, y = noisy_line(1)
    found = fit(line(x, y), [SLOPE, OFFSET])
    exact = stats.linregress(x, y)  # independent: normal equations in closed form
    assert found.values["slope"] == pytest.approx(exact.slope, rel=1e-6)
    assert found.values["offset"] == pytest.approx(exact.intercept, rel=1e-6)
    assert found.standard_errors["slope"] == pytest.approx(exact.stderr, rel=1e-5)
    assert found.standard_errors["offset"] == pytest.approx(exact.intercept_stderr, rel=1e-5)
    correlation = -x.mean() / math.sqrt(np.mean(x**2))
    assert found.correlation[0, 1] == pytest.approx(correlation, rel=1e-5)
    residuals = y - exact.slope * x - exact.intercept
    assert found.rmse == pytest.approx(math.sqrt(np.mean(residuals**2)), rel=1e-8)
    assert found.degrees_of_freedom == 38
    assert found.converged
    assert not found.warnings


def test_a_logarithmic_parameter_has_the_error_of_its_logarithm() -> None:
    x, y = noisy_line(2)
    plain = fit(line(x, y + 5.0), [SLOPE, OFFSET])
    log = fit(line(x, y + 5.0), [Free("slope", 1.0, 1e-6, 1e6, logarithmic=True), OFFSET])
    assert log.values["slope"] == pytest.approx(plain.values["slope"], rel=1e-5)
    assert log.standard_errors["slope"] == pytest.approx(plain.standard_errors["slope"], rel=1e-4)


def test_intervals_of_a_linear_problem_are_students() -> None:
    x, y = noisy_line(3, count=8)
    found = fit(line(x, y), [SLOPE, OFFSET])
    exact = stats.linregress(x, y)
    half = stats.t.ppf(0.975, 6) * exact.stderr
    for interval in (found.interval("slope"), profile(line(x, y), found, "slope")):
        # The profile's ends are found by bisection to 1e-3 standard errors; for a linear problem it is exact otherwise.
        assert interval.low == pytest.approx(exact.slope - half, abs=2e-3 * exact.stderr)
        assert interval.high == pytest.approx(exact.slope + half, abs=2e-3 * exact.stderr)


def test_intervals_cover_in_a_nonlinear_problem() -> None:
    """80 % intervals of a time constant in 300 data sets: binomial, two-sided false-alarm level 1e-3 each."""
    x = np.linspace(0.0, 4.0, 60)
    free = [Free("time", 1.0, 1e-2, 1e2, logarithmic=True), Free("height", 1.0, 0.0, 10.0)]
    count, inside, profiled = 300, 0, 0
    for k in range(count):
        y = 2.0 * np.exp(-x / 0.8) + 0.1 * Streams(7).generator(Purpose.CALIBRATION, k).standard_normal(x.size)

        def residuals(values: dict[str, float], y: Array = y) -> Array:
            return y - values["height"] * np.exp(-x / values["time"])

        found = fit(residuals, free, tolerance=1e-8)
        interval = found.interval("time", level=0.8)
        inside += interval.low <= 0.8 <= interval.high
        if k < 40:
            interval = profile(residuals, found, "time", level=0.8, tolerance=0.02)
            profiled += interval.low <= 0.8 <= interval.high
    for hits, tries in ((inside, count), (profiled, 40)):
        low, high = stats.binom.ppf([5e-4, 1.0 - 5e-4], tries, 0.8)
        assert low <= hits <= high


def test_the_bootstrap_is_as_wide_as_the_error() -> None:
    x, y = noisy_line(4, count=200)
    found = fit(line(x, y), [SLOPE, OFFSET])
    interval = bootstrap(line(x, y), found, "slope", Streams(1).generator(Purpose.CALIBRATION), count=150, level=0.68)
    # The quantiles of 150 draws are known to about 10 %; a factor of 1.4 is four such errors.
    assert 1 / 1.4 < (interval.high - interval.low) / (2.0 * found.standard_errors["slope"]) < 1.4
    again = bootstrap(line(x, y), found, "slope", Streams(1).generator(Purpose.CALIBRATION), count=150, level=0.68)
    assert interval == again


def test_correlated_parameters_are_said_to_be() -> None:
    x = np.linspace(100.0, 101.0, 30)
    y = 3.0 * x - 1.0 + 1e-3 * np.sin(17.0 * x)
    found = fit(line(x, y), [SLOPE, Free("offset", 0.0, -500.0, 500.0)])
    assert any("`slope` and `offset` are correlated (r = -1.000)" in text for text in found.warnings)


def test_what_the_data_do_not_determine_has_an_infinite_error() -> None:
    x, y = noisy_line(5)
    free = [SLOPE, OFFSET, Free("shift", 0.5, -50.0, 50.0), Free("unused", 1.0, 1e-3, 1e3, logarithmic=True)]
    found = fit(lambda v: line(x, y)({**v, "offset": v["offset"] + v["shift"]}), free)
    assert math.isinf(found.standard_errors["unused"])
    assert math.isinf(found.standard_errors["offset"])
    assert found.standard_errors["slope"] == pytest.approx(stats.linregress(x, y).stderr, rel=0.03)
    assert sum("not at all" in text for text in found.warnings) == 2
    assert found.interval("unused").low == 1e-3
    assert found.record()["parameters"]["unused"]["standard_error"] is None


def test_a_parameter_at_its_bound_is_said_to_be() -> None:
    x, y = noisy_line(6)
    found = fit(line(x, y), [Free("slope", 1.0, -2.0, 2.0), OFFSET])
    assert found.at_bound == ("slope",)
    assert any("`slope` ended at a bound" in text for text in found.warnings)


def test_several_starts_find_the_deeper_minimum() -> None:
    x = np.linspace(0.0, 10.0, 200)
    y = np.sin(2.7 * x)
    free = [Free("frequency", 1.0, 0.1, 5.0)]

    def residuals(values: dict[str, float]) -> Array:
        return y - np.sin(values["frequency"] * x)

    stuck = fit(residuals, free)
    found = fit(residuals, free, starts=30, generator=Streams(3).generator(Purpose.CALIBRATION))
    assert stuck.rmse > 0.3
    assert found.values["frequency"] == pytest.approx(2.7, rel=1e-6)
    with pytest.raises(ArgumentError, match="generator"):
        fit(residuals, free, starts=2)


def test_a_search_that_ends_early_says_so() -> None:
    x, y = noisy_line(7)
    found = fit(lambda v: y - np.exp(v["slope"] * x) + v["offset"], [SLOPE, OFFSET], most_evaluations=2)
    assert not found.converged
    assert "did not converge" in found.warnings[0]


def test_a_robust_loss_forgives_outliers() -> None:
    x, y = noisy_line(8)
    y[::10] += 20.0
    plain, robust = (fit(line(x, y), [SLOPE, OFFSET], loss=loss, loss_scale=0.2) for loss in ("linear", "cauchy"))
    assert abs(robust.values["offset"] + 1.0) < 0.2 < abs(plain.values["offset"] + 1.0)


def test_overflow_in_a_model_is_survived() -> None:
    x, y = noisy_line(9)

    def residuals(values: dict[str, float]) -> Array:
        with np.errstate(over="ignore", invalid="ignore"):
            return y - np.exp(np.exp(values["slope"]) * x) * 0.0 - values["slope"] * x - values["offset"]

    found = fit(residuals, [Free("slope", 1.0, -50.0, 50.0), OFFSET])
    assert found.values["slope"] == pytest.approx(stats.linregress(x, y).slope, rel=1e-4)


def test_cross_validation_against_refitting_by_hand() -> None:
    x, y = noisy_line(10, count=12)
    groups = np.repeat(["a", "b", "c"], 4)
    found = cross_validate(line(x, y), [SLOPE, OFFSET], groups)
    for k, label in enumerate(found.groups):
        inside = groups != label
        slope, offset = np.polyfit(x[inside], y[inside], 1)
        held = y[~inside] - slope * x[~inside] - offset
        assert found.rmse[k] == pytest.approx(math.sqrt(np.mean(held**2)), rel=1e-5)
    assert found.pooled == pytest.approx(math.sqrt(np.mean(np.square(found.rmse))), rel=1e-9)
    assert found.pooled > found.training


def test_an_offset_that_is_left_out_of_the_parameters_learns_nothing_from_the_fold_left_out() -> None:
    """Each record's mean taken off, by one who may look at all data; the folds must be those of a free offset each."""
    x, y = noisy_line(10, count=12)
    y[:4] += 3.0
    groups, records = np.tile(["a", "b", "c", "d"], 3), np.repeat([0, 1, 1], 4)

    def leaking(values: dict[str, float]) -> Array:
        left = y - values["slope"] * x
        return left - np.array([left[records == own].mean() for own in records])

    found = cross_validate(leaking, [SLOPE], groups, records=records)
    for k, label in enumerate(found.groups):
        inside = groups != label
        design = np.column_stack([x, records == 0, records == 1]).astype(float)
        values = np.linalg.lstsq(design[inside], y[inside], rcond=None)[0]
        held = y[~inside] - design[~inside] @ values
        assert found.rmse[k] == pytest.approx(math.sqrt(np.mean(held**2)), rel=1e-5)
    assert cross_validate(leaking, [SLOPE], groups).pooled < found.pooled


def test_akaike_prefers_the_true_number_of_parameters() -> None:
    x, y = noisy_line(11)
    straight = fit(line(x, y), [SLOPE, OFFSET])
    flat = fit(lambda v: y - v["offset"], [OFFSET])
    assert straight.aic < flat.aic
    n, k = 40, 3
    expected = n * math.log(np.mean(straight.residuals**2)) + 2 * k + 2 * k * (k + 1) / (n - k - 1)
    assert straight.aic == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "start", "low", "high", "logarithmic"),
    [
        ("a", 1.0, 2.0, 3.0, False), ("a", 1.0, 1.0, 1.0, False), ("a", 0.5, 0.0, 1.0, True),
        ("a", 1.0, -math.inf, 2.0, False), ("a", math.nan, 0.0, 2.0, False),
    ],
)  # fmt: skip
def test_bounds_that_cannot_be_are_refused(name: str, start: float, low: float, high: float, logarithmic: bool) -> None:
    with pytest.raises(ArgumentError, match="`a`"):
        Free(name, start, low, high, logarithmic)


def test_problems_that_cannot_be_fitted_are_refused() -> None:
    x, y = noisy_line(12)
    with pytest.raises(ArgumentError, match="each once"):
        fit(line(x, y), [SLOPE, SLOPE])
    with pytest.raises(ArgumentError, match="more than the 2 parameters"):
        fit(line(x[:2], y[:2]), [SLOPE, OFFSET])
    with pytest.raises(ArgumentError, match="finite at the start"):
        fit(lambda v: np.full(5, np.nan), [SLOPE])
    with pytest.raises(ArgumentError, match="loss"):
        fit(line(x, y), [SLOPE, OFFSET], loss="kind")  # type: ignore[arg-type]
    found = fit(line(x, y), [SLOPE, OFFSET])
    with pytest.raises(ArgumentError, match="one of slope, offset"):
        found.interval("nothing")
    with pytest.raises(ArgumentError, match="level"):
        profile(line(x, y), found, "slope", level=1.0)
    with pytest.raises(ArgumentError, match="two different labels"):
        cross_validate(line(x, y), [SLOPE, OFFSET], np.zeros(40))
    with pytest.raises(ArgumentError, match="one label a residual"):
        cross_validate(line(x, y), [SLOPE, OFFSET], np.zeros(3))
