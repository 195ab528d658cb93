"""``generate`` end to end against the plain torch decoder fed by ``torch.randn``, batches of 256, one thread.

    OMP_NUM_THREADS=1 python benchmarks/generate.py [--model faces] [--rounds 21]

Parts of the chip's path are timed beside the whole. Setting a chip up (drawing, programming, calibration) is timed
once, apart. The plain decoder is float32 PyTorch in whatever is quickest of its own layouts and batches: for faces also
channels last, and the 256 images in batches of 32 or 64; the quickest is the one that the chip is compared with.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable
from dataclasses import asdict

import numpy as np
import torch
from timing import paired, write_results
from torch import nn

from ferrogen.chip.chip import Chip
from ferrogen.generation.decoder import chip_spec_for
from ferrogen.generation.generator import ChipGenerator
from ferrogen.generation.model_file import load_vae

BATCH = 256
CARD = "hzo-mfis-nor"


def plain_decoders(decoder: nn.Module, latents: int, *, convolutional: bool) -> dict[str, Callable[[], torch.Tensor]]:
    """Return the plain decoder in every way that it is tried."""

    def way(network: nn.Module, batch: int) -> Callable[[], torch.Tensor]:
        @torch.inference_mode()
        def call() -> torch.Tensor:
            return torch.cat([network(torch.randn(batch, latents)) for _ in range(BATCH // batch)])

        return call

    if not convolutional:
        return {"as it is": way(decoder, BATCH)}
    last = copy.deepcopy(decoder)
    last.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    made: dict[str, Callable[[], torch.Tensor]] = {}
    for layout, network in (("as it is", decoder), ("channels last", last)):
        made |= {f"{layout}, batches of {batch}": way(network, batch) for batch in (32, 64, BATCH)}
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=["mnist", "faces"], default="mnist")
    parser.add_argument("--rounds", type=int, default=21)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    name = arguments.model
    model = load_vae(name)
    spec = chip_spec_for(model)
    ChipGenerator(model, Chip(CARD, seed=1, spec=spec)).images(0, 1)  # compiles
    started = time.process_time()
    generator = ChipGenerator(model, Chip(CARD, seed=2, spec=spec))
    setup = time.process_time() - started
    latents = generator.draw_latents(0, BATCH)
    numbers = np.arange(BATCH, dtype=np.int64)
    ways = plain_decoders(model.decoder, generator.latents, convolutional=name == "faces")
    tried = paired(ways, rounds=7)
    best = min(tried, key=lambda way: tried[way].cpu)
    timings = paired(
        {
            "plain decoder, torch.randn": ways[best],
            "chip, end to end": lambda: generator.images(0, BATCH),
            "  of which latents": lambda: generator.draw_latents(0, BATCH),
            "  of which products": lambda: generator.decode(latents, numbers),
        },
        rounds=arguments.rounds,
    )
    print(f"| {BATCH} images | CPU ms | ratio |\n|---|---|---|")
    for label, timing in timings.items():
        print(f"| {label} | {1e3 * timing.cpu:.1f} | {timing.cpu_ratio:.2f} |")
    print(f"\nPlain decoder: {best}; others: " + ", ".join(f"{k} {1e3 * v.cpu:.1f} ms" for k, v in tried.items()))
    tiles = len(generator.chip.tiles)
    print(f"Setting up a chip of {tiles} tiles of {spec.rows} x {spec.columns} once: {setup:.2f} s CPU")
    write_results(
        "generate" if name == "mnist" else "generate_faces",
        [{"name": label.strip(), **asdict(timing)} for label, timing in timings.items()],
        batch=BATCH,
        setup_cpu_s=setup,
        tiles=tiles,
        tile=[spec.rows, spec.columns],
        plain=best,
        plain_tried={label: timing.cpu for label, timing in tried.items()},
    )


if __name__ == "__main__":
    main()
