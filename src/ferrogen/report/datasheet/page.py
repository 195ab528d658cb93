"""What a page of a data sheet is made of: panels with curves, a map or a table, captions, and key figures.

A page only says what is to be seen, in SI units; :mod:`.drawing` draws it and :mod:`.numbers` writes it, so that no
picture can show what the table beside it does not hold, and any two cards can be laid over one another.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.calibration.result import Axis
from ferrogen.core.errors import argument_error
from ferrogen.device.parameter import Section

if TYPE_CHECKING:
    from ferrogen.report.datasheet.subject import Subject

__all__ = ["Axis", "Content", "Curve", "Map", "Mark", "Page", "Panel", "Plot", "TextTable", "quantity"]

ROW = 0.175
"""Usual height of a row of a table [inches]."""

Array = NDArray[np.float64]
Style = Literal["solid", "dashed", "dotted", "thin", "faint", "points", "steps", "crosses"]


def quantity(value: float, unit: str, meaning: str) -> dict[str, Any]:
    """Return a number for JSON with its unit and meaning; None stands for one that is not finite."""
    return {"value": float(value) if math.isfinite(value) else None, "unit": unit, "meaning": meaning}


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One curve of a plot.

    Attributes:
        label: what it is; curves of two cards with the same label are compared.
        x: in the axis' SI unit, shape ``(points,)``; NaN parts a line.
        y: likewise.
        style: how it is drawn.
        colour: number in the palette, or a colour; the curve's place among the others if it is None.
        like: label of another curve whose colour this one has.
        low: lower edge of a band about it, shape ``(points,)``; None for none.
        high: upper edge.
        data: it was measured, not computed: a curve of the same label without ``data`` is what it is compared with.
        guide: it only guides the eye: no other curve is compared with it.
        legend: name it.
        shown: name in the legend of one card, or of data, where it is not the label. A label says "sample voltage",
            which two cards share, and ``shown`` how many volts that is.
    """

    label: str
    x: Array
    y: Array
    style: Style = "solid"
    colour: int | str | None = None
    like: str = ""
    low: Array | None = None
    high: Array | None = None
    data: bool = False
    guide: bool = False
    legend: bool = True
    shown: str = ""

    def __post_init__(self) -> None:
        x, y = np.asarray(self.x, dtype=np.float64), np.asarray(self.y, dtype=np.float64)
        if x.ndim != 1 or x.shape != y.shape:
            raise argument_error("y", "be as long as `x`, with one axis", f"of shape {y.shape} beside {x.shape}")
        object.__setattr__(self, "x", x)
        object.__setattr__(self, "y", y)


@dataclass(frozen=True, slots=True)
class Mark:
    """A line across a plot with a short name: at ``value`` of the x axis, or of the y axis if ``across`` is set."""

    value: float
    text: str
    colour: str = ""
    across: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Plot:
    """A panel with curves.

    Attributes:
        name: of its CSV file, with the page's name before it.
        title: one short line.
        caption: what it shows and what is assumed in it.
        x: the axis below.
        y: the axis at the left.
        curves: what is drawn.
        marks: lines across.
        ordered: the curves have an order, which their colours show.
        legend: ``"inside"``, ``"ends"`` (at the right end of each curve) or ``""``.
        y_from: where the y axis begins; a logarithmic one goes down to there at most. None: by the curves.
        y_to: where the y axis ends; a logarithmic one goes up to there at most.
        apart: two cards would hide one another: each has axes of its own.
    """

    name: str
    title: str
    caption: str
    x: Axis
    y: Axis
    curves: Sequence[Curve]
    marks: Sequence[Mark] = ()
    ordered: bool = False
    legend: str = "inside"
    y_from: float | None = None
    y_to: float | None = None
    apart: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Map:
    """A panel with a value at each point of a plane.

    Attributes:
        name: of its CSV file, with the page's name before it.
        title: one short line.
        caption: what it shows and what is assumed in it.
        x: the axis below.
        y: the axis at the left.
        value: what the colours show.
        at_x: centres of the columns, evenly spaced, shape ``(columns,)``.
        at_y: centres of the rows, evenly spaced, shape ``(rows,)``.
        values: shape ``(rows, columns)``; NaN where there is none.
        diverging: zero is the middle of the colours.
    """

    name: str
    title: str
    caption: str
    x: Axis
    y: Axis
    value: Axis
    at_x: Array
    at_y: Array
    values: Array
    diverging: bool = False


@dataclass(frozen=True, slots=True)
class TextTable:
    """A panel of text in columns.

    Attributes:
        name: of its CSV file, with the page's name before it.
        title: one short line.
        caption: what it shows.
        heads: of the columns.
        rows: cells of text.
        widths: of the columns, relative.
        left: columns that stand left; all others stand right.
        row: height of a row [inches].
    """

    name: str
    title: str
    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    widths: tuple[float, ...]
    left: tuple[int, ...] = (0,)
    row: float = ROW


Panel = Plot | Map | TextTable


@dataclass(frozen=True, slots=True)
class Content:
    """What a page shows of one card.

    Attributes:
        panels: in reading order.
        key: key figures of :func:`quantity`, by name.
        extrapolations: one sentence for each value outside the range for which the card holds.
        columns: of the page's grid; 0 to choose by the number of panels.
    """

    panels: Sequence[Panel]
    key: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    extrapolations: Sequence[str] = ()
    columns: int = 0


def _never(_: Subject) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Page:
    """One page.

    Attributes:
        name: of its files.
        title: at its top.
        needs: sections that a card must have for it.
        make: computes it, for a card and what was measured beside it.
        refuses: why a card that has the sections has no such page all the same; ``""`` if it has one.
        kinds: of measured data that it can show.
    """

    name: str
    title: str
    needs: tuple[type[Section], ...]
    make: Callable[[Subject], Content]
    refuses: Callable[[Subject], str] = _never
    kinds: tuple[str, ...] = ()

    def left_out(self, subject: Subject) -> str:
        """Return why a card has no such page, or ``""``."""
        titles = [section_title(kind) for kind in self.needs if not has_section(subject, kind)]
        if titles:
            named = " and ".join(f"[{title}]" for title in titles)
            return f"The card has no section{'s' if len(titles) > 1 else ''} {named}."
        return self.refuses(subject)


def has_section(subject: Subject, kind: type[Section]) -> bool:
    """Return whether a card has a section of a kind."""
    return any(isinstance(section, kind) for section in subject.card.sections.values())


def section_title(kind: type[Section]) -> str:
    """Return the name that a section of a kind has in a card, e.g. ``switching``."""
    return kind.__name__.removesuffix("Spec").lower()


def curve(label: str, x: ArrayLike, y: ArrayLike, **more: Any) -> Curve:
    """Return a curve of anything that is like an array."""
    return Curve(label, np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64), **more)
