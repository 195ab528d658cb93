"""Units at the edge: text such as ``"200 mV"`` becomes an SI float here, and nowhere else."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from types import MappingProxyType

from ferrogen.core.errors import ArgumentError

# The units a value may be stored in (SI, and the two non-SI units device physics keeps: eV and %).
_BASE_UNITS = ("V", "A", "S", "s", "K", "Ohm", "F", "J", "W", "Hz", "m", "m^2", "eV", "1/K")
_PREFIXES: Mapping[str, float] = MappingProxyType(
    {
        "f": 1e-15,
        "p": 1e-12,
        "n": 1e-9,
        "u": 1e-6,
        "µ": 1e-6,
        "μ": 1e-6,
        "m": 1e-3,
        "": 1.0,
        "k": 1e3,
        "M": 1e6,
        "G": 1e9,
    }
)
_NUMBER = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(.*?)\s*")


def parse_quantity(text: str | float, unit: str, name: str = "value") -> float:
    """Convert text to a float in ``unit``.

    Args:
        text: a number (taken to be in ``unit`` already) or text such as ``"200 mV"``, ``"1e-3"``, ``"85 degC"``.
        unit: the SI unit wanted, e.g. ``"V"``; ``"1"`` for a pure number.
        name: the argument's name, for the message.

    Returns:
        The value in ``unit``.

    Raises:
        ArgumentError: the text is not a finite number, or its unit measures something else.
    """
    match = _NUMBER.fullmatch(str(text))
    if match is None:
        raise ArgumentError(
            f"Argument `{name}` must be a number in {unit} or text such as '2.5 m{unit}', but it is {text!r}."
        )
    number, suffix = float(match.group(1)), match.group(2)
    factor, offset = _conversion(suffix, unit, name, text)
    value = number * factor + offset
    if not math.isfinite(value):
        raise ArgumentError(f"Argument `{name}` must be finite, but it is {text!r}.")
    return value


def _conversion(suffix: str, unit: str, name: str, text: str | float) -> tuple[float, float]:
    if suffix in ("", unit):
        return 1.0, 0.0
    if suffix == "%" and unit == "1":
        return 0.01, 0.0
    if suffix in ("degC", "°C") and unit == "K":
        return 1.0, 273.15
    for base in sorted(_BASE_UNITS, key=len, reverse=True):
        prefix = suffix.removesuffix(base)
        if prefix != suffix and prefix in _PREFIXES:
            if base != unit or base == "1/K":
                break
            return _PREFIXES[prefix] ** (2 if base == "m^2" else 1), 0.0
    raise ArgumentError(
        f"Argument `{name}` must be given in {unit}, but {text!r} has the unit {suffix!r}."
        f" Write for example '2.5 m{unit}' or a plain number in {unit}."
    )


def format_quantity(value: float, unit: str) -> str:
    """Write ``value`` with the SI prefix that leaves one to three digits before the point.

    >>> format_quantity(1e-3, "s"), format_quantity(1e-14, "m^2")
    ('1 ms', '1e-14 m^2')
    """
    # A prefix on a squared unit is squared, too, and one on a reciprocal says the opposite: neither gets one.
    if unit in ("1", "K", "m^2", "1/K") or value == 0.0 or not math.isfinite(value):
        return f"{value:.6g}" if unit == "1" else f"{value:.6g} {unit}"
    for prefix in ("G", "M", "k", "", "m", "u", "n", "p", "f"):
        scaled = value / _PREFIXES[prefix]
        if abs(scaled) >= 0.9999995:
            return f"{scaled:.6g} {prefix}{unit}"
    return f"{value:.6g} {unit}"
