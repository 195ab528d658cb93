"""What a data sheet is about: a card at a temperature, and the draws that several of its pages share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from ferrogen.core.errors import argument_error, is_whole
from ferrogen.core.streams import Streams
from ferrogen.core.units import format_quantity
from ferrogen.device.card import DeviceCard
from ferrogen.device.interface import JunctionModel
from ferrogen.device.junction import OWN_MODEL, draw_cells, make_junction
from ferrogen.device.junction import Junction as CoupledJunction
from ferrogen.device.noise.traps import REFERENCE_TEMPERATURE
from ferrogen.device.parameter import VALIDITY_RANGES, Quantity
from ferrogen.device.polarization.ensemble import DomainEnsemble, mean_domains
from ferrogen.device.polarization.spec import SwitchingSpec
from ferrogen.report.datasheet.measured import Measured
from ferrogen.report.junction import Junction, draw_junction

_YEAR, _DAY, _HOUR = 31557600.0, 86400.0, 3600.0

_NODES = (96, 24)  # of the quadrature over domains
_COUPLED_NODES = (32, 12)  # where the field is searched for in every step
_STEPS_PER_DECADE = 1

CELLS = 1000
"""Junctions in the ensemble of the noise pages."""


def spelled(value: float, unit: str) -> str:
    """Return a quantity for a person: three digits, SI prefix, long times in hours, days or years."""
    if unit == "s" and abs(value) >= _HOUR:
        for name, length in (("years", _YEAR), ("days", _DAY), ("hours", _HOUR)):
            if abs(value) >= length:
                return f"{value / length:.3g} {name}"
    return format_quantity(float(f"{value:.3g}"), unit).replace(" u", " µ")


@dataclass(frozen=True, eq=False)  # no slots: what pages share is computed once and kept in the instance
class Subject:
    """A card at a temperature.

    Attributes:
        card: what is shown.
        seed: of all draws.
        temperature: [K].
        cells: junctions in the ensemble of the noise pages.
        measured: tables by kind, to be shown beside the card.

    Raises:
        ArgumentError: fewer than 10 cells, or a seed that is none.
        ValidityError: the temperature lies outside the card's validity.
    """

    card: DeviceCard
    seed: int = 0
    temperature: float = REFERENCE_TEMPERATURE
    cells: int = CELLS
    measured: Mapping[str, Measured] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.card.check("temperature", self.temperature, "temperature")
        Streams(self.seed)
        if not is_whole(self.cells, 10):
            raise argument_error("cells", "be at least 10", self.cells)

    @cached_property
    def kept(self) -> dict[str, Any]:
        """What one page has computed and another one wants."""
        return {}

    @property
    def streams(self) -> Streams:
        """Where random numbers come from."""
        return Streams(self.seed)

    @cached_property
    def junction(self) -> Junction:
        """The ensemble of junctions, and the one of them that is shown."""
        return draw_junction(self.card, self.seed, self.temperature, self.cells)

    @cached_property
    def mean_domains(self) -> DomainEnsemble:
        """The mean junction of the card: infinitely many domains, without randomness."""
        return mean_domains(self.card.require(SwitchingSpec))

    def mean_model(self, cells: int) -> JunctionModel:
        """Return ``cells`` copies of the mean junction in its stack; each may be driven by a voltage of its own.

        The domains of ferrogen's own model are the nodes of a quadrature, i.e. infinitely many, and conductances are
        the card's. A model of another package is what the card's seed draws.
        """
        if self.card.model != OWN_MODEL:
            return make_junction(self.card, cells, self.seed)
        one = draw_cells(self.card, 1, self.seed, random_flips=False)
        domains = mean_domains(self.card.require(SwitchingSpec), *(_COUPLED_NODES if one.coupled else _NODES))
        return replace(
            one,
            ensemble=domains.select(np.zeros(cells, dtype=np.int64)),
            on_conductance=np.full(cells, self.card.on_conductance.value),
            off_conductance=np.full(cells, self.card.off_conductance.value),
        )

    def advance(self, model: JunctionModel, state: Any, voltage: Any, duration: float, **more: Any) -> Any:
        """Return the state after a constant voltage [V] for ``duration`` [s], at the subject's temperature.

        Where the field depends on the polarisation, ferrogen's own model is stepped coarsely: pages take many steps.
        """
        given = {"temperature": self.temperature} | more
        if isinstance(model, CoupledJunction):
            return model.advance(state, voltage, duration, steps_per_decade=_STEPS_PER_DECADE, **given)
        return model.advance(state, voltage, duration, **given)

    @cached_property
    def coupled(self) -> bool:
        """Whether layers beside the ferroelectric make its field depend on the polarisation."""
        model = self.mean_model(1)
        return isinstance(model, CoupledJunction) and model.coupled

    def stack_says(self) -> str:
        """Return the words for captions that say which field the domains see."""
        if self.card.model != OWN_MODEL:
            return f"device model '{self.card.model}'"
        if not self.coupled:
            return "the field being the voltage over the ferroelectric's thickness (the card has no other layer)"
        if self.card.interface is None:
            return "in its stack, without interface charge (the card does not describe any)"
        return "in its stack, with the depolarisation field and the interface charge"

    @property
    def thickness(self) -> float:
        """Of the ferroelectric [m]."""
        return self.card.ferroelectric_thickness.value

    def temperatures(self, count: int = 3) -> list[float]:
        """Return up to ``count`` temperatures [K]: the ends of the range in which the card holds, and the subject's."""
        low, high = self.card.range_of("temperature")
        return sorted({low, self.temperature, high})[:count] if count > 1 else [self.temperature]

    @property
    def strongest(self) -> float:
        """Largest program voltage for which the card holds [V]; infinite if it does not say."""
        return math.inf if self.card.validity.program_voltage is None else self.card.range_of("program_voltage")[1]

    def outside(self, quantity: Quantity, name: str, *values: float) -> list[str]:
        """Return one sentence for each value outside the range for which the card holds.

        A card that does not say for which range it holds is told so, once.
        """
        if getattr(self.card.validity, quantity) is None:
            return [f"The card does not say for which {quantity.replace('_', ' ')} it holds."]
        low, high = self.card.range_of(quantity)
        unit = VALIDITY_RANGES[quantity][2]
        sizes = [abs(value) if quantity == "program_voltage" else value for value in values]
        beyond = [value for value in dict.fromkeys(sizes) if not low <= value <= high]
        if not beyond:
            return []
        shown = " and ".join(spelled(value, unit) for value in (min(beyond), max(beyond))[: min(len(beyond), 2)])
        return [f"{name} up to {shown}; the card holds from {spelled(low, unit)} to {spelled(high, unit)}."]
