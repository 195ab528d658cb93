"""Under which conditions each file was measured, where its table does not say: temperatures in the order of files."""

from __future__ import annotations

import math

from ferrogen.calibration.kind import Request, Setting
from ferrogen.core.errors import argument_error
from ferrogen.core.units import parse_quantity
from ferrogen.device.reliability.arrhenius import check_temperature

TEMPERATURES = Setting("", "temperature of each file, in order, e.g. '27 degC, 127 degC'", unit="K", text=True)
"""The setting ``temperatures`` of a kind whose files may have been measured at different temperatures."""

_MOST = 1000


def file_temperatures(request: Request) -> list[float]:
    """Return the temperature of each table [K]: of the setting ``temperatures``, else that of the sample.

    Raises:
        ArgumentError: another number of temperatures than of files, or one outside of 77 K to 1000 K.
    """
    text = request.word("temperatures").strip()
    files = len(request.tables)
    if not text:
        check_temperature(request.sample.kelvin)
        return [request.sample.kelvin] * files
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != files or files > _MOST:
        raise argument_error(
            "temperatures", f"be {files} temperatures between commas, one a file", repr(text[:80]),
            "Write for example --set 'temperatures = 27 degC, 127 degC'.",
        )  # fmt: skip
    found = [parse_quantity(part, "K", "temperatures") for part in parts]
    for temperature in found:
        check_temperature(temperature)
    return found


def shown_temperature(temperature: float) -> str:
    """Write a temperature [K] for a label.

    >>> shown_temperature(300.15)
    '300.15 K'
    """
    return f"{temperature:.6g} K"


def distinct_temperatures(temperatures: list[float]) -> list[float]:
    """Return the temperatures that differ by more than 0.5 K, rising."""
    found: list[float] = []
    for temperature in sorted(temperatures):
        if not found or temperature - found[-1] > 0.5:
            found.append(temperature)
    return found


def is_set(value: float) -> bool:
    """Return whether a number among the settings was given (NaN stands for one that was not)."""
    return not math.isnan(value)
