"""What one weight matrix meets on its tiles: the way from a master weight to what products see of it.

A master weight becomes a level, the level a current, and to it comes what the chip makes different: programming errors,
traps that stay where they are, the drop along wires. These deviations are found once, when the tiles have been
programmed, and stay while the weights are trained; so do the cells' variances. Both are found anew after the next
programming. For a population of chips, deviations are drawn anew in every step, from those that were found.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from ferrogen.chip.chip import Chip
from ferrogen.chip.engine.prepared import Prepared
from ferrogen.chip.point import OperatingPoint
from ferrogen.circuit.converters import ADC, DAC, IdealADC
from ferrogen.circuit.readout.input_encoding import PulseWidth
from ferrogen.core.errors import argument_error
from ferrogen.core.normals import standard_normals
from ferrogen.core.streams import Purpose
from ferrogen.mapping.coding.window import coding_window
from ferrogen.mapping.layer import AnalogLinear
from ferrogen.mapping.training.levels import SignedLevels, level_currents, signed_levels
from ferrogen.mapping.training.product import Conversion, noisy_product
from ferrogen.mapping.training.program import full_weights, placed_lines
from ferrogen.mapping.training.straight_through import input_shares


@dataclass(frozen=True, slots=True, eq=False)
class TileResponse:
    """How the tiles of one weight matrix answer.

    Attributes:
        full_weight: weight that fills the conductance window, shape ``(outputs,)``.
        levels: of the cells.
        window_current: of a cell's whole window at full input [A], shape ``()``.
        deviation: of the tiles' mean currents from those of the levels [A], shape ``(conversions, row_tiles * rows)``.
        variance: of the lines' currents from product to product [A^2], shape ``(row_tiles, rows, lines)``; lines are
            conversions, and behind them reference lines.
        conversion: electronic noise and converter.
        input_scale: input of the largest code, shape ``()``.
        input_levels: largest input code; 0: an ideal converter.
        output_scale: output for a conversion's current [1/A], shape ``(conversions,)``.
        key: of the stream of training noise.
        held: which cells of differential pairs are stuck, as in :func:`.level_currents`; None: none are.
    """

    full_weight: torch.Tensor
    levels: SignedLevels
    window_current: torch.Tensor
    deviation: torch.Tensor
    variance: torch.Tensor
    conversion: Conversion
    input_scale: torch.Tensor
    input_levels: int
    output_scale: torch.Tensor
    key: np.uint64
    held: torch.Tensor | None = None

    @property
    def outputs(self) -> int:
        """Number of outputs."""
        return int(self.full_weight.shape[0])

    def currents(self, weight: torch.Tensor) -> torch.Tensor:
        """Return the mean currents at full input [A] of a weight matrix, ``(row_tiles, rows, conversions)``.

        See :func:`.level_currents` for its gradient.

        Args:
            weight: shape ``(outputs, inputs)``.
        """
        row_tiles, rows, _ = self.variance.shape
        whole = level_currents(weight, self.full_weight, self.levels, self.window_current, self.deviation, self.held)
        return whole.view(-1, row_tiles, rows).permute(1, 2, 0)

    def found(self, weight: torch.Tensor, mean: torch.Tensor) -> TileResponse:
        """Return this response with the deviations that tiles show.

        Args:
            weight: that was programmed, shape ``(outputs, inputs)``.
            mean: what the tiles present [A], shape ``(row_tiles, rows, conversions)``.
        """
        ideal = replace(self, deviation=torch.zeros_like(self.deviation)).currents(weight.detach())
        return replace(self, deviation=(mean - ideal).permute(2, 0, 1).reshape(self.deviation.shape).contiguous())

    def drawn(self, inputs: int, generator: np.random.Generator) -> TileResponse:
        """Return this response with the deviations of another chip: those found, each at another of the cells.

        Args:
            inputs: of the weight matrix; word lines without weights keep theirs.
            generator: of the draw.
        """
        own = self.deviation[:, :inputs]
        order = torch.from_numpy(generator.permutation(own.numel())).to(own.device)
        elsewhere = self.deviation.clone()
        elsewhere[:, :inputs] = own.reshape(-1)[order].view(own.shape)
        # Stuck cells are at other places on another chip, and among the deviations here.
        return replace(self, deviation=elsewhere, held=None)

    def compensated(self, weight: torch.Tensor) -> torch.Tensor:
        """Return weights with which pairs with one stuck cell come nearest to the weights given.

        A pair's working cell is asked for what the stuck one is off; where it works the wrong way, for nothing.

        Args:
            weight: wanted, shape ``(outputs, inputs)``.
        """
        if self.held is None:
            return weight
        inputs = weight.shape[1]
        plus, minus = self.held[:, :, :inputs]
        unit = self.window_current * self.levels.reach
        asked = weight / self.full_weight[:, None] - self.deviation[:, :inputs] / unit
        asked = torch.where(plus, asked.clamp(-1.0, 0.0), asked.clamp(0.0, 1.0)) * self.full_weight[:, None]
        return torch.where(plus ^ minus, asked, weight)

    def shares(self, x: torch.Tensor) -> torch.Tensor:
        """Return inputs of any shape as shares of the full drive, on the converter's codes, with gradients."""
        return input_shares(x, self.input_scale, self.input_levels)

    def multiply(self, shares: torch.Tensor, weight: torch.Tensor, addresses: torch.Tensor) -> torch.Tensor:
        """Multiply vectors by a weight matrix as the chip would, with gradients; the bias is not added.

        Args:
            shares: inputs as shares of the full drive (:func:`.input_shares`), shape ``(vectors, inputs)``.
            weight: master weights, shape ``(outputs, inputs)``.
            addresses: of the vectors' noise, int64, shape ``(vectors,)``.

        Returns:
            outputs, shape ``(vectors, outputs)``.
        """
        row_tiles, _, lines = self.variance.shape
        drawn = torch.from_numpy(standard_normals(self.key, addresses.cpu().numpy(), row_tiles * lines)).to(shares)
        normals = drawn.view(-1, row_tiles, lines).transpose(0, 1)
        current = noisy_product(shares, self.currents(weight), self.variance, self.conversion, normals)
        scaled = current * self.output_scale
        count = len(self.levels.slice_weights)
        return scaled if count == 1 else scaled.reshape(-1, self.outputs, count).sum(dim=2)


