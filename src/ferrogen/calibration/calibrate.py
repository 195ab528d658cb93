"""``calibrate(kind, files)``: open the tables, let the kind fit them, and say what the result rests on."""

from __future__ import annotations

import importlib
import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from ferrogen.calibration.columns import Choice
from ferrogen.calibration.kind import Kind, Request
from ferrogen.calibration.result import Calibration
from ferrogen.calibration.samples import Sample
from ferrogen.calibration.table import TableFormat, open_table
from ferrogen.core.errors import argument_error
from ferrogen.core.references import references
from ferrogen.core.streams import Streams

KINDS: dict[str, str] = {
    "pulses": "pulses.kind",
    "iv": "iv.kind",
    "endurance": "endurance.kind",
    "switching": "switching",
    "waveform": "waveform",
    "loop": "loop",
    "retention": "retention.kind",
    "rtn": "rtn.kind",
}
"""Kind -> module below ``ferrogen.calibration`` that holds it as ``KIND``; imported when it is asked for."""


def load_kind(name: str) -> Kind:
    """Return a kind of calibration.

    Raises:
        ArgumentError: there is none of this name.
    """
    if name not in KINDS:
        raise argument_error("kind", f"be one of {', '.join(sorted(KINDS))}", repr(name))
    kind: Kind = importlib.import_module(f"ferrogen.calibration.{KINDS[name]}").KIND
    return kind


def calibrate(
    kind: str,
    files: Sequence[str | Path],
    *,
    columns: Mapping[str, Choice] | None = None,
    form: TableFormat | None = None,
    sample: Sample | None = None,
    settings: Mapping[str, str | float] | None = None,
    seed: int = 0,
    source: str = "none",
) -> Calibration:
    """Fit measured tables and return a card fragment with its uncertainty.

    Args:
        kind: one of ``KINDS``.
        files: tables, all with the same columns.
        columns: column and unit of quantities that are not under an obvious name (``parse_choices`` makes them).
        form: how the tables are written.
        sample: thickness, area, temperature.
        settings: what the kind leaves to its user, as text or numbers in SI units.
        seed: everything random follows from it.
        source: key of ``core/references.toml`` of the paper the data come from, for the fragment.

    Raises:
        ArgumentError: an argument that cannot be used.
        DataFileError: a table that cannot be read, or does not hold what the kind needs.
    """
    if not files:
        raise argument_error("files", "name at least one table", "empty")
    if source != "none" and source not in references():
        raise argument_error("source", "be a key of core/references.toml, or 'none'", repr(source))
    chosen = load_kind(kind)
    parsed = chosen.parse(settings or {})
    tables = [open_table(Path(path), chosen.columns, columns, form) for path in files]
    sample = sample or Sample()
    result = chosen.calibrate(Request(tables, sample, parsed, Streams(seed), source))
    provenance = {
        "ferrogen": version("ferrogen"),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in ("numpy", "scipy")}},
        "kind": kind,
        "files": [
            {
                "name": table.name,
                "sha256": table.digest(),
                "rows_dropped": table.dropped,
                "columns": {
                    item.name: [table.header[k] if table.header else f"#{k + 1}" for k in item.positions[:10]]
                    for item in table.placed
                },
            }
            for table in tables
        ],
        "sample": sample.record(),
        "settings": dict(parsed),
        "seed": seed,
        "source": source,
    }
    dropped = sum(table.dropped for table in tables)
    lost = (f"{dropped} rows with missing values were dropped.",) if dropped else ()
    said_already = result.fragment.not_identified
    warnings = (line for line in dict.fromkeys(result.warnings) if line not in said_already)
    return replace(result, provenance=provenance, warnings=(*warnings, *lost))
