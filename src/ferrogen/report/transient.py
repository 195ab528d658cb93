"""One column's sampling chain, ours and ngspice's, in one folder: figure, numbers, netlist."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ferrogen import __version__
from ferrogen.chip.chip import Chip
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.schedule import chip_schedule
from ferrogen.chip.spec import ChipSpec
from ferrogen.chip.tile import Tile
from ferrogen.circuit.sampling_chain.budget import chain_noise, reading_cost
from ferrogen.circuit.sampling_chain.column import ColumnRecord, record_column
from ferrogen.circuit.sampling_chain.simulate import chain_waveform, run_chain
from ferrogen.circuit.sampling_chain.spec import ChargeIntegrator, SamplingChain
from ferrogen.circuit.spice.run import DEFAULT_TIME_LIMIT, find_ngspice
from ferrogen.circuit.spice.transient import sampling_chain_deck
from ferrogen.circuit.spice.transient_compare import (
    ChainComparison,
    compare_with_spice,
    disagreements_by_bits,
    spice_waveform,
)
from ferrogen.core.errors import argument_error, is_whole
from ferrogen.core.files import atomic_path, output_folder, write_json
from ferrogen.core.streams import Purpose
from ferrogen.device.card import DeviceCard
from ferrogen.report.style import save_figure, styled
from ferrogen.report.tables import write_csv
from ferrogen.report.transient_figure import SHOWN_TRAPS, draw_comparison

Progress = Callable[[str, float], None]

_SWING: Final = 0.6  # share of the rail that the largest charge of a window takes
_HEADROOM: Final = 1.1  # full scale over the largest reading
_BITS: Final = (8, 10, 12, 14, 16)


def column_of_tile(
    tile: Tile, point: OperatingPoint, *, plus: int = 0, minus: int | None = None, first_cycle: int = 0, cycles: int = 1
) -> ColumnRecord:
    """Follow the traps of one column, or of a differential pair, of a chip's tile: those behind the chip's samples.

    Args:
        tile: programmed, with ``samples`` set.
        point: operating point.
        plus: column whose current is integrated.
        minus: column whose current is subtracted, if any.
        first_cycle: number of the first cycle.
        cycles: how many.

    Raises:
        ArgumentError: columns that the tile does not have.
    """
    population = tile.population()
    return record_column(
        population,
        tile.conductance(population),
        tile.steps(population),
        chip_schedule(point, samples=True, observe="windows"),
        key=tile.streams.key(Purpose.TELEGRAPH_WINDOW, tile.number),
        temperature=point.temperature,
        characteristic_voltage=tile.card.characteristic_voltage.value,
        plus=plus,
        minus=minus,
        first_cycle=first_cycle,
        cycles=cycles,
    )


def size_chain(chain: SamplingChain, column: ColumnRecord) -> tuple[SamplingChain, float]:
    """Return the chain with a capacitance for this column's charge, and a full scale for its readings [A].

    The largest charge at a window's end takes six tenths of the rail; the full scale is 1.1 times the largest reading.

    Raises:
        ArgumentError: the chain's integrator is an ideal one, or the column makes no noise.
    """
    if not isinstance(chain.integrator, ChargeIntegrator):
        raise argument_error("chain", "have an integrator with a rail", "ideal", "Use ChargeIntegrator.")
    ideal = run_chain(replace(SamplingChain.ideal(1.0), adc=chain.adc), column, full_scale=1.0)
    charge, largest = float(np.abs(ideal.held).max()), float(np.abs(ideal.current).max())
    if largest == 0.0:
        raise argument_error("column", "have readings that differ from zero", "one whose traps stand still")
    return chain.with_capacitance(charge / (_SWING * chain.integrator.rail)), _HEADROOM * largest


@dataclass(frozen=True, slots=True, eq=False)
class ReadColumn:
    """A column of a chip with the chain that reads it.

    Attributes:
        chip: of one tile.
        point: operating point.
        column: its currents over the cycles.
        chain: with a capacitance for them.
        full_scale: of the converter [A].
        title: what it is, in words.
    """

    chip: Chip
    point: OperatingPoint
    column: ColumnRecord
    chain: SamplingChain
    full_scale: float
    title: str

    def netlist(self, note: str = "") -> str:
        """Return the transient netlist of all cycles."""
        header = f"{self.title}\n{note}".rstrip()
        return sampling_chain_deck(self.chain, self.column, full_scale=self.full_scale, header=header)


def column_of_card(
    card: DeviceCard | str | Path,
    seed: int,
    cells: int,
    cycles: int,
    sampling_time: float,
    chain: SamplingChain | None = None,
    *,
    differential: bool = False,
) -> ReadColumn:
    """Program a column of a chip to random conductances of its window, and follow its traps.

    The arguments are those of :func:`transient_report`.

    Raises:
        FerrogenError: a bad argument.
    """
    for name, count, most in (("cells", cells, 1024), ("cycles", cycles, 10_000)):
        if not is_whole(count, 1, most):
            raise argument_error(name, f"be a whole number from 1 to {most}", count)
    chip = Chip(card, seed=seed, spec=ChipSpec(rows=cells, columns=2, tiles=1))
    point = OperatingPoint.for_card(chip.device, sampling_time=sampling_time, multiply_time=sampling_time / 5.0)
    point.check(chip.device)
    pattern = chip.streams.generator(Purpose.TEST_PATTERN, 0).random((cells, 2))
    tile = chip.program(0, chip.window.low + chip.window.span * pattern, samples=True)
    column = column_of_tile(tile, point, minus=1 if differential else None, cycles=cycles)
    sized, full_scale = size_chain(chain or SamplingChain(), column)
    title = (
        f"Made by ferrogen {__version__} from the card '{chip.device.name}': chip seed {seed}, one tile of {cells}"
        f" rows, column 0{' minus column 1' if differential else ''}, {cycles} cycles."
        " The traps' switchings are those of the simulator, with ramps instead of jumps."
    )
    return ReadColumn(chip, point, column, sized, full_scale, title)


def transient_report(
    card: DeviceCard | str | Path,
    out: Path,
    *,
    seed: int = 0,
    cells: int = 32,
    cycles: int = 20,
    differential: bool = False,
    sampling_time: float = 1e-4,
    chain: SamplingChain | None = None,
    ngspice: str | Path | None = None,
    time_limit: float = DEFAULT_TIME_LIMIT,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Run one column of a chip through our sampling chain and through ngspice, and compare them code for code.

    The chip has one tile of that many rows, programmed to random conductances of its window. Writes ``transient.png``,
    ``transient.csv`` (readings), ``transient_waveform.csv`` and ``transient_traps.csv`` (the cycle that is drawn),
    ``sampling_chain.cir`` (the netlist of all cycles) and ``transient.json``. If anything fails nothing is written.

    Args:
        card: a device card, a shipped name, or the path of a card file.
        out: folder; made if absent.
        seed: chip, programming and noise follow from it.
        cells: rows of the column.
        cycles: how many readings.
        differential: whether the neighbouring column is subtracted; if not, a quiet reference is.
        sampling_time: of one window [s]; the time ngspice takes grows with it, for traps switch all the time.
        chain: its capacitance is chosen for the column; the default chain, if not given.
        ngspice: path of the program; searched in the PATH, if not given.
        time_limit: for each run of ngspice [s].
        progress: called with what is being done and the share that is done.

    Returns:
        What ``transient.json`` holds.

    Raises:
        SimulatorMissingError: ngspice is not there.
        FerrogenError: a bad argument, a failing simulator, an unwritable folder.
    """
    tell = progress or _silent
    find_ngspice(ngspice)
    made = column_of_card(card, seed, cells, cycles, sampling_time, chain, differential=differential)
    column, sized, full_scale = made.column, made.chain, made.full_scale
    with output_folder(out) as folder:
        tell("ngspice", 0.0)
        compared = compare_with_spice(sized, column, full_scale=full_scale, time_limit=time_limit, ngspice=ngspice)
        tell("figure", 0.9)
        shown = column.excerpt(min(1, cycles - 1), 1)
        ours = chain_waveform(sized, shown)
        theirs = spice_waveform(sized, shown, full_scale=full_scale, time_limit=time_limit, ngspice=ngspice)
        value = _summary(made.chip, made.point, sized, column, compared, full_scale)
        with atomic_path(folder / "sampling_chain.cir") as path:
            path.write_text(made.netlist(), encoding="ascii")
        write_csv(folder / "transient.csv", _readings(compared))
        write_csv(
            folder / "transient_waveform.csv",
            {
                "simulator": np.repeat(["ferrogen", "ngspice"], [ours.times.shape[0], theirs.times.shape[0]]),
                "time [s]": np.concatenate([ours.times, theirs.times]),
                "integrator output [V]": np.concatenate([ours.output, theirs.output]),
            },
        )
        traps = loudest_traps(shown)
        history = shown.history
        kept = np.isin(history.trap, traps)
        write_csv(
            folder / "transient_traps.csv",
            {
                "trap": np.concatenate([traps, history.trap[kept]]),
                "time [s]": np.concatenate([np.zeros(traps.shape[0]), history.times[kept]]),
                "occupied": np.concatenate([history.initial[traps], history.direction[kept] > 0.0]).astype(np.int64),
            },
        )
        with styled():
            figure = draw_comparison(made.chip.device, sized, shown, traps, ours, theirs, compared)
            save_figure(figure, folder / "transient.png")
        write_json(folder / "transient.json", value)
    tell("done", 1.0)
    return value


