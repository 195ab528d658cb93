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
from ferrogen.device.noise.rtn.closed_form import log_uniform_spectrum, occupancy
from ferrogen.device.noise.traps import REFERENCE_TEMPERATURE
from ferrogen.report import junction_panels as panels
from ferrogen.report.junction import (
    Array,
    Junction,
    Spectrum,
    activity,
    averaged_noise,
    draw_junction,
    relative_trace,
    spectrum,
    window_averages,
)
from ferrogen.report.key_figures import draw_key_table, key_figures, quantity
from ferrogen.report.style import GREY, card_footer, new_figure, save_figure, styled
from ferrogen.report.tables import Columns, stack_tables, write_csv

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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
        current = junction.full_current(voltage)
        table[f"current at {voltage:g} V [A]"] = current * trace
        table[f"averaged current at {voltage:g} V [A]"] = current * window_averages(trace)
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
    ratios = (many[0].sampled / many[0].closed_form)[many[0].sampled > 0.0]
    ratio = float(np.median(ratios)) if ratios.size else math.nan
    checks = {
        "sampled_over_closed_form_spectrum": quantity(ratio, "1", "median over frequency, ensemble, sample voltage")
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


def _data_sheet(junction: Junction, draws: dict[str, Draw], key: dict[str, Any], footer: str) -> Figure:
    figure = new_figure(14.6, 21.4)
    grid = figure.add_gridspec(4, 2, height_ratios=(5.2, 5.0, 5.2, 5.0))
    draws["currents"](figure.add_subfigure(grid[0, 0]))
    draws["traces"](figure.add_subfigure(grid[0, 1]))
    draws["spectra"](figure.add_subfigure(grid[1, :]))
    draws["trap_times"](figure.add_subfigure(grid[2, :]))
    draws["averaging"](figure.add_subfigure(grid[3, 0]))
    draw_key_table(figure.add_subfigure(grid[3, 1]), key)
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
        key = {**key_figures(junction), **checks}
        sheet = _data_sheet(junction, {name: draw for name, (draw, _) in made.items()}, key, footer)
        save_figure(sheet, staging / "datasheet.png")
        record: dict[str, Any] = {
            "what": "characterise",
            "ferrogen": __version__,
            "card": card.name,
            "title": card.title,
            "seed": seed,
            "temperature": quantity(temperature, "K", "of traps; the read current of the card does not depend on it"),
            "cells": cells,
            "cell": junction.cell,
            "cell_choice": "median expected deviation among the cells with a visible trap",
            "key_figures": key,
            "assumed_parameters": card.assumptions(),
            "sources": card.sources(),
            "files": sorted([f"{name}.{kind}" for name in made for kind in ("csv", "png")] + ["datasheet.png"]),
        }
        write_json(staging / "characterise.json", record)
    return record
