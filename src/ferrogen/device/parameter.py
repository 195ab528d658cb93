"""One parameter of a device card: value, unit, spread, status, source, and where it holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from ferrogen.core.references import references
from ferrogen.core.spec import Spec

Status = Literal["measured", "fitted", "assumed"]
SpreadKind = Literal["d2d", "c2c", "trap"]
Distribution = Literal["normal", "lognormal", "uniform", "loguniform", "poisson"]

_UNITS = ("1", "V", "A", "S", "s", "K", "m", "m^2", "eV", "Ohm", "F", "1/K")

_LARGEST_LOG_WIDTH = 3.0  # of a log-normal spread: three sigma are then a factor of 8000
_NORMAL_REACH = 6.0  # standard deviations that a normal spread is taken to reach: one trap in 5e8 lies beyond


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
