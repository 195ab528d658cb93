"""Every public name exists, and importing the package is quick."""

from __future__ import annotations

import subprocess
import sys

import pytest

import ferrogen


@pytest.mark.parametrize("name", ferrogen.__all__)
def test_public_names_exist(name: str) -> None:
    assert getattr(ferrogen, name) is not None


def test_unknown_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = ferrogen.nonsense


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import sys, ferrogen; print(*sorted({'torch', 'numpy', 'numba', 'pydantic'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
