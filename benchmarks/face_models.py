"""Which way of training the face model is best? Equal short runs, judged on training images that no run has seen.

    python benchmarks/face_models.py --data CELEBA --out FOLDER [--epochs 8] [--only NAME ...] [--threads 1]
    python benchmarks/face_models.py --data CELEBA --weights PLAIN.safetensors [MORE.safetensors ...]

The first form trains every alternative on the first 7,000 images, prints one Markdown row for each and writes
``results/face_models.json``; trained models stay in FOLDER, where a second call finds them. It shows the Frechet
distance (feature space of the shipped face network) of 2,000 drawn images to the last 1,000 training images, root
mean square error of their reconstructions, and processor time a step. The held-out images are not touched. ``prior
fitted`` replaces the normal prior by a Gaussian with mean and covariance of the encoded training images; it costs the
chip nothing, because it can be multiplied into the first layer.

The second form judges finished weight files on the 2,000 held-out images, 5,000 drawn images each, as they are and with
white noise of 2 % of full scale added to every pixel value: it shows how much of a distance is missing grain.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from timing import write_results

from ferrogen.core.streams import Purpose, Streams
from ferrogen.generation.convolutional.model import ConvVAE, ConvVAESpec
from ferrogen.generation.convolutional.trainer import ConvTrainer, ConvTrainingSettings
from ferrogen.generation.datasets.loading import load_data
from ferrogen.generation.model_file import load_vae, save_vae
from ferrogen.generation.pictures import as_network_input, as_pictures
from ferrogen.metrics.features import load_feature_network
from ferrogen.metrics.frechet import frechet_distance
from ferrogen.metrics.score import Score

TRAINED_ON = 7_000
JUDGED_ON = 1_000
DRAWN = 2_000
DRAWN_OF_FINISHED = 5_000
SEED = 3

ALTERNATIVES: Mapping[str, Mapping[str, Any]] = {
    "plain VAE": {"adversarial_weight": 0.0},
    "plain VAE, prior fitted": {"adversarial_weight": 0.0},
    "plain VAE, pixel deviation x 3": {"adversarial_weight": 0.0, "pixel_deviation": 0.3},
    "critic alone (GAN)": {"vae_weight": 1e-12, "feature_weight": 0.0},
    "VAE and critic": {"feature_weight": 0.0},
    "as shipped": {},
    "as shipped, prior fitted": {},
    "as shipped, reconstruction x 10": {"vae_weight": 1e-3},
    "as shipped, gradient penalty / 10": {"gradient_penalty": 0.05},
}
"""What differs from the defaults of ConvTrainingSettings."""


def latents(model: ConvVAE, count: int, training: NDArray[np.uint8] | None) -> torch.Tensor:
    """Draw latents from the normal prior, or, given training images, from the Gaussian fitted to their codes."""
    generator = Streams(SEED).generator(Purpose.TRAINING, 9)
    normal = torch.from_numpy(generator.standard_normal((count, model.spec.latent), np.float32))
    if training is None:
        return normal
    means, variances = [], []
    with torch.inference_mode():
        for first in range(0, len(training), 500):
            mean, log_variance = model.encoder(as_network_input(scaled(training[first : first + 500]), model.spec))
            means.append(mean)
            variances.append(log_variance.exp())
    codes = torch.cat(means).double()
    covariance = torch.cov(codes.T) + torch.diag(torch.cat(variances).double().mean(0))
    fitted: torch.Tensor = codes.mean(0) + normal.double() @ torch.linalg.cholesky(covariance).T
    return fitted.float()


def scaled(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    return images.astype(np.float32) / np.float32(255.0)


def drawn(model: ConvVAE, given: torch.Tensor) -> NDArray[np.float32]:
    with torch.inference_mode():
        return np.concatenate(
            [as_pictures(model.decoder(given[k : k + 250]), model.spec) for k in range(0, len(given), 250)]
        )


def reconstruction_error(model: ConvVAE, images: NDArray[np.uint8]) -> float:
    squares = 0.0
    with torch.inference_mode():
        for first in range(0, len(images), 250):
            wanted = as_network_input(scaled(images[first : first + 250]), model.spec)
            squares += float((model(wanted) - wanted).square().double().sum())
    return float((squares / images.size) ** 0.5)


def judge(pictures: NDArray[np.float32], reference: NDArray[np.uint8]) -> Score:
    network = load_feature_network("faces")
    return frechet_distance(network.extract(pictures).features, network.extract(scaled(reference)).features, seed=SEED)


def judge_finished(paths: list[Path], held_out: NDArray[np.uint8]) -> None:
    print("| weights | Frechet distance | with white noise of 0.02 | error of reconstructions |")
    print("|---|---|---|---|")
    for path in paths:
        model = load_vae(path if path.exists() else str(path))
        if not isinstance(model, ConvVAE):
            raise SystemExit(f"{path} holds no convolutional model.")
        pictures = drawn(model, latents(model, DRAWN_OF_FINISHED, None))
        generator = Streams(SEED).generator(Purpose.TRAINING, 10)
        grainy = np.clip(pictures + 0.02 * generator.standard_normal(pictures.shape, np.float32), 0.0, 1.0)
        scores = f"{judge(pictures, held_out)} | {judge(grainy, held_out)}"
        print(f"| {path.stem} | {scores} | {reconstruction_error(model, held_out):.4f} |", flush=True)


def trained(name: str, images: torch.Tensor, out: Path, epochs: int, threads: int) -> tuple[ConvVAE, float]:
    """Train an alternative, or load it if an earlier call did; return it with the processor time of a step [s]."""
    kind = name.removesuffix(", prior fitted")
    path = out / f"{re.sub('[^a-z0-9]+', '-', kind.lower())}-{epochs}.safetensors"
    record = path.with_suffix(".json")
    if not record.exists():
        settings = ConvTrainingSettings(epochs=epochs, threads=threads, **ALTERNATIVES[kind])
        trainer = ConvTrainer(ConvVAESpec(), settings, images)
        begun = time.process_time()
        for _ in range(trainer.steps):
            trainer.step()
        cost = (time.process_time() - begun) / trainer.steps
        save_vae(trainer.result(), path)
        record.write_text(json.dumps(cost), encoding="utf-8")
    model = load_vae(path)
    if not isinstance(model, ConvVAE):
        raise SystemExit(f"{path} holds no convolutional model.")
    return model, float(json.loads(record.read_text(encoding="utf-8")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("face-models"))
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=list(ALTERNATIVES), choices=list(ALTERNATIVES))
    parser.add_argument("--weights", type=Path, nargs="*")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    data = load_data(arguments.data)
    if arguments.weights:
        judge_finished(arguments.weights, data.test_images)
        return
    training, judged = data.train_images[:TRAINED_ON], data.train_images[-JUDGED_ON:]
    tensor = torch.from_numpy(np.ascontiguousarray(training.transpose(0, 3, 1, 2)))
    arguments.out.mkdir(parents=True, exist_ok=True)
    models = {
        name: trained(name, tensor, arguments.out, arguments.epochs, arguments.threads) for name in arguments.only
    }
    print("| alternative | Frechet distance | error of reconstructions | ms a step (processor) |")
    print("|---|---|---|---|")
    rows: list[dict[str, Any]] = []
    for name, (model, cost) in models.items():
        chosen = latents(model, DRAWN, training if name.endswith("prior fitted") else None)
        score = judge(drawn(model, chosen), judged)
        error = reconstruction_error(model, judged)
        print(f"| {name} | {score} | {error:.4f} | {1e3 * cost:.0f} |", flush=True)
        rows.append({"name": name, "frechet": score.to_dict(), "reconstruction_rms": error, "step_s": cost})
    write_results("face_models", rows, epochs=arguments.epochs, trained_on=TRAINED_ON, judged_on=JUDGED_ON, drawn=DRAWN)


if __name__ == "__main__":
    main()
