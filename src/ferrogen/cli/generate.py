"""``ferrogen generate``: images made by a simulated chip."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ferrogen.cli import options
from ferrogen.core.errors import argument_error


class FidelityLevel(StrEnum):
    """How products are simulated."""

    STATISTICAL = "statistical"
    CELL = "cell"


def generate(
    model: Annotated[
        str, typer.Argument(help="'mnist', 'faces', or the path of a weight file that `ferrogen train` wrote.")
    ],
    *,
    out: options.Out = Path("generated"),
    count: Annotated[int, typer.Option(help="How many images.")] = 64,
    first: Annotated[
        int, typer.Option(help="Number of the first image; image k is the same in every run of one fidelity.")
    ] = 0,
    seed: options.Seed = 0,
    card: options.Card = "hzo-mfis-nor",
    sample_voltage: options.SampleVoltage = None,
    multiply_voltage: options.MultiplyVoltage = None,
    sampling_time: options.SamplingTime = None,
    temperature: options.Temperature = None,
    pairs_per_latent: Annotated[int, typer.Option(help="Differential bit-line pairs read for one latent.")] = 2,
    fidelity: Annotated[
        FidelityLevel, typer.Option(help="Latents and products: from exact laws, or every trap of every cell (slow).")
    ] = FidelityLevel.STATISTICAL,
    label: Annotated[
        str | None, typer.Option(help="Classes to draw, e.g. '7', '0-9' or 'cat,dog'; --count is for each.")
    ] = None,
    classes: Annotated[
        Path | None, typer.Option(help="Class file of `ferrogen classes`.  \\[default: shipped, or beside the weights]")
    ] = None,
    pngs: Annotated[bool, typer.Option("--pngs", help="Also write every image as its own PNG.")] = False,
    threads: options.Threads = 2,
    quiet: options.Quiet = False,
    json: options.Json = False,
) -> None:
    """Make images: latents from the junctions' telegraph noise, pixels from their conductances.

    Writes images.png (a grid), comparison.png (chip, ideal model, chip's latents in the ideal decoder), images.npz and
    run.json (operating point, scores, counts, assumptions, seed, versions).
    """
    options.check_output(out)
    if label is not None:
        from ferrogen.cli.labelled import write_labelled

        point_text = (sample_voltage, multiply_voltage, sampling_time, temperature)
        chip_text = (card, seed, threads, pairs_per_latent, *point_text)
        record = write_labelled(
            model,
            chip_text,
            label,
            classes,
            out,
            count=count,
            first=first,
            fidelity=fidelity.value,
            pngs=pngs,
            quiet=quiet,
            silent=json,
        )
        if json:
            options.print_json(record)
        return
    if classes is not None:
        raise argument_error("classes", "come with --label", f"'{classes}'", "Say with --label what to draw.")
    import numpy as np

    from ferrogen.chip.chip import Chip
    from ferrogen.cli.progress import counting
    from ferrogen.core.files import output_folder, write_json
    from ferrogen.device.card import load_card
    from ferrogen.generation.decoder import chip_spec_for
    from ferrogen.generation.model_file import load_vae
    from ferrogen.generation.run import check_count
    from ferrogen.generation.run import generate as run_generate
    from ferrogen.generation.scores import judge_of
    from ferrogen.report.grids import comparison_figure, image_grid, save_png
    from ferrogen.sampler.latents import SamplerSpec

    check_count(count)
    device = load_card(card)
    point = options.operating_point(device, sample_voltage, multiply_voltage, sampling_time, temperature)
    vae = load_vae(model)
    chip = Chip(device, seed=seed, spec=chip_spec_for(vae), threads=threads)
    with output_folder(out) as folder:
        with counting("images", count, quiet=quiet or json) as step:
            run = run_generate(
                vae,
                chip,
                point,
                count=count,
                first=first,
                sampler=SamplerSpec(pairs_per_latent=pairs_per_latent),
                fidelity=fidelity.value,
                features=judge_of(model),
                progress=step,
            )
        save_png(folder / "images.png", image_grid(run.images[:1024]))
        comparison_figure(
            folder / "comparison.png",
            [
                ("chip: its noise, its products", run.images),
                ("ideal: float32 decoder, ideal noise", run.ideal),
                ("the chip's latents in the float32 decoder", run.chip_latents_ideal_decoder),
            ],
        )
        np.savez_compressed(
            folder / "images.npz",
            images=run.images,
            latents=run.latents,
            ideal=run.ideal,
            chip_latents_ideal_decoder=run.chip_latents_ideal_decoder,
            first=np.array(first),
        )
        if pngs:
            for k, image in enumerate(run.images):
                save_png(folder / f"image-{first + k:06d}.png", image_grid(image[None], scale=1, gap=0))
        write_json(folder / "run.json", run.record)
    if json:
        options.print_json(run.record)
        return
    counts = run.record["counts"]
    typer.echo(
        f"{count} images in {out}: images.png, comparison.png, images.npz, run.json\n"
        f"  {counts['windows']} windows read (and {counts['calibration_windows']} to calibrate),"
        f" {counts['products']} products,"
        f" {len(run.record['assumed_parameters'])} assumed parameters of card '{device.name}' (listed in run.json)"
    )
    options.report_share(run.record)
    for name in ("classifier_confidence", "class_entropy", "frechet_distance", "latent_ks_distance"):
        if name in run.scores:  # faces have no classes; images of a model of one's own have no judge
            typer.echo(f"  {name.replace('_', ' ')}: {run.scores[name]}")
