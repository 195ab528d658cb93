"""Ways through the latent space: from one image to another, and along single latents. Drawn by the chip.

Latents of a normal prior in many dimensions lie near a sphere; a straight line between two of them passes nearer to
the origin than latents ever are. So the way between two images is a great circle, along which the length changes
evenly from one's to the other's.

Sources: K. Shoemake, "Animating rotation with quaternion curves", doi:10.1145/325165.325242 (spherical interpolation);
T. White, "Sampling Generative Networks", arXiv:1609.04468 (in latent spaces).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ferrogen.core.errors import argument_error, is_whole
from ferrogen.generation.generator import ChipGenerator
from ferrogen.generation.provenance import provenance

MOST_FRAMES: Final = 10_000
"""Images of one figure and its file."""

_OPPOSITE: Final = 1e-6  # sine of the angle below which two directions are one line

Progress = Callable[[int], None]
"""Called with the number of images done since the last call."""


@dataclass(frozen=True, slots=True)
class LatentRows:
    """Rows of images, each a way through the latent space.

    Attributes:
        latents: float32 ``(rows, columns, latent)``.
        images: of the chip, ``(rows, columns, height, width)`` or ``(..., 3)``, in [0, 1].
        ideal: of the same latents in the float32 decoder, same shape.
        rows: what each row is.
        columns: what each column is.
        record: provenance, ready for JSON.
    """

    latents: NDArray[np.float32]
    images: NDArray[np.float32]
    ideal: NDArray[np.float32]
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    record: dict[str, Any]


def spherical_path(start: NDArray[np.floating], end: NDArray[np.floating], steps: int) -> NDArray[np.float64]:
    """Return a way from one latent vector to another, both included, along a great circle.

    The direction turns evenly, the length changes evenly.

    Args:
        start: ``(latent,)``.
        end: same shape.
        steps: how many points, at least 2.

    Returns:
        float64 ``(steps, latent)``.

    Raises:
        ArgumentError: fewer than two steps, or vectors between which no great circle leads: opposite, or zero.
    """
    share = _shares(steps)[:, None]
    first, last = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
    lengths = float(np.linalg.norm(first)), float(np.linalg.norm(last))
    if not min(lengths) > 0.0:
        raise argument_error("between", "name latents with a direction", "all zero", "Use the linear way.")
    one, other = first / lengths[0], last / lengths[1]
    # atan2 of both is exact at small and at large angles.
    angle = 2.0 * float(np.arctan2(np.linalg.norm(one - other), np.linalg.norm(one + other)))
    length = (1.0 - share) * lengths[0] + share * lengths[1]
    sine = np.sin(angle)
    if sine < _OPPOSITE:
        if angle > 1.0:
            raise argument_error(
                "between", "name latents that are not opposite", "a pair of them", "Use the linear way."
            )
        direction = (1.0 - share) * one + share * other
        return np.asarray(length * direction / np.linalg.norm(direction, axis=1, keepdims=True))
    return np.asarray(length * (np.sin((1.0 - share) * angle) * one + np.sin(share * angle) * other) / sine)


def linear_path(start: NDArray[np.floating], end: NDArray[np.floating], steps: int) -> NDArray[np.float64]:
    """Return the straight way from one latent vector to another; arguments as of :func:`spherical_path`."""
    share = _shares(steps)[:, None]
    return np.asarray((1.0 - share) * start + share * end, dtype=np.float64)


def interpolate(
    generator: ChipGenerator,
    pairs: Sequence[tuple[int, int]],
    *,
    steps: int = 9,
    linear: bool = False,
    progress: Progress | None = None,
) -> LatentRows:
    """Draw ways between images of a chip: rows of images that begin and end with the latents of two image numbers.

    The chip makes the rows' images after those they lie between: they have the numbers from the largest of ``pairs``
    plus 1 on, row by row.

    Args:
        generator: model on a chip.
        pairs: image numbers where each row begins and ends.
        steps: images in a row, both ends included.
        linear: along straight lines instead of great circles.
        progress: called with the number of images done since the last call.

    Raises:
        ArgumentError: no pair, a number that is negative, twice the same, or too many images.
    """
    if not pairs:
        raise argument_error("between", "name at least one pair of image numbers", "empty")
    for pair in pairs:
        if not all(is_whole(number, 0, 2**38) for number in pair) or pair[0] == pair[1]:
            must = "name pairs of two different image numbers that are not negative"
            raise argument_error("between", must, " ".join(map(str, pair)))
    _check_size(len(pairs), steps, "steps")
    ends = {number: generator.draw_latents(number, 1)[0] for number in sorted({n for pair in pairs for n in pair})}
    way = linear_path if linear else spherical_path
    latents = np.stack([way(ends[a], ends[b], steps) for a, b in pairs]).astype(np.float32)
    share = [f"{value:.3g}" for value in _shares(steps)]
    first = max(ends) + 1
    rows = tuple(f"{a} to {b}" for a, b in pairs)
    facts = {
        "kind": "interpolation",
        "pairs": [list(pair) for pair in pairs],
        "way": "linear" if linear else "spherical",
    }
    return _drawn(generator, latents, first, rows, tuple(share), facts, progress)


def traverse(
    generator: ChipGenerator,
    latents: Sequence[int] | None = None,
    *,
    image: int | None = 0,
    columns: int = 9,
    reach: float = 3.0,
    most: int = 8,
    progress: Progress | None = None,
) -> LatentRows:
    """Draw images along single latents, the others held.

    Args:
        generator: model on a chip.
        latents: which ones, a row each; if not given, the ``most`` ones that change the image most, by
            :func:`sensitivity`, the strongest first.
        image: number of the image at whose latents the others are held; None: at zero.
        columns: values of each latent.
        reach: they go from minus this to plus this, in standard deviations.
        most: how many latents are chosen.
        progress: called with the number of images done since the last call.

    Raises:
        ArgumentError: a latent that the model does not have, a reach that is not positive, or too many images.
    """
    if not (np.isfinite(reach) and 0.0 < reach <= 100.0):
        raise argument_error("reach", "be a positive number of standard deviations up to 100", reach)
    if not is_whole(most, 1):
        raise argument_error("most", "be at least 1", most)
    if image is not None and not is_whole(image, 0, 2**38):
        raise argument_error("image", "be an image number that is not negative", image)
    chosen = None if latents is None else list(latents)
    if chosen is not None:
        if not chosen or not all(is_whole(number, 0, generator.latents - 1) for number in chosen):
            must = f"name latents from 0 to {generator.latents - 1}, which this model has"
            raise argument_error("latents", must, " ".join(map(str, chosen)) or "empty")
        if len(set(chosen)) < len(chosen):
            raise argument_error("latents", "name every latent once", " ".join(map(str, chosen)))
    _check_size(generator.latents if chosen is None else len(chosen), columns, "columns")
    held = np.zeros(generator.latents, np.float32) if image is None else generator.draw_latents(image, 1)[0]
    values = np.linspace(-reach, reach, columns)
    strengths = sensitivity(generator, held, values)
    if chosen is None:
        chosen = [int(number) for number in np.argsort(-strengths, kind="stable")[:most]]
    moved = _moved(held, chosen, values)
    facts = {
        "kind": "traversal",
        "held_at": "zero" if image is None else f"latents of image {image}",
        "values": values.tolist(),
        "latents": chosen,
        "sensitivity": {
            "definition": "root mean square over pixels of the pixel's standard deviation along the row, float32"
            " decoder, of every latent",
            "values": strengths.tolist(),
        },
    }
    rows = tuple(f"latent {number}\n({strengths[number]:.3f})" for number in chosen)
    labels = tuple(f"{value:+.3g}" if value else "0" for value in values.tolist())
    return _drawn(generator, moved, 0 if image is None else image + 1, rows, labels, facts, progress)


def sensitivity(
    generator: ChipGenerator, held: NDArray[np.float32], values: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Measure how much each latent changes the image, in the float32 decoder.

    Args:
        generator: whose model.
        held: latents at which the others are held, ``(latent,)``.
        values: that the latent takes.

    Returns:
        For each latent the root mean square, over pixels, of the pixel's standard deviation along ``values``; pixels
        go from 0 to 1. Shape ``(latent,)``.
    """
    found = np.empty(generator.latents)
    for number in range(generator.latents):
        images = generator.decode_ideally(_moved(held, [number], values)[0]).astype(np.float64)
        found[number] = np.sqrt(images.var(axis=0).mean())
    return found


