"""Words that several pages share."""

from __future__ import annotations

from ferrogen.report.datasheet.page import Mark
from ferrogen.report.datasheet.subject import Subject, spelled
from ferrogen.report.style import HIGH, LOW


def short(value: float, unit: str) -> str:
    """Return a quantity with three digits and an SI prefix, e.g. ``"1.5 µs"``."""
    return spelled(value, unit)


def read_voltages(subject: Subject) -> tuple[Mark, Mark]:
    """Return marks of the two voltages at which the card is read."""
    low, high = subject.card.default_multiply_voltage, subject.card.default_sample_voltage
    return Mark(low, f"multiply {low:g} V", LOW), Mark(high, f"sample {high:g} V", HIGH)


def no_traps(subject: Subject) -> str:
    """Return why a card has no page about telegraph noise, or ``""``."""
    if subject.card.traps_per_cell.value == 0.0:
        return "The card has no traps (`traps_per_cell` is 0): its junctions make no telegraph noise."
    if subject.junction.silent:
        return f"None of {subject.cells} junctions has a trap that is ever occupied at the sample voltage."
    return ""
