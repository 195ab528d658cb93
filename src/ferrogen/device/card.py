"""The device card: a TOML file in which every parameter says its value, unit, spread, status, validity and source."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from ferrogen.core.errors import CardError, ValidityError, argument_error
from ferrogen.core.files import read_bytes
from ferrogen.core.references import references
from ferrogen.core.spec import Spec, explain
from ferrogen.core.units import format_quantity

Status = Literal["measured", "fitted", "assumed"]
SpreadKind = Literal["d2d", "c2c", "trap"]
Distribution = Literal["normal", "lognormal", "uniform", "loguniform", "poisson"]

_CARD_LIMIT = 1_000_000
_UNITS = ("1", "V", "A", "S", "s", "K", "m", "m^2", "eV", "Ohm", "F", "1/K")

# The unit each parameter of a card must be given in, where it is not a pure number.
_OWN_UNITS = {
    "cell_area": "m^2",
    "ferroelectric_thickness": "m",
    "interlayer_thickness": "m",
    "on_conductance": "S",
    "off_conductance": "S",
    "characteristic_voltage": "V",
    "trap_time_constant": "s",
    "trap_level": "eV",
    "trap_depth": "m",
    "trap_relaxation_energy": "eV",
}
_ANY_SIGN = ("trap_level",)
_MAY_VANISH = ("interlayer_thickness", "traps_per_cell", "trap_amplitude", "switching_noise")


class Spread(Spec):
    """How a parameter varies.

    Attributes:
        kind: from device to device (``d2d``), cycle to cycle (``c2c``) or trap to trap (``trap``).
        distribution: ``normal`` (value = standard deviation, in the parameter's unit), ``lognormal`` (standard
        deviation
            of the logarithm), ``uniform`` (half width), ``loguniform`` (``low`` and ``high``), ``poisson`` (no value).
        value: the width described above.
        low: lower end of a log-uniform range, in the parameter's unit.
        high: upper end.
    """

    kind: SpreadKind
    distribution: Distribution
    value: float | None = Field(default=None, ge=0.0)
    low: float | None = None
    high: float | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.distribution == "loguniform":
            if self.low is None or self.high is None or not 0.0 < self.low < self.high:
                raise ValueError("a loguniform spread needs 0 < low < high")
        elif self.distribution != "poisson" and self.value is None:
            raise ValueError(f"a {self.distribution} spread needs a value")
        return self


class Parameter(Spec):
    """One physical parameter with its pedigree.

    Attributes:
        value: nominal value (median of a log-normal, mean otherwise).
        unit: SI unit, or eV.
        status: ``measured``, ``fitted`` or ``assumed``.
        source: key of the literature reference (``core/references.toml``), or ``none``.
        note: what the source says, or why the value was chosen.
        spread: how it varies; absent if it does not.
        valid: ranges in SI units within which the value holds, e.g. ``{read_voltage = [0.0, 1.5]}``.
    """

    value: float
    unit: str
    status: Status
    source: str
    note: str = ""
    spread: Spread | None = None
    valid: Mapping[str, tuple[float, float]] = Field(default_factory=dict)

    @field_validator("unit")
    @classmethod
    def _known_unit(cls, unit: str) -> str:
        if unit not in _UNITS:
            raise ValueError(f"unit must be one of {', '.join(_UNITS)}")
        return unit

    @field_validator("source")
    @classmethod
    def _known_source(cls, source: str) -> str:
        if source != "none" and source not in references():
            raise ValueError("source must be a key of core/references.toml, or 'none'")
        return source


class Validity(Spec):
    """Ranges within which the whole card holds: (low, high) in V, K and s."""

    read_voltage: tuple[float, float]
    temperature: tuple[float, float]
    read_time: tuple[float, float]


class DeviceCard(Spec):
    """All that is known, or assumed, about one kind of junction. Attributes with units: see the card itself."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str
    description: str
    validity: Validity
    default_sample_voltage: float
    default_multiply_voltage: float
    default_sampling_time: float

    cell_area: Parameter
    ferroelectric_thickness: Parameter
    ferroelectric_permittivity: Parameter
    interlayer_thickness: Parameter
    interlayer_permittivity: Parameter

    on_conductance: Parameter
    off_conductance: Parameter
    characteristic_voltage: Parameter

    traps_per_cell: Parameter
    trap_time_constant: Parameter
    trap_level: Parameter
    trap_depth: Parameter
    trap_relaxation_energy: Parameter
    trap_amplitude: Parameter
    trap_amplitude_limit: Parameter
    off_state_amplitude_factor: Parameter

    switching_noise: Parameter
    programmable_levels: Parameter

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        for name, item in self.parameters.items():
            unit = _OWN_UNITS.get(name, "1")
            if item.unit != unit:
                raise ValueError(f"`{name}` must be in {unit}, not {item.unit}")
            if name not in _ANY_SIGN and not (item.value > 0.0 or (item.value == 0.0 and name in _MAY_VANISH)):
                raise ValueError(f"`{name}` must be positive, but it is {format_quantity(item.value, item.unit)}")
        for name, (low, high) in self.validity:
            if not 0.0 <= low < high:
                raise ValueError(f"`validity.{name}` must have 0 <= low < high, but it is [{low:g}, {high:g}]")
        return self

    @property
    def parameters(self) -> dict[str, Parameter]:
        """All parameters by name."""
        return {name: value for name, value in self if isinstance(value, Parameter)}

    def assumptions(self) -> list[str]:
        """Return one line for each parameter that is assumed, for the record of a run."""
        return [
            f"{name} = {format_quantity(item.value, item.unit)}" + (f" ({item.note})" if item.note else "")
            for name, item in self.parameters.items()
            if item.status == "assumed"
        ]

    def sources(self) -> list[str]:
        """Return the literature behind the card, as formatted references."""
        keys = sorted({item.source for item in self.parameters.values()} - {"none"})
        return [str(references()[key]) for key in keys]

    def check(self, quantity: Literal["read_voltage", "temperature", "read_time"], value: float, name: str) -> None:
        """Refuse a value outside the range for which the card holds.

        Args:
            quantity: which range.
            value: in V, K or s; the sign of a voltage does not matter.
            name: the caller's name for the argument.

        Raises:
            ValidityError: naming the argument, its value and the range.
            ArgumentError: the value is not a finite number.
        """
        unit = {"read_voltage": "V", "temperature": "K", "read_time": "s"}[quantity]
        if not math.isfinite(value):
            raise argument_error(name, f"be a finite number in {unit}", value)
        low, high = getattr(self.validity, quantity)
        for item in self.parameters.values():
            if quantity in item.valid:
                low, high = max(low, item.valid[quantity][0]), min(high, item.valid[quantity][1])
        if not low <= value <= high:
            raise ValidityError(
                f"Argument `{name}` must lie between {format_quantity(low, unit)} and {format_quantity(high, unit)},"
                f" where card '{self.name}' holds, but it is {format_quantity(value, unit)}."
            )


def card_names() -> list[str]:
    """Return the names of the cards that come with ferrogen."""
    folder = resources.files("ferrogen.device") / "cards"
    return sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml"))


def load_card(name: str | Path) -> DeviceCard:
    """Load a shipped card by name, or a card file by path.

    Args:
        name: e.g. ``"hzo-mfis-nor"``, or the path of a ``.toml`` file.

    Raises:
        CardError: unknown name, missing file, not TOML, or a parameter that is absent or malformed.
    """
    text = str(name)
    if text in card_names():
        raw = (resources.files("ferrogen.device") / "cards" / f"{text}.toml").read_bytes()
    elif text.endswith(".toml"):
        raw = read_bytes(Path(name), what="Device card", limit=_CARD_LIMIT)
    else:
        raise CardError(
            f"There is no device card '{text}'. Shipped cards: {', '.join(card_names())};"
            " or give the path of a .toml file."
        )
    try:
        data: dict[str, Any] = tomllib.loads(raw.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CardError(f"Device card '{text}' is not a TOML file: {error}.") from None
    try:
        return DeviceCard.model_validate(data)
    except ValidationError as error:
        raise CardError(explain(error, subject=f"Device card '{text}'")) from None
