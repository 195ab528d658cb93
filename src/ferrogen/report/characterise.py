"""The data sheet of one junction: five panels, the numbers behind them, key figures, and what was assumed."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ferrogen import __version__
from ferrogen.core.files import output_folder, write_json
from ferrogen.device.card import DeviceCard, load_card
from ferrogen.device.rtn.closed_form import log_uniform_spectrum, occupancy
from ferrogen.device.traps import REFERENCE_TEMPERATURE
from ferrogen.report import junction_panels as panels
from ferrogen.report.junction import (
    Array,
    Junction,
    Spectrum,
    active_share,
    activity,
    averaged_noise,
    draw_junction,
    relative_trace,
    spectrum,
)
from ferrogen.report.style import GREY, card_footer, headline, new_figure, save_figure, styled
from ferrogen.report.tables import Columns, stack_tables, write_csv

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

    Draw = Callable[..., None]

CELLS: Final = 1000
"""Junctions in the ensemble."""

_SHOWN_TRAPS = 3
_POINTS = 121
_SIZES: Final = {
    "currents": (7.2, 5.2),
    "traces": (7.2, 5.2),
    "spectra": (11.0, 5.0),
    "trap_times": (11.0, 5.2),
    "averaging": (7.2, 5.2),
}


def _currents(junction: Junction) -> tuple[Draw, Columns]:
    voltage = np.linspace(0.0, junction.card.validity.read_voltage[1], _POINTS)[1:]
    voltage = voltage[voltage >= junction.card.validity.read_voltage[0]]
    currents = {level: junction.level_current(level, voltage) for level in junction.levels()}
    table = stack_tables(
        [
            {
                "level": level,
                "conductance [S]": junction.level_conductance(level),
                "voltage [V]": voltage,
                "current [A]": current,
                "ohmic current [A]": junction.level_conductance(level) * voltage,
            }
            for level, current in currents.items()
        ]
    )
    return lambda figure, **more: panels.draw_currents(figure, junction, voltage, currents, **more), table


def _traces(junction: Junction) -> tuple[Draw, Columns]:
    time, high = relative_trace(junction, junction.high, address=0)
    _, low = relative_trace(junction, junction.low, address=1)
    traces = {junction.high: high, junction.low: low}
    table: dict[str, Array] = {"time [s]": time}
    for voltage, trace in traces.items():
        table[f"current at {voltage:g} V [A]"] = junction.full_current(voltage) * trace
    return lambda figure, **more: panels.draw_traces(figure, junction, time, traces, **more), table


def _one_over_f(junction: Junction, frequency: Array) -> tuple[Array, Array]:
    """Return the McWhorter line of the card's log-uniform time constants: no parameter is fitted to the spectrum."""
    spread = junction.card.trap_time_constant.spread
    total = float(junction.cell_variance(junction.high).mean())
    if spread is None or spread.low is None or spread.high is None:
        return frequency, np.full_like(frequency, np.nan)
    return frequency, total * log_uniform_spectrum(frequency, spread.low, spread.high)


def _spectra(junction: Junction) -> tuple[Draw, Columns, dict[str, Any]]:
    voltages = (junction.high, junction.low)
    cell = [spectrum(junction, v, ensemble=False, address=2 + k) for k, v in enumerate(voltages)]
    many = [spectrum(junction, v, ensemble=True, address=4 + k) for k, v in enumerate(voltages)]
    guide = _one_over_f(junction, many[0].frequency)

    def rows(what: str, item: Spectrum) -> Columns:
        return {
            "of": what,
            "voltage [V]": item.voltage,
            "frequency [Hz]": item.frequency,
            "sampled [1/Hz]": item.sampled,
            "closed form [1/Hz]": item.closed_form,
        }

    table = stack_tables([*(rows("cell", s) for s in cell), *(rows("ensemble mean", s) for s in many)])
    ratio = float(np.nanmedian(many[0].sampled / many[0].closed_form))
    checks = {
        "sampled_over_closed_form_spectrum": _quantity(ratio, "1", "median over frequency, ensemble, sample voltage")
    }
    return lambda figure, **more: panels.draw_spectra(figure, junction, cell, many, guide, **more), table, checks


