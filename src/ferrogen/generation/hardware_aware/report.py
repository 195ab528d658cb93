"""What a training for chips leaves beside the weights: curves as numbers and figure, and the model card."""

from __future__ import annotations

import csv
import platform
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ferrogen import __version__
from ferrogen.device.card import DeviceCard
from ferrogen.generation.hardware_aware.settings import HardwareSettings
from ferrogen.generation.hardware_aware.trainer import CURVES, HardwareTrainer

INJECTED = (
    "conductance levels of the cells",
    "programming errors, spread of the cells and stuck cells, as the chip shows them once programmed",
    "voltage drop along wires, as found once programmed",
    "read noise of the cells and of amplifiers, drawn anew for every product; what lasts counts as white noise",
    "rounding and clipping of input and output converters, their ranges set as on the chip that is used",
    "latents as the chip's own sampler draws them, memory of the telegraph noise included",
)
"""What a training forward holds that the float decoder does not."""


def write_curves(folder: Path, curves: Tensor, trainer: HardwareTrainer) -> None:
    """Write ``curves.csv``, ``held-out.csv`` and ``curves.png``.

    Args:
        folder: where to.
        curves: float64, shape ``(rows, 1 + quantities)``: a step and the means since the row before.
        trainer: the run.
    """
    losses = trainer.losses()
    epochs = [number * trainer.steps_per_epoch for number in range(len(losses))]
    for name, header, rows in (
        ("curves.csv", ["step", *CURVES[:-1]], [row[:-1] for row in curves.tolist()]),
        ("held-out.csv", ["step", CURVES[-1]], [list(row) for row in zip(epochs, losses.tolist(), strict=True)]),
    ):
        with (folder / name).open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(header)
            writer.writerows([int(step), *(f"{value:.6g}" for value in values)] for step, *values in rows)
    figure = Figure(figsize=(9.0, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    labels = ("pixels, rms [full scale]", "features' means [deviations]", "features' covariance [share]")
    for number, label in enumerate(labels, 1):
        left.plot(curves[:, 0], curves[:, number], label=label, linewidth=1.0)
    left.set(xlabel="step", ylabel="off the float decoder", yscale="log")
    left.legend()
    right.plot(epochs, losses, marker="o", markersize=3.0, linewidth=1.0)
    right.set(xlabel="step", ylabel="loss on held-out latents", yscale="log")
    figure.savefig(folder / "curves.png", dpi=150)


def write_model_card(path: Path, trainer: HardwareTrainer, card: DeviceCard, base: str, fingerprint: str) -> None:
    """Say what the weights are, for which chips, and what it brought on the held-out latents.

    Args:
        path: the file.
        trainer: the run, at its end.
        card: of the chips.
        base: what the weights were before.
        fingerprint: SHA-256 of those.
    """
    settings, losses = trainer.settings, trainer.losses()
    best = int(losses.argmin())
    found = (
        f"- Loss on {settings.held_out} held-out latents, {_judged(settings)}: {losses[0]:.5g} before,"
        f" {losses[best]:.5g} after epoch {best} of {len(losses) - 1}, whose weights these are."
    )
    steps = (
        f"- Steps: {trainer.steps_done} of {settings.steps}, {settings.batch} pictures each; the weights were"
        f" programmed every {settings.steps_per_chip} steps."
    )
    lines = [
        "# A decoder trained for its hardware",
        "",
        f"The decoder of '{base}' (SHA-256 of its tensors {fingerprint[:16]}...), trained for {_target(settings)}.",
        "",
        f"- Device card: {card.name}; {len(card.assumptions())} of its parameters are assumed.",
        f"- Different from card and default chip: {settings.conditions.describe()}.",
        steps,
        found,
        "- No images were used: the float decoder teaches. Terms of the base weights hold for these, too.",
        f"- ferrogen {__version__}, PyTorch {torch.__version__}, Python {platform.python_version()}.",
        "",
        "Injected in training:",
        "",
        *(f"- {item};" for item in INJECTED),
        "",
        "Settings:",
        "",
        "```json",
        settings.model_dump_json(indent=2),
        "```",
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _target(settings: HardwareSettings) -> str:
    if settings.target == "chip":
        return f"the one chip of seed {settings.chip_seed} (on another it is worse than without)"
    return "a population of chips, each seen once"


def _judged(settings: HardwareSettings) -> str:
    return "on that chip" if settings.target == "chip" else "on a chip that is not trained on"
