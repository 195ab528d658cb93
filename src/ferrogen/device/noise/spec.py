"""What a card says about noise: the section [noise]."""

from __future__ import annotations

from ferrogen.device.parameter import Section


class NoiseSpec(Section):
    """Section [noise]."""
