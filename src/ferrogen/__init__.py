"""ferrogen: generative hardware from ferroelectric tunnel junctions, from trap to image.

>>> import ferrogen as fg
>>> chip = fg.Chip("hzo-mfis-nor", seed=7)  # doctest: +SKIP
>>> run = fg.generate("mnist", chip, count=64)  # doctest: +SKIP

The public names below are imported when first used, so that ``import ferrogen`` stays quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from ferrogen.core.errors import FerrogenError as FerrogenError
    from ferrogen.core.streams import Streams as Streams

_PUBLIC = {
    "FerrogenError": "ferrogen.core.errors",
    "Streams": "ferrogen.core.streams",
}

__all__ = ["FerrogenError", "Streams", "__version__"]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'ferrogen' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
