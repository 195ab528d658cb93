"""How a decoder is trained for chips."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ferrogen.core.spec import Spec
from ferrogen.generation.hardware_aware.conditions import Conditions

_Weight = Annotated[float, Field(ge=0.0)]
_Steps = Annotated[int, Field(ge=1, le=1_000_000)]


class HardwareSettings(Spec):
    """How a decoder is trained for chips; equal settings, card and model give equal weights.

    Attributes:
        target: ``chip``: one, ``chip_seed``. ``population``: whenever one is programmed, it is a
            chip that was not seen before.
        chip_seed: of the one chip, the seed of ``ferrogen generate``.
        conditions: what the chips are like.
        steps: of the whole run.
        steps_per_chip: after so many the weights of now are programmed, on the chip or on the next one, and its
            deviations are found anew.
        steps_per_epoch: after so many there is a checkpoint and a look at the held-out latents; a multiple of
            ``steps_per_chip``.
        batch: pictures a step.
        held_out: pictures of latents that are never trained with.
        learning_rate: of Adam, relative to the rms weight of each layer; it falls linearly to zero.
        latent_weight: of the distance of the latent means, beside that of the pixels (:mod:`.distance`).
        mean_weight: of the distance of the features' means.
        covariance_weight: of the distance of their covariances.
        calibration_reads: from which a chip's latents are calibrated.
        patience: stop after so many epochs without a lower loss on the held-out latents; None: do all steps.
        seed: addresses the chips of a population.
    """

    target: Literal["chip", "population"] = "population"
    chip_seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    conditions: Conditions = Conditions()
    steps: _Steps = 1200
    steps_per_chip: _Steps = 25
    steps_per_epoch: _Steps = 100
    batch: Annotated[int, Field(ge=2, le=4096)] = 128
    held_out: Annotated[int, Field(ge=16, le=65536)] = 512
    learning_rate: Annotated[float, Field(gt=0.0, le=1.0)] = 0.002
    latent_weight: _Weight = 0.05
    mean_weight: _Weight = 1.0
    covariance_weight: _Weight = 0.1
    calibration_reads: Annotated[int, Field(ge=512)] = 1024
    patience: Annotated[int | None, Field(ge=1)] = None
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
