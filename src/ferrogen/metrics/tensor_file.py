"""Reading weight files that nobody vouches for: safetensors only, bounded, checked tensor by tensor."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from ferrogen.core.errors import DataFileError


def read_tensors(path: Path, *, what: str, limit: int) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Read every tensor and the text metadata of a safetensors file.

    Args:
        path: the file.
        what: what the file is meant to be, for the message, e.g. ``"Feature network"``.
        limit: the largest size in bytes that such a file may have.

    Returns:
        The tensors by name, and the metadata (empty if the file has none).

    Raises:
        DataFileError: the file is missing, too large, truncated, or no safetensors file.
    """
    check_size(path, what=what, limit=limit)
    try:
        with safe_open(str(path), framework="pt") as handle:
            tensors = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118 (no mapping)
            metadata = dict(handle.metadata() or {})
    except (SafetensorError, OSError, ValueError, KeyError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:120]
        raise DataFileError(
            f"{what} '{path}' is not a readable safetensors file ({reason}). Is it the right, whole file?"
        ) from error
    return tensors, metadata


def check_size(path: Path, *, what: str, limit: int) -> None:
    """Refuse what is missing, no file, empty, or larger than ``limit`` bytes.

    Raises:
        DataFileError: with the path and the size.
    """
    try:
        size, regular = path.stat().st_size, path.is_file()
    except FileNotFoundError:
        raise DataFileError(f"{what} '{path}' does not exist. Check the path.") from None
    except OSError as error:
        raise DataFileError(f"{what} '{path}' cannot be read: {error.strerror or error}.") from error
    except ValueError as error:  # a path that no system call accepts
        raise DataFileError(f"{what} {str(path)!r} cannot be read: {error}.") from error
    if not regular:
        raise DataFileError(f"{what} '{path}' is not a file. Give the path of a regular file.")
    if not 0 < size <= limit:
        raise DataFileError(
            f"{what} '{path}' has {size} bytes; between 1 and {limit} are expected. Is it the right file?"
        )


def check_tensors(
    tensors: Mapping[str, torch.Tensor],
    expected: Mapping[str, torch.Tensor],
    *,
    path: Path,
    what: str,
    remedy: str,
) -> None:
    """Hold a file's tensors to the names, shapes and kinds that a network expects; all must be finite.

    Args:
        tensors: what the file holds.
        expected: the network's own state dict (values unused; may live on the meta device).
        path: the file, for the message.
        what: what the file is meant to be, for the message.
        remedy: one sentence that says which file is wanted.

    Raises:
        DataFileError: in one line, with the first few names that are missing, extra, misshapen or not finite.
    """
    problems: list[str] = []
    _add(problems, "lacks", [name for name in expected if name not in tensors])
    _add(problems, "has unexpected", [name for name in tensors if name not in expected])
    shared = [name for name in expected if name in tensors]
    _add(
        problems,
        "has wrong shapes for",
        [
            f"{name} {list(tensors[name].shape)} instead of {list(expected[name].shape)}"
            for name in shared
            if tensors[name].shape != expected[name].shape
        ],
    )
    kinds = [name for name in shared if tensors[name].is_floating_point() != expected[name].is_floating_point()]
    _add(problems, "has the wrong number type in", kinds)
    _add(
        problems,
        "has NaN or infinity in",
        [name for name in shared if not bool(torch.isfinite(tensors[name]).all())],
    )
    if problems:
        raise DataFileError(f"{what} '{path}' " + "; ".join(problems) + f". {remedy}")


def _add(problems: list[str], verb: str, names: list[str]) -> None:
    if names:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        problems.append(f"{verb} {', '.join(names[:3])}{more}")
