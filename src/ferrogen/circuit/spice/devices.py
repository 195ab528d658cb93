"""Subcircuits of the cells: the laws of :mod:`ferrogen.circuit.network.cells`, and a card's junction, as B-sources."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ferrogen.circuit.network.cells import CellLaw, InSeries, Ohmic, Rectifying, Selector, SeriesResistance, Sinh
from ferrogen.circuit.spice.names import check_name
from ferrogen.circuit.spice.netlist import comment, element, number, wrapped
from ferrogen.core.constants import VACUUM_PERMITTIVITY
from ferrogen.core.errors import argument_error
from ferrogen.device.card import DeviceCard
from ferrogen.device.electrostatics.stack import stack_of

LARGEST_EXPONENT: Final = 600.0
"""Of the sinh, in units of V0; beyond, the tangent goes on, as in :class:`ferrogen.circuit.network.cells.Sinh`."""


@dataclass(frozen=True, slots=True)
class CellModel:
    """How the cells of a network stand in a netlist.

    Attributes:
        lines: of the subcircuit that they are instances of; none for a plain resistor.
        subcircuit: its name; empty for a plain resistor.
    """

    lines: tuple[str, ...] = ()
    subcircuit: str = ""

    def instance(self, name: str, first: str, second: str, conductance: float) -> str:
        """Return the element of one cell of a ``conductance`` [S], from node ``first`` to node ``second``."""
        if not self.subcircuit:
            return element("R", name, (first, second), number(1.0 / conductance))
        return element("X", name, (first, second), f"{self.subcircuit} g={number(conductance)}")


def cell_model(law: CellLaw, scale: float = 1.0) -> CellModel:
    """Return the subcircuit of a law.

    Args:
        law: of the cells.
        scale: currents of the netlist over those of the array; cells' conductances are scaled by the caller.

    Raises:
        ArgumentError: a law that has none.
    """
    if isinstance(law, Ohmic):
        return CellModel()
    if isinstance(law, InSeries):
        junction, series = _part(law.junction, "junction", ("p", "m")), _series(law.element, scale)
        return _subcircuit("ferrogen_series_cell", junction, series)
    return _subcircuit("ferrogen_cell", _part(law, "junction", ("p", "n")))


@dataclass(frozen=True, slots=True)
class _Part:
    """An element inside a cell's subcircuit, and the numbers that it needs as parameters of the subcircuit."""

    line: str
    parameters: Mapping[str, float]


def _subcircuit(name: str, *parts: _Part) -> CellModel:
    numbers = " ".join(f"{key}={number(value)}" for part in parts for key, value in part.parameters.items())
    head = wrapped(f".subckt {name} p n params: g=1n {numbers}".rstrip())
    return CellModel((head, *(part.line for part in parts), f".ends {name}"), name)


def _part(law: CellLaw, name: str, nodes: tuple[str, str], conductance: str = "g") -> _Part:
    first, second = nodes
    if isinstance(law, Ohmic):
        return _Part(f"R_{name} {first} {second} {{1/{conductance}}}", {})
    if isinstance(law, Sinh | Rectifying):
        ratio = law.rectification_ratio if isinstance(law, Rectifying) else 1.0
        numbers = exponential_parameters(name, law.characteristic_voltage, ratio)
        current = exponential_current(f"v({first},{second})", conductance, name, rectifies=ratio != 1.0)
        return _Part(wrapped(f"B_{name} {first} {second} i = {current}"), numbers)
    raise argument_error(
        "law", "be one that has a SPICE model (ohmic, sinh, rectifying; in series with a resistance or a selector)",
        type(law).__name__, "Export its small-signal resistors instead: replace(network, law=Ohmic()).",
    )  # fmt: skip


def _series(series: SeriesResistance | Selector, scale: float) -> _Part:
    if isinstance(series, SeriesResistance):
        return _Part("R_access m n {access}", {"access": series.resistance / scale})
    part = _part(series.law, "selector", ("m", "n"), "g_selector")
    return _Part(part.line, {"g_selector": series.conductance * scale, **part.parameters})


def exponential_parameters(name: str, characteristic_voltage: float, ratio: float = 1.0) -> dict[str, float]:
    """Return the parameters that :func:`exponential_current` uses, by their names in the netlist.

    Args:
        name: suffix of all of them.
        characteristic_voltage: V0 [V].
        ratio: R, of the currents in the two directions; 1 for a sinh.
    """
    along, against = ratio / (1.0 + ratio), 1.0 / (1.0 + ratio)
    edge = math.exp(LARGEST_EXPONENT)
    own = {"v0": characteristic_voltage, "up": along * edge, "down": against * edge}
    if ratio != 1.0:
        own |= {"along": along, "against": against, "bias": 2.0 * (ratio - 1.0) / (ratio + 1.0)}
    return {f"{key}_{name}": value for key, value in own.items()}


