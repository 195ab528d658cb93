"""Which image a product belongs to: the addresses of all noise of a mapped module.

A forward of the outermost module takes the images ``next_image``, ``next_image + 1``, ... and then advances the number,
so a batch gives the same, bit for bit, in one forward or in several. Within an image a layer's products are numbered
in the order in which the layer is called, and in reading order within a call: an address is
``image * 2^32 + number``. Every layer has a stream of its own.

Which dimension of a layer's input is that of the images is found out when ranges are set, by :class:`Images`: the
first one that always has as many items as the forward has images; failing that, the first one that always has a
multiple (images folded together with positions, image after image). An input without one belongs to no image: it
stands for something that is computed once and kept, and its noise is always the same.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ferrogen.core.errors import argument_error, is_whole

MOST_IMAGES = 2**31 - 1
MOST_PRODUCTS = 2**32
"""Of one layer, for one image."""

_NO_IMAGE = MOST_IMAGES  # one more than the last image


@dataclass(slots=True, eq=False)
class Forward:
    """A forward that is under way.

    Attributes:
        first: number of its first image, int64, shape ``()``.
        images: how many it has.
        used: products that each layer has made for an image, by ``id`` of the layer.
        given: numbers of its images, int64, shape ``(images,)``; None: they follow each other.
    """

    first: Tensor
    images: int
    used: dict[int, int] = field(default_factory=dict)
    given: Tensor | None = None

    @property
    def numbers(self) -> Tensor:
        """Numbers of its images, int64, shape ``(images,)``."""
        if self.given is not None:
            return self.given
        return self.first + torch.arange(self.images, device=self.first.device)

    def take(self, layer: nn.Module, count: int) -> int:
        """Return the number of a layer's next product for an image, and count ``count`` more.

        Raises:
            ArgumentError: there are more than addresses.
        """
        start = self.used.get(id(layer), 0)
        if start + count > MOST_PRODUCTS:
            raise argument_error(
                "input", f"need at most {MOST_PRODUCTS} products of a layer for an image", start + count
            )
        self.used[id(layer)] = start + count
        return start

    def addresses(self, leading: Sequence[int], dimension: int, positions: int, start: int) -> Tensor:
        """Return the address of every vector of a layer's call, int64, in reading order.

        Args:
            leading: dimensions of the input in front of channels.
            dimension: which of them is that of the images; -1: it belongs to no image.
            positions: vectors for each item of the leading dimensions.
            start: number of the call's first product, from :meth:`take`.
        """
        device = self.first.device
        if dimension < 0:
            count = math.prod(leading) * positions
            return torch.arange(count, device=device) + (_NO_IMAGE * MOST_PRODUCTS + start)
        before, folded = math.prod(leading[:dimension]), leading[dimension] // (self.images or 1)
        after = math.prod(leading[dimension + 1 :]) * positions
        places = torch.arange(start, start + before * folded * after, device=device)
        images = (self.numbers * MOST_PRODUCTS).reshape(1, -1, 1)
        return (images + places.reshape(before, 1, folded * after)).reshape(-1)


def image_numbers(addresses: Tensor) -> Tensor:
    """Return the image of each address; what belongs to no image counts as image 0."""
    images = addresses >> 32
    return torch.where(images == _NO_IMAGE, torch.zeros_like(images), images)


class Clock(nn.Module):
    """Counts the images of a mapped module. All its layers share one.

    Attributes:
        next_image: number of the first image of the next forward, a buffer (int64, shape ``()``).
    """

    next_image: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("next_image", torch.zeros((), dtype=torch.int64))
        self._now: Forward | None = None

    @property
    def now(self) -> Forward | None:
        """The forward that is under way."""
        return self._now

    def seek(self, image: int) -> None:
        """Make the next forward begin with this image.

        Raises:
            ArgumentError: not a whole number from 0 to :data:`MOST_IMAGES` - 1.
        """
        if not is_whole(image, 0, MOST_IMAGES - 1):
            raise argument_error("image", f"be a whole number from 0 to {MOST_IMAGES - 1}", repr(image))
        self.next_image.fill_(int(image))

    @contextlib.contextmanager
    def forward_of(self, images: int) -> Iterator[Forward]:
        """Let what is called inside belong to the next ``images`` images; advance when it is done without an error.

        Inside a forward that is under way this is that one, whatever ``images`` is.

        Raises:
            ArgumentError: images beyond the last number (not seen in an exported graph, or under ``vmap``).
        """
        if self._now is not None:
            yield self._now
            return
        self._refuse_too_many(images)
        self._now = Forward(self.next_image.clone(), images)
        try:
            yield self._now
        finally:
            self._now = None
        self.next_image.add_(images)

    @contextlib.contextmanager
    def forward_at(self, numbers: Tensor) -> Iterator[Forward]:
        """Let what is called inside belong to the images with these numbers; the next image stays the same.

        Args:
            numbers: int64, shape ``(images,)``, in any order.

        Raises:
            ArgumentError: a number outside 0 to :data:`MOST_IMAGES` - 1, or a forward that is under way.
        """
        if self._now is not None:
            raise argument_error("numbers", "be given outside of a forward", "given within one")
        if numbers.numel() and not 0 <= int(numbers.min()) <= int(numbers.max()) < MOST_IMAGES:
            found = f"{int(numbers.min())} to {int(numbers.max())}"
            raise argument_error("numbers", f"lie from 0 to {MOST_IMAGES - 1}", found)
        given = numbers.to(self.next_image.device)
        self._now = Forward(self.next_image.clone(), given.shape[0], given=given)
        try:
            yield self._now
        finally:
            self._now = None

    def _refuse_too_many(self, images: int) -> None:
        if torch.compiler.is_compiling():
            return
        try:
            first = int(self.next_image)
        except RuntimeError:  # the clocks of stacked chips
            return
        if first + images > MOST_IMAGES:
            raise argument_error(
                "inputs",
                f"be of images with numbers below {MOST_IMAGES}",
                f"images {first} to {first + images - 1}",
                "Go back to an earlier image (model.seek(0)).",
            )


@dataclass(slots=True)
class Images:
    """Which leading dimension of a layer's inputs is that of the images. Learnt from calls.

    Attributes:
        equal: dimensions that always had as many items as there were images; None: nothing was seen yet.
        multiple: dimensions that always had a multiple.
    """

    equal: set[int] | None = None
    multiple: set[int] | None = None

    def see(self, leading: Sequence[int], images: int) -> None:
        """Learn from a call. Calls with different numbers of images rule out what only looks like the right one."""
        equal = {k for k, size in enumerate(leading) if size == images}
        multiple = {k for k, size in enumerate(leading) if size % (images or 1) == 0}
        self.equal = equal if self.equal is None else self.equal & equal
        self.multiple = multiple if self.multiple is None else self.multiple & multiple

    @property
    def dimension(self) -> int:
        """The dimension; -1: the inputs belong to no image."""
        return min(self.equal or self.multiple or {-1})
