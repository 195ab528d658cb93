"""The error tree. Every message names the thing, its value with its unit, and the remedy."""

from __future__ import annotations

import math
from numbers import Integral, Real


class FerrogenError(Exception):
    """Anything ferrogen refuses to do; the command line prints it in one line and exits with 2."""


class ArgumentError(FerrogenError, ValueError):
    """An argument has a value that cannot be used."""


class ValidityError(ArgumentError):
    """A voltage, time or temperature lies outside the range for which a device card is stated to hold."""


class SilentCellsError(ArgumentError):
    """The cells make no noise at this operating point: there is nothing to sample."""


class CardError(FerrogenError, ValueError):
    """A device card is unknown, malformed, or lacks a parameter."""


class DataFileError(FerrogenError, ValueError):
    """A file from outside is missing, truncated, foreign, or holds unusable numbers."""


class OutputError(FerrogenError, OSError):
    """A result cannot be written where it was asked for."""


class InterruptionError(FerrogenError):
    """The user stopped a run that can continue later; the command line exits with 130."""


class ContractError(FerrogenError):
    """A device model or card that somebody else wrote breaks a promise that ferrogen relies on."""


class CapacityError(FerrogenError):
    """The chip has too few tiles, rows or columns for what was asked of it."""


def check_number(name: str, value: object, unit: str, *, may_vanish: bool = False) -> None:
    """Refuse what is not a positive, finite number.

    Args:
        name: the argument's public name.
        value: what it is.
        unit: for the message.
        may_vanish: zero will do, too.

    Raises:
        ArgumentError: naming the argument, its value and its unit.
    """
    number = float(value) if isinstance(value, Real) else math.nan
    if isinstance(value, bool) or not math.isfinite(number) or number < 0.0 or (number == 0.0 and not may_vanish):
        sign = "finite number that is not negative" if may_vanish else "positive, finite number"
        raise argument_error(name, f"be a {sign} in {unit}", repr(value) if math.isnan(number) else f"{number:g}")


def is_whole(value: object, least: int, most: float = math.inf) -> bool:
    """Return whether ``value`` is a whole number (no bool, no float) from ``least`` to ``most``."""
    return not isinstance(value, bool) and isinstance(value, Integral) and least <= int(value) <= most


def layer_error(name: str, must: str, value: object, remedy: str = "") -> ArgumentError:
    """Make an :class:`ArgumentError` about a layer of a module; arguments as of :func:`argument_error`."""
    return ArgumentError(f"Layer `{name}` must {must}, but it is {value}. {remedy}".rstrip())


def argument_error(name: str, must: str, value: object, remedy: str = "") -> ArgumentError:
    """Make an :class:`ArgumentError` in the house style.

    Args:
        name: the argument's public name.
        must: what it must be, e.g. ``"be a positive time in seconds"``.
        value: what it was (with its unit, if it is a number with one).
        remedy: one sentence that says what to do instead.
    """
    text = f"Argument `{name}` must {must}, but it is {value}."
    return ArgumentError(f"{text} {remedy}".rstrip())
