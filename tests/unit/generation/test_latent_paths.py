"""Ways through the latent space."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ferrogen.chip.chip import Chip
from ferrogen.core.errors import ArgumentError
from ferrogen.generation.generator import ChipGenerator
from ferrogen.generation.latent_paths import interpolate, linear_path, sensitivity, spherical_path, traverse
from ferrogen.generation.model import VAE, VAESpec, initialise


@pytest.fixture(scope="module")
def generator() -> ChipGenerator:
    model = VAE(VAESpec(latent=4, hidden=(32,), encoder_channels=(2, 2, 2)))
    initialise(model, torch.Generator().manual_seed(3))
    with torch.no_grad():
        model.decoder.layers[0].weight[:, 2] = 0.0  # a latent that changes nothing
        model.decoder.layers[0].weight[:, 1] *= 5.0  # and one that changes most
    return ChipGenerator(model.eval(), Chip("hzo-mfis-nor", seed=1))


def rotation(first: np.ndarray, last: np.ndarray, share: float) -> np.ndarray:
    """Rotate ``first`` towards ``last`` by a share of their angle, in the plane that Gram and Schmidt give."""
    one = first / np.linalg.norm(first)
    across = last - (last @ one) * one
    across /= np.linalg.norm(across)
    angle = share * np.arccos(one @ last / np.linalg.norm(last))
    return np.cos(angle) * one + np.sin(angle) * across


@given(st.integers(0, 2**32 - 1), st.integers(2, 12), st.integers(2, 30))
@settings(max_examples=60)
def test_the_spherical_way_is_a_rotation_and_its_length_changes_evenly(seed: int, steps: int, size: int) -> None:
    start, end = np.random.default_rng(seed).standard_normal((2, size))
    if abs(start @ end) > 0.9999 * np.linalg.norm(start) * np.linalg.norm(end):
        return
    way = spherical_path(start, end, steps)
    assert way[0] == pytest.approx(start)
    assert way[-1] == pytest.approx(end)
    lengths = np.linalg.norm(way, axis=1)
    assert lengths == pytest.approx(np.linspace(np.linalg.norm(start), np.linalg.norm(end), steps))
    for point, length, share in zip(way, lengths, np.linspace(0, 1, steps), strict=True):
        assert point / length == pytest.approx(rotation(start, end, share), abs=1e-6)


def test_a_straight_way_passes_nearer_to_the_origin() -> None:
    start, end = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    assert linear_path(start, end, 3)[1] == pytest.approx([0.5, 0.5])
    assert spherical_path(start, end, 3)[1] == pytest.approx([np.sqrt(0.5), np.sqrt(0.5)])
    assert spherical_path(start, 2 * start, 3)[1] == pytest.approx([1.5, 0.0])


@pytest.mark.parametrize(
    ("start", "end", "steps", "says"),
    [([1.0, 0.0], [-2.0, 0.0], 5, "opposite"), ([0.0, 0.0], [1.0, 0.0], 5, "direction"), ([1.0], [2.0], 1, "from 2")],
)
def test_no_way_leads_there(start: list[float], end: list[float], steps: int, says: str) -> None:
    with pytest.raises(ArgumentError, match=says):
        spherical_path(np.array(start), np.array(end), steps)


def test_rows_begin_and_end_at_the_chips_latents(generator: ChipGenerator) -> None:
    done: list[int] = []
    found = interpolate(generator, [(3, 17), (17, 5)], steps=4, progress=done.append)
    assert found.images.shape == found.ideal.shape == (2, 4, 28, 28)
    assert found.latents[0, 0] == pytest.approx(generator.draw_latents(3, 1)[0], abs=1e-6)
    assert found.latents[0, -1] == pytest.approx(generator.draw_latents(17, 1)[0], abs=1e-6)
    assert found.latents[1, 0] == pytest.approx(found.latents[0, -1], abs=1e-6)
    assert found.rows == ("3 to 17", "17 to 5")
    assert sum(done) == 8
    flat = found.latents.reshape(-1, 4)
    # The frames are the chip's images after the last of those they lie between.
    assert np.array_equal(found.images.reshape(-1, 28, 28), generator.decode(flat, np.arange(18, 26)))
    assert np.array_equal(found.ideal.reshape(-1, 28, 28), generator.decode_ideally(flat))
    assert found.record["latent_rows"]["rms_difference_from_ideal"] > 0
    straight = interpolate(generator, [(3, 17)], steps=3, linear=True)
    assert straight.latents[0, 1] == pytest.approx((flat[0] + flat[3]) / 2, abs=1e-6)


@pytest.mark.parametrize("pairs", [[], [(1, 1)], [(-1, 2)], [(0, 2**50)], [(True, 2)]])
def test_unusable_pairs_are_refused(generator: ChipGenerator, pairs: list[tuple[int, int]]) -> None:
    with pytest.raises(ArgumentError, match="between"):
        interpolate(generator, pairs)
    with pytest.raises(ArgumentError, match="at most 10000 images"):
        interpolate(generator, [(0, 1), (2, 3)], steps=6000)


def test_the_strongest_latents_come_first(generator: ChipGenerator) -> None:
    found = traverse(generator, most=3, columns=5, image=6)
    facts = found.record["latent_rows"]
    assert facts["latents"][0] == 1
    assert 2 not in facts["latents"]
    strengths = facts["sensitivity"]["values"]
    assert strengths[2] == 0.0
    assert strengths == pytest.approx(sensitivity(generator, generator.draw_latents(6, 1)[0], np.linspace(-3, 3, 5)))
    # By hand, for one row: deviation of each pixel along it, then the root mean square over pixels.
    assert np.sqrt(np.mean(np.std(found.ideal[0], axis=0) ** 2)) == pytest.approx(strengths[1], rel=1e-5)
    held = generator.draw_latents(6, 1)[0]
    assert found.latents[0, :, 1] == pytest.approx([-3, -1.5, 0, 1.5, 3])
    for other in (0, 2, 3):
        assert (found.latents[0, :, other] == held[other]).all()


def test_given_latents_about_zero(generator: ChipGenerator) -> None:
    found = traverse(generator, [3, 0], image=None, columns=3, reach=2.0)
    assert found.latents.tolist() == [
        [[0, 0, 0, -2], [0, 0, 0, 0], [0, 0, 0, 2]],
        [[-2, 0, 0, 0], [0, 0, 0, 0], [2, 0, 0, 0]],
    ]
    assert found.record["latent_rows"]["held_at"] == "zero"


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"latents": [4]}, "latents"),
        ({"latents": []}, "latents"),
        ({"latents": [1, 1]}, "latents"),
        ({"reach": 0.0}, "reach"),
        ({"reach": float("nan")}, "reach"),
        ({"columns": 1}, "columns"),
        ({"most": 0}, "most"),
        ({"image": -1}, "image"),
    ],
)
def test_unusable_traversals_are_refused(generator: ChipGenerator, arguments: dict[str, object], name: str) -> None:
    with pytest.raises(ArgumentError, match=f"`{name}` must"):
        traverse(generator, **arguments)  # type: ignore[arg-type]
