"""Measured data of others, which may not enter the repository: tests that need them skip where they are absent."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def measured() -> Path:
    """The folder of measured data beside the repository."""
    folder = Path(__file__).parents[2] / ".." / "shared" / "data" / "measured"
    if not folder.is_dir():
        pytest.skip("measured data are not beside the repository (../shared/data/measured)")
    return folder.resolve()
