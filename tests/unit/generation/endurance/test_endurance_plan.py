"""What a run of endurance does and when: policies, checkpoints, turns, temperatures."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ferrogen.chip.point import OperatingPoint
from ferrogen.core.errors import ArgumentError, ValidityError
from ferrogen.device.card import load_card
from ferrogen.generation.endurance.policy import TASKS, Maintenance, parse_policy
from ferrogen.generation.endurance.run import actions, tracking
from ferrogen.generation.endurance.spec import EnduranceSpec
from ferrogen.generation.model import VAE, VAESpec, initialise

MODEL = VAE(VAESpec(latent=2, hidden=(16,), encoder_channels=(2, 2, 2)))
initialise(MODEL, torch.Generator().manual_seed(1))
CARD = load_card("hzo-mfis-nor")
SPEC = EnduranceSpec(MODEL, "tiny", CARD, OperatingPoint.for_card(CARD), policies=(parse_policy("none"),))


@pytest.mark.parametrize(
    ("text", "name", "tasks"),
    [
        ("none", "none", ()),
        ("full", "full", TASKS),
        ("latents + refresh", "refresh+latents", ("refresh", "latents")),
        ("+".join(reversed(TASKS)), "full", TASKS),
    ],
)
def test_policies_are_named_by_their_tasks(text: str, name: str, tasks: tuple[str, ...]) -> None:
    policy = parse_policy(text)
    assert (policy.name, policy.tasks) == (name, tasks)


@pytest.mark.parametrize("text", ["", "all", "none+latents", "latents+latents", "latents,gain", "../x"])
def test_other_policies_are_refused(text: str) -> None:
    with pytest.raises(ArgumentError, match="policy"):
        parse_policy(text)


@given(cycles=st.integers(1, 10**9), per_decade=st.integers(1, 20))
def test_checkpoints_rise_from_one_to_the_last_cycle(cycles: int, per_decade: int) -> None:
    found = replace(SPEC, cycles=cycles, per_decade=per_decade).checkpoints()
    assert found[:2] == [0, 1]
    assert found[-1] == cycles
    assert found == sorted(set(found))
    # Evenly in the logarithm: no gap is wider than a step, but for both ends' rounding to whole cycles.
    step = 10.0 ** (1.0 / per_decade)
    assert all(after <= (before + 0.5) * step + 0.5 for before, after in pairwise(found[1:]))


def test_checkpoints_of_three_decades_by_hand() -> None:
    assert replace(SPEC, cycles=1000, per_decade=2).checkpoints() == [0, 1, 3, 10, 32, 100, 316, 1000]


def test_turns_are_those_of_the_schedule_and_of_the_temperature() -> None:
    growing = Maintenance(first=100)
    assert growing.turns(10_000, ()) == [100, 316, 1000, 3162]
    assert growing.turns(1000, (50, 1000)) == [50, 100, 316]
    assert Maintenance(every=300).turns(1000, (300, 450)) == [300, 450, 600, 900]


@given(
    steps=st.lists(st.integers(1, 5000), unique=True, max_size=5).map(sorted),
    ends=st.tuples(st.integers(0, 5000), st.integers(0, 5000)).map(sorted),
)
def test_spans_cover_the_cycles_each_at_its_temperature(steps: list[int], ends: list[int]) -> None:
    spec = replace(SPEC, temperature_steps=tuple((cycle, 300.0 + k + 1) for k, cycle in enumerate(steps)))
    first, last = ends
    spans = spec.spans(first, last)
    assert sum(cycles for cycles, _ in spans) == last - first
    # One temperature a cycle, counted by hand: that of the last step at or before it.
    by_cycle = [kelvin for cycles, kelvin in spans for _ in range(cycles)]
    for cycle in {first, last - 1, *(c for c in steps if first <= c < last)} - {-1, last}:
        if first <= cycle < last:
            assert by_cycle[cycle - first] == 300.0 + sum(step <= cycle for step in steps)


def test_a_checkpoint_comes_before_the_turn_at_its_cycle() -> None:
    spec = replace(SPEC, cycles=100, per_decade=1, maintenance=Maintenance(every=10, reads=16))
    order = actions(spec, parse_policy("gain"))
    assert order.index((10, "checkpoint")) + 1 == order.index((10, "maintenance"))
    assert {kind for _, kind in actions(spec, parse_policy("none"))} == {"checkpoint"}
    assert {kind for _, kind in actions(spec, parse_policy("latents"))} == {"checkpoint"}


def test_latents_are_followed_once_enough_was_read() -> None:
    spec = replace(SPEC, maintenance=Maintenance(reads=64))
    assert [tracking(spec, parse_policy("latents"), cycle) for cycle in (1, 63, 64, 1000)] == [False, False, True, True]
    assert not tracking(spec, parse_policy("gain"), 1000)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"cycles": 0}, "cycles"),
        ({"cycles": 1.5}, "cycles"),
        ({"images": 63}, "images"),
        ({"per_decade": 0}, "per_decade"),
        ({"reading": "both"}, "reading"),
        ({"sampling": "none"}, "sampling"),
        ({"polarity": "up"}, "polarity"),
        ({"features": "cifar"}, "features"),
        ({"policies": ()}, "policies"),
        ({"policies": (parse_policy("full"), parse_policy("full"))}, "policies"),
        ({"temperature_steps": ((10, 310.0), (10, 300.0))}, "temperature_steps"),
        ({"temperature_steps": ((0, 310.0),)}, "temperature_steps"),
        ({"temperature_steps": ((10, float("nan")),)}, "temperature_steps"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(change: dict[str, object], name: str) -> None:
    with pytest.raises(ArgumentError, match=name):
        replace(SPEC, **change)  # type: ignore[arg-type]


def test_a_temperature_beyond_the_card_is_refused() -> None:
    with pytest.raises(ValidityError, match="temperature_steps"):
        replace(SPEC, temperature_steps=((10, 600.0),))


@pytest.mark.parametrize("change", [{"every": 0}, {"first": 0}, {"reads": 15}, {"refresh_threshold": -1.0}])
def test_maintenance_that_makes_no_sense_is_refused(change: dict[str, float]) -> None:
    with pytest.raises(ArgumentError, match=next(iter(change))):
        Maintenance(**change)  # type: ignore[arg-type]


def test_the_identity_follows_from_the_content() -> None:
    other = VAE(VAESpec(latent=2, hidden=(16,), encoder_channels=(2, 2, 2)))
    initialise(other, torch.Generator().manual_seed(2))
    assert replace(SPEC, seed=0).identity() == SPEC.identity()
    changed = [
        replace(SPEC, seed=1),
        replace(SPEC, model=other),
        replace(SPEC, cycles=10),
        replace(SPEC, card=CARD.model_copy(update={"default_sampling_time": 2e-3})),
    ]
    assert len({SPEC.identity(), *(spec.identity() for spec in changed)}) == 5
