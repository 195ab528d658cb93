"""The power that cells take while a product is read."""

from __future__ import annotations

import math

import torch

from ferrogen.circuit.periphery import Periphery


def product_power(
    shares: torch.Tensor, total: torch.Tensor, periphery: Periphery, voltage: float, characteristic_voltage: float
) -> float:
    """Return the mean power [W] of all cells during a product, averaged over its time and over the inputs.

    Args:
        shares: inputs in [-1, 1], shape ``(row_tiles, batch, rows)``.
        total: sum of each pair's two conductances [S], ``(row_tiles, rows, pairs)``.
        periphery: circuits, whose input encoding decides about voltage and time.
        voltage: at full input [V].
        characteristic_voltage: of the cells [V].
    """
    v0, full, dac = characteristic_voltage, voltage, periphery.dac
    steepness = math.sinh(full / v0)
    drive = v0 * steepness
    magnitude = shares.abs().clip(0.0, 1.0)
    if dac.driver == "constant-voltage":
        # Pulses carry the full voltage for their share of the time, planes for that of their bits.
        planes = dac.planes(magnitude)
        power = full * drive * sum(plane for _, plane in planes) / len(planes)
    elif dac.driver == "linear":
        power = magnitude * full * v0 * torch.sinh(magnitude * (full / v0))
    else:
        power = magnitude * drive * v0 * torch.asinh(magnitude * steepness)
    return float((power.mean(dim=1) * total.sum(dim=2)).sum(dtype=torch.float64))
