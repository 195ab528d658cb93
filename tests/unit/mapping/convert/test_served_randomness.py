"""A module's random numbers from a source: by image, of the right law, and refused where they belong to no image."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from ferrogen import Chip, ChipSpec, map_to_chip
from ferrogen.core.errors import ArgumentError
from ferrogen.core.philox import addressed_normals
from ferrogen.core.streams import Purpose, Streams
from ferrogen.mapping.convert.latents import LatentSource, ServedRandomness


class _Source:
    """Normals addressed by image and call, and a record of what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def normals(self, images: np.ndarray, call: int, count: int) -> np.ndarray:
        self.asked.append((call, count))
        return addressed_normals(Streams(5).key(Purpose.IDEAL_LATENT, call), images, count)


_N = 2000
_DRAWS = [
    (lambda: torch.randn(_N, 3), stats.norm.cdf),
    (lambda: torch.randn_like(torch.zeros(_N, 3, dtype=torch.float64)), stats.norm.cdf),
    (lambda: torch.rand(_N, 3), stats.uniform.cdf),
    (lambda: torch.rand_like(torch.zeros(_N, 3)), stats.uniform.cdf),
    (lambda: torch.normal(2.0, 3.0, (_N, 3)), lambda v: stats.norm.cdf(v, 2, 3)),
    (lambda: torch.normal(torch.full((_N, 3), 2.0), 3.0), lambda v: stats.norm.cdf(v, 2, 3)),
    (lambda: torch.normal(2.0, torch.full((_N, 3), 3.0)), lambda v: stats.norm.cdf(v, 2, 3)),
    (lambda: torch.normal(torch.zeros(_N, 1), torch.ones(_N, 3)), stats.norm.cdf),
    (lambda: torch.zeros(_N, 3).normal_(2.0, 3.0), lambda v: stats.norm.cdf(v, 2, 3)),
    (lambda: torch.zeros(_N, 3).uniform_(-1.0, 3.0), lambda v: stats.uniform.cdf(v, -1, 4)),
    (lambda: torch.zeros(_N, 3).exponential_(2.0), lambda v: stats.expon.cdf(v, scale=0.5)),
    (lambda: torch.distributions.Normal(torch.zeros(_N, 3), 1.0).rsample(), stats.norm.cdf),
]


@pytest.mark.parametrize("number", range(len(_DRAWS)))
def test_every_draw_has_its_law(number: int) -> None:
    draw, law = _DRAWS[number]
    before = torch.random.get_rng_state()
    with ServedRandomness(_Source(), np.arange(_N)):
        drawn = draw()
    assert torch.equal(before, torch.random.get_rng_state())
    assert drawn.shape == (_N, 3)
    # Level 1e-4 of each of twelve tests.
    assert stats.kstest(drawn.double().ravel().numpy(), law).pvalue > 1e-4


def test_coins_and_dropout_have_their_chances() -> None:
    with ServedRandomness(_Source(), np.arange(_N)):
        coins = torch.bernoulli(torch.full((_N, 3), 0.3))
        others = torch.zeros(_N, 3).bernoulli_(0.3)
        kept = nn.functional.dropout(torch.ones(_N, 3), 0.7, training=True)
        channels = nn.functional.dropout2d(torch.ones(_N, 3, 2, 2), 0.7, training=True)
        none = nn.functional.dropout(torch.ones(_N, 3), 1.0, training=True)
    error = np.sqrt(0.3 * 0.7 / (3 * _N))
    for part in (coins, others, kept * 0.3, channels[..., 0, 0] * 0.3):
        assert abs(float(part.mean()) - 0.3) < 3.9 * error  # level 1e-4 each
    assert torch.equal(channels[..., 0, 0], channels[..., 1, 1])
    assert float(none.abs().max()) == 0.0


def test_gradients_pass_through_a_reparameterised_draw() -> None:
    spread = torch.ones(4, 3, requires_grad=True)
    with ServedRandomness(_Source(), np.arange(4)):
        noise = torch.randn_like(spread)
        dropped = nn.functional.dropout(spread, 0.5, training=True)
    (noise * spread).sum().backward()
    assert torch.equal(spread.grad, noise)
    spread.grad = None
    dropped.sum().backward()
    assert set(spread.grad.unique().tolist()) <= {0.0, 2.0}


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: torch.randn(3, 4), r"first dimension is the batch, here 4 images.*`randn` for the shape \(3, 4\)"),
        (lambda: torch.randn(()), r"shape \(\)"),
        (lambda: torch.randint(0, 5, (4,)), "asked for torch's `randint`"),
        (lambda: torch.randperm(4), "asked for torch's `randperm`"),
    ],
)
def test_what_belongs_to_no_image_is_refused(draw, message: str) -> None:
    with pytest.raises(ArgumentError, match=message), ServedRandomness(_Source(), np.arange(4)):
        draw()


def test_a_source_of_the_wrong_shape_is_refused() -> None:
    class Wrong:
        def normals(self, images: np.ndarray, call: int, count: int) -> np.ndarray:
            return np.zeros((1, count), dtype=np.float32)

    with pytest.raises(ArgumentError, match=r"numbers of the shape \(4, 2\)"), ServedRandomness(Wrong(), np.arange(4)):
        torch.randn(4, 2)


class _Variational(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encode, self.decode, self.drop = nn.Linear(6, 8), nn.Linear(4, 6), nn.Dropout(0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean, spread = self.encode(x).chunk(2, dim=1)
        return self.decode(mean + spread.exp() * torch.randn_like(spread))

    def sample(self, count: int) -> torch.Tensor:
        return self.decode(torch.randn(count, 4))


def test_a_mapped_module_draws_by_image() -> None:
    source = _Source()
    assert isinstance(source, LatentSource)
    x = torch.randn(6, 6, generator=torch.Generator().manual_seed(1))
    chip = Chip("hzo-mfis-nor", seed=1, spec=ChipSpec(rows=16, columns=32, tiles=4))
    mapped = map_to_chip(_Variational(), chip, x, latent_source=source)
    source.asked.clear()
    whole = mapped(x)
    assert source.asked == [(0, 4)]
    mapped.seek(0)
    assert torch.equal(torch.cat([mapped(x[:1]), mapped(x[1:])]), whole)
    report = mapped.report()
    assert (report.random_from, report.drawn) == ("source", (("", "randn_like", 1),))
    assert "random numbers from the latent source: randn_like x 1" in str(report)
    mapped.seek(0)
    with mapped.images(6) as module:
        pictures = module.sample(6)
    mapped.seek(0)
    parts = []
    for count in (4, 2):
        with mapped.images(count) as module:
            parts.append(module.sample(count))
    assert torch.equal(torch.cat(parts), pictures)


def test_without_a_source_the_module_draws_as_it_always_did() -> None:
    x = torch.zeros(3, 6)
    chip = Chip("hzo-mfis-nor", seed=1, spec=ChipSpec(rows=16, columns=32, tiles=4))
    before = torch.random.get_rng_state()
    mapped = map_to_chip(_Variational(), chip, x)
    drawn = torch.random.get_rng_state()
    report = mapped.report()
    assert (report.random_from, report.drawn) == ("torch", (("", "randn_like", 1),))
    with torch.random.fork_rng():
        torch.random.set_rng_state(before)
        _Variational()  # draws its weights
        assert torch.equal(torch.random.get_rng_state(), drawn)  # and mapping drew nothing
    first = mapped(x)
    mapped.seek(0)
    assert not torch.equal(mapped(x), first)
