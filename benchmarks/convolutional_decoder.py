"""A convolutional decoder with every layer on the chip, over plain PyTorch.

    OMP_NUM_THREADS=1 python benchmarks/convolutional_decoder.py [--repetitions 20] [--batch 64] [--rows 128]

Latent 32 -> linear 4096 -> four ConvTranspose2d(4, stride 2, padding 1) 256-128-64-32-3 -> 64 x 64 x 3, with random
weights; programming errors, read noise of every cell, 8-bit converters. One thread, both in turns. Prints a table and
writes results/convolutional_decoder.json.
"""

from __future__ import annotations

import argparse

import torch
from timing import paired, row, write_results
from torch import nn

from ferrogen.chip.chip import Chip
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.spec import ChipSpec
from ferrogen.mapping.modules import AnalogLayer, Clock, map_layer

CHANNELS = (256, 128, 64, 32, 3)
CARD = "hzo-mfis-nor"


def decoder(seed: int = 0) -> nn.Sequential:
    """Return the float decoder."""
    torch.manual_seed(seed)
    layers: list[nn.Module] = [nn.Linear(32, 4096), nn.ReLU(), nn.Unflatten(1, (256, 4, 4))]
    for k in range(4):
        layer = nn.ConvTranspose2d(CHANNELS[k], CHANNELS[k + 1], 4, 2, 1)
        nn.init.normal_(layer.weight, 0.0, (2.0 / (4 * CHANNELS[k])) ** 0.5)
        layers += [layer, nn.ReLU() if k < 3 else nn.Sigmoid()]
    return nn.Sequential(*layers).eval().requires_grad_(False)


class ChipDecoder(nn.Module):
    """The decoder on a chip."""

    def __init__(self, plain: nn.Sequential, chip: Chip, typical: torch.Tensor) -> None:
        super().__init__()
        point = OperatingPoint.for_card(chip.device)
        self.clock = Clock()
        self.layers = nn.ModuleList()
        for k, layer in enumerate(plain):
            if isinstance(layer, nn.Linear | nn.ConvTranspose2d):
                mapped = map_layer(layer, chip, point, clock=self.clock, name=str(k))
                typical = mapped.calibrate(typical)
                self.layers.append(mapped)
            else:
                typical = layer(typical)
                self.layers.append(layer)
        self.eval()

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        with self.clock.forward_of(latents.shape[0]):
            for layer in self.layers:
                latents = layer(latents)
        return latents


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=20)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rows", type=int, default=128)
    parser.add_argument("--columns", type=int, default=128)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    plain = decoder()
    generator = torch.Generator().manual_seed(1)
    latents = torch.randn((arguments.batch, 32), generator=generator)
    chip = Chip(CARD, seed=1, spec=ChipSpec(rows=arguments.rows, columns=arguments.columns, tiles=512))
    mapped = ChipDecoder(plain, chip, torch.randn((64, 32), generator=generator))
    with torch.inference_mode():
        wanted, made = plain(latents), mapped(latents)
        timings = paired(
            {"plain torch": lambda: plain(latents), "every layer on the chip": lambda: mapped(latents)},
            rounds=arguments.repetitions,
        )
    error = float((made - wanted).square().mean().sqrt() / wanted.std())
    products = sum(int(layer.vectors) for layer in mapped.layers if isinstance(layer, AnalogLayer))
    print(f"{len(chip.tiles)} tiles of {arguments.rows} x {arguments.columns}, batch {arguments.batch},", end=" ")
    print(f"rms error {error:.1%} of the images' deviation, {products} vectors multiplied\n")
    print("| decoder | CPU s | images/s (CPU) | over plain torch |\n|---|---|---|---|")
    for name, timing in timings.items():
        rate = arguments.batch / timing.cpu
        print(f"| {name} | {timing.cpu:.4f} | {rate:.0f} | {timing.cpu_ratio:.2f} |")
    write_results(
        "convolutional_decoder",
        [row(name, timing, images_per_cpu_second=arguments.batch / timing.cpu) for name, timing in timings.items()],
        torch=torch.__version__,
        card=CARD,
        batch=arguments.batch,
        tile=[arguments.rows, arguments.columns],
        tiles=len(chip.tiles),
        relative_rms_error=error,
    )


if __name__ == "__main__":
    main()
