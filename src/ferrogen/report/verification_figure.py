"""The figure of a verification: the voltage lost in wires, where solvers differ, and by how much."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ferrogen.circuit.spice.array_circuit import law_in_words
from ferrogen.circuit.spice.compare_solvers import SOLVER_TOLERANCE, Verification
from ferrogen.circuit.spice.static_elements import SIDES
from ferrogen.core.errors import argument_error
from ferrogen.report.style import (
    BLUE,
    DASHES,
    GREEN,
    GREY,
    ORANGE,
    card_footer,
    headline,
    new_figure,
    save_figure,
    si_scale,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ferrogen.device.card import DeviceCard

Array = NDArray[np.float64]

_LEAST = 1e-17  # differences of zero are drawn here


def verification_figure(path: Path, found: Verification, *, card: DeviceCard) -> None:
    """Write four panels: voltage lost in the wires, difference from ngspice, currents of both, histogram.

    Args:
        path: PNG file.
        found: with the voltages of all nodes.
        card: for the footer.

    Raises:
        ArgumentError: solutions without node voltages.
        OutputError: the folder cannot be written.
    """
    rows, columns = found.direct.row_voltage, found.direct.column_voltage
    spread = found.with_simulator.voltage_differences
    if rows is None or columns is None or spread is None:
        raise argument_error("found", "have the voltages of all nodes", "without them")
    lines, bits = found.network.shape
    with styled():
        figure = new_figure(10.6, 8.6)
        (voltage, difference), (correlation, histogram) = figure.subplots(2, 2)
        lost = found.drive.left[:, None, 0] - (rows - columns)[:, :, 0]
        factor, unit = si_scale(float(np.abs(lost).max()), "V")
        _map(figure, voltage, lost * factor, f"Voltage that the wires take from each cell, first input [{unit}]")
        worst = np.log10(np.maximum(spread.max(axis=(0, 3)), _LEAST))
        _map(figure, difference, worst, "Difference from ngspice, worst of a cell's nodes [log10]")
        _correlate(correlation, found)
        _histogram(histogram, found)
        headline(
            figure,
            f"{lines} x {bits} array: {'solvers agree' if found.agree else 'solvers DISAGREE'}",
            f"Largest relative difference of the direct solver from ngspice {found.simulated.run.version}"
            f" {found.with_simulator.largest:.1e} (tolerance {found.tolerance:.0e})"
            + _second(found)
            + f", over {found.drive.batch} input vectors. Differences are relative to each voltage or current, or to"
            f" 1e-9 of the largest. Cells: {law_in_words(found.network.law)}.",
            footer=card_footer(card),
        )
        save_figure(figure, path)


def _second(found: Verification) -> str:
    if found.with_direct is None:
        return ""
    return f", of the line solver from the direct one {found.with_direct.largest:.1e} ({SOLVER_TOLERANCE:.0e})"


def _map(figure: Figure, axes: Axes, values: Array, title: str) -> None:
    image = axes.imshow(values, cmap="cividis", aspect="auto", interpolation="nearest", origin="upper")
    axes.grid(visible=False)
    axes.set_title(title)
    axes.set_xlabel("Column")
    axes.set_ylabel("Row")
    for axis, count in ((axes.xaxis, values.shape[1]), (axes.yaxis, values.shape[0])):
        step = max(1, -(-count // 8))
        axis.set_ticks(np.arange(0, count, step))
    bar = figure.colorbar(image, ax=axes, pad=0.02, fraction=0.06)
    bar.outline.set_visible(False)


def _correlate(axes: Axes, found: Verification) -> None:
    """Draw the currents of the driven and the sensed ends, ngspice's over ours."""
    pairs = {
        side: (getattr(found.direct, f"{side}_current").ravel(), getattr(found.simulated, f"{side}_current").ravel())
        for side in SIDES
    }
    shown = {side: pair for side, pair in pairs.items() if np.abs(pair[0]).max(initial=0.0) > 0.0}
    largest = max((float(np.abs(pair[0]).max()) for pair in shown.values()), default=1.0)
    factor, unit = si_scale(largest, "A")
    for colour, (side, (ours, theirs)) in zip((BLUE, GREEN, ORANGE, GREY), shown.items(), strict=False):
        axes.plot(
            ours * factor, theirs * factor, linestyle="none", marker="o", markersize=4.5, color=colour, alpha=0.7,
            markeredgewidth=0.0, label=f"{side} ends",
        )  # fmt: skip
    low, high = axes.get_xlim()
    axes.plot((low, high), (low, high), color=GREY, linewidth=1.0, linestyle=DASHES, zorder=1.5, label="equal")
    axes.set_xlim(low, high)
    axes.set_title("Currents into the array")
    axes.set_xlabel(f"Direct solver [{unit}]")
    axes.set_ylabel(f"ngspice [{unit}]")
    axes.legend(loc="upper left")


def _histogram(axes: Axes, found: Verification) -> None:
    from matplotlib.ticker import LogLocator

    series = {"nodes, direct and ngspice": (found.with_simulator.voltage_differences, BLUE)}
    series["ends, direct and ngspice"] = (found.with_simulator.current_differences, ORANGE)
    if found.with_direct is not None:
        series["nodes, lines and direct"] = (found.with_direct.voltage_differences, GREEN)
    top = max(found.with_simulator.largest, found.tolerance) * 10.0
    bins = np.geomspace(_LEAST, top, 60)
    for name, (spread, colour) in series.items():
        if spread is not None:
            axes.hist(
                np.clip(spread.ravel(), _LEAST, None), bins=bins.tolist(), histtype="step", linewidth=1.6, color=colour,
                label=name,
            )  # fmt: skip
    axes.axvline(found.tolerance, color=GREY, linestyle=DASHES, linewidth=1.2, label="tolerance for ngspice")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.xaxis.set_major_locator(LogLocator(numticks=8))
    axes.set_title("Relative differences (equal numbers at the left edge)")
    axes.set_xlabel("Relative difference [1]")
    axes.set_ylabel("Numbers in a bin")
    axes.legend(loc="upper right", fontsize=8.0)