def _trap_times(junction: Junction) -> tuple[Draw, Columns]:
    voltage = np.linspace(0.0, junction.card.validity.read_voltage[1], _POINTS)
    p = occupancy(*junction.rates(junction.high))
    share = (junction.population.traps.amplitude**2 * p * (1.0 - p))[junction.own]
    chosen = [junction.own.start + int(k) for k in np.argsort(-share, kind="stable")[:_SHOWN_TRAPS]]
    rates = [junction.rates(float(v)) for v in voltage]
    times = {
        trap: (np.array([1.0 / a[trap] for a, _ in rates]), np.array([1.0 / b[trap] for _, b in rates]))
        for trap in chosen
    }
    ensemble = activity(junction, voltage)
    table: dict[str, Array] = {"voltage [V]": voltage}
    for k, (capture, emission) in enumerate(times.values(), start=1):
        table[f"capture time of trap {k} [s]"] = capture
        table[f"emission time of trap {k} [s]"] = emission
    table["mean occupancy [1]"] = ensemble.occupancy
    table["mean p(1-p) [1]"] = ensemble.variance
    return lambda figure, **more: panels.draw_trap_times(figure, junction, voltage, times, ensemble, **more), table


def _averaging(junction: Junction) -> tuple[Draw, Columns]:
    shortest, longest = junction.card.validity.read_time
    durations = np.geomspace(max(shortest, 1e-3 * junction.window), min(longest, 1e4 * junction.window), 61)
    between = [round(float(v), 1) for v in np.linspace(junction.low, junction.high, 5)[1:-1]]
    voltages = sorted({junction.low, junction.high, *(v for v in between if junction.low < v < junction.high)})
    noise = {voltage: averaged_noise(junction, voltage, durations) for voltage in voltages}
    table = stack_tables(
        [
            {"voltage [V]": voltage, "sampling time [s]": durations, "standard deviation / mean [1]": values}
            for voltage, values in noise.items()
        ]
    )
    return lambda figure, **more: panels.draw_averaging(figure, junction, durations, noise, **more), table


def _quantity(value: float, unit: str, meaning: str) -> dict[str, Any]:
    return {"value": value if math.isfinite(value) else None, "unit": unit, "meaning": meaning}


def _key_figures(junction: Junction) -> dict[str, Any]:
    low, high, window = junction.low, junction.high, junction.window

    def both(name: str, meaning: str, duration: float | None, *, ensemble: bool) -> dict[str, Any]:
        values = []
        for voltage in (low, high):
            variance = junction.cell_variance(voltage, duration)
            values.append(math.sqrt(float(variance.mean() if ensemble else variance[junction.cell])))
        return {
            f"{name}_at_multiply_voltage": _quantity(values[0], "1", meaning),
            f"{name}_at_sample_voltage": _quantity(values[1], "1", meaning),
            f"{name}_suppression": _quantity(
                values[1] / values[0] if values[0] > 0.0 else math.inf, "1", "sample voltage over multiply voltage"
            ),
        }

    own = junction.own
    return {
        "multiply_voltage": _quantity(low, "V", "card default"),
        "sample_voltage": _quantity(high, "V", "card default"),
        "sampling_time": _quantity(window, "s", "card default"),
        "cell_traps": _quantity(own.stop - own.start, "1", "traps of the cell that is shown"),
        "cell_on_conductance": _quantity(junction.level_conductance(max(junction.levels())), "S", "traps empty"),
        "cell_off_conductance": _quantity(junction.level_conductance(0), "S", "traps empty"),
        "cell_current_at_multiply_voltage": _quantity(junction.full_current(low), "A", "fully on, traps empty"),
        "cell_current_at_sample_voltage": _quantity(junction.full_current(high), "A", "fully on, traps empty"),
        **both("cell_noise", "standard deviation over mean of the current, all frequencies", None, ensemble=False),
        **both("ensemble_noise", "the same, root mean square over the ensemble", None, ensemble=True),
        **both("cell_window_noise", "the same, averaged over one sampling time", window, ensemble=False),
        **both("ensemble_window_noise", "the same, root mean square over the ensemble", window, ensemble=True),
        "active_traps_at_multiply_voltage": _quantity(
            active_share(junction, low), "1", "occupied 10 to 90 % of the time"
        ),
        "active_traps_at_sample_voltage": _quantity(
            active_share(junction, high), "1", "occupied 10 to 90 % of the time"
        ),
    }


