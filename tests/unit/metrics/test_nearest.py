from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from ferrogen.core.errors import ArgumentError
from ferrogen.metrics import nearest
from ferrogen.metrics.nearest import (
    closest_pairs,
    nearest_training_distance,
    nearest_training_features,
    search_features,
)


def _images(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.random((count, 6, 5)).astype(np.float32)


def test_agrees_with_brute_force(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearest, "_CHUNK_VALUES", 350)  # chunks of seven images
    images, train, held_out = _images(rng, 23), _images(rng, 50), _images(rng, 19)
    found = nearest_training_distance(images, train, held_out)
    distance = cdist(images.reshape(23, -1).astype(float), train.reshape(50, -1).astype(float))
    assert np.array_equal(found.indices, distance.argmin(axis=1))
    assert found.distances == pytest.approx(distance.min(axis=1), rel=1e-12)
    assert found.scores["nearest_training_distance"].value == pytest.approx(np.median(found.distances))
    other = cdist(held_out.reshape(19, -1).astype(float), train.reshape(50, -1).astype(float)).min(axis=1)
    assert found.held_out_distances == pytest.approx(other, rel=1e-12)
    expected = np.mean(found.distances < np.quantile(other, 0.01))
    assert found.scores["close_copies"].value == expected


def test_copies_are_found_and_honest_images_are_not(rng: np.random.Generator) -> None:
    train = _images(rng, 400)
    copies = np.clip(train[::-4] + 0.01, 0.0, 1.0)
    found = nearest_training_distance(copies, train, _images(rng, 300))
    assert np.array_equal(found.indices, np.arange(400)[::-4])
    assert found.scores["close_copies"].value == 1.0
    honest = nearest_training_distance(_images(rng, 300), train, _images(rng, 300))
    assert honest.scores["close_copies"].value < 0.05
    exact = nearest_training_distance(train[:3], train, _images(rng, 300))
    assert np.all(exact.distances == 0.0)


def test_held_out_distances_can_be_used_again(rng: np.random.Generator) -> None:
    images, train, held_out = _images(rng, 20), _images(rng, 50), _images(rng, 120)
    first = nearest_training_distance(images, train, held_out)
    again = nearest_training_distance(images, train, first.held_out_distances)
    assert again.scores == first.scores
    assert first.scores["close_copies"].note == ""
    assert "120" in first.scores["close_copies"].definition
    few = nearest_training_distance(images, train, held_out[:20])
    assert "do not determine" in few.scores["close_copies"].note


def test_progress_rises_to_one(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearest, "_CHUNK_VALUES", 100)
    seen: list[float] = []
    nearest_training_distance(_images(rng, 20), _images(rng, 50), _images(rng, 10), progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert len(seen) > 10


def test_images_of_another_size_are_refused(rng: np.random.Generator) -> None:
    with pytest.raises(ArgumentError, match=r"`train_images`.*\(n, 6, 5\).*\(4, 5, 6\)"):
        nearest_training_distance(_images(rng, 4), np.zeros((4, 5, 6)), _images(rng, 4))


def test_mirrored_copies_count_if_asked_for(rng: np.random.Generator) -> None:
    train, held_out = rng.random((90, 6, 5, 3)), rng.random((120, 6, 5, 3))
    copies = np.concatenate([train[7:9, :, ::-1], train[3:4], rng.random((3, 6, 5, 3))])
    plain = nearest_training_distance(copies, train, held_out)
    both = nearest_training_distance(copies, train, held_out, mirrored=True)
    assert not plain.mirrored.any()
    assert plain.scores["close_copies"].value < 0.5 <= both.scores["close_copies"].value
    assert list(both.indices[:3]) == [7, 8, 3]
    assert list(both.mirrored[:3]) == [True, True, False]
    flat = lambda x: x.reshape(len(x), -1)  # noqa: E731
    ways = np.stack([cdist(flat(copies[:, :, :: 1 - 2 * turn]), flat(train)) for turn in (0, 1)])
    assert both.distances == pytest.approx(ways.min(axis=(0, 2)), abs=1e-6)
    assert both.held_out_distances == pytest.approx(
        np.minimum(cdist(flat(held_out), flat(train)), cdist(flat(held_out[:, :, ::-1]), flat(train))).min(axis=1),
        rel=1e-6,
    )
    found = closest_pairs(copies, train, both, count=3)
    assert np.array_equal(found[0], found[1])


def test_features_are_searched_both_ways(rng: np.random.Generator) -> None:
    train, ways = rng.normal(size=(40, 7)), rng.normal(size=(25, 2, 7))
    distances, indices, mirrored = search_features(ways, train)
    brute = np.stack([cdist(ways[:, way], train) for way in (0, 1)], axis=1)
    assert distances == pytest.approx(brute.min(axis=(1, 2)), rel=1e-6)
    flat = brute.reshape(25, -1).argmin(axis=1)
    assert np.array_equal(indices, flat % 40)
    assert np.array_equal(mirrored, flat >= 40)
    scores = nearest_training_features(np.concatenate([train[:5], train[:5] + 3.0]), train, distances).scores
    assert scores["close_copies_in_features"].value == 0.5
    assert set(scores) == {
        "nearest_training_feature_distance",
        "nearest_held_out_feature_distance",
        "close_copies_in_features",
    }


def test_pairs_are_refused_for_another_set(rng: np.random.Generator) -> None:
    images, train = _images(rng, 6), _images(rng, 20)
    found = nearest_training_distance(images, train, _images(rng, 10))
    with pytest.raises(ArgumentError, match="`images`"):
        closest_pairs(images[:4], train, found)
    with pytest.raises(ArgumentError, match="`count`"):
        closest_pairs(images, train, found, count=0)
