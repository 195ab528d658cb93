from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ferrogen.core.errors import ArgumentError
from ferrogen.metrics.score import (
    Score,
    bootstrap,
    mean_score,
    percentile_interval,
    proportion_score,
    resampling_weights,
)


def test_score_is_written_with_the_digits_its_interval_supports() -> None:
    assert str(Score("x", 1.2345, 1.1811, 1.2949, 10000, "d")) == "1.23 [1.18, 1.29] (n = 10000)"
    assert str(Score("x", 1234.5, 1180.0, 1295.0, 10, "d")) == "1234 [1180, 1295] (n = 10)"
    assert str(Score("x", 0.5, 0.5, 0.5, 1, "d")) == "0.5 [0.5, 0.5] (n = 1)"
    assert "nan" in str(Score("x", 0.5, math.nan, math.nan, 1, "d"))


@settings(deadline=None)
@given(st.floats(allow_nan=True), st.floats(allow_nan=True), st.floats(allow_nan=True))
def test_any_score_can_be_written(value: float, low: float, high: float) -> None:
    assert str(Score("x", value, low, high, 3, "d")).endswith("(n = 3)")


def test_score_turns_into_json_even_without_an_interval() -> None:
    score = mean_score("x", np.array([2.0]), "d")
    table = score.to_dict()
    assert table["confidence"] == 0.95
    assert table["low"] is None
    assert json.loads(json.dumps(table, allow_nan=False))["value"] == 2.0


def test_score_cannot_be_changed() -> None:
    score = Score("x", 1.0, 0.0, 2.0, 3, "d")
    with pytest.raises(AttributeError):
        score.value = 2.0  # type: ignore[misc]


def test_mean_interval_is_students() -> None:
    values = np.array([1.0, 2.0, 4.0, 8.0])
    low, high = stats.t.interval(0.95, 3, loc=values.mean(), scale=stats.sem(values))
    score = mean_score("x", values, "d")
    assert (score.low, score.high) == pytest.approx((low, high), rel=1e-12)


@pytest.mark.parametrize(("hits", "count"), [(0, 10), (3, 10), (10, 10), (9956, 10000)])
def test_proportion_interval_is_wilsons(hits: int, count: int) -> None:
    expected = stats.binomtest(hits, count).proportion_ci(method="wilson")
    score = proportion_score("x", hits, count, "d")
    assert (score.low, score.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert 0.0 <= score.low <= score.value <= score.high <= 1.0


def test_bootstrap_is_addressed_by_seed_and_leaves_global_state_alone() -> None:
    values = np.arange(50.0)
    state = np.random.get_state()[1].copy()  # noqa: NPY002 (the point is that it is not touched)
    first = bootstrap(lambda w: float(w @ values), 50, seed=4)
    assert np.array_equal(first, bootstrap(lambda w: float(w @ values), 50, seed=4))
    assert not np.array_equal(first, bootstrap(lambda w: float(w @ values), 50, seed=5))
    assert not np.array_equal(first, bootstrap(lambda w: float(w @ values), 50, seed=4, address=1))
    assert np.array_equal(state, np.random.get_state()[1])  # noqa: NPY002


def test_bootstrap_of_a_mean_has_its_standard_error() -> None:
    values = np.random.default_rng(1).normal(size=400)
    means = bootstrap(lambda w: float(w @ values) / 400, 400, resamples=2000)
    assert means.std() == pytest.approx(values.std() / 20.0, rel=0.08)
    low, high = percentile_interval(means)
    assert low < values.mean() < high


def test_weights_count_draws_with_replacement() -> None:
    weights = resampling_weights(30, resamples=300)
    assert weights.shape == (300, 30)
    assert np.all(weights.sum(axis=1) == 30)
    assert np.mean(weights == 0) == pytest.approx((1 - 1 / 30) ** 30, abs=0.02)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: resampling_weights(0), "count"),
        (lambda: resampling_weights(3, resamples=0), "resamples"),
        (lambda: resampling_weights(3, seed=-1), "seed"),
        (lambda: proportion_score("x", 4, 3, "d"), "hits"),
        (lambda: proportion_score("x", 0, 0, "d"), "count"),
    ],
)
def test_bad_arguments_are_named(call: object, name: str) -> None:
    with pytest.raises(ArgumentError, match=f"`{name}`"):
        call()  # type: ignore[operator]
