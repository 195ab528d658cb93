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

# What each parameter may be, in its unit: wide enough for any junction, narrow enough to catch a slipped exponent.
_RANGES = {
    "cell_area": (1e-17, 1e-10),
    "ferroelectric_thickness": (1e-10, 1e-6),
    "ferroelectric_permittivity": (1.0, 1e4),
    "interlayer_thickness": (0.0, 1e-6),
    "interlayer_permittivity": (1.0, 1e4),
    "on_conductance": (1e-15, 1e-2),
    "off_conductance": (1e-15, 1e-2),
    "characteristic_voltage": (0.02, 10.0),
    "traps_per_cell": (0.0, 2e5),
    "trap_time_constant": (1e-12, 1e15),
    "trap_level": (-5.0, 5.0),
    "trap_depth": (1e-12, 1e-6),
    "trap_relaxation_energy": (0.1, 5.0),
    "trap_amplitude": (0.0, 0.9),
    "trap_amplitude_limit": (1e-9, 0.9),
    "off_state_amplitude_factor": (0.1, 100.0),
    "switching_noise": (0.0, 0.5),
    "programmable_levels": (2.0, 65536.0),
}
# The ranges of validity may lie in these: beyond them the formulas overflow, or mean nothing.
_VALIDITY_RANGES = {
    "read_voltage": (0.0, 10.0, "V"),
    "temperature": (77.0, 1000.0, "K"),
    "read_time": (1e-12, 1e6, "s"),
}

