"""Question: which conductances stand for which weights, and what undoes it digitally?

Enters: a weight matrix, a :class:`.CodingSpec`, the window and levels of the cells.
Leaves: target conductances of blocks of bit lines, and a digital scale for every conversion.
Not here: where blocks lie on tiles (:mod:`ferrogen.mapping.plan`); programming (:mod:`ferrogen.array.programming`).
"""

from ferrogen.mapping.coding.code import CodedMatrix, check_weight, code_matrix
from ferrogen.mapping.coding.spec import CodingSpec
from ferrogen.mapping.coding.window import CodingWindow, coding_window

__all__ = ["CodedMatrix", "CodingSpec", "CodingWindow", "check_weight", "code_matrix", "coding_window"]
