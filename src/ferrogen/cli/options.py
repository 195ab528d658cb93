"""Options that several commands share: quantities with units, the operating point, the output folder."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ferrogen.core.errors import OutputError, argument_error
from ferrogen.core.units import parse_quantity

if TYPE_CHECKING:
    from ferrogen.chip.point import OperatingPoint
    from ferrogen.device.card import DeviceCard
    from ferrogen.generation.datasets.description import DataDescription
    from ferrogen.generation.datasets.image_set import ImageSet
    from ferrogen.generation.model_file import AnyVAE
    from ferrogen.metrics.features import FeatureNetwork as AnyFeatureNetwork

Card = Annotated[str, typer.Option(help="Device card: a shipped name or the path of a .toml file.")]
Seed = Annotated[int, typer.Option(help="Everything random follows from it, the chip included.")]
Out = Annotated[Path, typer.Option(help="Folder for the results; made if absent.")]
SampleVoltage = Annotated[
    str | None, typer.Option(help="Read voltage of the sample mode, e.g. '1.2 V'.  \\[default: the card's]")
]
MultiplyVoltage = Annotated[
    str | None, typer.Option(help="Read voltage of the multiply mode, e.g. '100 mV'.  \\[default: the card's]")
]
SamplingTime = Annotated[
    str | None, typer.Option(help="Length of one sampling window, e.g. '1 ms'.  \\[default: the card's]")
]
Temperature = Annotated[str | None, typer.Option(help="Temperature, e.g. '300 K' or '85 degC'.  \\[default: 300 K]")]
Data = Annotated[
    Path, typer.Option(help="Folder of IDX files (plain or .gz), folder or zip of images, or a description (.toml).")
]
As = Annotated[
    str | None,
    typer.Option("--as", help="Read the data as this data set: mnist, fashion-mnist, celeba.  \\[default: recognised]"),
]
Side = Annotated[
    int | None,
    typer.Option(help="Pixels along the side of an image.  \\[default: 28, 16, 32 or 64, as the images are]"),
]
Colour = Annotated[
    bool | None, typer.Option("--colour/--grey", help="RGB or grey images.  \\[default: RGB if any image has colour]")
]
HeldOut = Annotated[
    float | None,
    typer.Option(help="Share of the images that is held out.  \\[default: the makers' split, or 0.1]"),
]
SkipCorrupt = Annotated[
    bool, typer.Option("--skip-corrupt", help="Leave out images that cannot be read, instead of stopping.")
]
FeatureNetwork = Annotated[
    str | None,
    typer.Option(help="Feature network: 'mnist', 'faces' or a file.  \\[default: 'mnist' for 28 x 28, else 'faces']"),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress bar.")]
Json = Annotated[bool, typer.Option("--json", help="Print the record as JSON instead of a summary.")]
Threads = Annotated[int, typer.Option(help="Worker threads; results do not depend on it.")]


def operating_point(
    card: DeviceCard,
    sample_voltage: str | None,
    multiply_voltage: str | None,
    sampling_time: str | None,
    temperature: str | None = None,
) -> OperatingPoint:
    """Build and check the operating point from command-line text.

    Raises:
        ArgumentError: text that is no quantity of the right unit, or a value that makes no sense.
        ValidityError: a value outside the card's validity.
    """
    from ferrogen.chip.point import OperatingPoint

    given: dict[str, Any] = {}
    for name, text, unit in (
        ("sample_voltage", sample_voltage, "V"),
        ("multiply_voltage", multiply_voltage, "V"),
        ("sampling_time", sampling_time, "s"),
        ("temperature", temperature, "K"),
    ):
        if text is not None:
            given[name] = parse_quantity(text, unit, name)
    point = OperatingPoint.for_card(card, **given)
    point.check(card)
    return point


def read_data(
    data: Path,
    *,
    description: DataDescription | None = None,
    as_: str | None = None,
    side: int | None = None,
    colour: bool | None = None,
    held_out: float | None = None,
    skip_corrupt: bool = False,
    quiet: bool = False,
) -> ImageSet:
    """Read a data set as the options say, and say on standard error what was skipped.

    Args:
        data: where it is.
        description: of a model's weight file; yields to ``as_``.
        as_: name of a shipped description.
        side: pixels; None: the description's.
        colour: RGB or grey; None: the description's.
        held_out: share; None: the description's.
        skip_corrupt: leave out what cannot be read.
        quiet: no progress bar.

    Raises:
        ArgumentError: an option that does not fit the data.
        DataFileError: data that cannot be read.
    """
    from ferrogen.generation.datasets.loading import load_data

    images = load_data(
        data,
        description if as_ is None else as_,
        side=side,
        channels=None if colour is None else 3 if colour else 1,
        held_out=held_out,
        skip_corrupt=skip_corrupt,
        progress=not quiet,
    )
    if images.skipped:
        shown = ", ".join(repr(name) for name in images.skipped[:10])
        more = f" and {len(images.skipped) - 10} more" if len(images.skipped) > 10 else ""
        typer.echo(f"warning: {len(images.skipped)} images cannot be read and are left out: {shown}{more}.", err=True)
    trained_on = None if description is None or as_ is not None else description.fingerprint
    if trained_on not in (None, images.fingerprint):
        typer.echo(
            f"warning: '{data}' are not the data that the model was trained on; it may know what is held out here.",
            err=True,
        )
    return images


def feature_network(features: str | None, model: str, vae: AnyVAE) -> AnyFeatureNetwork:
    """Load the network that judges a model's images; say on standard error if it learnt from other data.

    Args:
        features: name or path; None: the shipped one for images of this shape.
        model: name or path of the model.
        vae: the model.

    Raises:
        DataFileError: the file cannot be used.
    """
    from ferrogen.generation.model_file import SHIPPED
    from ferrogen.generation.pictures import picture_shape
    from ferrogen.metrics.features import feature_network_for, load_feature_network

    if features is not None:
        return load_feature_network(features)
    if model not in SHIPPED:
        typer.echo(
            "note: the features of a shipped network, which learnt from other images, judge these: distances compare"
            " models of one data set. Train one on your data (`ferrogen train --model features`) for --features.",
            err=True,
        )
    return feature_network_for(picture_shape(vae.spec))


def quantity_range(text: str, unit: str, name: str) -> list[float]:
    """Parse ``low:high:count`` (or a single value) into a list; times are spaced evenly in the logarithm.

    Raises:
        ArgumentError: anything else.
    """
    parts = text.split(":")
    if len(parts) == 1:
        return [parse_quantity(parts[0], unit, name)]
    remedy = f"Write low:high:count, for example {'0.4:1.4:6' if unit == 'V' else '1e-5:1e-2:4'}."
    count = int(parts[2]) if len(parts) == 3 and parts[2].strip().isdecimal() and len(parts[2]) < 10 else 0
    if count < 1:
        raise argument_error(name, f"be one value or a range low:high:count in {unit}", repr(text), remedy)
    low, high = parse_quantity(parts[0], unit, name), parse_quantity(parts[1], unit, name)
    if count > 200:
        raise argument_error(name, "ask for at most 200 values", repr(text), remedy)
    if count == 1:
        return [low]
    if not low < high:
        raise argument_error(name, "rise from low to high", repr(text), remedy)
    if unit == "s":
        if low <= 0.0 or high <= 0.0:
            raise argument_error(name, "be a range of positive times in seconds", repr(text), remedy)
        return [low * (high / low) ** (k / (count - 1)) for k in range(count)]
    return [low + (high - low) * k / (count - 1) for k in range(count)]


def check_output(folder: Path) -> None:
    """Refuse an output path that is a file, before any work is done.

    Raises:
        OutputError: with the path and the remedy.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"Output folder '{folder}' is a file. Choose another with --out.")


def plain(item: Any) -> dict[str, Any]:
    """Return a dataclass as plain values for JSON; what is not finite becomes None."""
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in asdict(item).items()
    }


def print_json(value: Any) -> None:
    """Print ``value`` as JSON on standard output."""
    typer.echo(json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False))


def report_share(record: Mapping[str, Any]) -> None:
    """Say how much of the latents is telegraph noise; warn when it is not most of it."""
    share = record["sampler"]["telegraph_share_of_variance"]
    typer.echo(f"  telegraph noise is {share:.1%} of the variance of a latent; the rest is amplifier and converter")
    if share < 0.5:
        typer.echo(
            "warning: most of the latents' randomness is the amplifier's, not the cells'."
            " Raise the sample voltage or the sampling time.",
            err=True,
        )
