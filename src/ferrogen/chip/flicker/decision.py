"""Is a matrix's memory worth its price? The lasting share of all the noise of its conversions says."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch

from ferrogen.chip.flicker.memory import ProductMemory
from ferrogen.chip.product import ProductMatrices
from ferrogen.core.errors import argument_error, check_number

MemoryChoice = Literal["auto", "on", "off"]

LEAST_SHARE = 0.01
"""Share of the conversions' noise variance from which on ``auto`` remembers (assumed): 1 % is 0.5 % of a deviation."""


@dataclass(frozen=True, slots=True)
class MemoryDecision:
    """What was decided for one matrix, and on what grounds: mean variances of its conversions for typical inputs.

    Attributes:
        used: whether products remember.
        remembered: variance of what lasts from cycle to cycle [A^2].
        telegraph: of all telegraph noise, the lasting included [A^2].
        electronic: of amplifier and shot noise [A^2].
        converter: of rounding, step^2 / 12 [A^2].
        bound: whether ``remembered`` is only an upper bound, all of the telegraph noise, which is too little already.
    """

    used: bool
    remembered: float
    telegraph: float
    electronic: float
    converter: float
    bound: bool = False

    @property
    def share(self) -> float:
        """What lasts, of all noise [1]."""
        whole = self.telegraph + self.electronic + self.converter
        return self.remembered / whole if whole > 0.0 else 0.0

    def __str__(self) -> str:
        """Return the decision as one line."""
        verb = "remembered from product to product" if self.used else "taken as white"
        most = "at most " if self.bound else ""
        return f"noise {verb}: {most}{100.0 * self.share:.2g} % of the conversions' noise lasts"


def _check(choice: MemoryChoice, least_share: float) -> None:
    if choice not in ("auto", "on", "off"):
        raise argument_error("memory", "be 'auto', 'on' or 'off'", repr(choice))
    check_number("least_share", least_share, "1", may_vanish=True)


def decide_at_once(
    choice: MemoryChoice,
    matrices: ProductMatrices,
    mean_square: torch.Tensor,
    electronic: torch.Tensor,
    step: float,
    *,
    least_share: float = LEAST_SHARE,
) -> MemoryDecision | None:
    """Decide without looking at the memory of any trap, where all of the telegraph noise is too little; else None.

    Arguments as in :func:`decide`, and the matrices with all of the variance.
    """
    _check(choice, least_share)
    squares = mean_square.double()[:, :, None]
    variance = (matrices.variance.double() * squares).sum(dim=1)
    if matrices.reference_variance is not None and matrices.reference_of is not None:
        variance = variance + (matrices.reference_variance.double() * squares).sum(dim=1)[:, matrices.reference_of]
    telegraph = float(variance.mean()) * matrices.drive**2
    noise = float(electronic.double().square().mean())
    bound = MemoryDecision(
        used=False,
        remembered=telegraph,
        telegraph=telegraph,
        electronic=noise,
        converter=step**2 / 12.0,
        bound=True,
    )
    return bound if choice == "auto" and bound.share < least_share else None


def decide(
    choice: MemoryChoice,
    memory: ProductMemory,
    white_variance: torch.Tensor,
    mean_square: torch.Tensor,
    electronic: torch.Tensor,
    step: float,
    *,
    least_share: float = LEAST_SHARE,
) -> MemoryDecision:
    """Decide whether a matrix remembers.

    Args:
        choice: ``auto`` goes by the share; ``on`` and ``off`` do not.
        memory: of the matrix.
        white_variance: of currents at full input without memory [A^2], ``(row_tiles, rows, outputs)``.
        mean_square: of the inputs, as shares of full input, ``(row_tiles, rows)``.
        electronic: rms of the conversions' other noise [A], any shape.
        step: of the converter [A]; 0: an ideal one.
        least_share: from which on ``auto`` remembers.

    Raises:
        ArgumentError: an unknown choice, or a share that is negative.
    """
    _check(choice, least_share)
    outputs = memory.outputs
    squares = mean_square.double()[:, :, None]
    lasting = memory.variance[memory.row_exponents.amax(dim=1) > 0].sum(dim=0)
    passing = memory.variance[memory.row_exponents.amax(dim=1) == 0].sum(dim=0)

    def of_outputs(variance: torch.Tensor) -> float:
        sums = (variance.double() * squares).sum(dim=1)
        own = sums[:, :outputs]
        if memory.reference_of is not None and sums.shape[1] > outputs:
            own = own + sums[:, outputs:][:, memory.reference_of]
        return float(own.mean())

    decided = MemoryDecision(
        used=choice == "on",
        remembered=of_outputs(lasting),
        telegraph=of_outputs(lasting + passing) + of_outputs(white_variance),
        electronic=float(electronic.double().square().mean()),
        converter=step**2 / 12.0,
    )
    return replace(decided, used=decided.share >= least_share) if choice == "auto" else decided
