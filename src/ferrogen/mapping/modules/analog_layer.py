"""A layer of a network whose products run on tiles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from ferrogen.chip.chip import Chip
from ferrogen.chip.point import OperatingPoint
from ferrogen.circuit.converters import IdealDAC
from ferrogen.core.errors import argument_error, layer_error
from ferrogen.mapping.coding.spec import CodingSpec
from ferrogen.mapping.layer import AnalogLinear, Fidelity, map_matrices
from ferrogen.mapping.lowering import Lowering, lower
from ferrogen.mapping.modules.analog_part import AnalogPart
from ferrogen.mapping.modules.clock import Clock, Forward, Images, image_numbers
from ferrogen.mapping.modules.quantise import channels_last_codes, refuse_nan
from ferrogen.mapping.modules.typical import TypicalInputs
from ferrogen.mapping.training.master import MasterWeights, Response

FloatLayer: TypeAlias = nn.Linear | nn.Conv1d | nn.Conv2d | nn.ConvTranspose1d | nn.ConvTranspose2d

_CHUNK = 2**25  # bytes of vectors that are made at a time: few calls, and memory stays small


class AnalogLayer(nn.Module):
    """A linear layer or convolution on a chip, in the place of the float one.

    Inputs may be of any float type; products are computed in single precision, and the outputs are of the inputs' type.
    In evaluation outputs have no gradients; in training they have (:mod:`ferrogen.mapping.training`).

    Args:
        layer: the float layer; its weight and bias stay parameters, for training.
        lowering: its geometry.
        linears: its matrices on the chip, part by part, with biases of zero.
        clock: of the module that it belongs to.
        point: operating point.
        fidelity: ``statistical``, or ``cell`` (every trap followed; slow).
        first_cycle: cycle of the chip in which image 0 is made (``cell``: it is where the traps are).
        name: of the layer, for messages.

    Attributes:
        master: what is kept of its weights for training.
        input_scale: input that drives a word line fully.
        calibrated: 1 once ranges were set.
        vectors: input vectors multiplied so far, all parts together.
        clipped_inputs: inputs beyond ``input_scale`` so far.
        clipped_conversions: conversions beyond the full scale so far.
        calibrating: whether calls collect typical inputs and return what the float layer does.
    """

    weight: Tensor
    bias: Tensor | None
    input_scale: Tensor
    calibrated: Tensor
    image_dimension: Tensor
    vectors: Tensor
    clipped_inputs: Tensor
    clipped_conversions: Tensor

    def __init__(
        self,
        layer: FloatLayer,
        lowering: Lowering,
        linears: Sequence[AnalogLinear],
        clock: Clock,
        point: OperatingPoint,
        *,
        fidelity: Fidelity = "statistical",
        first_cycle: int = 0,
        name: str = "layer",
    ) -> None:
        super().__init__()
        if fidelity not in ("statistical", "cell"):
            raise argument_error("fidelity", "be 'statistical' or 'cell'", repr(fidelity))
        self.name, self.lowering, self.point = name, lowering, point
        self.fidelity, self.first_cycle = fidelity, first_cycle
        self.weight, self.bias = layer.weight, layer.bias
        self.master = MasterWeights(layer.weight, lowering, linears, point, name)
        self.parts = nn.ModuleList(AnalogPart(linear, point, first_cycle=first_cycle) for linear in linears)
        # Neither is a submodule: the clock belongs to the outermost module, the float layer to nobody.
        self._outside: tuple[Clock, FloatLayer] = clock, layer
        self.register_buffer("input_scale", torch.ones(()))
        self.register_buffer("calibrated", torch.zeros((), dtype=torch.int64))
        self.register_buffer("image_dimension", torch.zeros((), dtype=torch.int64))
        for counter in ("vectors", "clipped_inputs", "clipped_conversions"):
            self.register_buffer(counter, torch.zeros((), dtype=torch.int64), persistent=False)
        self.calibrating = False
        self.training = layer.training
        self._images, self._typical = Images(), TypicalInputs()
        self._clips = not isinstance(linears[0].chip.spec.periphery.dac, IdealDAC)
        self._known = False, 0  # calibrated and image_dimension, as numbers that no forward has to read from tensors

    # -- ranges -----------------------------------------------------------------------------------------------------

    def observe(self, x: Tensor) -> Tensor:
        """Collect typical inputs; return what the float layer makes of them.

        Raises:
            ArgumentError: an input that the layer does not take, or that is not finite.
        """
        clock, layer = self._outside
        values = x.detach().float()
        if not bool(torch.isfinite(values).all()):
            raise argument_error("inputs", "lead to finite values in every layer", f"not finite before {self.name}")
        leading = self._leading(x.shape)
        self._images.see(leading, leading[0] if clock.now is None else clock.now.images)
        self._typical.add(self.lowering, values)
        made: Tensor = layer(x)
        return made

    def settle(self) -> None:
        """Set all ranges from the inputs that were observed, and forget these.

        Raises:
            ArgumentError: none were observed.
        """
        if self._typical.empty:
            raise argument_error(
                "inputs", f"reach {self.name}, so that its ranges can be set", "never there", "Call with other inputs."
            )
        scale = self._typical.input_scale(self._part(0).linear.chip.spec.periphery)
        for part, vectors in zip(self._parts(), self._typical.vectors, strict=True):
            part.linear.calibrate(torch.cat(vectors), self.point, input_scale=scale)
        self.refresh()
        self.input_scale.fill_(scale)
        self.calibrated.fill_(1)
        self.image_dimension.fill_(self._images.dimension)
        self._typical, self._images = TypicalInputs(), Images()
        self._read_buffers()

    def calibrate(self, x: Tensor) -> Tensor:
        """Set all ranges from typical inputs; return what the float layer makes of them.

        Raises:
            ArgumentError: as :meth:`observe`.
        """
        made = self.observe(x)
        self.settle()
        return made

    def _read_buffers(self) -> None:
        self._known = bool(self.calibrated), int(self.image_dimension)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *args: Any) -> None:
        super()._load_from_state_dict(state_dict, prefix, *args)
        self._read_buffers()

    def adopt(self) -> None:
        """Let the matrices on the chip have the ranges in the buffers, after a state was loaded."""
        for part in self._parts():
            part.adopt(float(self.input_scale))

    # -- products ---------------------------------------------------------------------------------------------------

    def forward(self, x: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """Return what the layer returns, with the chip's noise.

        Raises:
            ArgumentError: ranges were not set, or an input that the layer does not take.
        """
        if output_size is not None:
            raise argument_error("output_size", "not be given to a layer on a chip", tuple(output_size))
        if self.calibrating:
            return self.observe(x)
        self._check(x)
        clock = self._outside[0]
        if clock.now is not None:
            return self._made(x, clock.now)
        leading = self._leading(x.shape)
        with clock.forward_of(leading[max(self._known[1], 0)]) as now:
            return self._made(x, now)

    def _check(self, x: Tensor) -> None:
        if not self._known[0]:
            raise layer_error(
                self.name,
                "have its ranges set before its first product",
                "not calibrated",
                "Call calibrate(inputs) of the mapped module.",
            )
        if not x.is_floating_point():
            raise argument_error("input", "be of a float type", x.dtype)
        if x.device != self.input_scale.device:
            raise argument_error(
                "input", f"be on the device of {self.name}, {self.input_scale.device}", x.device, "Move either of them."
            )
        self.lowering.check(x.shape)

    def _leading(self, shape: Sequence[int]) -> tuple[int, ...]:
        return self.lowering.leading(shape) or (1,)

    def _dimension(self, leading: Sequence[int], images: int) -> int:
        """Return the leading dimension of the images: the one learnt, or the first that can be it."""
        known = self._known[1]
        if known < 0 or (known < len(leading) and leading[known] % (images or 1) == 0):
            return known
        seen = Images()
        seen.see(leading, images)
        return seen.dimension

    def _addresses(self, shape: Sequence[int], now: Forward) -> list[Tensor]:
        """Return the addresses of every part's vectors."""
        leading = self._leading(shape)
        dimension = self._dimension(leading, now.images)
        items = math.prod(leading) // (1 if dimension < 0 else now.images or 1)
        positions = [self.lowering.positions(part, shape) for part in self.lowering.parts]
        start = now.take(self, items * max(positions))
        return [now.addresses(leading, dimension, count, start) for count in positions]

    def _made(self, x: Tensor, now: Forward) -> Tensor:
        addresses = self._addresses(x.shape, now)
        values = x.to(torch.float32)
        if self.training:
            made = self._trained(values, addresses)
        else:
            self.master.refuse_unprogrammed(self.weight)
            items = values.detach().reshape(-1, self.lowering.inputs, *self.lowering.spatial(x.shape))
            made = self._converted(items, addresses).reshape(self.lowering.output_shape(x.shape))
        return made.to(x.dtype)

    def _converted(self, items: Tensor, addresses: list[Tensor]) -> Tensor:
        """Return outputs of ``(items, channels, spatial ...)``, made a few items at a time."""
        levels = self._part(0).levels
        fast = self.fidelity == "statistical" and levels is not None
        if fast and levels is not None:
            flat = items.flatten(2) if self.lowering.axes else items.reshape(1, 1, -1)
            codes, clipped = channels_last_codes(flat, self.input_scale, levels[0])
            last = (items.shape[0], *items.shape[2:], items.shape[1])
            inputs = codes.reshape(last).movedim(-1, 1) if self.lowering.axes else codes.reshape(items.shape)
            self.clipped_inputs.add_(clipped)
        else:
            refuse_nan(items)
            inputs = items if self.fidelity == "cell" else items / self.input_scale
            if self._clips:
                self.clipped_inputs.add_((items.abs() > self.input_scale).sum())
        self.vectors.add_(sum(of_part.shape[0] for of_part in addresses))
        if torch.compiler.is_compiling():  # one graph for every number of items
            return self._chunk(inputs, addresses, fast=fast)
        count = items.shape[0]
        counted = [self.lowering.positions(part, items.shape) for part in self.lowering.parts]
        rows = [self.lowering.rows(part) for part in self.lowering.parts]
        each = sum(n * k for n, k in zip(counted, rows, strict=True)) * inputs.element_size()
        chunk = max(_CHUNK // max(each, 1), 1)
        made = []
        for first in range(0, max(count, 1), chunk):
            share = [where[n * first : n * (first + chunk)] for n, where in zip(counted, addresses, strict=True)]
            made.append(self._chunk(inputs[first : first + chunk], share, fast=fast))
        return made[0] if len(made) == 1 else torch.cat(made)

    def _chunk(self, inputs: Tensor, addresses: list[Tensor], *, fast: bool) -> Tensor:
        bias, outputs = None if self.bias is None else self.bias.detach().float(), []
        for part, of_part, vectors, where in zip(
            self._parts(), self.lowering.parts, self.lowering.vectors(inputs), addresses, strict=True
        ):
            if fast:
                out, clipped = part.multiply_codes(vectors, where)
            elif self.fidelity == "cell":
                out, clipped = self._cells(part, vectors, where)
            else:
                out, clipped = part.multiply_shares(vectors, where)
            self.clipped_conversions.add_(clipped)
            if self.fidelity == "statistical" and _happened(clipped):
                part.linear.count(vectors.shape[0], int(clipped))
            if bias is not None:
                out += bias[self.lowering.part_outputs(of_part)]
            outputs.append(out)
        return self.lowering.assemble(outputs, inputs.shape, bias)

    def _cells(self, part: AnalogPart, vectors: Tensor, addresses: Tensor) -> tuple[Tensor, Tensor]:
        if vectors.shape[0] == 0:
            return vectors.new_zeros((0, part.linear.outputs)), torch.zeros((), dtype=torch.int64)
        usage = part.linear.chip.usage
        before = usage.clipped_conversions
        made = part.linear.multiply(
            vectors,
            self.point,
            addresses,
            cycles=image_numbers(addresses) + self.first_cycle,
            fidelity="cell",
        )
        return made, torch.tensor(usage.clipped_conversions - before)

    # -- training ---------------------------------------------------------------------------------------------------

    def _trained(self, values: Tensor, addresses: list[Tensor]) -> Tensor:
        bias = None if self.bias is None else self.bias.float()
        return self.master.multiply(values, self.weight.float(), bias, self.responses(), addresses)

    def responses(self) -> list[Response]:
        """Return how the tiles of every part answer in training.

        Raises:
            ArgumentError: circuits that training does not model.
        """
        tiles = [None if part.levels is None else part.whole for part in self._parts()]
        return self.master.responses(self.input_scale, tiles)

    def refresh(self) -> None:
        """Take over what the chip presents now: after its tiles were programmed or used."""
        for part in self._parts():
            part.refresh()

    def move(self, point: OperatingPoint) -> None:
        """Multiply at another operating point from now on, with the ranges that are set."""
        self.point = self.master.point = point
        for part in self._parts():
            part.point = point
        self.refresh()

    def follow(self, fidelity: Fidelity, first_cycle: int) -> None:
        """Choose the fidelity of the next products, and the cycle of the chip in which image 0 is made."""
        self.fidelity, self.first_cycle = fidelity, first_cycle
        for part in self._parts():
            part.first_cycle = first_cycle

    def _part(self, number: int) -> AnalogPart:
        return self._parts()[number]

    def _parts(self) -> list[AnalogPart]:
        return [part for part in self.parts if isinstance(part, AnalogPart)]

    # -- types and devices ------------------------------------------------------------------------------------------

    def _apply(self, fn: Any, recurse: bool = True) -> AnalogLayer:  # noqa: FBT001, FBT002 (torch's signature)
        """Move buffers with everything else, but leave them their types: half a float is no conductance."""
        owners = [
            (module, name, buffer) for module in self.modules() for name, buffer in module.named_buffers(recurse=False)
        ]
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for module, name, buffer in owners:
            moved = getattr(module, name)
            if moved.dtype != buffer.dtype:
                setattr(module, name, buffer.to(moved.device))
        return self

    def extra_repr(self) -> str:
        """Return what a printed module shows."""
        low = self.lowering
        return f"{self.name}: {low.inputs} -> {low.outputs}, parts={len(low.parts)}, fidelity={self.fidelity}"


def _happened(clipped: Tensor) -> bool:
    """Say whether a product was made on the layer's own chip: not in a trace, nor with stacked tensors (``vmap``)."""
    if torch.compiler.is_compiling() or type(clipped) is not Tensor:
        return False
    return not torch._C._functorch.is_functorch_wrapped_tensor(clipped)  # noqa: SLF001 (it has no other name)


def map_layer(
    layer: FloatLayer,
    chip: Chip,
    point: OperatingPoint,
    *,
    clock: Clock | None = None,
    coding: CodingSpec | None = None,
    fidelity: Fidelity = "statistical",
    name: str = "layer",
) -> AnalogLayer:
    """Program one layer onto free tiles of a chip.

    Args:
        layer: one that :func:`.lower` knows.
        chip: with enough free tiles.
        point: operating point.
        clock: of the module that it belongs to; its own, if not given.
        coding: of the weights; differential pairs, if not given.
        fidelity: of the products.
        name: of the layer, for messages.

    Raises:
        ArgumentError: a layer of no supported kind, or weights that are not finite.
        CapacityError: not enough tiles.
    """
    lowering = lower(layer, chip.spec.logical_rows, chip.spec.logical_pairs)
    if lowering is None:
        raise argument_error("layer", "be Linear, Conv1d, Conv2d, ConvTranspose1d or ConvTranspose2d", type(layer))
    weights = [np.asarray(part.double().cpu().numpy()) for part in lowering.weights(layer.weight.detach())]
    linears = map_matrices(
        chip,
        weights,
        [np.zeros(weight.shape[0]) for weight in weights],
        coding=coding,
        names=[f"{name}[{k}]" for k in range(len(weights))] if len(weights) > 1 else [name],
    )
    return AnalogLayer(layer, lowering, linears, clock or Clock(), point, fidelity=fidelity, name=name)