def _silent(text: str, share: float) -> None:
    """Tell nobody."""


def loudest_traps(column: ColumnRecord) -> NDArray[np.int64]:
    """Return the traps whose switchings move the column's charge most, loudest first; at most a dozen."""
    share = column.history.occupied_time(0.0, column.duration) / column.duration
    loudness = np.abs(column.steps) * np.sqrt(share * (1.0 - share))
    order = np.argsort(-loudness, kind="stable")[:SHOWN_TRAPS]
    return np.asarray(order[loudness[order] > 0.0], dtype=np.int64)


def _readings(compared: ChainComparison) -> dict[str, Any]:
    ours, theirs = compared.readings, compared.spice
    return {
        "cycle": np.arange(ours.codes.shape[0]),
        "first window, ferrogen [V]": ours.held[:, 0],
        "first window, ngspice [V]": theirs.held[:, 0],
        "second window, ferrogen [V]": ours.held[:, 1],
        "second window, ngspice [V]": theirs.held[:, 1],
        "code, ferrogen": ours.codes.astype(np.int64),
        "code, ngspice": theirs.codes.astype(np.int64),
        "deviation [codes]": compared.deviation,
        "distance to a rounding edge [codes]": ours.edge_distance,
    }


def _summary(
    chip: Chip,
    point: OperatingPoint,
    chain: SamplingChain,
    column: ColumnRecord,
    compared: ChainComparison,
    full_scale: float,
) -> dict[str, Any]:
    noise, cost = chain_noise(chain, column, point.temperature), reading_cost(chain, column)
    return {
        "version": __version__,
        "card": chip.device.name,
        "seed": chip.seed,
        "cells": int(chip.spec.rows),
        "cycles": column.cycles,
        "traps": int(column.steps.shape[0]),
        "switchings": int(column.history.times.shape[0]),
        "capacitance_F": chain.integrator.capacitance,
        "full_scale_A": full_scale,
        "volts_per_code": compared.readings.volts_per_step,
        "codes_that_differ": int(compared.disagreements.shape[0]),
        "of_these_not_at_an_edge": int(compared.unexplained.shape[0]),
        "agrees": compared.agrees,
        "largest_deviation_codes": float(np.abs(compared.deviation).max()),
        "limit_codes": compared.limit,
        "by_bits": [
            {"bits": row.bits, "codes_that_differ": row.differ, "furthest_from_edge_codes": row.furthest}
            for row in disagreements_by_bits(chain, compared, _BITS)
        ],
        "saturated_cycles": int(compared.readings.saturated.sum()),
        "noise_of_the_circuits_codes": noise.difference / compared.readings.volts_per_step,
        "energy_J": cost.energy,
        "latency_s": cost.latency,
        "ngspice": compared.spice.version,
        "ngspice_runs": compared.spice.runs,
    }
