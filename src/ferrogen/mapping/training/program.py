"""Trained weights onto the tiles that they were trained for: write-verify of the same cells, with the same scales."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from ferrogen.chip.chip import Chip
from ferrogen.chip.placement import Placement
from ferrogen.chip.repair import Repair
from ferrogen.core.errors import argument_error
from ferrogen.mapping.coding.code import check_weight
from ferrogen.mapping.coding.schemes import positions
from ferrogen.mapping.coding.window import coding_window
from ferrogen.mapping.layer import AnalogLinear
from ferrogen.mapping.training.levels import signed_levels

if TYPE_CHECKING:
    from ferrogen.mapping.modules.analog_layer import AnalogLayer

Array = NDArray[np.float64]


def full_weights(layer: AnalogLinear) -> torch.Tensor:
    """Return the weight of each output that fills the conductance window, shape ``(outputs,)``."""
    used = coding_window(layer.chip, layer.coding)
    levels = signed_levels(layer.coding, used.levels)
    first = layer.scale[:: layer.conversions_per_output]
    return first * (used.window.span * levels.reach / levels.slice_weights[0])


def _targets(layer: AnalogLinear, weight: Array) -> list[Array]:
    """Return the conductances [S] of every column block, ``(inputs, 2 * pairs)``."""
    used = coding_window(layer.chip, layer.coding)
    fraction = np.clip(weight / full_weights(layer).double().numpy()[:, None], -1.0, 1.0)
    targets, start = [], 0
    for conversions in layer.blocks.conversions:
        stop = start + conversions // layer.conversions_per_output
        cells = positions(fraction[start:stop], layer.coding, used.levels)
        targets.append(used.window.low + used.window.span * cells)
        start = stop
    return targets


def _logical(chip: Chip, number: int) -> Array:
    """Return what a tile's logical cells were asked for [S]; those that lie on no line, the window's bottom."""
    tile, spec = chip.tile(number), chip.spec
    if tile.placement is None:
        return tile.state.target.copy()
    values = np.full((spec.logical_rows, 2 * spec.logical_pairs), chip.window.low)
    rows, lines, first, placed = placed_lines(tile.placement)
    values[np.ix_(rows, placed)] = tile.state.target[np.ix_(first, lines)]
    return values


def placed_lines(placement: Placement) -> tuple[NDArray[np.int64], ...]:
    """Return logical rows, physical lines of logical ones, the rows' first word lines, and the logical lines placed."""
    carried, first = np.unique(placement.row_of, return_index=True)
    used, line_of = carried >= 0, placement.line_of
    placed = np.flatnonzero(line_of >= 0)
    return carried[used], line_of[placed], first[used], placed


def reprogram(layers: Sequence[AnalogLinear], weights: Sequence[Array], *, repair: Repair | None = None) -> None:
    """Program other weights onto the tiles of layers, every tile once; the chip counts the pulses.

    The scales of outputs stay, so weights beyond the window are clipped. What else is on the tiles is programmed again
    as it was asked for.

    Args:
        layers: of one chip.
        weights: of each, shape ``(outputs, inputs)``.
        repair: programs around the tiles' faults anew; None: lines stay where an earlier repair put them.

    Raises:
        ArgumentError: weights that are not finite or of another shape, or layers of several chips.
    """
    if not layers:
        return
    chip = layers[0].chip
    if any(layer.chip is not chip for layer in layers):
        raise argument_error("layers", "be on one chip", "on several", "Program each chip's by themselves.")
    for number, (layer, weight) in enumerate(zip(layers, weights, strict=True)):
        check_weight(weight, f"weights[{number}]")
        if weight.shape != (layer.outputs, layer.inputs):
            raise argument_error(f"weights[{number}]", f"have the shape {(layer.outputs, layer.inputs)}", weight.shape)
    wanted: dict[int, Array] = {}
    scales: dict[int, Array] = {}
    for layer, weight in zip(layers, weights, strict=True):
        of_columns = _targets(layer, np.asarray(weight, dtype=np.float64))
        first = 0
        for row in layer.blocks.blocks:
            for column, block in enumerate(row):
                target = wanted.setdefault(block.tile, _logical(chip, block.tile))
                cells = of_columns[column][first : first + block.rows]
                target[block.of_rows, block.of_lines] = cells
                scale = scales.setdefault(block.tile, np.zeros(chip.spec.logical_pairs))
                scale[block.pair : block.pair + block.pairs] = float(layer.scale.max())
            first += row[0].rows
    for number, target in wanted.items():
        tile = chip.tile(number)
        if repair is not None:
            repair.program(chip, number, target, scale=scales[number], samples=tile.samples)
            continue
        if tile.placement is not None:
            target = tile.placement.to_physical(target, chip.spec.columns, chip.window.low)
        chip.program(number, target, samples=tile.samples, placement=tile.placement)


def program_layers(layers: Sequence[AnalogLayer], *, repair: Repair | None = None) -> int:
    """Program the weights of layers onto their tiles and take over what these present then.

    Every tile is programmed once, if any weight on it was changed. Ranges of converters stay.

    Args:
        layers: on tiles.
        repair: as in :func:`reprogram`.

    Returns:
        how many layers had other weights than their tiles.

    Raises:
        ArgumentError: weights that are not finite.
    """
    changed = [
        layer for layer in layers if layer.master.loaded or not layer.master.is_programmed(layer.weight, anew=True)
    ]
    chips: dict[int, list[AnalogLayer]] = {}
    for layer in changed:
        chips.setdefault(id(layer.master.linears[0].chip), []).append(layer)
    for of_chip in chips.values():
        linears = [linear for layer in of_chip for linear in layer.master.linears]
        weights = [matrix for layer in of_chip for matrix in layer.master.matrices(layer.weight)]
        reprogram(linears, weights, repair=repair)
    for layer in changed:
        layer.master.mark_programmed(layer.weight)
    if changed:
        for layer in layers:  # others may be on the same tiles
            layer.refresh()
    return len(changed)
