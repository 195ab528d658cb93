"""Blocks of tiles: what conversions read, and the circuits around a block that lies anywhere on its tile."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ferrogen.array.faults import FaultMap
from ferrogen.chip.blocks import Block, BlockGrid
from ferrogen.chip.chip import Chip
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.spec import ChipSpec
from ferrogen.circuit.amplifier import Amplifier
from ferrogen.circuit.converters import DAC
from ferrogen.circuit.periphery import Periphery
from ferrogen.circuit.readout.multiplexer import Multiplexer
from ferrogen.circuit.readout.sample_hold import SampleHold
from ferrogen.circuit.readout.sar import SarADC
from ferrogen.core.errors import ArgumentError

POINT = OperatingPoint()
ROWS, PAIRS = 12, 6


def _chip(tiles: int = 3, faults: dict[int, FaultMap] | None = None, **periphery: object) -> Chip:
    spec = ChipSpec(rows=ROWS, columns=2 * PAIRS, tiles=tiles, periphery=Periphery(**periphery))  # type: ignore[arg-type]
    chip = Chip("hzo-mfis-nor", seed=8, spec=spec, fault_maps=faults or {})
    for number in range(tiles):
        target = np.random.default_rng(number).uniform(chip.window.low, chip.window.high, (ROWS, 2 * PAIRS))
        chip.program(number, target)
    return chip


# Two row blocks (the second shorter) by two column blocks, on shared tiles.
GRID = BlockGrid(
    (
        (Block(0, 1, 2, 5, 3), Block(2, 7, 4, 5, 2)),
        (Block(1, 4, 1, 3, 3), Block(0, 8, 0, 3, 2)),
    ),
    (3, 2),
)


def test_matrices_of_blocks_are_parts_of_their_tiles() -> None:
    chip = _chip()
    matrices = chip.product_matrices(GRID, POINT)
    whole = {number: chip.product_matrices([[number]], POINT, PAIRS) for number in range(3)}
    starts = (0, 3)
    for i, row in enumerate(GRID.blocks):
        for j, block in enumerate(row):
            pairs = slice(block.pair, block.pair + block.pairs)
            place = slice(starts[j], starts[j] + block.pairs)
            for name in ("mean", "variance", "total"):
                part = getattr(matrices, name)[i, :, place]
                of_tile = getattr(whole[block.tile], name)[0, block.of_rows, pairs]
                assert torch.equal(part[: block.rows], of_tile)
                assert torch.all(part[block.rows :] == 0.0)
            # Lines are loaded by all their cells, driven or not.
            torch.testing.assert_close(
                matrices.line_conductance[i, 0, place], whole[block.tile].total[0, :, pairs].sum(dim=0)
            )
    assert matrices.reference_variance is None


def test_reference_lines_are_averaged_and_subtracted() -> None:
    chip = _chip()
    grid = BlockGrid(((Block(1, 2, 1, 6, 3),),), (4,), references=2)
    matrices = chip.product_matrices(grid, POINT)
    read = chip.tile(1).product_statistics(POINT)
    lines, variance = read.mean[2:8, 2:8], read.variance[2:8, 2:8]
    common = lines[:, :2].mean(axis=1, keepdims=True)
    np.testing.assert_allclose(matrices.mean[0], lines[:, 2:6] - common, rtol=1e-4, atol=1e-15)
    np.testing.assert_allclose(matrices.total[0], lines[:, 2:6] + common, rtol=1e-6)
    np.testing.assert_allclose(matrices.variance[0], variance[:, 2:6], rtol=1e-6)
    assert matrices.reference_variance is not None
    assert matrices.reference_of is not None
    np.testing.assert_allclose(matrices.reference_variance[0, :, 0], variance[:, :2].sum(axis=1) / 4.0, rtol=1e-6)
    assert matrices.reference_of.tolist() == [0, 0, 0, 0]


def test_broken_lines_have_the_variance_of_their_own_cells() -> None:
    """A line cut in the middle has the cells on its amplifier's side alone; pairs would share their sum."""
    faults = FaultMap(ROWS, 2 * PAIRS, open_columns=((6, 3),))
    grid = BlockGrid(((Block(0, 0, 0, ROWS, PAIRS),),), (2 * PAIRS - 1,), references=1)
    broken, sound = (_chip(1, given).product_matrices(grid, POINT) for given in ({0: faults}, {}))
    torch.testing.assert_close(broken.variance[0, :, 3:], sound.variance[0, :, 3:])
    cut = broken.variance[0, :, 2] == 0.0
    assert 0 < int(cut.sum()) < ROWS
    torch.testing.assert_close(broken.variance[0, ~cut, 2], sound.variance[0, ~cut, 2])


