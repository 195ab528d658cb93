"""Units at the edge: text such as ``"200 mV"`` becomes an SI float here, and nowhere else."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from types import MappingProxyType

from ferrogen.core.errors import ArgumentError

# Symbols that units are made of, in the base units below: SI, and the non-SI ones that device physics keeps.
_SYMBOLS: Mapping[str, tuple[float, str]] = MappingProxyType(
    {
        **{symbol: (1.0, symbol) for symbol in ("V", "A", "S", "s", "K", "Ohm", "F", "J", "W", "Hz", "m", "eV", "C")},
        "ohm": (1.0, "Ohm"),
        "Ω": (1.0, "Ohm"),
        "min": (60.0, "s"),
        "h": (3600.0, "s"),
        "%": (0.01, "1"),
        "1": (1.0, "1"),
    }
)
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
_WITHOUT_PREFIX = ("min", "h", "%", "1")
_FACTOR = re.compile(r"(.*?)(?:\^(-?\d)|([²³]))?")
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
    kelvin = suffix in ("degC", "°C") and unit == "K"
    value = number + 273.15 if kelvin else number * unit_scale(suffix, unit, name)
    if not math.isfinite(value):
        raise ArgumentError(f"Argument `{name}` must be finite, but it is {text!r}.")
    return value


def unit_scale(suffix: str, unit: str, name: str = "unit") -> float:
    """Return what one ``suffix`` is in ``unit``: ``unit_scale("uC/cm^2", "C/m^2")`` is 0.01.

    Args:
        suffix: products and quotients of prefixed units, e.g. ``"MV/cm"``; ``""`` means ``unit`` itself.
        unit: the SI unit wanted.
        name: of the argument or column, for the message.

    Raises:
        ArgumentError: ``suffix`` is no unit, or measures something else (``degC`` does, too: it has an offset).
    """
    if suffix in ("", unit):
        return 1.0
    given, wanted = _take_apart(suffix), _take_apart(unit)
    if given is None or wanted is None or given[1] != wanted[1]:
        example = f"2.5 m{unit}" if unit in _SYMBOLS and unit not in _WITHOUT_PREFIX else f"2.5 {unit}"
        raise ArgumentError(
            f"Argument `{name}` must be given in {unit}, but it has the unit {suffix!r}."
            f" Write for example '{example}' or a plain number in {unit}."
        )
    return given[0] / wanted[0]


def _take_apart(text: str) -> tuple[float, dict[str, int]] | None:
    """Return (factor, powers of the base units) of a unit, or None if it is none."""
    factor, powers = 1.0, dict[str, int]()
    for k, part in enumerate(text.replace("(", " ").replace(")", " ").split("/")):
        for piece in re.split(r"[\s*·]+", part.strip()):
            found = _symbol(piece)
            if found is None:
                return None
            scale, symbol, power = found
            power = -power if k else power
            factor *= scale**power
            if symbol != "1":
                powers[symbol] = powers.get(symbol, 0) + power
    return factor, {symbol: power for symbol, power in powers.items() if power}


def _symbol(piece: str) -> tuple[float, str, int] | None:
    match = _FACTOR.fullmatch(piece)
    if match is None:
        return None
    body, power = match.group(1), int(match.group(2) or {"²": 2, "³": 3}.get(match.group(3) or "", 1))
    if body in _SYMBOLS:
        return *_SYMBOLS[body], power
    if body == "cm":
        return 0.01, "m", power
    for symbol, (scale, base) in _SYMBOLS.items():
        prefix = body.removesuffix(symbol)
        if prefix != body and prefix in _PREFIXES and symbol not in _WITHOUT_PREFIX:
            return _PREFIXES[prefix] * scale, base, power
    return None


def format_quantity(value: float, unit: str) -> str:
    """Write ``value`` with the SI prefix that leaves one to three digits before the point.

    >>> format_quantity(1e-3, "s"), format_quantity(1e-14, "m^2")
    ('1 ms', '1e-14 m^2')
    """
    # A prefix on a squared unit is squared, too, and one on a reciprocal says the opposite: neither gets one.
    if unit in ("1", "K") or not unit.isalpha() or value == 0.0 or not math.isfinite(value):
        return f"{value:.6g}" if unit == "1" else f"{value:.6g} {unit}"
    for prefix in ("G", "M", "k", "", "m", "u", "n", "p", "f"):
        scaled = value / _PREFIXES[prefix]
        if abs(scaled) >= 0.9999995:
            return f"{scaled:.6g} {prefix}{unit}"
    return f"{value:.6g} {unit}"
