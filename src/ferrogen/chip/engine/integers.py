"""Exact products of small integers, whichever way the machine does them fast: all give the same bits."""

from __future__ import annotations

from functools import cache
from typing import Literal

import torch

Backend = Literal["int8", "float"]

_FLOAT32_EXACT = 2**24  # whole numbers up to here are exact in single precision, and so is any order of adding them


@cache
def has_int8() -> bool:
    """Say whether this processor multiplies signed bytes fast and without saturating on the way (VNNI)."""
    supported = getattr(torch.cpu, "_is_vnni_supported", None)
    return hasattr(torch, "_int_mm") and supported is not None and bool(supported())


def choose_backend(device: torch.device) -> Backend:
    """Return the fast way on a device; elsewhere than on such processors bytes are multiplied as floats."""
    return "int8" if device.type == "cpu" and has_int8() else "float"


def _with_own_strides(matrix: torch.Tensor) -> torch.Tensor:
    """Give a matrix of one row or column the strides of its shape: torch's byte product goes wrong with others."""
    return matrix.clone(memory_format=torch.contiguous_format) if 1 in matrix.shape else matrix


def integer_product(
    left: torch.Tensor, right: torch.Tensor, bound: int, backend: Backend, out: torch.Tensor | None = None
) -> torch.Tensor:
    """Multiply int8 matrices, ``(..., m, k)`` by ``(..., k, n)``; the result is exact, int32.

    Args:
        left: matrix, or a batch of them with ``float``.
        right: likewise.
        bound: largest magnitude that a sum, or a part of it, can have: at most 2**31 - 1.
        backend: ``int8`` (dot products of bytes), or ``float``: in single precision if the bound is exact there, else
            in double.
        out: where ``int8`` writes its result, int32; None: somewhere new.
    """
    if backend == "int8":
        if left.shape[0] * left.shape[1] * right.shape[1] == 0:
            return torch.zeros(left.shape[0], right.shape[1], dtype=torch.int32)
        own = _with_own_strides(left), _with_own_strides(right)
        product: torch.Tensor = torch._int_mm(*own, out=out)  # noqa: SLF001 (it has no other name)
        return product
    kind = torch.float32 if bound < _FLOAT32_EXACT else torch.float64
    return torch.matmul(left.to(kind), right.to(kind)).to(torch.int32)
