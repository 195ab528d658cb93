"""Remembered currents as an operator of torch, ``ferrogen::remembered_currents``, for export and stacked chips."""

from __future__ import annotations

from typing import Any

import torch
from torch import library

from ferrogen.chip.flicker.sums import add_chunks, cycle_signs, subtract_references
from ferrogen.core.errors import argument_error

_NAME = "ferrogen::remembered_currents"
_SCHEMA = (
    "(Tensor codes, Tensor cycles, Tensor deviations, Tensor steps, Tensor row_exponents, Tensor row_phases,"
    " Tensor output_exponents, Tensor output_phases, Tensor key, Tensor? reference_of, int input_levels) -> Tensor"
)
library.define(_NAME, _SCHEMA)  # not custom_op, whose first call imports torch's compiler: seconds


@library.impl(_NAME, "CompositeExplicitAutograd")
def _currents(
    codes: torch.Tensor,
    cycles: torch.Tensor,
    deviations: torch.Tensor,
    steps: torch.Tensor,
    row_exponents: torch.Tensor,
    row_phases: torch.Tensor,
    output_exponents: torch.Tensor,
    output_phases: torch.Tensor,
    key: torch.Tensor,
    reference_of: torch.Tensor | None,
    input_levels: int,
) -> torch.Tensor:
    """Return the currents; see :func:`ferrogen.chip.flicker.currents.remembered_currents`.

    Raises:
        ArgumentError: a negative cycle.
    """
    bins, row_tiles, rows, lines = deviations.shape
    out = torch.zeros((row_tiles, codes.shape[0], lines), device=codes.device)
    if codes.shape[0] and bins:
        if int(cycles.min()) < 0:
            raise argument_error("cycles", "not be negative", int(cycles.min()))
        unique, place = torch.unique(cycles, return_inverse=True)
        signs = cycle_signs(key, (row_exponents, row_phases), (output_exponents, output_phases), unique)
        padded = torch.nn.functional.pad(codes, (0, row_tiles * rows - codes.shape[1]))
        add_chunks(padded, place, deviations, steps / input_levels, *signs, out)
    return subtract_references(out, reference_of)


@library.register_fake(_NAME)  # type: ignore[untyped-decorator]
def _shapes(codes: torch.Tensor, *others: Any) -> torch.Tensor:
    deviations, reference_of = others[1], others[8]
    outputs = deviations.shape[3] if reference_of is None else reference_of.shape[0]
    return codes.new_empty((deviations.shape[1], codes.shape[0], outputs), dtype=torch.float32)


def _stacked(info: Any, in_dims: tuple[int | None, ...], *arguments: Any) -> tuple[torch.Tensor, int]:
    """Go through stacked chips one by one: each has deviations of its own, and nothing is shared."""
    found = []
    for chip in range(info.batch_size):
        own = [value if dim is None else value.select(dim, chip) for value, dim in zip(arguments, in_dims, strict=True)]
        found.append(remembered_operator(*own))
    return torch.stack(found), 0


library.register_vmap(_NAME, _stacked)
remembered_operator = torch.ops.ferrogen.remembered_currents.default
