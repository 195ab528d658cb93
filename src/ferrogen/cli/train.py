"""``ferrogen train``: train a VAE, or the feature network of the scores, on any data set."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ferrogen.cli.options import As, Colour, HeldOut, Side, SkipCorrupt, read_data

if TYPE_CHECKING:
    from ferrogen.generation.datasets.image_set import ImageSet


_HARDWARE = "Training for hardware"


class Recipe(StrEnum):
    """Networks and settings that made shipped weights."""

    MNIST = "mnist"
    FACES = "faces"


class TrainedModel(StrEnum):
    """What can be trained."""

    VAE = "vae"
    FEATURES = "features"


def train(
    recipe: Annotated[
        Recipe | None,
        typer.Argument(
            help="Train as these shipped weights were.  \\[default: chosen by size and colours of the images]"
        ),
    ] = None,
    *,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of IDX files, folder or zip of images (a class per subfolder or none), or a .toml."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for weights, curves, model card and checkpoint.")],
    model: Annotated[
        TrainedModel, typer.Option(help="vae: what draws images. features: the network that judges them.")
    ] = TrainedModel.VAE,
    epochs: Annotated[
        int | None,
        typer.Option(help="Passes over the training images. Default: that of the shipped weights."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Addresses all random numbers; equal seeds give equal weights.")] = 0,
    latent: Annotated[
        int | None, typer.Option(help="Latent dimensions (vae). On the chip each costs a group of junctions.")
    ] = None,
    side: Side = None,
    colour: Colour = None,
    as_: As = None,
    held_out: HeldOut = None,
    skip_corrupt: SkipCorrupt = False,
    patience: Annotated[
        int | None,
        typer.Option(
            help="Stop after so many epochs without a lower loss on a tenth of the training images, and keep the best"
            " weights (vae).  \\[default: run all epochs]"
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(help="Threads (convolutional networks); another number, other last bits.  \\[default: 2]"),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume/--fresh", help="Continue from the checkpoint in --out, or start anew (vae)."),
    ] = True,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
    hardware_aware: Annotated[
        str | None,
        typer.Option(
            help="Device card, name or .toml: train the decoder of --base on for its chips. Takes no --data.",
            rich_help_panel=_HARDWARE,
        ),
    ] = None,
    base: Annotated[
        str, typer.Option(help="Weights to start from: 'mnist', 'faces' or a file.", rich_help_panel=_HARDWARE)
    ] = "mnist",
    chip: Annotated[
        int | None,
        typer.Option(
            help="Train for the one chip of this seed (as --seed of `ferrogen generate`).  \\[default: a population]",
            rich_help_panel=_HARDWARE,
        ),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="Steps; a multiple of 100, which make an epoch.", rich_help_panel=_HARDWARE)
    ] = None,
    levels: Annotated[
        int | None,
        typer.Option(help="Conductance levels of a cell.  \\[default: the card's]", rich_help_panel=_HARDWARE),
    ] = None,
    adc_bits: Annotated[
        int | None,
        typer.Option(help="Bits of the converters of products.  \\[default: 8]", rich_help_panel=_HARDWARE),
    ] = None,
    programming_error: Annotated[
        float | None,
        typer.Option(
            help="Rms error of unverified programming, as a share of the window.  \\[default: write-verify]",
            rich_help_panel=_HARDWARE,
        ),
    ] = None,
    stuck_share: Annotated[
        float | None,
        typer.Option(help="Share of stuck cells, half on, half off.  \\[default: none]", rich_help_panel=_HARDWARE),
    ] = None,
) -> None:
    """Train on any data set, or a trained decoder for chips. Ctrl-C leaves a checkpoint; the same command continues."""
    from ferrogen.core.errors import argument_error

    of_hardware = {
        "chip": chip,
        "steps": steps,
        "levels": levels,
        "adc_bits": adc_bits,
        "programming_error": programming_error,
        "stuck_share": stuck_share,
    }
    if hardware_aware is not None:
        from ferrogen.cli.hardware_training import train_hardware_aware

        of_data = {
            "recipe": recipe,
            "data": data,
            "latent": latent,
            "side": side,
            "colour": colour,
            "as": as_,
            "held_out": held_out,
        }
        for name, value in of_data.items():
            if value is not None:
                raise argument_error(name, "be left out with --hardware-aware, which learns from no images", value)
        if model is TrainedModel.FEATURES:
            raise argument_error("model", "be vae with --hardware-aware", model.value)
        if epochs is not None and steps is not None:
            raise argument_error("steps", "be left out where --epochs is given", steps)
        written = train_hardware_aware(
            base,
            hardware_aware,
            out,
            chip=chip,
            resume=resume,
            quiet=quiet,
            given={"seed": seed, "patience": patience, "steps": steps if epochs is None else 100 * epochs},
            conditions={name: of_hardware[name] for name in list(of_hardware)[2:]},
        )
        typer.echo(f"Weights: {written}")
        return
    for name, value in of_hardware.items():
        if value is not None:
            raise argument_error(name, "be left out without --hardware-aware", value)
    if base != "mnist":
        raise argument_error("base", "be left out without --hardware-aware", base)
    if data is None:
        raise argument_error("data", "be given", None, "Give images with --data, or a card with --hardware-aware.")
    from ferrogen.generation.recipes import RECIPE_SIZES, RecipeName
    from ferrogen.generation.stopping import check_patience

    for name, value in (("latent", latent), ("patience", patience), ("threads", threads), ("recipe", recipe)):
        if model is TrainedModel.FEATURES and value is not None:
            raise argument_error(name, "be left out with --model features", value)
    check_patience(patience)
    if recipe is not None:
        wanted, channels = RECIPE_SIZES[RecipeName(recipe)]
        remedy = f"Leave the recipe '{recipe}' out to train on images of another size or colour."
        if side not in (None, wanted):
            raise argument_error("side", f"be {wanted} pixels, or left out, for '{recipe}'", side, remedy)
        if colour is not None and colour != (channels == 3):
            must = f"be {'--colour' if channels == 3 else '--grey'}, or left out, for '{recipe}'"
            raise argument_error("colour", must, "--colour" if colour else "--grey", remedy)
        side, colour = wanted, channels == 3
    images = read_data(
        data, as_=as_, side=side, colour=colour, held_out=held_out, skip_corrupt=skip_corrupt, quiet=quiet
    )
    if model is TrainedModel.FEATURES:
        from ferrogen.generation.train_features import train_features

        target = out if out.suffix == ".safetensors" else out / "features.safetensors"
        chosen = {} if epochs is None else {"epochs": epochs}
        written = train_features(images, target, seed=seed, progress=not quiet, **chosen)
    else:
        recipe_options = {"epochs": epochs, "seed": seed, "latent": latent, "threads": threads}
        written = _train_vae(images, out, recipe_options, patience=patience, resume=resume, quiet=quiet)
    typer.echo(f"Weights: {written}")


def _train_vae(
    images: ImageSet,
    out: Path,
    recipe_options: dict[str, Any],
    *,
    patience: int | None,
    resume: bool,
    quiet: bool,
) -> Path:
    from pydantic import ValidationError

    from ferrogen.core.errors import ArgumentError, InterruptionError
    from ferrogen.core.spec import explain
    from ferrogen.generation.recipes import recipe_for
    from ferrogen.generation.training import CHECKPOINT_NAME
    from ferrogen.generation.training import train as train_vae

    try:
        spec, settings = recipe_for(images, **recipe_options)
    except ValidationError as error:
        raise ArgumentError(explain(error, subject="Argument")) from None
    if not quiet:
        typer.echo(_announcement(images), err=True)
    try:
        return train_vae(spec, images, settings, out, patience=patience, resume=resume, progress=not quiet)
    except KeyboardInterrupt:
        if not (out / CHECKPOINT_NAME).exists():
            raise
        command = "the same command" if resume else "the same command without --fresh"
        raise InterruptionError(f"interrupted; the checkpoint in '{out}' continues with {command}.") from None


def _announcement(images: ImageSet) -> str:
    classes = f", {len(images.class_names)} classes" if images.class_names else ""
    kind = "RGB" if images.channels == 3 else "grey"
    return (
        f"Data '{images.description.name}': {len(images.train_images)} images to learn from, {len(images.test_images)}"
        f" held out{classes}; {images.side} x {images.side} pixels, {kind}."
    )
