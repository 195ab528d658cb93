"""Scatter from device to device and from cycle to cycle."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ferrogen.core.streams import Purpose
from ferrogen.device.polarization.domains import follow, initial_state
from ferrogen.device.polarization.ensemble import domains_per_cell
from ferrogen.device.polarization.spec import SwitchingSpec
from ferrogen.device.programming.spec import ProgrammingSpec
from ferrogen.device.programming.variability_limits import binomial_deviation
from ferrogen.device.variability.draw import JunctionDraw, draw_cycles, draw_ensemble, draw_junctions
from ferrogen.device.variability.spec import VariabilitySpec
from ferrogen.report.datasheet.page import Array, Axis, Content, Curve, Page, Plot, curve, quantity
from ferrogen.report.datasheet.subject import Subject
from ferrogen.report.datasheet.words import short
from ferrogen.report.style import BLUE, HIGH, INK

_CELLS = 400
_SHOWN_CYCLES = 60
_CYCLES = 200
_PULSED = 120
_LEAST_PULSED = 12  # where a junction has very many domains
_MOST_DOMAINS = 100_000
_AMPLITUDES = 9


def _make(subject: Subject) -> Content:
    card = subject.card
    drawn = draw_junctions(card, _CELLS, subject.streams.generator(Purpose.VARIABILITY, 0))
    cycles = draw_cycles(card, 3, _CYCLES, subject.streams.generator(Purpose.VARIABILITY, 1))
    on, off = (drawn.values[f"{name}_conductance"] for name in ("on", "off"))
    g = Axis("Conductance", "S", logarithmic=True)
    number = np.arange(1, _SHOWN_CYCLES + 1, dtype=np.float64)
    panels = [
        Plot(
            "device_to_device", "Device to device",
            f"Off and on conductance of {_CELLS} junctions drawn from the card, correlated as it says (Gaussian copula"
            " of the logarithms). Stuck ones are not in it.",
            Axis("Off conductance", "S"), Axis("On conductance", "S"),
            [curve("junctions", off, on, style="points", colour=BLUE)], legend="",
        ),
        Plot(
            "distribution", "Distribution",
            "Share of junctions below a conductance, both states; stuck junctions are in it, on the curve of the"
            " other state.",
            g, Axis("Share of junctions", "1"),
            [
                _cumulative("fully off", drawn.conductance(0.0), BLUE),
                _cumulative("fully on", drawn.conductance(1.0), HIGH),
            ],
            y_from=0.0, y_to=1.0,
        ),
        Plot(
            "cycle_to_cycle", "Cycle to cycle",
            "On conductance of three junctions over cycles, over the median of the card: log-normal, each cycle"
            " correlated with the last as the card says.",
            Axis("Cycle", "1"), Axis("On conductance over the card's", "1"),
            [
                curve(f"junction {k + 1}", number,
                      on[k] / card.on_conductance.value * cycles[k, :_SHOWN_CYCLES], style="steps")
                for k in range(3)
            ],
            apart=True,
        ),
    ]  # fmt: skip
    key: dict[str, Any] = {
        "on_conductance_spread": quantity(float(np.std(np.log(on))), "1", "device to device, of the logarithm"),
        "off_conductance_spread": quantity(float(np.std(np.log(off))), "1", "likewise"),
        "on_off_correlation": quantity(_correlation(on, off), "1", "of the logarithms, as drawn"),
        "cycle_to_cycle_spread": quantity(float(np.std(np.log(cycles))), "1", "of the logarithm, as drawn"),
        "stuck_share": quantity(float(np.mean(drawn.stuck_on | drawn.stuck_off)), "1", f"of {_CELLS} drawn junctions"),
    }
    if card.switching is not None:
        plot, more = _switching(subject, drawn)
        panels.append(plot)
        key |= more
    return Content(panels, key)


def _correlation(on: Array, off: Array) -> float:
    """Return the correlation of two logarithms; NaN (not defined) if one does not vary."""
    x, y = np.log(on), np.log(off)
    if np.ptp(x) == 0.0 or np.ptp(y) == 0.0:
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1])


def _cumulative(label: str, values: Array, colour: str) -> Curve:
    ordered = np.sort(values)
    return curve(label, ordered, (np.arange(ordered.size) + 0.5) / ordered.size, colour=colour)


def _switching(subject: Subject, drawn: JunctionDraw) -> tuple[Plot, dict[str, Any]]:
    """Return the scatter of the switched share after one pulse, of junctions with their own domains."""
    card, spec = subject.card, subject.card.require(SwitchingSpec)
    pulses = card.programming
    most = 2.0 * spec.activation_field.value * subject.thickness
    width = 1e-6
    if isinstance(pulses, ProgrammingSpec):
        most = min(most, pulses.set_voltage.value)
        width = float(np.sqrt(pulses.pulse_width.value * pulses.last_pulse_width.value))  # short ones switch little
    fields = np.linspace(0.3 * most, most, _AMPLITUDES) / subject.thickness
    domains = domains_per_cell(spec, card.cell_area.value)
    cells = int(np.clip(_MOST_DOMAINS // domains, _LEAST_PULSED, _PULSED))
    few = replace(
        drawn,
        values={name: values[:cells] for name, values in drawn.values.items()},
        stuck_on=drawn.stuck_on[:cells],
        stuck_off=drawn.stuck_off[:cells],
    )
    ensemble = draw_ensemble(card, few, subject.streams.generator(Purpose.DOMAINS, 1))
    scale = np.maximum(ensemble.remanent_polarization, np.finfo(np.float64).tiny)
    rows = []
    for k, field in enumerate(fields):
        key = subject.streams.key(Purpose.SWITCHING, k)
        state = initial_state(ensemble, 0.0, key=key)
        p, _ = follow(ensemble, state, [float(field)], [width], temperature=subject.temperature, key=key)
        rows.append(0.5 + 0.5 * p[:, 0] / scale)
    shares = np.stack(rows)
    mean, deviation = shares.mean(axis=1), shares.std(axis=1)
    grid = np.linspace(0.0, 1.0, 61)
    plot = Plot(
        "pulse", "Scatter of one pulse",
        f"Standard deviation of the switched share over {cells} junctions of {domains} domains each after one pulse of"
        f" {short(width, 's')}, of rising amplitude, from fully off, domains flipping at random; the field is the"
        " voltage over the ferroelectric's thickness. Line: what the number of domains alone makes, sqrt(s (1 - s) /"
        " N).",
        Axis("Mean switched share", "1"), Axis("Standard deviation", "1"),
        [
            curve("drawn junctions", mean, deviation, style="points", colour=HIGH),
            curve("domain number alone", grid, binomial_deviation(grid, float(domains)), colour=INK, style="dashed"),
        ],
        y_from=0.0,
    )  # fmt: skip
    return plot, {
        "domains_of_a_junction": quantity(float(domains), "1", "cell area over domain area"),
        "largest_scatter_of_one_pulse": quantity(float(deviation.max()), "1", "of the switched share"),
    }


PAGE = Page("scatter", "Device to device, cycle to cycle", (VariabilitySpec,), _make)
