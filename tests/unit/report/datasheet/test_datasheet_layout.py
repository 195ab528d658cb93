from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from matplotlib.transforms import Bbox

from ferrogen.device.card import load_card
from ferrogen.report.characterise import characterise_card
from ferrogen.report.datasheet import averaging, breakdown, currents, levels, scatter, traces
from ferrogen.report.datasheet.compose import compose
from ferrogen.report.datasheet.drawing import label_of, scale_of
from ferrogen.report.datasheet.front import overview, parameter_pages
from ferrogen.report.datasheet.layout import Cell, Side, set_page, shown
from ferrogen.report.datasheet.numbers import head, panel_table
from ferrogen.report.datasheet.page import Axis, Map, Mark, Page, Plot, TextTable, curve, quantity
from ferrogen.report.datasheet.subject import Subject
from ferrogen.report.style import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGES = (currents, levels, traces, averaging, breakdown, scatter)


@pytest.fixture(scope="module")
def subjects() -> dict[str, Subject]:
    return {name: Subject(load_card(name), cells=50) for name in ("hzo-mfis-nor", "hzo-3nm-direct")}


def page_of(page: Page, subjects: dict[str, Subject]) -> Figure:
    made = compose(page, subjects)
    side = Side(list(made.contents), [content.key for content in made.contents.values()])
    return set_page(page.title, "subtitle", made.cells, side, "footer", made.columns)


def boxes(figure: Figure) -> tuple[list[Bbox], list[Bbox]]:
    """Return where the words of a page and its axes (with ticks, labels and legend) stand, in pixels."""
    figure.draw_without_rendering()
    words = [text.get_window_extent() for text in figure.texts if text.get_text()]
    tight = [axes.get_tightbbox() for axes in figure.axes]
    return words, [box for box in tight if box is not None]


@pytest.mark.parametrize("module", PAGES, ids=lambda module: module.PAGE.name)
@pytest.mark.parametrize("several", [False, True], ids=["one", "two"])
def test_nothing_on_a_page_overlaps_or_leaves_it(subjects: dict[str, Subject], module: object, several: bool) -> None:
    chosen = subjects if several else dict(itertools.islice(subjects.items(), 1))
    with styled():
        figure = page_of(module.PAGE, chosen)  # type: ignore[attr-defined]
        words, axes = boxes(figure)
    whole = Bbox.from_extents(0.0, 0.0, *(figure.get_size_inches() * figure.dpi))
    for box in (*words, *axes):
        assert box.x0 >= whole.x0 - 1.0
        assert box.x1 <= whole.x1 + 1.0
        assert box.y0 >= whole.y0 - 1.0
        assert box.y1 <= whole.y1 + 1.0
    for first, second in itertools.combinations(axes, 2):
        met = Bbox.intersection(first, second)
        assert met is None or met.width < 8.0 or met.height < 8.0, (first, second)
    for box in words:
        for other in axes:
            met = Bbox.intersection(box, other)
            assert met is None or met.width < 8.0 or met.height < 8.0, (box, other)
    for first, second in itertools.combinations(words, 2):
        met = Bbox.intersection(first, second)
        assert met is None or met.width < 3.0 or met.height < 3.0, (first, second)


def test_the_front_and_the_parameters_fit_their_pages(subjects: dict[str, Subject]) -> None:
    for chosen in (subjects, dict(itertools.islice(subjects.items(), 1))):
        made = [compose(module.PAGE, chosen) for module in (currents, breakdown)]
        with styled():
            verdicts = dict.fromkeys(chosen, "It can, or it cannot. " * 6)
            pages = [
                overview(chosen, made, verdicts, ["loop: data.csv"], "footer"),
                *parameter_pages(chosen, ["a", "b"]),
            ]
            for figure in pages:
                words, _ = boxes(figure)
                assert min(box.y0 for box in words) > 0.0
                assert max(box.x1 for box in words) <= figure.get_size_inches()[0] * figure.dpi
                for first, second in itertools.combinations(words, 2):
                    met = Bbox.intersection(first, second)
                    assert met is None or met.width < 3.0 or met.height < 3.0, (first, second)
                for axes in figure.axes:
                    texts = [text.get_window_extent() for text in axes.texts if text.get_text()]
                    assert min(box.y0 for box in texts) > 0.3 * figure.dpi  # above the footer
                    for first, second in itertools.combinations(texts, 2):
                        met = Bbox.intersection(first, second)
                        assert met is None or met.width < 2.0 or met.height < 2.0, (first, second)


def test_two_cards_share_panels_and_their_difference_is_stated(subjects: dict[str, Subject]) -> None:
    made = compose(currents.PAGE, subjects)
    one, two = (made.contents[name].panels[1] for name in subjects)
    assert isinstance(one, Plot)
    assert isinstance(two, Plot)
    gap = next(panel for panel in made.panels if panel["name"] == "above_ohmic")["rms_differences"]
    x = one.curves[0].x
    inside = x <= two.curves[0].x[-1]
    other = np.interp(x[inside], two.curves[0].x, two.curves[0].y)
    expected = np.sqrt(np.mean((one.curves[0].y[inside] - other) ** 2))
    assert [item["between"] for item in gap] == [list(subjects)]
    assert gap[0]["value"] == pytest.approx(expected)
    cell = next(cell for cell in made.cells if cell.title == one.title)
    assert [name for name, _ in cell.panels] == list(subjects)
    assert f"{expected:.3g}" in cell.caption


