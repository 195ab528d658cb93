"""Weight matrices put on a chip: planned, coded, programmed once, and made into layers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from ferrogen.chip.chip import Chip
from ferrogen.chip.repair import Repair
from ferrogen.core.errors import argument_error
from ferrogen.mapping.analog_linear import AnalogLinear, Fidelity
from ferrogen.mapping.coding.code import check_weight, code_matrix
from ferrogen.mapping.coding.spec import CodingSpec
from ferrogen.mapping.coding.window import coding_window
from ferrogen.mapping.plan.plan import MatrixRequest, plan_matrices
from ferrogen.mapping.plan.program import program_plan

__all__ = ["AnalogLinear", "Fidelity", "map_linear", "map_matrices"]


def map_matrices(
    chip: Chip,
    weights: Sequence[NDArray[np.float64]],
    biases: Sequence[NDArray[np.float64]],
    *,
    coding: CodingSpec | None = None,
    pack: bool = True,
    repair: Repair | None = None,
    sampling_tiles: int = 0,
    names: Sequence[str] | None = None,
) -> list[AnalogLinear]:
    """Program weight matrices onto free tiles of a chip, every tile once.

    Args:
        chip: with enough free tiles.
        weights: shapes ``(outputs, inputs)``.
        biases: shapes ``(outputs,)``.
        coding: of the weights; differential pairs, if not given.
        pack: whether matrices share tiles; else every block of every matrix has a tile to itself.
        repair: finds the tiles' faults and programs around them; None: faults are left as they are.
        sampling_tiles: how many of the first tiles also serve the sample mode.
        names: of the matrices, for messages; numbers, if not given.

    Raises:
        CapacityError: not enough tiles; says how many are needed.
        ArgumentError: weights or biases that are not finite, sizes that do not fit together, or a coding that does not
            fit the chip.
    """
    coding = coding or CodingSpec()
    if len(weights) != len(biases) or (names is not None and len(names) != len(weights)):
        counts = f"{len(weights)} weights, {len(biases)} biases" + ("" if names is None else f", {len(names)} names")
        raise argument_error("weights", "have one bias each (and one name, if any are given)", counts)
    called = [f"weights[{k}]" for k in range(len(weights))] if names is None else list(names)
    for name, weight, bias in zip(called, weights, biases, strict=True):
        check_weight(weight, name)
        if bias.shape != weight.shape[:1] or not np.all(np.isfinite(bias)):
            raise argument_error(
                f"bias of {name}", f"hold finite numbers of shape {weight.shape[:1]}", f"of shape {bias.shape}"
            )
    requests = [
        MatrixRequest(weight.shape[0], weight.shape[1], name) for name, weight in zip(called, weights, strict=True)
    ]
    plan = plan_matrices(requests, chip, coding, pack=pack)
    used = coding_window(chip, coding)
    coded = [
        code_matrix(weight, coding, used.window, used.levels, plan.split(k), name=called[k])
        for k, weight in enumerate(weights)
    ]
    plan = program_plan(chip, plan, coded, repair=repair, sampling_tiles=sampling_tiles)
    return [
        AnalogLinear(
            chip=chip,
            blocks=grid,
            scale=torch.from_numpy(matrix.scale.astype(np.float32)),
            bias=torch.from_numpy(bias.astype(np.float32)),
            inputs=weight.shape[1],
            coding=coding,
            shares_tiles=pack,
        )
        for grid, matrix, weight, bias in zip(plan.grids, coded, weights, biases, strict=True)
    ]


def map_linear(
    chip: Chip,
    weight: NDArray[np.float64],
    bias: NDArray[np.float64],
    *,
    coding: CodingSpec | None = None,
    sampling_tiles: int = 0,
    repair: Repair | None = None,
) -> AnalogLinear:
    """Program a linear layer onto free tiles of a chip, which it has to itself.

    Args:
        chip: with enough free tiles.
        weight: shape ``(outputs, inputs)``.
        bias: shape ``(outputs,)``.
        coding: of the weights; differential pairs, if not given.
        sampling_tiles: how many of its tiles also serve the sample mode.
        repair: finds the tiles' faults and programs around them; None: faults are left as they are.

    Raises:
        CapacityError: not enough tiles.
        ArgumentError: weights or biases that are not finite.
    """
    (layer,) = map_matrices(
        chip,
        [weight],
        [bias],
        coding=coding,
        pack=False,
        repair=repair,
        sampling_tiles=sampling_tiles,
        names=["weight"],
    )
    return layer
