"""The VAE and its weight file: what it computes, and what it refuses to load."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from ferrogen.core.errors import DataFileError
from ferrogen.generation.convolutional.model import ConvVAE
from ferrogen.generation.model import VAE, VAESpec, initialise
from ferrogen.generation.model_file import SHIPPED, load_description, load_vae, save_vae

SMALL = VAESpec(latent=3, hidden=(16,), encoder_channels=(2, 3, 4))


def small_vae(seed: int = 1) -> VAE:
    model = VAE(SMALL)
    initialise(model, torch.Generator().manual_seed(seed))
    return model


def test_decoder_is_only_products_bias_relu_and_sigmoid() -> None:
    model = small_vae()
    with torch.no_grad():
        model.decoder.layers[0].bias.normal_(generator=torch.Generator().manual_seed(2))
        latents = torch.randn(5, 3, generator=torch.Generator().manual_seed(3))
        (a, b), (c, d) = [(layer.weight.double(), layer.bias.double()) for layer in model.decoder.layers]
        by_hand = 1 / (1 + torch.exp(-((latents.double() @ a.T + b).clamp(min=0) @ c.T + d)))
        images = model.decoder(latents)
    assert images.shape == (5, 784)
    assert torch.allclose(images.double(), by_hand, atol=1e-6)
    assert {type(layer) for layer in model.decoder.layers} == {torch.nn.Linear}


def test_making_a_model_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    small_vae()
    assert torch.equal(torch.get_rng_state(), before)


def test_initial_weights_come_from_the_generator() -> None:
    first, same, other = (small_vae(seed).decoder.layers[0].weight for seed in (1, 1, 2))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    # He: variance 2 / (1 + 0.2^2) / fan-in.
    wide = VAE(VAESpec(latent=512, hidden=(512,)))
    initialise(wide, torch.Generator().manual_seed(0))
    assert wide.decoder.layers[0].weight.var().item() == pytest.approx(2 / 1.04 / 512, rel=0.02)


def test_encoder_shapes_and_reconstruction() -> None:
    model = small_vae()
    images = torch.rand(4, 784, generator=torch.Generator().manual_seed(0))
    mean, log_variance = model.encoder(images)
    assert mean.shape == log_variance.shape == (4, 3)
    assert torch.equal(model(images), model.decoder(mean))


@pytest.mark.parametrize(
    "fields",
    [{"latent": 0}, {"hidden": ()}, {"hidden": (8, 8, 8)}, {"hidden": (5000,)}, {"format": 2}, {"depth": 3}],
)
def test_spec_refuses(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        VAESpec.model_validate(fields)


def test_file_describes_itself(tmp_path: Path) -> None:
    model = small_vae()
    save_vae(model, tmp_path / "a.safetensors")
    loaded = load_vae(tmp_path / "a.safetensors")
    assert loaded.spec == SMALL
    assert not loaded.training
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value)


def saved(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    save_vae(small_vae(), path)
    with safe_open(str(path), framework="pt") as file:
        metadata = dict(file.metadata())
    return load_file(path), metadata


def refusal(path: Path) -> str:
    with pytest.raises(DataFileError) as caught:
        load_vae(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_not_finite_is_named(tmp_path: Path, bad: float) -> None:
    path = tmp_path / "a.safetensors"
    tensors, metadata = saved(path)
    tensors["decoder.layers.1.bias"][7] = bad
    save_file(tensors, path, metadata)
    assert "NaN or infinity in decoder.layers.1.bias" in refusal(path)


def test_missing_extra_misshapen_and_half(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    tensors, metadata = saved(path)
    bias = tensors.pop("encoder.head.bias")
    save_file(tensors, path, metadata)
    assert "lacks encoder.head.bias" in refusal(path)
    save_file(tensors | {"encoder.head.bias": bias, "more": bias + 1}, path, metadata)
    assert "unexpected more" in refusal(path)
    save_file(tensors | {"encoder.head.bias": bias[:-1]}, path, metadata)
    assert "encoder.head.bias [5] instead of [6]" in refusal(path)
    save_file(tensors | {"encoder.head.bias": bias.half()}, path, metadata)
    assert "'encoder.head.bias' as torch.float16" in refusal(path)


@pytest.mark.parametrize(
    ("description", "complaint"),
    [
        ("{", "JSON"),
        ("[]", "its description"),
        (json.dumps({"latent": 10**9}), "`latent` is 1000000000"),
        (json.dumps({"format": 2}), "`format` is 2"),
    ],
)
def test_bad_description(tmp_path: Path, description: str, complaint: str) -> None:
    path = tmp_path / "a.safetensors"
    tensors, metadata = saved(path)
    save_file(tensors, path, dict.fromkeys(metadata, description))
    assert complaint in refusal(path)
    save_file(tensors, path)
    assert "carries no description" in refusal(path)


def test_not_a_weight_file(tmp_path: Path) -> None:
    message = refusal(tmp_path / "nothing")
    assert "does not exist. Give a file of `ferrogen train`, or a name: 'mnist', 'faces'." in message
    assert "not a file" in refusal(tmp_path)
    path = tmp_path / "a.safetensors"
    saved(path)
    whole = path.read_bytes()
    for content in (b"", b"pickle", whole[:-1], whole[: len(whole) // 2]):
        path.write_bytes(content)
        refusal(path)


def test_diverged_weights_are_not_written(tmp_path: Path) -> None:
    model = small_vae()
    with torch.no_grad():
        model.decoder.layers[0].weight[0, 0] = torch.nan
    with pytest.raises(DataFileError, match=r"NaN or infinity in decoder\.layers\.0\.weight"):
        save_vae(model, tmp_path / "a.safetensors")
    assert not list(tmp_path.iterdir())


def test_shipped_digits_fit_the_chip() -> None:
    model = load_vae("mnist")
    assert isinstance(model, VAE)
    assert len(model.decoder.layers) <= 3
    assert all(width % 128 == 0 for width in model.spec.hidden)
    assert 16 <= model.spec.latent <= 64


@pytest.mark.parametrize(("name", "weights"), [("mnist", 750_000), ("faces", 1_000_000)])
def test_shipped_decoders_fit_the_chip(name: str, weights: int) -> None:
    parameters = [value for value in load_vae(name).decoder.parameters() if value.ndim > 1]
    assert sum(value.numel() for value in parameters) <= weights
    for value in parameters:
        # A heavy tail would leave most of the conductance range to a handful of cells.
        assert value.abs().max() < 16 * value.std()


def test_shipped_faces_are_what_their_description_says() -> None:
    model, description = load_vae("faces"), load_description("faces")
    assert isinstance(model, ConvVAE)
    assert (model.spec.side, model.spec.channels) == (description.side, description.channels) == (64, 3)
    images = model.decoder(torch.zeros(2, model.spec.latent)).detach()
    assert images.shape == (2, 3, 64, 64)
    assert 0.05 < float(images.std()) < 0.4  # a picture, neither flat nor saturated
    assert set(SHIPPED) == {"mnist", "faces"}
