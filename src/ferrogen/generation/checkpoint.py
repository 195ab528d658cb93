"""Saving and restoring a run between two steps: one safetensors file, with a JSON record in its header.

One file, renamed into place, so that weights, optimisers and step number can never disagree. Nothing random
is stored: the noise of a step is found by the step's number (:mod:`ferrogen.core.streams`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from ferrogen.core.errors import ArgumentError, DataFileError
from ferrogen.core.files import atomic_path
from ferrogen.core.spec import Spec
from ferrogen.metrics.tensor_file import check_tensors, read_tensors

_KEY: Final = "ferrogen-training"
_WHAT: Final = "Checkpoint"
_REMEDY: Final = "Start anew with --fresh, or choose another --out."
_MAX_FILE_BYTES: Final = 2 * 2**30
_CURVES_KEY: Final = "curves"
_MAX_ROWS: Final = 100_000


class Resumable(Protocol):
    """A run that is made of steps, and whose whole state is in networks, optimisers and the number of steps done.

    Attributes:
        steps_done: how many steps have been done.
    """

    steps_done: int

    @property
    def spec(self) -> Spec:
        """The network."""

    @property
    def settings(self) -> Spec:
        """The training."""

    @property
    def curves(self) -> Sequence[str]:
        """Names of what a step reports."""

    @property
    def steps(self) -> int:
        """Of the whole run."""

    @property
    def steps_per_epoch(self) -> int:
        """Of one pass over the images."""

    @property
    def model(self) -> nn.Module:
        """What is trained."""

    @property
    def critic(self) -> nn.Module:
        """What it is trained against."""

    @property
    def average(self) -> nn.Module:
        """What is kept."""

    @property
    def optimisers(self) -> Mapping[str, torch.optim.Optimizer]:
        """Their moments are part of the state."""

    def step(self) -> tuple[float, ...]:
        """Do one step and return the values named in ``curves``."""


class Recorded(NamedTuple):
    """What a run has recorded so far.

    Attributes:
        curves: float64, shape ``(rows, 1 + quantities)``: a step and the means since the row before.
        validation: loss on the validation images after each epoch; empty without early stopping.
    """

    curves: Tensor
    validation: tuple[float, ...] = ()


def save_checkpoint(
    path: Path, trainer: Resumable, curves: Tensor, data_sha256: str, validation: Sequence[float] = ()
) -> None:
    """Write the state of a run, atomically.

    Args:
        path: the file.
        trainer: the run.
        curves: float64, shape ``(rows, 1 + quantities)``: what has been recorded so far.
        data_sha256: fingerprint of the training images.
        validation: losses on the validation images so far.

    Raises:
        OutputError: the folder cannot be written.
    """
    record = {
        "spec": trainer.spec.model_dump(mode="json"),
        "settings": trainer.settings.model_dump(mode="json"),
        "data_sha256": data_sha256,
        "torch": torch.__version__.split("+")[0],
        "steps_done": trainer.steps_done,
        "validation": list(validation),
    }
    tensors = {name: value.contiguous() for name, value in _state(trainer).items()} | {_CURVES_KEY: curves}
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata={_KEY: json.dumps(record)})


def restore_checkpoint(path: Path, trainer: Resumable, data_sha256: str) -> Recorded:
    """Bring a fresh run to the state that was saved, bit by bit.

    Args:
        path: the file.
        trainer: a run that has done no step; changed in place.
        data_sha256: fingerprint of the training images of now.

    Returns:
        The curves and validation losses recorded so far.

    Raises:
        DataFileError: the file is damaged or foreign.
        ArgumentError: it belongs to a run with another network, settings or data; the message names which.
    """
    tensors, metadata = read_tensors(path, what=_WHAT, limit=_MAX_FILE_BYTES)
    record = _record(metadata, path)
    _check_same_run(record, trainer, data_sha256, path)
    _create_optimiser_state(trainer)
    rows = tensors.get(_CURVES_KEY, torch.empty(0)).shape[:1]
    expected = _state(trainer) | {_CURVES_KEY: torch.empty(*rows, 1 + len(trainer.curves))}
    check_tensors(tensors, expected, path=path, what=_WHAT, remedy=_REMEDY)
    steps_done = record["steps_done"]
    if not isinstance(steps_done, int) or not 0 <= steps_done <= trainer.steps or rows[0] > _MAX_ROWS:
        raise DataFileError(f"{_WHAT} '{path}' states {steps_done!r} of {trainer.steps} steps. {_REMEDY}")
    with torch.no_grad():
        for name, value in _state(trainer).items():
            value.copy_(tensors[name])
    trainer.steps_done = steps_done
    return Recorded(tensors[_CURVES_KEY], _validation(record, path))


def _state(trainer: Resumable) -> dict[str, Tensor]:
    """Collect every tensor that a step changes; the tensors are those of the run, not copies."""
    networks = {"model": trainer.model, "critic": trainer.critic, "average": trainer.average}
    tensors = {
        f"{name}.{key}": value for name, network in networks.items() for key, value in network.state_dict().items()
    }
    for name, optimiser in trainer.optimisers.items():
        for number, parameter in enumerate(optimiser.param_groups[0]["params"]):
            for key, value in optimiser.state[parameter].items():
                tensors[f"optimiser.{name}.{number}.{key}"] = value
    return tensors


def _create_optimiser_state(trainer: Resumable) -> None:
    """Let each Adam make its moments, still zero; a step with zero gradient leaves the weights alone."""
    for optimiser in trainer.optimisers.values():
        group = optimiser.param_groups[0]
        group["lr"] = 0.0
        for parameter in group["params"]:
            parameter.grad = torch.zeros_like(parameter)
        optimiser.step()
        optimiser.zero_grad()


def _record(metadata: dict[str, str], path: Path) -> dict[str, object]:
    try:
        record = json.loads(metadata[_KEY])
    except (KeyError, ValueError, RecursionError):
        raise DataFileError(f"{_WHAT} '{path}' was not written by `ferrogen train`. {_REMEDY}") from None
    wanted = {"spec", "settings", "data_sha256", "torch", "steps_done", "validation"}
    if not isinstance(record, dict) or record.keys() != wanted:
        raise DataFileError(f"{_WHAT} '{path}' carries another record than {sorted(wanted)}. {_REMEDY}")
    return record


def _validation(record: dict[str, object], path: Path) -> tuple[float, ...]:
    losses = record["validation"]
    if isinstance(losses, list) and len(losses) <= _MAX_ROWS:
        numbers = tuple(float(loss) for loss in losses if isinstance(loss, int | float))
        if len(numbers) == len(losses) and all(map(math.isfinite, numbers)):
            return numbers
    raise DataFileError(f"{_WHAT} '{path}' states validation losses that are no numbers. {_REMEDY}")


def _check_same_run(record: dict[str, object], trainer: Resumable, data_sha256: str, path: Path) -> None:
    now: dict[str, object] = {
        "spec": trainer.spec.model_dump(mode="json"),
        "settings": trainer.settings.model_dump(mode="json"),
        "data_sha256": data_sha256,
    }
    for part, value in now.items():
        stored = record[part]
        if stored == value:
            continue
        where, before, after = part, stored, value
        if isinstance(stored, dict) and isinstance(value, dict):
            where = next(key for key in sorted(value | stored) if stored.get(key) != value.get(key))
            before, after = stored.get(where), value.get(where)
        raise ArgumentError(
            f"Argument `{where}` must be {before!r}, as in the checkpoint '{path}', but it is {after!r}. {_REMEDY}"
        )
