"""Dwell times, time-lag plot, statistics of many cells, trap ensembles, trap positions, and the kind as a whole."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ferrogen.calibration.calibrate import calibrate
from ferrogen.calibration.columns import Choice
from ferrogen.calibration.result import write_calibration
from ferrogen.calibration.rtn.bias import trap_position
from ferrogen.calibration.rtn.cells import cell_table, collect_cells
from ferrogen.calibration.rtn.dwell import dwells, grid_to_rates
from ferrogen.calibration.rtn.ensemble import (
    Draws,
    TrapEnsemble,
    draw_numbers,
    flicker_cells,
    simulate_cells,
    white_cells,
)
from ferrogen.calibration.rtn.matching import fit_ensemble, moments
from ferrogen.calibration.rtn.timelag import time_lag
from ferrogen.calibration.samples import Sample
from ferrogen.core.constants import BOLTZMANN_EV
from ferrogen.core.errors import ArgumentError, DataFileError
from ferrogen.core.streams import Purpose, Streams
from ferrogen.device.noise.rtn.traces import occupancy_traces
from ferrogen.report.calibration_rtn import rtn_figure

STREAMS = Streams(41)
ENSEMBLE = TrapEnsemble(6.0, 0.04, 0.7, 2.0, 2e3, 3.0, 0.004, 0.3, 0.0)


def numbers(cells: int, reads: int) -> Draws:
    return draw_numbers(cells, reads, STREAMS, cells, reads)


def test_grid_probabilities_of_known_rates_give_the_rates_back() -> None:
    up, down, interval = 3.0, 11.0, 0.05
    moves = -np.expm1(-(up + down) * interval)  # exact for a two-state chain seen every interval
    rise, fall = up / 14.0 * moves, down / 14.0 * moves
    np.testing.assert_allclose(np.stack(grid_to_rates(rise, fall, interval)), [up, down], rtol=1e-12)
    assert rise / interval < 0.75 * up  # without the correction a quarter and more of the rate would be missed
    with pytest.raises(ArgumentError, match="not resolved"):
        grid_to_rates(0.6, 0.5, 1.0)


def test_censored_dwells() -> None:
    path = np.array([0, 0, 1, 1, 1, 0, 1, 1, 0, 0, 0], dtype=np.uint8)
    low, high = dwells(path, 0, 2.0), dwells(path, 1, 2.0)
    np.testing.assert_array_equal(low.completed, [2.0])
    np.testing.assert_array_equal(low.censored, [4.0, 6.0])
    assert low.mean == 12.0 / 2  # all time at 0 over the two exits that were seen
    assert low.censored_share == pytest.approx(10.0 / 12.0)
    np.testing.assert_array_equal(high.completed, [6.0, 4.0])
    assert high.mean == 5.0
    never = dwells(np.ones(5, dtype=np.uint8), 1)
    assert never.mean == np.inf
    assert never.censored_share == 1.0
    for path_, state in ((np.empty(0, dtype=np.uint8), 0), (path, 2)):
        with pytest.raises(ArgumentError):
            dwells(path_, state)


def test_censored_mean_is_unbiased_where_the_mean_of_completed_dwells_is_not() -> None:
    """Records of five mean dwells: leaving out the cut-off ones favours short dwells."""
    x = occupancy_traces(
        STREAMS.key(Purpose.SYNTHETIC_DATA, 2), np.full(600, 0.01), np.full(600, 0.01), interval=1.0, steps=500
    )
    found = [dwells(row, 1) for row in x]
    time = np.array([d.completed.sum() + d.censored.sum() for d in found])
    exits = np.array([0 if np.isinf(d.log_error) else round(d.log_error**-2) for d in found])
    mean = time.sum() / exits.sum()
    assert mean == pytest.approx(100.5, rel=3.3 / np.sqrt(exits.sum()))  # geometric mean dwell; level 1e-3
    assert np.concatenate([d.completed for d in found]).mean() < 0.8 * mean


def test_time_lag_plot_is_the_sum_of_kernels() -> None:
    generator = STREAMS.generator(Purpose.SYNTHETIC_DATA, 3)
    x = np.repeat([0.0, 5.0, 0.0, 5.0], 40) + 0.5 * generator.standard_normal(160)
    lag = time_lag(x, 0.5, bins=200)
    grid = lag.centres[::20]
    direct = np.exp(-((x[:-1, None, None] - grid[:, None]) ** 2 + (x[1:, None, None] - grid) ** 2) / (2 * 0.5**2)).sum(
        axis=0
    )
    direct /= 159 * 2 * np.pi * 0.5**2
    # bins of a tenth of the width move a kernel by half a bin at most: 3 % of the largest slope
    np.testing.assert_allclose(lag.density[::20, ::20], direct, atol=0.03 * direct.max())
    assert lag.levels[:2] == pytest.approx([0.0, 5.0], abs=0.3) or lag.levels[:2] == pytest.approx([5.0, 0.0], abs=0.3)
    with pytest.raises(ArgumentError, match="`width`"):
        time_lag(x, 0.0)


def test_white_cells_have_the_spectrum_and_decay_of_white_noise() -> None:
    table = cell_table(white_cells(0.05, 0.0, numbers(200, 2000)))
    # std(K)/std(1) = 1/sqrt(K); the 2000/K blocks leave sqrt(1 - K/2000), less a fraction of a per cent for few blocks
    expected = np.array([k**-0.5 * np.sqrt(1 - k / 2000) for k in (10, 100, 200)])
    np.testing.assert_allclose(np.sqrt((table.decay**2).mean(axis=0)), expected, rtol=0.05)
    assert table.slope == pytest.approx(0.0, abs=0.03)
    # unit variance over half a cycle per read; the first bin loses what goes with a segment's mean
    np.testing.assert_allclose(table.mean_spectrum[1:], 2.0, rtol=0.05)
    assert np.median(table.white) == pytest.approx(0.05, rel=0.02)
    np.testing.assert_allclose(np.median(table.tail), 3.0, atol=0.1)


def test_flicker_cells_have_slope_minus_one() -> None:
    table = cell_table(flicker_cells(0.05, 0.0, numbers(200, 2000), STREAMS.generator(Purpose.SYNTHETIC_DATA, 4)))
    assert table.slope == pytest.approx(-1.0, abs=0.05)
    assert np.median(table.deviation) == pytest.approx(0.05, rel=0.02)


def test_cells_in_chunks_are_cells() -> None:
    reads = simulate_cells(ENSEMBLE, numbers(30, 300))
    whole, parts = cell_table(reads), collect_cells([reads[:7], reads[7:]])
    for name in ("mean", "deviation", "decay", "spectrum"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-12)
    assert not whole.usable[2]  # 300 reads hold one block of 200
    with pytest.raises(ArgumentError, match="`chunks`"):
        collect_cells([])
    with pytest.raises(ArgumentError, match="vary"):
        cell_table(np.ones((3, 100)))
    with pytest.raises(ArgumentError, match="positive mean"):
        cell_table(-reads)


def test_ensemble_cells_have_the_mean_and_variance_of_their_traps() -> None:
    """Against occupancy_traces and Campbell's theorem: var = <number> E[amplitude^2] E[p (1 - p)], for fast traps."""
    ensemble = TrapEnsemble(3.0, 0.02, 0.3, 2.0, 6.0, 2.0, 1e-6, 0.0, 0.0)
    reads = simulate_cells(ensemble, numbers(1500, 400))
    level = np.linspace(-2.0, 2.0, 20001)
    p = 1.0 / (1.0 + np.exp(level))
    expected_mean = 1.0 - 3.0 * 0.02 * np.exp(0.3**2 / 2) * p.mean()
    within = reads.var(axis=1) * (1 + 2 * 3.5 / 400)  # the record's mean varies by about 2 tau / reads of the variance
    expected = 3.0 * 0.02**2 * np.exp(2 * 0.3**2) * (p * (1 - p)).mean()
    for values, truth in ((reads.mean(axis=1), expected_mean), (within, expected)):
        # level 1e-3; the variance's correction for the record's mean is good to a per cent
        assert abs(values.mean() - truth) < 3.3 * values.std() / np.sqrt(1500) + 0.01 * expected


