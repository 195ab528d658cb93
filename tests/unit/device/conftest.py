from __future__ import annotations

import copy
import tomllib
from collections.abc import Callable
from importlib import resources
from typing import Any

import pytest

from ferrogen.device.card import DeviceCard, load_card

NAME = "hzo-mfis-nor"


@pytest.fixture(scope="session")
def card() -> DeviceCard:
    return load_card(NAME)


@pytest.fixture(scope="session")
def raw_card() -> Callable[[], dict[str, Any]]:
    """The shipped card as plain data, a fresh copy every time."""
    text = (resources.files("ferrogen.device") / "cards" / f"{NAME}.toml").read_text(encoding="utf-8")
    data = tomllib.loads(text)
    return lambda: copy.deepcopy(data)
