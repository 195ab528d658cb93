"""What the commands of the latent space share: their chip, and lists of whole numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ferrogen.cli import options
from ferrogen.core.errors import argument_error

if TYPE_CHECKING:
    from ferrogen.generation.generator import ChipGenerator

Model = Annotated[
    str, typer.Argument(help="Name of shipped weights, e.g. 'mnist', or a weight file that `ferrogen train` wrote.")
]
PairsPerLatent = Annotated[int, typer.Option(help="Differential bit-line pairs read for one latent.")]

_MOST_DIGITS = 12
_MOST_NUMBERS = 10_000


def chip_generator(
    model: str,
    card: str,
    seed: int,
    threads: int,
    pairs_per_latent: int,
    sample_voltage: str | None,
    multiply_voltage: str | None,
    sampling_time: str | None,
    temperature: str | None,
    fidelity: Literal["statistical", "cell"] = "statistical",
) -> ChipGenerator:
    """Program a model onto a fresh chip at the wanted operating point.

    Raises:
        FerrogenError: an unusable model, card or operating point.
    """
    from ferrogen.chip.chip import Chip
    from ferrogen.device.card import load_card
    from ferrogen.generation.decoder import chip_spec_for
    from ferrogen.generation.generator import ChipGenerator
    from ferrogen.generation.model_file import load_vae
    from ferrogen.sampler.latents import SamplerSpec

    device = load_card(card)
    point = options.operating_point(device, sample_voltage, multiply_voltage, sampling_time, temperature)
    sampler = SamplerSpec(pairs_per_latent=pairs_per_latent)
    vae = load_vae(model)
    chip = Chip(device, seed=seed, spec=chip_spec_for(vae), threads=threads)
    return ChipGenerator(vae, chip, point, sampler, fidelity)


def whole_numbers(text: str, name: str) -> list[int]:
    """Parse whole numbers with commas or spaces between; ``3-6`` means 3, 4, 5 and 6.

    Raises:
        ArgumentError: anything else.
    """
    found: list[int] = []
    for part in text.replace(",", " ").split():
        low, dash, high = part.partition("-")
        ends = [low, high] if dash else [low]
        if not all(end.isascii() and end.isdecimal() and len(end) <= _MOST_DIGITS for end in ends):
            found = []
            break
        numbers = range(int(ends[0]), int(ends[-1]) + 1)
        if not numbers or len(found) + len(numbers) > _MOST_NUMBERS:
            found = []
            break
        found.extend(numbers)
    if not found:
        remedy = "Write for example 0,5,7 or 0-9."
        raise argument_error(name, f"be whole numbers with commas, at most {_MOST_NUMBERS}", repr(text), remedy)
    return found
