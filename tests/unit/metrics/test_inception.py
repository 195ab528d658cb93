"""The Inception network without its weights: names, shapes, wiring and refusals (the weights are not at hand)."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional

from ferrogen.core.errors import ArgumentError, DataFileError
from ferrogen.metrics.inception import InceptionNetwork, empty_inception, load_inception


@pytest.fixture(scope="module")
def inception() -> InceptionNetwork:
    generator = np.random.default_rng(5)
    network = empty_inception().to_empty(device="cpu")
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if value.dim() > 1:
                draws = generator.standard_normal(tuple(value.shape), dtype=np.float32)
                value.copy_(torch.from_numpy(draws) * math.sqrt(2.0 / math.prod(value.shape[1:])))
            elif name.endswith(("bn.weight", "running_var")):
                value.copy_(torch.from_numpy(generator.uniform(0.5, 2.0, tuple(value.shape))))
            elif value.is_floating_point():
                value.copy_(torch.from_numpy(generator.normal(0.0, 0.1, tuple(value.shape))))
            else:
                value.zero_()
    return network.eval().requires_grad_(requires_grad=False)


def test_parameter_count_is_that_of_inception_v3() -> None:
    """23,834,568 without the auxiliary head and with 1000 classes is the count that its users quote."""
    count = sum(value.numel() for value in empty_inception().parameters())
    assert count == 23_834_568 + 8 * 2049


def test_names_and_shapes_are_those_of_the_ports() -> None:
    state = {name: tuple(value.shape) for name, value in empty_inception().state_dict().items()}
    assert len(state) == 94 * 6 + 2
    expected = {
        "Conv2d_1a_3x3.conv.weight": (32, 3, 3, 3),
        "Conv2d_4a_3x3.bn.running_var": (192,),
        "Mixed_5b.branch5x5_2.conv.weight": (64, 48, 5, 5),
        "Mixed_5b.branch_pool.conv.weight": (32, 192, 1, 1),
        "Mixed_5d.branch3x3dbl_3.bn.bias": (96,),
        "Mixed_6a.branch3x3.conv.weight": (384, 288, 3, 3),
        "Mixed_6b.branch7x7_2.conv.weight": (128, 128, 1, 7),
        "Mixed_6c.branch7x7dbl_2.conv.weight": (160, 160, 7, 1),
        "Mixed_6e.branch7x7dbl_5.conv.weight": (192, 192, 1, 7),
        "Mixed_7a.branch7x7x3_4.conv.weight": (192, 192, 3, 3),
        "Mixed_7a.branch3x3_2.conv.weight": (320, 192, 3, 3),
        "Mixed_7b.branch3x3_2a.conv.weight": (384, 384, 1, 3),
        "Mixed_7b.branch3x3dbl_3b.conv.weight": (384, 384, 3, 1),
        "Mixed_7c.branch1x1.conv.weight": (320, 2048, 1, 1),
        "fc.weight": (1008, 2048),
    }
    assert {name: state[name] for name in expected} == expected
    assert not any(name.startswith("AuxLogits") for name in state)


def test_features_have_the_published_size_and_repeat(inception: InceptionNetwork) -> None:
    images = np.random.default_rng(0).random((3, 28, 28))
    first = inception.extract(images, batch=2)
    assert first.shape == (3, 2048)
    assert first.dtype == np.float64
    assert np.array_equal(first, inception.extract(images, batch=2))
    assert np.isfinite(first).all()
    assert first.std() > 0.0
    assert not np.allclose(first[0], first[1])


def test_colours_are_taken_as_they_are(inception: InceptionNetwork) -> None:
    """Grey is the same as three equal colours; other colours reach the network in the order red, green, blue."""
    rng = np.random.default_rng(3)
    grey, colour = rng.random((1, 32, 32)), rng.random((1, 32, 32, 3)).astype(np.float32)
    repeated = inception.extract(np.stack([grey] * 3, axis=-1))
    assert repeated == pytest.approx(inception.extract(grey), rel=1e-5)
    with torch.no_grad():
        direct = inception(torch.from_numpy(np.stack([colour[..., c] for c in range(3)], axis=1))).numpy()
    assert inception.extract(colour) == pytest.approx(direct, rel=1e-5)
    assert not np.allclose(inception.extract(colour[..., ::-1]), direct)


def _unit(state: dict[str, torch.Tensor], name: str, padding: int | tuple[int, int]) -> Callable[..., torch.Tensor]:
    """A convolution unit written out, straight from the state dict."""

    def apply(images: torch.Tensor) -> torch.Tensor:
        value = functional.conv2d(images, state[f"{name}.conv.weight"], padding=padding)
        scale = state[f"{name}.bn.weight"] / torch.sqrt(state[f"{name}.bn.running_var"] + 0.001)
        value = (value - state[f"{name}.bn.running_mean"][:, None, None]) * scale[:, None, None]
        return torch.relu(value + state[f"{name}.bn.bias"][:, None, None])

    return apply


@pytest.mark.parametrize("block", ["Mixed_7b", "Mixed_7c"])
def test_last_blocks_are_wired_and_pooled_as_published(inception: InceptionNetwork, block: str) -> None:
    """Written a second time by hand: forks, order of the channels, and the FID variants' pooling."""
    state = inception.state_dict()
    inputs = 1280 if block == "Mixed_7b" else 2048
    images = torch.from_numpy(np.random.default_rng(1).random((1, inputs, 5, 5), dtype=np.float32))

    def unit(name: str, padding: int | tuple[int, int] = 0) -> Callable[..., torch.Tensor]:
        return _unit(state, f"{block}.{name}", padding)

    narrow = unit("branch3x3_1")(images)
    double = unit("branch3x3dbl_2", 1)(unit("branch3x3dbl_1")(images))
    if block == "Mixed_7c":
        pooled = functional.max_pool2d(images, 3, 1, 1)
    else:
        padded = functional.pad(images, (1, 1, 1, 1))
        window = functional.pad(torch.ones(1, 1, 5, 5), (1, 1, 1, 1))
        total = functional.avg_pool2d(padded, 3, 1) * 9.0
        pooled = total / (functional.avg_pool2d(window, 3, 1) * 9.0)  # padding is not counted
    expected = torch.cat(
        [
            unit("branch1x1")(images),
            unit("branch3x3_2a", (0, 1))(narrow),
            unit("branch3x3_2b", (1, 0))(narrow),
            unit("branch3x3dbl_3a", (0, 1))(double),
            unit("branch3x3dbl_3b", (1, 0))(double),
            unit("branch_pool")(pooled),
        ],
        dim=1,
    )
    found = inception.get_submodule(block)(images)
    assert found.shape == (1, 2048, 5, 5)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("block", "inputs", "outputs", "size"),
    [
        *(("Mixed_5b", 192, 256, 35), ("Mixed_5c", 256, 288, 35), ("Mixed_5d", 288, 288, 35)),
        *(("Mixed_6a", 288, 768, 17), ("Mixed_6b", 768, 768, 17), ("Mixed_6e", 768, 768, 17)),
        *(("Mixed_7a", 768, 1280, 8), ("Mixed_7b", 1280, 2048, 8), ("Mixed_7c", 2048, 2048, 8)),
    ],
)
def test_blocks_have_the_grid_sizes_of_the_paper(block: str, inputs: int, outputs: int, size: int) -> None:
    before = {"Mixed_6a": 35, "Mixed_7a": 17}.get(block, size)
    images = torch.empty((1, inputs, before, before), device="meta")
    assert empty_inception().get_submodule(block)(images).shape == (1, outputs, size, size)