# The spreads that the code draws; every other one would be ignored in silence.
_SPREADS: Mapping[str, tuple[tuple[SpreadKind, Distribution], ...]] = {
    "on_conductance": (("d2d", "lognormal"),),
    "off_conductance": (("d2d", "lognormal"),),
    "traps_per_cell": (("d2d", "poisson"),),
    "trap_time_constant": (("trap", "loguniform"),),
    "trap_level": (("trap", "uniform"), ("trap", "normal")),
    "trap_depth": (("trap", "normal"), ("trap", "uniform")),
    "trap_relaxation_energy": (("trap", "uniform"), ("trap", "normal")),
    "trap_amplitude": (("trap", "lognormal"),),
    "switching_noise": (("c2c", "normal"),),
}
_LARGEST_LOG_WIDTH = 3.0  # of a log-normal spread: three sigma are then a factor of 8000
_NORMAL_REACH = 6.0  # standard deviations that a normal spread is taken to reach: one trap in 5e8 lies beyond
_WINDOW_SIGMAS = 3.0
_REFERENCE_AREA = 1e-14  # m^2, to which the number of traps refers
_MOST_TRAPS = 200.0  # a cell: what memory allows


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
            if self.value is not None:
                raise ValueError("a loguniform spread has low and high, but no value")
            return self
        if self.low is not None or self.high is not None:
            raise ValueError(f"a {self.distribution} spread has neither low nor high; only loguniform has")
        if self.distribution == "poisson" and self.value is not None:
            raise ValueError("a poisson spread has no value: it follows from the mean")
        if self.distribution != "poisson" and self.value is None:
            raise ValueError(f"a {self.distribution} spread needs a value")
        if self.distribution == "lognormal" and self.value is not None and self.value > _LARGEST_LOG_WIDTH:
            raise ValueError(
                f"a lognormal spread's value is the standard deviation of the logarithm, at most"
                f" {_LARGEST_LOG_WIDTH:g}, but it is {self.value:g}"
            )
        return self

    def __str__(self) -> str:
        """Return kind and distribution, as a card says them."""
        return _spread_text(self.kind, self.distribution)


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

    @property
    def reach(self) -> float:
        """How far a uniform spread, or all that matters of a normal one, goes to either side (0 without)."""
        if self.spread is None or self.spread.value is None:
            return 0.0
        return self.spread.value * (_NORMAL_REACH if self.spread.distribution == "normal" else 1.0)


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
            _check_parameter(name, item)
        self._check_junction()
        self._check_traps()
        self._check_validity()
        return self

    def _check_junction(self) -> None:
        on, off = self.on_conductance, self.off_conductance
        if not on.value > off.value:
            raise ValueError(f"`on_conductance` must exceed `off_conductance`, but they are {_of(on)} and {_of(off)}")
        widths = [(item.spread.value or 0.0) if item.spread else 0.0 for item in (on, off)]
        if on.value <= off.value * math.exp(_WINDOW_SIGMAS * sum(widths)):
            raise ValueError(
                f"`on_conductance` and `off_conductance` ({_of(on)} and {_of(off)}) leave no window at"
                f" {_WINDOW_SIGMAS:g} standard deviations of their spreads ({widths[0]:g} and {widths[1]:g});"
                " a larger ratio or a smaller spread would"
            )
        levels = self.programmable_levels.value
        if levels != round(levels):
            raise ValueError(f"`programmable_levels` must be a whole number, but it is {levels:g}")
        noise = self.switching_noise
        if noise.spread is not None and noise.spread.value != noise.value:
            raise ValueError(
                f"`switching_noise` and the value of its spread must be the same number, but they are {noise.value:g}"
                f" and {noise.spread.value:g}"
            )

    def _check_traps(self) -> None:
        depth, film = self.trap_depth, self.ferroelectric_thickness
        if max(depth.value, depth.spread.value or 0.0 if depth.spread else 0.0) > film.value:
            raise ValueError(
                "`trap_depth` and its spread must not exceed `ferroelectric_thickness`, but the depth is"
                f" {_of(depth)}, {depth.spread or 'no spread'}, and the thickness {_of(film)}"
            )
        number = self.traps_per_cell.value * self.cell_area.value / _REFERENCE_AREA
        if number > _MOST_TRAPS:
            raise ValueError(
                f"`traps_per_cell` counts {_REFERENCE_AREA:g} m^2; in a `cell_area` of {_of(self.cell_area)} that makes"
                f" {number:g} traps, more than the {_MOST_TRAPS:g} a cell may have"
            )
        amplitude, limit = self.trap_amplitude, self.trap_amplitude_limit
        if amplitude.value > limit.value:
            raise ValueError(
                f"`trap_amplitude` must not exceed `trap_amplitude_limit`, but they are {amplitude.value:g} and"
                f" {limit.value:g}"
            )
        time = self.trap_time_constant
        if time.spread is not None and time.spread.low is not None and time.spread.high is not None:
            low, high = _RANGES["trap_time_constant"]
            if not low <= time.spread.low <= time.value <= time.spread.high <= high:
                raise ValueError(
                    f"`trap_time_constant` must lie within its spread, and that within {low:g} s and {high:g} s, but it"
                    f" is {_of(time)} in a spread from {time.spread.low:g} s to {time.spread.high:g} s"
                )
        self._check_energies()

    def _check_energies(self) -> None:
        """Hold the traps' energies to where the multiphonon formula holds: |E_T - q V x| below the relaxation."""
        relaxation, level = self.trap_relaxation_energy, self.trap_level
        least, most = relaxation.value - relaxation.reach, relaxation.value + relaxation.reach
        low, high = _RANGES["trap_relaxation_energy"]
        if not low <= least <= most <= high:
            raise ValueError(
                f"`trap_relaxation_energy` must lie between {low:g} eV and {high:g} eV with all of its spread, but it"
                f" goes from {least:g} eV to {most:g} eV"
            )
        if not abs(level.value) + level.reach < least:
            raise ValueError(
                f"`trap_level` with all of its spread must be smaller than `trap_relaxation_energy`, where the rates'"
                f" formula holds, but it reaches {abs(level.value) + level.reach:g} eV, and the relaxation energy goes"
                f" down to {least:g} eV"
            )
        film, voltage = self.ferroelectric_thickness.value, self.validity.read_voltage[1]
        layer = self.interlayer_thickness.value * self.ferroelectric_permittivity.value
        stack = film + layer / self.interlayer_permittivity.value
        pulled = level.value - level.reach - voltage * min(self.trap_depth.value + self.trap_depth.reach, film) / stack
        if not -pulled < least:
            raise ValueError(
                f"`validity.read_voltage` must end where the rates' formula does, but {voltage:g} V pull a trap's level"
                f" to {pulled:g} eV, more than `trap_relaxation_energy` ({least:g} eV) below the Fermi level"
            )

    def _check_validity(self) -> None:
        for quantity, (least, most, unit) in _VALIDITY_RANGES.items():
            own = {
                f"{name}.valid": item.valid[quantity]
                for name, item in self.parameters.items()
                if quantity in item.valid
            }
            for name, (low, high) in {"validity": getattr(self.validity, quantity), **own}.items():
                if not least <= low < high <= most:
                    raise ValueError(
                        f"`{name}.{quantity}` must rise and lie within {least:g} {unit} and {most:g} {unit},"
                        f" but it is [{low:g}, {high:g}]"
                    )
            low, high = self._range(quantity)
            if not low < high:
                raise ValueError(f"`{'` and `'.join(own)}` leave nothing of `validity.{quantity}`")
        for name, quantity in (
            ("default_sample_voltage", "read_voltage"),
            ("default_multiply_voltage", "read_voltage"),
            ("default_sampling_time", "read_time"),
        ):
            (low, high), unit = self._range(quantity), _VALIDITY_RANGES[quantity][2]
            if not low <= getattr(self, name) <= high:
                raise ValueError(
                    f"`{name}` must lie between {low:g} {unit} and {high:g} {unit}, where the card holds"
                    f" (`validity.{quantity}`), but it is {getattr(self, name):g} {unit}"
                )
        if not 0.0 < self.default_multiply_voltage < self.default_sample_voltage:
            raise ValueError(
                "`default_multiply_voltage` must be positive and below `default_sample_voltage`, but they are"
                f" {self.default_multiply_voltage:g} V and {self.default_sample_voltage:g} V"
            )

    def _range(self, quantity: str) -> tuple[float, float]:
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
        low, high = self._range(quantity)
        if not low <= value <= high:
            raise ValidityError(
                f"Argument `{name}` must lie between {format_quantity(low, unit)} and {format_quantity(high, unit)},"
                f" where card '{self.name}' holds, but it is {format_quantity(value, unit)}."
            )


