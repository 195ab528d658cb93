"""``ferrogen reconstruct``: given images through the encoder and the chip."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ferrogen.cli import options
from ferrogen.cli.latent_options import Model, PairsPerLatent, chip_generator, whole_numbers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MOST_DRAWS_SHOWN = 8


def reconstruct(
    model: Model,
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[IMAGE]...", help="PNG, JPEG or other image files.")
    ] = None,
    *,
    data: Annotated[
        Path | None, typer.Option(help="Data set (folder or archive, as for `ferrogen train`) to take images from.")
    ] = None,
    images: Annotated[
        str | None, typer.Option(help="Numbers of held-out images of --data, e.g. '0,1,2'.  \\[default: 0-7]")
    ] = None,
    draws: Annotated[int, typer.Option(help="Reconstructions of each image, each with fresh noise of the chip.")] = 4,
    out: options.Out = Path("reconstruction"),
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
    """Encode images digitally, add the chip's noise as wide as the encoder says, decode on the chip.

    Your files are cropped and resized as the model's training images were. Writes reconstruction.png,
    reconstruction.npz and reconstruction.json.
    """
    options.check_output(out)
    import numpy as np

    from ferrogen.cli.progress import counting
    from ferrogen.core.files import output_folder, write_json
    from ferrogen.generation.reconstruction import reconstruct as run_reconstruct
    from ferrogen.report.rows import rows_figure

    names, pictures = _pictures(model, files or [], data, images)
    point = (sample_voltage, multiply_voltage, sampling_time, temperature)
    with output_folder(out) as folder:
        generator = chip_generator(model, card, seed, threads, pairs_per_latent, *point)
        with counting("images", len(pictures) * (draws + 1), quiet=quiet or json) as step:
            found = run_reconstruct(generator, pictures, draws=draws, progress=step)
        shown = found.draws[:, :_MOST_DRAWS_SHOWN]
        alone = (found.originals, found.ideal, found.from_mean)
        page = np.concatenate([*(part[:, None] for part in alone), shown, found.mean_of_draws[:, None]], axis=1)
        columns = ["original", "mean,\nfloat32", "mean,\nchip"]
        columns += [f"draw {k + 1}" for k in range(shown.shape[1])] + [f"mean of\n{draws} draws"]
        caption = (
            "Encoded digitally. Mean: decoded from the mean of the latents. Draws: the encoder's standard deviation"
            " times the chip's noise added to the mean, decoded by the chip."
        )
        rows_figure(
            folder / "reconstruction.png", [("reconstructions", page)], rows=names, columns=columns, caption=caption
        )
        np.savez_compressed(
            folder / "reconstruction.npz",
            originals=found.originals,
            ideal=found.ideal,
            from_mean=found.from_mean,
            draws=found.draws,
            mean_of_draws=found.mean_of_draws,
            latents=found.latents,
            names=np.array(names),
        )
        found.record["reconstruction"]["names"] = names
        write_json(folder / "reconstruction.json", found.record)
    if json:
        options.print_json(found.record)
        return
    typer.echo(f"{len(names)} images, {draws} draws each, in {out}: reconstruction.png, .npz, .json")
    for name, score in found.scores.items():
        if name.endswith("_rms_error"):
            typer.echo(f"  {name.replace('_', ' ')}: {score}")
    options.report_share(found.record)


def _pictures(
    model: str, files: list[Path], data: Path | None, numbers: str | None
) -> tuple[list[str], NDArray[np.float32]]:
    """Read the user's images as the model's training images were read: names, and float32 pictures in [0, 1]."""
    import numpy as np

    from ferrogen.core.errors import argument_error
    from ferrogen.generation.datasets.loading import load_data
    from ferrogen.generation.datasets.picture_file import read_picture
    from ferrogen.generation.model_file import load_description

    if not files and data is None:
        remedy = "Give image files, or --data FOLDER with --images 0,1,2."
        raise argument_error("image", "be at least one file", "none", remedy)
    if numbers is not None and data is None:
        raise argument_error("images", "come with --data", repr(numbers), "Say with --data which data set is meant.")
    description = load_description(model)
    names: list[str] = []
    pictures: list[NDArray[np.uint8]] = []
    for path in files:
        if data is not None and path.name.isdecimal() and not path.exists():
            remedy = "Write them with commas: --images 0,1,2."
            raise argument_error("images", "be one word", f"followed by '{path}'", remedy)
        pictures.append(read_picture(path, description))
        names.append(path.name if len(path.name) < 20 else f"{path.name[:8]}...{path.name[-8:]}")
    if data is not None:
        held_out = load_data(data, description).test_images
        wanted = whole_numbers(numbers, "images") if numbers is not None else range(min(8, len(held_out)))
        for number in wanted:
            if number >= len(held_out):
                must = f"be numbers of held-out images, below {len(held_out)}"
                raise argument_error("images", must, number)
            pictures.append(held_out[number])
            names.append(f"image {number}")
    return names, np.stack(pictures).astype(np.float32) / np.float32(255.0)
