"""Frozen, validated descriptions. A spec says what something is; it holds no state and computes nothing heavy."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError


class Spec(BaseModel):
    """Base of every spec: immutable, and unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def explain(error: ValidationError, *, subject: str) -> str:
    """Turn pydantic's report into one line that names the field, its value and what is wrong with it."""
    parts: list[str] = []
    for item in error.errors()[:3]:
        where = ".".join(str(step) for step in item["loc"]) or subject
        value: Any = item.get("input")
        shown = repr(value) if len(repr(value)) < 60 else type(value).__name__
        parts.append(f"`{where}` is {shown}: {item['msg'].removeprefix('Value error, ')}")
    more = len(error.errors()) - len(parts)
    return f"{subject}: " + "; ".join(parts) + (f"; and {more} more" if more > 0 else "") + "."
