"""The numbers beside every panel: one tidy table, whatever it shows, with all cards and data under one another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ferrogen.report.datasheet.page import Axis, Map, Panel, Plot, TextTable
from ferrogen.report.tables import Columns, stack_tables


def head(axis: Axis) -> str:
    """Return the name of a column: the axis with its unit, e.g. ``"read voltage [V]"``."""
    return f"{axis.name[:1].lower()}{axis.name[1:]} [{axis.unit}]" if axis.name[1:2].islower() else (
        f"{axis.name} [{axis.unit}]"
    )  # fmt: skip


def panel_table(panels: Sequence[tuple[str, Panel]]) -> Columns:
    """Return the numbers behind a panel.

    Args:
        panels: the same panel of one card or of several, each with the card's name.

    Returns:
        For curves the columns card, series, from (``card`` or ``measured``), x, y and, where some curve has a band,
        its low and high edge; for a map card, x, y and value; for text its own columns.
    """
    first = panels[0][1]
    if isinstance(first, Plot):
        return _curves([(name, panel) for name, panel in panels if isinstance(panel, Plot)])
    if isinstance(first, Map):
        return _maps([(name, panel) for name, panel in panels if isinstance(panel, Map)])
    return _texts([(name, panel) for name, panel in panels if isinstance(panel, TextTable)])


def _curves(panels: Sequence[tuple[str, Plot]]) -> Columns:
    x, y = (head(axis) for axis in (panels[0][1].x, panels[0][1].y))
    banded = any(item.low is not None for _, plot in panels for item in plot.curves)
    tables = []
    for name, plot in panels:
        for item in plot.curves:
            none = np.full(item.x.shape, np.nan)
            edges = {
                f"{y.rpartition(' [')[0]}, {edge} [{plot.y.unit}]": none if values is None else values
                for edge, values in (("low", item.low), ("high", item.high))
            }
            tables.append(
                {
                    "card": name,
                    "series": item.label,
                    "from": "measured" if item.data else "card",
                    x: item.x,
                    y: item.y,
                    **(edges if banded else {}),
                }
            )
    return stack_tables(tables)


def _maps(panels: Sequence[tuple[str, Map]]) -> Columns:
    tables = []
    for name, item in panels:
        x, y = np.meshgrid(item.at_x, item.at_y)
        tables.append(
            {
                "card": name,
                head(item.x): x.ravel(),
                head(item.y): y.ravel(),
                head(item.value): np.asarray(item.values).ravel(),
            }
        )
    return stack_tables(tables)


def _texts(panels: Sequence[tuple[str, TextTable]]) -> Columns:
    tables = []
    for name, item in panels:
        columns = zip(*item.rows, strict=True) if item.rows else ((),) * len(item.heads)
        tables.append({"card": name, **{head: list(cells) for head, cells in zip(item.heads, columns, strict=True)}})
    return stack_tables(tables)
