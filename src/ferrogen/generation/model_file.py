"""Weight files: one safetensors file holds a model's weights and, in its header, the spec that describes them."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Final

import torch
from pydantic import ValidationError
from safetensors.torch import save_file

from ferrogen.core.errors import DataFileError, argument_error
from ferrogen.core.files import atomic_path
from ferrogen.core.spec import explain
from ferrogen.generation.convolutional.model import ConvVAE, ConvVAESpec
from ferrogen.generation.datasets.description import DataDescription, shipped_description
from ferrogen.generation.model import SIDE, VAE, VAESpec
from ferrogen.metrics.tensor_file import check_tensors, read_tensors

AnyVAE = VAE | ConvVAE
"""A model that a weight file can hold: ``spec``, ``encoder`` (images to mean and log variance) and ``decoder``."""

SHIPPED: Final = {"mnist": "mnist-vae.safetensors", "faces": "faces-vae.safetensors"}
"""Names under which :func:`load_vae` finds the weights that come with the package."""

_SHIPPED_DATA: Final = {"mnist": "mnist", "faces": "celeba"}
_METADATA_KEY: Final = "ferrogen-vae"
_DATA_KEY: Final = "data"
_WHAT: Final = "Weight file"
_REMEDY: Final = "Train again with `ferrogen train`, or use the name 'mnist' or 'faces'."
_MAX_FILE_BYTES: Final = 256 * 2**20


def save_vae(model: AnyVAE, path: Path, description: DataDescription | None = None) -> None:
    """Write weights, spec and, if given, the description of the training data as one safetensors file, atomically.

    Raises:
        DataFileError: a weight is NaN or infinite; nothing is written.
        OutputError: the folder cannot be written.
    """
    tensors = {name: value.detach().float().contiguous() for name, value in model.state_dict().items()}
    check_tensors(tensors, tensors, path=path, what=_WHAT, remedy="Nothing was written; train with a lower rate.")
    record = model.spec.model_dump(mode="json")
    if description is not None:
        # Neither the folder nor its format: another person has the same images elsewhere and otherwise.
        kept = description.model_copy(update={"path": None, "format": None})
        record[_DATA_KEY] = kept.model_dump(mode="json", exclude_defaults=True)
    # One entry: the order of several is a matter of chance, and equal runs shall give equal files.
    metadata = {_METADATA_KEY: json.dumps(record)}
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata=metadata)


def load_description(path_or_name: str | Path) -> DataDescription:
    """Return how the images that a model learnt from were cut, resized and split, to treat others alike.

    Args:
        path_or_name: as for :func:`load_vae`.

    Returns:
        The description in the file, or that of the shipped weights; one that states side and channels only, from the
        model's spec, where there is none.

    Raises:
        DataFileError: as for :func:`load_vae`, or the description is malformed or of another size than the model.
    """
    if str(path_or_name) in SHIPPED:
        return shipped_description(_SHIPPED_DATA[str(path_or_name)]).model_copy(update={"format": None})
    path = Path(path_or_name)
    _, metadata = read_tensors(path, what=_WHAT, limit=_MAX_FILE_BYTES)
    spec, data = _read_record(metadata, path)
    side, channels = (SIDE, 1) if isinstance(spec, VAESpec) else (spec.side, spec.channels)
    try:
        stored = DataDescription.model_validate({"side": side, "channels": channels} if data is None else data)
    except ValidationError as error:
        raise DataFileError(f"{_WHAT} '{path}': {explain(error, subject='its data')} {_REMEDY}") from None
    if (stored.side, stored.channels) != (side, channels):
        raise DataFileError(f"{_WHAT} '{path}' describes data of another size than its model. {_REMEDY}")
    return stored.model_copy(update={"path": None, "format": None})


def load_vae(path_or_name: str | Path) -> AnyVAE:
    """Load a VAE from a weight file, or shipped weights by name.

    Args:
        path_or_name: a ``.safetensors`` file written by :func:`save_vae`, ``"mnist"`` or ``"faces"``.

    Returns:
        The model in evaluation mode; its ``spec`` comes from the file.

    Raises:
        DataFileError: the file is missing, foreign, truncated, or a tensor is missing, of the wrong shape or
            type, or holds NaN or infinity.
    """
    if str(path_or_name) in SHIPPED:
        shipped = resources.files("ferrogen.generation") / "weights" / SHIPPED[str(path_or_name)]
        with resources.as_file(shipped) as path:
            return _read(path)
    path = Path(path_or_name)
    if not path.exists():
        names = ", ".join(f"'{name}'" for name in SHIPPED)
        raise DataFileError(f"{_WHAT} '{path}' does not exist. Give a file of `ferrogen train`, or a name: {names}.")
    return _read(path)


def load_digit_vae(path_or_name: str | Path, purpose: str) -> VAE:
    """Load a VAE of linear layers (28 x 28), for what works with no other.

    Args:
        path_or_name: as for :func:`load_vae`.
        purpose: what for, for the message, e.g. ``"ferrogen endure"``.

    Raises:
        ArgumentError: the file holds a convolutional model.
        DataFileError: as for :func:`load_vae`.
    """
    model = load_vae(path_or_name)
    if not isinstance(model, VAE):
        remedy = "Use 'mnist', or weights of 28 x 28 images."
        raise argument_error("model", f"be a VAE of linear layers for {purpose}", f"'{path_or_name}'", remedy)
    return model


def _read(path: Path) -> AnyVAE:
    tensors, metadata = read_tensors(path, what=_WHAT, limit=_MAX_FILE_BYTES)
    spec, _ = _read_record(metadata, path)
    model = VAE(spec) if isinstance(spec, VAESpec) else ConvVAE(spec)
    wanted = model.state_dict()
    check_tensors(tensors, wanted, path=path, what=_WHAT, remedy=_REMEDY)
    for name, value in tensors.items():
        if value.dtype != torch.float32:
            raise DataFileError(f"{_WHAT} '{path}' holds '{name}' as {value.dtype} instead of torch.float32. {_REMEDY}")
    model.load_state_dict(tensors)
    return model.eval()


def _read_record(metadata: dict[str, str], path: Path) -> tuple[VAESpec | ConvVAESpec, object]:
    """Return the spec, and the data's description as it stands (None: there is none)."""
    if _METADATA_KEY not in metadata:
        raise DataFileError(f"{_WHAT} '{path}' carries no description of a ferrogen VAE. {_REMEDY}")
    try:
        record = json.loads(metadata[_METADATA_KEY])
    except (ValueError, RecursionError):
        raise DataFileError(f"{_WHAT} '{path}': its description is no JSON. {_REMEDY}") from None
    data = record.pop(_DATA_KEY, None) if isinstance(record, dict) else None
    # What is of neither kind is left to be refused as a spec of the digits' VAE.
    convolutional = isinstance(record, dict) and record.get("kind") == "convolutional"
    try:
        return (ConvVAESpec if convolutional else VAESpec).model_validate(record), data
    except ValidationError as error:
        raise DataFileError(f"{_WHAT} '{path}': {explain(error, subject='its description')} {_REMEDY}") from None
