"""The device card: a TOML file in which every parameter says its value, unit, spread, status, validity and source."""

from __future__ import annotations

import contextlib
import math
import tomllib
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar, get_args

from pydantic import Field, ValidationError, model_validator

from ferrogen.core.errors import CardError, ValidityError, argument_error
from ferrogen.core.files import read_bytes
from ferrogen.core.references import references
from ferrogen.core.spec import explain
from ferrogen.core.units import format_quantity
from ferrogen.device.card_checks import check_card
from ferrogen.device.electrostatics.spec import InterfaceSpec
from ferrogen.device.noise.spec import NoiseSpec
from ferrogen.device.parameter import (
    VALIDITY_RANGES,
    Allowed,
    Distribution,
    Parameter,
    Quantity,
    Section,
    SpreadKind,
    Validity,
)
from ferrogen.device.polarization.spec import HysteresisSpec, SwitchingSpec
from ferrogen.device.programming.spec import ProgrammingSpec
from ferrogen.device.registry import card_files
from ferrogen.device.reliability.spec import ReliabilitySpec
from ferrogen.device.transport.spec import TransportSpec
from ferrogen.device.variability.spec import VariabilitySpec

_CARD_LIMIT = 1_000_000

S = TypeVar("S", bound=Section)


_LOGNORMAL_D2D: tuple[tuple[SpreadKind, Distribution], ...] = (("d2d", "lognormal"),)


