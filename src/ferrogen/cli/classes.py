"""``ferrogen classes``: find where in a model's latent space each class lies, for ``generate --label``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ferrogen.cli import options


def classes(
    model: Annotated[str, typer.Argument(help="'mnist', or the path of a weight file that `ferrogen train` wrote.")],
    *,
    data: Annotated[Path, typer.Option(help="The labelled images that the model was trained on.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder for the class file and its card.  \\[default: that of the weights]")
    ] = None,
    components: Annotated[int, typer.Option(help="Gaussians a class at most.")] = 4,
    rounds: Annotated[int, typer.Option(help="Rounds of refinement: more for surer labels, fewer for diversity.")] = 5,
    seed: Annotated[int, typer.Option(help="Addresses all random numbers; equal seeds give equal files.")] = 0,
    quiet: options.Quiet = False,
    json: options.Json = False,
) -> None:
    """Fit a prior for every class of a labelled data set, so that `ferrogen generate MODEL --label NAME` works.

    Writes WEIGHTS-classes.safetensors, where `generate` finds it beside the weights, and WEIGHTS-classes.md.
    """
    from ferrogen.generation.model_file import SHIPPED

    if out is None:
        out = Path("classes") if model in SHIPPED else Path(model).parent
    options.check_output(out)
    from pydantic import ValidationError

    from ferrogen.cli.progress import stages
    from ferrogen.core.errors import ArgumentError, argument_error
    from ferrogen.core.files import output_folder
    from ferrogen.core.spec import explain
    from ferrogen.generation.class_card import class_card
    from ferrogen.generation.class_fit import ClassFitSettings, fit_classes
    from ferrogen.generation.class_prior import save_class_prior
    from ferrogen.generation.datasets.loading import load_data
    from ferrogen.generation.model_file import load_description, load_vae

    try:
        settings = ClassFitSettings.model_validate({"components": components, "rounds": rounds, "seed": seed})
    except ValidationError as error:
        raise ArgumentError(explain(error, subject="Argument")) from None
    vae = load_vae(model)
    images = load_data(data, load_description(model), progress=not (quiet or json))
    if images.train_labels is None or not images.class_names:
        remedy = "Use a data set with labels, or a folder with a subfolder for each class."
        raise argument_error("data", "name classes", f"'{data}' without any", remedy)
    with output_folder(out) as folder:
        with stages(quiet=quiet or json) as show:
            fit = fit_classes(vae, images.train_images, images.train_labels, images.class_names, settings, show)
        stem = f"{Path(model).stem}-classes"
        save_class_prior(fit.prior, folder / f"{stem}.safetensors")
        (folder / f"{stem}.md").write_text(class_card(fit, images.description, model), encoding="utf-8")
    facts = {
        "classes": list(fit.prior.spec.names),
        "code_accuracy": fit.code_accuracy,
        "held_out_labels": fit.held_out,
        "held_out_log_likelihood_nats": fit.held_out_log_likelihood,
        "yields": list(fit.yields),
        "file": str(out / f"{stem}.safetensors"),
    }
    if json:
        options.print_json(facts)
        return
    typer.echo(f"Classes {', '.join(fit.prior.spec.names)}: {facts['file']}")
    typer.echo(f"  the encoder's codes name the class of {fit.code_accuracy:.1%} of {fit.held_out} held-out labels")
    typer.echo(f"  beyond doubt for it: {fit.yields[0]:.1%} of draws before refinement, {fit.yields[-1]:.1%} after")
