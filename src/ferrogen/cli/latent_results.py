"""What `interpolate` and `traverse` write: one figure, its numbers, the record."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ferrogen.core.files import write_json
from ferrogen.report.rows import rows_figure

if TYPE_CHECKING:
    from ferrogen.generation.latent_paths import LatentRows


def write_rows(folder: Path, name: str, found: LatentRows, caption: str) -> None:
    """Write ``name.png``, ``name.npz`` (images, ideal, latents, labels) and ``name.json``."""
    panels = [("chip: its noise, its products", found.images), ("float32 decoder, the same latents", found.ideal)]
    rows_figure(folder / f"{name}.png", panels, rows=found.rows, columns=found.columns, caption=caption)
    np.savez_compressed(
        folder / f"{name}.npz",
        images=found.images,
        ideal=found.ideal,
        latents=found.latents,
        rows=np.array(found.rows),
        columns=np.array(found.columns),
    )
    write_json(folder / f"{name}.json", found.record)
