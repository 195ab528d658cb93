"""The error tree. Every message names the thing, its value with its unit, and the remedy."""

from __future__ import annotations


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


class CapacityError(FerrogenError):
    """The chip has too few tiles, rows or columns for what was asked of it."""


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
