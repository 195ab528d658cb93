from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from ferrogen.core.errors import ArgumentError
from ferrogen.report import sweep_figure as module
from ferrogen.report.style import new_figure, save_figure, si_scale, styled
from ferrogen.report.sweep_figure import budget_figure, sweep_figure

VOLTAGES = np.array([0.4, 0.8, 1.2])
TIMES = np.array([1e-5, 1e-3])


def texts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect every text that a figure holds when it is saved."""
    found: list[str] = []

    def keep(figure: object, path: Path) -> None:
        from matplotlib.text import Text

        save_figure(figure, path)  # type: ignore[arg-type]
        found.extend(item.get_text() for item in figure.findobj(Text))  # type: ignore[attr-defined]

    monkeypatch.setattr(module, "save_figure", keep)
    return found


def test_matplotlib_is_imported_late_pyplot_never_and_settings_come_back(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "import ferrogen.report.style, ferrogen.report.grids, ferrogen.report.sweep_figure\n"
        "import ferrogen.report.tables, ferrogen.report.characterise, ferrogen.cli.characterise\n"
        "assert 'matplotlib' not in sys.modules\n"
        "from ferrogen.report.sweep_figure import budget_figure\n"
        "import matplotlib\n"
        "matplotlib.rcParams['font.size'] = 31.0\n"
        "budget_figure(Path(sys.argv[1]), {'levels': 3.0})\n"
        "assert matplotlib.rcParams['font.size'] == 31.0\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "x.png")], check=True, timeout=60)


def test_settings_come_back_after_an_error() -> None:
    before = dict(mpl.rcParams)
    with contextlib.suppress(RuntimeError), styled():
        assert mpl.rcParams["axes.spines.top"] is False
        raise RuntimeError
    assert dict(mpl.rcParams) == before


def test_equal_figures_have_equal_bytes_and_only_png_is_written(tmp_path: Path) -> None:
    for name in ("a", "b"):
        budget_figure(tmp_path / f"{name}.png", {"levels": 3.0, "wires": np.inf})
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with styled(), pytest.raises(ArgumentError, match="png"):
        save_figure(new_figure(2.0, 2.0), tmp_path / "a.pdf")


@pytest.mark.parametrize(
    ("value", "factor", "unit"), [(2e-9, 1e9, "nA"), (1.0, 1.0, "A"), (-3e3, 1e-3, "kA"), (0.0, 1e15, "fA")]
)
def test_si_scale(value: float, factor: float, unit: str) -> None:
    assert si_scale(value, "A") == (pytest.approx(factor), unit)


def test_a_sweep_prints_values_marks_and_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = texts(monkeypatch)
    noise = np.array([[1.25, 2.5, np.nan], [10.0, 20.0, 40.0]])
    maps = {"noise [pA]": noise, "score [1]": np.full((2, 3), np.nan)}
    sweep_figure(tmp_path / "s.png", VOLTAGES, TIMES, maps, [(1.2, 1e-3, "default")], log_colours=["noise [pA]"])
    for text in ("1.25", "2.5", "10", "20", "40", "default", "no value", "noise [pA]", "10 µs", "1 ms", "0.8"):
        assert text in found
    assert "nan" not in found
    with Image.open(tmp_path / "s.png") as image:
        assert image.size[0] > 800


def test_a_large_sweep_prints_no_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = texts(monkeypatch)
    values = 0.123 + np.zeros((9, 9))
    sweep_figure(tmp_path / "s.png", np.linspace(0.1, 1.2, 9), np.geomspace(1e-6, 1e-2, 9), {"x [1]": values})
    assert "0.123" not in found
    assert "no value" not in found


def test_one_point_and_values_that_cannot_be_logarithmic_still_make_a_figure(tmp_path: Path) -> None:
    sweep_figure(tmp_path / "s.png", [1.2], [1e-3], {"x [1]": np.array([[0.0]])}, log_colours=["x [1]"])
    assert (tmp_path / "s.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("voltages", "times", "maps", "name"),
    [
        ([1.0, 0.5], [1e-3], {"x": np.zeros((1, 2))}, "voltages"),
        ([1.0], [0.0], {"x": np.zeros((1, 1))}, "times"),
        ([0.5, 1.0], [1e-3], {"x": np.zeros((2, 1))}, "x"),
        ([1.0], [1e-3], {}, "maps"),
    ],
)
def test_unusable_sweeps_are_refused(
    tmp_path: Path, voltages: list[float], times: list[float], maps: dict[str, np.ndarray], name: str
) -> None:
    with pytest.raises(ArgumentError, match=name):
        sweep_figure(tmp_path / "s.png", voltages, times, maps)
    assert list(tmp_path.iterdir()) == []


def test_a_budget_names_its_sources_worst_on_top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = texts(monkeypatch)
    budget_figure(tmp_path / "b.png", {"levels": 5.125, "wires": np.inf, "all together": 3.5})
    named = [name for name in dict.fromkeys(found) if name in ("levels", "wires", "all together")]
    assert named == ["wires", "levels", "all together"]
    assert {"5.12", "3.50", "no error"} <= set(found)


@pytest.mark.parametrize("budget", [{}, {"levels": np.nan}])
def test_an_empty_budget_is_refused(tmp_path: Path, budget: dict[str, float]) -> None:
    with pytest.raises(ArgumentError, match="budget"):
        budget_figure(tmp_path / "b.png", budget)
