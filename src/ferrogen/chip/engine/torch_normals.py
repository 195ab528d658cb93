"""The normals of :mod:`ferrogen.core.normals` in torch: the same operations in the same order, so the same bits."""

from __future__ import annotations

import torch

from ferrogen.core.normals import (
    ANGLE_HALF,
    ANGLE_MASK,
    ANGLE_STEP,
    COSINE_SERIES,
    HALF,
    LN2,
    LOG_SERIES,
    MANTISSA,
    ROOT_HALF_BITS,
    ROOT_HALF_OFFSET,
    SINE_SERIES,
    UNIFORM_STEP,
)

_MASK = 0xFFFFFFFF


def _high(product: torch.Tensor) -> torch.Tensor:
    return (product >> 32) & _MASK  # the shift of a signed number copies its sign


def exact_root(x: torch.Tensor) -> torch.Tensor:
    """Return the correctly rounded square root of float32 numbers; torch's own is off by one bit on some processors.

    The root in double precision, rounded: twice the digits and two more make the double rounding harmless (Figueroa
    1995, doi:10.1145/221332.221334).
    """
    return x.double().sqrt_().float()


def torch_words(key: torch.Tensor, *counter: torch.Tensor) -> list[torch.Tensor]:
    """Return the four words, int64 from 0 to 2**32 - 1, of Philox 4x32-10.

    Args:
        key: int64, the bits of the unsigned key, shape ``()``.
        counter: four int64 tensors from 0 to 2**32 - 1 whose shapes broadcast.
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key & _MASK, (key >> 32) & _MASK
    for _ in range(10):
        p0, p1 = c0 * 0xD2511F53, c2 * 0xCD9E8D57
        c0, c1, c2, c3 = _high(p1) ^ c1 ^ k0, p1 & _MASK, _high(p0) ^ c3 ^ k1, p0 & _MASK
        k0, k1 = (k0 + 0x9E3779B9) & _MASK, (k1 + 0xBB67AE85) & _MASK
    return [c0, c1, c2, c3]


def _series(x: torch.Tensor, coefficients: tuple[float, ...]) -> torch.Tensor:
    total = x * coefficients[0] + coefficients[1]
    for coefficient in coefficients[2:]:
        total = x * total + coefficient
    return total


_LOG, _COSINE, _SINE = (tuple(float(c) for c in series) for series in (LOG_SERIES, COSINE_SERIES, SINE_SERIES))


def two_normals(radius_word: torch.Tensor, angle_word: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return two standard normals, float32, of two words each (Box and Muller)."""
    uniform = ((radius_word >> 1).float() + float(HALF)) * float(UNIFORM_STEP)
    bits = uniform.view(torch.int32) + int(ROOT_HALF_OFFSET)
    exponent = ((bits >> 23) - 127).float()
    mantissa = ((bits & int(MANTISSA)) + int(ROOT_HALF_BITS)).view(torch.float32)
    s = (mantissa - 1.0) / (mantissa + 1.0)
    z = s * s
    logarithm = exponent * float(LN2) + (s * 2.0 + s * 2.0 * z * _series(z, _LOG))
    radius = exact_root(logarithm * -2.0)
    angle = ((angle_word & int(ANGLE_MASK)) - int(ANGLE_HALF)).float() * float(ANGLE_STEP)
    square = angle * angle
    cosine = _series(square, _COSINE)
    sine = angle + angle * square * _series(square, _SINE)
    cosine = torch.where((angle_word >> 30) & 1 != 0, -cosine, cosine)
    turned = angle_word >> 31 != 0
    return radius * torch.where(turned, sine, cosine), radius * torch.where(turned, cosine, sine)


def torch_normals(key: torch.Tensor, planes: torch.Tensor, addresses: torch.Tensor, columns: int) -> torch.Tensor:
    """Draw standard normals on the device of the addresses.

    Args:
        key: int64, the bits of the unsigned key, shape ``()``.
        planes: int64, shape ``(planes,)``.
        addresses: int64, shape ``(addresses,)``.
        columns: how many normals each address gets.

    Returns:
        float32, shape ``(planes, columns, addresses)``: what :func:`ferrogen.core.normals.standard_normals` gives.
    """
    blocks = torch.arange((columns + 3) // 4, device=addresses.device)
    counter = blocks[:, None], planes[:, None, None], addresses & _MASK, _high(addresses)
    words = torch_words(key, *(part.expand(planes.shape[0], blocks.shape[0], addresses.shape[0]) for part in counter))
    normals = torch.stack([*two_normals(words[0], words[1]), *two_normals(words[2], words[3])], dim=2)
    return normals.flatten(1, 2)[:, :columns]
