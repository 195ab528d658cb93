"""Pulse data in the conventions of several laboratories give the same parameters; what is none is said or refused."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.special import erfinv

from ferrogen.calibration.calibrate import calibrate
from ferrogen.calibration.fit import Array
from ferrogen.calibration.misfit import misfit_sentences, outlier_sentences
from ferrogen.calibration.result import Calibration
from ferrogen.calibration.samples import Sample
from ferrogen.core.errors import ArgumentError, DataFileError
from ferrogen.core.streams import Purpose, Streams

REMANENT, NOISE = 0.21, 4e-3  # C/m^2
TRUE = {"activation_field": 1.3e8, "activation_width": 0.3, "attempt_time": 1e-7, "field_exponent": 3.0}
THICKNESS = 8.3e-9
FILM = Sample(thickness=THICKNESS)


def film() -> tuple[Array, Array, Array]:
    """Return widths [s], voltages [V] and switched shares of an 8.3 nm film with noise, by a sum over domains."""
    width, field = (grid.ravel() for grid in np.meshgrid(np.geomspace(2e-7, 1e-3, 11), 1e8 * np.linspace(0.7, 2.2, 6)))
    normal = math.sqrt(2.0) * erfinv(2.0 * (np.arange(2000) + 0.5) / 2000 - 1.0)
    activation = TRUE["activation_field"] * np.exp(TRUE["activation_width"] * normal)
    barrier = np.minimum((activation / field[:, None]) ** TRUE["field_exponent"], 600.0)
    share = 1.0 - np.exp(-((width[:, None] / TRUE["attempt_time"] * np.exp(-barrier)) ** 2)).mean(axis=1)
    noise = NOISE / (2.0 * REMANENT) * Streams(4).generator(Purpose.SYNTHETIC_DATA).standard_normal(width.size)
    return width, field * THICKNESS, share + noise


def fitted(path: Path, width: Array, volts: Array, density: Array, **settings: str) -> Calibration:
    np.savetxt(
        path, np.column_stack([width * 1e6, volts, density * 100.0]), delimiter=";",
        header="t (us);U (V);P (uC/cm2)", comments="",
    )  # fmt: skip
    return calibrate("switching", [path], sample=FILM, settings={"compare": "no", "starts": "1", **settings})


CONVENTIONS: dict[str, tuple[Callable[[Array], Array], float, str, str]] = {
    "poled": (lambda s: REMANENT * (2.0 * s - 1.0), 1.0, "the opposite saturated state", ""),
    "switched": (lambda s: 2.0 * REMANENT * s, 1.0, "zero", ""),
    "negative pulses": (lambda s: -REMANENT * (2.0 * s - 1.0), -1.0, "the opposite saturated state", ""),
    "size switched by negative pulses": (lambda s: 2.0 * REMANENT * s, -1.0, "zero", "negative pulses leave"),
    "what is left": (lambda s: REMANENT * (1.0 - 2.0 * s), 1.0, "the opposite saturated state", "positive pulses"),
    "integrator": (lambda s: 2.0 * REMANENT * s + 0.1, 1.0, "an offset", "an offset was fitted"),
}


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_every_convention_gives_the_same_film(tmp_path: Path, convention: str) -> None:
    """Five parameters within 4.1 standard errors: false-alarm level below 1e-3 with Student's t of 60 degrees."""
    width, volts, share = film()
    reported, sign, counts_from, remark = CONVENTIONS[convention]
    result = fitted(tmp_path / "film.csv", width, sign * volts, reported(share))
    assert result.record["polarization_counts_from"] == counts_from
    found = result.record["fit"]["parameters"]
    for name, value in {**TRUE, "remanent_polarization": REMANENT}.items():
        assert abs(found[name]["value"] - value) < 4.1 * found[name]["standard_error"], name
    said = [line for line in result.warnings if "pulses leave" in line or "offset was fitted" in line]
    assert len(said) == bool(remark)
    assert all(remark in line for line in said)
    assert not any("does not describe" in line for line in result.warnings)


