"""One parameter of a device card: value, unit, spread, status, source, and where it holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from ferrogen.core.references import references
from ferrogen.core.spec import Spec
from ferrogen.core.units import format_quantity

Status = Literal["measured", "fitted", "assumed"]
SpreadKind = Literal["d2d", "c2c", "trap", "domain"]
Distribution = Literal["normal", "lognormal", "uniform", "loguniform", "poisson"]

_UNITS = (
    "1", "V", "A", "S", "s", "K", "m", "m^2", "eV", "Ohm", "F", "1/K", "1/V", "1/s", "1/m^3",
    "V/m", "F/m", "C/m^2", "A/m^2", "F/m^2", "S/m^2", "Ohm m",
)  # fmt: skip

_LARGEST_LOG_WIDTH = 3.0  # of a log-normal spread: three sigma are then a factor of 8000
_NORMAL_REACH = 6.0  # standard deviations that a normal spread is taken to reach: one trap in 5e8 lies beyond


class Spread(Spec):
    """How a parameter varies.

    Attributes:
        kind: from device to device (``d2d``), cycle to cycle (``c2c``), trap to trap (``trap``) or domain to domain
            (``domain``).
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
        return f"'{self.kind} {self.distribution}'"


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
        standard_error: of a fitted value, in its unit; absent if it is not known.
    """

    value: float
    unit: str
    status: Status
    source: str
    note: str = ""
    spread: Spread | None = None
    valid: Mapping[str, tuple[float, float]] = Field(default_factory=dict)
    standard_error: float | None = Field(default=None, ge=0.0)

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


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a parameter of a card may be: wide enough for any junction, narrow enough to catch a slipped exponent.

    It annotates the fields of a card and of its sections: ``cell_area: Annotated[Parameter, Allowed("m^2", ...)]``.

    Attributes:
        unit: the unit the parameter must be given in.
        low: least value.
        high: largest value.
        spreads: the spreads (kind, distribution) that the code draws; every other one would be ignored in silence.
    """

    unit: str
    low: float
    high: float
    spreads: tuple[tuple[SpreadKind, Distribution], ...] = ()


class Section(Spec):
    """Parameters that belong together: all of a card, or what it says about one mechanism.

    Every field that is a :class:`Parameter` must be annotated with :class:`Allowed`, and is held to it.
    """

    @property
    def own_parameters(self) -> dict[str, Parameter]:
        """The parameters that are given here, by name, without those of sections below."""
        return {name: value for name, value in self if isinstance(value, Parameter)}

    @model_validator(mode="after")
    def _allowed(self) -> Self:
        for name, item in self.own_parameters.items():
            check_parameter(name, item, allowed_for(type(self), name))
        return self


def allowed_for(section: type[Section], name: str) -> Allowed:
    """Return what the parameter ``name`` of a section may be."""
    return next(item for item in section.model_fields[name].metadata if isinstance(item, Allowed))


def check_parameter(name: str, item: Parameter, allowed: Allowed) -> None:
    """Hold a parameter to its unit, range and spreads.

    Raises:
        ValueError: one sentence that names the parameter, its value and what it must be.
    """
    unit, low, high = allowed.unit, allowed.low, allowed.high
    shown = format_quantity(item.value, item.unit)
    if item.unit != unit:
        raise ValueError(f"`{name}` must be in {unit}, not {item.unit}")
    if item.value < 0.0 <= low or item.value == 0.0 < low:
        raise ValueError(f"`{name}` must {'be positive' if low else 'not be negative'}, but it is {shown}")
    if not low <= item.value <= high:
        raise ValueError(
            f"`{name}` must lie between {f'{low:g} {unit}'.removesuffix(' 1')} and"
            f" {f'{high:g} {unit}'.removesuffix(' 1')}, but it is {shown}"
        )
    choice = " or ".join(f"'{kind} {distribution}'" for kind, distribution in allowed.spreads)
    if item.spread is None:
        if ("d2d", "poisson") in allowed.spreads:  # always drawn so: a card that does not say it would mislead
            raise ValueError(f"`{name}.spread` is missing; it must be {choice}")
    elif not allowed.spreads:
        raise ValueError(f"`{name}` has the spread {item.spread}, but must have none: it is the same in all cells")
    elif (item.spread.kind, item.spread.distribution) not in allowed.spreads:
        raise ValueError(f"`{name}` has the spread {item.spread}, but it must be {choice}")
    unknown = sorted(set(item.valid) - set(VALIDITY_RANGES))
    if unknown:
        raise ValueError(f"`{name}.valid` has no '{unknown[0]}'; it may have {', '.join(VALIDITY_RANGES)}")


Quantity = Literal[
    "read_voltage", "temperature", "read_time", "program_voltage", "pulse_width", "cycles", "storage_time"
]
"""What the validity of a card is stated in."""

VALIDITY_RANGES: Mapping[Quantity, tuple[float, float, str]] = {
    "read_voltage": (0.0, 10.0, "V"),
    "temperature": (77.0, 1000.0, "K"),
    "read_time": (1e-12, 1e6, "s"),
    "program_voltage": (0.0, 100.0, "V"),
    "pulse_width": (1e-12, 1e6, "s"),
    "cycles": (0.0, 1e15, "1"),
    "storage_time": (0.0, 1e11, "s"),
}
"""Where ranges of validity may lie, with their unit: beyond, the formulas overflow or mean nothing."""


class Validity(Spec):
    """Ranges within which the whole card holds: (low, high) in V, K, s and cycles.

    The last four belong to programming and ageing; a card that says nothing about them may leave them out.
    """

    read_voltage: tuple[float, float]
    temperature: tuple[float, float]
    read_time: tuple[float, float]
    program_voltage: tuple[float, float] | None = None
    pulse_width: tuple[float, float] | None = None
    cycles: tuple[float, float] | None = None
    storage_time: tuple[float, float] | None = None
