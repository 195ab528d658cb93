"""Intervals of derived quantities against Student's t of a straight line; the comparison of laws."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ferrogen.calibration.compare import Law, comparison, try_laws, verdict
from ferrogen.calibration.derived import derived_interval, draw_parameters
from ferrogen.calibration.fit import Free, fit
from ferrogen.core.errors import ArgumentError

X = np.linspace(0.0, 4.0, 9)
Y = 1.0 + 2.0 * X + 0.3 * np.random.default_rng(1).standard_normal(X.size)
FREE = [Free("cut", 0.0, -1e3, 1e3), Free("slope", 1.0, 1e-3, 1e3, logarithmic=True)]


def line(values: dict[str, float]) -> np.ndarray:
    return np.asarray(Y - values["cut"] - values["slope"] * X)


def test_a_derived_interval_is_that_of_student_for_a_line() -> None:
    free = [Free("cut", 0.0, -1e3, 1e3), Free("slope", 1.0, -1e3, 1e3)]
    result = fit(line, free)
    found = derived_interval(
        result, lambda draws: draws["cut"] + 10.0 * draws["slope"], np.random.default_rng(2), level=0.9, count=100_000
    )
    slope, cut = np.polyfit(X, Y, 1)
    s = np.sqrt(np.sum((Y - cut - slope * X) ** 2) / 7)
    half = stats.t.ppf(0.95, 7) * s * np.sqrt(1 / 9 + (10.0 - X.mean()) ** 2 / np.sum((X - X.mean()) ** 2))
    # A quantile of 1e5 draws has a standard error of 0.0017 / density, about 1 % of the half width.
    assert found.low == pytest.approx(cut + 10 * slope - half, abs=0.05 * half)
    assert found.high == pytest.approx(cut + 10 * slope + half, abs=0.05 * half)


def test_what_the_data_do_not_determine_is_drawn_between_its_bounds() -> None:
    free = [*FREE, Free("idle", 1.0, 0.5, 8.0, logarithmic=True)]
    draws = draw_parameters(fit(line, free), np.random.default_rng(3), 20_000)
    assert draws["idle"].min() >= 0.5
    assert draws["idle"].max() <= 8.0
    assert np.median(draws["idle"]) == pytest.approx(2.0, rel=0.05)  # uniform in the logarithm
    assert draws["slope"].std() < 0.5


def test_refusals() -> None:
    result = fit(line, FREE)
    with pytest.raises(ArgumentError, match="between 0 and 1"):
        derived_interval(result, lambda draws: draws["cut"], np.random.default_rng(1), level=1.0)
    with pytest.raises(ArgumentError, match="finite for most"):
        derived_interval(result, lambda draws: np.full(draws["cut"].size, np.nan), np.random.default_rng(1))


def test_laws_are_ordered_and_the_verdict_says_what_cannot_be_told_apart() -> None:
    def constant(values: dict[str, float]) -> np.ndarray:
        return np.asarray(Y - values["cut"])

    def bent(values: dict[str, float]) -> np.ndarray:
        return np.asarray(line(values) - 1e-9 * values["slope"] * X**2)

    laws = [Law("constant", constant, FREE[:1]), Law("line", line, FREE), Law("bent", bent, FREE)]
    groups = np.repeat([0, 1, 2], 3)
    tried = try_laws(laws, groups, np.random.default_rng(1))
    assert [item.name for item in tried][-1] == "constant"
    said = verdict(tried)
    assert "not told apart" in said[0]
    rows = comparison(tried)
    assert rows[0]["aic_difference"] == 0.0
    assert rows[-1]["aic_difference"] > 10.0
    assert rows[-1]["left_out_rmse"] > rows[0]["left_out_rmse"]
    assert try_laws(laws[:1], np.zeros(9), np.random.default_rng(1))[0].cross is None