def exponential_current(voltage: str, conductance: str, name: str, *, rectifies: bool = False) -> str:
    """Return the current of :class:`.cells.Sinh` or :class:`.cells.Rectifying` in the B-source language.

    Near 0 V a rectifying law takes the form without cancellation: sinh(u) + b (cosh(u) - 1), where cosh(u) - 1 is
    2 sinh(u / 2)^2 and b = (R - 1) / (R + 1). A rising exponential is cosh + sinh, since ngspice's own exp stands still
    above e^228. Beyond 600 V0 the tangent goes on.

    Args:
        voltage: across the cell, an expression such as ``v(p,n)``.
        conductance: expression of parameters [S].
        name: suffix of the parameters (:func:`exponential_parameters`).
        rectifies: whether the two directions differ.
    """
    g, v0, v = f"({conductance})", f"v0_{name}", voltage
    u = f"{v}/{{{v0}}}"
    inside = f"sinh({u})"
    if rectifies:
        near = f"(sinh({u}) + {{bias_{name}}}*sinh({u}/2)*sinh({u}/2))"
        forward = f"({{along_{name}}}*(cosh({u}) + sinh({u}) - 1) + {{against_{name}}}*(1 - exp(-{u})))"
        backward = f"({{along_{name}}}*(exp({u}) - 1) - {{against_{name}}}*(cosh({u}) - sinh({u}) - 1))"
        inside = f"(abs({v}) < {{{v0}}} ? {near} : ({v} > 0 ? {forward} : {backward}))"
    top, level = int(LARGEST_EXPONENT), int(LARGEST_EXPONENT) - 1
    above = f"{{{g}*up_{name}}}*({v} - {{{level}*{v0}}})"
    below = f"{{{g}*down_{name}}}*({v} + {{{level}*{v0}}})"
    return f"abs({v}) < {{{top}*{v0}}} ? {{{g}*{v0}}}*{inside} : ({v} > 0 ? {above} : {below})"


@dataclass(frozen=True, slots=True)
class JunctionConstants:
    """What a card says of its mean junction, at the level of a circuit.

    Attributes:
        name: of the module and subcircuit.
        on_conductance: [S].
        off_conductance: [S].
        characteristic_voltage: V0 of the sinh [V].
        capacitance: of the stack without switching [F].
    """

    name: str
    on_conductance: float
    off_conductance: float
    characteristic_voltage: float
    capacitance: float


def junction_constants(card: DeviceCard) -> JunctionConstants:
    """Return the constants of a card's mean junction; C = eps0 eps_F A / t with t the stack's equivalent thickness."""
    stack = stack_of(card)
    return JunctionConstants(
        name=check_name(f"ftj_{card.name.replace('-', '_')}", "card.name"),
        on_conductance=card.on_conductance.value,
        off_conductance=card.off_conductance.value,
        characteristic_voltage=card.characteristic_voltage.value,
        capacitance=VACUUM_PERMITTIVITY
        * stack.ferroelectric_permittivity
        * card.cell_area.value
        / stack.equivalent_thickness,
    )


def junction_subcircuit(card: DeviceCard) -> tuple[str, ...]:
    """Return the lines of an ngspice subcircuit of a card's junction: current, tangent beyond 600 V0, capacitance.

    Pins ``top bottom``; parameters ``s`` (switched fraction, 0 to 1), ``gon`` and ``goff`` [S], ``v0_read`` [V],
    ``c`` [F].
    """
    own = junction_constants(card)
    given = {
        "s": 0.5,
        "gon": own.on_conductance,
        "goff": own.off_conductance,
        **exponential_parameters("read", own.characteristic_voltage),
        "c": own.capacitance,
    }
    current = exponential_current("v(top,bottom)", "s*gon+(1-s)*goff", "read")
    numbers = " ".join(f"{key}={number(value)}" for key, value in given.items())
    return (
        comment(
            f"Junction of the card '{card.name}': I = [s gon + (1 - s) goff] v0_read sinh(V / v0_read), and its"
            " capacitance. s is the switched fraction, 0 (off) to 1 (on); up_read and down_read are e^600 / 2."
        ),
        wrapped(f".subckt {own.name} top bottom params: {numbers}"),
        wrapped(f"B_read top bottom i = {current}"),
        "C_stack top bottom {c}",
        f".ends {own.name}",
    )
