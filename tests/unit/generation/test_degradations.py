"""Damages that the feature network learns to name: each does what it says, more with more strength."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import fft, ndimage

from ferrogen.generation.degradations import (
    DEGRADATIONS,
    blend,
    blur,
    colour_shift,
    mirrored_half,
    noise,
    patch_swap,
    quantisation,
)


@pytest.fixture
def pictures() -> torch.Tensor:
    rng = np.random.default_rng(2)
    smooth = ndimage.gaussian_filter(rng.random((4, 3, 64, 64)), (0, 0, 2, 2))
    low, high = smooth.min(), smooth.max()
    return torch.from_numpy(((smooth - low) / (high - low)).astype(np.float32))


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(1)


@pytest.mark.parametrize("degradation", DEGRADATIONS)
def test_more_strength_is_more_change(degradation: object, pictures: torch.Tensor) -> None:
    assert callable(degradation)
    changes = []
    for strength in (0.0, 0.5, 1.0):
        before = pictures.clone()
        result = degradation(pictures, torch.full((4,), strength), _generator())
        assert torch.equal(before, pictures)
        assert result.shape == pictures.shape
        assert float(result.min()) >= 0.0
        assert float(result.max()) <= 1.0
        changes.append(float((result - pictures).square().mean()))
    assert 0.0 < changes[0] < changes[1] < changes[2]


def test_blur_is_gaussian(pictures: torch.Tensor) -> None:
    strength = torch.tensor([0.0, 0.2, 0.4, 0.6])
    found = blur(pictures, strength, _generator()).numpy()
    for index, amount in enumerate(strength.tolist()):
        deviation = 0.4 + 2.1 * amount
        expected = ndimage.gaussian_filter(
            pictures[index].numpy().astype(float), (0, deviation, deviation), mode="mirror", radius=(0, 6, 6)
        )
        assert found[index] == pytest.approx(expected, abs=1e-5)


def test_noise_has_the_stated_deviation() -> None:
    """Estimated from 49,152 values: five standard errors are 1.6 %."""
    flat = torch.full((4, 3, 64, 64), 0.5)
    found = noise(flat, torch.full((4,), 0.25), _generator()) - 0.5
    assert float(found.std()) == pytest.approx(0.065, rel=0.016)


def test_quantisation_rounds_cosine_coefficients(pictures: torch.Tensor) -> None:
    """SciPy's transform finds multiples of the step; blocks away from 0 and 1, where clipping breaks that."""
    grey = 0.4 + 0.2 * pictures
    found = quantisation(grey, torch.full((4,), 0.2), _generator()).numpy().astype(float)
    block = found[1, 2, 16:24, 40:48]
    coefficients = fft.dctn(block, norm="ortho")
    order = np.arange(8)
    step = (0.05 + 0.25 * 0.2) * (1 + order[:, None] + order[None]) / 4
    assert coefficients / step == pytest.approx(np.round(coefficients / step), abs=1e-3)


def test_swapped_patches_are_the_same_patches(pictures: torch.Tensor) -> None:
    found = patch_swap(pictures, torch.tensor([0.0, 0.3, 0.7, 1.0]), _generator())

    def patches(image: torch.Tensor) -> list[bytes]:
        corners = [(r, c) for r in range(0, 64, 16) for c in range(0, 64, 16)]
        return [image[:, r : r + 16, c : c + 16].numpy().tobytes() for r, c in corners]

    for image, result, moved in zip(pictures, found, (2, 6, 12, 16), strict=True):
        before, after = patches(image), patches(result)
        assert sorted(before) == sorted(after)
        assert sum(a != b for a, b in zip(before, after, strict=True)) == moved


def test_halves_colours_and_blends(pictures: torch.Tensor) -> None:
    whole = mirrored_half(pictures, torch.ones(4), _generator())
    assert whole == pytest.approx(whole.flip(-1), abs=1e-6)
    assert torch.equal(whole[..., :32], pictures[..., :32])
    mixed = blend(pictures, torch.ones(4), _generator())
    assert mixed.numpy() == pytest.approx((0.5 * (pictures + pictures.roll(1, 0))).numpy(), abs=1e-6)
    grey = torch.full((4, 3, 64, 64), 0.5)
    moved = (colour_shift(grey, torch.ones(4), _generator()) - 0.5).abs()
    assert moved.amax(dim=(1, 2, 3)).numpy() == pytest.approx(np.full(4, 0.3), abs=1e-6)
    assert float(moved.std(dim=(2, 3)).max()) < 1e-6  # one shift for the whole picture
