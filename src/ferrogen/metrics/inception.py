"""The Inception-v3 network behind published FID values, for a weight file that the user brings.

Nothing is downloaded.

Architecture: Szegedy et al. 2016, doi:10.1109/CVPR.2016.308, in the variant of the 2015-12-05 TensorFlow
graph that Heusel et al. 2017 (doi:10.48550/arXiv.1706.08500) used: averages over pooling windows leave out
the padding, and the last block pools by maximum. Tensor names and shapes are those of its usual PyTorch ports
(pytorch-fid, torch-fidelity), so their weight file (about 96 MB) can be given as it is.

What could not be checked when this was written: that the ported weights, loaded here, give the published
features. No weight file was at hand; names, shapes, the parameter count (that of the paper's network) and the
wiring were checked. Images are resized here as pytorch-fid does (bilinear, half-pixel centres, no
antialiasing); the original TensorFlow 1 resize differs, and FID changes with it (Parmar et al. 2022,
doi:10.1109/CVPR52688.2022.01112).
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from ferrogen.core.errors import DataFileError
from ferrogen.metrics.checks import check_batch, check_pictures
from ferrogen.metrics.nearest import Progress
from ferrogen.metrics.tensor_file import check_size, check_tensors, read_tensors

FEATURE_COUNT: Final = 2048
_INPUT_SIZE: Final = 299
_CLASS_COUNT: Final = 1008
_FILE_LIMIT: Final = 250_000_000
_WHAT: Final = "Inception weight file"
_REMEDY: Final = (
    "Expected are the 2015-12-05 FID weights with 1008 classes (pt_inception-2015-12-05-*.pth of"
    " pytorch-fid), not those of an ImageNet classifier."
)

_Kernel = int | tuple[int, int]
# A unit: suffix of its name, output channels, kernel. Suffixes that end in a and b fork from the unit before.
_Chain = tuple[tuple[str, int, _Kernel], ...]
_ROW, _COLUMN = (1, 7), (7, 1)


def _block_a(pooled: int) -> dict[str, _Chain]:
    return {
        "branch1x1": (("", 64, 1),),
        "branch5x5": (("_1", 48, 1), ("_2", 64, 5)),
        "branch3x3dbl": (("_1", 64, 1), ("_2", 96, 3), ("_3", 96, 3)),
        "branch_pool": (("", pooled, 1),),
    }


def _block_c(inner: int) -> dict[str, _Chain]:
    return {
        "branch1x1": (("", 192, 1),),
        "branch7x7": (("_1", inner, 1), ("_2", inner, _ROW), ("_3", 192, _COLUMN)),
        "branch7x7dbl": (
            *(("_1", inner, 1), ("_2", inner, _COLUMN), ("_3", inner, _ROW)),
            *(("_4", inner, _COLUMN), ("_5", 192, _ROW)),
        ),
        "branch_pool": (("", 192, 1),),
    }


_BLOCK_B: Final[dict[str, _Chain]] = {
    "branch3x3": (("", 384, 3),),
    "branch3x3dbl": (("_1", 64, 1), ("_2", 96, 3), ("_3", 96, 3)),
    "branch_pool": (),
}
_BLOCK_D: Final[dict[str, _Chain]] = {
    "branch3x3": (("_1", 192, 1), ("_2", 320, 3)),
    "branch7x7x3": (("_1", 192, 1), ("_2", 192, _ROW), ("_3", 192, _COLUMN), ("_4", 192, 3)),
    "branch_pool": (),
}
_BLOCK_E: Final[dict[str, _Chain]] = {
    "branch1x1": (("", 320, 1),),
    "branch3x3": (("_1", 384, 1), ("_2a", 384, (1, 3)), ("_2b", 384, (3, 1))),
    "branch3x3dbl": (("_1", 448, 1), ("_2", 384, 3), ("_3a", 384, (1, 3)), ("_3b", 384, (3, 1))),
    "branch_pool": (("", 192, 1),),
}


class _Unit(nn.Module):
    """Convolution without bias, batch normalisation, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: _Kernel, *, stride: int = 1, pad: bool = True) -> None:
        super().__init__()
        height, width = kernel if isinstance(kernel, tuple) else (kernel, kernel)
        padding = (height // 2, width // 2) if pad else (0, 0)
        self.conv = nn.Conv2d(inputs, outputs, (height, width), stride=stride, padding=padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=0.001)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return functional.relu(self.bn(self.conv(images)))


class _Mixed(nn.Module):
    """Parallel chains of units whose outputs are concatenated; ``branch_pool`` pools first.

    A block that halves the image does so in the last unit of each chain and by maximum pooling without
    padding.
    """

    def __init__(self, inputs: int, chains: Mapping[str, _Chain], *, pool: str, halve: bool = False) -> None:
        super().__init__()
        self._chains = chains
        self._pool = pool
        self._halve = halve
        self.outputs = 0
        for branch, chain in chains.items():
            channels, leaving = inputs, inputs
            for position, (suffix, outputs, kernel) in enumerate(chain):
                last = halve and position == len(chain) - 1
                unit = _Unit(channels, outputs, kernel, stride=2 if last else 1, pad=not last)
                self.add_module(branch + suffix, unit)
                if not _forks(suffix):
                    channels = outputs
                leaving = leaving + outputs if suffix.endswith("b") else outputs
            self.outputs += leaving

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        found: list[torch.Tensor] = []
        for branch, chain in self._chains.items():
            value = self._pooled(images) if branch == "branch_pool" else images
            forks: list[torch.Tensor] = []
            for suffix, _, _ in chain:
                result = self.get_submodule(branch + suffix)(value)
                if _forks(suffix):
                    forks.append(result)
                else:
                    value = result
            found += forks or [value]
        return torch.cat(found, dim=1)

    def _pooled(self, images: torch.Tensor) -> torch.Tensor:
        if self._halve:
            return functional.max_pool2d(images, 3, stride=2)
        if self._pool == "maximum":
            return functional.max_pool2d(images, 3, stride=1, padding=1)
        return functional.avg_pool2d(images, 3, stride=1, padding=1, count_include_pad=False)


def _forks(suffix: str) -> bool:
    """Whether a unit is one of two, ``_2a`` and ``_2b``, that both read the unit before them."""
    return suffix.endswith(("a", "b"))


class InceptionNetwork(nn.Module):
    """Inception-v3 up to its 2048 pooled features; ``fc`` is kept only to recognise the weight file."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = _Unit(3, 32, 3, stride=2, pad=False)
        self.Conv2d_2a_3x3 = _Unit(32, 32, 3, pad=False)
        self.Conv2d_2b_3x3 = _Unit(32, 64, 3)
        self.Conv2d_3b_1x1 = _Unit(64, 80, 1)
        self.Conv2d_4a_3x3 = _Unit(80, 192, 3, pad=False)
        channels = 192
        plan: list[tuple[str, dict[str, _Chain], str, bool]] = [
            ("Mixed_5b", _block_a(32), "average", False),
            ("Mixed_5c", _block_a(64), "average", False),
            ("Mixed_5d", _block_a(64), "average", False),
            ("Mixed_6a", _BLOCK_B, "maximum", True),
            ("Mixed_6b", _block_c(128), "average", False),
            ("Mixed_6c", _block_c(160), "average", False),
            ("Mixed_6d", _block_c(160), "average", False),
            ("Mixed_6e", _block_c(192), "average", False),
            ("Mixed_7a", _BLOCK_D, "maximum", True),
            ("Mixed_7b", _BLOCK_E, "average", False),
            ("Mixed_7c", _BLOCK_E, "maximum", False),
        ]
        for name, chains, pool, halve in plan:
            block = _Mixed(channels, chains, pool=pool, halve=halve)
            self.add_module(name, block)
            channels = block.outputs
        self._blocks = [name for name, *_ in plan]
        self.fc = nn.Linear(channels, _CLASS_COUNT)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return features ``(n, 2048)`` of colour images ``(n, 3, h, w)`` in [0, 1]."""
        size = (_INPUT_SIZE, _INPUT_SIZE)
        value = functional.interpolate(images, size=size, mode="bilinear", align_corners=False) * 2.0 - 1.0
        value = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(value)))
        value = functional.max_pool2d(value, 3, stride=2)
        value = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(value))
        value = functional.max_pool2d(value, 3, stride=2)
        for name in self._blocks:
            value = self.get_submodule(name)(value)
        return value.mean(dim=(2, 3))

    @torch.no_grad()
    def extract(
        self, images: NDArray[np.floating], batch: int = 32, *, progress: Progress | None = None
    ) -> NDArray[np.float64]:
        """Compute the pooled features of pictures; grey ones are repeated over the three colour channels.

        Args:
            images: float array ``(n, h, w)`` or ``(n, h, w, 3)`` in [0, 1].
            batch: images per pass; about 12 MB of memory each.
            progress: called with the finished fraction.

        Returns:
            float64 ``(n, 2048)``.

        Raises:
            ArgumentError: wrong shape, no images, NaN, values outside [0, 1], or ``batch`` below 1.
        """
        checked = check_pictures("images", images)
        check_batch(batch)
        self.eval()
        features = np.empty((len(checked), FEATURE_COUNT))
        for first in range(0, len(checked), batch):
            pictures = checked[first : first + batch]
            colours = pictures[..., None] if pictures.ndim == 3 else pictures
            part = torch.from_numpy(np.ascontiguousarray(colours.transpose(0, 3, 1, 2))).expand(-1, 3, -1, -1)
            features[first : first + batch] = self(part.to(self.fc.weight.device)).cpu().numpy()
            if progress is not None:
                progress(min(1.0, (first + batch) / len(checked)))
        return features


