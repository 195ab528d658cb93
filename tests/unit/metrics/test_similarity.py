"""Structural similarity against its definition, written out pixel by pixel."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ferrogen.core.errors import ArgumentError
from ferrogen.metrics import similarity
from ferrogen.metrics.similarity import multiscale_similarity, pair_similarity


def _slow(x: np.ndarray, y: np.ndarray) -> float:
    """MS-SSIM of two grey pictures (Wang 2003, equations 1 to 7), in loops over windows."""
    betas = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333]
    scales = 1
    while scales < 5 and min(x.shape) >> scales >= 4:
        scales += 1
    total = sum(betas[:scales])
    result = 1.0
    for scale in range(scales):
        size_r, size_c = min(11, x.shape[0]), min(11, x.shape[1])
        weight = np.empty((size_r, size_c))
        for r in range(size_r):
            for c in range(size_c):
                dr, dc = (r - (size_r - 1) / 2) / size_r, (c - (size_c - 1) / 2) / size_c
                weight[r, c] = math.exp(-(dr * dr + dc * dc) / (2 * (1.5 / 11) ** 2))
        weight /= weight.sum()
        terms = []
        for r in range(x.shape[0] - size_r + 1):
            for c in range(x.shape[1] - size_c + 1):
                a, b = x[r : r + size_r, c : c + size_c], y[r : r + size_r, c : c + size_c]
                mean_a, mean_b = (weight * a).sum(), (weight * b).sum()
                var_a, var_b = (weight * (a - mean_a) ** 2).sum(), (weight * (b - mean_b) ** 2).sum()
                cov = (weight * (a - mean_a) * (b - mean_b)).sum()
                term = (2 * cov + 0.03**2) / (var_a + var_b + 0.03**2)
                if scale == scales - 1:
                    term *= (2 * mean_a * mean_b + 0.01**2) / (mean_a**2 + mean_b**2 + 0.01**2)
                terms.append(term)
        result *= max(0.0, float(np.mean(terms))) ** (betas[scale] / total)
        x, y = (
            np.array(
                [
                    [p[2 * r : 2 * r + 2, 2 * c : 2 * c + 2].mean() for c in range(p.shape[1] // 2)]
                    for r in range(p.shape[0] // 2)
                ]
            )
            for p in (x, y)
        )
    return result


@pytest.mark.parametrize("shape", [(28, 28), (13, 18), (9, 4)])
def test_agrees_with_the_definition(rng: np.random.Generator, shape: tuple[int, int]) -> None:
    first = rng.random((3, *shape))
    second = np.clip(0.7 * first + 0.3 * rng.random((3, *shape)), 0.0, 1.0)
    # The public function takes float32.
    first, second = first.astype(np.float32).astype(float), second.astype(np.float32).astype(float)
    expected = [_slow(a, b) for a, b in zip(first, second, strict=True)]
    assert multiscale_similarity(first, second) == pytest.approx(expected, rel=1e-9)
    assert max(expected) < 0.99


def test_all_five_scales_and_colours(rng: np.random.Generator) -> None:
    """Whole scales of 64 pixels; colours are averaged; the result does not depend on chunks."""
    first = rng.random((2, 64, 64, 3)).astype(np.float32)
    second = (0.5 * first + 0.25).astype(np.float32)
    found = multiscale_similarity(first, second)
    colours = [multiscale_similarity(first[..., c], second[..., c]) for c in range(3)]
    assert found == pytest.approx(np.mean(colours, axis=0), rel=1e-12)
    assert found[0] == pytest.approx(
        np.mean([_slow(first[0, ..., c].astype(float), second[0, ..., c].astype(float)) for c in range(3)]), rel=1e-8
    )


def test_chunks_do_not_matter(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = rng.random((5, 12, 12)), rng.random((5, 12, 12))
    whole = multiscale_similarity(first, second)
    monkeypatch.setattr(similarity, "_CHUNK_VALUES", 2 * 144)
    assert multiscale_similarity(first, second) == pytest.approx(whole, rel=1e-12)


def test_equal_pictures_and_symmetry(rng: np.random.Generator) -> None:
    first, second = rng.random((4, 16, 16)), rng.random((4, 16, 16))
    assert multiscale_similarity(first, first) == pytest.approx(np.ones(4), abs=1e-12)
    assert multiscale_similarity(first, second) == pytest.approx(multiscale_similarity(second, first), rel=1e-12)
    assert np.all(multiscale_similarity(first, 1.0 - first) == 0.0)  # structure inverted: clipped, not complex


def test_a_collapsed_set_is_less_diverse(rng: np.random.Generator) -> None:
    diverse = rng.random((60, 16, 16))
    collapsed = np.clip(diverse[:1] + rng.normal(0.0, 0.05, (60, 16, 16)), 0.0, 1.0)
    high, low = pair_similarity(collapsed), pair_similarity(diverse)
    assert high.low > low.high
    assert low.n == 60
    assert "30 disjoint" in low.definition
    assert pair_similarity(diverse, seed=3).value != low.value
    assert pair_similarity(diverse).value == low.value
    assert pair_similarity(np.repeat(diverse[:1], 9, axis=0)).value == pytest.approx(1.0)


def test_interval_covers_the_mean_of_all_pairs(rng: np.random.Generator) -> None:
    """False alarm below 1e-3: the interval is stretched to 3.5 standard errors."""
    pictures = rng.random((80, 8, 8))
    one, other = np.triu_indices(80, 1)
    truth = multiscale_similarity(pictures[one], pictures[other]).mean()
    found = pair_similarity(pictures, seed=1)
    assert abs(found.value - truth) < 3.5 / 1.96 * (found.high - found.low) / 2.0


def test_refusals_name_the_argument(rng: np.random.Generator) -> None:
    pictures = rng.random((6, 8, 8))
    for argument, call in {
        "first": lambda: multiscale_similarity(pictures[:, :3], pictures[:, :3]),
        "second": lambda: multiscale_similarity(pictures, pictures[:5]),
        "pictures": lambda: pair_similarity(pictures[:3]),
    }.items():
        with pytest.raises(ArgumentError, match=f"`{argument}`"):
            call()
    with pytest.raises(ArgumentError, match="`second`"):
        multiscale_similarity(pictures, np.stack([pictures] * 3, axis=-1))
