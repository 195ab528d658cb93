from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ferrogen.core.errors import ArgumentError, OutputError
from ferrogen.generation.datasets.image_set import ImageSet
from ferrogen.generation.train_features import test_accuracy as accuracy_of
from ferrogen.generation.train_features import train_features
from ferrogen.metrics.features import feature_network_metadata, load_feature_network


def _bars(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Ten classes that are easy to tell apart: a bright bar whose row is the class."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, size=count)
    images = rng.integers(0, 40, size=(count, 28, 28))
    for image, label in zip(images, labels, strict=True):
        image[2 * label + 3 : 2 * label + 5, 4:24] = 255
    return images.astype(np.uint8), labels.astype(np.uint8)


@pytest.fixture(scope="module")
def data() -> ImageSet:
    return ImageSet(*_bars(640, 0), *_bars(200, 1))


def test_training_learns_and_describes_itself(data: ImageSet, tmp_path: Path) -> None:
    before = torch.get_rng_state().clone()
    threads = torch.get_num_threads()
    first = train_features(data, tmp_path / "a.safetensors", epochs=3, seed=5)
    assert torch.equal(before, torch.get_rng_state())
    assert torch.get_num_threads() == threads
    score = accuracy_of(load_feature_network(first), data)
    assert score.value > 0.5  # bars shift by as much as their distance, so not all can be told apart
    facts = feature_network_metadata(first)
    assert facts["test_accuracy"] == f"{score.value:.4f}"
    assert "not MNIST" in facts["data"]
    card = (tmp_path / "a.md").read_text(encoding="utf-8")
    assert "ferrogen train --model features --data FOLDER --out a.safetensors --epochs 3 --seed 5" in card
    assert "MNIST training images" not in card


def test_equal_seeds_give_equal_files(tmp_path: Path) -> None:
    few = ImageSet(*_bars(256, 0), *_bars(20, 1))
    first, again, other = (
        train_features(few, tmp_path / f"{name}.safetensors", epochs=1, seed=seed).read_bytes()
        for name, seed in (("a", 5), ("b", 5), ("c", 6))
    )
    assert again == first
    assert other != first


def test_bad_arguments_are_named(data: ImageSet, tmp_path: Path) -> None:
    out = tmp_path / "x.safetensors"
    few = ImageSet(np.zeros((180, 32, 32), np.uint8), data.train_labels[:180], data.test_images, data.test_labels)
    many = ImageSet(data.train_images, data.train_labels.astype(np.int64) + 995, data.test_images, data.test_labels)
    for argument, call in {
        "epochs": lambda: train_features(data, out, epochs=0),
        "out": lambda: train_features(data, tmp_path / "x.pth"),
        "seed": lambda: train_features(data, out, seed=-1),
        "data` must hold": lambda: train_features(few, out),
        "data` must have labels": lambda: train_features(many, out),
    }.items():
        with pytest.raises(ArgumentError, match=f"`{argument}"):
            call()
    assert not list(tmp_path.iterdir())


def test_an_unwritable_folder_is_found_before_the_work(data: ImageSet, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="Choose a writable folder"):
        train_features(data, tmp_path / "file" / "x.safetensors", epochs=1000)


def test_other_classes_are_counted_and_named(tmp_path: Path) -> None:
    images, labels = _bars(200, 0)
    names = ("shirt", "shoe", "bag", "coat")
    wardrobe = ImageSet(images, labels % 4, images[:20], labels[:20] % 4, class_names=names)
    network = load_feature_network(train_features(wardrobe, tmp_path / "w.safetensors", epochs=1))
    assert network.class_count == 4
    assert network.class_names == names
    assert network.extract(images[:3] / 255.0).class_probabilities.shape == (3, 4)
    assert "shirt, shoe, bag, coat" in (tmp_path / "w.md").read_text(encoding="utf-8")


def test_pictures_without_labels_train_a_network_without_classes(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    pictures = rng.integers(0, 256, size=(190, 16, 16, 3)).astype(np.uint8)
    data = ImageSet(pictures, None, pictures[:10], None)
    before = torch.get_rng_state().clone()
    first, again, other = (
        train_features(data, tmp_path / f"{name}.safetensors", epochs=1, seed=seed)
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    assert torch.equal(before, torch.get_rng_state())
    assert first.read_bytes() == again.read_bytes() != other.read_bytes()
    network = load_feature_network(first)
    found = network.extract(np.concatenate([pictures, pictures[:, :, ::-1]]) / 255.0)
    assert found.probabilities is None
    assert network.class_count == 0
    assert np.abs(found.features.mean(axis=0)).max() < 0.01  # standardised on the pictures and their mirror images
    assert found.features.std(axis=0) == pytest.approx(np.ones(96), abs=0.01)
    card = (tmp_path / "a.md").read_text(encoding="utf-8")
    assert "not recognised" in card
    assert "no classes" in card
