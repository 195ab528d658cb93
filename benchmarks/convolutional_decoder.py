"""A convolutional decoder with every layer on the chip, over plain PyTorch.

    OMP_NUM_THREADS=1 python benchmarks/convolutional_decoder.py [--repetitions 20] [--batch 64]
        [--tiles 128x128 256x256 512x256 512x512]

Latent 32 -> linear 4096 -> four ConvTranspose2d(4, stride 2, padding 1) 256-128-64-32-3 -> 64 x 64 x 3, with random
weights; programming errors, read noise of every cell, 8-bit converters, on chips of several tile sizes (a pair takes
two columns). One thread, all in turns.

The peers of ``peers.py`` take part where they are installed: they leave transposed convolutions digital, so they are
measured as written (the share of the products that they compute is in the table) and with the convolutions rewritten by
hand; the slow rewrite with zeros inserted takes its turns apart, with plain torch. No peer does the same work; what
each leaves out is printed below. Prints tables and writes results/convolutional_decoder.json.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any

import peers
import torch
from timing import paired, row, write_results
from torch import nn

from ferrogen.chip.chip import Chip
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.spec import ChipSpec
from ferrogen.mapping.modules import Clock, map_layer

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


def peers_decoders(
    plain: nn.Sequential, latents: torch.Tensor, forms: Sequence[str]
) -> tuple[dict[str, peers.PeerDecoder], list[str]]:
    """Return the peers' decoders by name, and what could not be converted or run."""
    made, failed = {}, []
    for program, variant in peers.decoder_variants():
        for form in forms:
            name = f"{program} {peers.installed(program)} {variant}, {form}"
            try:
                made[name] = peers.converted(program, plain, form, latents, variant)
            except Exception as error:  # noqa: BLE001 (whatever a peer raises is its result)
                failed.append(f"{name}: {error!r}")
    return made, failed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=20)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--tiles", nargs="+", default=["128x128", "256x256", "512x256", "512x512"])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    plain, batch = decoder(), arguments.batch
    generator = torch.Generator().manual_seed(1)
    latents, typical = (torch.randn((count, 32), generator=generator) for count in (batch, 64))
    deviation = plain(latents).std()

    def error_of(images: object) -> float:
        return float((torch.as_tensor(images) - plain(latents)).square().mean().sqrt() / deviation)

    calls: dict[str, Callable[[], object]] = {"plain torch": quick(plain, latents)}
    known: dict[str, dict[str, Any]] = {"plain torch": {"layers": "", "share": 0.0, "error": 0.0, "tiles": None}}
    for size in arguments.tiles:
        rows, columns = (int(number) for number in size.split("x"))
        chip = Chip(CARD, seed=1, spec=ChipSpec(rows=rows, columns=columns, tiles=600))
        mapped = ChipDecoder(plain, chip, typical)
        name = f"every layer on the chip, tiles of {rows} x {columns}"
        calls[name] = quick(mapped, latents)
        known[name] = {"layers": "5 of 5", "share": 1.0, "error": error_of(calls[name]()), "tiles": len(chip.tiles)}
    found: list[tuple[dict[str, peers.PeerDecoder], list[str]]] = [
        peers_decoders(plain, latents, forms) for forms in (("as written", "sub-pixel"), ("zeros inserted",))
    ]
    for others, _ in found:
        for name, other in others.items():
            layers = f"{other.analog} of {other.layers}"
            known[name] = {"layers": layers, "share": other.share, "error": error_of(other.call()), "tiles": None}
    timings = paired(calls | {name: other.call for name, other in found[0][0].items()}, arguments.repetitions)
    if found[1][0]:
        slow = {"plain torch": calls["plain torch"]} | {name: other.call for name, other in found[1][0].items()}
        timings = paired(slow, rounds=5) | timings
    failed = [line for _, lines in found for line in lines]
    rows_of_table = []
    print(f"batch {batch}; errors are rms, in deviations of the images\n")
    print("| decoder | analog layers | of the products | error | CPU s | images/s (CPU) | over plain torch |")
    print("|---|---|---|---|---|---|---|")
    for name, facts in known.items():
        timing = timings[name]
        rate = batch / timing.cpu
        rows_of_table.append(row(name, timing, images_per_cpu_second=rate, **facts))
        print(
            f"| {name} | {facts['layers']} | {facts['share']:.1%} | {facts['error']:.1%} | {timing.cpu:.4f} |"
            f" {rate:.0f} | {timing.cpu_ratio:.2f} |"
        )
    for line in failed:
        print(f"\nnot run: {line}")
    peers.print_decoders()
    write_results(
        "convolutional_decoder",
        rows_of_table,
        torch=torch.__version__,
        card=CARD,
        batch=batch,
        not_run=failed,
        **peers.facts(peers.QUOTED_DECODERS),
    )


def quick(mapped: nn.Module, latents: torch.Tensor) -> Callable[[], object]:
    """Return a call that makes images without gradients."""

    def call() -> object:
        with torch.inference_mode():
            return mapped(latents)

    return call


if __name__ == "__main__":
    main()
