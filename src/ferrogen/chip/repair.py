"""Repair of a chip's tiles as they are programmed: test, plan, program, correct."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ferrogen.array.faults import FaultMap
from ferrogen.chip.chip import Chip
from ferrogen.chip.memory import CellLimits
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.repair_plan import RepairReport, plan_repair
from ferrogen.chip.self_test import SelfTest, TestResult, run_self_test
from ferrogen.chip.tile import Tile


@dataclass(slots=True)
class Repair:
    """Finds the faults of tiles and programs around them; keeps the books.

    Attributes:
        point: operating point of the self-tests.
        test: how tiles are tested.
        given: fault maps of tiles that need no test, by tile number.
        limits: returns the statistics of a tile's cells fully on and off, or None if it has not got them.
        tests: results, by tile number.
        reports: what remapping did, by tile number.
    """

    point: OperatingPoint
    test: SelfTest = field(default_factory=SelfTest)
    given: Mapping[int, FaultMap] = field(default_factory=dict)
    limits: Callable[[int], CellLimits | None] | None = None
    tests: dict[int, TestResult] = field(default_factory=dict)
    reports: dict[int, RepairReport] = field(default_factory=dict)

    def faults(self, chip: Chip, number: int) -> FaultMap:
        """Return what is known of a tile's faults: the map given, or what its self-test finds (run once)."""
        if number in self.given:
            return self.given[number]
        if number not in self.tests:
            limits = None if self.limits is None else self.limits(number)
            self.tests[number] = run_self_test(chip, number, self.point, self.test, limits=limits)
        return self.tests[number].faults

    def program(
        self,
        chip: Chip,
        number: int,
        targets: NDArray[np.float64],
        *,
        scale: NDArray[np.float64] | None = None,
        samples: bool = False,
    ) -> Tile:
        """Program a tile around its faults, and have its converters' offsets corrected.

        Args:
            chip: with the tile.
            number: of the tile.
            targets: of logical cells [S], shape ``(logical rows, 2 * logical pairs)``.
            scale: weight per differential conductance of every logical pair, any unit; equal, if not given.
            samples: whether the tile also serves the sample mode.
        """
        faults = self.faults(chip, number)
        plan = plan_repair(
            targets,
            faults,
            chip.window,
            on=chip.device.on_conductance.value,
            off=chip.device.off_conductance.value,
            scale=scale,
        )
        self.reports[number] = plan.report
        if faults.offsets:
            tested = self.tests.get(number)
            chip.corrections[number] = faults.offset_steps() if tested is None else tested.offsets
        return chip.program(number, plan.targets, samples=samples, placement=plan.placement)

    @property
    def spares_ran_out(self) -> int:
        """How many tiles had not enough spare lines."""
        return sum(1 for item in self.reports.values() if item.rows_left or item.pairs_left)

    def summary(self) -> str:
        """Say what was found and done, in one line a fact."""
        found = sum(item.faults.count for item in self.tests.values())
        before, after = (
            float(np.mean([getattr(item, name) for item in self.reports.values()] or [0.0]))
            for name in ("before", "after")
        )
        lines = [
            f"{len(self.tests)} tiles tested: {found} faults found",
            f"squared weight error by known faults {before:.3%} -> {after:.3%}",
        ]
        if self.spares_ran_out:
            rows = sum(item.rows_left for item in self.reports.values())
            pairs = sum(item.pairs_left for item in self.reports.values())
            lines.append(
                f"spare lines ran out on {self.spares_ran_out} tiles: {rows} rows share a line, {pairs} pairs give"
                " zero. Keep more of them free (ChipSpec.spare_rows, spare_pairs)"
            )
        return "\n".join(lines)
