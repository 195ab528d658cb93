"""Plans of tiles: blocks cover every weight once and never overlap; products are those of torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ferrogen.array.faults import FaultMap
from ferrogen.array.programming import IdealProgramming
from ferrogen.chip.chip import Chip
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.repair import Repair
from ferrogen.chip.spec import ChipSpec
from ferrogen.circuit.periphery import Periphery
from ferrogen.core.errors import ArgumentError, CapacityError
from ferrogen.device.card import DeviceCard, load_card
from ferrogen.mapping.coding import CodingSpec
from ferrogen.mapping.layer import map_matrices
from ferrogen.mapping.plan import MatrixRequest, TilePlan, plan_matrices
from ferrogen.mapping.plan.packing import pack_rectangles

POINT = OperatingPoint()
SHAPES = st.lists(st.tuples(st.integers(1, 14), st.integers(1, 20)), min_size=1, max_size=6)
CODINGS = st.builds(
    CodingSpec,
    scheme=st.sampled_from(["differential", "offset-column", "bit-sliced"]),
    slices=st.integers(2, 3),
    bits_per_slice=st.integers(1, 3),
    references=st.integers(1, 2),
    scale=st.sampled_from(["column", "tile", "layer"]),
    clip=st.just(None),
)


def even_card() -> DeviceCard:
    """Return the card with neither traps nor spread: every cell reaches every conductance of the window."""
    card = load_card("hzo-mfis-nor")
    no_traps = card.traps_per_cell.model_copy(update={"value": 0.0})
    on, off = (item.model_copy(update={"spread": None}) for item in (card.on_conductance, card.off_conductance))
    return card.model_copy(update={"traps_per_cell": no_traps, "on_conductance": on, "off_conductance": off})


CARD = even_card()


def _spec(rows: int, pairs: int, *, spares: bool = False, tiles: int = 4000) -> ChipSpec:
    return ChipSpec(
        rows=rows + spares,
        columns=2 * (pairs + spares),
        tiles=tiles,
        programming=IdealProgramming(),
        continuous_levels=True,
        periphery=Periphery.ideal(),
        spare_rows=int(spares),
        spare_pairs=int(spares),
    )


def _covered(plan: TilePlan) -> None:
    """Check that blocks lie on their tiles, never over one another, and hold every weight of every matrix once."""
    spec, coding = plan.spec, plan.coding
    taken = {number: np.zeros((spec.logical_rows, spec.logical_pairs), dtype=int) for number in plan.tiles}
    for request, grid in zip(plan.requests, plan.grids, strict=True):
        outputs = [count // coding.conversions_per_output for count in grid.conversions]
        assert sum(outputs) == request.outputs
        assert sum(row[0].rows for row in grid.blocks) == request.inputs
        for row in grid.blocks:
            assert all(block.pairs == coding.pairs_for(n) for block, n in zip(row, outputs, strict=True))
            for block in row:
                assert block.row + block.rows <= spec.logical_rows
                assert block.pair + block.pairs <= spec.logical_pairs
                taken[block.tile][block.of_rows, block.pair : block.pair + block.pairs] += 1
    assert all(cells.max() == 1 for cells in taken.values())  # no overlap, and no tile for nothing


@settings(max_examples=150, deadline=None)
@given(shapes=SHAPES, rows=st.integers(1, 9), pairs=st.integers(3, 8), coding=CODINGS, pack=st.booleans())
def test_blocks_cover_every_weight_once(
    shapes: list[tuple[int, int]], rows: int, pairs: int, coding: CodingSpec, pack: bool
) -> None:
    chip = Chip(CARD, spec=_spec(rows, pairs))
    requests = [MatrixRequest(outputs, inputs, f"m{k}") for k, (outputs, inputs) in enumerate(shapes)]
    plan = plan_matrices(requests, chip, coding, pack=pack)
    _covered(plan)
    assert plan == plan_matrices(requests, chip, coding, pack=pack)
    assert 0.0 < plan.utilisation <= 1.0
    if not pack:
        assert len(plan.blocks()) == len(plan.tiles)
    _covered(plan.on([number + 7 for number in plan.tiles]))


@settings(max_examples=25, deadline=None)
@given(
    shapes=SHAPES,
    rows=st.integers(1, 9),
    pairs=st.integers(3, 8),
    coding=CODINGS,
    pack=st.booleans(),
    spares=st.booleans(),
    seed=st.integers(0, 100),
)
def test_an_ideal_chip_multiplies_like_torch_whatever_the_plan(
    shapes: list[tuple[int, int]], rows: int, pairs: int, coding: CodingSpec, pack: bool, spares: bool, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    weights = [generator.normal(size=shape) for shape in shapes]
    biases = [generator.normal(size=shape[0]) for shape in shapes]
    chip = Chip(CARD, seed=seed, spec=_spec(rows, pairs, spares=spares))
    layers = map_matrices(chip, weights, biases, coding=coding, pack=pack)
    assert len({layer.blocks.address for layer in layers}) == len(layers)  # noise of their own
    for layer, weight, bias in zip(layers, weights, biases, strict=True):
        x = torch.from_numpy(generator.normal(size=(5, weight.shape[1])).astype(np.float32))
        layer.calibrate(x, POINT)
        wanted = torch.nn.functional.linear(x.double(), torch.from_numpy(weight), torch.from_numpy(bias))
        tolerance = 2e-6 * float(np.abs(weight).max() * weight.shape[1] * x.abs().max() + 1.0)
        for fidelity in ("statistical", "cell"):
            got = layer(x, POINT, np.arange(5), fidelity)  # type: ignore[arg-type]
            assert torch.allclose(got.double(), wanted, atol=tolerance, rtol=1e-5)
        np.testing.assert_allclose(layer.weights(POINT), weight, atol=1e-5 * np.abs(weight).max())


def test_small_matrices_share_a_tile() -> None:
    chip = Chip(CARD, spec=_spec(8, 8))
    sizes = [MatrixRequest(4, 4, f"m{k}") for k in range(4)]
    plan = plan_matrices(sizes, chip)
    assert plan.tiles == (0,)
    assert plan.utilisation == 1.0
    assert "4 matrices on 1 tile of 8 x 16: 100.0%" in str(plan)
    assert len(plan_matrices(sizes, chip, pack=False).tiles) == 4


def test_what_is_left_of_a_tile_is_cut_so_that_the_larger_part_stays_whole() -> None:
    """Of 8 x 8, 5 x 6 leaves 3 rows below and 2 pairs beside: those below keep all 8 pairs."""
    places = pack_rectangles([(3, 8), (5, 2), (5, 6), (1, 1)], 8, 8)
    assert [(p.tile, p.row, p.pair) for p in places] == [(0, 5, 0), (0, 0, 6), (0, 0, 0), (1, 0, 0)]
    places = pack_rectangles([(8, 2), (5, 6), (3, 6)], 8, 8)
    assert [(p.tile, p.row, p.pair) for p in places] == [(0, 0, 0), (0, 0, 2), (0, 5, 2)]


def test_a_chip_with_too_few_tiles_is_refused_with_the_number_needed() -> None:
    chip = Chip(CARD, spec=_spec(8, 4, tiles=3))
    map_matrices(chip, [np.ones((4, 8))], [np.zeros(4)])
    with pytest.raises(CapacityError, match=r"4 tiles of 8 x 8 are needed, but the chip has 2 of 3 left.*at least 5"):
        plan_matrices([MatrixRequest(8, 16)], chip)
    assert chip.reserved == {0}  # nothing was taken


def test_other_matrices_on_the_tile_do_not_drive_it() -> None:
    """A layer's products are the same whatever its neighbours' weights, and count its own word lines alone."""
    generator = np.random.default_rng(4)
    weight, x = generator.normal(size=(3, 4)), torch.from_numpy(generator.normal(size=(2, 4)).astype(np.float32))
    outputs = []
    for factor in (1.0, 7.0):
        chip = Chip(CARD, seed=1, spec=_spec(12, 4))
        first, _ = map_matrices(chip, [weight, factor * np.ones((3, 4))], [np.zeros(3)] * 2)
        first.calibrate(x, POINT)
        outputs.append(first(x, POINT, np.arange(2)))
        assert chip.usage.line_drives == 2 * 4
        assert chip.usage.multiply_accumulates == 2 * 4 * 3
        assert len(chip.tiles) == 1
    assert torch.equal(*outputs)


@pytest.mark.parametrize("scheme", ["differential", "bit-sliced"])
def test_repair_works_on_shared_tiles(scheme: str) -> None:
    generator = np.random.default_rng(5)
    weights = [generator.uniform(-1.0, 1.0, shape) for shape in ((3, 6), (3, 5))]
    spec = _spec(12, 6, spares=True)
    faults = FaultMap(spec.rows, spec.columns, dead_columns=(2,), open_rows=((3, 0),))
    errors = []
    for repair in (None, Repair(POINT, given={0: faults})):
        chip = Chip(CARD, seed=2, spec=spec, fault_maps={0: faults})
        coding = CodingSpec(scheme, clip=None)  # type: ignore[arg-type]
        layers = map_matrices(chip, weights, [np.zeros(3)] * 2, coding=coding, repair=repair)
        assert set(chip.tiles) == {0}
        errors.append([np.abs(layer.weights(POINT) - w).max() for layer, w in zip(layers, weights, strict=True)])
    assert max(errors[0]) > 0.3
    assert max(errors[1]) < 1e-4


def test_repair_of_reference_lines_is_refused() -> None:
    chip = Chip(CARD, spec=_spec(8, 4))
    with pytest.raises(ArgumentError, match=r"`repair`.*offset column.*differential"):
        map_matrices(chip, [np.ones((2, 2))], [np.zeros(2)], coding=CodingSpec("offset-column"), repair=Repair(POINT))
    assert not chip.reserved


@pytest.mark.parametrize(
    ("weight", "bias", "message"),
    [
        (np.ones((0, 3)), np.zeros(0), r"`fc` must be a non-empty matrix"),
        (np.ones((2, 0)), np.zeros(2), r"`fc` must be a non-empty matrix"),
        (np.ones(3), np.zeros(3), r"`fc` must be a non-empty matrix"),
        (np.array([[1.0, np.nan], [np.inf, 0.0]]), np.zeros(2), r"`fc`.*NaN or infinite in 2 of 4 places"),
        (np.ones((2, 3), dtype=complex), np.zeros(2), r"`fc` must hold real numbers, but it is of type complex128"),
        (np.array([[1.0, 1e300]]), np.zeros(1), r"`fc` must stay below about .*single precision.*1.0e\+300"),
        (np.ones((2, 3)), np.array([0.0, np.nan]), r"`bias of fc`.*finite"),
        (np.ones((2, 3)), np.zeros(3), r"`bias of fc`.*\(2,\)"),
    ],
)
def test_odd_matrices_are_refused_by_name(weight: np.ndarray, bias: np.ndarray, message: str) -> None:
    chip = Chip(CARD, spec=_spec(8, 4))
    with pytest.raises(ArgumentError, match=message):
        map_matrices(chip, [weight], [bias], names=["fc"])
    assert not chip.tiles


def test_nothing_takes_nothing() -> None:
    chip = Chip(CARD, spec=_spec(8, 4))
    assert map_matrices(chip, [], []) == []
    assert not chip.tiles


def test_numbers_of_matrices_and_tiles_that_cannot_be_are_refused() -> None:
    chip = Chip(CARD, spec=_spec(8, 4))
    with pytest.raises(ArgumentError, match="1 weights, 0 biases"):
        map_matrices(chip, [np.ones((2, 2))], [])
    with pytest.raises(ArgumentError, match="head"):
        MatrixRequest(0, 3, "head")
    with pytest.raises(ArgumentError, match=r"sampling_tiles.*0 to 1"):
        map_matrices(chip, [np.ones((2, 2))], [np.zeros(2)], sampling_tiles=2)
