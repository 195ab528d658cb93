"""``ferrogen sweep``: randomness and image quality over the two knobs of the paper."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ferrogen.cli import options

if TYPE_CHECKING:
    from ferrogen.generation.sweep import SweepPoint


def sweep(
    model: Annotated[
        str, typer.Argument(help="'mnist', 'faces', or the path of a weight file that `ferrogen train` wrote.")
    ],
    *,
    out: options.Out = Path("sweep"),
    sample_voltage: Annotated[str, typer.Option(help="low:high:count in volts, evenly spaced.")] = "0.2:1.4:7",
    sampling_time: Annotated[
        str, typer.Option(help="low:high:count in seconds, evenly in the logarithm.")
    ] = "1e-5:1e-1:5",
    count: Annotated[int, typer.Option(help="Images a point.")] = 1000,
    seed: options.Seed = 0,
    card: options.Card = "hzo-mfis-nor",
    multiply_voltage: options.MultiplyVoltage = None,
    temperature: options.Temperature = None,
    features: options.FeatureNetwork = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Data to compare with.  \\[default, for shipped models: moments of their held-out images]"),
    ] = None,
    threads: options.Threads = 2,
    quiet: options.Quiet = False,
) -> None:
    """Draw the map of randomness and image quality over sample voltage and sampling time.

    Each point twice: with the calibration of the card's default point kept, and calibrated at the point itself.
    Writes sweep.png, sweep.csv (the numbers) and sweep.json (provenance).
    """
    options.check_output(out)
    import numpy as np

    from ferrogen.chip.chip import Chip
    from ferrogen.cli.progress import counting
    from ferrogen.core.files import output_folder, write_json
    from ferrogen.device.card import load_card
    from ferrogen.generation.decoder import chip_spec_for
    from ferrogen.generation.generator import ChipGenerator
    from ferrogen.generation.model_file import load_description, load_vae
    from ferrogen.generation.provenance import provenance
    from ferrogen.generation.sweep import COLUMNS, reference_moments
    from ferrogen.generation.sweep import sweep as run_sweep
    from ferrogen.report.tables import write_csv

    device = load_card(card)
    voltages = options.quantity_range(sample_voltage, "V", "sample_voltage")
    times = options.quantity_range(sampling_time, "s", "sampling_time")
    for voltage in voltages:
        device.check("read_voltage", voltage, "sample_voltage")
    for time in times:
        device.check("read_time", time, "sampling_time")
    # The calibration that is kept is that of the card's default point.
    point = options.operating_point(device, None, multiply_voltage, None, temperature)
    vae = load_vae(model)
    images = None if data is None else options.read_data(data, description=load_description(model), quiet=quiet)
    network = options.feature_network(features, model, vae)
    with output_folder(out) as folder:
        generator = ChipGenerator(vae, Chip(device, seed=seed, spec=chip_spec_for(vae), threads=threads), point)
        reference = reference_moments(generator, network, images, features)
        with counting("points", len(voltages) * len(times), quiet=quiet) as step:
            points = run_sweep(
                generator, voltages, times, reference, network, count=count, progress=lambda _point: step(1)
            )
        _draw(folder, points, voltages, times, f"card {device.name}, {len(device.assumptions())} assumed parameters")
        write_csv(
            folder / "sweep.csv",
            {f"{name} [{unit}]": [asdict(item)[name] for item in points] for name, unit in COLUMNS.items()},
        )
        record = provenance(generator, count * len(points))
        record["operating_point"] |= {"sample_voltage": voltages, "sampling_time": times}
        write_json(folder / "sweep.json", record)
    typer.echo(f"{len(points)} points in {out}: sweep.png, sweep.csv, sweep.json")
    for item in points:
        if not np.isfinite(item.frechet_distance):
            typer.echo(f"  nothing to sample at {item.sample_voltage:g} V, {item.sampling_time:g} s: silent cells")
    found = [item for item in points if np.isfinite(item.frechet_distance)]
    best = min(found, key=lambda item: item.frechet_distance, default=None)
    if best is not None:
        typer.echo(
            f"  best Frechet distance {best.frechet_distance:.2f} [{best.frechet_low:.2f}, {best.frechet_high:.2f}]"
            f" at {best.sample_voltage:g} V, {best.sampling_time:g} s"
        )


def _draw(folder: Path, points: list[SweepPoint], voltages: list[float], times: list[float], footer: str) -> None:
    from ferrogen.generation.sweep import grid
    from ferrogen.report.sweep_figure import sweep_figure

    def table(name: str) -> Any:
        return grid(points, name, voltages, times)

    deviation, kept = "standard deviation of a latent, one calibration kept", "Frechet distance, one calibration kept"
    relative = "noise of a read over its current"
    maps = {
        relative: table("relative_noise"),
        "share of variance from telegraph noise": table("telegraph_share"),
        "KS distance to a normal, calibrated at the point": table("ks_distance"),
        deviation: table("kept_standard_deviation"),
        kept: table("kept_frechet_distance"),
        "Frechet distance, calibrated at the point": table("frechet_distance"),
    }
    sweep_figure(
        folder / "sweep.png",
        voltages,
        times,
        maps,
        log_colours=(relative, deviation, kept),
        title="Randomness and image quality over the two knobs",
        footer=footer,
    )
