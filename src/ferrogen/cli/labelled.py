"""``ferrogen generate --label``: images of wanted classes, a row each."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import typer

from ferrogen.cli import options
from ferrogen.cli.latent_options import chip_generator

_SHOWN = 12  # images of each class in the comparison
_IN_A_ROW = 8  # where one class alone fills the comparison

ChipText = tuple[str, int, int, int, str | None, str | None, str | None, str | None]
"""What :func:`ferrogen.cli.latent_options.chip_generator` takes after the model, up to the temperature."""


def write_labelled(
    model: str,
    chip: ChipText,
    label: str,
    class_file: Path | None,
    out: Path,
    *,
    count: int,
    first: int,
    fidelity: Literal["statistical", "cell"],
    pngs: bool,
    quiet: bool,
    silent: bool,
) -> dict[str, Any]:
    """Draw ``count`` images of each class that ``label`` names, write them to ``out``, and return the record.

    ``quiet`` leaves out the progress bar, ``silent`` the summary as well.

    Raises:
        FerrogenError: classes that the model does not have, or anything that `ferrogen generate` refuses.
    """
    import numpy as np

    from ferrogen.cli.progress import counting
    from ferrogen.core.files import output_folder, write_json
    from ferrogen.generation.class_prior import class_file_of, load_class_prior
    from ferrogen.generation.labelled import generate_labelled
    from ferrogen.generation.model_file import load_vae
    from ferrogen.generation.run import check_count
    from ferrogen.report.grids import image_grid, save_png
    from ferrogen.report.rows import rows_figure

    check_count(count)
    prior = load_class_prior(class_file_of(model) if class_file is None else class_file, load_vae(model))
    wanted = prior.numbers(label)
    with output_folder(out) as folder:
        generator = chip_generator(model, *chip, fidelity)
        with counting("images", count * len(wanted), quiet=quiet or silent) as step:
            features = "mnist" if model == "mnist" else None
            run = generate_labelled(
                generator, prior, wanted, count=count, first=first, features=features, progress=step
            )
        several = len(wanted) > 1
        flat = run.images.reshape(-1, *run.images.shape[2:])
        shown = run.images[:, :32].reshape(-1, *run.images.shape[2:]) if several else flat[:1024]
        save_png(folder / "images.png", image_grid(shown, min(count, 32) if several else None))
        panels = [
            ("chip: its noise, its products", run.images),
            ("the chip's latents in the float32 decoder", run.ideal),
        ]
        if several:
            panels = [(title, images[:, :_SHOWN]) for title, images in panels]
        else:
            full = max(1, min(count, 64) // _IN_A_ROW) * min(count, _IN_A_ROW)
            panels = [
                (title, images[0, :full].reshape(-1, min(count, _IN_A_ROW), *images.shape[2:]))
                for title, images in panels
            ]
        rows_figure(
            folder / "comparison.png",
            panels,
            rows=run.names if several else (),
            caption=f"Drawn by label: {', '.join(run.names)}. The first images of each, not selected.",
        )
        np.savez_compressed(
            folder / "images.npz",
            images=run.images,
            latents=run.latents,
            chip_latents_ideal_decoder=run.ideal,
            components=run.components,
            labels=np.array(run.names),
            first=np.array(first),
        )
        if pngs:
            for k, image in enumerate(flat):
                name = f"image-{run.names[k // count]}-{first + k:06d}.png"
                save_png(folder / name.replace("/", "_"), image_grid(image[None], scale=1, gap=0))
        write_json(folder / "run.json", run.record)
    if not silent:
        total = f"{count} images of each of {len(wanted)} classes" if several else f"{count} images of '{run.names[0]}'"
        typer.echo(f"{total} in {out}: images.png, comparison.png, images.npz, run.json")
        for name, score in run.scores.items():
            typer.echo(f"  {name.replace('_', ' ')}: {score}")
        options.report_share(run.record)
    return run.record
