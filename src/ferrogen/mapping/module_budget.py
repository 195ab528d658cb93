"""The error budget of a mapped module: how far its outputs are from the float module's, source by source.

Each source of error is switched on alone, all else being ideal, on chips of the same seeds; then all together. Errors
that are independent add in squares: the root of the sum of squares beside what all together really do shows how far
that holds through the module's nonlinearities.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from ferrogen.chip.chip import Chip
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.spec import ChipSpec
from ferrogen.core.errors import argument_error, is_whole
from ferrogen.device.card import DeviceCard
from ferrogen.mapping.budget import error_sources
from ferrogen.mapping.convert.map_to_chip import map_to_chip

EVERYTHING = "everything"
"""The source that stands for the chip as it is."""


@dataclass(frozen=True, slots=True)
class ModuleError:
    """What one source of error does to a module's outputs.

    Attributes:
        source: what was switched on, all else ideal; :data:`EVERYTHING` for the real chip.
        relative_error: rms deviation from the float module over the rms of its outputs about their mean, root mean
            square over chips [1].
        low: smallest of the chips.
        high: largest of them.
        chips: how many.
    """

    source: str
    relative_error: float
    low: float
    high: float
    chips: int


def relative_deviation(output: Tensor, ideal: Tensor) -> float:
    """Return the rms difference over the rms of ``ideal`` about its mean [1].

    Raises:
        ArgumentError: an ideal output that never changes: there is nothing to compare with.
    """
    scale = float(ideal.double().std(correction=0))
    if not scale > 0.0:
        raise argument_error("ideal", "change from output to output", "a constant", "Give inputs that differ.")
    return float((output.double() - ideal.double()).square().mean().sqrt()) / scale


def module_budget(
    module: nn.Module,
    card: DeviceCard,
    calibration: Tensor,
    inputs: Tensor,
    *,
    spec: ChipSpec,
    point: OperatingPoint | None = None,
    seed: int = 0,
    chips: int = 3,
    sources: Sequence[str] | None = None,
) -> list[ModuleError]:
    """Measure how far a module on chips is from the float module, with each source of error alone and with all.

    Args:
        module: whose forward takes and gives one tensor.
        card: device card.
        calibration: typical inputs, from which converter ranges are set.
        inputs: other inputs, on which the deviation is measured.
        spec: of a chip with enough tiles.
        point: operating point; the card's default, if not given.
        seed: of the first chip.
        chips: how many chips for each source.
        sources: names of :func:`.error_sources`; all but those of tiles that also sample, if not given.

    Raises:
        ArgumentError: no chips, an unknown source, outputs that never change.
        CapacityError: the chip has too few tiles.
    """
    if not is_whole(chips, 1, 10_000):
        raise argument_error("chips", "be a whole number of at least 1", chips)
    variants = error_sources(card, spec)
    wanted = [name for name in variants if "samples" not in name] if sources is None else list(sources)
    for name in wanted:
        if name not in variants:
            raise argument_error("sources", f"be of {sorted(variants)}", repr(name))
    with torch.inference_mode():
        ideal = module(inputs)
    rows = []
    for name in wanted:
        variant_card, variant_spec = variants[name]
        # One tile is all that the budget of a tile needs; a module needs the chip's own number.
        whole = replace(variant_spec, tiles=spec.tiles)
        deviations = []
        for k in range(chips):
            mapped = map_to_chip(module, Chip(variant_card, seed=seed + k, spec=whole), calibration, point=point)
            with torch.inference_mode():
                deviations.append(relative_deviation(mapped(inputs), ideal))
        rms = math.sqrt(float(np.mean(np.square(deviations))))
        rows.append(ModuleError(name, rms, min(deviations), max(deviations), chips))
    return rows


def quadrature(rows: Sequence[ModuleError]) -> float:
    """Return the root of the sum of squares of all rows but :data:`EVERYTHING`."""
    return math.sqrt(sum(row.relative_error**2 for row in rows if row.source != EVERYTHING))
