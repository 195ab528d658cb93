"""The product as an operator of torch, ``ferrogen::analog_product``: a node for ``torch.export`` and ``vmap``.

The processor's form is numba's, which torch cannot look into; an operator needs no look inside. Over chips that are
stacked (``vmap``) it is called chip by chip: each has matrices of its own, and there is nothing to be shared.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import library

from ferrogen.chip.engine.fused import fused_product
from ferrogen.chip.engine.plain import plain_product
from ferrogen.chip.engine.tensors import Tiles

_NAME = "ferrogen::analog_product"
_SCHEMA = (
    "(Tensor codes, Tensor addresses, Tensor? added, Tensor mean_digits, Tensor mean_step, Tensor variance_digits,"
    " Tensor variance_step, Tensor strongest_rows, Tensor strongest_variance, Tensor noise, Tensor full_scale,"
    " Tensor key, Tensor? reference_of, int output_levels, bool fast) -> (Tensor, Tensor)"
)
library.define(_NAME, _SCHEMA)


@library.impl(_NAME, "CompositeExplicitAutograd")
def _product(
    codes: torch.Tensor, addresses: torch.Tensor, added: torch.Tensor | None, *others: Any
) -> tuple[torch.Tensor, torch.Tensor]:
    """Multiply; see :func:`ferrogen.chip.engine.product.product`."""
    form = fused_product if codes.device.type == "cpu" else plain_product
    return form(codes, Tiles(*others[:-1]), addresses, added, fast=others[-1])


@library.register_fake(_NAME)
def _shapes(codes: torch.Tensor, *others: Any) -> tuple[torch.Tensor, torch.Tensor]:
    outputs = others[3].shape[1]  # of mean_step
    return (
        codes.new_empty((codes.shape[0], outputs), dtype=torch.float32),
        codes.new_empty((), dtype=torch.int64),
    )


def _stacked(info: Any, in_dims: tuple[int | None, ...], *arguments: Any) -> tuple[Any, tuple[int, int]]:
    results = []
    for chip in range(info.batch_size):
        own = [value if dim is None else value.select(dim, chip) for value, dim in zip(arguments, in_dims, strict=True)]
        results.append(analog_product_operator(*own))
    products, clipped = zip(*results, strict=True)
    return (torch.stack(products), torch.stack(clipped)), (0, 0)


library.register_vmap(_NAME, _stacked)
analog_product_operator = torch.ops.ferrogen.analog_product.default
