"""The data sheet of a junction: pages of panels, the numbers behind them, key figures, and what was assumed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ferrogen import __version__
from ferrogen.core.errors import argument_error
from ferrogen.core.files import output_folder, write_json
from ferrogen.device.card import DeviceCard, load_card
from ferrogen.device.noise.traps import REFERENCE_TEMPERATURE
from ferrogen.report.datasheet import disturb
from ferrogen.report.datasheet.compose import Composed, compose
from ferrogen.report.datasheet.front import overview, parameter_pages, parameter_table
from ferrogen.report.datasheet.layout import Side, set_page
from ferrogen.report.datasheet.measured import Measured
from ferrogen.report.datasheet.page import Page, quantity
from ferrogen.report.datasheet.pages import load_pages
from ferrogen.report.datasheet.subject import CELLS, Subject
from ferrogen.report.style import save_figure, styled
from ferrogen.report.tables import write_csv

if TYPE_CHECKING:
    from matplotlib.backends.backend_pdf import PdfPages
    from matplotlib.figure import Figure

__all__ = ["CELLS", "characterise_card", "page_names"]

Progress = Callable[[str, float], None]


def page_names() -> list[str]:
    """Return the names of all pages, in order."""
    return [page.name for page in load_pages()]


def characterise_card(
    card: DeviceCard | str | Path,
    out: Path,
    *,
    seed: int = 0,
    temperature: float = REFERENCE_TEMPERATURE,
    cells: int = CELLS,
    against: DeviceCard | str | Path | None = None,
    measured: Mapping[str, Measured] | None = None,
    pages: Sequence[str] = (),
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Draw the data sheet of a card, of two cards over one another, or of a card and measured data.

    Writes ``datasheet.pdf`` with all pages, for each page ``NAME.png``, for each panel a CSV file with its numbers,
    ``parameters.csv``, and ``characterise.json``. If anything fails nothing is written. Equal calls write equal bytes.

    Args:
        card: a device card, a shipped name, or the path of a card file.
        out: folder; made if absent.
        seed: the cells and their noise follow from it.
        temperature: [K].
        cells: junctions in the ensemble of the noise pages.
        against: another card, drawn into the same panels.
        measured: tables by kind, of :func:`ferrogen.report.datasheet.measured.read_measured`.
        pages: names of the pages that are wanted; all by default.
        progress: told what is done, and the share of the work behind it.

    Returns:
        What ``characterise.json`` holds.

    Raises:
        CardError: unknown or malformed card.
        ValidityError: the temperature lies outside a card's validity.
        ArgumentError: a seed, a number of cells or the name of a page that makes no sense; measured data that none of
            the wanted pages shows.
        OutputError: the folder cannot be written.
    """
    data = dict(measured or {})
    cards = [item if isinstance(item, DeviceCard) else load_card(item) for item in (card, against) if item is not None]
    subjects = {
        name: Subject(item, seed, temperature, cells, data) for name, item in zip(_names(cards), cards, strict=True)
    }
    wanted = _wanted(pages)
    _check_shown(data, wanted)
    tell = progress or (lambda _what, _share: None)
    composed: list[Composed] = []
    with output_folder(out) as staging:
        for k, page in enumerate(wanted):
            tell(page.title, 0.7 * k / len(wanted))
            composed.append(compose(page, subjects))
        verdicts = _verdicts(subjects, composed)
        files = _write(staging, subjects, composed, verdicts, data, tell)
        record = _record(subjects, composed, verdicts, data, [*files, "characterise.json"])
        write_json(staging / "characterise.json", record)
    return record


def _names(cards: Sequence[DeviceCard]) -> list[str]:
    """Return the cards' names; two of the same name are told apart by a number."""
    names = [card.name for card in cards]
    return names if len(set(names)) == len(names) else [f"{name} ({k})" for k, name in enumerate(names, start=1)]


def _wanted(names: Sequence[str]) -> list[Page]:
    pages = load_pages()
    for name in names:
        if name not in {page.name for page in pages}:
            raise argument_error("pages", f"name pages among {', '.join(page.name for page in pages)}", repr(name))
    return [page for page in pages if not names or page.name in names]


def _check_shown(measured: Mapping[str, Measured], wanted: Sequence[Page]) -> None:
    """Refuse measured data that none of the wanted pages would show."""
    for kind, item in measured.items():
        if not any(kind in page.kinds for page in wanted):
            names = " or ".join(page.name for page in load_pages() if kind in page.kinds)
            raise argument_error(
                "pages",
                f"name a page that shows '{kind}' data",
                ", ".join(page.name for page in wanted),
                f"For '{item.name}' add --page {names}.",
            )


def _verdicts(subjects: Mapping[str, Subject], composed: Sequence[Composed]) -> dict[str, str]:
    """Return what each card predicts of read disturb, where the sheet has that page."""
    shown = {name for item in composed if item.page.name == disturb.PAGE.name for name in item.contents}
    return {name: disturb.verdict(subject) for name, subject in subjects.items() if name in shown}