def test_both_kinds_of_file_give_the_same_network(inception: InceptionNetwork, tmp_path: Path) -> None:
    images = np.random.default_rng(0).random((2, 28, 28))
    state = inception.state_dict()
    expected = inception.extract(images)
    save_file(state, tmp_path / "w.safetensors")
    torch.save({name: value for name, value in state.items() if "tracked" not in name}, tmp_path / "w.pth")
    for name in ("w.safetensors", "w.pth"):
        network = load_inception(tmp_path / name)
        assert np.array_equal(network.extract(images), expected)
        assert not network.fc.weight.requires_grad


def test_foreign_files_are_refused_in_one_line(inception: InceptionNetwork, tmp_path: Path) -> None:
    state = dict(inception.state_dict())
    path = tmp_path / "w.pth"

    def refusal(content: object, where: Path = path) -> str:
        if content is not None:
            torch.save(content, where)
        with pytest.raises(DataFileError) as caught:
            load_inception(where)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "does not exist" in refusal(None)
    imagenet = {**state, "fc.weight": torch.zeros(1000, 2048), "fc.bias": torch.zeros(1000)}
    message = refusal({**imagenet, "AuxLogits.fc.weight": torch.zeros(3)})
    assert "unexpected AuxLogits.fc.weight" in message
    assert "fc.weight [1000, 2048] instead of [1008, 2048]" in message
    assert "2015-12-05" in message
    assert "lacks Conv2d_1a_3x3.conv.weight" in refusal({"a": torch.zeros(1)})
    assert "more" in refusal({"a": torch.zeros(1)})
    assert "NaN or infinity in fc.bias" in refusal({**state, "fc.bias": torch.full((1008,), torch.inf)})
    assert "no plain table" in refusal([1, 2])
    path.write_bytes(b"nonsense")
    assert "cannot be read as a PyTorch state dict" in refusal(None)
    assert "must end in" in refusal(None, tmp_path / "w.h5")
    (tmp_path / "w.safetensors").write_bytes(b"nonsense")
    assert "not a readable safetensors" in refusal(None, tmp_path / "w.safetensors")


def test_a_weight_file_cannot_run_code(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "sprung"),)

    torch.save({"a": Trap()}, tmp_path / "trap.pth")
    with pytest.raises(DataFileError, match="cannot be read"):
        load_inception(tmp_path / "trap.pth")
    assert not (tmp_path / "sprung").exists()


def test_bad_images_are_named(inception: InceptionNetwork) -> None:
    with pytest.raises(ArgumentError, match="`images`"):
        inception.extract(np.zeros((3, 28)))
    with pytest.raises(ArgumentError, match="`batch`"):
        inception.extract(np.zeros((3, 28, 28)), batch=0)
