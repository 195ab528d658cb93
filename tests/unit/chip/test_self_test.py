"""Self-tests find what is broken, with the chip's own noise and converters, and report nothing that is not."""

import numpy as np
import pytest

from ferrogen.array.faults import FaultMap, FaultRates
from ferrogen.chip.chip import Chip
from ferrogen.chip.diagnosis import Detection, compare
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.self_test import SelfTest, run_self_test
from ferrogen.chip.spec import ChipSpec
from ferrogen.core.errors import ArgumentError
from ferrogen.core.streams import Purpose

ROWS, COLUMNS = 24, 20


def _chip(faults: FaultMap | None = None, *, seed: int = 3, rates: FaultRates | None = None) -> Chip:
    spec = ChipSpec(rows=ROWS, columns=COLUMNS, tiles=4, fault_rates=rates)
    return Chip("hzo-mfis-nor", seed=seed, spec=spec, fault_maps={} if faults is None else {0: faults})


def _test(chip: Chip, number: int = 0):
    return run_self_test(chip, number, OperatingPoint.for_card(chip.device))


def test_a_whole_tile_has_no_faults_and_the_test_costs_what_it_says() -> None:
    chip = _chip()
    result = _test(chip)
    assert result.faults == FaultMap(ROWS, COLUMNS)
    how, cells = SelfTest(), ROWS * COLUMNS
    reads = how.zero_reads + 3 * ROWS + ROWS - 1
    assert result.usage.products == reads
    assert result.usage.conversions == reads * COLUMNS // 2
    assert result.time == pytest.approx(reads * OperatingPoint().multiply_time)
    # all off; left ones on; all turned over; then the left ones of every other row on, the right ones off
    assert result.usage.pulses == cells + cells // 2 + cells + (cells // 2 + cells // 4)
    assert chip.usage.products == 0
    assert not chip.tiles


@pytest.mark.parametrize(
    "faults",
    [
        FaultMap(ROWS, COLUMNS, stuck_on=((3, 4), (20, 7)), stuck_off=((0, 0), (5, 11))),
        FaultMap(ROWS, COLUMNS, stuck_on=((3, 4),), stuck_off=((3, 5),)),
        FaultMap(ROWS, COLUMNS, shorted_cells=((6, 9), (6, 14))),
        FaultMap(ROWS, COLUMNS, open_rows=((4, 6), (9, 0))),
        FaultMap(ROWS, COLUMNS, open_columns=((9, 3), (22, 8))),
        FaultMap(ROWS, COLUMNS, dead_columns=(2, 11)),
        FaultMap(ROWS, COLUMNS, shorted_rows=((7, 0), (8, 0), (15, 0))),
        FaultMap(ROWS, COLUMNS, shorted_columns=((0, 4), (0, 11))),
    ],
    ids=lambda faults: ",".join(name for name in faults.__slots__[2:9] if getattr(faults, name)) or "dead",
)
def test_each_kind_is_found_where_it_is(faults: FaultMap) -> None:
    assert _test(_chip(faults)).faults == faults


def test_offsets_are_measured_to_half_a_step() -> None:
    offsets = tuple(float(value) for value in (0.0, 5.3, -7.8, 0.0, 1.2, 0.0, 0.0, 30.4, 0.0, -2.6))
    result = _test(_chip(FaultMap(ROWS, COLUMNS, offsets=offsets)))
    assert np.max(np.abs(result.offsets - offsets)) <= 0.75
    assert [value != 0.0 for value in result.faults.offsets] == [value != 0.0 for value in offsets]


def test_many_faults_at_once_are_found() -> None:
    """All kinds at 1 %, on four tiles: at least 95 % found and true (a few lie where they cannot be told apart)."""
    rates = FaultRates(0.01, 0.01, 0.001, 0.01, 0.01, 0.01, 0.01, 0.01, 0.1)
    chip = _chip(rates=rates)
    total = Detection(0, 0, 0)
    for number in range(4):
        truth = chip.faults(number)
        assert truth is not None
        for part in compare(truth, _test(chip, number).faults).values():
            total = total + part
    assert total.present > 40
    assert total.recall >= 0.95
    assert total.precision >= 0.95


def test_the_test_is_the_same_every_time_and_another_on_another_chip() -> None:
    faults = FaultMap(ROWS, COLUMNS, offsets=tuple(float(k) + 0.5 for k in range(10)))
    first, again = (_test(_chip(faults)) for _ in range(2))
    np.testing.assert_array_equal(first.offsets, again.offsets)
    assert first.faults == again.faults


def test_a_break_is_told_from_cells_that_are_off_by_its_length() -> None:
    chip = _chip()
    generator = chip.streams.generator(Purpose.TEST_PATTERN)
    rows = tuple(int(i) for i in generator.permutation(ROWS)[:6])
    faults = FaultMap(ROWS, COLUMNS, stuck_off=tuple(sorted((i, 5) for i in rows)))
    found = _test(_chip(faults)).faults
    assert found.stuck_off == faults.stuck_off
    # two lost cells at a line's end are described cell by cell, and count as found
    short = FaultMap(ROWS, COLUMNS, open_rows=((4, COLUMNS - 2),))
    found = _test(_chip(short)).faults
    assert found.stuck_off == ((4, COLUMNS - 2), (4, COLUMNS - 1))
    assert compare(short, found)["open_rows"] == Detection(1, 1, 0)
    assert compare(short, found)["stuck_off"].false_alarms == 0


def test_compare_counts_what_is_missed_and_what_is_not_there() -> None:
    truth = FaultMap(8, 8, stuck_on=((1, 1), (2, 2)), dead_columns=(6,), offsets=(0.0, 3.0, 0.0, 0.0))
    said = FaultMap(8, 8, stuck_on=((1, 1), (3, 3)), open_columns=((7, 6),), open_rows=((0, 2),))
    found = compare(truth, said)
    assert found["stuck_on"] == Detection(2, 1, 1)
    assert found["open_columns"] == Detection(1, 1, 0)
    assert found["open_rows"] == Detection(0, 0, 1)
    assert found["offsets"] == Detection(1, 0, 0)
    assert found["stuck_on"].recall == found["stuck_on"].precision == 0.5


@pytest.mark.parametrize("wrong", [{"full_scale": 1.0}, {"full_scale": float("nan")}, {"zero_reads": 0}])
def test_tests_that_cannot_work_are_refused(wrong: dict) -> None:
    with pytest.raises(ArgumentError, match=next(iter(wrong))):
        SelfTest(**wrong)
