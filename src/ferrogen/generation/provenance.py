"""What a result rests on: operating point, seed, versions, assumptions, literature, counts."""

from __future__ import annotations

import platform
from dataclasses import asdict, fields
from importlib.metadata import version
from typing import Any

from ferrogen.core.references import references
from ferrogen.generation.generator import ChipGenerator


def provenance(generator: ChipGenerator, images: int) -> dict[str, Any]:
    """Return the record of a run, ready for JSON.

    Args:
        generator: after the run.
        images: how many images were asked for.
    """
    chip, sampler = generator.chip, generator.sampler
    card = chip.device
    converged = [tile.state.converged.mean() for tile in chip.tiles.values()]
    return {
        "ferrogen": version("ferrogen"),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("numpy", "numba", "scipy", "torch")},
        },
        "seed": chip.seed,
        "card": card.name,
        "operating_point": {**asdict(generator.at), "reset_time": generator.at.reset},
        "fidelity": generator.fidelity,
        "images": images,
        "chip": {
            "tiles_programmed": len(chip.tiles),
            "tile_rows": chip.spec.rows,
            "tile_columns": chip.spec.columns,
            "programming_pulses": chip.usage.pulses,
            "cells_within_tolerance": float(sum(converged) / len(converged)),
        },
        "assumed_circuit": {
            "note": "tiles, programming and periphery are design choices of ferrogen; the paper's are not public",
            "programming": repr(chip.spec.programming),
            **{item.name: repr(getattr(chip.spec.periphery, item.name)) for item in fields(chip.spec.periphery)},
        },
        "sampler": {
            "latents_per_image": generator.latents,
            "cells_per_latent": sampler.cells_per_latent,
            "calibration_reads": sampler.in_use.reads,
            "telegraph_share_of_variance": sampler.telegraph_share(),
            "traps_followed_one_by_one": sampler.resolved_traps,
            "variance_they_carry": sampler.spec.resolved_share,
            "clipped_readings": sampler.clipped,
            "converter_full_scale_A": sampler.in_use.full_scale,
        },
        "counts": _counts(generator, images),
        "chip_time_per_image_s": 2.0 * generator.at.sampling_time + generator.at.reset,
        "assumed_parameters": card.assumptions(),
        "sources": [str(references()["koo-2026"]), *card.sources()],
    }


def _counts(generator: ChipGenerator, images: int) -> dict[str, int]:
    """Return what a chip does for ``images`` images (the simulation rounds up to whole blocks)."""
    each = generator.decoder.counts
    return {
        "calibration_windows": 2 * generator.sampler.first_cycle,
        "windows": 2 * images,
        "latent_conversions": images * generator.latents,
        "products": images * each.products,
        "multiply_accumulates": images * each.multiply_accumulates,
        "product_conversions": images * each.conversions,
        "simulated_conversions_clipped": generator.chip.usage.clipped_conversions,
    }
