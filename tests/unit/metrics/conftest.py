from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from ferrogen.generation.datasets.idx import load_idx_folder
from ferrogen.generation.datasets.image_set import ImageSet
from ferrogen.metrics.features import FeatureNetwork, load_feature_network

MNIST = Path(__file__).parents[3] / "../shared/data/mnist"


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20)


@pytest.fixture(scope="session")
def network() -> FeatureNetwork:
    return load_feature_network()


@pytest.fixture(scope="session")
def mnist() -> ImageSet:
    if not MNIST.is_dir():
        pytest.skip("needs the MNIST files in ../shared/data/mnist")
    return load_idx_folder(MNIST)
