"""The read current of arrays: compact model, level by level."""

from __future__ import annotations

import numpy as np

from ferrogen.report.datasheet.page import Axis, Content, Page, Plot, curve, quantity
from ferrogen.report.datasheet.subject import Subject
from ferrogen.report.datasheet.words import read_voltages, short

_POINTS = 121


def _make(subject: Subject) -> Content:
    junction, card = subject.junction, subject.card
    low, high = card.validity.read_voltage
    voltage = np.linspace(0.0, high, _POINTS)[1:]
    voltage = voltage[voltage >= low]
    levels = junction.levels()
    names = {level: f"level {level}: {short(junction.level_conductance(level), 'S')}" for level in levels}
    solid = [
        curve(f"level {level}", voltage, junction.level_current(level, voltage), shown=names[level]) for level in levels
    ]
    ohmic = [
        curve(f"level {level}, ohmic", voltage, junction.level_conductance(level) * voltage, style="dotted",
              legend=False, like=f"level {level}")
        for level in levels
    ]  # fmt: skip
    top = max(levels)
    gains = [junction.full_current(v) / (junction.level_conductance(top) * v) for v in (junction.low, junction.high)]
    ratio = junction.level_conductance(top) / junction.level_conductance(0)
    axis = Axis("Read voltage", "V")
    v0 = card.characteristic_voltage.value
    panels = [
        Plot(
            "currents", "Read current of programmed levels",
            f"Levels 0 to {top} of one drawn junction, all traps empty. Solid: the read model of arrays, I = G V0"
            f" sinh(V / V0) with V0 = {v0:g} V, assumed the same for all levels, so that at any voltage the current"
            " stays proportional to G. Dotted: ohmic, I = G V. No temperature enters.",
            axis, Axis("Read current", "A", logarithmic=True), [*solid, *ohmic], marks=read_voltages(subject),
            ordered=True, legend="ends",
        ),
        Plot(
            "above_ohmic", "Current over the ohmic one",
            "sinh(V / V0) V0 / V: what the nonlinearity adds, the same for all levels. A line at half of the sample"
            f" voltage carries 1/{2.0 * np.cosh(0.5 * junction.high / v0):.3g} of the current of one at the full.",
            axis, Axis("I / (G V)", "1"), [curve("all levels", voltage, np.sinh(voltage / v0) * v0 / voltage)],
            marks=read_voltages(subject), legend="", y_from=0.0,
        ),
    ]  # fmt: skip
    key = {
        "multiply_voltage": quantity(junction.low, "V", "card default"),
        "sample_voltage": quantity(junction.high, "V", "card default"),
        "cell_on_conductance": quantity(
            junction.level_conductance(top), "S", "of the junction that is shown, traps empty"
        ),
        "cell_off_conductance": quantity(junction.level_conductance(0), "S", "likewise"),
        "cell_on_off_ratio": quantity(ratio, "1", "on over off conductance of the junction that is shown"),
        "cell_current_at_multiply_voltage": quantity(junction.full_current(junction.low), "A", "fully on, traps empty"),
        "cell_current_at_sample_voltage": quantity(junction.full_current(junction.high), "A", "fully on, traps empty"),
        "current_over_ohmic_at_multiply_voltage": quantity(gains[0], "1", "I / (G V)"),
        "current_over_ohmic_at_sample_voltage": quantity(gains[1], "1", "I / (G V)"),
    }
    return Content(panels, key, columns=1)


PAGE = Page("currents", "Read current", (), _make)
