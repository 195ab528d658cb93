"""What ``flow_matching.py`` and ``gan.py`` share: one generator drawn four ways, scored, tabulated and pictured.

A generator is any module that takes image numbers ``(n,)`` and draws its noise with ``torch.randn`` inside of its
forward. It is run as float module and on tiles, each with ideal noise and with noise from the chip.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ferrogen import Chip, ChipSpec, map_to_chip
from ferrogen.core.files import atomic_path
from ferrogen.core.philox import addressed_normals
from ferrogen.core.streams import Purpose, Streams
from ferrogen.generation.datasets.idx import TRAIN_IMAGES, read_idx
from ferrogen.generation.latent_source import ChipLatentSource, count_draws, dedicated_source
from ferrogen.generation.model_file import load_digit_vae
from ferrogen.mapping.convert.latents import LatentSource, ServedRandomness
from ferrogen.mapping.convert.mapped import MappedModule
from ferrogen.mapping.report import MappingReport
from ferrogen.metrics.features import load_feature_network
from ferrogen.metrics.frechet import frechet_distance
from ferrogen.metrics.reference import load_reference_moments

CARD, SEED, SIDE = "hzo-mfis-nor", 1, 28
SPEC = ChipSpec(rows=128, columns=256, tiles=256)
IDEAL, NOISE, PRODUCTS, BOTH = "ideal", "noise from the chip", "products on the chip", "both on the chip"
_BATCH = 250


@dataclass(frozen=True, slots=True)
class IdealSource:
    """Standard normals found by image number and draw, from no chip; a ``LatentSource``."""

    seed: int = SEED

    def normals(self, images: NDArray[np.int64], call: int, count: int) -> NDArray[np.float32]:
        """Return numbers of the given draw, float32 ``(images, count)``."""
        key = Streams(self.seed).key(Purpose.GENERATOR_EXAMPLE, call)
        return addressed_normals(key, np.asarray(images, dtype=np.int64), count)


@dataclass(frozen=True, slots=True)
class Row:
    """One way to draw: the Frechet distance to MNIST's test images with its 95 % interval, of ``images`` images."""

    way: str
    frechet: float
    low: float
    high: float
    images: int
    seconds: float


@dataclass(frozen=True, slots=True)
class FourWays:
    """What came out.

    Attributes:
        rows: the four ways in the order ideal, noise, products, both.
        pictures: the first images of each way, float32 ``(n, 28, 28)`` in [0, 1].
        report: of the mapped module.
        source: of the chip's noise.
    """

    rows: tuple[Row, ...]
    pictures: dict[str, NDArray[np.float32]]
    report: MappingReport
    source: ChipLatentSource


def training_digits(folder: Path | None, count: int = 2000) -> Tensor:
    """Return MNIST's training images, or, without a folder, digits that the shipped VAE makes; ``(n, 1, 28, 28)``."""
    if folder is not None:
        path = folder / f"{TRAIN_IMAGES}.gz"
        pixels = read_idx(path if path.exists() else folder / TRAIN_IMAGES)
        return torch.from_numpy(pixels.astype(np.float32) / 255.0).unsqueeze(1)
    vae = load_digit_vae("mnist", "this example")
    latents = IdealSource().normals(np.arange(count, dtype=np.int64), 2**20, vae.spec.latent)
    with torch.no_grad():
        digits: Tensor = vae.decoder(torch.from_numpy(latents)).reshape(-1, 1, SIDE, SIDE)
    return digits


def random_generator(address: int) -> torch.Generator:
    """Return torch's generator for training, seeded from the project's streams."""
    key = int(Streams(SEED).key(Purpose.GENERATOR_EXAMPLE, 2**21, address))
    return torch.Generator().manual_seed(key % 2**63)


def initialise(module: nn.Module, address: int) -> None:
    """Draw all weights of layers anew (He normal), zero the biases; global random state plays no part."""
    generator = random_generator(address)
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