@dataclass(frozen=True, slots=True, eq=False)
class Presented:
    """What the tiles of one weight matrix present now; all tensors on one device.

    Attributes:
        mean: differential currents at full input [A], shape ``(row_tiles, rows, conversions)``.
        variance: as in :class:`TileResponse`.
        conversion: electronic noise and converter.
        input_scale: input of the largest code, shape ``()``.
    """

    mean: torch.Tensor
    variance: torch.Tensor
    conversion: Conversion
    input_scale: torch.Tensor


def presented(layer: AnalogLinear, point: OperatingPoint, prepared: Prepared | None = None) -> Presented:
    """Return what the tiles of a layer present.

    Args:
        layer: programmed and calibrated.
        point: operating point.
        prepared: its tiles, where others are meant than the chip's (those that were saved, say), with all variance.
    """
    scale = torch.tensor(layer.input_scale, dtype=torch.float32)
    if prepared is not None:
        lines = prepared.variance
        if prepared.reference_variance is not None:
            lines = torch.cat([lines, prepared.reference_variance], dim=2)
        conversion = Conversion(prepared.noise, prepared.full_scale, prepared.output_levels, prepared.reference_of)
        return Presented(prepared.mean, lines, conversion, scale.to(lines.device))
    matrices, periphery = layer.matrices(point), layer.chip.spec.periphery
    row_tiles, rows, _ = matrices.mean.shape
    noise = matrices.electronic_noise(periphery, point, layer.mean_input.expand(row_tiles, 1, rows))[:, 0]
    lines = matrices.variance
    if matrices.reference_variance is not None:
        lines = torch.cat([lines, matrices.reference_variance], dim=2)
    adc = periphery.multiply_adc
    levels = 2 ** (adc.bits - 1) - 1 if isinstance(adc, ADC) else 0
    full_scale = torch.tensor(layer.full_scale, dtype=torch.float32)
    conversion = Conversion(noise, full_scale, levels, matrices.reference_of)
    return Presented(matrices.mean * matrices.drive, lines * matrices.drive**2, conversion, scale)