@contextmanager
def _bound(path: Path, title: str) -> Iterator[PdfPages]:
    """Open a PDF whose bytes depend on its pages alone: no date, no version of the library."""
    import matplotlib as mpl
    from matplotlib.backends.backend_pdf import PdfPages

    told = {"Title": title, "Creator": f"ferrogen {__version__}", "CreationDate": None, "Producer": None}
    with mpl.rc_context({"pdf.fonttype": 42}), PdfPages(path, metadata=told) as book:
        yield book


def _write(
    folder: Path,
    subjects: Mapping[str, Subject],
    composed: Sequence[Composed],
    verdicts: Mapping[str, str],
    measured: Mapping[str, Measured],
    tell: Progress,
) -> list[str]:
    bound = [item for item in composed if item.contents]
    footer = _footer(subjects)
    files = ["datasheet.pdf", "overview.png", "parameters.csv"]
    write_csv(folder / "parameters.csv", parameter_table(subjects))
    names = [f"{item.kind}: {item.name}" for item in measured.values()]
    with styled(), _bound(folder / "datasheet.pdf", f"Data sheet: {' and '.join(subjects)}") as book:
        _print(overview(subjects, composed, verdicts, names, f"{footer}   1"), folder / "overview.png", book)
        for number, item in enumerate(bound, start=2):
            tell(item.page.title, 0.7 + 0.3 * number / (len(bound) + 2))
            side = Side(list(item.contents), [content.key for content in item.contents.values()])
            figure = set_page(
                item.page.title, _subtitle(subjects, item), item.cells, side, f"{footer}   {number}", item.columns
            )
            _print(figure, folder / f"{item.page.name}.png", book)
            files.append(f"{item.page.name}.png")
            for name, table in item.tables.items():
                write_csv(folder / name, table)
                files.append(name)
        last = len(bound) + 2
        footers = [f"{footer}   {last + k}" for k in range(9)]
        for k, figure in enumerate(parameter_pages(subjects, footers), start=1):
            _print(figure, folder / f"parameters_{k}.png", book)
            files.append(f"parameters_{k}.png")
    return files


def _print(figure: Figure, path: Path, book: PdfPages) -> None:
    save_figure(figure, path)
    book.savefig(figure)  # type: ignore[no-untyped-call]


def _footer(subjects: Mapping[str, Subject]) -> str:
    first = next(iter(subjects.values()))
    return f"ferrogen {__version__} characterise {' '.join(subjects)}, {first.temperature:g} K, seed {first.seed}"


def _subtitle(subjects: Mapping[str, Subject], item: Composed) -> str:
    names = list(item.contents)
    if len(subjects) == 1:
        told = next(iter(subjects.values())).card.title
    elif len(names) == 1:
        told = f"{names[0]} alone"
    else:
        told = f"solid: {names[0]}, dashed: {names[1]}"
    flagged = sum(len(said) for said in item.extrapolations.values())
    return f"{told}   {'(in part outside of what the card holds for: see page 1)' if flagged else ''}".rstrip()


def _record(
    subjects: Mapping[str, Subject],
    composed: Sequence[Composed],
    verdicts: Mapping[str, str],
    measured: Mapping[str, Measured],
    files: Sequence[str],
) -> dict[str, Any]:
    described = [_described(name, subject, composed, verdicts) for name, subject in subjects.items()]
    first = next(iter(subjects.values()))
    return {
        "what": "characterise",
        "ferrogen": __version__,
        "seed": first.seed,
        "temperature": quantity(first.temperature, "K", "of domains and traps; the read model of arrays knows none"),
        "cells": first.cells,
        **described[0],
        "against": described[1] if len(described) > 1 else None,
        "measured": [
            {"kind": item.kind, "file": item.name, "columns": sorted(item.columns)} for item in measured.values()
        ],
        "pages": [
            {"name": item.page.name, "title": item.page.title, "png": f"{item.page.name}.png", "panels": item.panels}
            for item in composed
            if item.contents
        ],
        "files": sorted(files),
    }


def _described(
    name: str, subject: Subject, composed: Sequence[Composed], verdicts: Mapping[str, str]
) -> dict[str, Any]:
    key: dict[str, Any] = {}
    for item in composed:
        if name in item.contents:
            key |= item.contents[name].key
    return {
        "card": subject.card.name,
        "title": subject.card.title,
        "cell": subject.junction.cell,
        "cell_choice": "median expected deviation among the cells with a visible trap",
        "read_disturb": verdicts.get(name),
        "key_figures": key,
        "assumed_parameters": subject.card.assumptions(),
        "sources": subject.card.sources(),
        "pages_left_out": {item.page.name: item.left_out[name] for item in composed if name in item.left_out},
        "extrapolations": {
            item.page.name: item.extrapolations[name] for item in composed if name in item.extrapolations
        },
    }
