"""A linear layer on tiles: analog products, digital scale, bias and activation."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from ferrogen.chip.block_matrices import cell_differences
from ferrogen.chip.blocks import Block, BlockGrid
from ferrogen.chip.cells.products import CellProducts, cell_products
from ferrogen.chip.chip import Chip
from ferrogen.chip.engine.prepared import Prepared, has_fast_product, prepare
from ferrogen.chip.engine.product import input_codes, product
from ferrogen.chip.flicker.currents import remembered_currents, share_currents
from ferrogen.chip.flicker.decision import MemoryChoice, decide_at_once
from ferrogen.chip.flicker.remembering import Divided, Remembering, divide
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.power import product_power
from ferrogen.chip.product import (
    ProductMatrices,
    analog_product,
    cell_product,
    converter_step,
    mean_magnitude,
    split_rows,
)
from ferrogen.chip.readout import Readout
from ferrogen.core.errors import argument_error
from ferrogen.core.streams import Purpose
from ferrogen.mapping.coding.spec import CodingSpec
from ferrogen.mapping.ranges import least_error_range

Fidelity = Literal["statistical", "cell"]

# Beyond this share of the voltage lost to wires, what a trap does to all other cells is solved for, cycle by cycle.
_LARGEST_DROP = 0.05
_CYCLES_AT_ONCE = 8


@dataclass(frozen=True, slots=True, eq=False)
class _Ready:
    """Prepared tiles, and what they were prepared for."""

    matrices: ProductMatrices
    full_scale: float
    mean_input: torch.Tensor
    prepared: Prepared


@dataclass(slots=True)
class AnalogLinear:
    """One linear layer programmed on a chip.

    Made by :func:`ferrogen.mapping.layer.map_matrices`. ``input_scale``, ``full_scale`` and ``mean_input`` are set by
    :meth:`calibrate`.

    Attributes:
        chip: on which it is.
        blocks: where on its tiles, and what converters read.
        scale: weight per conductance [1/S] of each conversion; an output's conversions follow each other.
        bias: digital, shape ``(outputs,)``.
        inputs: number of inputs.
        coding: of the weights.
        shares_tiles: whether other layers may be on its tiles; if not, all their word lines are driven.
        input_scale: input value that drives a word line fully.
        full_scale: of integrator and converter [A].
        mean_input: mean magnitude of the inputs as a share of ``input_scale``; it sets the shot noise; shape
            ``(row_tiles, 1, rows)``.
        mean_square: mean square of the inputs as shares of ``input_scale``, ``(row_tiles, rows)``.
        power: of all cells, mean over a product's time and over typical inputs [W]; set by :meth:`calibrate`.
        memory: whether noise lasts from cycle to cycle at the statistical level; ``off``: all of it is white.
        shares_cycles: whether several vectors may be multiplied in one cycle: with memory, these have all of the cells'
            noise in common then, as they do at the cell level.
        has_ranges: whether :meth:`calibrate` has set them.
        resolved_share: share of the cells' variance whose traps are followed at the fidelity ``cell``; the rest is
            Gaussian and fresh in every product (:mod:`ferrogen.chip.cells.following`). 1: every trap is followed.
    """

    chip: Chip
    blocks: BlockGrid
    scale: torch.Tensor
    bias: torch.Tensor
    inputs: int
    coding: CodingSpec = field(default_factory=CodingSpec)
    shares_tiles: bool = False
    input_scale: float = 1.0
    full_scale: float = 1.0
    mean_input: torch.Tensor = field(default_factory=lambda: torch.full((1, 1, 1), 0.5))
    mean_square: torch.Tensor = field(default_factory=lambda: torch.full((1, 1), 1.0 / 3.0))
    power: float = 0.0
    memory: MemoryChoice = "off"
    shares_cycles: bool = True
    has_ranges: bool = False
    resolved_share: float = 0.95
    _divided: tuple[bool, Divided] | None = field(default=None, repr=False)
    _remembers: tuple[tuple[object, ...], Remembering] | None = field(default=None, repr=False)
    _kept: tuple[OperatingPoint, int, ProductMatrices, Readout | None] | None = field(default=None, repr=False)
    _ready: _Ready | None = field(default=None, repr=False)
    _cells: tuple[ProductMatrices, float, CellProducts] | None = field(default=None, repr=False)
    _cells_ready: _Ready | None = field(default=None, repr=False)

    @property
    def outputs(self) -> int:
        """Number of outputs."""
        return int(self.bias.shape[0])

    @property
    def conversions(self) -> int:
        """Conversions of a row tile in one product."""
        return int(self.scale.shape[0])

    @property
    def conversions_per_output(self) -> int:
        """How many conversions are put together to one output: the slices of bit-sliced weights, else 1."""
        return self.conversions // self.outputs

    @property
    def grid(self) -> list[list[int]]:
        """Tile numbers, ``grid[row tile][column tile]``."""
        return self.blocks.tiles

    def matrices(self, point: OperatingPoint) -> ProductMatrices:
        """Return the layer's product matrices at an operating point (the last point's are kept)."""
        now = self.chip.programmings
        if self._kept is None or self._kept[:2] != (point, now):
            matrices = self.chip.product_matrices(self.blocks, point)
            self._kept = (point, now, matrices, self.chip.readout(self.blocks, point, matrices))
        return self._kept[2]

    def readout(self, point: OperatingPoint) -> Readout | None:
        """Return the circuits around the layer's tiles as they were drawn (the last point's are kept)."""
        self.matrices(point)
        return None if self._kept is None else self._kept[3]

    def calibrate(self, x: torch.Tensor, point: OperatingPoint, *, input_scale: float | None = None) -> torch.Tensor:
        """Set the input and converter ranges from typical inputs; return the noiseless outputs for them.

        Both ranges are those with the least error for ``x``, ``(batch, inputs)`` (:mod:`ferrogen.mapping.ranges`).

        Args:
            x: typical inputs.
            point: operating point.
            input_scale: of matrices that share their inputs' converters; None: the one with the least error for ``x``.
        """
        periphery = self.chip.spec.periphery
        self.input_scale = (
            least_error_range(x, lambda part, scale: periphery.dac.quantise(part / scale) * scale)
            if input_scale is None
            else input_scale
        )
        matrices = self.matrices(point)
        row_tiles, rows, _ = matrices.mean.shape
        padded = torch.nn.functional.pad(x / self.input_scale, (0, row_tiles * rows - x.shape[1]))
        shares = padded.reshape(x.shape[0], row_tiles, rows).transpose(0, 1)
        self.mean_input = mean_magnitude(shares, periphery).mean(dim=1, keepdim=True)
        self.mean_square, self.has_ranges = shares.square().mean(dim=1), True
        v0 = self.chip.device.characteristic_voltage.value
        self.power = product_power(shares, matrices.total, periphery, point.multiply_voltage, v0)
        current = torch.bmm(shares, matrices.mean) * matrices.drive
        converted = current.transpose(0, 1)
        if periphery.dac.cycles > 1:  # what a converter sees are planes, not the whole
            planes = [torch.bmm(plane, matrices.mean) * matrices.drive for _, plane in periphery.dac.planes(shares)]
            converted = torch.stack(planes, dim=2).flatten(1, 2).transpose(0, 1)
        self.full_scale = least_error_range(
            converted,
            lambda part, scale: periphery.multiply_adc.quantise(periphery.integrator.saturate(part, scale), scale),
        )
        return self._finish(current.sum(dim=0), matrices.drive)

    def _finish(self, current: torch.Tensor, drive: float) -> torch.Tensor:
        if self.conversions_per_output == 1:  # in place: the currents are the caller's own, and nobody else's
            return current.mul_(self.scale * (self.input_scale / drive)).add_(self.bias)
        return self.recombine(current * (self.input_scale / drive)) + self.bias

    def recombine(self, conversions: torch.Tensor) -> torch.Tensor:
        """Put conversions together digitally: ``(..., conversions)`` [S] to ``(..., outputs)`` in units of weights."""
        scaled = conversions * self.scale
        count = self.conversions_per_output
        return scaled if count == 1 else scaled.reshape(*scaled.shape[:-1], self.outputs, count).sum(dim=-1)

    def __call__(
        self,
        x: torch.Tensor,
        point: OperatingPoint,
        images: NDArray[np.int64],
        fidelity: Fidelity = "statistical",
        *,
        first_cycle: int = 0,
    ) -> torch.Tensor:
        """Return the layer's outputs, shape ``(batch, outputs)``.

        Args:
            x: inputs, shape ``(batch, inputs)``, float32.
            point: operating point.
            images: image number of every row: the address of its noise.
            fidelity: ``statistical`` (exact moments), or ``cell`` (traps followed from cycle to cycle).
            first_cycle: cycle of the chip in which image 0 is made (``cell`` only: it is where the traps are).

        Raises:
            ArgumentError: an unknown fidelity.
        """
        addresses = np.ascontiguousarray(images, dtype=np.int64)
        return self.multiply(
            x, point, torch.from_numpy(addresses), cycles=torch.from_numpy(addresses + first_cycle), fidelity=fidelity
        )

    def prepared(self, point: OperatingPoint) -> Prepared | None:
        """Return the layer's tiles ready for fast products (the last ones are kept); None: its circuits need others.

        They depend on the layer's ranges, too: :meth:`calibrate` first.
        """
        matrices = self.remembering(point).matrices
        if not has_fast_product(self.chip.spec.periphery, self.readout(point), matrices):
            return None
        self._ready = self._made_ready(self._ready, matrices, point)
        return self._ready.prepared

    def _made_ready(self, kept: _Ready | None, matrices: ProductMatrices, point: OperatingPoint) -> _Ready:
        if (
            kept is not None
            and kept.matrices is matrices
            and kept.mean_input is self.mean_input
            and kept.full_scale == self.full_scale
        ):
            return kept
        prepared = prepare(
            matrices,
            self._electronic_noise(point),
            self.chip.spec.periphery,
            self.full_scale,
            self._noise_key(),
            reference_variance=matrices.reference_variance,
            reference_of=matrices.reference_of,
        )
        return _Ready(matrices, self.full_scale, self.mean_input, prepared)

    def cells(self, point: OperatingPoint) -> CellProducts:
        """Return the layer with its traps followed, for the fidelity ``cell`` (the last point's are kept)."""
        matrices, kept = self.matrices(point), self._cells
        if kept is None or kept[0] is not matrices or kept[1] != self.resolved_share:
            made = cell_products(self.chip, self.blocks, point, matrices, resolved_share=self.resolved_share)
            self._cells = kept = (matrices, self.resolved_share, made)
        return kept[2]

    def remembering(self, point: OperatingPoint) -> Remembering:
        """Return which of the noise lasts from cycle to cycle, and the matrices of the rest (the last are kept).

        With ``auto`` it depends on the layer's ranges; before :meth:`calibrate`, nothing lasts.
        """
        whole = self.matrices(point)
        if self.memory == "off" or (self.memory == "auto" and not self.has_ranges):
            return Remembering(whole)
        grounds = (whole, self.memory, self.shares_cycles, self.mean_input, self.mean_square, self.full_scale)
        kept = self._remembers
        if kept is None or any(ours is not theirs for ours, theirs in zip(kept[0], grounds, strict=True)):
            kept = self._remembers = grounds, self._decide(whole, point)
        return kept[1]

    def _decide(self, whole: ProductMatrices, point: OperatingPoint) -> Remembering:
        squares = self.mean_square.expand(whole.mean.shape[:2])
        noise = self._electronic_noise(point)
        step = converter_step(self.chip.spec.periphery, self.full_scale)
        at_once = decide_at_once(self.memory, whole, squares, noise, step)
        if at_once is not None:
            return Remembering(whole, None, at_once)
        if self._divided is None or self._divided[0] != self.shares_cycles or self._divided[1].whole is not whole:
            divided = divide(self.chip, self.blocks, point, whole, common=self.shares_cycles)
            self._divided = self.shares_cycles, divided
        return self._divided[1].decided(self.memory, squares, noise, step)

    def multiply(
        self,
        x: torch.Tensor,
        point: OperatingPoint,
        addresses: torch.Tensor,
        *,
        cycles: torch.Tensor | None = None,
        fidelity: Fidelity = "statistical",
    ) -> torch.Tensor:
        """Multiply vectors, each with noise of its own address, many of which may share a cycle of the chip.

        Args:
            x: inputs, shape ``(vectors, inputs)``, float32.
            point: operating point.
            addresses: of the vectors' noise, int64, shape ``(vectors,)``: a vector's result depends on nothing else.
            cycles: cycle of the chip in which each vector is multiplied, same shape: where the traps are (``cell``, and
                ``statistical`` with memory).
            fidelity: ``statistical`` (exact moments), or ``cell`` (traps followed from cycle to cycle).

        Returns:
            outputs, scale and bias included, shape ``(vectors, outputs)``.

        Raises:
            ArgumentError: an unknown fidelity, shapes that do not fit, or no cycles where they are needed.
        """
        if fidelity not in ("statistical", "cell"):
            raise argument_error("fidelity", "be 'statistical' or 'cell'", repr(fidelity))
        if x.ndim != 2 or x.shape[1] != self.inputs or addresses.shape != x.shape[:1]:
            raise argument_error(
                "x and addresses",
                f"have the shapes (vectors, {self.inputs}) and (vectors,)",
                f"of shapes {tuple(x.shape)} and {tuple(addresses.shape)}",
            )
        if fidelity == "cell":
            current, clipped = self._cell_currents(x, point, addresses, cycles)
        elif (prepared := self.prepared(point)) is not None:
            codes, memory = input_codes(x, self.input_scale, prepared.input_levels), self.remembering(point).memory
            added = None
            if memory is not None:
                now = self._check_cycles(cycles, addresses)
                added = remembered_currents(codes, now, memory, input_levels=prepared.input_levels)
            current, lost = product(codes, prepared, addresses, added=added)
            clipped = int(lost)
        else:
            remembers = self.remembering(point)
            memory = remembers.memory
            current, clipped = analog_product(
                x / self.input_scale,
                remembers.matrices,
                self._electronic_noise(point),
                self.chip.spec.periphery,
                self.full_scale,
                point,
                self.chip.device.characteristic_voltage.value,
                noise_key=self._noise_key(),
                images=addresses.numpy(),
                readout=self.readout(point),
                added=None
                if memory is None
                else partial(share_currents, cycles=self._check_cycles(cycles, addresses), memory=memory),
            )
        self.count(x.shape[0], clipped)
        return self._finish(current, self.matrices(point).drive)

    def count(self, vectors: int, clipped: int) -> None:
        """Add products to the chip's record of use, without making them.

        Args:
            vectors: input vectors multiplied.
            clipped: conversions that clipped.
        """
        rows, columns = self.blocks.blocks, len(self.blocks.conversions)
        spec = self.chip.spec
        driven = sum(row[0].rows for row in rows) if self.shares_tiles else len(rows) * spec.rows
        self.chip.count_products(
            vectors,
            len(rows),
            self.conversions,
            clipped,
            full_scale=self.full_scale,
            power=self.power,
            lines=driven * columns,
            cells=driven * self.conversions,
        )

    def _noise_key(self) -> np.uint64:
        return self.chip.streams.key(Purpose.MULTIPLY_NOISE, *self.blocks.address)

    def _electronic_noise(self, point: OperatingPoint) -> torch.Tensor:
        matrices = self.matrices(point)
        mean_input = self.mean_input.expand(matrices.mean.shape[0], 1, matrices.mean.shape[1])
        return matrices.electronic_noise(self.chip.spec.periphery, point, mean_input)

    def _cell_currents(
        self, x: torch.Tensor, point: OperatingPoint, addresses: torch.Tensor, cycles: torch.Tensor | None
    ) -> tuple[torch.Tensor, int]:
        now, cells = self._check_cycles(cycles, addresses), self.cells(point)
        if cells.largest_drop > _LARGEST_DROP:
            return self._solved_currents(x, point, addresses, now)
        matrices, readout, at = cells.matrices, self.readout(point), now.numpy()
        if has_fast_product(self.chip.spec.periphery, readout, matrices):
            self._cells_ready = self._made_ready(self._cells_ready, matrices, point)
            prepared = self._cells_ready.prepared
            codes = input_codes(x, self.input_scale, prepared.input_levels)
            seen = split_rows(codes.double() / prepared.input_levels, *matrices.mean.shape[:2])
            current, lost = product(codes, prepared, addresses, added=cells.trap_currents(seen, at))
            return current, int(lost)
        return analog_product(
            x / self.input_scale,
            matrices,
            self._electronic_noise(point),
            self.chip.spec.periphery,
            self.full_scale,
            point,
            self.chip.device.characteristic_voltage.value,
            noise_key=self._noise_key(),
            images=addresses.numpy(),
            readout=readout,
            added=partial(cells.trap_currents, cycles=at),
        )

    def _solved_currents(
        self, x: torch.Tensor, point: OperatingPoint, addresses: torch.Tensor, cycles: torch.Tensor
    ) -> tuple[torch.Tensor, int]:
        """Multiply with the conductances of every cycle, wires and lines solved for: exact, and slow."""
        matrices, clipped = self.matrices(point), 0
        currents = torch.empty((x.shape[0], self.conversions))
        for some in torch.unique(cycles).split(_CYCLES_AT_ONCE):
            chosen = torch.isin(cycles, some)
            currents[chosen], lost = cell_product(
                x[chosen] / self.input_scale,
                self._cell_conductances(point, some.numpy()),
                self._electronic_noise(point),
                self.chip.spec.periphery,
                self.full_scale,
                point,
                self.chip.device.characteristic_voltage.value,
                matrices.drive,
                noise_key=self._noise_key(),
                images=addresses[chosen].numpy(),
                offset=matrices.offset,
                correction=matrices.correction,
                readout=self.readout(point),
                cycle_of=torch.searchsorted(some, cycles[chosen]),
            )
            clipped += lost
        return currents, clipped

    @staticmethod
    def _check_cycles(cycles: torch.Tensor | None, addresses: torch.Tensor) -> torch.Tensor:
        if cycles is None or cycles.shape != addresses.shape:
            shape = "missing" if cycles is None else f"of shape {tuple(cycles.shape)}"
            raise argument_error("cycles", f"hold the chip's cycle of each of {addresses.shape[0]} vectors", shape)
        return cycles

    def weights(self, point: OperatingPoint) -> NDArray[np.float64]:
        """Return the weights that products really have on average, shape ``(outputs, inputs)``."""
        matrices = self.matrices(point)
        carried = matrices.mean.double().flatten(0, 1)[: self.inputs].T * self.scale.double()[:, None]
        joined = carried.reshape(self.outputs, self.conversions_per_output, self.inputs).sum(dim=1)
        return np.asarray(joined.numpy(), dtype=np.float64)

    def _cell_conductances(self, point: OperatingPoint, cycles: NDArray[np.int64]) -> torch.Tensor:
        """Return what conversions see of the cells in distinct, rising cycles, ``(cycles, row_tiles, rows, n)`` [S]."""
        first, last = int(cycles[0]), int(cycles[-1])

        def lines(block: Block) -> NDArray[np.float64]:
            whole = self.chip.tile(block.tile).product_conductances(
                point, first_cycle=first, cycles=last - first + 1, threads=self.chip.threads
            )
            return whole[cycles - first, block.of_rows, block.of_lines]

        return cell_differences(self.blocks, lines)