def test_measured_amplitudes_of_one_nominal_amplitude_are_left_out_together(tmp_path: Path) -> None:
    width, volts, share = film()
    jitter = 1.0 + 3e-3 * Streams(5).generator(Purpose.SYNTHETIC_DATA).uniform(-1.0, 1.0, volts.size)
    result = fitted(tmp_path / "film.csv", width, volts * jitter, 2.0 * REMANENT * share)
    assert len(result.record["left_out_amplitudes"]["groups"]) == 6
    assert len(result.panels[0].series) == 6


def test_outliers_are_named_and_do_not_choose_the_convention(tmp_path: Path) -> None:
    width, volts, share = film()
    density = 2.0 * REMANENT * share
    density[[10, 40]] = 0.9, -0.6
    result = fitted(tmp_path / "film.csv", width, volts, density)
    assert result.record["polarization_counts_from"] == "zero"
    assert any("2 points (rows 11, 41)" in line for line in result.warnings)


def test_what_is_no_switching_is_said(tmp_path: Path) -> None:
    width, volts, share = film()
    result = fitted(tmp_path / "film.csv", width, volts, np.roll(2.0 * REMANENT * share, 29))
    assert any("does not describe the data" in line for line in result.warnings)


@pytest.mark.parametrize(
    ("volts_factor", "density_factor", "message"),
    [
        (1e-3, 1.0, "largest field is 0.0022 MV/cm, but a ferroelectric film has between 0.1 and 20 MV/cm"),
        (1.0, 1e4, "charge spans .* uC/cm.2, but a ferroelectric film has between 0.5 and 100 uC/cm"),
        (1.0, 0.0, "the same after every pulse"),
    ],
)
def test_wrong_units_are_refused(tmp_path: Path, volts_factor: float, density_factor: float, message: str) -> None:
    width, volts, share = film()
    with pytest.raises(DataFileError, match=message):
        fitted(tmp_path / "film.csv", width, volts * volts_factor, 2.0 * REMANENT * share * density_factor)


def test_too_few_pulses_and_an_unknown_profile(tmp_path: Path) -> None:
    width, volts, share = film()
    few = slice(None, None, 12)
    with pytest.raises(DataFileError, match="6 pulses; at least 7"):
        fitted(tmp_path / "film.csv", width[few], volts[few], share[few])
    few = slice(None, None, 7)
    with pytest.raises(DataFileError, match="too few to fit with one amplitude left out"):
        fitted(tmp_path / "film.csv", width[few][:7], volts[few][:7], 0.2 * share[few][:7])
    with pytest.raises(ArgumentError, match="`profile` must be one of remanent_polarization"):
        fitted(tmp_path / "film.csv", width, volts, 0.2 * share, profile="colour")


def test_the_law_that_describes_better_is_named(tmp_path: Path) -> None:
    width, volts, share = film()
    result = fitted(tmp_path / "film.csv", width, volts, 0.4 * share, compare="yes", nucleation_exponent="1")
    (said,) = [line for line in result.warnings if "AIC lower by" in line]
    assert re.search(r"nucleation exponent (2|fitted) \(AIC", said)
    assert re.search(r"--set nucleation_exponent=(2|free)", said)


def test_sentences_of_misfit() -> None:
    drawn = Streams(6).generator(Purpose.SYNTHETIC_DATA).standard_normal(2000)
    assert misfit_sentences(10.0 * drawn, np.full(2000, 2.2), "V") == []
    assert "leaves 2.4 V" in misfit_sentences(10.0 * drawn, np.full(2000, 2.4), "V")[0]
    # A normal number beyond 8 standard deviations has the probability 1e-15.
    assert outlier_sentences(drawn, "V") == []
    drawn[7] = -9.5
    assert "1 points (rows 8)" in outlier_sentences(drawn, "V")[0]
    assert outlier_sentences(np.zeros(5), "V") == []


def test_no_error_is_stated_for_what_ended_at_a_bound(tmp_path: Path) -> None:
    width, volts, share = film()
    sharp = np.where(share > 0.5, 2.0 * REMANENT, 0.0)
    result = fitted(tmp_path / "film.csv", width, volts, sharp)
    at_bound = result.record["fit"]["at_bound"]
    assert "activation_width" in at_bound
    section = result.fragment.sections["switching"]
    for name in ("remanent_polarization", "activation_field", "attempt_time", "field_exponent"):
        assert (section[name].standard_error is None) == (name in at_bound), name
    assert section["activation_field"].note.startswith("spread 0.01 +- inf")
