"""The pages of a data sheet, in the order in which they are bound. A new page is a file here and one line below."""

from __future__ import annotations

import importlib
from typing import Final

from ferrogen.report.datasheet.page import Page

NAMES: Final = (
    "loops",
    "reversal",
    "hysteresis",
    "kinetics",
    "programming",
    "currents",
    "transport",
    "levels",
    "traces",
    "spectra",
    "trap_times",
    "averaging",
    "disturb",
    "retention",
    "endurance",
    "breakdown",
    "scatter",
)
"""Modules beside this one, each with its ``PAGE``."""


def load_pages() -> list[Page]:
    """Return all pages; they are imported here, so that the command's help stays quick."""
    return [importlib.import_module(f"ferrogen.report.datasheet.{name}").PAGE for name in NAMES]
