"""``ferrogen train``: train the VAE, or the feature network of the scores, on a folder of IDX files."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class TrainedModel(StrEnum):
    """What can be trained."""

    VAE = "vae"
    FEATURES = "features"


def train(
    *,
    data: Annotated[Path, typer.Option(help="Folder with the four MNIST-format IDX files, plain or .gz.")],
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
    resume: Annotated[
        bool,
        typer.Option("--resume/--fresh", help="Continue from the checkpoint in --out, or start anew (vae)."),
    ] = True,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Train on any folder of 28 x 28 images. Ctrl-C leaves a checkpoint; the same command continues."""
    from ferrogen.core.errors import argument_error
    from ferrogen.generation.idx import load_idx_folder

    if model is TrainedModel.FEATURES and latent is not None:
        raise argument_error("latent", "be left out with --model features", latent)
    images = load_idx_folder(data)
    if model is TrainedModel.FEATURES:
        from ferrogen.generation.train_features import train_features

        target = out if out.suffix == ".safetensors" else out / "features.safetensors"
        chosen = {} if epochs is None else {"epochs": epochs}
        written = train_features(images, target, seed=seed, progress=not quiet, **chosen)
    else:
        from pydantic import ValidationError

        from ferrogen.core.errors import ArgumentError, InterruptionError
        from ferrogen.core.spec import explain
        from ferrogen.generation.model import VAESpec
        from ferrogen.generation.trainer import TrainingSettings
        from ferrogen.generation.training import CHECKPOINT_NAME
        from ferrogen.generation.training import train as train_vae

        try:
            spec = VAESpec.model_validate({} if latent is None else {"latent": latent})
            given = {"seed": seed} if epochs is None else {"seed": seed, "epochs": epochs}
            settings = TrainingSettings.model_validate(given)
        except ValidationError as error:
            raise ArgumentError(explain(error, subject="Argument")) from None
        try:
            written = train_vae(spec, images, settings, out, resume=resume, progress=not quiet)
        except KeyboardInterrupt:
            if not (out / CHECKPOINT_NAME).exists():
                raise
            command = "the same command" if resume else "the same command without --fresh"
            raise InterruptionError(f"interrupted; the checkpoint in '{out}' continues with {command}.") from None
    typer.echo(f"Weights: {written}")
