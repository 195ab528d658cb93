"""The kind ``retention`` on 1024 oxide-RRAM cells before and after a bake: a proxy, and said to be one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ferrogen.calibration.calibrate import calibrate
from ferrogen.calibration.columns import parse_choices
from ferrogen.calibration.result import Calibration


@pytest.fixture(scope="module")
def files(measured: Path) -> list[Path]:
    return [measured / "rram_retention" / f"readtest2bpc1-{when}bake.csv" for when in ("pre", "post")]


@pytest.fixture(scope="module")
def baked(files: list[Path]) -> Calibration:
    return calibrate("retention", files, columns=parse_choices(["value = #1 [Ohm]"]), settings={"device": "rram"})


def test_the_four_levels_are_found_and_described(baked: Calibration, files: list[Path]) -> None:
    before, after = (np.loadtxt(file) for file in files)
    levels = baked.record["levels"]
    assert [level["cells"] for level in levels] == [256] * 4
    edges = [0.0, 5.7e3, 7.5e3, 2e4, np.inf]  # between the levels there are no cells
    for level, low, high in zip(levels, edges[:-1], edges[1:], strict=True):
        change = np.log(after / before)[(before > low) & (before < high)]
        assert change.size == 256
        assert level["median"] == pytest.approx(np.median(change), abs=1e-12)
        assert level["deviation"] == pytest.approx(change.std(ddof=1), abs=1e-12)
        assert level["median_low"] < level["median"] < level["median_high"]
    # The more resistive, the more they scatter; only the least conductive level drifts as a whole.
    assert np.all(np.diff([level["core"] for level in levels]) > 0.0)
    assert [level["median_low"] * level["median_high"] > 0.0 for level in levels][3]
    assert levels[3]["median"] < -0.25
    assert baked.record["all"]["deviation"] == pytest.approx(0.33, abs=0.02)
    assert baked.record["all"]["tail_share"] > 0.1


def test_they_are_a_proxy_and_give_no_parameter(baked: Calibration) -> None:
    assert not baked.fragment.sections
    assert any("proxy" in line for line in baked.warnings)
    assert any("no law" in line for line in baked.fragment.not_identified)
