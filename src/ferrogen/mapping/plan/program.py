"""A plan made real: every tile is programmed once, with all that the plan puts on it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ferrogen.chip.chip import Chip
from ferrogen.chip.repair import Repair
from ferrogen.core.errors import argument_error
from ferrogen.mapping.coding.code import CodedMatrix
from ferrogen.mapping.plan.plan import TilePlan


def program_plan(
    chip: Chip,
    plan: TilePlan,
    coded: Sequence[CodedMatrix],
    *,
    repair: Repair | None = None,
    sampling_tiles: int = 0,
) -> TilePlan:
    """Program matrices onto the lowest free tiles of a chip; return the plan with the chip's numbers.

    Args:
        chip: for which the plan was made.
        plan: where blocks lie.
        coded: the matrices, coded with the plan's split.
        repair: finds the tiles' faults and programs around them; None: faults are left as they are.
        sampling_tiles: how many of the first tiles also serve the sample mode.

    Raises:
        CapacityError: not enough free tiles.
        ArgumentError: repair of a coding with reference lines, or more sampling tiles than there are.
    """
    if repair is not None and plan.coding.reference_lines:
        raise argument_error(
            "repair",
            "be None with an offset column",
            "asked for",
            "It moves and turns pairs of lines: use differential or bit-sliced coding.",
        )
    if not 0 <= sampling_tiles <= len(plan.tiles):
        raise argument_error("sampling_tiles", f"be 0 to {len(plan.tiles)}, the tiles used", sampling_tiles)
    numbers = chip.reserve(len(plan.tiles))
    real = plan.on(numbers)
    spec = chip.spec
    shape = (spec.logical_rows, 2 * spec.logical_pairs)
    targets = {number: np.full(shape, chip.window.low) for number in numbers}
    scales = {number: np.zeros(spec.logical_pairs) for number in numbers}
    for grid, matrix in zip(real.grids, coded, strict=True):
        first = 0
        for row in grid.blocks:
            for column, block in enumerate(row):
                cells = matrix.targets[column][first : first + block.rows]
                targets[block.tile][block.of_rows, block.of_lines] = cells
                of_pairs = scales[block.tile][block.pair : block.pair + block.pairs]
                np.maximum(of_pairs, matrix.pair_scale(column), out=of_pairs)
            first += row[0].rows
    for k, number in enumerate(numbers):
        _program(chip, number, targets[number], scales[number], repair, samples=k < sampling_tiles)
    return real


def _program(
    chip: Chip,
    number: int,
    target: NDArray[np.float64],
    scale: NDArray[np.float64],
    repair: Repair | None,
    *,
    samples: bool,
) -> None:
    """Program one tile; where matrices share a pair, repair weighs its errors with the larger of their scales."""
    if repair is not None:
        repair.program(chip, number, target, scale=scale, samples=samples)
        return
    placement = chip.placement()
    if placement is not None:
        target = placement.to_physical(target, chip.spec.columns, chip.window.low)
    chip.program(number, target, samples=samples, placement=placement)
