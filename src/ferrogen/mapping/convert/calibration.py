"""Ranges of all converters from typical inputs, and how much of these they clip."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn

from ferrogen.core.errors import ArgumentError, argument_error
from ferrogen.mapping.convert.inputs import Batch, on_device
from ferrogen.mapping.convert.trace import untouched_generator
from ferrogen.mapping.layer import AnalogLinear
from ferrogen.mapping.modules.analog_layer import AnalogLayer
from ferrogen.mapping.modules.analog_part import AnalogPart

if TYPE_CHECKING:
    from ferrogen.mapping.convert.describe import Record
    from ferrogen.mapping.convert.mapped import MappedModule


def linears_of(layer: AnalogLayer) -> list[AnalogLinear]:
    """Return a layer's matrices on the chip."""
    return [part.linear for part in layer.parts if isinstance(part, AnalogPart)]


@dataclass(frozen=True, slots=True)
class Clipping:
    """Shares of typical values beyond a layer's ranges.

    Attributes:
        inputs: of the inputs.
        conversions: of the conversions.
    """

    inputs: float
    conversions: float


def calibrate_layers(mapped: MappedModule, record: Record, batches: Sequence[Batch]) -> dict[int, Clipping]:
    """Set all ranges; return what they clip of the first batch, by ``id`` of the layer.

    Layers answer with what the float layers make of their inputs while these are collected, so one forward a batch
    serves all layers, in the order of the data.

    Raises:
        ArgumentError: the module refuses the inputs, or a layer is never reached.
    """
    layers = record.built.analog
    device = next((layer.input_scale.device for layer in layers), torch.device("cpu"))
    was_training = mapped.training
    mapped.eval()
    start = mapped.clock.next_image.clone()
    try:
        for layer in layers:
            layer.calibrating = True
        for batch in batches:
            _forward(mapped, on_device(batch, device))
    finally:
        for layer in layers:
            layer.calibrating = False
        mapped.clock.next_image.copy_(start)
    for layer in layers:
        layer.settle()
    clipping = {} if record.fidelity == "cell" else _clipping(mapped, layers, on_device(batches[0], device))
    mapped.clock.next_image.copy_(start)
    mapped.train(was_training)
    return clipping


def _forward(mapped: MappedModule, batch: Batch) -> None:
    try:
        with untouched_generator(), torch.no_grad(), mapped.images(batch.images) as module:
            module(*batch.args, **batch.kwargs)
    except ArgumentError:
        raise
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        raise argument_error(
            "inputs",
            "be what the module's forward takes",
            f"refused: {(str(error).splitlines() or [type(error).__name__])[0]}",
            "Pass one tensor, or a tuple of the forward's arguments.",
        ) from error


def _clipping(mapped: MappedModule, layers: Sequence[AnalogLayer], batch: Batch) -> dict[int, Clipping]:
    """Run a batch with noise and count what is beyond the ranges."""
    values = {id(layer): [0, 0] for layer in layers}
    before = {id(layer): (int(layer.clipped_inputs), int(layer.clipped_conversions)) for layer in layers}

    def count(layer: nn.Module, args: tuple[torch.Tensor, ...]) -> None:
        if not isinstance(layer, AnalogLayer):
            return
        shape = args[0].shape
        items = math.prod(layer.lowering.leading(shape))
        of_layer = values[id(layer)]
        of_layer[0] += args[0].numel()
        for geometry, linear in zip(layer.lowering.parts, linears_of(layer), strict=True):
            each = len(linear.blocks.blocks) * linear.conversions
            of_layer[1] += items * layer.lowering.positions(geometry, shape) * each

    handles = [layer.register_forward_pre_hook(count) for layer in layers]
    try:
        _forward(mapped, batch)
    finally:
        for handle in handles:
            handle.remove()
    found = {}
    for layer in layers:
        inputs, conversions = values[id(layer)]
        clipped_inputs, clipped_conversions = before[id(layer)]
        found[id(layer)] = Clipping(
            (int(layer.clipped_inputs) - clipped_inputs) / max(inputs, 1),
            (int(layer.clipped_conversions) - clipped_conversions) / max(conversions, 1),
        )
        layer.clipped_inputs.sub_(int(layer.clipped_inputs) - clipped_inputs)
        layer.clipped_conversions.sub_(int(layer.clipped_conversions) - clipped_conversions)
    return found
