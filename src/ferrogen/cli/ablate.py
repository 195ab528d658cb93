"""``ferrogen ablate``: which imperfection of the chip costs what in images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ferrogen.cli import options

if TYPE_CHECKING:
    from ferrogen.generation.ablation.study import AblationRow

_PARTS = ".ablation-parts"
_REAL_IMAGES = 2000  # for kernel distance, precision and recall


def ablate(
    model: Annotated[
        str, typer.Argument(help="'mnist', 'faces', or the path of a weight file that `ferrogen train` wrote.")
    ],
    *,
    out: options.Out = Path("ablation"),
    data: Annotated[
        Path | None,
        typer.Option(
            help="Data set to compare with, as `ferrogen train --data` takes it."
            "  \\[default: shipped moments of held-out images: no kernel distance, precision and recall]"
        ),
    ] = None,
    count: Annotated[int, typer.Option(help="Images a chip, at least 128; the same numbers in every case.")] = 2000,
    chips: Annotated[int, typer.Option(help="Chips, of the seeds SEED, SEED + 1, ...")] = 3,
    stuck: Annotated[float, typer.Option(help="Share of stuck cells, half on and half off (assumed); 0: none.")] = 0.01,
    warmer: Annotated[
        float, typer.Option(help="Kelvin by which the chip is warmer than when calibrated (assumed); 0: none.")
    ] = 10.0,
    storage: Annotated[
        str, typer.Option(help="Storage since calibration (assumed), e.g. '1e6 s'; '0 s' with 0 cycles: none.")
    ] = "1e6 s",
    cycles: Annotated[float, typer.Option(help="Cycles since calibration (assumed).")] = 1e6,
    only: Annotated[
        str, typer.Option(help="Imperfections by commas, e.g. 'wires,conductance levels'; or all.")
    ] = "all",
    seed: options.Seed = 0,
    card: options.Card = "hzo-mfis-nor",
    sample_voltage: options.SampleVoltage = None,
    multiply_voltage: options.MultiplyVoltage = None,
    sampling_time: options.SamplingTime = None,
    features: Annotated[
        str | None,
        typer.Option(help="Feature network: a shipped name or a file.  \\[default: the one for the model's images]"),
    ] = None,
    quiet: options.Quiet = False,
) -> None:
    """Switch the chip's imperfections on alone and leave them out one by one, and compare the images.

    Writes ablation.md, ablation.csv and ablation.json (the same numbers), ablation.png (bars) and ablation-images.png.
    A run that was stopped goes on where it was if it is started again with the same options.
    """
    options.check_output(out)
    import shutil

    import torch

    from ferrogen.chip.spec import ChipSpec
    from ferrogen.cli.progress import counting
    from ferrogen.core.files import atomic_path, output_folder, write_json
    from ferrogen.core.units import parse_quantity
    from ferrogen.device.card import load_card
    from ferrogen.generation.ablation.cases import Stresses, ablation_cases, choose_cases
    from ferrogen.generation.ablation.study import run_ablation
    from ferrogen.generation.model_file import load_vae
    from ferrogen.report.ablation import ablation_columns, ablation_table
    from ferrogen.report.tables import write_csv
    from ferrogen.sampler.latents import SamplerSpec

    device = load_card(card)
    point = options.operating_point(device, sample_voltage, multiply_voltage, sampling_time)
    stresses = Stresses(stuck, warmer, cycles, parse_quantity(storage, "s", "storage"))
    spec, sampler = ChipSpec(), SamplerSpec()
    cases = ablation_cases(device, spec, point, sampler, stresses)
    if only.strip() != "all":
        cases = choose_cases(cases, [name.strip() for name in only.split(",")])
    vae = load_vae(model)
    network, reference, against = _reference(vae, features, data)
    kept = out / _PARTS
    torch.set_num_threads(1)
    with output_folder(out) as folder:
        with counting("cases", chips * len(cases), quiet=quiet) as step:
            rows = run_ablation(
                vae, device, network, reference, count=count, chips=chips, seed=seed, spec=spec, point=point,
                sampler=sampler, stresses=stresses, cases=cases, keep_in=kept, progress=lambda _case, _chip: step(1),
            )  # fmt: skip
        header = _header(model, device.name, len(device.assumptions()), against, count, chips)
        with atomic_path(folder / "ablation.md") as temporary:
            temporary.write_text(f"# {header}\n\n{_READING}\n\n{ablation_table(rows)}", encoding="utf-8")
        write_csv(folder / "ablation.csv", ablation_columns(rows))
        write_json(folder / "ablation.json", _record(rows, device, point, spec, sampler, seed, against))
        _draw(folder, rows, header, f"card {device.name}, {len(device.assumptions())} assumed parameters")
    shutil.rmtree(kept, ignore_errors=True)
    typer.echo(f"{len(rows)} cases on {chips} chips in {out}: ablation.md, .csv, .json, .png and ablation-images.png")
    _summary(rows)


_READING = (
    "Differences are of the Fréchet distance, image by image: the same image numbers and random numbers in every case."
    " *over images*: 95 % interval of the paired bootstrap, these chips given; *over chips*: 95 % interval of the mean"
    " over chips (Student's t, paired by chip). *seen*: neither interval contains zero. Values that are not the paper's"
    " or measured are marked assumed."
)


def _reference(vae: Any, features: str | None, data: Path | None) -> tuple[Any, Any, str]:
    """Return the feature network, the reference, and what it is."""
    import numpy as np

    from ferrogen.core.errors import argument_error
    from ferrogen.generation.ablation.measure import Reference
    from ferrogen.generation.datasets.loading import load_data
    from ferrogen.generation.pictures import picture_shape
    from ferrogen.metrics.features import feature_network_for, load_feature_network
    from ferrogen.metrics.frechet import feature_moments
    from ferrogen.metrics.reference import load_reference_moments

    shape = picture_shape(vae.spec)
    shipped = "mnist" if shape == (28, 28) else "faces"
    network = feature_network_for(shape) if features is None else load_feature_network(features)
    if data is None:
        if features not in (None, shipped):
            raise argument_error("data", "be given with a feature network of your own", "absent")
        return network, Reference(load_reference_moments(shipped)), f"shipped moments of held-out images ({shipped})"
    images = load_data(data).test_images
    if images.shape[1:] != shape:
        raise argument_error("data", f"hold pictures of the model's shape {shape}", images.shape[1:])
    seen = network.extract(images.astype(np.float32) / 255.0).features
    used = min(len(images), _REAL_IMAGES)
    against = f"{len(images)} held-out images of {data.name}, {used} of them for kernel distance, precision and recall"
    return network, Reference(feature_moments(seen), seen[:_REAL_IMAGES]), against


def _header(model: str, card: str, assumed: int, against: str, count: int, chips: int) -> str:
    return (
        f"What the chip does to images of '{Path(model).stem}': {count} images on each of {chips} chips, card {card}"
        f" ({assumed} assumed parameters), against {against}"
    )


def _record(
    rows: list[AblationRow], device: Any, point: Any, spec: Any, sampler: Any, seed: int, against: str
) -> dict[str, Any]:
    from dataclasses import asdict
    from importlib.metadata import version

    return {
        "ferrogen": version("ferrogen"),
        "card": device.name,
        "seed": seed,
        "operating_point": {**asdict(point), "reset_time": point.reset},
        "chip": repr(spec),
        "sampler": repr(sampler),
        "reference": against,
        "reading": _READING,
        "assumed_parameters": device.assumptions(),
        "rows": [row.to_dict() for row in rows],
    }


def _draw(folder: Path, rows: list[AblationRow], header: str, footer: str) -> None:
    from ferrogen.report.ablation import ablation_figure, ablation_images

    caption = (
        "Bars: mean over chips; lines: 95 % interval over chips (over images, with one chip); dots: single chips; pale:"
        " an interval, over chips or over images, contains zero. Green sampler, blue products, orange added to the"
        " whole chip, minus: left out of it. The axis is linear about zero, logarithmic beyond."
    )
    ablation_figure(
        folder / "ablation.png", rows, title="Which imperfection costs what", caption=caption, footer=footer
    )
    ablation_images(
        folder / "ablation-images.png",
        rows,
        caption=f"{header}. The same images of the first chip in every row; blank: there is no such case.",
    )


def _summary(rows: list[AblationRow]) -> None:
    for row in rows:
        if row.case.how == "reference":
            typer.echo(f"  {row.case.name}: Frechet distance {row.frechet:.3f}, rms to ideal {row.rms_ideal:.2g}")
    for how, text in (("alone", "alone"), ("left out", "left out of the whole chip"), ("added", "added to it")):
        found = [row for row in rows if row.case.how == how and row.frechet_difference.is_seen]
        found.sort(key=lambda row: -abs(row.frechet_difference.value))
        names = ", ".join(f"{row.case.name} ({row.frechet_difference.value:+.2g})" for row in found[:5])
        typer.echo(f"  seen {text}: {names or 'none'}")
