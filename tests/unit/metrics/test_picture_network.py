"""The network of photographs: what it takes, what it gives, what its files may hold."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from ferrogen.core.errors import ArgumentError, DataFileError
from ferrogen.metrics import features as module
from ferrogen.metrics.evaluate import judge_images, prepare_reference
from ferrogen.metrics.features import (
    METADATA_KEY,
    PictureNetwork,
    feature_network_for,
    feature_network_metadata,
    load_feature_network,
    save_feature_network,
)
from ferrogen.metrics.frechet import feature_moments, frechet_distance
from ferrogen.metrics.nearest import closest_pairs
from ferrogen.metrics.reference import load_reference_moments

CELEBA = Path(__file__).parents[3] / "../shared/data/celeba/celeba_align_10k_89x109.zip"
_COPY_SCORES = {"nearest_training_distance", "nearest_held_out_distance", "close_copies"}
_FEATURE_COPY_SCORES = {
    "nearest_training_feature_distance",
    "nearest_held_out_feature_distance",
    "close_copies_in_features",
}


@pytest.fixture(scope="module")
def faces() -> PictureNetwork:
    found = load_feature_network("faces")
    assert isinstance(found, PictureNetwork)
    return found


def _scenes(rng: np.random.Generator, count: int, side: int = 64) -> np.ndarray:
    """Soft coloured spots, cheap stand-ins for photographs."""
    rows, columns = np.mgrid[:side, :side] / side
    place, colour = rng.uniform(0.2, 0.8, (count, 2, 1, 1)), rng.random((count, 1, 1, 3))
    spots = np.exp(-((rows - place[:, 0]) ** 2 + (columns - place[:, 1]) ** 2) * 20.0)
    return (spots[..., None] * colour).astype(np.float32)


def test_shipped_file_is_small_and_its_card_agrees() -> None:
    folder = Path(module.__file__).parent / "weights"
    assert (folder / "faces-features.safetensors").stat().st_size < 2_000_000
    card, facts = (folder / "faces-features.md").read_text(encoding="utf-8"), feature_network_metadata("faces")
    assert "non-commercial" in card
    for text in (facts["data_sha256"], facts["data"], "not** the\nInception FID", "does not recognise anybody"):
        assert text in card
    assert f"--epochs {facts['epochs']} --seed {facts['seed']}" in card


def test_batches_neighbours_and_random_state_do_not_matter(faces: PictureNetwork, rng: np.random.Generator) -> None:
    pictures = _scenes(rng, 5)
    before = torch.get_rng_state().clone()
    whole, parts = faces.extract(pictures), faces.extract(pictures, batch=2)
    assert torch.equal(before, torch.get_rng_state())
    assert whole.features == pytest.approx(parts.features, abs=1e-4)
    assert whole.features.shape == (5, 96)
    assert whole.features.dtype == np.float64
    assert whole.probabilities is None
    with pytest.raises(ArgumentError, match=r"`network`.*have classes"):
        _ = whole.class_probabilities


def test_grey_pictures_and_other_sides(faces: PictureNetwork, rng: np.random.Generator) -> None:
    grey = _scenes(rng, 3)[..., 0]
    repeated = faces.extract(np.stack([grey] * 3, axis=-1)).features
    assert faces.extract(grey).features == pytest.approx(repeated, abs=1e-4)
    flat = np.full((1, 128, 128, 3), 0.25, dtype=np.float32)
    assert faces.extract(flat).features == pytest.approx(faces.extract(flat[:, :64, :64]).features, abs=1e-3)
    # Whole pixels doubled and halved again are the same picture: the resizing is antialiased.
    doubled = grey.repeat(2, axis=1).repeat(2, axis=2)
    assert np.abs(faces.extract(doubled).features - repeated).max() < 0.5 * repeated.std()


def test_bad_pictures_are_named(faces: PictureNetwork) -> None:
    for bad in (np.zeros((2, 64, 48, 3)), np.zeros((2, 64, 64, 4)), np.zeros((64, 64)), np.zeros((0, 64, 64, 3))):
        with pytest.raises(ArgumentError, match="`pictures`"):
            faces.extract(bad)
    with pytest.raises(ArgumentError, match="`batch`"):
        faces.extract(np.zeros((2, 64, 64, 3)), batch=0)


def test_the_shape_chooses_the_shipped_network() -> None:
    assert feature_network_for((28, 28)).class_count == 10
    assert feature_network_for((64, 64, 3)).class_count == feature_network_for((28, 28, 3)).class_count == 0


def test_own_files_load_and_damaged_ones_do_not(faces: PictureNetwork, tmp_path: Path) -> None:
    path = tmp_path / "own.safetensors"
    save_feature_network(path, faces, {"data": "mine"})
    again = load_feature_network(path)
    assert isinstance(again, PictureNetwork)
    assert torch.equal(again.trunk[7].weight, faces.trunk[7].weight)
    assert feature_network_metadata(path)["data"] == "mine"
    tensors = {name: value.contiguous() for name, value in faces.state_dict().items()}
    for metadata in ({"version": "1"}, {"version": "2", "network": "pictures"}, {"version": "1", "classes": "1"}):
        save_file(tensors, path, {METADATA_KEY: json.dumps(metadata)})
        with pytest.raises(DataFileError) as caught:
            load_feature_network(path)
        assert "\n" not in str(caught.value)
    for classes in ("-3", "99999", "ten", "1e2"):
        save_file(tensors, path, {METADATA_KEY: json.dumps({"version": "1", "classes": classes})})
        with pytest.raises(DataFileError, match="classes"):
            load_feature_network(path)


def test_scores_of_pictures_without_classes(faces: PictureNetwork, rng: np.random.Generator) -> None:
    stages: list[float] = []
    train, real = _scenes(rng, 30), _scenes(rng, 20)
    images = np.concatenate([_scenes(rng, 6), train[3:5, :, ::-1]])  # two mirrored copies
    found = judge_images(images, real, train, network=faces, progress=lambda _stage, done: stages.append(done))
    assert _COPY_SCORES | _FEATURE_COPY_SCORES | {"ms_ssim", "ms_ssim_held_out", "diversity"} <= set(found.scores)
    assert not {name for name in found.scores if "class" in name}  # never faked
    for name, score in found.scores.items():
        assert score.name == name
        assert score.low <= score.value <= score.high
        json.dumps(score.to_dict(), allow_nan=False)
    assert stages == sorted(stages)
    for nearest in (found.nearest, found.nearest_in_features):
        assert nearest is not None
        assert nearest.distances[6:] == pytest.approx(np.zeros(2), abs=1e-4)
        assert list(nearest.indices[6:]) == [3, 4]
        assert nearest.mirrored[6:].all()
        pairs = closest_pairs(images, train, nearest, count=2)
        assert pairs.shape == (2, 2, 64, 64, 3)
        assert np.array_equal(pairs[0], pairs[1])
    assert found.scores["close_copies"].value >= 0.25


def test_a_prepared_reference_changes_nothing(faces: PictureNetwork, rng: np.random.Generator) -> None:
    train, real, images = _scenes(rng, 20, 32), _scenes(rng, 12, 32), _scenes(rng, 8, 32)
    prepared = prepare_reference(real, train, network=faces)
    assert judge_images(images, prepared).scores == judge_images(images, real, train, network=faces).scores
    with pytest.raises(ArgumentError, match="`images`"):
        judge_images(images[:, :16, :16], prepared)


@pytest.fixture(scope="module")
def held_out() -> np.ndarray:
    if not CELEBA.is_file():
        pytest.skip("needs the CelebA archive in ../shared/data/celeba")
    import io
    import zipfile

    from PIL import Image

    pictures = []
    with zipfile.ZipFile(CELEBA) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))[8000:8600]
        for name in names:
            image = Image.open(io.BytesIO(archive.read(name))).convert("RGB")
            left, top = (image.width - 74) // 2, (image.height - 74) // 2
            box = (left, top, left + 74, top + 74)
            pictures.append(np.asarray(image.resize((64, 64), Image.Resampling.LANCZOS, box=box)))
    return np.stack(pictures).astype(np.float32) / 255.0


def test_held_out_faces_are_standardised_and_near_the_shipped_moments(
    faces: PictureNetwork, held_out: np.ndarray
) -> None:
    features = faces.extract(held_out).features
    moments = load_reference_moments("faces")
    assert moments.count == 2000
    assert features.std(axis=0).min() > 0.7
    assert features.std(axis=0).max() < 1.3
    # 600 of the 2000 themselves: within 4.5 standard errors of the mean in all 96 (false alarm below 1e-3).
    error = np.sqrt(np.diag(moments.covariance) / 600 * (1 - 600 / 2000))
    assert np.abs((features.mean(axis=0) - moments.mean) / error).max() < 4.5


def test_the_distance_sees_damage(faces: PictureNetwork, held_out: np.ndarray) -> None:
    from scipy.ndimage import gaussian_filter

    one, other = held_out[:200], feature_moments(faces.extract(held_out[200:]).features)

    def distance(pictures: np.ndarray) -> float:
        found = faces.extract(np.clip(pictures, 0.0, 1.0).astype(np.float32)).features
        return frechet_distance(found, other, resamples=2).value

    floor = distance(one)
    noise = np.random.default_rng(0).normal(size=one.shape)
    for damaged in (
        [gaussian_filter(one, (0, s, s, 0)) for s in (0.7, 1.5)],
        [one + s * noise for s in (0.05, 0.15)],
        [one + s * np.array([1.0, 0.0, -1.0]) for s in (0.05, 0.15)],
        [one[np.arange(200) % k] for k in (40, 8)],
    ):
        values = [floor, *(distance(pictures) for pictures in damaged)]
        assert values == sorted(values)
        assert values[-1] > 1.5 * floor
