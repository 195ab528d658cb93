from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from ferrogen.core.errors import ArgumentError
from ferrogen.metrics import nearest
from ferrogen.metrics.nearest import nearest_training_distance


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
