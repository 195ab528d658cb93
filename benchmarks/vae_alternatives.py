"""Which way of training the digit VAE is best? Short runs, judged on training images that were held out.

    python benchmarks/vae_alternatives.py --data FOLDER [--epochs 3] [--only NAME ...]

Prints one Markdown row per alternative: Frechet distance (feature space of the shipped digit network) of 10,000
drawn images to the 5,000 training images that no run has seen, with decoder weights as trained and with weights
rounded to 31 steps per sign and given 2 % noise. The test images are not touched.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ferrogen.core.streams import Purpose, Streams
from ferrogen.generation.datasets.idx import load_idx_folder
from ferrogen.generation.model import VAE, VAESpec
from ferrogen.generation.trainer import Trainer, TrainingSettings
from ferrogen.generation.training import as_tensor
from ferrogen.generation.training_report import draw_images
from ferrogen.metrics.features import load_feature_network
from ferrogen.metrics.frechet import Moments, feature_moments, gaussian_frechet_distance

HELD_OUT = 5_000
DRAWN = 10_000

BASE: Mapping[str, Any] = {"latent": 32, "reconstruction_weight": 0.003}
"""From here the search began; everything else is as in TrainingSettings."""

ALTERNATIVES: Mapping[str, Mapping[str, Any]] = {
    "base": {},
    "rates x 2": {"learning_rate": 4e-3, "critic_rate": 4e-3},
    "rates / 4": {"learning_rate": 5e-4, "critic_rate": 5e-4},
    "no weight noise": {"weight_noise": 0.0},
    "reconstruction x 10": {"reconstruction_weight": 0.03},
    "reconstruction / 10": {"reconstruction_weight": 0.0003},
    "gradient penalty / 10": {"gradient_penalty": 0.2},
    "16 latents": {"latent": 16},
    "64 latents": {"latent": 64},
    "plain VAE": {"adversarial_weight": 0.0},
    "plain VAE, divergence x 2": {"adversarial_weight": 0.0, "divergence_weight": 2.0},
    "as shipped: 16 latents, reconstruction / 3": {"latent": 16, "reconstruction_weight": 0.001},
}


def rounded(model: VAE, generator: np.random.Generator) -> VAE:
    """Round weights to 31 steps per sign of a layer's largest, and add noise of 2 % of the largest."""
    copy = VAE(model.spec)
    copy.load_state_dict(model.state_dict())
    for layer in copy.decoder.layers:
        weight = layer.get_parameter("weight").data
        largest = weight.abs().max()
        noise = torch.from_numpy(generator.standard_normal(tuple(weight.shape), np.float32))
        weight.copy_(((weight / largest * 31).round() / 31 + 0.02 * noise) * largest)
    return copy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=list(ALTERNATIVES), choices=list(ALTERNATIVES))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    network = load_feature_network("mnist")

    def moments(images: np.ndarray) -> Moments:
        return feature_moments(network.extract(images).features)

    images = load_idx_folder(arguments.data).train_images
    held_out = moments(images[-HELD_OUT:].astype(np.float32) / 255.0)
    floor = gaussian_frechet_distance(moments(images[:DRAWN].astype(np.float32) / 255.0), held_out)
    print("| alternative | Frechet distance | on rounded, noisy weights | divergence, nats | ms a step |")
    print("|---|---|---|---|---|")
    print(f"| (10,000 training images) | {floor:.2f} | | | |", flush=True)
    for name in arguments.only:
        changed = {**BASE, **ALTERNATIVES[name]}
        spec = VAESpec(latent=changed.pop("latent"))
        settings = TrainingSettings(epochs=arguments.epochs, **changed)
        trainer = Trainer(spec, settings, as_tensor(images[:-HELD_OUT]))
        begin = time.perf_counter()
        divergence = [trainer.step()[1] for _ in range(trainer.steps)]
        spent = (time.perf_counter() - begin) / trainer.steps
        model = trainer.result()
        noisy = rounded(model, Streams(0).generator(Purpose.PROGRAMMING))
        clean, analog = (
            gaussian_frechet_distance(moments(draw_images(each, DRAWN, 0)), held_out) for each in (model, noisy)
        )
        late = np.mean(divergence[-200:])
        print(f"| {name} | {clean:.2f} | {analog:.2f} | {late:.1f} | {1000 * spent:.0f} |", flush=True)


if __name__ == "__main__":
    main()
