"""Training of the VAE from start, or from where it was stopped, to weights, curves and model card."""

from __future__ import annotations

import hashlib
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
import torch
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from torch import Tensor

from ferrogen.core.errors import FerrogenError, argument_error
from ferrogen.core.files import output_folder
from ferrogen.generation.checkpoint import restore_checkpoint, save_checkpoint
from ferrogen.generation.idx import ImageData
from ferrogen.generation.model import PIXELS, SIDE, VAESpec
from ferrogen.generation.model_file import save_vae
from ferrogen.generation.trainer import CURVES, Trainer, TrainingSettings
from ferrogen.generation.training_report import write_curves, write_model_card

WEIGHTS_NAME: Final = "vae.safetensors"
CHECKPOINT_NAME: Final = "checkpoint.safetensors"

_ROWS_PER_EPOCH: Final = 10


def train(
    spec: VAESpec,
    data: ImageData,
    settings: TrainingSettings,
    out: Path,
    *,
    resume: bool = True,
    progress: bool = False,
) -> Path:
    """Train a VAE and write ``vae.safetensors``, ``curves.csv``, ``curves.png`` and ``model-card.md``.

    A checkpoint is written after every epoch and on Ctrl-C. A run that was stopped and continued gives the
    same weights, bit by bit, as one that was not (same machine, same PyTorch). The test images are used once,
    after the last step, for the figures on the model card.

    Args:
        spec: the network.
        data: 28 x 28 images; only the training images are learnt from. Labels are not used.
        settings: the training; equal settings, data and spec give equal weights.
        out: folder for the results and the checkpoint.
        resume: continue from the checkpoint in ``out``, if there is one; otherwise start anew and replace it.
        progress: show a progress bar on standard error.

    Returns:
        The path of the weights.

    Raises:
        ArgumentError: images of another size, fewer than a batch, or a checkpoint of a different run.
        DataFileError: the checkpoint is damaged.
        OutputError: the folder cannot be written.
        FerrogenError: the training diverged.
        KeyboardInterrupt: after Ctrl-C, when the checkpoint is safe.
    """
    if data.train_images.shape[1:] != (SIDE, SIDE) or len(data.train_images) < settings.batch:
        raise argument_error(
            "data",
            f"hold at least one batch ({settings.batch}) of training images of {SIDE} x {SIDE} pixels",
            f"of shape {data.train_images.shape}",
        )
    fingerprint = hashlib.sha256(np.ascontiguousarray(data.train_images).tobytes()).hexdigest()
    with output_folder(out):
        pass  # an unwritable folder is found out before any work is done
    with _one_thread():
        trainer = Trainer(spec, settings, as_tensor(data.train_images))
        checkpoint = out / CHECKPOINT_NAME
        curves = torch.empty(0, 1 + len(CURVES), dtype=torch.float64)
        if resume and checkpoint.exists():
            curves = restore_checkpoint(checkpoint, trainer, fingerprint)

        def save(now: Tensor) -> None:
            save_checkpoint(checkpoint, trainer, now, fingerprint)

        curves = _run(trainer, curves, save, progress=progress)
        model = trainer.result()
        with output_folder(out) as staging:
            save_vae(model, staging / WEIGHTS_NAME)
            write_curves(staging, curves.numpy(), trainer.steps_per_epoch)
            write_model_card(staging / "model-card.md", model, settings, data, fingerprint)
    return out / WEIGHTS_NAME


def as_tensor(images: np.ndarray) -> Tensor:
    """Turn uint8 images of shape ``(n, 28, 28)`` into float32 of shape ``(n, 784)`` with values in [0, 1]."""
    return torch.from_numpy(images.reshape(len(images), PIXELS).astype(np.float32) / 255.0)


def _run(trainer: Trainer, curves: Tensor, save: Callable[[Tensor], None], *, progress: bool) -> Tensor:
    stride = max(1, trainer.steps_per_epoch // _ROWS_PER_EPOCH)
    recent: list[tuple[float, ...]] = []
    with _interruption() as interrupted, _bar(trainer, shown=progress) as advance:
        while trainer.steps_done < trainer.steps:
            values = trainer.step()
            recent.append(values)
            if trainer.steps_done % stride == 0:
                row = torch.tensor([[trainer.steps_done, *np.mean(recent, axis=0)]], dtype=torch.float64)
                recent.clear()
                if not bool(torch.isfinite(row).all()):
                    raise FerrogenError(
                        f"Training diverged: NaN or infinity before step {trainer.steps_done}."
                        " Lower the learning rates, or raise gradient_penalty."
                    )
                curves = torch.cat([curves, row])
            advance(values)
            stopped = interrupted()
            if trainer.steps_done % trainer.steps_per_epoch == 0 or stopped:
                save(curves)
            if stopped:
                raise KeyboardInterrupt
    return curves


@contextmanager
def _bar(trainer: Trainer, *, shown: bool) -> Iterator[Callable[[tuple[float, ...]], None]]:
    columns = (
        TextColumn("Training"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("steps, {task.fields[state]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), disable=not shown) as bar:
        task = bar.add_task("", total=trainer.steps, completed=trainer.steps_done, state="")

        def advance(values: tuple[float, ...]) -> None:
            bar.update(task, completed=trainer.steps_done, state=f"reconstruction {values[0]:.0f} nats")

        yield advance


@contextmanager
def _interruption() -> Iterator[Callable[[], bool]]:
    """Hold Ctrl-C back until the step is whole; a second one stops at once."""
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False  # only the main thread may handle signals
        return
    asked = threading.Event()
    before = signal.getsignal(signal.SIGINT)

    def note(_number: int, _frame: object) -> None:
        asked.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, note)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Fix the order of sums: results on several threads can differ in the last bit."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
