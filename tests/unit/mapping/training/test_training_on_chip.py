"""Mapped modules in training: the loop, what is refused, and what programming leaves of it."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from ferrogen.chip.chip import Chip
from ferrogen.chip.spec import ChipSpec
from ferrogen.core.errors import ArgumentError
from ferrogen.device.card import load_card
from ferrogen.mapping.convert.map_to_chip import map_to_chip
from ferrogen.mapping.convert.mapped import MappedModule


def card(levels=2, *, quiet=False):
    made = load_card("hzo-mfis-nor")
    changes = {"programmable_levels": made.programmable_levels.model_copy(update={"value": float(levels)})}
    if quiet:
        changes["traps_per_cell"] = made.traps_per_cell.model_copy(update={"value": 0.0})
    return made.model_copy(update=changes)


def patterns(count, seed):
    generator = torch.Generator().manual_seed(seed)
    shapes = torch.randn((8, 36), generator=torch.Generator().manual_seed(99))
    labels = torch.randint(8, (count,), generator=generator)
    return shapes[labels] + 1.6 * torch.randn((count, 36), generator=generator), labels


def network():
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(36, 40), nn.ReLU(), nn.Linear(40, 8))


def train(model, steps, rate, seed=2):
    optimiser = torch.optim.Adam(model.parameters(), rate)
    for step in range(steps):
        x, labels = patterns(128, 1000 * seed + step)
        optimiser.zero_grad()
        cross_entropy(model(x), labels).backward()
        optimiser.step()
    return model


@torch.no_grad()
def loss(model, repeats=5):
    x, labels = patterns(1000, 7)
    return sum(float(cross_entropy(model(x), labels)) for _ in range(repeats)) / repeats


def mapped_of(model, **kwargs) -> MappedModule:
    return map_to_chip(model, Chip(card(**kwargs), seed=5, spec=ChipSpec(tiles=6)), patterns(200, 5)[0])


def test_training_on_the_chip_regains_what_its_levels_cost_and_programming_keeps_it():
    start = train(network(), 120, 1e-2)
    longer = train(copy.deepcopy(start), 120, 3e-3, seed=3)  # as long in all as the one on the chip
    float_loss, coarse_loss = loss(longer, 1), loss(mapped_of(longer))
    mapped = train(mapped_of(start).train(), 120, 3e-3, seed=3)
    in_training = loss(mapped)
    before = mapped.chip.usage.pulses
    on_tiles = loss(mapped.program().eval())
    assert mapped.chip.usage.pulses > before
    assert coarse_loss > float_loss + 0.02
    assert on_tiles < coarse_loss - 0.4 * (coarse_loss - float_loss)
    assert abs(on_tiles - in_training) < 0.1 * (coarse_loss - float_loss)


def test_tiles_are_not_shown_with_weights_that_are_not_on_them():
    mapped = mapped_of(network())
    x, labels = patterns(32, 1)
    mapped(x)
    assert mapped(x).requires_grad is False
    optimiser = torch.optim.SGD(mapped.parameters(), 0.1)
    cross_entropy(mapped.train()(x), labels).backward()
    mapped.eval()(x)
    optimiser.step()
    with pytest.raises(ArgumentError, match=r"changed since they were programmed.*model.program\(\)"):
        mapped(x)
    mapped.train()(x)
    pulses = mapped.chip.usage.pulses
    mapped.eval().program()(x)
    assert mapped.chip.usage.pulses > pulses
    programmings = mapped.chip.programmings
    mapped.program()  # nothing to do
    assert mapped.chip.programmings == programmings


def test_weights_on_tiles_are_those_that_were_trained():
    mapped = mapped_of(network(), levels=32, quiet=True)
    with torch.no_grad():
        for weight in (p for p in mapped.parameters() if p.dim() == 2):
            weight.mul_(-0.5)
    mapped.program()
    for layer in mapped.analog_layers().values():
        on_tiles = torch.from_numpy(layer.master.linears[0].weights(layer.point)).float()
        full = layer.responses()[0].full_weight[:, None]
        assert float(((on_tiles - layer.weight.detach()) / full).abs().max()) < 0.5 / 31 + 0.02


def test_what_is_saved_goes_on_where_it_was():
    mapped = train(mapped_of(network()).train(), 3, 1e-2)
    mapped.program()
    again = mapped_of(network())
    again.load_state_dict(mapped.state_dict())
    x, labels = patterns(16, 3)
    for model in (mapped, again):
        model.seek(0)
    assert torch.equal(again.eval()(x), mapped.eval()(x))
    gradients = []
    for model in (mapped, again):
        model.seek(0)
        model.zero_grad()
        cross_entropy(model.train()(x), labels).backward()
        gradients.append([p.grad.clone() for p in model.parameters()])
    for one, other in zip(*gradients, strict=True):
        assert torch.equal(one, other)


def test_every_step_has_other_noise_and_the_same_seed_the_same():
    x, _ = patterns(16, 3)
    mapped = mapped_of(network()).train()
    first, second = mapped(x), mapped(x)
    assert not torch.equal(first, second)
    mapped.seek(0)
    assert torch.equal(mapped(x), first)
    parts = mapped_of(network()).train()
    torch.testing.assert_close(torch.cat([parts(x[:5]), parts(x[5:])]), first, rtol=0, atol=0.05)


def test_a_population_of_chips_has_other_deviations_in_every_forward():
    x, _ = patterns(16, 3)
    mapped = mapped_of(network(), quiet=True).train()
    still = mapped(x).detach()
    population = mapped.train_for("population")
    changes = [float((population(x).detach() - still).abs().mean()) for _ in range(3)]
    assert min(changes) > 0.0
    assert len(set(changes)) == 3
    with pytest.raises(ArgumentError, match="'this' or 'population'"):
        mapped.train_for("that")
    with pytest.raises(ArgumentError, match="for this chip, 'exact'"):
        mapped.train_for("population", wires="exact")


def test_wires_can_be_solved_in_every_forward():
    x, labels = patterns(8, 3)
    mapped = mapped_of(network(), quiet=True).train()
    found = mapped(x)
    mapped.seek(0)
    solved = mapped.train_for(wires="exact")(x)
    torch.testing.assert_close(solved, found, rtol=0, atol=0.1 * float(found.detach().std()))
    cross_entropy(solved, labels).backward()
    assert all(float(p.grad.abs().sum()) > 0 for p in mapped.parameters())


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Conv2d(4, 6, 3, padding=1, groups=2), (2, 4, 5, 5)),
        (nn.ConvTranspose2d(3, 5, 4, stride=2, padding=1), (2, 3, 4, 4)),
        (nn.Conv1d(3, 4, 3, dilation=2), (2, 3, 9)),
    ],
)
def test_convolutions_in_training_are_those_of_evaluation(layer, shape):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    mapped = map_to_chip(layer, Chip(card(32), seed=1, spec=ChipSpec(tiles=6)), x)
    made = torch.stack([mapped(x) for _ in range(60)])
    trained = torch.stack([mapped.train()(x).detach() for _ in range(60)])
    error = (made.var(dim=0) + trained.var(dim=0)).div(60).sqrt() + 0.02 * made.std()
    assert float(((made.mean(dim=0) - trained.mean(dim=0)).abs() / error).max()) < 5.0
    assert float(trained.var(dim=0).mean() / made.var(dim=0).mean()) == pytest.approx(1.0, abs=0.15)


def test_a_state_of_other_weights_is_trained_as_it_is_and_not_mixed_with_the_tiles():
    saved, other = mapped_of(network()), mapped_of(nn.Sequential(nn.Linear(36, 40), nn.ReLU(), nn.Linear(40, 8)))
    x, _ = patterns(64, 3)
    other.load_state_dict(saved.state_dict())
    for model in (saved, other):
        model.train().seek(0)
    apart = (saved(x) - other(x)).detach()
    assert float(apart.abs().mean()) < 0.2 * float(saved(x).detach().std())
    with pytest.raises(ArgumentError, match=r"to be calibrated.*loaded.*model.program\(\)"):
        other.calibrate(x)
    pulses = other.chip.usage.pulses
    other.eval().program().calibrate(x)
    assert other.chip.usage.pulses > pulses


def test_weights_written_through_data_are_programmed():
    mapped = mapped_of(network())
    mapped(patterns(4, 3)[0])
    pulses = mapped.chip.usage.pulses
    next(mapped.parameters()).data.mul_(-1.0)
    mapped.program()
    assert mapped.chip.usage.pulses > pulses
