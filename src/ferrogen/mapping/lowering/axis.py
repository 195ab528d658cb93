"""One spatial dimension of a product: which inputs its positions look at, and which outputs they make."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Window:
    """The taps of one part along one dimension, and where it goes: position ``j``, tap ``t``, as the attributes say.

    Attributes:
        taps: kernel indices, in the order of the inputs they meet.
        first: input that tap 0 meets at position 0; below 0 it is padding.
        spacing: inputs from tap to tap.
        step: inputs from position to position.
        output_first: output that position 0 makes.
        output_step: outputs from position to position.
        positions: how many there are.
    """

    taps: tuple[int, ...]
    first: int
    spacing: int
    step: int
    output_first: int
    output_step: int
    positions: int

    @property
    def span(self) -> int:
        """Inputs from the first to the last tap."""
        return (len(self.taps) - 1) * self.spacing + 1

    @property
    def stop(self) -> int:
        """One more than the last input that is met."""
        return self.first + (self.positions - 1) * self.step + self.span


@dataclass(frozen=True, slots=True)
class Axis:
    """One spatial dimension of a convolution.

    Attributes:
        kernel: number of taps.
        stride: of the positions (transposed: of the inputs among the outputs).
        dilation: inputs (transposed: outputs) from tap to tap.
        before: padding in front (transposed: outputs cut off there).
        after: likewise behind.
        output_padding: outputs added behind (transposed only).
        transposed: whether the convolution is.
    """

    kernel: int
    stride: int
    dilation: int
    before: int
    after: int
    output_padding: int = 0
    transposed: bool = False

    @property
    def reach(self) -> int:
        """Inputs (transposed: outputs) from the first to the last tap."""
        return self.dilation * (self.kernel - 1) + 1

    def outputs(self, inputs: int) -> int:
        """Return how many outputs there are; not positive: the kernel does not fit."""
        if self.transposed:
            return (inputs - 1) * self.stride - self.before - self.after + self.reach + self.output_padding
        return (inputs + self.before + self.after - self.reach) // self.stride + 1

    def phases(self) -> tuple[int, ...]:
        """Return the residues, modulo the stride, of outputs (before anything is cut off) that have taps.

        A convolution that is not transposed has one phase.
        """
        if not self.transposed:
            return (0,)
        return tuple(sorted({tap * self.dilation % self.stride for tap in range(self.kernel)}))

    def taps(self, phase: int) -> tuple[int, ...]:
        """Return the kernel indices of a phase in the order of the inputs they meet."""
        if not self.transposed:
            return tuple(range(self.kernel))
        return tuple(tap for tap in reversed(range(self.kernel)) if tap * self.dilation % self.stride == phase)

    def window(self, phase: int, inputs: int) -> Window:
        """Return the window of a phase for a number of inputs.

        Transposed: output o gets tap m of input i where ``o + before = stride i + dilation m``. With
        ``o + before = stride j + phase`` this is ``i = j - (dilation m - phase) / stride``, an ordinary convolution
        with taps ``dilation / gcd(stride, dilation)`` apart and positions one apart.
        """
        taps, outputs = self.taps(phase), max(self.outputs(inputs), 0)
        if not self.transposed:
            return Window(taps, -self.before, self.dilation, self.stride, 0, 1, outputs)
        start = -(-(self.before - phase) // self.stride)  # the first j whose output is not cut off
        first_output = self.stride * start + phase - self.before
        return Window(
            taps=taps,
            first=start - (self.dilation * taps[0] - phase) // self.stride,
            spacing=self.dilation // math.gcd(self.stride, self.dilation),
            step=1,
            output_first=first_output,
            output_step=self.stride,
            positions=max(-(-(outputs - first_output) // self.stride), 0),
        )
