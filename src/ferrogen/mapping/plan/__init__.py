"""Question: which cells of which tiles carry which weights?

Enters: sizes of weight matrices, a chip, a coding.
Leaves: a plan that says where every block of every matrix lies; tiles programmed once, by the plan.
Not here: what weights become (:mod:`ferrogen.mapping.coding`); products (:mod:`ferrogen.mapping.layer`).
"""

from ferrogen.chip.blocks import Block, BlockGrid
from ferrogen.mapping.plan.plan import MatrixRequest, TilePlan, plan_matrices
from ferrogen.mapping.plan.program import program_plan

__all__ = ["Block", "BlockGrid", "MatrixRequest", "TilePlan", "plan_matrices", "program_plan"]
