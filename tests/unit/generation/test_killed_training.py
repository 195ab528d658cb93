"""A training that is killed outright (SIGKILL: no handler, no clean-up) ends with the same bits as one that was not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

KINDS = ("linear", "convolutional")

SCRIPT = """
import os, signal, sys
from pathlib import Path
import numpy as np
import torch
from ferrogen.generation import checkpoint, training
from ferrogen.generation.convolutional.model import ConvVAESpec
from ferrogen.generation.convolutional.trainer import ConvTrainer, ConvTrainingSettings
from ferrogen.generation.datasets.image_set import ImageSet
from ferrogen.generation.model import VAESpec
from ferrogen.generation.trainer import Trainer, TrainingSettings
from ferrogen.generation.training import train

folder = Path(sys.argv[1])
torch.set_num_threads(1)
images = np.random.default_rng(0).integers(0, 256, (40, 28, 28), np.uint8)
colours = np.random.default_rng(1).integers(0, 256, (40, 16, 16, 3), np.uint8)
channels = {"decoder_channels": (6, 4), "encoder_channels": (4, 6)}
runs = {
    "linear": (
        VAESpec(latent=3, hidden=(16,), encoder_channels=(2, 2, 2)),
        ImageSet(images[:32], None, images[32:], None),
        TrainingSettings(epochs=3, batch=8, seed=1),
    ),
    "convolutional": (
        ConvVAESpec(side=16, latent=3, **channels),
        ImageSet(colours[:32], None, colours[32:], None),
        ConvTrainingSettings(epochs=3, batch=8, seed=1, threads=1, critic_channels=(4, 6)),
    ),
}


def dies_in_a_step(trainer_class):
    step = trainer_class.step

    def dying(self):
        if self.steps_done == 10:  # in the middle of the third epoch
            os.kill(os.getpid(), signal.SIGKILL)
        return step(self)

    trainer_class.step = dying


def dies_while_writing(_trainer_class):
    written = checkpoint.save_file

    def dying(tensors, path, metadata):
        written(tensors, path, metadata=metadata)
        if '"steps_done": 8' in next(iter(metadata.values())):  # half a second checkpoint
            os.truncate(path, os.path.getsize(path) // 2)
            os.kill(os.getpid(), signal.SIGKILL)

    checkpoint.save_file = dying


# What torch imports with its first optimiser takes seconds: once, here, for all children.
training.make_trainer(*(runs["linear"][k] for k in (0, 2, 1))).step()

for kind, deadly, trainer_class in (
    ("linear", dies_in_a_step, Trainer), ("convolutional", dies_while_writing, ConvTrainer)
):
    spec, data, settings = runs[kind]
    for name, prepare in (("killed", deadly), ("whole", lambda _: None), ("killed", lambda _: None)):
        child = os.fork()
        if child == 0:
            prepare(trainer_class)
            train(spec, data, settings, folder / kind / name)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        print(kind, name, os.WTERMSIG(status) if os.WIFSIGNALED(status) else "done", flush=True)
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    folder = tmp_path_factory.mktemp("runs")
    done = subprocess.run([sys.executable, "-c", SCRIPT, folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout.splitlines()


@pytest.mark.parametrize("kind", KINDS)
def test_killed_and_continued_is_the_same_to_the_last_bit(runs: tuple[Path, list[str]], kind: str) -> None:
    folder, said = runs
    assert [line for line in said if line.startswith(kind)] == [
        f"{kind} killed 9",
        f"{kind} whole done",
        f"{kind} killed done",
    ]
    for name in ("vae.safetensors", "curves.csv"):
        assert (folder / kind / "killed" / name).read_bytes() == (folder / kind / "whole" / name).read_bytes()
