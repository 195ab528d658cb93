"""Telegraph noise of one junction in time, at both read voltages."""

from __future__ import annotations

import numpy as np

from ferrogen.report.datasheet.measured import Measured
from ferrogen.report.datasheet.page import Axis, Content, Curve, Page, Plot, curve
from ferrogen.report.datasheet.subject import Subject
from ferrogen.report.datasheet.words import no_traps, short
from ferrogen.report.junction import relative_trace, window_averages
from ferrogen.report.style import HIGH, LOW


def _data(data: Measured | None, mean: float, longest: float) -> list[Curve]:
    """Return a measured trace with its mean at that of the junction, as far as the junction is shown."""
    if data is None:
        return []
    value = data.columns["value"]
    at = data.spacing() * np.arange(value.size)
    kept = at <= longest
    return [
        curve("measured", at[kept], mean * value[kept] / value.mean(), data=True, shown=f"{data.name}, over its mean")
    ]


def _make(subject: Subject) -> Content:
    junction, data = subject.junction, subject.measured.get("rtn")
    time, high = relative_trace(junction, junction.high, address=0)
    _, low = relative_trace(junction, junction.low, address=1)
    own, band = junction.own, "2 and 100 sampling times"
    chosen = (
        f"Of {subject.cells} cells {100.0 * junction.visible_share:.2g} % have a trap with times between {band} at"
        f" {junction.high:g} V; this is the one with the median deviation among them."
        if junction.visible_share > 0.0
        else f"None of {subject.cells} cells has a trap with times between {band}; this one has the median deviation."
    )
    spans = [float(trace.min()) for trace in (high, low)], [float(trace.max()) for trace in (high, low)]
    if data is not None:  # the measured trace shall be seen as a whole
        relative = data.columns["value"] / data.columns["value"].mean()
        spans[0].append(float(relative.min()))
        spans[1].append(float(relative.max()))
    room = 0.08 * max(max(spans[1]) - min(spans[0]), 0.01)
    panels = []
    for name, voltage, trace, colour, says in (
        ("sample", junction.high, high, HIGH, chosen),
        ("multiply", junction.low, low, LOW, "The same junction at the voltage of multiplication."),
    ):
        current = junction.full_current(voltage)
        averages = window_averages(trace)
        before, after = (100.0 * float(values.std() / values.mean()) for values in (trace, averages))
        moved = bool(np.ptp(trace) > 0.0)
        told = f"deviation {before:.2g} %, averaged {after:.2g} %" if moved else "no trap switches in this time"
        panels.append(
            Plot(
                name, f"{voltage:g} V: {told}",
                f"Pale: every {short(float(time[1]), 's')}; dark: averaged over {short(junction.window, 's')}, the"
                f" sampling time. Cell {junction.cell}, fully on, {own.stop - own.start} two-state traps; both panels"
                f" span the same relative range. {says}",
                Axis("Time", "s"), Axis("Current", "A"),
                [
                    curve("current", time, current * trace, style="faint", colour=colour),
                    curve("averaged current", time, current * averages, style="steps", colour=colour),
                    *(_data(data, current * float(trace.mean()), float(time[-1])) if name == "sample" else ()),
                ],
                y_from=current * (min(spans[0]) - room), y_to=current * (max(spans[1]) + room), apart=True,
                legend="inside" if "rtn" in subject.measured else "",
            )
        )  # fmt: skip
    return Content(panels, columns=1)


PAGE = Page("traces", "Telegraph noise", (), _make, no_traps, kinds=("rtn",))
