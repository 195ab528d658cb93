"""Frozen, validated descriptions. A spec says what something is; it holds no state and computes nothing heavy."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError


class Spec(BaseModel):
    """Base of every spec: immutable, and unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


_PHRASES = {
    "missing": "is missing",
    "extra_forbidden": "is not a known field; check its spelling",
    "model_type": "must be a table of fields",
    "model_attributes_type": "must be a table of fields",
}
_SHOWN = 60


def _short(text: str) -> str:
    return text if len(text) < _SHOWN else text[: _SHOWN - 4] + "..."


def _shown(value: object) -> str:
    try:
        return _short(repr(value))
    except ValueError:  # Python writes no number of more than 4300 digits
        return "a number of thousands of digits"


def explain(error: ValidationError, *, subject: str) -> str:
    """Turn pydantic's report into one line that names the field, its value and what is wrong with it."""
    parts: list[str] = []
    for item in error.errors()[:3]:
        where = f"`{_short('.'.join(str(step) for step in item['loc']))}`" if item["loc"] else ""
        value: Any = item.get("input")
        phrase = _PHRASES.get(item["type"])
        if item["type"] in ("missing", "extra_forbidden"):
            parts.append(f"{where} {phrase}")
            continue
        says = phrase or item["msg"].removeprefix("Value error, ").rstrip(".")
        if not where:  # a check of the whole: what it says names the fields
            parts.append(says)
        elif isinstance(value, dict) or (isinstance(value, list) and len(value) > 3):
            parts.append(f"{where}: {says}")
        else:
            parts.append(f"{where} is {_shown(value)}: {says}")
    more = len(error.errors()) - len(parts)
    text = f"{subject}: " + "; ".join(parts) + (f"; and {more} more" if more > 0 else "") + "."
    return " ".join(text.split())
