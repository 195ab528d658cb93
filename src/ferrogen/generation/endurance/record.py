"""The record of a finished run: verdicts, provenance, assumptions."""

from __future__ import annotations

import platform
from dataclasses import asdict, fields
from importlib.metadata import version
from typing import Any, Final

from ferrogen.core.references import references
from ferrogen.generation.endurance.run import EnduranceRun
from ferrogen.generation.endurance.verdict import FRECHET_LIMIT, LATENT_LIMIT, Verdict

ASSUMPTIONS: Final = (
    "cells change by the card's switching law, depolarisation and imprint, as array.evolution follows them",
    "the cells' condition is held while the images of a checkpoint are made",
    "traps are as if temperature and cells had always been those of the checkpoint; double sampling removes slow ones",
    "a calibration sees the cells as they are after its readings",
    "word lines of the decoder see a product's full voltage, half of its time in either direction",
    "a tile that is written again is erased first, each cell by a pulse of its own",
    "between products cells of the decoder rest at zero volts",
)


def endurance_record(run: EnduranceRun, verdicts: list[Verdict]) -> dict[str, Any]:
    """Return the record, ready for JSON."""
    spec = run.spec
    return {
        "run": spec.identity(),
        "spec": spec.description(),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("numpy", "numba", "scipy", "torch")},
        },
        "criteria": {
            "latents": f"mean, standard deviation and lag-1 correlation within {LATENT_LIMIT:g} of 0, 1 and 0",
            "frechet_distance": f"at most {FRECHET_LIMIT:.0%} above that of the first checkpoint",
            "intact": f"that of the first checkpoint is at most {FRECHET_LIMIT:.0%} above that as programmed",
            "intervals": "fails where the whole 95 % interval lies beyond the limit",
        },
        "verdicts": [asdict(verdict) for verdict in verdicts],
        "remarks": list(run.remarks),
        "commissioning": {key: run.start[key] for key in ("cycles", "tiles", "pulses", "energy_used")},
        "programmed": {key: value for key, value in run.programmed.items() if key != "shown"},
        "last": {
            name: {key: value for key, value in records[-1].items() if key != "shown"}
            for name, records in run.checkpoints.items()
        },
        "assumptions_of_the_run": list(ASSUMPTIONS),
        "assumed_parameters": spec.card.assumptions(),
        "assumed_circuit": {
            item.name: repr(getattr(spec.chip.periphery, item.name)) for item in fields(spec.chip.periphery)
        },
        "sources": [str(references()["koo-2026"]), *spec.card.sources()],
    }
