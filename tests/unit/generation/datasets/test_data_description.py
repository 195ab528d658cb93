"""Descriptions of data sets: what is shipped holds, and what a user writes wrongly is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferrogen.core.errors import ArgumentError, DataFileError
from ferrogen.generation.convolutional.model import ConvVAE, ConvVAESpec
from ferrogen.generation.datasets.description import (
    SHIPPED_DESCRIPTIONS,
    DataDescription,
    read_description,
    shipped_description,
)
from ferrogen.generation.datasets.image_set import ImageSet
from ferrogen.generation.model import VAE, VAESpec, initialise
from ferrogen.generation.model_file import load_description, load_vae, save_vae


@pytest.mark.parametrize("name", SHIPPED_DESCRIPTIONS)
def test_shipped_descriptions_name_source_licence_and_publication(name: str) -> None:
    description = shipped_description(name)
    assert description.name == name
    assert description.source
    assert description.licence
    assert "doi:" in description.citation or "arXiv:" in description.citation
    assert description.path is None


def test_celeba_is_split_cropped_and_forbidden_as_its_makers_and_the_recipe_say() -> None:
    celeba = shipped_description("celeba")
    assert (celeba.train_numbers, celeba.held_out_numbers) == ((1, 8000), (8001, 10_000))
    assert [round(celeba.crop * width) for width in (89, 178)] == [74, 148]
    assert "non-commercial" in celeba.licence
    assert "non-commercial research only" in celeba.terms


def test_unknown_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(ArgumentError, match="`as` must be one of mnist, fashion-mnist, celeba, but it is 'cifar'"):
        shipped_description("cifar")


def test_path_is_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('name = "mine"\npath = "../pictures"\nside = 32\n', encoding="utf-8")
    description = read_description(tmp_path / "mine.toml")
    assert description == DataDescription(name="mine", path=str(tmp_path / ".." / "pictures"), side=32)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("side = 7", "`side` is 7"),
        ("channels = 2", "`channels` is 2"),
        ("crop = 0.0", "`crop` is 0.0"),
        ("colour = 3", "`colour` is not a known field"),
        ("train_numbers = [1, 5]", "must be given together"),
        ("train_numbers = [1, 5]\nheld_out_numbers = [5, 9]", "must not overlap"),
        ("train_numbers = [5, 1]\nheld_out_numbers = [6, 9]", "must each rise"),
        ('format = "idx"\ntrain_numbers = [1, 5]\nheld_out_numbers = [6, 9]', "split by their makers"),
        ("held_out_share = 1.0", "`held_out_share` is 1.0"),
        ('fingerprint = "abc"', "`fingerprint` is 'abc'"),
        ("side = ", "is not readable TOML"),
        ("side = 1\nside = 2", "is not readable TOML"),
    ],
)
def test_what_is_wrong_is_named_in_one_line(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataFileError) as caught:
        read_description(path)
    assert complaint in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@given(raw=st.binary(max_size=60))
def test_no_content_raises_anything_else(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(raw)
    try:
        read_description(path)
    except DataFileError as error:
        assert "\n" not in str(error)  # noqa: PT017 (an empty file is a description)


def test_fingerprint_is_that_of_the_training_pixels_whatever_their_layout() -> None:
    images = np.arange(2 * 3 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3, 3)
    data = ImageSet(images, None, images[:1], None)
    assert data.fingerprint == ImageSet(np.asfortranarray(images), None, images, None).fingerprint
    assert data.fingerprint != ImageSet(images[::-1], None, images, None).fingerprint
    assert (data.side, data.channels) == (3, 3)


def test_weights_carry_the_description_but_no_folder(tmp_path: Path) -> None:
    import torch

    spec = ConvVAESpec(side=16, channels=1, latent=2, decoder_channels=(4, 4), encoder_channels=(4, 4))
    model = ConvVAE(spec)
    initialise(model, torch.Generator().manual_seed(0))
    path = tmp_path / "a.safetensors"
    described = DataDescription(name="mine", format="images", path="/home/me", side=16, channels=1, crop=0.5)
    save_vae(model, path, described)
    assert load_description(path) == described.model_copy(update={"path": None, "format": None})
    assert b"/home/me" not in path.read_bytes()
    assert load_vae(path).spec == spec
    save_vae(model, path)
    assert load_description(path) == DataDescription(side=16, channels=1)
    save_vae(model, path, described.model_copy(update={"side": 32}))
    with pytest.raises(DataFileError, match="another size than its model"):
        load_description(path)


def test_digits_without_a_description_are_28_grey_pixels(tmp_path: Path) -> None:
    import torch

    model = VAE(VAESpec(latent=2, hidden=(8,), encoder_channels=(2, 2, 2)))
    initialise(model, torch.Generator().manual_seed(0))
    save_vae(model, tmp_path / "a.safetensors")
    assert load_description(tmp_path / "a.safetensors") == DataDescription(side=28, channels=1)
    assert load_description("mnist").name == "mnist"
