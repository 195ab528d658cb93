"""The figure of a calibration: every kind of panel is drawn, equal results give equal bytes, nothing is no figure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from ferrogen.calibration.fragment import CardFragment
from ferrogen.calibration.result import Axis, Calibration, Panel, Series
from ferrogen.report.calibration import calibration_figure, residuals_shown

X = np.geomspace(1e-7, 1e-3, 40)


def result(*panels: Panel) -> Calibration:
    return Calibration("switching", CardFragment({}), ("a summary",), {"rmse [V]": 1.0}, panels=panels)


def test_all_kinds_of_panels_are_drawn(tmp_path: Path) -> None:
    data = np.sin(np.log(X))
    many = tuple(Series(f"series {k}", X, data + k, data + k + 0.1) for k in range(14))
    panels = (
        Panel("logarithmic", Axis("time", "s", logarithmic=True), Axis("P", "C/m^2"), many),
        Panel("both", Axis("time", "s", True), Axis("S", "1/s", True), (Series("", X, X, 2 * X),), residuals=False),
        Panel("model only", Axis("voltage", "V"), Axis("J", "A/m^2"), (Series("model", X, None, data),)),
        Panel("data only", Axis("T", "K"), Axis("share", "1"), (Series("data", X, data, None),)),
        Panel("empty", Axis("T", "K"), Axis("share", "V"), ()),
    )
    path = tmp_path / "residuals.png"
    assert calibration_figure(path, result(*panels)) == 5
    with Image.open(path) as figure:
        assert figure.size[0] > 1000
    calibration_figure(tmp_path / "again.png", result(*panels))
    assert path.read_bytes() == (tmp_path / "again.png").read_bytes()


def test_more_points_and_panels_than_can_be_seen(tmp_path: Path) -> None:
    x = np.linspace(0.0, 1.0, 50_000)
    panel = Panel("long", Axis("time", "s"), Axis("V", "V"), (Series("", x, x, x),))
    assert calibration_figure(tmp_path / "residuals.png", result(*[panel] * 13)) == 12


def test_nothing_to_draw_is_no_figure(tmp_path: Path) -> None:
    assert calibration_figure(tmp_path / "residuals.png", result()) == 0
    assert not list(tmp_path.iterdir())


def test_residuals_on_a_logarithmic_axis_are_those_of_the_logarithm() -> None:
    data, model = np.array([1e-9, 2e-6, -1e-9, 1e-9]), np.array([2e-9, 1e-6, 1e-9, 0.0])
    shown = residuals_shown(data, model, logarithmic=True)
    np.testing.assert_allclose(shown[:2], [-np.log(2.0), np.log(2.0)], rtol=1e-12)
    assert np.isnan(shown[2:]).all()
    np.testing.assert_array_equal(residuals_shown(data, model, logarithmic=False), data - model)