class DeviceCard(Section):
    """All that is known, or assumed, about one kind of junction. Attributes with units: see the card itself.

    The parameters of the card itself are what arrays need. Each section below adds one mechanism; a card may leave it
    out, and is then refused, by name, wherever that mechanism is asked for (:meth:`require`).
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str
    description: str
    model: str = Field(default="domain-ensemble", pattern=r"^[a-z0-9][a-z0-9-]*$")
    validity: Validity
    default_sample_voltage: float
    default_multiply_voltage: float
    default_sampling_time: float

    cell_area: Annotated[Parameter, Allowed("m^2", 1e-17, 1e-10)]
    ferroelectric_thickness: Annotated[Parameter, Allowed("m", 1e-10, 1e-6)]
    ferroelectric_permittivity: Annotated[Parameter, Allowed("1", 1.0, 1e4)]
    interlayer_thickness: Annotated[Parameter, Allowed("m", 0.0, 1e-6)]
    interlayer_permittivity: Annotated[Parameter, Allowed("1", 1.0, 1e4)]

    on_conductance: Annotated[Parameter, Allowed("S", 1e-15, 1e-2, _LOGNORMAL_D2D)]
    off_conductance: Annotated[Parameter, Allowed("S", 1e-15, 1e-2, _LOGNORMAL_D2D)]
    characteristic_voltage: Annotated[Parameter, Allowed("V", 0.02, 10.0)]

    traps_per_cell: Annotated[Parameter, Allowed("1", 0.0, 2e5, (("d2d", "poisson"),))]
    trap_time_constant: Annotated[Parameter, Allowed("s", 1e-12, 1e15, (("trap", "loguniform"),))]
    trap_level: Annotated[Parameter, Allowed("eV", -5.0, 5.0, (("trap", "uniform"), ("trap", "normal")))]
    trap_depth: Annotated[Parameter, Allowed("m", 1e-12, 1e-6, (("trap", "normal"), ("trap", "uniform")))]
    trap_relaxation_energy: Annotated[Parameter, Allowed("eV", 0.1, 5.0, (("trap", "uniform"), ("trap", "normal")))]
    trap_amplitude: Annotated[Parameter, Allowed("1", 0.0, 0.9, (("trap", "lognormal"),))]
    trap_amplitude_limit: Annotated[Parameter, Allowed("1", 1e-9, 0.9)]
    off_state_amplitude_factor: Annotated[Parameter, Allowed("1", 0.1, 100.0)]

    switching_noise: Annotated[Parameter, Allowed("1", 0.0, 0.5, (("c2c", "normal"),))]
    programmable_levels: Annotated[Parameter, Allowed("1", 2.0, 65536.0)]

    switching: SwitchingSpec | None = None
    hysteresis: HysteresisSpec | None = None
    interface: InterfaceSpec | None = None
    transport: TransportSpec | None = None
    noise: NoiseSpec | None = None
    programming: ProgrammingSpec | None = None
    reliability: ReliabilitySpec | None = None
    variability: VariabilitySpec | None = None

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        check_card(self)
        return self

    def range_of(self, quantity: Quantity) -> tuple[float, float]:
        """Return the range in which the card and all of its parameters hold.

        Raises:
            CardError: the card says nothing about ``quantity``.
        """
        whole = getattr(self.validity, quantity)
        if whole is None:
            raise CardError(
                f"Card '{self.name}' does not say in which {quantity} it holds."
                f" Add `{quantity} = [low, high]` (in {VALIDITY_RANGES[quantity][2]}) under [validity]."
            )
        ranges = [whole, *(item.valid[quantity] for item in self.parameters.values() if quantity in item.valid)]
        return max(low for low, _ in ranges), min(high for _, high in ranges)

    @property
    def sections(self) -> dict[str, Section]:
        """The sections that are given, by name."""
        return {name: value for name, value in self if isinstance(value, Section)}

    @property
    def parameters(self) -> dict[str, Parameter]:
        """All parameters by name; those of sections as ``section.name``."""
        below = {
            f"{title}.{name}": item
            for title, section in self.sections.items()
            for name, item in section.own_parameters.items()
        }
        return self.own_parameters | below

    def require(self, kind: type[S]) -> S:
        """Return the section of a kind, e.g. ``card.require(SwitchingSpec)``.

        Raises:
            CardError: the card has no such section; says its name.
        """
        for value in self.sections.values():
            if isinstance(value, kind):
                return value
        title = next(name for name, field in type(self).model_fields.items() if kind in get_args(field.annotation))
        raise CardError(
            f"Card '{self.name}' has no section [{title}], which is needed here."
            f" Add it, or use a card that has one: {', '.join(_cards_with(title)) or 'none is installed'}."
        )

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

    def extrapolation(self, quantity: Quantity, value: float, name: str) -> str:
        """Return one sentence if ``value`` lies outside the range for which the card holds, else "".

        Args:
            quantity: which range.
            value: in V, K, s or cycles; the sign of a program voltage does not matter.
            name: the caller's name for the argument.

        Raises:
            ArgumentError: the value is not a finite number.
            CardError: the card says nothing about ``quantity``.
        """
        unit = VALIDITY_RANGES[quantity][2]
        if not math.isfinite(value):
            raise argument_error(name, f"be a finite number in {unit}", value)
        low, high = self.range_of(quantity)
        size = abs(value) if quantity == "program_voltage" else value
        if low <= size <= high:
            return ""
        return (
            f"Argument `{name}` must lie between {format_quantity(low, unit)} and {format_quantity(high, unit)},"
            f" where card '{self.name}' holds, but it is {format_quantity(value, unit)}."
        )

    def check(self, quantity: Quantity, value: float, name: str) -> None:
        """Refuse a value outside the range for which the card holds.

        Args:
            quantity: which range.
            value: in V, K, s or cycles; the sign of a program voltage does not matter.
            name: the caller's name for the argument.

        Raises:
            ValidityError: naming the argument, its value and the range.
            ArgumentError: the value is not a finite number.
            CardError: the card says nothing about ``quantity``.
        """
        outside = self.extrapolation(quantity, value, name)
        if outside:
            raise ValidityError(outside)


def _cards_with(title: str) -> list[str]:
    found = []
    for name in card_names():
        with contextlib.suppress(CardError):  # another package's broken card is not what the user asked about
            found += [name] if title in load_card(name).sections else []
    return found


def card_names() -> list[str]:
    """Return the names of the cards that come with ferrogen or with another installed package."""
    return sorted(card_files())


def load_card(name: str | Path) -> DeviceCard:
    """Load a shipped card by name, or a card file by path.

    Args:
        name: e.g. ``"hzo-mfis-nor"``, or the path of a ``.toml`` file.

    Raises:
        CardError: unknown name, missing file, not TOML, or a parameter that is absent or malformed.
    """
    text = str(name)
    installed = card_files()
    if text in installed:
        raw = installed[text]().read_bytes()
    elif text.endswith(".toml"):
        raw = read_bytes(Path(name), what="Device card", limit=_CARD_LIMIT)
    else:
        raise CardError(
            f"There is no device card '{text}'. Known cards: {', '.join(sorted(installed))};"
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
