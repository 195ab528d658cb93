from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ferrogen.calibration.columns import parse_choices
from ferrogen.calibration.samples import Sample
from ferrogen.core.errors import ArgumentError, DataFileError
from ferrogen.device.card import load_card
from ferrogen.report.datasheet import kinetics, loops, retention, spectra
from ferrogen.report.datasheet.compose import compose
from ferrogen.report.datasheet.measured import KINDS, Facts, parse_measured, read_measured
from ferrogen.report.datasheet.pages import load_pages
from ferrogen.report.datasheet.subject import Subject


def written(folder: Path, text: str) -> Path:
    path = folder / "data.csv"
    path.write_text(text)
    return path


def test_every_kind_is_shown_by_a_page_and_only_those() -> None:
    assert {kind for page in load_pages() for kind in page.kinds} == set(KINDS)


def test_columns_come_in_the_units_of_the_pages(tmp_path: Path) -> None:
    path = written(tmp_path, "w,E,Q\n1,2,3\n10,2,6\n")
    chosen = parse_choices(["pulse_width = w [us]", "amplitude = E [MV/cm]", "polarization = Q [nC]"])
    facts = Facts(Sample(thickness=1e-8, area=1e-7))
    item = read_measured([("switching", path)], chosen, facts=facts)["switching"]
    np.testing.assert_allclose(item.columns["pulse_width"], [1e-6, 1e-5])
    np.testing.assert_allclose(item.columns["amplitude"], [2.0, 2.0])  # 2 MV/cm over 10 nm
    np.testing.assert_allclose(item.columns["polarization"], [0.03, 0.06])  # 3 nC over 1e-7 m^2
    with pytest.raises(ArgumentError, match="thickness"):
        read_measured([("switching", path)], chosen)


@pytest.mark.parametrize("text", ["switching", "=file", "nothing=file", "switching="])
def test_other_texts_than_kind_and_file_are_refused(text: str) -> None:
    with pytest.raises(ArgumentError, match="KIND=FILE"):
        parse_measured(text)


@pytest.mark.parametrize(
    ("kind", "text", "says"),
    [
        ("loop", "voltage [V],polarization [C/m^2]\n1,0.1\n", "1 row"),
        ("loop", "voltage [V],polarization [C/cm^2]\n-1,-20\n1,20\n", "Check the unit"),
        ("rtn", "time [s],value [A]\n1,2\n0,2\n", "do not rise"),
        ("rtn", "value [A]\n0\n1\n", "zero"),
        ("retention", "time [s],value [1]\n0,1\n0,1\n", "no time above zero"),
        ("endurance", "cycles,value [V]\n1,2\n2,3\n", "C/m"),
    ],
)
def test_tables_that_cannot_be_shown_are_refused(tmp_path: Path, kind: str, text: str, says: str) -> None:
    with pytest.raises(DataFileError, match=says):
        read_measured([(kind, written(tmp_path, text))])


def test_a_kind_twice_or_a_column_that_nobody_wants_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "cycles,value [1]\n1,1\n2,1\n")
    with pytest.raises(ArgumentError, match="once"):
        read_measured([("endurance", path), ("endurance", path)])
    with pytest.raises(ArgumentError, match="choose among"):
        read_measured([("endurance", path)], parse_choices(["voltage = #1 [V]"]))


def test_pulses_that_follow_the_card_lie_on_it(tmp_path: Path) -> None:
    card = load_card("ideal")
    bare = Subject(card)
    widths, volts = np.geomspace(1e-8, 1e-4, 9), [2.0, 3.0]
    shares = kinetics.switched(bare, volts, widths, 300.0)
    full = 2.0 * bare.mean_domains.remanent_polarization[0]
    for offset, sign in ((0.0, "switched"), (-0.5 * full, "after the pulse")):
        rows = [
            f"{w:.12g},{v:g},{offset + full * s:.12g}"
            for v, row in zip(volts, shares, strict=True)
            for w, s in zip(widths, row, strict=True)
        ]
        path = written(tmp_path, "pulse_width [s],amplitude [V],polarization [C/m^2]\n" + "\n".join(rows) + "\n")
        subject = Subject(card, measured=read_measured([("switching", path)]))
        made = compose(kinetics.PAGE, {"ideal": subject})
        gaps = [gap for panel in made.panels for gap in panel["rms_differences"]]
        assert [gap["between"] for gap in gaps] == [["measured", "ideal"]], sign
        # The page's own grid of widths is coarser than a straight line follows: 6 points a decade.
        assert gaps[0]["value"] < 0.01, sign
        assert gaps[0]["points"] >= 16


def test_a_loop_needs_its_frequency_and_a_trace_its_interval(tmp_path: Path) -> None:
    path = written(tmp_path, "voltage [V],polarization [C/m^2]\n0,0\n3,0.1\n0,0.1\n-3,-0.1\n")
    subject = Subject(load_card("ideal"), measured=read_measured([("loop", path)]))
    with pytest.raises(ArgumentError, match="frequency"):
        loops.PAGE.make(subject)
    trace = written(tmp_path, "value [A]\n" + "1\n2\n" * 200)
    data = read_measured([("rtn", trace)])
    with pytest.raises(ArgumentError, match="interval"):
        spectra.PAGE.make(Subject(load_card("hzo-mfis-nor"), cells=20, measured=data))
    timed = read_measured([("rtn", trace)], facts=Facts(interval=0.5))["rtn"]
    assert timed.spacing() == 0.5


def test_measured_retention_is_relative_to_its_first_value(tmp_path: Path) -> None:
    path = written(tmp_path, "time [s],value [uC/cm^2]\n0,50\n1,40\n100,20\n")
    subject = Subject(load_card("hzo-10nm-measured"), measured=read_measured([("retention", path)]))
    content = retention.PAGE.make(subject)
    drawn = [item for item in content.panels[0].curves if item.data]  # type: ignore[union-attr]
    np.testing.assert_allclose(drawn[0].x, [1.0, 100.0])
    np.testing.assert_allclose(drawn[0].y, [1.0, 0.5])
