"""Puts what one or two cards show on a page together: cells, tables, and how far curves are apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ferrogen.report.datasheet.compare import Difference, difference
from ferrogen.report.datasheet.layout import Cell
from ferrogen.report.datasheet.numbers import panel_table
from ferrogen.report.datasheet.page import Content, Curve, Page, Panel, Plot
from ferrogen.report.datasheet.subject import Subject
from ferrogen.report.tables import Columns

_UNITS = {"C/m^2": (1e2, "µC/cm²"), "V/m": (1e-8, "MV/cm"), "A/m^2": (1e-4, "A/cm²"), "1": (1.0, "")}


@dataclass(frozen=True, slots=True)
class Composed:
    """A page, ready to be drawn and written.

    Attributes:
        page: which.
        contents: of each card that has it, by the card's name.
        left_out: why a card has no such page, by its name.
        cells: to draw.
        tables: file name -> numbers.
        panels: one record for each panel, for JSON.
    """

    page: Page
    contents: Mapping[str, Content]
    left_out: Mapping[str, str]
    cells: Sequence[Cell] = ()
    tables: Mapping[str, Columns] = field(default_factory=dict)
    panels: Sequence[Mapping[str, Any]] = ()

    @property
    def extrapolations(self) -> dict[str, list[str]]:
        """What lies outside the range for which a card holds, by its name."""
        return {name: list(item.extrapolations) for name, item in self.contents.items() if item.extrapolations}

    @property
    def columns(self) -> int:
        """Of the page's grid; 0 to choose."""
        return next((item.columns for item in self.contents.values()), 0)


def compose(page: Page, subjects: Mapping[str, Subject]) -> Composed:
    """Compute a page for each card that has it.

    Args:
        page: which.
        subjects: by the name under which the sheet calls the card.
    """
    left_out = {name: page.left_out(subject) for name, subject in subjects.items()}
    contents = {name: page.make(subject) for name, subject in subjects.items() if not left_out[name]}
    reasons = {name: reason for name, reason in left_out.items() if reason}
    cells: list[Cell] = []
    tables: dict[str, Columns] = {}
    records: list[dict[str, Any]] = []
    for panel in list(dict.fromkeys(item.name for content in contents.values() for item in content.panels)):
        same = [(name, item) for name, content in contents.items() for item in content.panels if item.name == panel]
        file = f"{page.name}.csv" if panel == page.name else f"{page.name}_{panel}.csv"
        tables[file] = panel_table(_without_repeated_data(same))
        said = _differences(same)
        records.append(
            {
                "name": panel,
                "title": same[0][1].title,
                "caption": same[0][1].caption,
                "csv": file,
                "rms_differences": [
                    {"between": list(names), "value": item.value, "unit": item.unit, "points": item.points,
                     "curves": item.curves}
                    for names, item in said
                ],
            }
        )  # fmt: skip
        cells.extend(_cells(same, said, list(subjects)))
    return Composed(page, contents, reasons, cells, tables, records)


def _without_repeated_data(same: Sequence[tuple[str, Panel]]) -> list[tuple[str, Panel]]:
    """Leave measured curves to the first card: every card brings the same ones."""
    return [
        (name, item if k == 0 or not isinstance(item, Plot) else _only(item, lambda c: not c.data))
        for k, (name, item) in enumerate(same)
    ]


def _only(plot: Plot, keep: Callable[[Curve], bool]) -> Plot:
    from dataclasses import replace

    return replace(plot, curves=[item for item in plot.curves if keep(item)])


def _differences(same: Sequence[tuple[str, Panel]]) -> list[tuple[tuple[str, str], Difference]]:
    plots = [(name, item) for name, item in same if isinstance(item, Plot)]
    found: list[tuple[tuple[str, str], Difference]] = []
    for name, plot in plots:
        data = [item for item in plot.curves if item.data]
        gap = difference(plot, data, [item for item in plot.curves if not item.data]) if data else None
        if gap is not None:
            found.append((("measured", name), gap))
    if len(plots) == 2:
        (first, one), (second, two) = plots
        gap = difference(one, _comparable(one), _comparable(two))
        if gap is not None:
            found.append(((first, second), gap))
    return found


def _comparable(plot: Plot) -> list[Curve]:
    """Return curves whose difference means something: computed, not sampled at random, not a guide to the eye."""
    random = ("points", "crosses", "faint", "steps")
    return [item for item in plot.curves if not item.data and not item.guide and item.style not in random]


def _cells(
    same: Sequence[tuple[str, Panel]], said: Sequence[tuple[tuple[str, str], Difference]], names: Sequence[str]
) -> list[Cell]:
    first = same[0][1]
    told = [f"Rms difference of {_pair(pair)}: {_spelled(item)}." for pair, item in said]
    if len(same) > 1 and (not isinstance(first, Plot) or first.apart):
        return [
            Cell([(name, item)], " ".join([item.caption, *(told if k == 0 else ())]), f"{item.title} ({name})")
            for k, (name, item) in enumerate(same)
        ]
    caption = [first.caption]
    if len(same) > 1 and len({item.caption for _, item in same}) > 1:
        caption.append(f"Where the cards differ this text speaks of {same[0][0]}.")
    if len(names) > 1 and len(same) == 1:
        caption.append(f"Of {same[0][0]} alone.")
    return [Cell(list(same), " ".join([*caption, *told]), first.title)]


def _pair(pair: tuple[str, str]) -> str:
    return f"the measured data to {pair[1]}" if pair[0] == "measured" else f"{pair[0]} to {pair[1]}"


def _spelled(item: Difference) -> str:
    factor, unit = _UNITS.get(item.unit, (1.0, item.unit))
    number = f"{factor * item.value:.3g} {unit}".strip()
    return f"{number} ({item.points} points{f' of {item.curves} curves' if item.curves > 1 else ''})"
