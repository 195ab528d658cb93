"""``generate`` end to end against the plain torch decoder fed by ``torch.randn``, batches of 256, one thread.

    python benchmarks/generate.py

Parts of the chip's path are timed beside the whole. Setting a chip up (drawing, programming, calibration) is timed
once, apart.
"""

from __future__ import annotations

import time
from dataclasses import asdict

import numpy as np
import torch
from timing import paired, write_results

from ferrogen.chip.chip import Chip
from ferrogen.generation.generator import ChipGenerator

BATCH = 256


def main() -> None:
    torch.set_num_threads(1)
    ChipGenerator("mnist", Chip("hzo-mfis-nor", seed=1))  # compiles
    started = time.process_time()
    generator = ChipGenerator("mnist", Chip("hzo-mfis-nor", seed=2))
    setup = time.process_time() - started
    decoder = generator.vae.decoder
    latents = torch.from_numpy(generator.draw_latents(0, BATCH))
    numbers = np.arange(BATCH, dtype=np.int64)

    @torch.inference_mode()
    def plain() -> torch.Tensor:
        images: torch.Tensor = decoder(torch.randn(BATCH, generator.latents))
        return images

    @torch.inference_mode()
    def products() -> torch.Tensor:
        return generator.decoder(latents, numbers)

    timings = paired(
        {
            "plain decoder, torch.randn": plain,
            "chip, end to end": lambda: generator.images(0, BATCH),
            "  of which latents": lambda: generator.draw_latents(0, BATCH),
            "  of which products (one batch)": products,
        },
        rounds=21,
    )
    print(f"| {BATCH} images | CPU ms | ratio |\n|---|---|---|")
    for name, timing in timings.items():
        print(f"| {name} | {1e3 * timing.cpu:.1f} | {timing.cpu_ratio:.1f} |")
    print(f"\nSetting up a chip of {len(generator.chip.tiles)} tiles once: {setup:.2f} s CPU")
    rows = [{"name": name.strip(), **asdict(timing)} for name, timing in timings.items()]
    write_results("generate", rows, batch=BATCH, setup_cpu_s=setup, tiles=len(generator.chip.tiles))


if __name__ == "__main__":
    main()
