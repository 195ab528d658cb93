"""``ferrogen evaluate``: a chip's images against real ones, its latents against normals, its products against float."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ferrogen.cli import options

if TYPE_CHECKING:
    from ferrogen.generation.evaluation import Evaluation
    from ferrogen.mapping.budget import EffectiveBits


def evaluate(
    model: Annotated[
        str, typer.Argument(help="'mnist', 'faces', or the path of a weight file that `ferrogen train` wrote.")
    ],
    *,
    data: options.Data,
    out: options.Out = Path("evaluation"),
    as_: options.As = None,
    skip_corrupt: options.SkipCorrupt = False,
    count: Annotated[
        int | None,
        typer.Option(help="How many images each generator makes.  \\[default: 10000 digits, or 5000 larger images]"),
    ] = None,
    seed: options.Seed = 0,
    card: options.Card = "hzo-mfis-nor",
    sample_voltage: options.SampleVoltage = None,
    multiply_voltage: options.MultiplyVoltage = None,
    sampling_time: options.SamplingTime = None,
    temperature: options.Temperature = None,
    features: options.FeatureNetwork = None,
    inception: Annotated[
        Path | None, typer.Option(help="Your file of standard Inception-v3 FID weights, for the standard FID.")
    ] = None,
    threads: options.Threads = 2,
    quiet: options.Quiet = False,
    json: options.Json = False,
) -> None:
    """Score a chip: Frechet distance beside the ideal model's, latents, effective bits of a product, no copying.

    Writes evaluation.json, images.png (chip beside ideal model), nearest.png (of the first 1000 images those closest to
    a training image), budget.png and budget.csv. nearest.png shows training images: mind their licence.
    """
    options.check_output(out)
    from ferrogen.chip.chip import Chip
    from ferrogen.cli.progress import stages
    from ferrogen.core.files import output_folder, write_json
    from ferrogen.device.card import load_card
    from ferrogen.generation.decoder import chip_spec_for
    from ferrogen.generation.evaluation import evaluate as run_evaluation
    from ferrogen.generation.generator import ChipGenerator
    from ferrogen.generation.model import VAE
    from ferrogen.generation.model_file import load_description, load_vae
    from ferrogen.mapping.budget import error_budget
    from ferrogen.report.grids import comparison_figure
    from ferrogen.report.sweep_figure import budget_figure
    from ferrogen.report.tables import write_csv

    device = load_card(card)
    point = options.operating_point(device, sample_voltage, multiply_voltage, sampling_time, temperature)
    vae = load_vae(model)
    images = options.read_data(
        data, description=load_description(model), as_=as_, skip_corrupt=skip_corrupt, quiet=quiet or json
    )
    network = options.feature_network(features, model, vae)
    wanted = (10_000 if isinstance(vae, VAE) else 5_000) if count is None else count
    standard = None
    if inception is not None:
        from ferrogen.metrics.inception import load_inception

        standard = load_inception(inception)
    with output_folder(out) as folder:
        generator = ChipGenerator(vae, Chip(device, seed=seed, spec=chip_spec_for(vae), threads=threads), point)
        with stages(quiet=quiet or json) as report:
            found = run_evaluation(
                generator, images, count=wanted, network=network, inception=standard, progress=report
            )
            report("error budget of a product", 1.0)
            budget = error_budget(device, point, generator.chip.spec, seed=seed)
        found.record["effective_bits"] = {item.source: options.plain(item) for item in budget}
        comparison_figure(
            folder / "nearest.png",
            [("generated", found.nearest_pairs[0]), ("nearest training image", found.nearest_pairs[1])],
        )
        comparison_figure(
            folder / "images.png",
            [("chip: its noise, its products", found.images[0]), ("ideal: float32 decoder", found.images[1])],
        )
        budget_figure(folder / "budget.png", {item.source: item.bits for item in budget})
        write_csv(
            folder / "budget.csv",
            {
                "source": [item.source for item in budget],
                "effective_bits [bit]": [item.bits for item in budget],
                "low [bit]": [item.low for item in budget],
                "high [bit]": [item.high for item in budget],
                "relative_error [1]": [item.relative_error for item in budget],
            },
        )
        write_json(folder / "evaluation.json", found.record)
    if json:
        options.print_json(found.record)
        return
    _show(found, budget)
    options.report_share(found.record)
    typer.echo(f"Written to {out}: evaluation.json, images.png, nearest.png, budget.png, budget.csv")


def _show(found: Evaluation, budget: list[EffectiveBits]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table("score", "chip", "ideal model", "chip's latents, ideal decoder", title="Images")
    for name, score in found.chip.items():
        if not name.startswith("class_") or name == "class_entropy":
            others = [str(part[name]) if name in part else "" for part in (found.ideal, found.chip_latents)]
            table.add_row(name.replace("_", " "), str(score), *others)
    console.print(table)
    shares = {name: score for name, score in found.chip.items() if name.startswith("class_") and name[6:].isdecimal()}
    if shares:
        histogram = " ".join(f"{name[6:]}:{score.value:.3f}" for name, score in shares.items())
        console.print(f"class histogram of the chip  {histogram}")
    console.print(f"Frechet distance, chip over ideal model: {found.frechet_ratio}", style="bold")
    latents = Table("statistic", "value", title="Latents")
    for name, score in found.latents.items():
        latents.add_row(name.removeprefix("latent_").replace("_", " "), str(score))
    console.print(latents)
    bits = Table("source alone", "effective bits", "relative error", title="A product on one tile")
    for item in budget:
        bits.add_row(item.source, f"{item.bits:.2f} [{item.low:.2f}, {item.high:.2f}]", f"{item.relative_error:.2%}")
    console.print(bits)
