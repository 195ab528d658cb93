"""The numbers of a run of endurance as one tidy table: a row for every checkpoint of every policy."""

from __future__ import annotations

import math
from typing import Any, Final

from ferrogen.generation.endurance.measure import flat
from ferrogen.generation.endurance.run import EnduranceRun

_UNITS: Final = {
    "temperature": "K",
    "cycle_time": "s",
    "energy_per_image": "J",
    "energy_used": "J",
    "energy_since_start": "J",
    "maintenance_energy": "J",
    "writing_energy": "J",
}
_FIRST: Final = ("policy", "cycle", "temperature", "images")


def endurance_table(run: EnduranceRun) -> dict[str, list[Any]]:
    """Return columns by name with unit; the chip as programmed is the first row, before every policy's own.

    What a row lacks is NaN, an empty field of the CSV file.
    """
    rows = [{"policy": "as programmed", **flat(run.programmed)}]
    for policy, records in run.checkpoints.items():
        rows += [{"policy": policy, **flat(record)} for record in records]
    names = list(dict.fromkeys([*_FIRST, *(name for row in rows for name in row if name != "arm")]))
    table: dict[str, list[Any]] = {}
    for name in names:
        unit = "J" if name.startswith("energy_by_component") else _UNITS.get(name, "1")
        title = name if name == "policy" else f"{name} [{unit}]"
        table[title] = [math.nan if row.get(name) is None else row[name] for row in rows]
    return table
