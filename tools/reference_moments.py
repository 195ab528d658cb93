"""Make the shipped feature moments of the MNIST test images: ``python tools/reference_moments.py IDX_FOLDER``."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from ferrogen.generation.idx import load_idx_folder
from ferrogen.metrics.features import load_feature_network
from ferrogen.metrics.frechet import feature_moments
from ferrogen.metrics.reference import save_reference_moments

if __name__ == "__main__":
    images = load_idx_folder(Path(sys.argv[1])).test_images.astype(np.float32) / 255.0
    target = Path(__file__).parents[1] / "src/ferrogen/metrics/weights/mnist-test-moments.safetensors"
    save_reference_moments(target, feature_moments(load_feature_network("mnist").extract(images).features))
    print(f"wrote {target.name} from {len(images)} images")
