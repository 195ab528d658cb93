"""Measured read noise of oxide RRAM cells (no such data of a ferroelectric junction are public), on held-out cells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest, ks_2samp

from ferrogen.calibration.columns import Choice, Wanted
from ferrogen.calibration.rtn.cells import CellTable, cell_table, collect_cells
from ferrogen.calibration.rtn.ensemble import draw_numbers, flicker_cells, simulate_cells, white_cells
from ferrogen.calibration.rtn.matching import fit_ensemble
from ferrogen.calibration.rtn.trace import fit_trace
from ferrogen.calibration.table import open_table
from ferrogen.core.streams import Purpose, Streams

STREAMS = Streams(13)
SIGNAL = (Wanted("resistance", ("Ohm",), several=True),)
FILES = {
    "1T4R_ResetToRange_drift.csv": (101, 2001),
    "target100-120.csv": (101, 2001),
    "target20-40_old.csv": (156, 501),
    "target_40-50_50mV.csv": (101, 2001),
}


def cells(measured: Path, name: str) -> CellTable:
    table = open_table(measured / "rram_read_noise" / name, SIGNAL, {"resistance": Choice("#4-", "Ohm")})
    return collect_cells(1.0 / chunk["resistance"] for chunk in table.chunks())


@pytest.mark.parametrize("name", FILES)
def test_published_figures_of_the_files(measured: Path, name: str) -> None:
    """Slopes of about -1, sigma/G of a few per cent, and averaging that hardly helps (device dossier, section 4.9)."""
    table = cells(measured, name)
    assert (table.count, table.reads) == FILES[name]
    assert -1.4 < table.slope < -0.8
    assert 0.03 < np.median(table.deviation) < 0.08
    assert table.median_decay[0] > 0.85  # white noise: 0.32
    assert table.median_decay[1] > 0.5  # white noise: 0.10


def test_ensemble_beats_white_and_flicker_noise_on_held_out_cells(measured: Path) -> None:
    table = cells(measured, "target20-40_old.csv")
    order = STREAMS.generator(Purpose.TEST_PATTERN).permutation(table.count)
    fitted, held = table.take(order[:78]), table.take(order[78:])
    fit = fit_ensemble(fitted, STREAMS, cells=150, evaluations=150)
    draws = draw_numbers(600, table.reads, STREAMS, 3)
    typical = float(np.median(fitted.deviation))
    models = {
        "ensemble": simulate_cells(fit.ensemble, draws),
        "white": white_cells(typical, 0.0, draws),
        "1/f": flicker_cells(typical, 0.0, draws, STREAMS.generator(Purpose.SYNTHETIC_DATA)),
    }
    tables = {name: cell_table(own) for name, own in models.items()}
    distance = {name: ks_2samp(own.deviation, held.deviation).statistic for name, own in tables.items()}
    decay = {name: np.abs(own.median_decay - held.median_decay).mean() for name, own in tables.items()}
    slope = {name: abs(own.slope - held.slope) for name, own in tables.items()}
    for baseline in ("white", "1/f"):
        assert distance["ensemble"] < 0.6 * distance[baseline]
        assert decay["ensemble"] < 0.6 * decay[baseline]
    assert slope["ensemble"] < 0.25 * slope["white"]


def test_levels_stand_out_in_many_single_cells(measured: Path) -> None:
    """The dossier's two-level models separate levels by two sigma in 18 to 23 of 34 cells of such files."""
    table = open_table(
        measured / "rram_read_noise" / "target_40-50_50mV.csv", SIGNAL, {"resistance": Choice("#4-", "Ohm")}
    )
    resistance = table.read()["resistance"]
    apart = 0
    for k, row in enumerate(resistance[::10]):
        fit = fit_trace(1.0 / row, STREAMS.generator(Purpose.CALIBRATION, k), most_traps=1)
        apart += bool(fit.traps) and fit.traps[0].amplitude > 2.0 * fit.noise
    assert 4 <= apart <= 11  # of 11


@pytest.mark.parametrize("name", FILES)
def test_the_first_reads_are_the_noisiest(measured: Path, name: str) -> None:
    """Why the ensemble relaxes after programming: in equilibrium first and last quarter would be alike."""
    table = open_table(measured / "rram_read_noise" / name, SIGNAL, {"resistance": Choice("#4-", "Ohm")})
    conductance = 1.0 / table.read()["resistance"]
    quarter = conductance.shape[1] // 4
    first, last = (part.std(axis=1) for part in (conductance[:, :quarter], conductance[:, -quarter:]))
    # sign test over the cells, level 1e-3
    assert binomtest(int(np.count_nonzero(first > last)), len(first), alternative="greater").pvalue < 1e-3
