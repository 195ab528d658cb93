"""Figure of a run of endurance: latents, images, products, cells and energy against cycles, and the images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ferrogen.generation.endurance.measure import unpack_images
from ferrogen.generation.endurance.records import Record
from ferrogen.generation.endurance.run import EnduranceRun
from ferrogen.report.grids import image_grid
from ferrogen.report.style import DASHES, GREY, PALETTE, headline, new_figure, save_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import SubFigure

_SCORES: Final = (
    ("latent_mean", "Mean of the latents"),
    ("latent_deviation", "Standard deviation of the latents"),
    ("latent_lag_1", "Correlation from image to image"),
    ("frechet_distance", "Frechet distance"),
)
_SHOWN: Final = 5  # columns of images
_LEAST_RANGE: Final = {"latent_mean": 0.1, "latent_deviation": 0.1, "latent_lag_1": 0.1}
_CYCLES: Final = {
    "read-operations": "Cycles (read operations)",
    "program-erase": "Cycles (program/erase)",
}


def endurance_figure(path: Path, run: EnduranceRun, *, title: str, caption: str, footer: str = "") -> None:
    """Write the figure of a run.

    Args:
        path: PNG file.
        run: finished.
        title: bold, above.
        caption: below.
        footer: below the caption.

    Raises:
        OutputError: the folder cannot be written.
    """
    arms = list(run.checkpoints)
    below = 1.05 * len(arms) + 0.95
    with styled():
        figure = new_figure(12.6, 6.2 + below)
        grid = figure.add_gridspec(2, 1, height_ratios=[6.2, below])
        upper, lower = (figure.add_subfigure(part) for part in (grid[0], grid[1]))
        _curves(upper, run)
        _images(lower, run)
        upper.suptitle(title, x=0.012, ha="left", fontsize=12.0, fontweight="bold")
        headline(lower, "", caption, footer=footer)
        save_figure(figure, path)


def _curves(figure: SubFigure, run: EnduranceRun) -> None:
    axes = figure.subplots(2, 4)
    for k, (name, title) in enumerate(_SCORES):
        _draw_score(axes.flat[k], run, name, title)
    axes.flat[3].set_ylim(bottom=0.0)
    _draw_lines(
        axes.flat[4], run, "Error of products (worst layer)",
        lambda record: max(part["relative_error"] for part in record["layers"]),
    )  # fmt: skip
    _draw_lines(axes.flat[5], run, "Error of a pixel, fixed latents", lambda record: record["image_error"])
    _draw_lines(axes.flat[6], run, "Weights half a level off, or more", lambda record: record["cells_astray"])
    for panel in axes.flat[4:7]:
        panel.set_ylim(bottom=0.0)
    _draw_lines(axes.flat[7], run, "Energy since the start [J]", lambda record: record.get("energy_since_start"))
    axes.flat[7].set_yscale("log")
    for panel in axes.flat:
        panel.set_xscale("log")
        for cycle, _ in run.spec.temperature_steps:
            panel.axvline(cycle, color=GREY, linewidth=0.9, linestyle=DASHES, zorder=1)
    for panel in axes[1]:
        panel.set_xlabel(_CYCLES[run.spec.reading])
    _name_steps(axes.flat[0], run)
    axes.flat[1].legend(loc="best")


def _name_steps(axes: Axes, run: EnduranceRun) -> None:
    for cycle, kelvin in run.spec.temperature_steps:
        axes.annotate(
            f"{kelvin:g} K", (cycle, 0.02), xycoords=("data", "axes fraction"), xytext=(2, 0),
            textcoords="offset points", fontsize=8.0, color=GREY,
        )  # fmt: skip


def _draw_score(axes: Axes, run: EnduranceRun, name: str, title: str) -> None:
    axes.set_title(title)
    reference = run.programmed[name]
    if reference is not None:
        axes.axhline(reference["value"], color=GREY, linewidth=1.0, label="as programmed")
    low, high = np.inf, -np.inf
    for number, (policy, records) in enumerate(run.checkpoints.items()):
        kept = [record for record in records if record[name] is not None]
        if not kept:
            continue
        x = [record["cycle"] for record in kept]
        value, lows, highs = (
            np.array([np.nan if record[name][end] is None else record[name][end] for record in kept])
            for end in ("value", "low", "high")
        )
        colour = PALETTE[number % len(PALETTE)]
        axes.fill_between(x, lows, highs, color=colour, alpha=0.15, linewidth=0)
        axes.plot(x, value, color=colour, marker=".", label=f"policy {policy}", **_dashes(number))
        low, high = min(low, float(np.nanmin(value))), max(high, float(np.nanmax(value)))
    least = _LEAST_RANGE.get(name)
    if least is not None and np.isfinite(low):  # noise must not look like drift
        middle = (low + high) / 2.0
        bottom, top = axes.get_ylim()
        axes.set_ylim(min(bottom, middle - least), max(top, middle + least))
    if low == np.inf:
        axes.text(0.5, 0.5, "not measured", transform=axes.transAxes, ha="center", color=GREY)


def _dashes(number: int) -> dict[str, Any]:
    """Make every other line dashed: lines that lie on one another stay visible."""
    return {"linestyle": DASHES} if number % 2 else {}


def _draw_lines(axes: Axes, run: EnduranceRun, title: str, value: Any) -> None:
    axes.set_title(title)
    before = value(run.programmed)
    if before is not None:
        axes.axhline(before, color=GREY, linewidth=1.0)
    for number, records in enumerate(run.checkpoints.values()):
        colour = PALETTE[number % len(PALETTE)]
        x = [record["cycle"] for record in records]
        axes.plot(x, [value(record) for record in records], color=colour, marker=".", **_dashes(number))


def shown_cycles(records: list[Record]) -> list[Record]:
    """Return the checkpoints whose images are shown: first, last, and evenly in the logarithm between."""
    wanted = np.geomspace(1.0, max(records[-1]["cycle"], 1), _SHOWN - 1)
    nearest = {int(np.argmin([abs(np.log(record["cycle"] / cycle)) for record in records])) for cycle in wanted}
    return [records[k] for k in sorted(nearest)]


def _images(figure: SubFigure, run: EnduranceRun) -> None:
    axes = figure.subplots(len(run.checkpoints), _SHOWN, squeeze=False)
    for row, (policy, records) in zip(axes, run.checkpoints.items(), strict=True):
        panels: list[tuple[str, Record]] = [("as programmed", run.programmed)]
        panels += [(f"policy {policy}, cycle {record['cycle']:,}", record) for record in shown_cycles(records)]
        for panel in row:
            panel.set_axis_off()
        for panel, (name, record) in zip(row, panels, strict=False):
            page = image_grid(unpack_images(record["shown"]), 8, scale=1, gap=1)
            panel.imshow(page, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            panel.set_title(name, fontsize=8.5)


def endurance_caption(run: EnduranceRun) -> str:
    """Return what a reader must know of the figure."""
    spec = run.spec
    cells = "on cells of their own" if spec.sampling == "dedicated" else "on cells that hold weights, too"
    cycle = "one image sampled and decoded" if spec.reading == "read-operations" else "all cells erased and written"
    return (
        f"A cycle is {cycle}; latents are sampled {cells}. Grey: the chip as programmed, before any sampling."
        f" Bands: 95 % intervals, {spec.images} images a checkpoint. Before cycle 1 the latents were calibrated with"
        f" {run.start['cycles']:,} cycles of sampling. Cells are held as they are while a checkpoint's images are made."
        " Stable: no whole interval lies beyond its limit, which so many images may be too few to tell."
        " Products: rms error over their rms, against float products of the same inputs; pixels: rms difference from"
        " the float decoder."
    )