def check_trainable(layer: AnalogLinear, point: OperatingPoint) -> None:
    """Refuse circuits that training does not model.

    Raises:
        ArgumentError: converters or drivers with errors of their own, several planes, or cells that bend inputs.
    """
    matrices, periphery = layer.matrices(point), layer.chip.spec.periphery
    dac = periphery.dac
    if (
        layer.readout(point) is not None
        or matrices.offset is not None
        or matrices.correction is not None
        or dac.cycles > 1
        or dac.driver not in ("sinh-compensated", "constant-voltage")
        or dac.driver_mismatch != 0.0
        or not isinstance(periphery.multiply_adc, ADC | IdealADC)
    ):
        raise argument_error(
            "model",
            "have plain converters, and inputs in one plane that cells see linearly, to be trained",
            "on other circuits",
            "Train on a chip with DAC and ADC, or ideal ones; the weights can then be mapped to this one.",
        )


def stuck_pairs(layer: AnalogLinear, conversions: int, lines: int, device: torch.device) -> torch.Tensor | None:
    """Return which cells of a layer's differential pairs are stuck, bool ``(2, conversions, lines)``; None: none are.

    Args:
        layer: programmed.
        conversions: of the layer.
        lines: word lines of all its row tiles together.
        device: of the result.
    """
    if layer.coding.scheme != "differential":
        return None
    held = np.zeros((2, conversions, lines), dtype=np.bool_)
    each = lines // len(layer.blocks.blocks)
    for number, row in enumerate(layer.blocks.blocks):
        first = 0
        for block, count in zip(row, layer.blocks.conversions, strict=True):
            stuck = _stuck(layer.chip, block.tile)
            if stuck is not None:
                cells = stuck[block.of_rows, block.of_lines].T
                rows = slice(number * each, number * each + cells.shape[1])
                held[0, first : first + count, rows] = cells[0::2][:count]
                held[1, first : first + count, rows] = cells[1::2][:count]
            first += count
    return torch.from_numpy(held).to(device) if held.any() else None


def _stuck(chip: Chip, number: int) -> NDArray[np.bool_] | None:
    """Return which of a tile's logical cells are stuck; those that lie on no line are."""
    tile = chip.tile(number)
    if tile.faults is None:
        return None
    cells = tile.faults.mask("stuck_on") | tile.faults.mask("stuck_off")
    if tile.placement is None:
        return cells
    logical = np.ones((chip.spec.logical_rows, 2 * chip.spec.logical_pairs), dtype=np.bool_)
    rows, lines, first, placed = placed_lines(tile.placement)
    logical[np.ix_(rows, placed)] = cells[np.ix_(first, lines)]
    return logical


def tile_response(
    layer: AnalogLinear, weight: torch.Tensor, point: OperatingPoint, now: Presented | None = None
) -> TileResponse:
    """Return how the tiles of a layer answer, with the deviations that they show.

    Args:
        layer: programmed with ``weight`` and calibrated.
        weight: float32, shape ``(outputs, inputs)``.
        point: operating point.
        now: what its tiles present; asked of the layer, if not given.

    Raises:
        ArgumentError: circuits that training does not model.
    """
    check_trainable(layer, point)
    chip, dac = layer.chip, layer.chip.spec.periphery.dac
    now = presented(layer, point) if now is None else now
    used, drive = coding_window(chip, layer.coding), chip.drive(point)
    row_tiles, rows, conversions = now.mean.shape
    device = now.mean.device
    blank = TileResponse(
        full_weight=full_weights(layer).to(device),
        levels=signed_levels(layer.coding, used.levels),
        window_current=torch.tensor(used.window.span * drive, dtype=torch.float32, device=device),
        deviation=torch.zeros((conversions, row_tiles * rows), device=device),
        variance=now.variance,
        conversion=now.conversion,
        input_scale=now.input_scale,
        input_levels=2 ** (dac.bits - 1) - 1 if isinstance(dac, DAC | PulseWidth) else 0,
        output_scale=(layer.scale / drive).to(device) * now.input_scale,
        key=chip.streams.key(Purpose.TRAINING_NOISE, *layer.blocks.address),
        held=stuck_pairs(layer, conversions, row_tiles * rows, device),
    )
    return blank.found(weight.to(device), now.mean)
