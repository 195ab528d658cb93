"""What a matrix on a chip does about memory at one operating point: the decision, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ferrogen.chip.blocks import BlockGrid
from ferrogen.chip.chip import Chip
from ferrogen.chip.flicker.decision import MemoryChoice, MemoryDecision, decide
from ferrogen.chip.flicker.memory import ProductMemory, remember
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.product import ProductMatrices


@dataclass(frozen=True, slots=True, eq=False)
class Remembering:
    """Noise divided into what lasts and what does not.

    Attributes:
        matrices: with the variance that is drawn anew for every vector.
        memory: of the rest; None: there is no rest.
        decision: and its grounds; None: nobody asked.
    """

    matrices: ProductMatrices
    memory: ProductMemory | None = None
    decision: MemoryDecision | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Divided:
    """Noise divided, whether or not it is to be remembered; see :func:`divide`.

    Attributes:
        whole: the matrices with all of the variance.
        left: with what does not last.
        memory: of what does.
    """

    whole: ProductMatrices
    left: ProductMatrices
    memory: ProductMemory

    def decided(
        self, choice: MemoryChoice, mean_square: torch.Tensor, electronic: torch.Tensor, step: float
    ) -> Remembering:
        """Decide; arguments as in :func:`ferrogen.chip.flicker.decision.decide`."""
        parts = [self.left.variance]
        if self.left.reference_variance is not None:
            parts.append(self.left.reference_variance)
        white = torch.cat(parts, dim=2) * self.left.drive**2
        decision = decide(choice, self.memory, white, mean_square, electronic, step)
        if decision.used:
            return Remembering(self.left, self.memory, decision)
        return Remembering(self.whole, None, decision)


def divide(
    chip: Chip, grid: BlockGrid, point: OperatingPoint, matrices: ProductMatrices, *, common: bool = False
) -> Divided:
    """Divide a matrix's noise into what lasts and what does not; arguments as in :func:`.remember`."""
    memory, left = remember(chip, grid, point, matrices, common=common)
    return Divided(matrices, left, memory)
