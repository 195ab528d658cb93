"""Whatever arrays come in: a score with its interval, or one line that names the argument."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ferrogen.core.errors import ArgumentError, DataFileError
from ferrogen.metrics.checks import check_images, check_matrix, check_pictures, check_probabilities
from ferrogen.metrics.classes import class_entropy, class_histogram, classifier_confidence, diversity
from ferrogen.metrics.frechet import frechet_distance
from ferrogen.metrics.kernel import kernel_distance
from ferrogen.metrics.manifold import density_coverage, precision_recall
from ferrogen.metrics.nearest import nearest_training_distance
from ferrogen.metrics.randomness import latent_statistics
from ferrogen.metrics.score import Score
from ferrogen.metrics.tensor_file import check_size

_VALUES = st.sampled_from([0.0, 1.0, 0.25, 0.5, -3.0, 1e6, 300.0, math.nan, math.inf])
_SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=6)
_ANY = _SHAPES.flatmap(lambda shape: hnp.arrays(np.float64, shape, elements=_VALUES))
_MATRIX = st.tuples(st.integers(0, 20), st.integers(0, 3)).flatmap(
    lambda shape: hnp.arrays(np.float64, shape, elements=st.floats(-5, 5))
)
_INPUT = st.one_of(_ANY, _MATRIX)


def _one_line(error: ArgumentError, *names: str) -> None:
    text = str(error)
    assert "\n" not in text
    assert any(f"`{name}`" in text for name in names), text


def _judge(scores: Callable[[], Iterable[Score]], *names: str) -> None:
    try:
        found = list(scores())
    except ArgumentError as error:
        _one_line(error, *names)
        return
    for score in found:
        assert score.n >= 1
        if math.isnan(score.value) or math.isnan(score.low):
            assert score.note, score
        else:
            assert score.low <= score.value <= score.high, score
        assert score.definition


@st.composite
def _pairs(draw: st.DrawFn) -> tuple[Any, Any]:
    """Two sets that fit each other: few distinct values, so that ties and equal rows are common."""
    columns = draw(st.integers(1, 3))
    elements = draw(st.sampled_from([st.integers(0, 1).map(float), st.floats(-5, 5), st.floats(-1e4, 1e4)]))
    sizes = st.integers(1, 20)
    first, second = (draw(hnp.arrays(np.float64, (draw(sizes), columns), elements=elements)) for _ in range(2))
    return first, second


@settings(deadline=None)
@given(_pairs())
def test_fitting_sets_are_scored(pair: tuple[Any, Any]) -> None:
    a, b = pair
    if min(len(a), len(b)) >= 4:  # what is enough for all of them must not be refused
        scores = [frechet_distance(a, b, resamples=5), kernel_distance(a, b)]
        scores += [*precision_recall(a, b), *density_coverage(a, b, k=3)]
        _judge(lambda: scores)
        assert precision_recall(a, a)[0].value == precision_recall(a, a)[1].value == 1.0
        assert frechet_distance(a, a, resamples=5).value <= 1e-6 * (1.0 + np.abs(a).max() ** 2)
    labels, other_labels = (np.arange(len(x)) % 2 for x in pair)
    _judge(lambda: diversity(a, labels, b, other_labels), "features", "reference")


@settings(deadline=None)
@given(_INPUT, _INPUT)
def test_distances_of_any_arrays(a: Any, b: Any) -> None:
    _judge(lambda: [frechet_distance(a, b, resamples=5)], "features_a", "features_b")
    _judge(lambda: [kernel_distance(a, b)], "features_a", "features_b")


@settings(deadline=None)
@given(_INPUT, _INPUT, st.integers(-1, 4))
def test_manifolds_of_any_arrays(a: Any, b: Any, k: int) -> None:
    _judge(lambda: precision_recall(a, b, k=k), "features", "reference", "k")
    _judge(lambda: density_coverage(a, b, k=k), "features", "reference", "k")


@settings(deadline=None)
@given(_INPUT, hnp.arrays(np.int64, hnp.array_shapes(max_dims=1, max_side=20), elements=st.integers(0, 2)))
def test_diversity_of_any_arrays(a: Any, labels: Any) -> None:
    names = ("features", "reference", "labels", "reference_labels")
    _judge(lambda: diversity(a, labels, a, labels), *names)


@settings(deadline=None)
@given(_INPUT)
def test_classes_of_any_arrays(p: Any) -> None:
    _judge(lambda: class_histogram(p).values(), "probabilities")
    _judge(lambda: [class_entropy(p), classifier_confidence(p)], "probabilities")


@settings(deadline=None)
@given(st.integers(1, 12).flatmap(lambda n: hnp.arrays(np.float64, (n, 3), elements=st.floats(0.01, 1))))
def test_classes_of_any_probabilities(p: Any) -> None:
    p = p / p.sum(axis=1, keepdims=True)
    scores = [class_entropy(p), classifier_confidence(p), *class_histogram(p).values()]
    _judge(lambda: scores)
    assert sum(score.value for score in scores[2:]) == pytest.approx(1.0)


@settings(deadline=None)
@given(_INPUT, _INPUT, _INPUT)
def test_nearest_of_any_arrays(a: Any, b: Any, c: Any) -> None:
    names = ("images", "train_images", "held_out")
    _judge(lambda: list(nearest_training_distance(a, b, c).scores.values()), *names)


@settings(max_examples=50, deadline=None)
@given(st.one_of(_INPUT, hnp.arrays(np.float64, (40, 3), elements=_VALUES)), st.integers(-1, 12))
def test_latents_of_any_arrays(z: Any, lag: int) -> None:
    _judge(lambda: latent_statistics(z, lags=(lag,)).values(), "z", "lags")


@settings(deadline=None)
@given(_INPUT)
def test_checked_images_are_what_they_say(images: Any) -> None:
    try:
        checked = check_images("images", images)
    except ArgumentError as error:
        _one_line(error, "images")
        return
    assert checked.dtype == np.float32
    assert checked.ndim == 3
    assert checked.min() >= 0.0
    assert checked.max() <= 1.0


@settings(deadline=None)
@given(_INPUT, st.booleans())
def test_checked_pictures_are_what_they_say(pictures: Any, square: bool) -> None:
    try:
        checked = check_pictures("pictures", pictures, square=square)
    except ArgumentError as error:
        _one_line(error, "pictures")
        return
    assert checked.dtype == np.float32
    assert checked.ndim == 3 or (checked.ndim == 4 and checked.shape[3] == 3)
    assert not square or checked.shape[1] == checked.shape[2]
    assert checked.min() >= 0.0
    assert checked.max() <= 1.0


@pytest.mark.parametrize(
    ("images", "must_say"),
    [
        (np.zeros((28, 28)), r"\(n, 28, 28\).*shape \(28, 28\)"),
        (np.zeros((0, 28, 28)), "at least one image"),
        (np.zeros((2, 14, 28)), r"shape \(2, 14, 28\)"),
        (np.full((2, 28, 28), 255.0), "Divide 8-bit images by 255"),
        (np.full((2, 28, 28), -0.5), "from -0.5 to -0.5.*Clip"),
        (np.full((2, 28, 28), np.nan), "NaN or infinite in 1568 of 1568"),
        (np.zeros((2, 28, 28), dtype=complex), "complex128"),
        ([["a"]], "real numbers"),
        ([[1.0], [1.0, 2.0]], "real numbers"),
        (None, "real numbers"),
    ],
)
def test_image_messages_name_the_remedy(images: Any, must_say: str) -> None:
    with pytest.raises(ArgumentError, match=f"(?s)`images`.*{must_say}"):
        check_images("images", images, height=28, width=28)


def test_matrix_and_probability_messages() -> None:
    with pytest.raises(ArgumentError, match=r"`f` must have 3 columns.*\(2, 4\)"):
        check_matrix("f", np.zeros((2, 4)), columns=3)
    with pytest.raises(ArgumentError, match=r"`f` must have at least 5 rows.*Give more samples"):
        check_matrix("f", np.zeros((2, 4)), rows=5)
    with pytest.raises(ArgumentError, match=r"`p`.*Apply a softmax"):
        check_probabilities("p", [[0.7, 0.7]])
    assert check_matrix("f", np.zeros((2, 4), dtype=np.float32)).dtype == np.float64


def test_a_weight_file_that_is_none_is_refused_once(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty").touch()
    for name, end in (
        ("absent", "does not exist. Check the path."),
        ("folder", "is not a file. Give the path of a regular file."),
        ("empty", "has 0 bytes; between 1 and 10 are expected. Is it the right file?"),
    ):
        with pytest.raises(DataFileError) as caught:
            check_size(tmp_path / name, what="Weights", limit=10)
        assert str(caught.value) == f"Weights '{tmp_path / name}' {end}"
    for strange in ("x" * 5000, "a\0b"):
        with pytest.raises(DataFileError, match="cannot be read"):
            check_size(tmp_path / strange, what="Weights", limit=10)
