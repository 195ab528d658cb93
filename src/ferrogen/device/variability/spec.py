"""What a card says about variability: the section [variability]."""

from __future__ import annotations

from ferrogen.device.parameter import Section


class VariabilitySpec(Section):
    """Section [variability]."""
