"""What an analog product costs beside the plain one, with the cells' noise and 8-bit converters. Run:

    OMP_NUM_THREADS=1 python benchmarks/analog_products.py [rounds]

Weights of 512 x 512 and 1024 x 1024 as differential pairs of a chip's cells (programming noise, read noise of every
cell, 8-bit inputs and outputs), batches of 64 and 256, one thread. Everything takes turns with ``torch.mm`` in single
precision; a second column compares with oneDNN's product of a weight packed beforehand, which is faster than ``mm`` on
some processors. ``one tile`` has the same cells as the 128-row tiles, read as one; 256-row tiles, as half as many.
Prints tables and writes ``benchmarks/results/analog_products.json``.

To add a peer, add a function to :data:`CONTENDERS`; those of ``peers.py`` take part where they are installed
(aihwkit-lightning, aihwkit), others are quoted apart, from another day. No peer does the same work: what each leaves
out is printed below the tables.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import peers
import torch
from timing import paired, row, write_results

from ferrogen.chip.chip import Chip
from ferrogen.chip.engine.integers import has_int8
from ferrogen.chip.engine.prepared import Prepared, prepare_currents
from ferrogen.chip.engine.product import input_codes, product
from ferrogen.chip.engine.reference import moments
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.product import analog_product
from ferrogen.chip.spec import ChipSpec
from ferrogen.mapping.layer import AnalogLinear, map_linear

CARD = "hzo-mfis-nor"
TILE_ROWS, TILE_COLUMNS = 128, 128
TALL_ROWS = 256  # of tiles that are compared with these
SIZES, BATCHES = (512, 1024), (64, 256)
REPEATS = 4  # products of one timed call


@dataclass(frozen=True)
class Case:
    """A layer on a chip and what is put into it."""

    weight: torch.Tensor
    layer: AnalogLinear
    point: OperatingPoint
    tiled: Prepared
    untiled: Prepared
    tall: Prepared
    x: torch.Tensor
    addresses: torch.Tensor


Call = Callable[[], object]


def in_tiles(prepared: Prepared, row_tiles: int) -> Prepared:
    """Return the same cells in fewer, taller row tiles, whose conversions are quieter than those of more together."""
    together = prepared.mean.shape[0] // row_tiles
    return prepare_currents(
        prepared.mean.flatten(0, 1).reshape(row_tiles, -1, prepared.mean.shape[2]),
        prepared.variance.flatten(0, 1).reshape(row_tiles, -1, prepared.variance.shape[2]),
        prepared.noise[:row_tiles],
        float(prepared.full_scale) * together**0.5,
        np.int64(prepared.key.item()).astype(np.uint64),
        input_levels=prepared.input_levels,
        output_levels=prepared.output_levels,
    )


def engine(case: Case, prepared: Prepared, *, fast: bool) -> Call:
    """Return a product with everything that belongs to it: codes of the inputs, noise, codes of the outputs."""
    scale = case.layer.input_scale

    def call() -> object:
        return product(input_codes(case.x, scale, prepared.input_levels), prepared, case.addresses, fast=fast)

    return call


def general(case: Case) -> Call:
    """Return the product of general circuits, in torch operations."""
    layer, point = case.layer, case.point
    matrices = layer.matrices(point)
    noise = matrices.electronic_noise(
        layer.chip.spec.periphery, point, layer.mean_input.expand(matrices.mean.shape[0], 1, matrices.mean.shape[1])
    )
    voltage, images = layer.chip.device.characteristic_voltage.value, case.addresses.numpy()

    def call() -> object:
        return analog_product(
            case.x / layer.input_scale, matrices, noise, layer.chip.spec.periphery, layer.full_scale, point, voltage,
            noise_key=np.uint64(1), images=images,
        )  # fmt: skip

    return call


def packed(case: Case) -> Call:
    """Return oneDNN's product of a weight that was packed beforehand."""
    onednn = torch.ops.mkldnn
    weight = onednn._reorder_linear_weight(case.weight.T.contiguous(), case.x.shape[0])  # noqa: SLF001 (no other name)
    return lambda: onednn._linear_pointwise(case.x, weight, None, "none", [], "")  # noqa: SLF001


CONTENDERS: dict[str, Callable[[Case], Call]] = {
    "torch.mm, single precision": lambda case: lambda: torch.mm(case.x, case.weight),
    "oneDNN, packed weight": packed,
    "exact, one tile": lambda case: engine(case, case.untiled, fast=False),
    "fast, one tile": lambda case: engine(case, case.untiled, fast=True),
    "exact, 256-row tiles": lambda case: engine(case, case.tall, fast=False),
    "fast, 256-row tiles": lambda case: engine(case, case.tall, fast=True),
    "exact, 128-row tiles": lambda case: engine(case, case.tiled, fast=False),
    "fast, 128-row tiles": lambda case: engine(case, case.tiled, fast=True),
    "general circuits in torch, 128-row tiles": general,
}