def test_scrambled_traps_relax_exponentially() -> None:
    tau = 40.0
    ensemble = TrapEnsemble(4.0, 0.01, 0.0, tau, tau * 1.0001, 12.0, 1e-9, 0.0, 1.0)
    reads = simulate_cells(ensemble, numbers(2000, 200))
    level = np.linspace(-12.0, 12.0, 4001)
    # half of the levels are nearly always occupied, half nearly never: on average half are, before and after
    assert reads.mean() == pytest.approx(1.0 - 4.0 * 0.01 * 0.5, abs=3.3 * reads.mean(axis=1).std() / np.sqrt(2000))
    first = reads[:, 0][:, None] - reads
    moved = (first**2).mean(axis=0)[[10, 40, 160]]
    p = 1.0 / (1.0 + np.exp(level))
    decay = np.exp(-np.array([10.0, 40.0, 160.0]) / tau)
    # per trap: P(X_t != X_0) from even odds is (1 - e^-t/tau) / 2 whatever p; Poisson numbers add up
    expected = 4.0 * 0.01**2 * (1.0 - decay) / 2.0
    expected += 16.0 * 0.01**2 * ((0.5 - p).mean() * (1.0 - decay)) ** 2
    np.testing.assert_allclose(moved, expected, rtol=0.12)  # 2000 cells of four traps: 3.3 standard errors of 3.5 %


