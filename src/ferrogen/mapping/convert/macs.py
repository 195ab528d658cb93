"""Multiply-accumulates of torch's operators, whoever calls them: layers, functions, ``@`` or einsum."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

_Count = Callable[[tuple[Any, ...], Any], int]


def _matrix(left: Tensor, right: Tensor) -> int:
    """Count ``(..., n, k) @ (..., k, m)`` from its operands."""
    return int(left.numel()) * int(right.shape[-1])


def _convolution(args: tuple[Any, ...], out: Any) -> int:
    x: Tensor = args[0]
    weight: Tensor = args[1]
    transposed = bool(args[6])
    each = weight.numel() // max(weight.shape[0], 1)
    counted: Tensor = x if transposed else out
    return int(counted.numel()) * each


def _attention(args: tuple[Any, ...], _: Any) -> int:
    q, k, v = args[:3]
    return int(q.numel() * k.shape[-2] + q.numel() // max(q.shape[-1], 1) * k.shape[-2] * v.shape[-1])


def _recurrent(args: tuple[Any, ...], _: Any) -> int:
    x, first, second = args[:3]
    return int(x.numel() // max(x.shape[-1], 1) * (first.numel() + second.numel()))


_COUNTS: dict[str, _Count] = {
    "mm": lambda args, _: _matrix(args[0], args[1]),
    "_int_mm": lambda args, _: _matrix(args[0], args[1]),
    "bmm": lambda args, _: _matrix(args[0], args[1]),
    "mv": lambda args, _: int(args[0].numel()),
    "dot": lambda args, _: int(args[0].numel()),
    "vdot": lambda args, _: int(args[0].numel()),
    "addmm": lambda args, _: _matrix(args[1], args[2]),
    "_addmm_activation": lambda args, _: _matrix(args[1], args[2]),
    "baddbmm": lambda args, _: _matrix(args[1], args[2]),
    "addbmm": lambda args, _: _matrix(args[1], args[2]),
    "addmv": lambda args, _: int(args[1].numel()),
    "linear": lambda args, _: int(args[0].numel()) * int(args[1].shape[0]),
    "convolution": _convolution,
    "_convolution": _convolution,
    "mkldnn_rnn_layer": _recurrent,
}

FUSED = ("_transformer_encoder_layer_fwd", "_native_multi_head_attention")
"""Operators that read the raw weights of whole layers."""


def multiply_accumulates(name: str, args: tuple[Any, ...], out: Any) -> int:
    """Return how many multiply-accumulates a call of an operator makes; zero for those that multiply no matrices.

    Args:
        name: of the operator, without ``aten::``.
        args: positional arguments.
        out: what it returned.
    """
    if name.startswith("_scaled_dot_product"):
        return int(_attention(args, out))
    count = _COUNTS.get(name)
    return 0 if count is None else int(count(args, out))
