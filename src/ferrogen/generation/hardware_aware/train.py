"""Training of a decoder for chips from start, or from where it was stopped, to weights, curves and model card."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from ferrogen.chip.spec import ChipSpec
from ferrogen.core.files import output_folder
from ferrogen.device.card import DeviceCard, load_card
from ferrogen.generation.hardware_aware.report import write_curves, write_model_card
from ferrogen.generation.hardware_aware.settings import HardwareSettings
from ferrogen.generation.hardware_aware.trainer import HardwareTrainer
from ferrogen.generation.model_file import AnyVAE, load_vae, save_vae
from ferrogen.generation.training import CHECKPOINT_NAME, WEIGHTS_NAME, run_training


def train_for_hardware(
    model: AnyVAE | str | Path,
    card: DeviceCard | str | Path,
    settings: HardwareSettings,
    out: Path,
    *,
    chip_spec: ChipSpec | None = None,
    resume: bool = True,
    progress: bool = False,
) -> Path:
    """Train a model's decoder for chips; write ``vae.safetensors``, curves and ``model-card.md``.

    A checkpoint is written after every epoch and on Ctrl-C. A run that was stopped or killed, and continued gives the
    same weights, bit by bit, as one that was not (same machine, same PyTorch).

    Args:
        model: a VAE, ``"mnist"``, ``"faces"``, or the path of a weight file.
        card: of the chips, its name or path.
        settings: the training.
        out: folder for the results and the checkpoint.
        chip_spec: of the chips, before the settings' conditions; the default, if not given.
        resume: continue from the checkpoint in ``out``, if there is one; otherwise start anew and replace it.
        progress: show a progress bar on standard error.

    Returns:
        The path of the weights.

    Raises:
        ArgumentError: settings that do not fit together, or a checkpoint of a different run.
        DataFileError: the weight file or the checkpoint is damaged.
        CardError: unknown or malformed card.
        OutputError: the folder cannot be written.
        FerrogenError: the training diverged.
        KeyboardInterrupt: after Ctrl-C, when the checkpoint is safe.
    """
    float_model = load_vae(model) if isinstance(model, str | Path) else model
    device = card if isinstance(card, DeviceCard) else load_card(card)
    with output_folder(out):
        pass  # an unwritable folder is found out before any work is done
    trainer = HardwareTrainer(float_model, device, settings, chip_spec)
    of_run = f"{weights_fingerprint(float_model)} {trainer.chip_spec}"
    fingerprint = hashlib.sha256(of_run.encode()).hexdigest()
    with _one_thread():
        curves = run_training(trainer, out / CHECKPOINT_NAME, fingerprint, resume=resume, progress=progress)
        base = str(model) if isinstance(model, str | Path) else "a model in memory"
        with output_folder(out) as staging:
            save_vae(trainer.result(), staging / WEIGHTS_NAME)
            write_curves(staging, curves, trainer)
            path = staging / "model-card.md"
            write_model_card(path, trainer, device, base, weights_fingerprint(float_model))
    return out / WEIGHTS_NAME


def weights_fingerprint(model: AnyVAE) -> str:
    """Return the SHA-256 of a model's tensors."""
    found = hashlib.sha256()
    for name, value in model.state_dict().items():
        found.update(name.encode())
        found.update(value.detach().contiguous().numpy().tobytes())
    return found.hexdigest()


@contextmanager
def _one_thread() -> Iterator[None]:
    """Fix the order of sums: results on another number of threads can differ in the last bit."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
