"""What a chip has done: counts that its energy and time are made of."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(slots=True)
class Usage:
    """The record of a chip's use. Everything only ever grows, so that differences speak of what came between.

    Attributes:
        pulses: programming pulses.
        programmed_cells: cells that were programmed, each as often as it was.
        windows: sampling windows of a tile (two a cycle).
        readings: windows of one amplifier in the sample mode.
        standing_current: of the lines that they read, summed over the windows [A].
        sample_drives: word lines that were raised for a cycle's two windows.
        sample_conversions: conversions of the sample mode.
        products: input vectors multiplied.
        multiply_accumulates: cell pairs that took part.
        conversions: of both modes.
        clipped_conversions: of the multiply mode.
        integrations: windows of one amplifier in the multiply mode (each plane of a bit-serial product is one).
        full_scale_current: full scales of the multiply mode, summed over the integrations [A].
        line_drives: word lines that were driven in the multiply mode, each plane counted.
        cell_power: of the cells during a product, averaged over its time, summed over the products [W].
    """

    pulses: int = 0
    windows: int = 0
    products: int = 0
    multiply_accumulates: int = 0
    conversions: int = 0
    clipped_conversions: int = 0
    programmed_cells: int = 0
    readings: int = 0
    standing_current: float = 0.0
    sample_drives: int = 0
    sample_conversions: int = 0
    integrations: int = 0
    full_scale_current: float = 0.0
    line_drives: int = 0
    cell_power: float = 0.0

    def since(self, earlier: Usage) -> Usage:
        """Return what was done since a copy of the record (``dataclasses.replace(usage)``) was made."""
        return Usage(**{item.name: getattr(self, item.name) - getattr(earlier, item.name) for item in fields(self)})