def test_what_would_hide_one_another_stands_apart(subjects: dict[str, Subject]) -> None:
    made = compose(levels.PAGE, subjects)
    maps = [cell for cell in made.cells if isinstance(cell.panels[0][1], Map)]
    assert len(maps) == 4  # two voltages, two cards
    assert all(len(cell.panels) == 1 for cell in maps)
    assert set(made.tables) == {
        f"levels_{name}.csv" for name in ("noise", "safe", "confusion_sample", "confusion_multiply")
    }
    assert set(made.tables["levels_noise.csv"]["card"]) == set(subjects)


def test_cards_of_the_same_name_are_told_apart(tmp_path: Path) -> None:
    card = load_card("ideal")
    changed = card.model_copy(update={"default_sample_voltage": 0.9})
    record = characterise_card(card, tmp_path, against=changed, cells=10, pages=("currents",))
    assert record["against"]["card"] == record["card"] == "ideal"
    gaps = record["pages"][0]["panels"][0]["rms_differences"]
    assert gaps[0]["between"] == ["ideal (1)", "ideal (2)"]
    assert gaps[0]["value"] == 0.0


@pytest.mark.parametrize(
    ("axis", "largest", "unit", "factor"),
    [
        (Axis("P", "C/m^2"), 0.2, "µC/cm²", 1e2),
        (Axis("E", "V/m"), 1e8, "MV/cm", 1e-8),
        (Axis("I", "A"), 3e-9, "nA", 1e9),
        (Axis("V", "V"), 3e-3, "V", 1.0),
        (Axis("share", "1"), 0.5, "", 1.0),
        (Axis("T", "K"), 300.0, "K", 1.0),
    ],
)
def test_axes_are_in_the_units_of_the_field(axis: Axis, largest: float, unit: str, factor: float) -> None:
    scale = scale_of(axis, [np.array([0.0, largest])])
    assert (scale.unit, scale.factor) == (unit, pytest.approx(factor))
    assert label_of(axis, scale) == (f"{axis.name} [{unit}]" if unit else axis.name)


def test_an_empty_plot_says_so_and_a_bad_mark_is_left_out() -> None:
    none = Plot("p", "t", "caption", Axis("x", "s", logarithmic=True), Axis("y", "1", logarithmic=True),
                [curve("a", [1.0, 2.0], [np.nan, 0.0])], marks=(Mark(5.0, "far"),))  # fmt: skip
    marks = (Mark(5.0, "far"), Mark(1.5, "near"), Mark(9.0, "above", across=True), Mark(1.2, "level", across=True))
    far = Plot(
        "p", "t", "caption", Axis("x", "V"), Axis("y", "1"), [curve("a", [1.0, 2.0], [1.0, 2.0])], marks=marks
    )  # fmt: skip
    with styled():
        empty = set_page("a", "b", [Cell([("card", none)], "caption", "t")], None, "f")
        marked = set_page("a", "b", [Cell([("card", far)], "caption", "t")], None, "f")
    assert "nothing in this range" in [text.get_text() for text in empty.axes[0].texts]
    names = [text.get_text() for text in marked.axes[0].texts]
    assert {"near", "level"} <= set(names)
    assert not {"far", "above"} & set(names)


def test_a_legend_stands_where_there_are_no_lines() -> None:
    x = np.linspace(0.0, 1.0, 50)
    for height, side in ((x, 0.5), (1.0 - x, 0.5)):
        item = Plot("p", "t", "c", Axis("x", "V"), Axis("y", "1"), [curve("one", x, height), curve("two", x, height)])
        with styled():
            figure = set_page("a", "b", [Cell([("card", item)], "c", "t")], None, "f")
            figure.draw_without_rendering()
            axes = figure.axes[0]
            legend = axes.get_legend()
            assert legend is not None
            box = legend.get_window_extent()
            points = axes.transData.transform(np.column_stack([x, height]))
        inside = (points[:, 0] > box.x0) & (points[:, 0] < box.x1) & (points[:, 1] > box.y0) & (points[:, 1] < box.y1)
        assert inside.mean() < 0.05, side


def test_numbers_of_curves_name_card_series_and_origin() -> None:
    first = Plot("p", "t", "c", Axis("Read voltage", "V"), Axis("I", "A"),
                 [curve("a", [0.0, 1.0], [0.0, 2.0], low=np.array([0.0, 1.0]), high=np.array([0.0, 3.0])),
                  curve("a", [1.0], [2.5], data=True)])  # fmt: skip
    table = panel_table([("one", first)])
    assert list(table) == ["card", "series", "from", "read voltage [V]", "I [A]", "I, low [A]", "I, high [A]"]
    assert list(table["from"]) == ["card", "card", "measured"]
    np.testing.assert_allclose(table["I, high [A]"], [0.0, 3.0, np.nan])
    text = TextTable("t", "t", "c", ("name", "value"), (("a", "1"), ("b", "2")), (1.0, 1.0))
    assert list(panel_table([("one", text), ("two", text)])["card"]) == ["one", "one", "two", "two"]
    assert head(Axis("PSD of I", "1/Hz")) == "PSD of I [1/Hz]"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.2, "C/m^2", "20 µC/cm²"), (1e8, "V/m", "1 MV/cm"), (1e4, "A/m^2", "1 A/cm²"), (3.2e9, "s", "101 years"),
        (2e-6, "V", "2 µV"), (0.12345, "1", "0.123"), (float("inf"), "s", "none"),
    ],
)  # fmt: skip
def test_key_figures_are_written_with_three_digits(value: float, unit: str, text: str) -> None:
    assert shown(quantity(value, unit, "meaning")) == text