def _check_parameter(name: str, item: Parameter) -> None:
    unit = _OWN_UNITS.get(name, "1")
    if item.unit != unit:
        raise ValueError(f"`{name}` must be in {unit}, not {item.unit}")
    low, high = _RANGES[name]
    if item.value < 0.0 <= low or item.value == 0.0 < low:
        raise ValueError(f"`{name}` must {'be positive' if low else 'not be negative'}, but it is {_of(item)}")
    if not low <= item.value <= high:
        raise ValueError(
            f"`{name}` must lie between {f'{low:g} {unit}'.removesuffix(' 1')} and"
            f" {f'{high:g} {unit}'.removesuffix(' 1')}, but it is {_of(item)}"
        )
    allowed = _SPREADS.get(name, ())
    choice = " or ".join(_spread_text(*pair) for pair in allowed)
    if item.spread is None:
        if name == "traps_per_cell":  # always drawn so: a card that does not say it would mislead
            raise ValueError(f"`{name}.spread` is missing; it must be {choice}")
    elif not allowed:
        raise ValueError(f"`{name}` has the spread {item.spread}, but must have none: it is the same in all cells")
    elif (item.spread.kind, item.spread.distribution) not in allowed:
        raise ValueError(f"`{name}` has the spread {item.spread}, but it must be {choice}")
    unknown = sorted(set(item.valid) - set(_VALIDITY_RANGES))
    if unknown:
        raise ValueError(f"`{name}.valid` has no '{unknown[0]}'; it may have {', '.join(_VALIDITY_RANGES)}")


def _of(item: Parameter) -> str:
    return format_quantity(item.value, item.unit)


def _spread_text(kind: str, distribution: str) -> str:
    return f"'{kind} {distribution}'"


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