def test_ensemble_fit_reproduces_what_was_simulated() -> None:
    table = cell_table(simulate_cells(ENSEMBLE, numbers(120, 512)))
    fit = fit_ensemble(table, STREAMS, cells=120, evaluations=120, scrambled=0.0)
    model = cell_table(simulate_cells(fit.ensemble, numbers(400, 512)))
    start = cell_table(
        simulate_cells(TrapEnsemble(20.0, 0.01, 0.9, 1.3, 1e4, 22.0, 0.004, 0.3, 0.0), numbers(400, 512))
    )
    gap, far = (np.abs(moments(other) - moments(table)).mean() for other in (model, start))
    assert gap < 0.5 * far
    assert model.slope == pytest.approx(table.slope, abs=0.15)
    assert fit.misfit < 3.0
    with pytest.raises(ArgumentError, match="at least 20 cells"):
        fit_ensemble(table.take(np.arange(5)), STREAMS)


@pytest.mark.parametrize(
    "change", [{"amplitude": -1.0}, {"longest": 1.0}, {"scrambled": 1.5}, {"traps_per_cell": float("nan")}]
)
def test_ensemble_refusals(change: dict[str, float]) -> None:
    values = {name: getattr(ENSEMBLE, name) for name in ENSEMBLE.__slots__} | change
    with pytest.raises(ArgumentError):
        TrapEnsemble(**values)


@pytest.mark.parametrize("low_is_occupied", [True, False])
def test_trap_position_from_bias(low_is_occupied: bool) -> None:
    voltage = np.array([0.2, 0.3, 0.4, 0.5])
    ratio = np.exp((0.25 - 0.6 * voltage) / (BOLTZMANN_EV * 300.0))  # tau_c / tau_e
    emission = np.full(4, 0.01)
    times = (emission, emission * ratio) if low_is_occupied else (emission * ratio, emission)
    position = trap_position(voltage, *times, np.full(4, 0.05), 300.0)
    assert position.level == pytest.approx(0.25)
    assert position.relative_depth == pytest.approx(0.6)
    assert position.occupied_is_low is low_is_occupied
    assert not position.note
    flat = trap_position(voltage, emission, emission * 2.0, np.full(4, 0.5), 300.0)
    assert "not identified" in flat.note
    with pytest.raises(ArgumentError, match="two different"):
        trap_position([0.2, 0.2], [1.0, 1.0], [1.0, 1.0], [0.1, 0.1], 300.0)