def _moved(held: NDArray[np.float32], chosen: Sequence[int], values: NDArray[np.float64]) -> NDArray[np.float32]:
    moved = np.tile(held, (len(chosen), len(values), 1))
    for row, number in enumerate(chosen):
        moved[row, :, number] = values
    return moved


def _shares(steps: int) -> NDArray[np.float64]:
    if not is_whole(steps, 2, MOST_FRAMES):
        raise argument_error("steps", f"be a whole number of images from 2 to {MOST_FRAMES}", steps)
    return np.linspace(0.0, 1.0, steps)


def _check_size(rows: int, columns: int, name: str) -> None:
    if not is_whole(columns, 2, MOST_FRAMES):
        raise argument_error(name, f"be a whole number of images from 2 to {MOST_FRAMES}", columns)
    if rows * columns > MOST_FRAMES:
        raise argument_error(
            name, f"make at most {MOST_FRAMES} images in all rows", f"{columns} in each of {rows} rows"
        )


def _drawn(
    generator: ChipGenerator,
    latents: NDArray[np.float32],
    first: int,
    rows: tuple[str, ...],
    columns: tuple[str, ...],
    facts: dict[str, Any],
    progress: Progress | None,
) -> LatentRows:
    """Decode rows of latents on the chip, as images ``first`` and following, and in float32."""
    flat = latents.reshape(-1, latents.shape[-1])
    numbers = np.arange(first, first + len(flat), dtype=np.int64)
    shape = latents.shape[:2]
    images = generator.decode(flat, numbers, progress)
    ideal = generator.decode_ideally(flat)
    record = provenance(generator, len(flat))
    difference = np.sqrt(np.mean((images.astype(np.float64) - ideal) ** 2))
    record["latent_rows"] = {**facts, "first_image_number": first, "rms_difference_from_ideal": float(difference)}
    return LatentRows(
        latents=latents,
        images=images.reshape(*shape, *images.shape[1:]),
        ideal=ideal.reshape(*shape, *ideal.shape[1:]),
        rows=rows,
        columns=columns,
        record=record,
    )
