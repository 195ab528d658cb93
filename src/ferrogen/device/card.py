"""The device card: a TOML file in which every parameter says its value, unit, spread, status, validity and source."""

from __future__ import annotations

import math
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from ferrogen.core.errors import CardError, ValidityError, argument_error
from ferrogen.core.files import read_bytes
from ferrogen.core.references import references
from ferrogen.core.spec import Spec, explain
from ferrogen.core.units import format_quantity
from ferrogen.device.card_checks import check_card
from ferrogen.device.parameter import Parameter, Validity

_CARD_LIMIT = 1_000_000


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
        check_card(self)
        return self

    def range_of(self, quantity: str) -> tuple[float, float]:
        """Return the range in which the card and all of its parameters hold."""
        ranges = [getattr(self.validity, quantity)]
        ranges += [item.valid[quantity] for item in self.parameters.values() if quantity in item.valid]
        return max(low for low, _ in ranges), min(high for _, high in ranges)

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
        low, high = self.range_of(quantity)
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
    except (ValueError, RecursionError) as error:  # TOML's and Unicode's errors, numbers of 5000 digits, 1000 brackets
        reason = " ".join(str(error).split())
        raise CardError(f"Device card '{text}' is not a TOML file: {reason}.") from None
    try:
        return DeviceCard.model_validate(data)
    except ValidationError as error:
        raise CardError(explain(error, subject=f"Device card '{text}'")) from None
