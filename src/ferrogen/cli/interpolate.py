"""``ferrogen interpolate``: ways between images of a chip."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ferrogen.cli import options
from ferrogen.cli.latent_options import Model, PairsPerLatent, chip_generator, whole_numbers


def interpolate(
    model: Model,
    *,
    between: Annotated[
        list[str] | None,
        typer.Option(help="Two image numbers, e.g. '3,17'; repeat it for more rows.  \\[default: 0,1 2,3 4,5 6,7]"),
    ] = None,
    steps: Annotated[int, typer.Option(help="Images in a row, both ends included.")] = 9,
    linear: Annotated[
        bool, typer.Option("--linear", help="Straight lines between latents instead of great circles.")
    ] = False,
    out: options.Out = Path("interpolation"),
    seed: options.Seed = 0,
    card: options.Card = "hzo-mfis-nor",
    sample_voltage: options.SampleVoltage = None,
    multiply_voltage: options.MultiplyVoltage = None,
    sampling_time: options.SamplingTime = None,
    temperature: options.Temperature = None,
    pairs_per_latent: PairsPerLatent = 2,
    threads: options.Threads = 2,
    quiet: options.Quiet = False,
    json: options.Json = False,
) -> None:
    """Draw the images between two images of a chip: its noise makes the ends' latents, its products every image.

    The ends are the latents of image numbers as `ferrogen generate` makes them, with the same seed and options.
    Writes interpolation.png (chip beside the float32 decoder), interpolation.npz and interpolation.json.
    """
    options.check_output(out)
    pairs = [(0, 1), (2, 3), (4, 5), (6, 7)] if not between else [_pair(text) for text in between]
    from ferrogen.cli.latent_results import write_rows
    from ferrogen.cli.progress import counting
    from ferrogen.core.files import output_folder
    from ferrogen.generation.latent_paths import interpolate as run_interpolate

    point = (sample_voltage, multiply_voltage, sampling_time, temperature)
    with output_folder(out) as folder:
        generator = chip_generator(model, card, seed, threads, pairs_per_latent, *point)
        with counting("images", len(pairs) * steps, quiet=quiet or json) as step:
            found = run_interpolate(generator, pairs, steps=steps, linear=linear, progress=step)
        way = "straight lines" if linear else "great circles"
        caption = f"Along {way} between the chip's latents of two image numbers; above: share of the way."
        write_rows(folder, "interpolation", found, caption)
    if json:
        options.print_json(found.record)
        return
    typer.echo(f"{len(pairs)} rows of {steps} images in {out}: interpolation.png, .npz, .json")
    options.report_share(found.record)


def _pair(text: str) -> tuple[int, int]:
    from ferrogen.core.errors import argument_error

    numbers = whole_numbers(text, "between")
    if len(numbers) != 2:
        must, remedy = "be two image numbers", "Write for example 3,17; repeat the option for more rows."
        raise argument_error("between", must, repr(text), remedy)
    return numbers[0], numbers[1]
