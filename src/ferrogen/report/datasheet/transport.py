"""Currents through the stack: the reference integral, its parts, the closed forms, and the read model."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ferrogen.core.errors import FerrogenError, ValidityError
from ferrogen.device.transport.barrier import Barrier, polarized_barrier
from ferrogen.device.transport.compact import conductance, effective_voltage
from ferrogen.device.transport.direct import brinkman, gruverman, simmons
from ferrogen.device.transport.read_model import CompactFit, Transport, compact_of, current_density, transport_of
from ferrogen.device.transport.spec import TransportSpec
from ferrogen.report.datasheet.measured import Measured
from ferrogen.report.datasheet.page import Array, Axis, Content, Curve, Page, Plot, curve, quantity
from ferrogen.report.datasheet.subject import Subject
from ferrogen.report.datasheet.words import read_voltages
from ferrogen.report.style import BLUE, GREEN, INK, ORANGE, PINK

_POINTS = 41
_SHOWN_DECADES = 9.0
_TEMPERATURES = 7


def _make(subject: Subject) -> Content:
    card = subject.card
    transport = transport_of(card)
    low, high = card.validity.read_voltage
    voltage = np.linspace(max(low, high / (_POINTS - 1)), high, _POINTS)
    fit, on_is_down = compact_of(transport, voltage, subject.temperature)
    sign = 1.0 if on_is_down else -1.0
    states = {
        state: current_density(transport, voltage, which * sign * transport.read_polarization, subject.temperature)
        for state, which in (("on", 1.0), ("off", -1.0))
    }
    currents = {state: transport.area * parts.total for state, parts in states.items()}
    v_axis, i_axis = Axis("Read voltage", "V"), Axis("Current", "A", logarithmic=True)
    data = subject.measured.get("iv")
    panels = [
        Plot(
            "models", "Reference integral and read model",
            "Solid: Tsu-Esaki integral of the WKB transmission through the stack's bands, with all parts of panel b,"
            f" for a polarisation of {100.0 * transport.read_polarization:.3g} µC/cm² either way of which"
            f" {100.0 * transport.compensation:.3g} % is compensated. Dashed: G V0 sinh(V / V0) fitted to both states"
            f" with one V0 (rms {100.0 * fit.residual:.2g} % of the current). Dotted: the read model that arrays use,"
            " from the card's conductances.",
            v_axis, i_axis,
            [*_models(subject, voltage, currents, fit), *_data(data, transport.area)], marks=read_voltages(subject),
        ),
        Plot(
            "parts", "What carries the current",
            "Parts of the solid lines of panel a: solid through and over the barrier, dashed through single traps,"
            " dotted activated leakage (Arrhenius with a sinh of the voltage). Parts that the card does not describe"
            " are absent.",
            v_axis, Axis("Current density", "A/m^2", logarithmic=True), _parts(voltage, states),
            marks=read_voltages(subject),
        ),
        _arrhenius(subject, transport, sign),
        *_closed_forms(subject, transport, voltage, sign),
    ]  # fmt: skip
    return Content(panels, _key(subject, fit, on_is_down))


def _models(subject: Subject, voltage: Array, currents: Mapping[str, Array], fit: CompactFit) -> list[Curve]:
    card = subject.card
    v0 = card.characteristic_voltage.value
    found = []
    for state, colour, share in (("on", ORANGE, 1.0), ("off", BLUE, 0.0)):
        g = fit.on_conductance if state == "on" else fit.off_conductance
        own = conductance(share, card.on_conductance.value, card.off_conductance.value)
        found.append(curve(state, voltage, np.abs(currents[state]), colour=colour))
        found.append(
            curve(f"{state}, fitted sinh", voltage, g * effective_voltage(voltage, fit.characteristic_voltage),
                  colour=INK, style="dashed", legend=state == "on")
        )  # fmt: skip
        found.append(
            curve(f"{state}, card's read model", voltage, own * effective_voltage(voltage, v0), colour=colour,
                  style="dotted")
        )  # fmt: skip
    return found


def _data(data: Measured | None, area: float) -> list[Curve]:
    if data is None:
        return []
    current = data.columns["current"] * (area if data.units.get("current") == "A/m^2" else 1.0)
    kept = (data.columns["voltage"] > 0.0) & (current > 0.0)
    return [curve("on", data.columns["voltage"][kept], current[kept], data=True, colour=ORANGE, shown=data.name)]


def _parts(voltage: Array, states: Mapping[str, object]) -> list[Curve]:
    found = []
    for state, colour in (("on", ORANGE), ("off", BLUE)):
        for name, style in (("tunnelling", "solid"), ("trap_assisted", "dashed"), ("leakage", "dotted")):
            values = np.abs(np.asarray(getattr(states[state], name), dtype=np.float64))
            if np.any(values > 0.0):
                found.append(curve(f"{state}, {name.replace('_', '-')}", voltage, values, colour=colour, style=style))
    largest = max(float(item.y.max()) for item in found)
    return [item for item in found if float(item.y.max()) > largest * 10.0**-_SHOWN_DECADES]


def _arrhenius(subject: Subject, transport: Transport, sign: float) -> Plot:
    low, high = subject.card.range_of("temperature")
    kelvin = np.linspace(low, high, _TEMPERATURES)
    found = []
    for role, voltage, dash in (
        ("sample", subject.card.default_sample_voltage, "solid"),
        ("multiply", subject.card.default_multiply_voltage, "dashed"),
    ):
        for state, colour, which in (("on", ORANGE, 1.0), ("off", BLUE, -1.0)):
            p = which * sign * transport.read_polarization
            density = [abs(float(current_density(transport, voltage, p, float(t)).total)) for t in kelvin]
            found.append(
                curve(f"{state}, {role} voltage", 1000.0 / kelvin, transport.area * np.array(density), colour=colour,
                      style=dash, shown=f"{state}, {voltage:g} V")
            )  # fmt: skip
    return Plot(
        "temperature", "Against temperature",
        "The reference integral with all parts at both read voltages. Barriers and polarisation are taken not to"
        " depend on temperature; the read model of arrays knows none.",
        Axis("1000 K / temperature", "1"), Axis("Current", "A", logarithmic=True), found,
    )  # fmt: skip


def _closed_forms(subject: Subject, transport: Transport, voltage: Array, sign: float) -> list[Plot]:
    try:
        barriers = {
            state: polarized_barrier(
                transport.stack, transport.bands, which * sign * transport.read_polarization,
                -transport.compensation * which * sign * transport.read_polarization,
            )
            for state, which in (("on", 1.0), ("off", -1.0))
        }  # fmt: skip
    except ValidityError:
        return []
    found = []
    for state, colour in (("on", ORANGE), ("off", BLUE)):
        tunnelling = current_density(
            transport,
            voltage,
            (1.0 if state == "on" else -1.0) * sign * transport.read_polarization,
            subject.temperature,
        ).tunnelling
        found.append(curve(f"{state}, integral", voltage, np.abs(tunnelling), colour=colour))
        forms: Sequence[tuple[str, Callable[[Array, Barrier], Array], str]] = (
            ("Gruverman", gruverman, "dashed"), ("Simmons", simmons, "dotted"), ("Brinkman", brinkman, "thin"),
        )  # fmt: skip
        for name, form, style in forms:
            values = [_or_nan(form, float(v), barriers[state]) for v in voltage]
            shade = {"dashed": INK, "dotted": GREEN, "thin": PINK}[style]
            found.append(
                curve(f"{state}, {name}", voltage, np.abs(values), colour=shade, style=style, legend=state == "on")
            )
    return [
        Plot(
            "closed_forms", "Closed forms beside the integral",
            "Direct tunnelling alone, at zero temperature in the closed forms (Gruverman 2009, Simmons 1963, Brinkman"
            " 1970), each only where it holds. Free mass in the prefactor.",
            Axis("Read voltage", "V"), Axis("Current density", "A/m^2", logarithmic=True), found,
        )
    ]  # fmt: skip


def _or_nan(form: Callable[[Array, Barrier], Array], voltage: float, barrier: Barrier) -> float:
    try:
        return float(form(np.asarray(voltage), barrier))
    except ValidityError:
        return math.nan


def _key(subject: Subject, fit: CompactFit, on_is_down: bool) -> dict[str, dict[str, object]]:  # noqa: FBT001
    card = subject.card
    return {
        "reference_on_conductance": quantity(fit.on_conductance, "S", "of the sinh fitted to the reference integral"),
        "reference_off_conductance": quantity(fit.off_conductance, "S", "likewise"),
        "reference_on_off_ratio": quantity(fit.on_conductance / fit.off_conductance, "1", "of the two"),
        "reference_characteristic_voltage": quantity(fit.characteristic_voltage, "V", "common to both states"),
        "reference_fit_error": quantity(fit.residual, "1", "rms relative error of that fit"),
        "card_over_reference_on_conductance": quantity(
            card.on_conductance.value / fit.on_conductance, "1", "what the card states over what its barriers give"
        ),
        "card_over_reference_off_conductance": quantity(
            card.off_conductance.value / fit.off_conductance, "1", "likewise"
        ),
        "card_characteristic_voltage": quantity(card.characteristic_voltage.value, "V", "of the read model of arrays"),
        "on_polarization_points_down": quantity(1.0 if on_is_down else 0.0, "1", "1: towards the bottom electrode"),
    }


def _refuses(subject: Subject) -> str:
    try:
        transport_of(subject.card)
    except FerrogenError as error:
        return str(error)
    return ""


PAGE = Page("transport", "Transport through the stack", (TransportSpec,), _make, _refuses, kinds=("iv",))
