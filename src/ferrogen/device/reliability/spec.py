"""What a card says about reliability: the section [reliability]."""

from __future__ import annotations

from ferrogen.device.parameter import Section


class ReliabilitySpec(Section):
    """Section [reliability]."""
