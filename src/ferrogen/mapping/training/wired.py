"""Training with the drop along wires solved in every step, instead of found once after programming.

The drop depends on the weights: what is programmed into a row's cells takes voltage from the others. Where it is
strong, deviations that were found at one set of weights are no longer those of the next. Here every forward solves the
network of every tile and every input vector, and the backward solves it once more (:mod:`ferrogen.chip.wired_product`).
Cells see voltages of which their current is a linear function, as in :meth:`.Wires.effective_conductance`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.product import split_rows
from ferrogen.chip.wired_product import wired_product
from ferrogen.circuit.wires import Wires
from ferrogen.core.errors import argument_error
from ferrogen.core.normals import standard_normals
from ferrogen.mapping.layer import AnalogLinear
from ferrogen.mapping.training.product import noisy_currents
from ferrogen.mapping.training.response import Presented, TileResponse, tile_response


@dataclass(frozen=True, slots=True, eq=False)
class WiredResponse:
    """How the tiles of one weight matrix, as differential pairs, answer behind wires.

    Attributes:
        response: the tiles without wires and deviations.
        programmed: shares of the window that the programmed weights take, ``(row_tiles, rows, outputs)``.
        cells: conductances [S] of all cells of the blocks' tiles as programmed, ``(blocks, word lines, bit lines)``.
        places: word lines, bit lines and outputs of every block, and its row tile.
        span: width of the conductance window [S].
        drive: current per conductance at full input [V].
        wires: of the tiles.
        tolerance: of the solver.
    """

    response: TileResponse
    programmed: torch.Tensor
    cells: torch.Tensor
    places: tuple[tuple[slice, slice, slice, int], ...]
    span: float
    drive: float
    wires: Wires
    tolerance: float

    def shares(self, x: torch.Tensor) -> torch.Tensor:
        """Return inputs as shares of the full drive, with gradients."""
        return self.response.shares(x)

    def _cells(self, weight: torch.Tensor) -> torch.Tensor:
        """Return the conductances of all cells [S] with other weights."""
        share = self.response.currents(weight) / self.response.window_current
        changes = []
        for (rows, lines, outputs, row_tile), cells in zip(self.places, self.cells, strict=True):
            now, before = (part[row_tile, : rows.stop - rows.start, outputs] for part in (share, self.programmed))
            both = torch.stack(
                [now.clamp(min=0.0) - before.clamp(min=0.0), before.clamp(max=0.0) - now.clamp(max=0.0)], 2
            )
            around = (
                lines.start,
                cells.shape[1] - lines.start - both.shape[1] * 2,
                rows.start,
                cells.shape[0] - rows.stop,
            )
            changes.append(torch.nn.functional.pad(both.flatten(1), around))
        return (self.cells + self.span * torch.stack(changes)).clamp(min=0.0)

    def multiply(self, shares: torch.Tensor, weight: torch.Tensor, addresses: torch.Tensor) -> torch.Tensor:
        """Multiply vectors; arguments and result as of :meth:`.TileResponse.multiply`.

        Raises:
            ConvergenceError: the tolerance was not reached.
        """
        response = self.response
        row_tiles, rows, outputs = response.variance.shape
        split = self.drive * split_rows(shares, row_tiles, rows)
        word_lines = self.cells.shape[1]
        voltages = torch.stack([
            torch.nn.functional.pad(split[tile, :, : place.stop - place.start], (place.start, word_lines - place.stop))
            for place, _, _, tile in self.places
        ])  # fmt: skip
        lines = wired_product(voltages, self._cells(weight), self.wires, tolerance=self.tolerance)
        parts: list[list[torch.Tensor]] = [[] for _ in range(row_tiles)]
        for (_, place, of_block, tile), currents in zip(self.places, lines, strict=True):
            count = of_block.stop - of_block.start
            pairs = currents[:, place]
            parts[tile].append((pairs[:, 0::2] - pairs[:, 1::2])[:, :count])
        differences = torch.stack([torch.cat(row, dim=1) for row in parts])
        drawn = torch.from_numpy(standard_normals(response.key, addresses.cpu().numpy(), row_tiles * outputs))
        normals = drawn.to(shares).view(-1, row_tiles, outputs).transpose(0, 1)
        return (
            noisy_currents(differences, shares, response.variance, response.conversion, normals) * response.output_scale
        )


def wired_response(
    layer: AnalogLinear,
    weight: torch.Tensor,
    point: OperatingPoint,
    now: Presented | None = None,
    *,
    tolerance: float = 1e-6,
) -> WiredResponse:
    """Return how the tiles of a layer answer, wires solved in every product.

    Args:
        layer: programmed with ``weight`` and calibrated.
        weight: float32, shape ``(outputs, inputs)``.
        point: operating point.
        now: what its tiles present; asked of the layer, if not given.
        tolerance: largest error of a line's current over the largest.

    Raises:
        ArgumentError: ideal wires, a coding other than differential pairs, or tiles with broken or spare lines;
            circuits that training does not model.
    """
    chip, wires = layer.chip, layer.chip.spec.periphery.wires
    blocks = [block for row in layer.blocks.blocks for block in row]
    tiles = [chip.tile(block.tile) for block in blocks]
    if (
        not isinstance(wires, Wires)
        or layer.coding.scheme != "differential"
        or any(tile.shares() is not None for tile in tiles)
    ):
        raise argument_error(
            "wires",
            "be 'as-found', or the layer have differential pairs behind wires, on tiles without broken or spare lines",
            "'exact'",
        )
    found = tile_response(layer, weight, point, now)
    response = replace(found, deviation=torch.zeros_like(found.deviation))
    starts = [sum(layer.blocks.conversions[:k]) for k in range(len(layer.blocks.conversions) + 1)]
    places = tuple(
        (block.of_rows, block.of_lines, slice(starts[j], starts[j + 1]), i)
        for i, row in enumerate(layer.blocks.blocks)
        for j, block in enumerate(row)
    )
    cells = torch.stack([torch.from_numpy(tile.cell_statistics(point).mean.astype("float32")) for tile in tiles])
    drive = chip.drive(point)
    return WiredResponse(
        response=response,
        programmed=response.currents(weight.to(response.deviation.device)) / response.window_current,
        cells=cells.to(response.deviation.device),
        places=places,
        span=float(response.window_current) / drive,
        drive=drive,
        wires=wires,
        tolerance=tolerance,
    )