def peer(make: peers.MakeProduct) -> Callable[[Case], Call]:
    """Return a contender that multiplies the same inputs by the float weight, on a peer's tiles."""
    return lambda case: peers.beside(make, case.weight, case.x)


CONTENDERS |= {name: peer(make) for name, make in peers.products().items()}


def in_a_row(call: Call) -> Call:
    """Return a call that multiplies a few times: what another contender left in the caches matters less."""

    def calls() -> object:
        return [call() for _ in range(REPEATS)]

    return calls


def make_layer(size: int) -> tuple[AnalogLinear, OperatingPoint]:
    """Program a layer on a fresh chip and get its matrices."""
    tiles = -(-size // TILE_ROWS) * -(-2 * size // TILE_COLUMNS)
    chip = Chip(CARD, seed=1, spec=ChipSpec(rows=TILE_ROWS, columns=TILE_COLUMNS, tiles=tiles))
    weight = np.random.default_rng(size).normal(size=(size, size)) / size**0.5
    layer = map_linear(chip, weight, np.zeros(size))
    point = OperatingPoint.for_card(chip.device)
    layer.matrices(point)
    return layer, point


def check(case: Case) -> None:
    """A fast wrong answer is no answer: means and variances of both modes over many addresses, to sampling error."""
    draws = 3000
    codes = input_codes(case.x[:1], case.layer.input_scale, case.tiled.input_levels).expand(draws, -1).contiguous()
    ideal = {**case.tiled.tensors()}
    prepared = Prepared.from_tensors(ideal, case.tiled.input_levels, 0)
    mean, variance, _ = moments(codes[:1], prepared)
    for fast in (False, True):
        drawn = product(codes, prepared, torch.arange(draws), fast=fast)[0].double()
        off = (drawn.mean(dim=0) - mean.sum(dim=0)[0]) / (variance.sum(dim=0)[0] / draws).sqrt()
        ratio = drawn.var(dim=0) / variance.sum(dim=0)[0]
        assert off.abs().max() < 6.0, off.abs().max()
        assert abs(float(ratio.mean()) - 1.0) < 0.01, ratio.mean()


def main() -> None:
    """Measure and write."""
    torch.set_num_threads(1)
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 25
    rows: list[dict[str, Any]] = []
    print(f"dot products of bytes: {has_int8()}\n")
    print("| weights | batch | product | CPU, ms | over torch.mm | over packed | over one tile |")
    print("|---|---|---|---|---|---|---|")
    for size in SIZES:
        layer, point = make_layer(size)
        for batch in BATCHES:
            x = torch.randn(batch, size, generator=torch.Generator().manual_seed(batch))
            layer.calibrate(x, point)
            tiled = layer.prepared(point)
            assert tiled is not None
            weight = torch.randn(size, size)
            case = Case(
                weight,
                layer,
                point,
                tiled,
                in_tiles(tiled, 1),
                in_tiles(tiled, size // TALL_ROWS),
                x,
                torch.arange(batch),
            )
            check(case)
            timings = paired({name: in_a_row(make(case)) for name, make in CONTENDERS.items()}, rounds)
            fastest = timings["oneDNN, packed weight"].cpu
            for name, timing in timings.items():
                one = timings.get(name.split(",")[0] + ", one tile")
                over_packed = timing.cpu / fastest
                over_one = None if one is None else timing.cpu / one.cpu
                rows.append(row(name, timing, size=size, batch=batch, over_packed=over_packed, over_one_tile=over_one))
                last, each = "" if over_one is None else f"{over_one:.2f}", timing.cpu / REPEATS
                print(
                    f"| {size} x {size} | {batch} | {name} | {each * 1e3:.3f} | {timing.cpu_ratio:.2f} |"
                    f" {over_packed:.2f} | {last} |"
                )
    built = paired(
        {"programmed": lambda: program_only(512), "programmed, and its matrices": lambda: make_layer(512)}, rounds=7
    )
    print("\n| building a layer of 512 x 512 on 128-row tiles | CPU, s | least, s |")
    print("|---|---|---|")
    for name, timing in built.items():
        rows.append(row(f"building: {name}", timing, size=512))
        print(f"| {name} | {timing.cpu:.2f} | {timing.cpu_least:.2f} |")
    peers.print_products()
    facts = peers.facts(peers.QUOTED_PRODUCTS)
    write_results(
        "analog_products",
        rows,
        products_a_call=REPEATS,
        card=CARD,
        torch=torch.__version__,
        byte_products=has_int8(),
        **facts,
    )


def program_only(size: int) -> AnalogLinear:
    """Program a layer on a fresh chip."""
    tiles = -(-size // TILE_ROWS) * -(-2 * size // TILE_COLUMNS)
    chip = Chip(CARD, seed=1, spec=ChipSpec(rows=TILE_ROWS, columns=TILE_COLUMNS, tiles=tiles))
    weight = np.random.default_rng(size).normal(size=(size, size)) / size**0.5
    return map_linear(chip, weight, np.zeros(size))


if __name__ == "__main__":
    main()
