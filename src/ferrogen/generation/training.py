"""Training of a VAE from start, or from where it was stopped, to weights, curves and model card."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
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

from ferrogen.core.errors import ArgumentError, FerrogenError, argument_error
from ferrogen.core.files import output_folder
from ferrogen.generation.checkpoint import Recorded, Resumable, restore_checkpoint, save_checkpoint
from ferrogen.generation.convolutional.model import ConvVAESpec
from ferrogen.generation.convolutional.trainer import ConvTrainer, ConvTrainingSettings
from ferrogen.generation.datasets.image_set import ImageSet
from ferrogen.generation.model import PIXELS, VAESpec
from ferrogen.generation.model_file import AnyVAE, load_vae, save_vae
from ferrogen.generation.pictures import picture_shape
from ferrogen.generation.recipes import AnySettings, AnySpec
from ferrogen.generation.stopping import check_patience, is_best, should_stop, split_validation, validation_loss
from ferrogen.generation.trainer import Trainer, TrainingSettings
from ferrogen.generation.training_report import write_curves, write_model_card

WEIGHTS_NAME: Final = "vae.safetensors"
CHECKPOINT_NAME: Final = "checkpoint.safetensors"
BEST_NAME: Final = "best.safetensors"

_ROWS_PER_EPOCH: Final = 10


def train(
    spec: AnySpec,
    data: ImageSet,
    settings: AnySettings,
    out: Path,
    *,
    patience: int | None = None,
    resume: bool = True,
    progress: bool = False,
) -> Path:
    """Train a VAE and write ``vae.safetensors``, ``curves.csv``, ``curves.png`` and ``model-card.md``.

    A checkpoint is written after every epoch and on Ctrl-C. A run that was stopped, killed or interrupted, and
    continued gives the same weights, bit by bit, as one that was not (same machine, same PyTorch). The held-out images
    are used once, after the last step, for the figures on the model card.

    Args:
        spec: the network.
        data: images of the network's size; only the training images are learnt from. Labels are not used.
        settings: the training; equal settings, data and spec give equal weights.
        out: folder for the results and the checkpoint.
        patience: stop after as many epochs without a lower loss on a tenth of the training images, which is not learnt
            from, and keep the best epoch's weights (:mod:`ferrogen.generation.stopping`). None: run all epochs.
        resume: continue from the checkpoint in ``out``, if there is one; otherwise start anew and replace it.
        progress: show a progress bar on standard error.

    Returns:
        The path of the weights.

    Raises:
        ArgumentError: images of another size, fewer than a batch, settings of another kind of network, or a checkpoint
            of a different run.
        DataFileError: the checkpoint is damaged.
        OutputError: the folder cannot be written.
        FerrogenError: the training diverged.
        KeyboardInterrupt: after Ctrl-C, when the checkpoint is safe.
    """
    check_patience(patience)
    learnt, validation = (data, None) if patience is None else split_validation(data, settings.seed)
    with output_folder(out):
        pass  # an unwritable folder is found out before any work is done
    with _threads(settings.threads if isinstance(settings, ConvTrainingSettings) else 1):
        trainer = make_trainer(spec, settings, learnt)
        watch = (
            None if validation is None or patience is None else Watch(trainer, validation, patience, out / BEST_NAME)
        )
        curves = run_training(
            trainer, out / CHECKPOINT_NAME, learnt.fingerprint, watch=watch, resume=resume, progress=progress
        )
        model = trainer.result() if watch is None else load_vae(watch.best)
        with output_folder(out) as staging:
            save_vae(model, staging / WEIGHTS_NAME, data.description)
            write_curves(staging, trainer.curves, curves.numpy(), trainer.steps_per_epoch)
            stopping = None if watch is None else watch.summary()
            write_model_card(staging / "model-card.md", model, settings, data, stopping=stopping)
        (out / BEST_NAME).unlink(missing_ok=True)
    return out / WEIGHTS_NAME


def make_trainer(spec: AnySpec, settings: AnySettings, data: ImageSet) -> Trainer | ConvTrainer:
    """Return a run that has done no step.

    Raises:
        ArgumentError: images of another size, fewer than a batch, or settings of another kind of network.
    """
    images, wanted = data.train_images, picture_shape(spec)
    if images.shape[1:] != wanted or len(images) < settings.batch:
        size = " x ".join(map(str, wanted[:2])) + (" RGB" if len(wanted) == 3 else "")
        raise argument_error(
            "data",
            f"hold at least one batch ({settings.batch}) of training images of {size} pixels",
            f"of shape {images.shape}",
        )
    if isinstance(spec, VAESpec) and isinstance(settings, TrainingSettings):
        return Trainer(spec, settings, as_tensor(images))
    if isinstance(spec, ConvVAESpec) and isinstance(settings, ConvTrainingSettings):
        if len(settings.critic_channels) != len(spec.encoder_channels):
            must = f"have {len(spec.encoder_channels)} entries, as many as a side of {spec.side} pixels is halved"
            raise argument_error("critic_channels", must, settings.critic_channels)
        return ConvTrainer(spec, settings, as_colour_planes(images))
    raise ArgumentError("Argument `settings` must be those of the same kind of network as `spec`, but they are not.")


def as_tensor(images: NDArray[np.uint8]) -> Tensor:
    """Turn uint8 images of shape ``(n, 28, 28)`` into float32 of shape ``(n, 784)`` with values in [0, 1]."""
    return torch.from_numpy(images.reshape(len(images), PIXELS).astype(np.float32) / 255.0)


def as_colour_planes(images: NDArray[np.uint8]) -> Tensor:
    """Turn uint8 images ``(n, side, side)`` or ``(n, side, side, 3)`` into uint8 ``(n, channels, side, side)``."""
    planes = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
    return torch.from_numpy(np.array(planes, order="C"))  # a copy: what is read from files may be read-only


@dataclass(slots=True)
class Watch:
    """Early stopping of one run: losses on the validation images so far, and where the best weights are kept.

    Attributes:
        trainer: the run.
        images: the validation images, uint8.
        patience: epochs without a better loss after which the run ends.
        best: weight file of the best epoch.
        losses: one per epoch, nats an image.
    """

    trainer: Trainer | ConvTrainer
    images: NDArray[np.uint8]
    patience: int
    best: Path
    losses: list[float] = field(default_factory=list)

    def look(self) -> None:
        """Judge the run after an epoch; keep its weights if they are the best."""
        model: AnyVAE = self.trainer.result()
        loss = validation_loss(model, self.images, self.trainer.settings)
        if not np.isfinite(loss):
            raise FerrogenError("Training diverged: the loss on the validation images is NaN or infinite.")
        self.losses.append(loss)
        if is_best(self.losses):
            # Before the checkpoint: a run killed in between repeats the epoch, and writes the same file again.
            save_vae(model, self.best)

    @property
    def over(self) -> bool:
        """Whether patience has run out."""
        return should_stop(self.losses, self.patience)

    def summary(self) -> str:
        """Say in a sentence what happened."""
        best = int(np.argmin(self.losses))
        return (
            f"Early stopping with a patience of {self.patience} epochs on {len(self.images)} images taken from the"
            f" training images: {len(self.losses)} epochs were run; the weights are those after epoch {best + 1},"
            f" with a loss of {self.losses[best]:.1f} nats an image."
        )


def run_training(
    trainer: Resumable,
    checkpoint: Path,
    fingerprint: str,
    *,
    watch: Watch | None = None,
    resume: bool = True,
    progress: bool = False,
) -> Tensor:
    """Do all steps of a run that are left, with a checkpoint after each epoch and on Ctrl-C.

    Args:
        trainer: a run that has done no step; changed in place. Any that has the state a checkpoint saves.
        checkpoint: the file.
        fingerprint: of the training images.
        watch: ends the run early.
        resume: continue from the checkpoint, if there is one.
        progress: show a progress bar on standard error.

    Returns:
        The curves, float64, shape ``(rows, 1 + quantities)``: a step and the means since the row before.

    Raises:
        FerrogenError: the training diverged.
        KeyboardInterrupt: after Ctrl-C, when the checkpoint is safe.
    """
    recorded = Recorded(torch.empty(0, 1 + len(trainer.curves), dtype=torch.float64))
    if resume and checkpoint.exists():
        recorded = restore_checkpoint(checkpoint, trainer, fingerprint)
    curves = recorded.curves
    if watch is not None:
        watch.losses[:] = recorded.validation
    stride = max(1, trainer.steps_per_epoch // _ROWS_PER_EPOCH)
    recent: list[tuple[float, ...]] = []
    with _interruption() as interrupted, _bar(trainer, shown=progress) as advance:
        while trainer.steps_done < trainer.steps and not (watch is not None and watch.over):
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
            whole, stopped = trainer.steps_done % trainer.steps_per_epoch == 0, interrupted()
            if whole and watch is not None:
                watch.look()
            if whole or stopped:
                losses = () if watch is None else watch.losses
                save_checkpoint(checkpoint, trainer, curves, fingerprint, losses)
            if stopped:
                raise KeyboardInterrupt
    return curves


@contextmanager
def _bar(trainer: Resumable, *, shown: bool) -> Iterator[Callable[[tuple[float, ...]], None]]:
    columns = (
        TextColumn("Training"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("steps, {task.fields[state]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    name = trainer.curves[0]
    first, unit = name.removesuffix("_nats").replace("_", " "), " nats" if name.endswith("_nats") else ""
    with Progress(*columns, console=Console(stderr=True), disable=not shown) as bar:
        task = bar.add_task("", total=trainer.steps, completed=trainer.steps_done, state="")

        def advance(values: tuple[float, ...]) -> None:
            bar.update(task, completed=trainer.steps_done, state=f"{first} {values[0]:.4g}{unit}")

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
def _threads(count: int) -> Iterator[None]:
    """Fix the order of sums: results on another number of threads can differ in the last bit."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