@torch.no_grad()
def follow(average: nn.Module, module: nn.Module, keep: float) -> None:
    """Move the exponential average of a module's weights; running statistics are copied."""
    for mean, value in zip(average.parameters(), module.parameters(), strict=True):
        mean.lerp_(value, 1.0 - keep)
    for mine, given in zip(average.buffers(), module.buffers(), strict=True):
        mine.copy_(given)


def save_half(module: nn.Module, path: Path) -> None:
    """Write weights in half precision, atomically."""
    with atomic_path(path) as temporary:
        save_file({name: value.detach().half().contiguous() for name, value in module.state_dict().items()}, temporary)


def load_half(module: nn.Module, path: Path) -> nn.Module:
    """Read weights that :func:`save_half` wrote; return the module in evaluation mode."""
    module.load_state_dict({name: value.float() for name, value in load_file(path).items()})
    return module.eval()


def batches(count: int) -> Iterator[Tensor]:
    """Yield image numbers in batches."""
    for start in range(0, count, _BATCH):
        yield torch.arange(start, min(start + _BATCH, count))


def draw_float(module: nn.Module, source: LatentSource, count: int) -> NDArray[np.float32]:
    """Return images of the float module with noise from a source, ``(count, 28, 28)``."""
    parts = []
    for numbers in batches(count):
        with torch.inference_mode(), ServedRandomness(source, numbers.numpy()):
            parts.append(module(numbers))
    return torch.cat(parts).reshape(count, SIDE, SIDE).numpy()


def draw_mapped(mapped: MappedModule, source: LatentSource, count: int) -> NDArray[np.float32]:
    """Return the first images of a generator on tiles with noise from a source, ``(count, 28, 28)``."""
    mapped.latent_source = source
    mapped.seek(0)
    with torch.inference_mode():
        images = torch.cat([mapped(numbers) for numbers in batches(count)])
    return images.reshape(count, SIDE, SIDE).numpy()


def draw_four_ways(
    module: nn.Module, count: int, *, readings: int | None = None, typical: int = 64, show: int = 36
) -> FourWays:
    """Draw ``count`` images each way and score them against MNIST's test images, as the shipped network sees them.

    Weights are programmed once: both ways with products use the same tiles, and ranges found with ideal noise.

    Args:
        module: takes image numbers and draws its noise.
        count: images each way.
        readings: numbers that the noise's tiles give in a cycle; as many as the largest draw needs, if not given.
        typical: images from which the converters' ranges are found.
        show: images of each way to keep.
    """
    chip = Chip(CARD, seed=SEED, spec=SPEC)
    draws = count_draws(module, torch.arange(2))
    source = dedicated_source(chip, draws, readings=readings or max(draws))
    mapped = map_to_chip(module, chip, torch.arange(typical), latent_source=IdealSource())
    ways: dict[str, Callable[[], NDArray[np.float32]]] = {
        IDEAL: lambda: draw_float(module, IdealSource(), count),
        NOISE: lambda: draw_float(module, source, count),
        PRODUCTS: lambda: draw_mapped(mapped, IdealSource(), count),
        BOTH: lambda: draw_mapped(mapped, source, count),
    }
    network, reference = load_feature_network("mnist"), load_reference_moments("mnist")
    rows, pictures = [], {}
    for way, make in ways.items():
        start = time.process_time()
        images = make().clip(0.0, 1.0)
        seconds = time.process_time() - start
        score = frechet_distance(network.extract(images).features, reference)
        rows.append(Row(way, score.value, score.low, score.high, count, seconds))
        pictures[way] = images[:show]
    return FourWays(tuple(rows), pictures, mapped.report(), source)


def table(rows: tuple[Row, ...]) -> str:
    """Return the rows as a Markdown table."""
    lines = ["| drawn with | Frechet distance | 95 % interval | images |", "|---|---|---|---|"]
    lines += [f"| {row.way} | {row.frechet:.2f} | {row.low:.2f} to {row.high:.2f} | {row.images} |" for row in rows]
    return "\n".join(lines)


def save_grid(pictures: dict[str, NDArray[np.float32]], path: Path) -> None:
    """Write the first images of each way, side by side, as a PNG."""
    from ferrogen.report.grids import comparison_figure  # brings matplotlib: slow to import, and only for figures

    comparison_figure(path, list(pictures.items()))


