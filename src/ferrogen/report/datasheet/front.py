"""The first and the last pages of a data sheet: what it is about, and every parameter it rests on."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from ferrogen.core.references import references
from ferrogen.core.units import format_quantity
from ferrogen.device.parameter import Parameter
from ferrogen.report.datasheet.compose import Composed
from ferrogen.report.datasheet.layout import HEIGHT, WIDTH, Cell, set_page, shown
from ferrogen.report.datasheet.page import TextTable
from ferrogen.report.datasheet.subject import Subject
from ferrogen.report.datasheet.words import short
from ferrogen.report.style import GREY, INK
from ferrogen.report.tables import Columns, stack_tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LEFT: Final = 0.4
_MIDDLE: Final = 6.15
_LINE: Final = 0.158
_WIDE: Final = 92  # characters of a line in a column of 5.4 inches at 8 points
_ROWS: Final = 52  # most parameters in a column of a page
_ROW: Final = 0.124  # their height
_HEADLINES: Final = (
    "cell_on_off_ratio",
    "loop_remanent_polarization",
    "loop_coercive_field",
    "half_switching_width",
    "identical_set_nonlinearity",
    "distinguishable_levels_at_sample_voltage",
    "distinguishable_levels_at_multiply_voltage",
    "ensemble_noise_at_sample_voltage",
    "ensemble_noise_at_multiply_voltage",
    "off_state_lost_at_sample_voltage",
    "on_state_lost_at_sample_voltage",
    "kept_after_10_years",
    "cycles_to_half",
    "life_at_sample_voltage",
    "on_conductance_spread",
)
"""Key figures of the first page, those of them that the card has."""


def overview(
    subjects: Mapping[str, Subject],
    composed: Sequence[Composed],
    verdicts: Mapping[str, str],
    measured: Sequence[str],
    footer: str,
) -> Figure:
    """Return the first page: the card or cards, what follows, what is left out and why, what lies outside validity."""
    names = " and ".join(subjects)
    figure = set_page(f"Data sheet: {names}", _subtitle(subjects), [], None, footer)
    y = HEIGHT - 1.05
    for name, subject in subjects.items():
        y = _block(figure, _LEFT, y, subject.card.title if len(subjects) == 1 else name, [subject.card.description])
        y = _facts(figure, _LEFT, y, subject)
        if name in verdicts:
            y = _block(figure, _LEFT, y, "Can it be sampled without losing its state?", [verdicts[name]])
    if measured:
        y = _block(figure, _LEFT, y, "Measured data", measured)
    left = y
    y = HEIGHT - 1.05
    bound = [item for item in composed if item.contents]
    y = _contents(figure, y, [(item.page.title, str(k)) for k, item in enumerate(bound, start=2)])
    reasons = [
        f"{item.page.title}{f' ({name})' if len(subjects) > 1 else ''}: {reason}"
        for item in composed
        for name, reason in item.left_out.items()
    ]
    if reasons:
        y = _block(figure, _MIDDLE, y, "Pages left out", reasons)
    outside: dict[str, list[str]] = {}
    for item in composed:
        for name, said in item.extrapolations.items():
            for sentence in said:
                outside.setdefault(f"{item.page.title}: {sentence}", []).append(name)
    sentences = [
        text if len(names_of) == len(subjects) else f"{text} ({', '.join(names_of)})"
        for text, names_of in outside.items()
    ]
    if sentences:
        y = _block(figure, _MIDDLE, y, "Outside of what the card holds for (extrapolated)", sentences)
    x = _LEFT if left >= y else _MIDDLE
    _headlines(figure, x, max(left, y), list(subjects), composed)
    return figure


def _subtitle(subjects: Mapping[str, Subject]) -> str:
    first = next(iter(subjects.values()))
    parts = [
        f"{name}: {len(item.card.assumptions())} of {len(item.card.parameters)} parameters are assumed"
        for name, item in subjects.items()
    ]
    return f"{first.temperature:g} K, seed {first.seed}. {'; '.join(parts)}."


def _block(figure: Figure, x: float, y: float, title: str, paragraphs: Sequence[str]) -> float:
    for text in textwrap.wrap(title, 70):
        figure.text(x / WIDTH, y / HEIGHT, text, fontsize=10.0, fontweight="bold", va="center")
        y -= 0.2
    for paragraph in paragraphs:
        for line in textwrap.wrap(paragraph, _WIDE):
            if y < 0.45:
                return y
            figure.text(x / WIDTH, y / HEIGHT, line, fontsize=8.0, color=INK, va="center")
            y -= _LINE
        y -= 0.04
    return y - 0.16


def _facts(figure: Figure, x: float, y: float, subject: Subject) -> float:
    card = subject.card
    inter, film = card.interlayer_thickness.value, short(card.ferroelectric_thickness.value, "m")
    below = card.interlayer_permittivity.value
    on, off = (short(item.value, "S") for item in (card.on_conductance, card.off_conductance))
    rows = [
        ("cell area", f"{1e18 * card.cell_area.value:.4g} nm²"),
        ("ferroelectric", f"{film}, permittivity {card.ferroelectric_permittivity.value:g}"),
        ("interlayer", f"{short(inter, 'm')}, permittivity {below:g}" if inter else "none"),
        ("conductance, on and off", f"{on} and {off}"),
        ("multiply and sample voltage", f"{card.default_multiply_voltage:g} V and {card.default_sample_voltage:g} V"),
        ("sampling time", short(card.default_sampling_time, "s")),
        ("traps of a cell, mean", f"{subject.junction.population.traps.count / subject.cells:.3g}"),
        ("levels", f"{card.programmable_levels.value:g}"),
    ]  # fmt: skip
    for label, value in rows:
        figure.text(x / WIDTH, y / HEIGHT, label, fontsize=8.0, color=GREY, va="center")
        figure.text((x + 2.0) / WIDTH, y / HEIGHT, value, fontsize=8.0, va="center")
        y -= _LINE
    return y - 0.16


def _headlines(figure: Figure, x: float, y: float, names: Sequence[str], composed: Sequence[Composed]) -> None:
    """Write the most telling key figures, one column a card."""
    keys = [
        {key: value for item in composed if name in item.contents for key, value in item.contents[name].key.items()}
        for name in names
    ]
    chosen = [key for key in _HEADLINES if any(key in own for own in keys)]
    if not chosen:
        return
    figure.text(x / WIDTH, y / HEIGHT, "Key figures", fontsize=10.0, fontweight="bold", va="center")
    ends = [3.9 + 1.4 * k for k in range(len(names))]
    if len(names) > 1:
        for name, end in zip(names, ends, strict=True):
            figure.text((x + end) / WIDTH, y / HEIGHT, name, fontsize=8.0, color=GREY, va="center", ha="right")
    y -= 0.2
    for key in chosen:
        if y < 0.42:
            return
        figure.text(x / WIDTH, y / HEIGHT, key.replace("_", " "), fontsize=8.0, color=GREY, va="center")
        for own, end in zip(keys, ends, strict=True):
            figure.text(
                (x + end) / WIDTH, y / HEIGHT, shown(own[key]) if key in own else "-", fontsize=8.0, va="center",
                ha="right",
            )  # fmt: skip
        y -= _LINE


def _contents(figure: Figure, y: float, rows: Sequence[tuple[str, str]]) -> float:
    figure.text(_MIDDLE / WIDTH, y / HEIGHT, "Pages", fontsize=10.0, fontweight="bold", va="center")
    y -= 0.2
    for title, page in rows:
        figure.text(_MIDDLE / WIDTH, y / HEIGHT, title, fontsize=8.0, va="center")
        figure.text((_MIDDLE + 3.6) / WIDTH, y / HEIGHT, page, fontsize=8.0, color=GREY, va="center", ha="right")
        y -= _LINE
    return y - 0.16


def parameter_pages(subjects: Mapping[str, Subject], footers: Sequence[str]) -> list[Figure]:
    """Return pages with every parameter of the card or cards: value, spread and status."""
    rows = _parameter_rows(subjects)
    several = len(subjects) > 1
    heads = ("parameter", *subjects, "") if several else ("parameter", "value", "spread", "status")
    widths = (2.6, 1.3, 1.3, 0.2) if several else (2.15, 1.0, 1.55, 0.65)
    pages = -(-len(rows) // (2 * _ROWS))
    column = -(-len(rows) // (2 * pages))
    figures: list[Figure] = []
    for k in range(0, len(rows), 2 * column):
        cells = [
            Cell([("", TextTable("parameters", "", "", heads, tuple(part), widths, row=_ROW))], "", "", lettered=False)
            for part in (rows[k : k + column], rows[k + column : k + 2 * column])
            if part
        ]
        footer = footers[min(len(figures), len(footers) - 1)]
        says = "Differences are marked by a star." if several else "Sources and notes are in parameters.csv."
        figures.append(set_page("Parameters", f"Every number that the sheet rests on. {says}", cells, None, footer, 2))
    return figures


def _parameter_rows(subjects: Mapping[str, Subject]) -> list[tuple[str, ...]]:
    tables = [subject.card.parameters for subject in subjects.values()]
    rows: list[tuple[str, ...]] = []
    for name in list(dict.fromkeys(name for table in tables for name in table)):
        items = [table.get(name) for table in tables]
        if len(tables) == 1 and items[0] is not None:
            item = items[0]
            rows.append((name, format_quantity(item.value, item.unit), _spread(item), item.status))
            continue
        values = [format_quantity(item.value, item.unit) if item is not None else "-" for item in items]
        rows.append((name, *values, "*" if len(set(values)) > 1 else ""))
    return rows


def _spread(item: Parameter) -> str:
    spread = item.spread
    if spread is None:
        return ""
    if spread.distribution == "loguniform":
        return f"{spread.low:.0e} to {spread.high:.0e}"
    value = "" if spread.value is None else f" {spread.value:.3g}"
    return f"{spread.kind} {spread.distribution}{value}"


def parameter_table(subjects: Mapping[str, Subject]) -> Columns:
    """Return every parameter of the cards with unit, spread, status, source and note."""
    tables = []
    for name, subject in subjects.items():
        items = subject.card.parameters
        tables.append(
            {
                "card": name,
                "parameter": list(items),
                "value": [item.value for item in items.values()],
                "unit": [item.unit for item in items.values()],
                "spread": [_spread(item) for item in items.values()],
                "standard error": [
                    float("nan") if item.standard_error is None else item.standard_error for item in items.values()
                ],
                "status": [item.status for item in items.values()],
                "source": ["" if item.source == "none" else str(references()[item.source]) for item in items.values()],
                "note": [item.note for item in items.values()],
            }
        )
    return stack_tables(tables)
