"""The networks in whose features images are compared, and their files.

There are two: :class:`~ferrogen.metrics.classifier_network.ClassifierNetwork` for labelled 28 x 28 grey images (shipped
for MNIST as ``"mnist"``), and :class:`~ferrogen.metrics.picture_network.PictureNetwork` for everything else (shipped
for CelebA as ``"faces"``), which has no classes. Both have ``extract(pictures)``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from safetensors.torch import save_file

from ferrogen.core.errors import DataFileError
from ferrogen.metrics.classifier_network import CLASS_COUNT, IMAGE_SIZE, ClassifierNetwork, empty_classifier_network
from ferrogen.metrics.feature_set import Features
from ferrogen.metrics.picture_network import PictureNetwork, empty_picture_network
from ferrogen.metrics.tensor_file import check_tensors, read_tensors

__all__ = [
    "FILE_VERSION",
    "METADATA_KEY",
    "SHIPPED_NETWORKS",
    "ClassifierNetwork",
    "FeatureNetwork",
    "Features",
    "PictureNetwork",
    "feature_network_for",
    "feature_network_metadata",
    "load_feature_network",
    "save_feature_network",
]

FeatureNetwork = ClassifierNetwork | PictureNetwork
"""Either network: ``extract``, ``feature_count``, ``class_count`` (0: none), ``class_names``, ``mirrored``."""

METADATA_KEY: Final = "ferrogen_feature_network"
FILE_VERSION: Final = "1"
SHIPPED_NETWORKS: Final = ("mnist", "faces")
"""Names of the networks that come with the package."""

_WEIGHTS: Final = Path(__file__).parent / "weights"
_NAMES: Final = {name: _WEIGHTS / f"{name}-features.safetensors" for name in SHIPPED_NETWORKS}
_FILE_LIMIT: Final = 2_000_000
_CLASS_LIMIT: Final = 1000
_WHAT: Final = "Feature network"
_PICTURES: Final = "pictures"


def load_feature_network(path_or_name: str | Path = "mnist") -> FeatureNetwork:
    """Load a feature network in evaluation mode.

    Args:
        path_or_name: ``"mnist"`` or ``"faces"`` for a shipped network, or the path of a safetensors file that
            :func:`ferrogen.generation.train_features.train_features` wrote.

    Returns:
        The network on the CPU, gradients off.

    Raises:
        DataFileError: the file is missing, foreign, or holds wrong shapes or NaN.
    """
    path = _NAMES.get(str(path_or_name), Path(path_or_name))
    tensors, metadata = read_tensors(path, what=_WHAT, limit=_FILE_LIMIT)
    facts = _facts(metadata)
    remedy = (
        "Give a file that `ferrogen train --model features` wrote"
        f" (its metadata name {METADATA_KEY}, version {FILE_VERSION}), or a name: {', '.join(SHIPPED_NETWORKS)}."
    )
    network = _empty(facts, path, remedy)
    check_tensors(tensors, network.state_dict(), path=path, what=_WHAT, remedy=remedy)
    version = facts.get("version")
    if version != FILE_VERSION:
        raise DataFileError(f"{_WHAT} '{path}' has the format version {version}, not {FILE_VERSION}. {remedy}")
    network.load_state_dict(tensors, assign=True)
    return network.eval().requires_grad_(requires_grad=False)


def feature_network_for(shape: tuple[int, ...]) -> FeatureNetwork:
    """Load the shipped network for pictures of a shape: that of digits for (28, 28), that of faces for all others."""
    return load_feature_network("mnist" if shape == (IMAGE_SIZE, IMAGE_SIZE) else "faces")


def save_feature_network(path: Path, network: FeatureNetwork, facts: Mapping[str, str]) -> None:
    """Write a network with its facts (data, licence, seed ...); the kind, version and classes are added."""
    kept = {"version": FILE_VERSION} | dict(facts)
    if isinstance(network, PictureNetwork):
        kept["network"] = _PICTURES
    else:
        kept |= {"classes": str(network.class_count)}
        if network.class_names:
            kept["class_names"] = json.dumps(network.class_names)
    # One entry of JSON, because safetensors writes several entries in random order.
    tensors = {name: value.contiguous() for name, value in network.state_dict().items()}
    save_file(tensors, path, {METADATA_KEY: json.dumps(kept)})


def feature_network_metadata(path_or_name: str | Path = "mnist") -> dict[str, str]:
    """Return the text metadata of a feature network's file: data, licence, seed, versions, what was measured.

    Raises:
        DataFileError: the file is missing or no safetensors file.
    """
    path = _NAMES.get(str(path_or_name), Path(path_or_name))
    return _facts(read_tensors(path, what=_WHAT, limit=_FILE_LIMIT)[1])


def _empty(facts: Mapping[str, str], path: Path, remedy: str) -> FeatureNetwork:
    if facts.get("network") == _PICTURES:
        return empty_picture_network()
    classes = facts.get("classes", str(CLASS_COUNT))
    if not (classes.isdecimal() and classes.isascii() and len(classes) <= 4 and 2 <= int(classes) <= _CLASS_LIMIT):
        raise DataFileError(f"{_WHAT} '{path}' says that it has {classes[:20]!r} classes. {remedy}")
    network = empty_classifier_network(int(classes))
    network.class_names = _class_names(facts, network.class_count)
    return network


def _class_names(facts: Mapping[str, str], count: int) -> tuple[str, ...]:
    try:
        names = json.loads(facts.get("class_names", "[]"))
    except (ValueError, RecursionError):
        return ()
    fits = isinstance(names, list) and len(names) == count and all(isinstance(name, str) for name in names)
    return tuple(names) if fits else ()


def _facts(metadata: dict[str, str]) -> dict[str, str]:
    try:
        facts = json.loads(metadata.get(METADATA_KEY, "{}"))
    except (ValueError, RecursionError):
        return {}
    return {str(key): str(value) for key, value in facts.items()} if isinstance(facts, dict) else {}