def _key_table(figure: SubFigure, key: dict[str, Any]) -> None:
    def shown(name: str, *, percent: bool = True) -> str:
        value = key[name]["value"]
        if value is None:
            return "none"
        return f"{100.0 * value:.2g} %" if percent else f"{value:.3g}"

    axes = figure.subplots()
    axes.set_axis_off()
    axes.set(xlim=(0.0, 1.0), ylim=(0.0, 1.0))
    heads = (f"{key['multiply_voltage']['value']:g} V", f"{key['sample_voltage']['value']:g} V", "ratio")
    rows = [
        ("noise / mean current, this cell", "cell_noise"),
        ("  averaged over one sampling time", "cell_window_noise"),
        (f"noise / mean current, ensemble", "ensemble_noise"),
        ("  averaged over one sampling time", "ensemble_window_noise"),
        ("active traps", "active_traps"),
    ]  # fmt: skip
    for x, head in zip((0.66, 0.84, 1.0), heads, strict=True):
        axes.text(x, 0.93, head, ha="right", fontweight="bold")
    axes.axhline(0.89, color=GREY, linewidth=0.8)
    for k, (label, name) in enumerate(rows):
        y = 0.79 - 0.13 * k
        axes.text(0.0, y, label)
        axes.text(0.66, y, shown(f"{name}_at_multiply_voltage"), ha="right")
        axes.text(0.84, y, shown(f"{name}_at_sample_voltage"), ha="right")
        if f"{name}_suppression" in key:
            axes.text(1.0, y, shown(f"{name}_suppression", percent=False), ha="right")
    headline(
        figure,
        "Key figures",
        "Noise: standard deviation from the closed forms. Active: occupied 10 to 90 % of the time.",
    )


def _data_sheet(junction: Junction, draws: dict[str, Draw], key: dict[str, Any], footer: str) -> Figure:
    figure = new_figure(14.6, 21.4)
    rows = figure.subfigures(4, 1, height_ratios=(5.2, 5.0, 5.2, 5.2), hspace=0.015)
    first, last = (row.subfigures(1, 2, wspace=0.02) for row in (rows[0], rows[3]))
    draws["currents"](first[0])
    draws["traces"](first[1])
    draws["spectra"](rows[1])
    draws["trap_times"](rows[2])
    draws["averaging"](last[0])
    _key_table(last[1], key)
    figure.suptitle(
        f"{junction.card.title}\nseed {junction.seed}, {junction.temperature:g} K", x=0.008, ha="left",
        fontsize=14, fontweight="bold",
    )  # fmt: skip
    figure.supxlabel(footer, x=0.008, ha="left", fontsize=9, color=GREY)
    return figure


def characterise_card(
    card: DeviceCard | str | Path,
    out: Path,
    *,
    seed: int = 0,
    temperature: float = REFERENCE_TEMPERATURE,
    cells: int = CELLS,
) -> dict[str, Any]:
    """Draw one junction of a card and write its data sheet.

    Writes, for each panel, ``NAME.png`` and ``NAME.csv`` (currents, traces, spectra, trap_times, averaging), then
    ``datasheet.png`` with all panels and ``characterise.json``. If anything fails nothing is written.

    Args:
        card: a device card, a shipped name, or the path of a card file.
        out: folder; made if absent.
        seed: the cells and their noise follow from it.
        temperature: [K].
        cells: junctions in the ensemble, from which the one with the median noise is shown.

    Returns:
        What ``characterise.json`` holds.

    Raises:
        CardError: unknown or malformed card, or one without traps.
        ValidityError: the temperature lies outside the card's validity.
        ArgumentError: a seed or a number of cells that makes no sense.
        OutputError: the folder cannot be written.
    """
    card = card if isinstance(card, DeviceCard) else load_card(card)
    junction = draw_junction(card, seed, temperature, cells)
    footer = card_footer(card)
    with output_folder(out) as staging, styled():
        spectra, spectra_table, checks = _spectra(junction)
        made: dict[str, tuple[Draw, Columns]] = {
            "currents": _currents(junction),
            "traces": _traces(junction),
            "spectra": (spectra, spectra_table),
            "trap_times": _trap_times(junction),
            "averaging": _averaging(junction),
        }
        for name, (draw, table) in made.items():
            figure = new_figure(*_SIZES[name])
            draw(figure, footer=footer)
            save_figure(figure, staging / f"{name}.png")
            write_csv(staging / f"{name}.csv", table)
        key = {**_key_figures(junction), **checks}
        sheet = _data_sheet(junction, {name: draw for name, (draw, _) in made.items()}, key, footer)
        save_figure(sheet, staging / "datasheet.png")
        record: dict[str, Any] = {
            "what": "characterise",
            "ferrogen": __version__,
            "card": card.name,
            "title": card.title,
            "seed": seed,
            "temperature": _quantity(temperature, "K", "of traps; the read current of the card does not depend on it"),
            "cells": cells,
            "cell": junction.cell,
            "cell_choice": "median expected standard deviation at the sample voltage within the trace's time",
            "key_figures": key,
            "assumed_parameters": card.assumptions(),
            "sources": card.sources(),
            "files": sorted([f"{name}.{kind}" for name in made for kind in ("csv", "png")] + ["datasheet.png"]),
        }
        write_json(staging / "characterise.json", record)
    return record
