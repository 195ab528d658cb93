"""``ferrogen traverse``: what single latents do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ferrogen.cli import options
from ferrogen.cli.latent_options import Model, PairsPerLatent, chip_generator, whole_numbers


def traverse(
    model: Model,
    *,
    latents: Annotated[
        str | None,
        typer.Option(help="Which latents, e.g. '0,5,7' or '0-15'.  \\[default: those that change the image most]"),
    ] = None,
    most: Annotated[int, typer.Option(help="How many latents, if --latents does not say which.")] = 8,
    columns: Annotated[int, typer.Option(help="Values of each latent.")] = 9,
    reach: Annotated[float, typer.Option(help="Values go from minus this to this, in standard deviations.")] = 3.0,
    image: Annotated[int, typer.Option(help="Number of the image at whose latents the others are held.")] = 0,
    at_zero: Annotated[bool, typer.Option("--at-zero", help="Hold the others at zero instead.")] = False,
    out: options.Out = Path("traversal"),
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
    """Move single latents, a row each, while the others stay; every image is made by the chip's products.

    Without --latents those are shown that change the image most: the root mean square, over pixels, of the pixel's
    standard deviation along the row, in the float32 decoder. Writes traversal.png, traversal.npz and traversal.json.
    """
    options.check_output(out)
    chosen = None if latents is None else whole_numbers(latents, "latents")
    from ferrogen.cli.latent_results import write_rows
    from ferrogen.cli.progress import counting
    from ferrogen.core.files import output_folder
    from ferrogen.generation.latent_paths import traverse as run_traverse

    point = (sample_voltage, multiply_voltage, sampling_time, temperature)
    held = None if at_zero else image
    with output_folder(out) as folder:
        generator = chip_generator(model, card, seed, threads, pairs_per_latent, *point)
        total = (min(most, generator.latents) if chosen is None else len(chosen)) * columns
        with counting("images", total, quiet=quiet or json) as step:
            found = run_traverse(generator, chosen, image=held, columns=columns, reach=reach, most=most, progress=step)
        where = "at zero" if held is None else f"at the chip's latents of image {image}"
        caption = (
            f"One latent takes the values above, in standard deviations; the others are held {where}. In brackets: rms"
            " over pixels of the pixel's standard deviation along the row, float32 decoder."
        )
        write_rows(folder, "traversal", found, caption)
    if json:
        options.print_json(found.record)
        return
    typer.echo(f"{len(found.rows)} rows of {columns} images in {out}: traversal.png, .npz, .json")
    options.report_share(found.record)
