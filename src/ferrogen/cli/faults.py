"""``ferrogen faults``: what broken cells, lines and converters cost in image quality, and what repair saves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ferrogen.cli import options

if TYPE_CHECKING:
    from ferrogen.array.faults import FaultRates
    from ferrogen.generation.fault_study import FaultStudy

_UNITS = {
    "stuck on": "probability of a cell",
    "stuck off": "probability of a cell",
    "open lines": "probability of a line",
    "shorted lines": "probability of two neighbouring lines",
    "shorted cells": "probability of a cell",
    "dead columns": "probability of a column",
    "converter offsets": "probability of a converter",
    "everything": "multiple of the reference rates",
}


def faults(
    model: Annotated[str, typer.Argument(help="'mnist', or the path of a weight file that `ferrogen train` wrote.")],
    *,
    out: options.Out = Path("faults"),
    multiples: Annotated[str, typer.Option(help="Multiples of the reference rates, rising, by commas.")] = "1,3,10,30",
    rates: Annotated[
        Path | None,
        typer.Option(help='JSON file of reference rates, e.g. {"stuck_on": 0.001}.  \\[default: the study\'s own]'),
    ] = None,
    kinds: Annotated[
        str, typer.Option(help="Kinds of faults by commas, e.g. 'stuck on,dead columns'; or all.")
    ] = "all",
    chips: Annotated[int, typer.Option(help="Chips at each rate.")] = 3,
    count: Annotated[int, typer.Option(help="Images a chip, at least 128.")] = 500,
    spare_rows: Annotated[int, typer.Option(help="Spare word lines of a tile, beside 128 in use.")] = 4,
    spare_pairs: Annotated[int, typer.Option(help="Spare differential pairs of a tile, beside 64 in use.")] = 4,
    seed: options.Seed = 0,
    card: options.Card = "hzo-mfis-nor",
    features: Annotated[str, typer.Option(help="Feature network: 'mnist' or a file.")] = "mnist",
    data: Annotated[
        Path | None,
        typer.Option(help="IDX folder to compare with.  \\[default: shipped moments of the MNIST test images]"),
    ] = None,
    threads: Annotated[int, typer.Option(help="Chips worked on side by side; results do not depend on it.")] = 2,
    quiet: options.Quiet = False,
) -> None:
    """Measure image quality over the rate of each kind of fault, as it is and after self-test and repair.

    Writes faults.png, faults.csv (the numbers) and faults.json (provenance).
    """
    options.check_output(out)
    import numpy as np

    from ferrogen.chip.spec import ChipSpec
    from ferrogen.cli.progress import counting
    from ferrogen.core.errors import argument_error
    from ferrogen.core.files import output_folder, write_json
    from ferrogen.device.card import load_card
    from ferrogen.generation.fault_study import COLUMNS, KINDS, REFERENCE, run_fault_study
    from ferrogen.generation.model_file import load_description, load_digit_vae
    from ferrogen.metrics.features import load_feature_network
    from ferrogen.metrics.frechet import feature_moments
    from ferrogen.metrics.reference import load_reference_moments
    from ferrogen.report.tables import write_csv

    wanted = _numbers(multiples)
    chosen = tuple(KINDS) if kinds.strip() == "all" else tuple(part.strip() for part in kinds.split(","))
    reference_rates = REFERENCE if rates is None else _read_rates(rates)
    device = load_card(card)
    spec = ChipSpec(
        rows=128 + spare_rows, columns=2 * (64 + spare_pairs), spare_rows=spare_rows, spare_pairs=spare_pairs
    )
    network = load_feature_network(features)
    if data is not None:
        images = options.read_data(data, description=load_description(model), quiet=quiet)
        test = images.test_images.astype(np.float32) / 255.0
        reference = feature_moments(network.extract(test).features)
    elif features == "mnist":
        reference = load_reference_moments("mnist")
    else:
        raise argument_error("data", "be given with a feature network of your own", "absent")
    total = chips * (2 + 2 * len(chosen) * len(wanted))
    with output_folder(out) as folder:
        vae = load_digit_vae(model, "`ferrogen faults`")
        with counting("chips", total, quiet=quiet) as step:
            study = run_fault_study(
                vae, device, reference, network, rates=reference_rates, multiples=wanted, kinds=chosen, chips=chips,
                count=count, seed=seed, spec=spec, threads=threads, progress=lambda _point: step(1),
            )  # fmt: skip
        footer = f"card {device.name}, {len(device.assumptions())} assumed parameters; fault rates assumed"
        _draw(folder, study, chosen, chips, count, footer)
        rows = [options.plain(item) | {"repaired": int(item.repaired)} for item in study.points]
        write_csv(
            folder / "faults.csv",
            {
                f"{name} [{unit}]": [np.nan if row[name] is None else row[name] for row in rows]
                for name, unit in COLUMNS.items()
            },
        )
        write_json(
            folder / "faults.json",
            _record(study, spec, reference_rates, model=model, seed=seed, chips=chips, card=device),
        )
    typer.echo(f"{len(study.points)} chips in {out}: faults.png, faults.csv, faults.json")
    for line in _summary(study, chosen):
        typer.echo(f"  {line}")


def _numbers(text: str) -> list[float]:
    from ferrogen.core.errors import argument_error

    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        found = []
    if not found or len(found) > 20 or not all(0.0 < value < 1e6 for value in found):
        raise argument_error("multiples", "be up to 20 positive numbers by commas, e.g. 1,3,10", repr(text))
    return found


def _read_rates(path: Path) -> FaultRates:
    """Read fault rates from JSON.

    Raises:
        DataFileError: no such file, or no rates in it.
    """
    from pydantic import TypeAdapter, ValidationError

    from ferrogen.array.faults import FaultRates
    from ferrogen.core.errors import ArgumentError, DataFileError
    from ferrogen.core.files import read_bytes
    from ferrogen.core.spec import explain

    text = read_bytes(path, what="File of fault rates", limit=100_000)
    try:
        return FaultRates(**TypeAdapter(dict[str, float]).validate_json(text))
    except ValidationError as error:
        raise DataFileError(explain(error, subject=f"File of fault rates '{path}'")) from None
    except (ArgumentError, TypeError) as error:
        said = str(error).replace("FaultRates.__init__() got an unexpected keyword argument", "unknown rate")
        raise DataFileError(f"File of fault rates '{path}': {said}.".replace("..", ".")) from None


def _draw(folder: Path, study: FaultStudy, kinds: tuple[str, ...], chips: int, count: int, footer: str) -> None:
    import numpy as np

    from ferrogen.report.faults import FaultPanel, fault_figure

    def table(kind: str, *, repaired: bool) -> Any:
        values = [item.frechet_distance for item in study.points if item.kind == kind and item.repaired == repaired]
        return np.array(values).reshape(chips, -1)

    def rate(kind: str) -> Any:
        first = study.points[0].chip
        return np.array(
            [item.rate for item in study.points if item.kind == kind and not item.repaired and item.chip == first]
        )

    panels = []
    for kind in kinds:
        points = [item for item in study.points if item.kind == kind and item.multiple == study.strip_multiple]
        panels.append(
            FaultPanel(
                kind,
                _UNITS[kind],
                rate(kind),
                table(kind, repaired=False),
                table(kind, repaired=True),
                study.strips.get((kind, False)),
                study.strips.get((kind, True)),
                points[0].rate,
                is_share=kind != "everything",
            )
        )
    whole = table("none", repaired=False).ravel()
    fault_figure(
        folder / "faults.png",
        panels,
        whole,
        caption=(
            f"Lines: geometric mean of {chips} chips; bands: their extremes; {count} images a chip, so distances carry"
            " the bias of that number. Images: the first ones of the first chip at the rate of the vertical line, above"
            " as it is, below repaired."
        ),
        footer=footer,
    )


def _record(
    study: FaultStudy, spec: Any, rates: FaultRates, *, model: str, seed: int, chips: int, card: Any
) -> dict[str, Any]:
    import platform
    from dataclasses import asdict
    from importlib.metadata import version

    from ferrogen.generation.fault_study import CALIBRATION_READS

    return {
        "ferrogen": version("ferrogen"),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("numpy", "numba", "scipy", "torch")},
        },
        "model": model,
        "card": card.name,
        "seed": seed,
        "chips": chips,
        "tile_rows": spec.rows,
        "tile_columns": spec.columns,
        "spare_rows": spec.spare_rows,
        "spare_pairs": spec.spare_pairs,
        "latent_calibration_reads": CALIBRATION_READS,
        "reference_rates": {**asdict(rates), "note": "assumed, source none"},
        "assumed_parameters": card.assumptions(),
        "points": [options.plain(item) for item in study.points],
    }


def _summary(study: FaultStudy, kinds: tuple[str, ...]) -> list[str]:
    import numpy as np

    def mean(kind: str, multiple: float, *, repaired: bool) -> str:
        values = [
            item.frechet_distance
            for item in study.points
            if (item.kind, item.multiple, item.repaired) == (kind, multiple, repaired)
        ]
        finite = [value for value in values if np.isfinite(value)]
        if not finite:
            return "no images"
        # The mean is that of the chips that make images: those that do not are the worst of all.
        silent = f" ({len(values) - len(finite)} of {len(values)} chips gave no images)"
        return f"{np.exp(np.mean(np.log(finite))):.2f}" + (silent if len(finite) < len(values) else "")

    lines = [f"Frechet distance without faults {mean('none', 0.0, repaired=False)}"]
    for kind in kinds:
        points = [item for item in study.points if item.kind == kind]
        worst = max(item.multiple for item in points)
        rate = next(item.rate for item in points if item.multiple == worst)
        left = sum(item.rows_left + item.pairs_left for item in points if item.multiple == worst)
        lines.append(
            f"{kind} at {rate:.3g}: {mean(kind, worst, repaired=False)} as it is,"
            f" {mean(kind, worst, repaired=True)} repaired"
            + (f" (spare lines ran out: {left} lines on all chips)" if left else "")
        )
    tested = [item for item in study.points if item.repaired]
    lines.append(f"self-test: {1e3 * tested[0].test_time:.0f} ms a tile, {1e3 * tested[0].test_energy:.0f} mJ a chip")
    return lines
