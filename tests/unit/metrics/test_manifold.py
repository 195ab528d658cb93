from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist, pdist

from ferrogen.core.errors import ArgumentError
from ferrogen.metrics import manifold
from ferrogen.metrics.classes import class_entropy, class_histogram, classifier_confidence, diversity
from ferrogen.metrics.manifold import density_coverage, precision_recall, squared_distances


def _radii(points: np.ndarray, k: int) -> np.ndarray:
    return np.sort(cdist(points, points), axis=1)[:, k]


@pytest.mark.parametrize("k", [1, 3, 5])
def test_all_four_agree_with_brute_force(rng: np.random.Generator, k: int) -> None:
    own, real = rng.standard_normal((60, 4)) * 1.3 + 0.4, rng.standard_normal((80, 4))
    distance = cdist(own, real)
    inside = distance <= _radii(real, k)
    precision, recall = precision_recall(own, real, k=k)
    density, coverage = density_coverage(own, real, k=k)
    assert precision.value == inside.any(axis=1).mean()
    assert recall.value == (distance <= _radii(own, k)[:, None]).any(axis=0).mean()
    assert density.value == pytest.approx(inside.sum() / (k * 60), rel=1e-12)
    assert coverage.value == inside.any(axis=0).mean()
    assert {score.n for score in (precision, recall, density, coverage)} == {60}
    assert 0.0 < precision.value < 1.0  # the comparison says something


def test_chunks_do_not_change_the_scores(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    own, real = rng.standard_normal((33, 3)), rng.standard_normal((41, 3))
    whole = precision_recall(own, real) + density_coverage(own, real)
    monkeypatch.setattr(manifold, "_CHUNK_VALUES", 100)
    assert precision_recall(own, real) + density_coverage(own, real) == whole


def test_dropped_modes_cost_recall_and_invented_ones_precision(rng: np.random.Generator) -> None:
    modes = np.repeat(np.eye(3) * 50.0, 40, axis=0) + rng.standard_normal((120, 3))
    dropped = precision_recall(modes[:80] + 0.01, modes)
    invented = precision_recall(modes + 0.01, modes[:80])
    assert dropped[0].value > 0.9
    assert dropped[1].value == pytest.approx(2 / 3, abs=0.05)
    assert invented[0].value == pytest.approx(2 / 3, abs=0.05)
    assert density_coverage(modes[:80] + 0.01, modes)[1].value == pytest.approx(2 / 3, abs=0.05)


def test_equal_distributions_have_density_one(rng: np.random.Generator) -> None:
    own, real = rng.standard_normal((2, 800, 5))
    density, _ = density_coverage(own, real)
    assert density.low - 0.05 < 1.0 < density.high + 0.05


def test_an_outlier_inflates_precision_but_hardly_density(rng: np.random.Generator) -> None:
    """Why both are there (Naeem 2020): one far reference sample opens a ball that swallows bad samples."""
    real = np.concatenate([rng.standard_normal((200, 2)), [[30.0, 0.0]]])
    bad = rng.standard_normal((100, 2)) * 0.1 + [20.0, 0.0]
    assert precision_recall(bad, real)[0].value == 1.0
    assert density_coverage(bad, real)[0].value < 0.5


def test_far_from_the_origin_distances_keep_their_digits(rng: np.random.Generator) -> None:
    own, real = rng.standard_normal((50, 4)) + 1e7, rng.standard_normal((60, 4)) + 1e7
    found = np.concatenate([squared for _, squared in squared_distances(own, real)])
    assert found == pytest.approx(cdist(own, real) ** 2, rel=1e-6, abs=1e-6)


def test_diversity_agrees_with_brute_force(rng: np.random.Generator) -> None:
    own, real = rng.standard_normal((50, 6)), rng.standard_normal((70, 6)) * 2.0
    labels, real_labels = np.arange(50) % 3, np.arange(70) % 3
    overall, within = diversity(own, labels, real, real_labels)
    assert overall.value == pytest.approx(pdist(own).mean() / pdist(real).mean(), rel=1e-10)
    ratios = [pdist(own[labels == c]).mean() / pdist(real[real_labels == c]).mean() for c in range(3)]
    assert within.value == pytest.approx(np.mean(ratios), rel=1e-10)


def test_collapse_within_a_class_is_seen_though_all_classes_are_made(rng: np.random.Generator) -> None:
    centres = np.repeat(np.eye(4) * 10.0, 50, axis=0)
    labels = np.repeat(np.arange(4), 50)
    real = centres + rng.standard_normal((200, 4))
    collapsed = centres + 0.01 * rng.standard_normal((200, 4))
    overall, within = diversity(collapsed, labels, real, labels)
    assert within.high < 0.05
    assert overall.low > 0.8
    one_class, _ = diversity(real[:50], labels[:50], real, labels)
    assert one_class.high < 0.5


def test_missing_classes_are_noted(rng: np.random.Generator) -> None:
    rows = rng.standard_normal((6, 2))
    _, within = diversity(rows, np.array([0, 0, 0, 0, 1, 2]), rows, np.array([0, 0, 1, 1, 2, 2]))
    assert "images: 1, 2" in within.note
    _, nothing = diversity(rows, np.arange(6), rows, np.arange(6))
    assert np.isnan(nothing.value)
    assert nothing.note


def test_equal_reference_rows_are_left_out_or_refused(rng: np.random.Generator) -> None:
    rows, labels = rng.standard_normal((6, 2)), np.array([0, 0, 0, 1, 1, 1])
    for tiny in (0.0, 1e-160):  # the second once overflowed
        frozen = rows.copy()
        frozen[3:] = [[tiny, 0.0], [0.0, 0.0], [0.0, 0.0]]
        overall, within = diversity(rows, labels, frozen, labels)
        assert np.isfinite([overall.value, within.value, within.low, within.high]).all()
        assert "left out for want of 2 different images: 1" in within.note
    with pytest.raises(ArgumentError, match="`reference`"):
        diversity(rows, labels, np.ones((6, 2)), labels)


def test_class_scores() -> None:
    probabilities = np.full((8, 4), 0.1)
    probabilities[np.arange(8), [0, 0, 0, 0, 1, 1, 2, 2]] = 0.7
    histogram = class_histogram(probabilities)
    assert [score.value for score in histogram.values()] == [0.5, 0.25, 0.25, 0.0]
    assert class_entropy(probabilities).value == pytest.approx(1.5)
    assert classifier_confidence(probabilities).value == pytest.approx(0.7)
    even = class_entropy(np.tile(np.eye(10), (100, 1)))
    assert even.value == pytest.approx(np.log2(10))
    assert even.high <= np.log2(10) + 1e-12
    assert class_entropy(np.tile(np.eye(10)[:1], (50, 1))).value == 0.0
    sure = classifier_confidence(np.array([[1.0, 0.0], [1.0, 0.0], [0.6, 0.4]]))
    assert sure.high == 1.0  # a probability's interval does not pass one
