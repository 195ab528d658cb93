"""Make the shipped feature moments of test images: ``python tools/reference_moments.py mnist|faces DATA``.

DATA is the folder of MNIST's IDX files, or the folder or zip archive of CelebA's images. Means and covariances only.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from ferrogen.generation.datasets.loading import load_data
from ferrogen.metrics.features import load_feature_network
from ferrogen.metrics.frechet import feature_moments
from ferrogen.metrics.reference import save_reference_moments

if __name__ == "__main__":
    name, data = sys.argv[1], Path(sys.argv[2])
    images = load_data(data, "celeba" if name == "faces" else "mnist").test_images.astype(np.float32) / 255.0
    target = Path(__file__).parents[1] / f"src/ferrogen/metrics/weights/{name}-test-moments.safetensors"
    save_reference_moments(target, feature_moments(load_feature_network(name).extract(images).features))
    print(f"wrote {target.name} from {len(images)} images")