def _circuits(**changes: object) -> Chip:
    return _chip(
        dac=DAC(8, gain_error=0.1),
        multiply_adc=SarADC(8),
        multiply_amplifier=Amplifier(1e7, offset_voltage=1e-3),
        multiplexer=Multiplexer(2),
        sample_hold=SampleHold(),
        **changes,
    )


def test_circuits_of_a_block_are_those_of_its_lines() -> None:
    chip = _circuits()
    readout = chip.readout(GRID, POINT, chip.product_matrices(GRID, POINT))
    assert readout is not None
    assert readout.converters is not None
    assert readout.offset_current is not None
    starts = (0, 3)
    for i, row in enumerate(GRID.blocks):
        for j, block in enumerate(row):
            whole = chip.readout([[block.tile]], POINT, chip.product_matrices([[block.tile]], POINT, PAIRS))
            assert whole is not None
            assert whole.converters is not None
            assert whole.offset_current is not None
            pairs = slice(block.pair, block.pair + block.pairs)
            place = slice(starts[j], starts[j] + block.pairs)
            np.testing.assert_array_equal(
                readout.converters.weights[i, 0, place], whole.converters.weights[0, 0, pairs]
            )
            torch.testing.assert_close(readout.offset_current[i, 0, place], whole.offset_current[0, 0, pairs])
            if j == 0:
                gains = readout.inputs.gain[i, 0]
                np.testing.assert_array_equal(gains[: block.rows], whole.inputs.gain[0, 0, block.of_rows])
            if i == 0:
                torch.testing.assert_close(readout.hold_time[place], whole.hold_time[pairs])


def test_converters_serve_both_lines_of_a_pair_beside_a_reference() -> None:
    chip = _circuits()
    grid = BlockGrid(((Block(0, 0, 1, 4, 3),),), (5,), references=1)
    readout = chip.readout(grid, POINT, chip.product_matrices(grid, POINT))
    whole = chip.readout([[0]], POINT, chip.product_matrices([[0]], POINT, PAIRS))
    assert readout is not None
    assert whole is not None
    assert readout.converters is not None
    assert whole.converters is not None
    of_pair = [1, 2, 2, 3, 3]  # lines 3 to 7 of the tile; line 2 is the reference
    np.testing.assert_array_equal(readout.converters.weights[0, 0], whole.converters.weights[0, 0, of_pair])
    step = float(whole.hold_time[whole.hold_time > 0].min())
    turns = np.rint(whole.hold_time.numpy() / step)[of_pair]
    np.testing.assert_allclose(readout.hold_time, step * (2 * turns + [1, 0, 1, 0, 1]), rtol=1e-5)


def test_matrices_on_one_tile_have_noise_of_their_own() -> None:
    chip = _chip()
    addresses = [BlockGrid(((Block(0, row, pair, 2, 2),),), (2,)).address for row, pair in ((0, 0), (0, 2), (2, 0))]
    assert addresses == [(0,), (0, 0, 2), (0, 2, 0)]
    keys = {chip.streams.key(6, *address) for address in addresses}  # type: ignore[arg-type]
    assert len(keys) == 3


@pytest.mark.parametrize(
    ("blocks", "conversions", "references", "named"),
    [
        ((), (), 0, "blocks"),
        (((),), (), 0, "blocks"),
        (((Block(0, 0, 0, 2, 2), Block(1, 0, 0, 3, 2)),), (2, 2), 0, "blocks"),
        (((Block(0, 0, 0, 2, 2),), (Block(1, 0, 0, 2, 3),)), (2,), 0, "blocks"),
        (((Block(0, 0, 0, 2, 2),), (Block(1, 0, 0, 3, 2),)), (2,), 0, "blocks"),
        (((Block(0, 0, 0, 2, 2),),), (3,), 0, "conversions"),
        (((Block(0, 0, 0, 2, 2),),), (2, 2), 0, "conversions"),
        (((Block(0, 0, 0, 2, 2),),), (4,), 1, "conversions"),
    ],
)
def test_blocks_that_form_no_grid_are_refused(
    blocks: tuple[tuple[Block, ...], ...], conversions: tuple[int, ...], references: int, named: str
) -> None:
    with pytest.raises(ArgumentError, match=f"`{named}`"):
        BlockGrid(blocks, conversions, references)
