"""A tile tests itself: patterns are programmed, word lines driven one at a time, and its own converters read.

Nothing is used that a chip does not have: saturating pulses (a cell is driven fully on or fully off, without verify
reads), the drivers' inputs, the differential codes of the pairs with all noise, at a range that fits a single cell.

One word line at a time costs as many reads as complementary (Hadamard) inputs would, and loses nothing by it: the
converter's step is the error, not noise, and the range of a single cell makes it small.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from ferrogen.array.faults import FaultMap
from ferrogen.array.programming import ProgrammedState
from ferrogen.chip.chip import Chip
from ferrogen.chip.diagnosis import Readings, diagnose
from ferrogen.chip.memory import CellLimits, cell_limits
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.product import converter_step
from ferrogen.chip.tile import Tile
from ferrogen.chip.usage import Usage
from ferrogen.core.errors import argument_error, check_number, is_whole

Array = NDArray[np.float64]

# Reads of tests have noise of their own: their addresses lie beyond those of all images.
_FIRST_ADDRESS = 2**41


@dataclass(frozen=True, slots=True)
class SelfTest:
    """How a tile is tested.

    Attributes:
        full_scale: of the converters, in ranges of a cell (on less off); a shorted cell exceeds it.
        zero_reads: reads without input, from which the converters' offsets are taken.

    Raises:
        ArgumentError: a full scale that a shorted cell and a working one could share, or no reads.
    """

    full_scale: float = 1.6
    zero_reads: int = 4

    def __post_init__(self) -> None:
        check_number("full_scale", self.full_scale, "ranges of a cell")
        if not 1.5 <= self.full_scale <= 20.0:
            raise argument_error("full_scale", "be 1.5 to 20 ranges of a cell", self.full_scale)
        if not is_whole(self.zero_reads, 1, 10_000):
            raise argument_error("zero_reads", "be a whole number from 1 to 10000", self.zero_reads)


@dataclass(frozen=True, slots=True, eq=False)
class TestResult:
    """What a self-test found, and what it cost.

    Attributes:
        faults: the map of what it found.
        offsets: mean code of every pair's converter without input [steps], shape ``(pairs,)``.
        usage: pulses, products and conversions that it took.
        time: reads, one after the other [s]; pulses are not counted.
    """

    __test__ = False  # no test of pytest's

    faults: FaultMap
    offsets: Array
    usage: Usage
    time: float


def _tile(chip: Chip, number: int, fraction: Array) -> Tile:
    state = ProgrammedState(
        switched_fraction=fraction,
        target=np.where(fraction > 0.5, chip.window.high, chip.window.low),
        pulses=np.ones(fraction.shape, dtype=np.int64),
        converged=np.ones(fraction.shape, dtype=np.bool_),
    )
    # While it is tested, a tile is not sampled.
    return Tile(chip.device, chip.spec, chip.streams, number, samples=False, state=state, faults=chip.faults(number))


def run_self_test(
    chip: Chip,
    number: int,
    point: OperatingPoint,
    how: SelfTest | None = None,
    *,
    limits: CellLimits | None = None,
) -> TestResult:
    """Test one tile of a chip; what is programmed on it is lost on a real chip, so test first.

    The chip given is left as it was: the test runs on a copy of the tile.

    Args:
        chip: with the tile.
        number: of the tile.
        point: operating point of the reads.
        how: range and number of reads.
        limits: statistics of the tile's cells, if somebody has them already.

    Raises:
        ValidityError: the point lies outside the card's validity.
    """
    how = how or SelfTest()
    bench = Chip(
        chip.device,
        seed=chip.seed,
        spec=replace(chip.spec, spare_rows=0, spare_pairs=0),
        threads=chip.threads,
        fault_maps=chip.fault_maps,
    )
    rows, pairs = bench.spec.rows, bench.spec.pairs
    left = np.tile([True, False], (rows, pairs))
    if limits is None:
        limits = cell_limits(_tile(bench, number, left.astype(np.float64)), point)
    unit = bench.drive(point) * (bench.device.on_conductance.value - bench.device.off_conductance.value)
    full_scale = how.full_scale * unit
    alternate = left & (np.arange(rows)[:, None] % 2 == 0)
    before: NDArray[np.bool_] | None = None
    address = _FIRST_ADDRESS

    def read(pattern: NDArray[np.bool_], inputs: Array) -> Array:
        nonlocal before, address
        tile = _tile(bench, number, pattern.astype(np.float64))
        bench.tiles[number] = replace(tile, known=(point, limits.with_stuck(limits.of(pattern), tile.faults)))
        bench.programmings += 1
        bench.usage.pulses += int(pattern.size if before is None else np.sum(pattern != before))
        before = pattern
        images = address + np.arange(len(inputs), dtype=np.int64)
        address += len(inputs)
        codes = bench.multiply(
            torch.from_numpy(inputs.astype(np.float32)), point, tile=number, full_scale=full_scale, images=images
        )
        return codes.double().numpy()

    one = np.eye(rows)
    none = read(~left & left, np.zeros((how.zero_reads, rows))).mean(axis=0)
    all_off, left_on, right_on = (read(pattern, one) - none for pattern in (~left & left, left, ~left))
    sign = np.where(np.arange(rows - 1) % 2 == 0, 1.0, -1.0)[:, None]
    neighbours = sign * (read(alternate, one[:-1] - one[1:]) - none) if rows > 1 else np.zeros((0, pairs))
    step = converter_step(bench.spec.periphery, full_scale)
    offsets = none / step if step > 0.0 else np.zeros(pairs)
    readings = Readings(left_on / unit, right_on / unit, all_off / unit, neighbours / unit, offsets)
    return TestResult(diagnose(readings), offsets, bench.usage, bench.usage.products * point.multiply_time)
