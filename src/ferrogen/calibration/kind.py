"""What a kind of calibration is: the columns it reads, its settings, and the function that fits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ferrogen.calibration.columns import Wanted
from ferrogen.calibration.result import Calibration
from ferrogen.calibration.samples import Sample
from ferrogen.calibration.table import Table
from ferrogen.core.errors import argument_error
from ferrogen.core.streams import Streams
from ferrogen.core.units import parse_quantity


@dataclass(frozen=True, slots=True)
class Setting:
    """A choice that a kind leaves to its user.

    Attributes:
        default: value if nothing is said; text for one of ``choices`` or if ``text``, else a number (NaN: not set).
        says: one phrase for the help.
        unit: SI unit of a number.
        choices: the words it may be; empty for a number.
        low: least number.
        high: largest number.
        text: any text, which the kind itself takes apart.
    """

    default: str | float
    says: str
    unit: str = "1"
    choices: tuple[str, ...] = ()
    low: float = -float("inf")
    high: float = float("inf")
    text: bool = False

    def parse(self, name: str, text: str | float) -> str | float:
        """Return the value that a text stands for.

        Raises:
            ArgumentError: none of the choices, no number in the unit, or one outside the range.
        """
        if self.choices:
            if text not in self.choices:
                raise argument_error(name, f"be one of {', '.join(self.choices)}", repr(text))
            return text
        if self.text:
            return str(text)
        value = parse_quantity(text, self.unit, name)
        if not self.low <= value <= self.high:
            unit = "" if self.unit == "1" else f" {self.unit}"
            raise argument_error(name, f"lie between {self.low:g} and {self.high:g}{unit}", f"{value:g}{unit}")
        return value


@dataclass(frozen=True, slots=True)
class Request:
    """All that a kind is handed: open tables (rows are read by the kind), facts, settings, randomness.

    Attributes:
        tables: one a file, in the order given.
        sample: thickness, area, temperature.
        settings: every setting of the kind, parsed.
        streams: where random numbers come from (purpose ``CALIBRATION``).
        source: key of the literature reference of the data, or ``none``.
    """

    tables: Sequence[Table]
    sample: Sample
    settings: Mapping[str, str | float]
    streams: Streams
    source: str = "none"

    def number(self, name: str) -> float:
        """Return a setting that is a number."""
        return float(self.settings[name])

    def word(self, name: str) -> str:
        """Return a setting that is a word."""
        return str(self.settings[name])


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of calibration, e.g. ``switching``.

    Attributes:
        name: as it is called on the command line.
        title: what it makes of what, in one line.
        columns: the quantities it reads from each file.
        calibrate: fits.
        settings: what its user may choose, by name.
    """

    name: str
    title: str
    columns: tuple[Wanted, ...]
    calibrate: Callable[[Request], Calibration]
    settings: Mapping[str, Setting] = field(default_factory=dict)

    def parse(self, given: Mapping[str, str | float]) -> dict[str, str | float]:
        """Return all settings, those given parsed, the others at their defaults.

        Raises:
            ArgumentError: an unknown setting, or a value that it cannot have.
        """
        for name in given:
            if name not in self.settings:
                known = "; ".join(f"{key}: {item.says}" for key, item in self.settings.items()) or "none"
                raise argument_error("set", f"name a setting of '{self.name}' ({known})", repr(name))
        return {
            name: item.parse(name, given[name]) if name in given else item.default
            for name, item in self.settings.items()
        }
