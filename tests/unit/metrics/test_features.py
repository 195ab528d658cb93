from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from ferrogen.core.errors import ArgumentError, DataFileError
from ferrogen.generation.datasets.image_set import ImageSet
from ferrogen.metrics.features import (
    METADATA_KEY,
    FeatureNetwork,
    feature_network_metadata,
    load_feature_network,
)
from ferrogen.metrics.frechet import frechet_distance


def _refusal(path: Path) -> str:
    with pytest.raises(DataFileError) as caught:
        load_feature_network(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def test_shipped_network_classifies_as_its_card_says(network: FeatureNetwork, mnist: ImageSet) -> None:
    images, labels = mnist.test_images[:2000] / 255.0, mnist.test_labels[:2000]
    found = network.extract(images)
    accuracy = np.mean(found.probabilities.argmax(axis=1) == labels)
    stated = float(feature_network_metadata()["test_accuracy"])
    assert stated >= 0.99
    assert accuracy == pytest.approx(stated, abs=0.006)  # 2000 images: three standard errors are 0.0045


def test_features_are_standardised_on_digits(network: FeatureNetwork, mnist: ImageSet) -> None:
    features = network.extract(mnist.train_images[:2000] / 255.0).features
    assert np.abs(features.mean(axis=0)).max() < 0.5
    assert features.std(axis=0).min() > 0.7  # no dead direction
    assert features.std(axis=0).max() < 1.3


def test_frechet_distance_grows_with_damage(network: FeatureNetwork, mnist: ImageSet) -> None:
    images, others = mnist.test_images[:1000] / 255.0, mnist.test_images[1000:2000] / 255.0
    reference = network.extract(others).features
    noise = np.random.default_rng(0).normal(size=images.shape)
    values = [
        frechet_distance(network.extract(np.clip(images + level * noise, 0, 1)).features, reference, resamples=2).value
        for level in (0.0, 0.1, 0.2, 0.4)
    ]
    assert values == sorted(values)
    assert values[-1] > 5.0 * values[0]


def test_batches_and_neighbours_do_not_matter(network: FeatureNetwork, rng: np.random.Generator) -> None:
    images = rng.random((7, 28, 28))
    whole, parts = network.extract(images), network.extract(images, batch=3)
    assert whole.features == pytest.approx(parts.features, abs=1e-5)
    assert network.extract(images[4:5]).features[0] == pytest.approx(whole.features[4], abs=1e-5)
    assert whole.features.shape == (7, 64)
    assert whole.features.dtype == whole.probabilities.dtype == np.float64
    assert whole.probabilities.sum(axis=1) == pytest.approx(np.ones(7), abs=1e-12)


def test_loading_and_extracting_leave_global_random_state_alone(rng: np.random.Generator) -> None:
    before = torch.get_rng_state().clone()
    load_feature_network().extract(rng.random((2, 28, 28)))
    assert torch.equal(before, torch.get_rng_state())


def test_bad_images_are_named(network: FeatureNetwork) -> None:
    with pytest.raises(ArgumentError, match=r"`pictures`.*\(n, 28, 28\)"):
        network.extract(np.zeros((3, 32, 32)))
    with pytest.raises(ArgumentError, match=r"`batch`.*at least 1"):
        network.extract(np.zeros((3, 28, 28)), batch=0)


def test_card_and_metadata_agree_and_the_file_is_small() -> None:
    from ferrogen.metrics import features

    folder = Path(features.__file__).parent / "weights"
    assert (folder / "mnist-features.safetensors").stat().st_size < 2_000_000
    card, facts = (folder / "mnist-features.md").read_text(encoding="utf-8"), feature_network_metadata()
    assert f"{100 * float(facts['test_accuracy']):.2f} %" in card
    assert facts["data_licence"] == "CC BY-SA 3.0"
    for text in (facts["data_sha256"], facts["data"], facts["torch"], "not** the Inception FID"):
        assert text in card
    assert f"--epochs {facts['epochs']} --seed {facts['seed']}" in card


@pytest.fixture
def tensors(network: FeatureNetwork) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def test_own_files_load(tensors: dict[str, torch.Tensor], tmp_path: Path) -> None:
    path = tmp_path / "own.safetensors"
    save_file(tensors, path, {METADATA_KEY: '{"version": "1"}'})
    assert torch.equal(load_feature_network(path).head.weight, tensors["head.weight"])


def test_damaged_files_are_refused_in_one_line(tensors: dict[str, torch.Tensor], tmp_path: Path) -> None:
    path = tmp_path / "bad.safetensors"
    good = {METADATA_KEY: '{"version": "1"}'}
    assert "does not exist" in _refusal(path)
    assert "is not a file" in _refusal(tmp_path)
    path.write_bytes(b"")
    assert "0 bytes" in _refusal(path)
    path.write_bytes(b"\x89PNG not tensors at all")
    assert "not a readable safetensors file" in _refusal(path)
    path.write_bytes(bytes(2_000_001))
    assert "2000001 bytes" in _refusal(path)

    save_file({**tensors, "head.bias": torch.full((10,), torch.nan)}, path, good)
    assert "NaN or infinity in head.bias" in _refusal(path)
    save_file({**tensors, "head.bias": torch.zeros(11)}, path, good)
    assert "head.bias [11] instead of [10]" in _refusal(path)
    save_file({**tensors, "head.bias": torch.zeros(10, dtype=torch.int64)}, path, good)
    assert "number type in head.bias" in _refusal(path)
    save_file({"other": torch.zeros(3)}, path)
    message = _refusal(path)
    assert "lacks head.bias" in message.replace("trunk.0.weight, ", "") or "lacks" in message
    assert "unexpected other" in message
    assert "ferrogen train --model features" in message
    for metadata in (None, {METADATA_KEY: "no json"}, {METADATA_KEY: "[1]"}, {METADATA_KEY: '{"version": "9"}'}):
        save_file(tensors, path, metadata)
        assert "format version" in _refusal(path)

    save_file(tensors, path, good)
    whole = path.read_bytes()
    for length in (7, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        _refusal(path)


def test_a_pickle_is_not_unpickled(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "sprung"),)

    path = tmp_path / "trap.safetensors"
    path.write_bytes(pickle.dumps(Trap()))
    _refusal(path)
    assert not (tmp_path / "sprung").exists()
