from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferrogen.core.errors import ArgumentError
from ferrogen.device.programming.distinguishability import (
    GaussianLevels,
    best_thresholds,
    confusion_matrix,
    most_levels,
    mutual_information,
    place_levels,
    sampled_confusion,
    sampled_thresholds,
    soft_information,
    symbol_error_rate,
)


def test_equal_widths_have_thresholds_half_way() -> None:
    levels = GaussianLevels(np.array([0.0, 1.0, 3.0]), np.array(0.2))
    np.testing.assert_allclose(best_thresholds(levels), [0.5, 2.0])


@given(
    st.lists(st.floats(0.05, 3.0), min_size=1, max_size=6),
    st.lists(st.floats(0.01, 2.0), min_size=7, max_size=7),
)
def test_confusion_is_a_table_of_shares(gaps: list[float], widths: list[float]) -> None:
    mean = np.concatenate([[0.0], np.cumsum(gaps)])
    levels = GaussianLevels(mean, np.array(widths[: mean.size]))
    matrix = confusion_matrix(levels)
    assert np.all(matrix >= 0.0)
    np.testing.assert_allclose(matrix.sum(axis=1), 1.0, atol=1e-12)
    assert 0.0 <= symbol_error_rate(matrix) <= 1.0
    assert -1e-12 <= mutual_information(matrix) <= np.log2(mean.size) + 1e-12


def test_far_tails_keep_their_digits() -> None:
    levels = GaussianLevels(np.array([0.0, 20.0]), np.array(1.0))
    matrix = confusion_matrix(levels)
    assert matrix[0, 1] == pytest.approx(7.619853024160527e-24, rel=1e-9, abs=0.0)  # Q(10)
    assert matrix[1, 0] == pytest.approx(7.619853024160527e-24, rel=1e-9, abs=0.0)
    assert symbol_error_rate(matrix) == pytest.approx(7.619853024160527e-24, rel=1e-9, abs=0.0)


def test_extremes_of_information() -> None:
    apart = GaussianLevels(np.arange(8.0), np.array(0.01))
    assert mutual_information(confusion_matrix(apart)) == pytest.approx(3.0)
    assert soft_information(apart) == pytest.approx(3.0)
    useless = np.full((4, 4), 0.25)
    assert mutual_information(useless) == pytest.approx(0.0, abs=1e-12)
    assert symbol_error_rate(useless) == pytest.approx(0.75)


def test_thresholds_lose_information() -> None:
    levels = GaussianLevels(np.arange(4.0), np.array(0.5))
    hard, soft = mutual_information(confusion_matrix(levels)), soft_information(levels)
    assert 0.5 < hard < soft < 2.0


def test_most_levels_is_the_largest_set() -> None:
    limit = 1e-3
    chosen = most_levels(0.0, 1.0, lambda g: 0.005 + 0.02 * g, limit)
    assert symbol_error_rate(confusion_matrix(chosen)) <= limit
    more = place_levels(0.0, 1.0, lambda g: 0.005 + 0.02 * g, chosen.count + 1)
    assert symbol_error_rate(confusion_matrix(more)) > limit
    # Levels lie closer where the scatter is smaller.
    assert np.all(np.diff(np.diff(chosen.mean)) > 0.0)


def test_sampled_thresholds_of_skewed_levels_beat_the_middle() -> None:
    generator = np.random.default_rng(5)
    written = np.repeat([0, 1, 2], 4000)
    reads = np.array([1.0, 2.0, 3.5])[written] * np.exp(
        np.array([0.3, 0.1, 0.05])[written] * generator.standard_normal(12000)
    )
    cuts = sampled_thresholds(reads, written)
    middle = [1.5, 2.75]
    best = symbol_error_rate(sampled_confusion(reads, written, cuts))
    assert best < symbol_error_rate(sampled_confusion(reads, written, middle)) - 0.002


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: GaussianLevels(np.array([1.0, 1.0]), np.array(0.1)), "mean"),
        (lambda: GaussianLevels(np.array([1.0, 2.0]), np.array(0.0)), "deviation"),
        (lambda: GaussianLevels(np.array([1.0, 2.0]), np.ones(3)), "deviation"),
        (lambda: confusion_matrix(GaussianLevels(np.arange(3.0), np.array(1.0)), [1.0]), "thresholds"),
        (lambda: confusion_matrix(GaussianLevels(np.arange(3.0), np.array(1.0)), [1.0, 0.5]), "thresholds"),
        (lambda: sampled_confusion([1.0, 2.0], [0, 0], [1.5]), "written"),
        (lambda: sampled_confusion([1.0, np.nan], [0, 1], [1.5]), "reads"),
        (lambda: sampled_thresholds([2.0, 1.0], [0, 1]), "written"),
        (lambda: mutual_information(np.ones((2, 2))), "confusion"),
        (lambda: place_levels(1.0, 1.0, lambda g: g, 4), "high"),
        (lambda: place_levels(0.0, 1.0, lambda g: g, 4), "deviation"),
        (lambda: place_levels(0.0, 1.0, lambda g: g + 1.0, 1), "count"),
        (lambda: most_levels(0.0, 1.0, lambda g: g + 1.0, 1e-3), "error_limit"),
        (lambda: most_levels(0.0, 1.0, lambda g: g + 1.0, 1.0), "error_limit"),
    ],
)
def test_bad_levels_are_refused_by_name(call: object, name: str) -> None:
    with pytest.raises(ArgumentError, match=f"`{name}`"):
        call()  # type: ignore[operator]
