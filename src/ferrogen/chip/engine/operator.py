"""The product as an operator of torch, ``ferrogen::analog_product``: a node for ``torch.export`` and ``vmap``.

The processor's form is numba's, which torch cannot look into; an operator needs no look inside. Over chips that are
stacked (``vmap``) it is called chip by chip: each has matrices of its own, and there is nothing to be shared.
"""

from __future__ import annotations

from typing import Any

import torch

from ferrogen.chip.engine.fused import fused_product
from ferrogen.chip.engine.plain import plain_product
from ferrogen.chip.engine.tensors import Tiles


@torch.library.custom_op("ferrogen::analog_product", mutates_args=())
def analog_product_operator(
    codes: torch.Tensor,
    addresses: torch.Tensor,
    added: torch.Tensor | None,
    mean_digits: torch.Tensor,
    mean_step: torch.Tensor,
    variance_digits: torch.Tensor,
    variance_step: torch.Tensor,
    strongest_rows: torch.Tensor,
    strongest_variance: torch.Tensor,
    noise: torch.Tensor,
    full_scale: torch.Tensor,
    key: torch.Tensor,
    reference_of: torch.Tensor | None,
    output_levels: int,
    fast: bool,  # noqa: FBT001 (operators have no keyword-only arguments here)
) -> tuple[torch.Tensor, torch.Tensor]:
    """Multiply; see :func:`ferrogen.chip.engine.product.product`."""
    tiles = Tiles(
        mean_digits,
        mean_step,
        variance_digits,
        variance_step,
        strongest_rows,
        strongest_variance,
        noise,
        full_scale,
        key,
        reference_of,
        output_levels,
    )
    form = fused_product if codes.device.type == "cpu" else plain_product
    return form(codes, tiles, addresses, added, fast=fast)


@analog_product_operator.register_fake
def _shapes(codes: torch.Tensor, *others: Any) -> tuple[torch.Tensor, torch.Tensor]:
    outputs = others[3].shape[1]  # of mean_step
    return (
        codes.new_empty((codes.shape[0], outputs), dtype=torch.float32),
        codes.new_empty((), dtype=torch.int64),
    )


@analog_product_operator.register_vmap
def _stacked(info: Any, in_dims: tuple[int | None, ...], *arguments: Any) -> tuple[Any, tuple[int, int]]:
    results = []
    for chip in range(info.batch_size):
        own = [value if dim is None else value.select(dim, chip) for value, dim in zip(arguments, in_dims, strict=True)]
        results.append(analog_product_operator(*own))
    products, clipped = zip(*results, strict=True)
    return (torch.stack(products), torch.stack(clipped)), (0, 0)
