"""Three modules that were not written for any chip, on one: a ResNet-18, a U-Net and a transformer encoder.

ResNet-18 and U-Net come from MONAI, the transformer encoder from PyTorch, with untrained weights; the ResNet has a
quarter of the usual features, with ``--full`` all 11 million weights (minutes). Prints, for each, what share of its
products the chip does, how far its outputs are from the float module's, and which source of error does how much.
``--out FOLDER`` also writes the mapping reports and floor plans.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from monai.networks.nets.basic_unet import BasicUNet
from monai.networks.nets.resnet import ResNet
from torch import Tensor, nn

from ferrogen import Chip, ChipSpec, load_card, map_to_chip
from ferrogen.mapping.module_budget import module_budget, quadrature, relative_deviation
from ferrogen.report.mapping import save_floor_plan

CARD = "hzo-mfis-nor"
SPEC = ChipSpec(rows=128, columns=256, tiles=1024)
SOURCES = ("conductance levels", "programming", "input converter", "output converter", "everything")


def smooth_images(count: int, channels: int, side: int, generator: torch.Generator) -> Tensor:
    """Return random images that change slowly from pixel to pixel, ``(count, channels, side, side)``."""
    coarse = torch.randn(count, channels, side // 8, side // 8, generator=generator)
    return nn.functional.interpolate(coarse, size=(side, side), mode="bilinear", align_corners=False)


def residual_network(generator: torch.Generator, features: int = 16) -> tuple[nn.Module, Tensor, Tensor]:
    """Return MONAI's ResNet-18 for small images, calibration inputs and test inputs."""
    widths = [features << stage for stage in range(4)]
    module = ResNet("basic", [2, 2, 2, 2], widths, spatial_dims=2, n_input_channels=3, num_classes=10, conv1_t_size=3)
    images = [smooth_images(n, 3, 32, generator) for n in (32, 8, 8)]
    with torch.no_grad():
        module.train()(images[0])  # batch norms take over the statistics of what they see
    return module.eval(), images[1], images[2]


def u_net(generator: torch.Generator) -> tuple[nn.Module, Tensor, Tensor]:
    """Return MONAI's basic U-Net with few features, calibration inputs and test inputs."""
    module = BasicUNet(spatial_dims=2, in_channels=1, out_channels=1, features=(16, 16, 32, 64, 64, 16))
    return module.eval(), smooth_images(8, 1, 32, generator), smooth_images(8, 1, 32, generator)


def transformer(generator: torch.Generator) -> tuple[nn.Module, Tensor, Tensor]:
    """Return PyTorch's transformer encoder, calibration inputs and test inputs."""
    layer = nn.TransformerEncoderLayer(d_model=128, nhead=4, dim_feedforward=256, batch_first=True)
    module = nn.TransformerEncoder(layer, num_layers=2, enable_nested_tensor=False)
    shape = (8, 16, 128)
    return module.eval(), torch.randn(shape, generator=generator), torch.randn(shape, generator=generator)


def main() -> None:
    """Map the three modules, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="folder for reports and floor plans")
    parser.add_argument("--full", action="store_true", help="give the ResNet all its features")
    options = parser.parse_args()
    folder = options.out
    torch.set_num_threads(1)
    card = load_card(CARD)
    makers: dict[str, Callable[[torch.Generator], tuple[nn.Module, Tensor, Tensor]]] = {
        "ResNet-18": partial(residual_network, features=64 if options.full else 16),
        "U-Net": u_net,
        "Transformer encoder": transformer,
    }
    for name, make in makers.items():
        generator = torch.Generator().manual_seed(1)
        with torch.random.fork_rng():
            torch.manual_seed(1)
            module, calibration, inputs = make(generator)
        mapped = map_to_chip(module, Chip(CARD, seed=1, spec=SPEC), calibration)
        report = mapped.report()
        with torch.inference_mode():
            deviation = relative_deviation(mapped(inputs), module(inputs))
        print(f"\n{name}: {100.0 * report.coverage:.2f} % of the products on {report.tiles_used} tiles")
        print(f"  deviation from the float module {100.0 * deviation:.1f} % ({-math.log2(deviation):.1f} bits)")
        rows = module_budget(module, card, calibration, inputs, spec=SPEC, seed=1, chips=1, sources=SOURCES)
        for row in rows:
            print(f"  {row.source:22s} {100.0 * row.relative_error:6.2f} %")
        print(f"  {'sum of squares, root':22s} {100.0 * quadrature(rows):6.2f} %")
        if folder is not None:
            stem = name.lower().replace(" ", "-")
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{stem}.txt").write_text(str(report) + "\n", encoding="utf-8")
            save_floor_plan(report, folder / f"{stem}.png")
        if report.coverage < 0.95:
            raise SystemExit(f"{name}: only {100.0 * report.coverage:.1f} % of the products are on the chip")


if __name__ == "__main__":
    main()
