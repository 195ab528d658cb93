"""Why a junction is quiet at the low voltage: times of its traps, and how busy all traps are, against the voltage."""

from __future__ import annotations

import numpy as np

from ferrogen.device.noise.rtn.closed_form import occupancy
from ferrogen.report.datasheet.page import Axis, Content, Mark, Page, Plot, curve, quantity
from ferrogen.report.datasheet.subject import Subject
from ferrogen.report.datasheet.words import no_traps, read_voltages, short
from ferrogen.report.junction import active_share, activity
from ferrogen.report.style import INK

_POINTS = 121
_SHOWN_TRAPS = 3


def _make(subject: Subject) -> Content:
    junction = subject.junction
    traps = junction.population.traps
    voltage = np.linspace(0.0, subject.card.validity.read_voltage[1], _POINTS)
    p = occupancy(*junction.rates(junction.high))
    share = (traps.amplitude**2 * p * (1.0 - p))[junction.own]
    chosen = [junction.own.start + int(k) for k in np.argsort(-share, kind="stable")[:_SHOWN_TRAPS]]
    rates = [junction.rates(float(v)) for v in voltage]
    times = []
    for k, trap in enumerate(chosen):
        name = f"trap {k + 1}: blocks {-100.0 * traps.amplitude[trap]:.2g} %, level {traps.level[trap]:.2f} eV"
        times.append(curve(name, voltage, [1.0 / a[trap] for a, _ in rates], colour=2 + k))
        times.append(
            curve(f"trap {k + 1}, emission", voltage, [1.0 / b[trap] for _, b in rates], colour=2 + k, style="dashed",
                  legend=False)
        )  # fmt: skip
    ensemble = activity(junction, voltage)
    volts = Axis("Read voltage", "V")
    panels = [
        Plot(
            "cell", "Traps of one junction",
            f"Solid: capture time, dashed: emission time of the traps that contribute most at {junction.high:g} V. The"
            " read voltage pulls a trap's level down; where solid and dashed line cross it stands at the electrode's"
            " Fermi level and is busiest. At a low voltage capture is rare and emission quick: the trap stays empty."
            " Multiphonon barriers of equal curvature; the voltage is taken to drop evenly over the stack.",
            volts, Axis("Capture, emission time", "s", logarithmic=True), times,
            marks=(*read_voltages(subject), Mark(junction.window, f"sampling time {short(junction.window, 's')}", "",
                                                 across=True)),
            apart=True,
        ),
        Plot(
            "ensemble", "All traps",
            f"Mean over all {traps.count} traps of {subject.cells} junctions, {subject.temperature:g} K.",
            volts, Axis("Mean over all traps", "1", logarithmic=True),
            [
                curve("mean p(1-p)", voltage, ensemble.variance, colour=INK),
                curve("mean occupancy p", voltage, ensemble.occupancy, colour=INK, style="dashed"),
            ],
            marks=(*read_voltages(subject), Mark(0.25, "largest possible p(1-p): 0.25", "", across=True)), y_to=1.0,
        ),
    ]  # fmt: skip
    low, high = junction.low, junction.high
    told = "occupied 10 to 90 % of the time"
    key = {
        "cell_traps": quantity(junction.own.stop - junction.own.start, "1", "traps of the junction that is shown"),
        "cells_with_visible_trap": quantity(
            junction.visible_share, "1", "both times between 2 and 100 sampling times at the sample voltage"
        ),
        "active_traps_at_multiply_voltage": quantity(active_share(junction, low), "1", told),
        "active_traps_at_sample_voltage": quantity(active_share(junction, high), "1", told),
    }
    return Content(panels, key)


PAGE = Page("trap_times", "Why it is quiet at the low voltage", (), _make, no_traps)
