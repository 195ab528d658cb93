from __future__ import annotations

import json
import math
import subprocess
import sys

import numpy as np
import pytest

from ferrogen.core.errors import ArgumentError
from ferrogen.generation.datasets.image_set import ImageSet
from ferrogen.metrics.evaluate import evaluate_images, prepare_reference
from ferrogen.metrics.features import FeatureNetwork

_SET_SCORES = {
    *("frechet_distance", "kernel_distance", "precision", "recall", "density", "coverage"),
    *("diversity", "diversity_within_class", "class_entropy", "classifier_confidence"),
    *("ms_ssim", "ms_ssim_held_out"),
    *(f"class_{digit}" for digit in range(10)),
}
_COPY_SCORES = {"nearest_training_distance", "nearest_held_out_distance", "close_copies"}


def _blobs(rng: np.random.Generator, count: int) -> np.ndarray:
    """Soft random spots: cheap stand-ins for images where no digits are needed."""
    rows, columns = np.mgrid[:28, :28]
    centre = rng.uniform(8, 20, size=(count, 2, 1, 1))
    return np.exp(-((rows - centre[:, 0]) ** 2 + (columns - centre[:, 1]) ** 2) / 20.0)


def test_all_scores_have_intervals_and_go_to_json(network: FeatureNetwork, rng: np.random.Generator) -> None:
    stages: list[tuple[str, float]] = []
    images, real, train = _blobs(rng, 40), _blobs(rng, 60), _blobs(rng, 80)
    scores = evaluate_images(
        images, real, train, network=network, progress=lambda stage, done: stages.append((stage, done))
    )
    assert set(scores) == _SET_SCORES | _COPY_SCORES
    for name, score in scores.items():
        assert score.name == name
        assert score.low <= score.value <= score.high or math.isnan(score.value)
        assert score.definition
        assert "95 %" in score.definition
        json.dumps(score.to_dict(), allow_nan=False)
    fractions = [done for _, done in stages]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert "small" in scores["recall"].note


def test_a_prepared_reference_changes_nothing(network: FeatureNetwork, rng: np.random.Generator) -> None:
    images, real, train = _blobs(rng, 30), _blobs(rng, 40), _blobs(rng, 50)
    prepared = prepare_reference(real, train, network=network)
    direct = evaluate_images(images, real, train, network=network)
    again = evaluate_images(images, prepared)
    assert [str(score) for score in again.values()] == [str(score) for score in direct.values()]
    assert set(evaluate_images(images, prepare_reference(real, network=network))) == _SET_SCORES


def test_real_digits_beat_damaged_ones(mnist: ImageSet) -> None:
    test, train = mnist.test_images / np.float32(255.0), mnist.train_images[:2000] / np.float32(255.0)
    reference = prepare_reference(test[:400], train)
    real = evaluate_images(test[400:800], reference)
    noise = np.random.default_rng(1).normal(0.0, 0.3, size=(400, 28, 28))
    noisy = evaluate_images(np.clip(test[400:800] + noise, 0.0, 1.0), reference)
    one_digit = evaluate_images(test[:6000][mnist.test_labels[:6000] == 3][:400], reference)
    copied = evaluate_images(train[:400], reference)
    assert noisy["frechet_distance"].low > real["frechet_distance"].high
    assert noisy["kernel_distance"].low > real["kernel_distance"].high
    assert noisy["precision"].high < real["precision"].low
    assert one_digit["recall"].high < real["recall"].low
    assert one_digit["coverage"].high < real["coverage"].low
    assert one_digit["class_3"].low > 0.95
    assert one_digit["class_entropy"].high < 0.5
    assert one_digit["diversity"].high < real["diversity"].low
    assert copied["close_copies"].value == 1.0
    assert real["close_copies"].value < 0.05
    assert real["kernel_distance"].low < 0.0 < real["kernel_distance"].high + 0.05


@pytest.mark.parametrize("count", [0, 1, 5])
def test_too_few_images_are_refused(network: FeatureNetwork, rng: np.random.Generator, count: int) -> None:
    enough, few = _blobs(rng, 10), _blobs(rng, 10)[:count]
    with pytest.raises(ArgumentError, match="`images`"):
        evaluate_images(few, enough, network=network)
    with pytest.raises(ArgumentError, match="`reference_images`"):
        evaluate_images(enough, few, network=network)


def test_the_least_number_works(network: FeatureNetwork, rng: np.random.Generator) -> None:
    assert set(evaluate_images(_blobs(rng, 6), _blobs(rng, 6), network=network)) == _SET_SCORES


def test_bad_arguments_are_named(network: FeatureNetwork, rng: np.random.Generator) -> None:
    images = _blobs(rng, 8)
    with pytest.raises(ArgumentError, match=r"`train_images`.*\(3, 14, 14\)"):
        evaluate_images(images, images, np.zeros((3, 14, 14)), network=network)
    with pytest.raises(ArgumentError, match="`held_out`"):
        prepare_reference(images, network=network, held_out=0)
    prepared = prepare_reference(images, network=network)
    with pytest.raises(ArgumentError, match=r"`network`.*left out"):
        evaluate_images(images, prepared, network=network)


def test_scores_of_ready_features_need_no_torch() -> None:
    """Start-up time: torch takes seconds to import, and only the networks need it."""
    rooms = ("score", "frechet", "kernel", "manifold", "classes", "nearest", "randomness", "evaluate")
    imports = "; ".join(f"import ferrogen.metrics.{room}" for room in rooms)
    code = f"import sys; {imports}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
