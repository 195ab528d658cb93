"""``ferrogen train --hardware-aware CARD``: a trained decoder, trained on for one chip or for many."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def train_hardware_aware(
    base: str,
    card: str,
    out: Path,
    *,
    chip: int | None,
    resume: bool,
    quiet: bool,
    given: dict[str, Any],
    conditions: dict[str, Any],
) -> Path:
    """Run the training that options describe; return the path of the weights.

    Args:
        base: ``mnist``, ``faces``, or the path of a weight file.
        card: name or path.
        out: folder for the results.
        chip: seed of the one chip; None: a population.
        resume: continue from a checkpoint.
        quiet: show no progress.
        given: further settings; None: the default.
        conditions: what the chips are like; None: as card and default chip say.

    Raises:
        ArgumentError: values that make no sense.
        InterruptionError: after Ctrl-C; says how to go on.
    """
    from pydantic import ValidationError

    from ferrogen.core.errors import ArgumentError, InterruptionError
    from ferrogen.core.spec import explain
    from ferrogen.generation.hardware_aware.settings import HardwareSettings
    from ferrogen.generation.hardware_aware.train import train_for_hardware
    from ferrogen.generation.training import CHECKPOINT_NAME

    chosen = {name: value for name, value in given.items() if value is not None}
    target = {"target": "population"} if chip is None else {"target": "chip", "chip_seed": chip}
    try:
        settings = HardwareSettings.model_validate(chosen | target | {"conditions": conditions})
    except ValidationError as error:
        raise ArgumentError(explain(error, subject="Argument")) from None
    try:
        return train_for_hardware(base, card, settings, out, resume=resume, progress=not quiet)
    except KeyboardInterrupt:
        if not (out / CHECKPOINT_NAME).exists():
            raise
        command = "the same command" if resume else "the same command without --fresh"
        raise InterruptionError(f"interrupted; the checkpoint in '{out}' continues with {command}.") from None