def write(result: FourWays, folder: Path, name: str) -> None:
    """Write table, numbers and picture into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.md").write_text(table(result.rows) + "\n", encoding="utf-8")
    (folder / f"{name}.json").write_text(
        json.dumps([asdict(row) for row in result.rows], indent=2) + "\n", encoding="utf-8"
    )
    save_grid(result.pictures, folder / f"{name}.png")


@dataclass(frozen=True, slots=True)
class Task:
    """What an example does when it is run.

    Attributes:
        name: of the files it writes.
        weights: shipped weights.
        reduced_steps: training steps without ``--full``.
        full_steps: training steps with it.
        reduced_images: images each way without ``--full``.
        reduced_readings: numbers of noise a cycle without ``--full``: fewer tiles to prepare.
        full_images: images each way with it.
    """

    name: str
    weights: Path
    reduced_steps: int
    full_steps: int
    reduced_images: int = 100
    reduced_readings: int = 32
    full_images: int = 5000


Trainer = Callable[..., tuple[nn.Module, list[float]]]
"""Digits and a number of steps in; trained module and losses out. Keeps weights in the file ``keep`` now and then."""


def run(
    task: Task, text: str | None, module: nn.Module, train: Trainer, generator_of: Callable[[nn.Module], nn.Module]
) -> None:
    """Train, draw four ways, print, write.

    Args:
        task: how much of each.
        text: what ``--help`` says.
        module: untrained, for weights from a file.
        train: trains such a module.
        generator_of: makes a generator of a trained module.
    """
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="train on --data, draw 5,000 images each way")
    parser.add_argument("--data", type=Path, help="folder with MNIST's IDX files")
    parser.add_argument("--weights", type=Path, help="draw with these weights and do not train")
    parser.add_argument("--steps", type=int, help="training steps")
    parser.add_argument("--images", type=int, help="images each way")
    parser.add_argument("--out", type=Path, help="folder for table, numbers, picture and trained weights")
    options = parser.parse_args()
    if options.full and options.data is None and options.weights is None:
        parser.error("--full trains on MNIST: give its folder with --data, or trained weights with --weights")
    if (options.steps is not None and options.steps < 1) or (options.images is not None and options.images < 100):
        parser.error("--steps must be at least 1, --images at least 100")
    chosen = options.weights or task.weights
    if not chosen.is_file() and (options.weights is not None or not options.full):
        parser.error(f"weights '{chosen}' do not exist")
    torch.set_num_threads(1)
    steps = options.steps or (task.full_steps if options.full else task.reduced_steps)
    count = options.images or (task.full_images if options.full else task.reduced_images)
    if options.weights is None:
        keep = None if options.out is None else options.out / f"{task.name}.safetensors"
        if keep is not None:
            keep.parent.mkdir(parents=True, exist_ok=True)
        trained, losses = train(training_digits(options.data), steps, keep=keep)
        print(f"trained for {steps} steps: loss {losses[0]:.3f} at first, {losses[-1]:.3f} at last")
        if keep is not None:
            save_half(trained, keep)
    if options.full and options.weights is None:
        module = trained
    else:
        module = load_half(module, chosen)
        if options.weights is None:
            print(f"reduced run: drawn with shipped weights, {count} images each way; --full trains and draws more")
    reduced = {} if options.full else {"readings": task.reduced_readings, "typical": 24}
    result = draw_four_ways(generator_of(module), count, **reduced)
    report, source = result.report, result.source
    print(table(result.rows))
    share, millions = 100.0 * report.coverage, report.macs_per_image / 1e6
    print(f"{share:.1f} % of {millions:.2f} million products an image are on {report.tiles_used} tiles")
    cycles, lasts = source.cycles_per_image, 1e3 * source.time_per_image
    print(f"noise: {sum(source.draws)} numbers an image, read in {cycles} cycles: {lasts:.0f} ms on the chip")
    if report.latency_per_image is not None:
        print(f"products: {1e3 * report.latency_per_image:.0f} ms, one layer and one vector after the other")
    if options.out is not None:
        write(result, options.out, task.name)
