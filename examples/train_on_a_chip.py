"""Train a network for the chip that it sits on, and write the weights to the cells.

A small convolutional classifier of drawn patterns is trained as usual, and mapped to a chip whose cells have few levels
and noise. Then it is trained on in the chip's presence: with the rounding, the deviations and the noise that its tiles
show. The network to compare with is trained on for as many steps without a chip, and mapped to the same one. Loss and
accuracy are those of evaluation on the tiles, over several draws of the noise, with patterns that are not trained with:

    python examples/train_on_a_chip.py
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import ferrogen
from ferrogen.chip.spec import ChipSpec

CLASSES, SIDE = 10, 12


def patterns(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw labelled images: one of ten smooth random shapes, moved by up to two pixels, in noise."""
    shapes = torch.randn((CLASSES, 1, 4, 4), generator=torch.Generator().manual_seed(99))
    shapes = nn.functional.interpolate(shapes, size=(SIDE, SIDE), mode="bicubic").squeeze(1)
    labels = torch.randint(CLASSES, (count,), generator=generator)
    moves = torch.randint(-2, 3, (count, 2), generator=generator)
    moved = torch.stack([torch.roll(shapes[k], tuple(m.tolist()), (0, 1)) for k, m in zip(labels, moves, strict=True)])
    return (moved + 1.2 * torch.randn(moved.shape, generator=generator)).unsqueeze(1), labels


def network() -> nn.Module:
    """Return an untrained classifier."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU(),
        nn.Flatten(), nn.Linear(32 * 9, 48), nn.ReLU(), nn.Linear(48, CLASSES),
    )  # fmt: skip


def train(model: Callable[[Tensor], Tensor], parameters: list[Tensor], steps: int, rate: float, seed: int) -> None:
    """Train with Adam on fresh patterns."""
    optimiser = torch.optim.Adam(parameters, rate)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        x, labels = patterns(128, generator)
        optimiser.zero_grad()
        torch.autograd.backward(cross_entropy(model(x), labels))
        optimiser.step()


@torch.no_grad()
def evaluate(model: Callable[[Tensor], Tensor], repeats: int = 4) -> tuple[float, float]:
    """Return loss and accuracy on patterns that nobody trained with."""
    x, labels = patterns(1500, torch.Generator().manual_seed(7))
    outputs = [model(x) for _ in range(repeats)]
    loss = sum(float(cross_entropy(out, labels)) for out in outputs) / repeats
    hits = sum(float((out.argmax(dim=1) == labels).float().mean()) for out in outputs) / repeats
    return loss, hits


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--levels", type=int, default=2, help="conductance levels of a cell")
    parser.add_argument("--steps", type=int, default=150, help="training steps on the chip")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    torch.manual_seed(options.seed)
    model = network()
    train(model, list(model.parameters()), 400, 3e-3, seed=1)
    longer = copy.deepcopy(model)
    train(longer, list(longer.parameters()), options.steps, 1e-3, seed=2)

    card = ferrogen.load_card("hzo-mfis-nor")
    levels = card.programmable_levels.model_copy(update={"value": float(options.levels)})
    card = card.model_copy(update={"programmable_levels": levels})
    inputs, _ = patterns(256, torch.Generator().manual_seed(5))

    def on_chip(weights: nn.Module) -> ferrogen.MappedModule:
        chip = ferrogen.Chip(card, seed=options.seed, spec=ChipSpec(tiles=16))
        return ferrogen.map_to_chip(weights, chip, inputs)

    rows = [
        ("float", *evaluate(longer, 1)),
        (f"float, mapped to {options.levels} levels", *evaluate(on_chip(longer))),
    ]
    mapped = on_chip(model).train()
    train(mapped, list(mapped.parameters()), options.steps, 1e-3, seed=2)
    rows.append(("trained on the chip, before programming", *evaluate(mapped)))
    pulses = mapped.chip.usage.pulses
    mapped.program().eval()
    rows.append(("trained on the chip, on its tiles", *evaluate(mapped)))
    pulses = mapped.chip.usage.pulses - pulses

    print("| network | loss | accuracy |\n|---|---|---|")
    for name, loss, hits in rows:
        print(f"| {name} | {loss:.3f} | {hits:.1%} |")
    print(f"\nProgramming took {pulses} pulses.")


if __name__ == "__main__":
    main()