def load_inception(path: Path) -> InceptionNetwork:
    """Load the user's Inception weights.

    Args:
        path: a ``.safetensors`` file, or a PyTorch state dict (``.pth``, ``.pt``), which is read with
            ``weights_only=True`` so that it cannot run code.

    Returns:
        The network on the CPU in evaluation mode, gradients off.

    Raises:
        DataFileError: the file is missing, unreadable, or not that network; names the first tensors that
            differ.
    """
    tensors = _read(Path(path))
    # Ports differ in whether they carry this counter, which evaluation does not use.
    tensors = {name: value for name, value in tensors.items() if not name.endswith("num_batches_tracked")}
    network = empty_inception()
    expected = {name: value for name, value in network.state_dict().items() if not name.endswith("tracked")}
    check_tensors(tensors, expected, path=path, what=_WHAT, remedy=_REMEDY)
    counters = {name: torch.tensor(0) for name in network.state_dict() if name.endswith("num_batches_tracked")}
    network.load_state_dict({name: value.float() for name, value in tensors.items()} | counters, assign=True)
    return network.eval().requires_grad_(requires_grad=False)


def empty_inception() -> InceptionNetwork:
    """Build the network without values, on the meta device, so that no global random state is used."""
    with torch.device("meta"):
        return InceptionNetwork()


def _read(path: Path) -> dict[str, torch.Tensor]:
    if path.suffix == ".safetensors":
        return read_tensors(path, what=_WHAT, limit=_FILE_LIMIT)[0]
    if path.suffix not in (".pth", ".pt"):
        raise DataFileError(f"{_WHAT} '{path}' must end in .safetensors, .pth or .pt. {_REMEDY}")
    check_size(path, what=_WHAT, limit=_FILE_LIMIT)
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (
        pickle.UnpicklingError,
        RuntimeError,
        OSError,
        EOFError,
        ValueError,
        KeyError,
        AttributeError,
    ) as error:
        reason = " ".join(str(error).split())[:100]
        raise DataFileError(f"{_WHAT} '{path}' cannot be read as a PyTorch state dict ({reason}). {_REMEDY}") from error
    if not isinstance(content, Mapping) or not all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in content.items()
    ):
        raise DataFileError(f"{_WHAT} '{path}' holds no plain table of named tensors. {_REMEDY}")
    return dict(content)
