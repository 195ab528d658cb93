"""What a card says about programming: the section [programming]."""

from __future__ import annotations

from ferrogen.device.parameter import Section


class ProgrammingSpec(Section):
    """Section [programming]."""