def _write_traces(folder: Path) -> list[Path]:
    thermal = BOLTZMANN_EV * 300.0
    files = []
    for k, voltage in enumerate((0.4, 0.5)):
        emission = np.array([0.02])
        capture = emission * np.exp((0.25 - voltage * 0.5) / thermal)
        states = occupancy_traces(
            STREAMS.key(Purpose.SYNTHETIC_DATA, 50, k), 1 / capture, 1 / emission, interval=1e-3, steps=8000
        )
        noise = STREAMS.generator(Purpose.SYNTHETIC_DATA, 50, k).standard_normal(8000)
        current = 1e-6 - 5e-8 * states[0] + 1e-8 * noise
        files.append(folder / f"trace{k}.csv")
        np.savetxt(
            files[-1], np.stack([1e-3 * np.arange(8000), current], axis=1), delimiter=",", comments="",
            header="time [s],current [A]", fmt="%.8g",
        )  # fmt: skip
    return files


def test_traces_at_two_voltages_give_level_and_depth(tmp_path: Path) -> None:
    files = _write_traces(tmp_path)
    result = calibrate(
        "rtn", files, sample=Sample(thickness=1e-8, temperature=300.0), settings={"voltages": "0.4 V, 0.5 V"}
    )
    own = result.fragment.sections[""]
    assert own["trap_level"].value == pytest.approx(0.25, abs=4 * (own["trap_level"].standard_error or 0.0))
    assert own["trap_depth"].value == pytest.approx(5e-9, abs=4 * (own["trap_depth"].standard_error or 0.0))
    assert "traps_per_cell" not in own  # one cell, however many voltages
    names = write_calibration(result, tmp_path / "out")
    assert "calibration.json" in names
    record = json.loads((tmp_path / "out" / "calibration.json").read_text())["record"]
    assert record["traces"][0]["traps"][0]["amplitude"] == pytest.approx(5e-8, rel=0.05)
    assert rtn_figure(tmp_path / "rtn.png", result) == 2
    assert (tmp_path / "rtn.png").stat().st_size > 10_000


def test_a_single_trace_says_what_it_cannot_tell(tmp_path: Path) -> None:
    result = calibrate("rtn", _write_traces(tmp_path)[:1])
    assert not result.fragment.sections
    lost = " ".join(result.fragment.not_identified)
    for name in ("trap_level", "trap_depth", "traps_per_cell", "trap_time_constant"):
        assert name in lost


def test_uneven_times_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "uneven.csv"
    time = np.cumsum(np.linspace(1e-3, 2e-3, 200))
    np.savetxt(path, np.stack([time, np.sin(time)], axis=1), delimiter=",", header="time [s],current [A]", comments="")
    with pytest.raises(DataFileError, match="equal steps"):
        calibrate("rtn", [path])


def _cells_file(path: Path, resistance: NDArray[np.float64]) -> None:
    front = np.column_stack([np.arange(len(resistance)), np.full((len(resistance), 2), 2.0)])
    np.savetxt(path, np.concatenate([front, resistance], axis=1), delimiter="\t", fmt="%.3f")


def test_rows_of_resistances_give_an_ensemble(tmp_path: Path) -> None:
    reads = simulate_cells(ENSEMBLE, numbers(40, 128))
    _cells_file(tmp_path / "cells.tsv", 2e4 / reads)
    settings = {"layout": "cells", "interval": "1 ms"}
    result = calibrate(
        "rtn", [tmp_path / "cells.tsv"], columns={"signal": Choice("#4-", "Ohm")}, settings=settings,
        sample=Sample(area=2e-14),
    )  # fmt: skip
    own = result.fragment.sections[""]
    ensemble = result.record["ensemble"]
    assert own["traps_per_cell"].value == pytest.approx(ensemble["traps_per_cell"] / 2.0, rel=1e-4)
    assert own["trap_amplitude"].value == pytest.approx(ensemble["amplitude"] * 2.0, rel=1e-4)
    spread = own["trap_time_constant"].spread
    assert spread is not None
    assert spread.low == pytest.approx(1e-3 * ensemble["shortest"], rel=1e-3)
    assert any("trap_level" in sentence for sentence in result.fragment.not_identified)
    assert rtn_figure(tmp_path / "rtn.png", result) == 3
    bad = 2e4 / reads
    bad[3, 5] = -1.0
    _cells_file(tmp_path / "bad.tsv", bad)
    with pytest.raises(DataFileError, match="resistance"):
        calibrate("rtn", [tmp_path / "bad.tsv"], columns={"signal": Choice("#4-", "Ohm")}, settings=settings)
