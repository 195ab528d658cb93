"""One weight matrix of a layer: its tiles as buffers, and products with them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ferrogen.chip.engine.prepared import Prepared
from ferrogen.chip.engine.product import product
from ferrogen.chip.flicker.currents import remembered_currents, share_currents
from ferrogen.chip.flicker.memory import ProductMemory
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.product import analog_product
from ferrogen.core.streams import Purpose
from ferrogen.mapping.layer import AnalogLinear
from ferrogen.mapping.modules.clock import image_numbers

_MEMORY = "memory_"  # how names of the memory's buffers begin


class AnalogPart(nn.Module):
    """A weight matrix on tiles.

    Its buffers are all that a forward needs. Where circuits allow fast products they are the tensors of
    :class:`.Prepared`; otherwise mean and variance of the conductances, the electronic noise and the converter's range.
    Circuits with errors of their own are drawn from the chip's seed, and not among them.

    Args:
        linear: the matrix on its chip, with a bias of zero.
        point: operating point.

    Attributes:
        gain: output for a current [1/A] of every conversion.
        full_scale: of integrator and converter [A].
        mean_input: as the attribute of :class:`.AnalogLinear`.
        levels: largest input and output code of fast products; None: circuits need others.
        fast: whether the low digits of the cells' variances are left out (:func:`.engine.product.product`).
        remembers: which of the noise lasts from image to image, and why.
        first_cycle: cycle of the chip in which image 0 is made, for what lasts.
    """

    gain: Tensor
    full_scale: Tensor
    mean_input: Tensor
    levels: tuple[int, int] | None

    def __init__(self, linear: AnalogLinear, point: OperatingPoint, *, first_cycle: int = 0) -> None:
        super().__init__()
        self.first_cycle = first_cycle
        self._memory_names: tuple[str, ...] = ()
        self.linear = linear
        self.point = point
        self.levels = None
        self.fast = False
        self._names: tuple[str, ...] = ()
        self.refresh()

    def refresh(self) -> None:
        """Take over what the chip presents now: after programming, and after ranges were set."""
        linear, point = self.linear, self.point
        linear.full_scale = float(np.float32(linear.full_scale))  # as it is saved
        self.remembers = linear.remembering(point)
        matrices = self.remembers.matrices
        row_tiles, rows = matrices.mean.shape[:2]
        prepared = linear.prepared(point)
        if prepared is not None:
            tensors = prepared.tensors()
            self.levels = prepared.input_levels, prepared.output_levels
        else:
            mean_input = linear.mean_input.expand(row_tiles, 1, rows)
            key = linear.chip.streams.key(Purpose.MULTIPLY_NOISE, *linear.blocks.address)
            tensors = {
                "mean": matrices.mean,
                "variance": matrices.variance,
                "noise": matrices.electronic_noise(linear.chip.spec.periphery, point, mean_input),
                "full_scale": torch.tensor(linear.full_scale, dtype=torch.float32),
                "key": torch.tensor(int(np.uint64(key).astype(np.int64)), dtype=torch.int64),
            }
            optional = {"offset": matrices.offset, "correction": matrices.correction}
            tensors.update({name: value for name, value in optional.items() if value is not None})
            self.levels = None
        self._names = tuple(tensors)
        tensors["gain"] = linear.scale * (linear.input_scale / matrices.drive)
        tensors["mean_input"] = linear.mean_input.expand(row_tiles, 1, rows).clone()
        # Copies: a state is loaded into them in place, and the chip keeps what it has.
        for name, value in tensors.items():
            self.register_buffer(name, value.clone())
        memory = self.remembers.memory
        self._register_memory({} if memory is None else memory.tensors())

    def _register_memory(self, tensors: dict[str, Tensor]) -> None:
        for name in self._memory_names:
            delattr(self, _MEMORY + name)
        self._memory_names = tuple(tensors)
        for name, value in tensors.items():
            self.register_buffer(_MEMORY + name, value.clone())

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *args: Any) -> None:
        """Load what was saved, with a memory or without: whether it pays, ranges say that are loaded, too."""
        known = [key.removeprefix(prefix) for key in state_dict if key.startswith(prefix)]
        names = {name.removeprefix(_MEMORY) for name in known if name.startswith(_MEMORY)}
        if names != set(self._memory_names):
            self._register_memory({name: torch.empty_like(state_dict[prefix + _MEMORY + name]) for name in names})
        super()._load_from_state_dict(state_dict, prefix, *args)

    @property
    def memory(self) -> ProductMemory | None:
        """The buffers as a memory; None: all noise is white."""
        if not self._memory_names:
            return None
        return ProductMemory.from_tensors({name: getattr(self, _MEMORY + name) for name in self._memory_names})

    def _cycles(self, addresses: Tensor) -> Tensor:
        return image_numbers(addresses) + self.first_cycle

    def adopt(self, input_scale: float) -> None:
        """Let the matrix on the chip have the ranges that were loaded into the buffers."""
        self.linear.input_scale = input_scale
        self.linear.full_scale = float(self.full_scale)
        self.linear.mean_input = self.mean_input.cpu()

    @property
    def prepared(self) -> Prepared:
        """The buffers as prepared tiles.

        Raises:
            RuntimeError: circuits do not allow fast products (``levels`` is None).
        """
        if self.levels is None:
            raise RuntimeError("these circuits have no fast products")
        return Prepared.from_tensors({name: getattr(self, name) for name in self._names}, *self.levels)

    @property
    def whole(self) -> Prepared:
        """The buffers as prepared tiles with all of the noise's variance, what lasts included; not for products."""
        prepared, memory = self.prepared, self.memory
        if memory is None:
            return prepared
        lasting, outputs = memory.variance.sum(dim=0).float(), memory.outputs
        common = prepared.reference_variance
        return replace(
            prepared,
            variance=prepared.variance + lasting[:, :, :outputs],
            reference_variance=None if common is None else common + lasting[:, :, outputs:],
        )

    def multiply_codes(self, codes: Tensor, addresses: Tensor, added: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return outputs ``(vectors, outputs)`` of int8 codes, and how many conversions clipped; no bias."""
        memory = self.memory
        if memory is not None and self.levels is not None:
            lasting = remembered_currents(codes, self._cycles(addresses), memory, input_levels=self.levels[0])
            added = lasting if added is None else added + lasting
        current, clipped = product(codes, self.prepared, addresses, added=added, fast=self.fast)
        return self._recombined(current), clipped

    def multiply_shares(self, shares: Tensor, addresses: Tensor) -> tuple[Tensor, Tensor]:
        """Return the same for inputs as shares of the full drive, float32, by way of the circuits in full."""
        linear = self.linear
        known = {
            name: getattr(self, name) for name in ("mean", "variance", "offset", "correction") if name in self._names
        }
        memory = self.memory
        current, clipped = analog_product(
            shares,
            replace(self.remembers.matrices, **known),
            self.noise,  # type: ignore[arg-type]
            linear.chip.spec.periphery,
            float(self.full_scale),
            self.point,
            linear.chip.device.characteristic_voltage.value,
            noise_key=np.int64(int(self.key)).astype(np.uint64),  # type: ignore[arg-type]
            images=addresses.numpy(),
            readout=linear.readout(self.point),
            added=None if memory is None else partial(share_currents, cycles=self._cycles(addresses), memory=memory),
        )
        return self._recombined(current), torch.tensor(clipped)

    def _recombined(self, current: Tensor) -> Tensor:
        scaled = current.mul_(self.gain)  # the currents are nobody else's
        count = self.linear.conversions_per_output
        return scaled if count == 1 else scaled.unflatten(-1, (-1, count)).sum(dim=-1)  # type: ignore[no-untyped-call]
