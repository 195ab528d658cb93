"""Literature references by key, read from ``references.toml``; ``checked`` says whether the DOI was looked up."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True, slots=True)
class Reference:
    """One source.

    Attributes:
        key: short name used in cards and docstrings.
        text: authors, title, journal, year.
        doi: digital object identifier, or "" where there is none.
        seen: what was read of it: ``abstract``, ``text``, or ``memory`` (cited by many, not re-read here).
    """

    key: str
    text: str
    doi: str
    seen: str

    def __str__(self) -> str:
        return f"{self.text}" + (f" doi:{self.doi}" if self.doi else "")


@cache
def references() -> dict[str, Reference]:
    """Return all references by key."""
    raw = (resources.files("ferrogen.core") / "references.toml").read_text(encoding="utf-8")
    return {key: Reference(key=key, **entry) for key, entry in tomllib.loads(raw).items()}
