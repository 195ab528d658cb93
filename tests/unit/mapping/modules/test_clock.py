"""Addresses of products: images, places within them, and how images are found in an input."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from ferrogen.core.errors import ArgumentError
from ferrogen.mapping.modules.clock import MOST_PRODUCTS, Clock, Forward, Images, image_numbers


def test_a_forward_takes_the_next_images_and_advances() -> None:
    clock = Clock()
    clock.seek(7)
    with clock.forward_of(3) as now:
        assert now.numbers.tolist() == [7, 8, 9]
        with clock.forward_of(5) as inner:
            assert inner is now
    assert clock.now is None
    assert int(clock.next_image) == 10
    assert clock.state_dict()["next_image"] == 10


def test_a_forward_of_given_numbers_leaves_the_next_image_alone() -> None:
    clock = Clock()
    clock.seek(7)
    numbers = torch.tensor([9, 2, 2])
    with clock.forward_at(numbers) as now:
        assert now.numbers.tolist() == [9, 2, 2]
        assert image_numbers(now.addresses((3,), 0, 2, 0)).tolist() == [9, 9, 2, 2, 2, 2]
        with clock.forward_of(5) as inner:
            assert inner is now
        with pytest.raises(ArgumentError, match="numbers"), clock.forward_at(numbers):
            pass
    assert int(clock.next_image) == 7
    with pytest.raises(ArgumentError, match="numbers"), clock.forward_at(torch.tensor([-1])):
        pass


def test_a_forward_that_fails_takes_none() -> None:
    clock = Clock()
    with pytest.raises(KeyError), clock.forward_of(3):
        raise KeyError
    assert int(clock.next_image) == 0
    assert clock.now is None


@pytest.mark.parametrize("image", [-1, 1.0, True, 2**31 - 1, "0"])
def test_only_image_numbers_can_be_sought(image: object) -> None:
    with pytest.raises(ArgumentError, match="image"):
        Clock().seek(image)  # type: ignore[arg-type]


@given(
    before=st.integers(1, 3), after=st.integers(1, 3), folded=st.integers(1, 3), images=st.integers(2, 5),
    positions=st.integers(1, 4), split=st.integers(1, 4), first=st.integers(0, 2**31 - 10), start=st.integers(0, 10**9),
)  # fmt: skip
def test_addresses_are_unique_and_go_with_the_image(
    before: int, after: int, folded: int, images: int, positions: int, split: int, first: int, start: int
) -> None:
    """The addresses of a batch are those of its parts, at the same places of the tensor."""
    split = min(split, images - 1)

    def addresses(number: int, count: int) -> torch.Tensor:
        forward = Forward(torch.tensor(number), count)
        flat = forward.addresses((before, count * folded, after), 1, positions, start)
        return flat.reshape(before, count, folded, after * positions)

    whole = addresses(first, images)
    assert torch.equal(whole, torch.cat([addresses(first, split), addresses(first + split, images - split)], dim=1))
    assert whole.unique().numel() == whole.numel()
    for k in range(images):
        own = whole[:, k].reshape(-1)
        assert torch.all(image_numbers(own) == first + k)
        assert torch.equal(own % MOST_PRODUCTS, torch.arange(start, start + own.numel()))  # in reading order


def test_calls_of_a_layer_do_not_share_addresses() -> None:
    layer, other, forward = nn.Identity(), nn.Identity(), Forward(torch.tensor(0), 2)
    assert [forward.take(layer, 5), forward.take(layer, 7), forward.take(other, 5)] == [0, 5, 0]
    with pytest.raises(ArgumentError, match="products of a layer"):
        forward.take(layer, MOST_PRODUCTS)


def test_an_input_that_belongs_to_no_image_always_has_the_same_addresses() -> None:
    one = Forward(torch.tensor(0), 4).addresses((3,), -1, 2, 0)
    other = Forward(torch.tensor(99), 2).addresses((3,), -1, 2, 0)
    assert torch.equal(one, other)
    assert one.unique().numel() == 6
    assert not torch.isin(one, Forward(torch.tensor(0), 4).addresses((4, 3), 0, 2, 0)).any()
    assert torch.all(image_numbers(one) == 0)


@pytest.mark.parametrize(
    ("calls", "wanted"),
    [
        ([((8, 5), 8)], 0),
        ([((5, 8), 8)], 1),  # sequence first
        ([((8, 8), 8)], 0),  # cannot be told from one call ...
        ([((8, 8), 8), ((8, 7), 7)], 1),  # ... but from two
        ([((24, 5), 8)], 0),  # windows folded into the batch
        ([((24, 5), 8), ((21, 5), 7)], 0),
        ([((16, 8), 8), ((16, 7), 7)], 1),  # 16 is no number of images, though a multiple of 8
        ([((16, 5), 8), ((16, 5), 7)], -1),  # a table of queries
        ([((5,), 8)], -1),
    ],
)
def test_the_dimension_of_the_images_is_found(calls: list[tuple[tuple[int, ...], int]], wanted: int) -> None:
    images = Images()
    for leading, count in calls:
        images.see(leading, count)
    assert images.dimension == wanted
