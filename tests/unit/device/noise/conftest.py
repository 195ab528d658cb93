from __future__ import annotations

from typing import Any

import pytest

from ferrogen.device.card import DeviceCard
from ferrogen.device.noise.spec import NoiseSpec


def _assumed(value: float, unit: str) -> dict[str, Any]:
    return {"value": value, "unit": unit, "status": "assumed", "source": "none"}


@pytest.fixture(scope="session")
def noisy_card(card: DeviceCard) -> DeviceCard:
    """The shipped card with a section [noise] of its own, whatever the shipped one says."""
    noise = NoiseSpec.model_validate(
        {
            "fano_factor": _assumed(0.8, "1"),
            "capture_cross_section": _assumed(1e-19, "m^2"),
            "attenuation_length": _assumed(0.15e-9, "m"),
            "capture_barrier": _assumed(0.4, "eV"),
            "carrier_density": _assumed(1e26, "1/m^3"),
            "anomalous_trap_share": _assumed(0.2, "1"),
            "metastable_time_ratio": _assumed(100.0, "1"),
            "metastable_weight": _assumed(2.0, "1"),
            "blocked_area": _assumed(2e-18, "m^2"),
            "path_area": _assumed(4e-16, "m^2"),
        }
    )
    return card.model_copy(update={"noise": noise})
