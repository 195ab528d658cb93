"""The report of the sampling chain in both simulators: files that agree; bad arguments write nothing."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ferrogen.circuit.sampling_chain.spec import SamplingChain
from ferrogen.circuit.spice.run import SimulatorMissingError
from ferrogen.core.errors import FerrogenError
from ferrogen.report.transient import transient_report

needs_ngspice = pytest.mark.skipif(shutil.which("ngspice") is None, reason="ngspice is not installed")


@needs_ngspice
def test_files_agree_with_one_another(tmp_path: Path) -> None:
    told: list[str] = []
    result = transient_report(
        "hzo-mfis-nor", tmp_path, seed=3, cells=6, cycles=3, differential=True,
        progress=lambda text, share: told.append(text),
    )  # fmt: skip
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {
        "sampling_chain.cir", "transient.csv", "transient.json", "transient.png", "transient_traps.csv",
        "transient_waveform.csv",
    }  # fmt: skip
    assert json.loads((tmp_path / "transient.json").read_text()) == result
    with (tmp_path / "transient.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == result["cycles"] == 3
    differ = sum(row["code, ferrogen"] != row["code, ngspice"] for row in rows)
    assert differ == result["codes_that_differ"]
    deviation = max(abs(float(row["deviation [codes]"])) for row in rows)
    assert deviation == pytest.approx(result["largest_deviation_codes"], rel=1e-6)
    assert result["agrees"]
    assert "chip seed 3" in (tmp_path / "sampling_chain.cir").read_text()
    assert (tmp_path / "transient.png").stat().st_size > 10_000
    with (tmp_path / "transient_waveform.csv").open(newline="") as file:
        heights = [float(row["integrator output [V]"]) for row in csv.DictReader(file)]
    assert 0.01 < np.abs(heights).max() < 1.0  # within the rail
    assert told[-1] == "done"


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"cells": 0}, "cells"),
        ({"cycles": 2.5}, "cycles"),
        ({"chain": SamplingChain.ideal()}, "chain"),
        ({"sampling_time": 1e-9}, "sampling_time|window|multiply_time"),
    ],
)
@needs_ngspice
def test_bad_arguments_write_nothing(tmp_path: Path, change: dict[str, Any], name: str) -> None:
    out = tmp_path / "out"
    with pytest.raises(FerrogenError, match=rf"`({name})`"):
        transient_report("hzo-mfis-nor", out, **{"cells": 2, "cycles": 2, **change})
    assert not out.exists()


def test_a_missing_simulator_is_told_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(SimulatorMissingError, match="Install it"):
        transient_report("hzo-mfis-nor", tmp_path / "out", ngspice="no-such-program")
    assert not (tmp_path / "out").exists()
