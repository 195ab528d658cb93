"""A module's random numbers from an explicit source, addressed by image instead of by the order of the draws.

While :class:`ServedRandomness` is active, whatever torch would draw (``randn``, ``randn_like``, ``rand``, ``normal``,
``Tensor.normal_``, dropout, distributions that rest on these) comes from a :class:`LatentSource`. The n-th draw of a
forward asks the source for the n-th block of every image's numbers: they depend neither on the batch nor on any
generator. Uniform numbers are normal ones through the normal distribution function. It is done below autograd, where
torch marks each operator that draws; one that cannot be served is refused, never left to torch's own generator.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from ferrogen.core.errors import argument_error

_BELOW_ONE = 1.0 - 2.0**-24


@runtime_checkable
class LatentSource(Protocol):
    """Something that has standard normal numbers for every image, e.g. a chip's sampler."""

    def normals(self, images: NDArray[np.int64], call: int, count: int) -> NDArray[np.float32]:
        """Return standard normals, float32 ``(images, count)``.

        Args:
            images: image numbers, shape ``(images,)``.
            call: which draw of the image it is: 0, 1, 2, ... The same image and call give the same numbers, whatever
                the other images; different calls give independent ones.
            count: how many numbers each image needs.
        """
        ...


def _uniform(normal: Tensor) -> Tensor:
    """Return numbers in [0, 1) with the ranks of normal ones."""
    uniform: Tensor = torch.special.ndtr(normal.double()).clamp_(0.0, _BELOW_ONE)
    return uniform


# How each operator's result is made: (draws(shape, "normal" or "uniform"), its arguments) -> what it returns.
_Recipe = Callable[[Callable[..., Tensor], tuple[Any, ...], Mapping[str, Any]], Any]


def _argument(args: tuple[Any, ...], kwargs: Mapping[str, Any], place: int, name: str, default: Any) -> Any:
    return args[place] if len(args) > place else kwargs.get(name, default)


def _sized(form: str) -> _Recipe:
    def make(draw: Callable[..., Tensor], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor:
        return draw(tuple(args[0]), form).to(
            dtype=kwargs.get("dtype") or torch.get_default_dtype(), device=kwargs.get("device")
        )

    return make


def _like(form: str) -> _Recipe:
    def make(draw: Callable[..., Tensor], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor:
        return draw(tuple(args[0].shape), form).to(
            dtype=kwargs.get("dtype") or args[0].dtype, device=kwargs.get("device") or args[0].device
        )

    return make


def _normal(draw: Callable[..., Tensor], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor:
    mean, std = _argument(args, kwargs, 0, "mean", 0.0), _argument(args, kwargs, 1, "std", 1.0)
    tensors = [part for part in (mean, std) if isinstance(part, Tensor)]
    shape = tuple((tensors[0] + tensors[-1]).shape) if tensors else tuple(args[2])
    drawn = draw(shape, "normal")
    if tensors:
        made: Tensor = mean + std * drawn.to(tensors[0])
    else:
        made = (mean + std * drawn).to(
            dtype=kwargs.get("dtype") or torch.get_default_dtype(), device=kwargs.get("device")
        )
    return made


def _normal_(draw: Callable[..., Tensor], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor:
    mean, std = _argument(args, kwargs, 1, "mean", 0.0), _argument(args, kwargs, 2, "std", 1.0)
    filled: Tensor = args[0].copy_(draw(tuple(args[0].shape), "normal") * std + mean)
    return filled


def _uniform_(draw: Callable[..., Tensor], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor:
    low, high = _argument(args, kwargs, 1, "from", 0.0), _argument(args, kwargs, 2, "to", 1.0)
    filled: Tensor = args[0].copy_(draw(tuple(args[0].shape), "uniform") * (high - low) + low)
    return filled


def _exponential_(draw: Callable[..., Tensor], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor:
    rate = _argument(args, kwargs, 1, "lambd", 1.0)
    filled: Tensor = args[0].copy_(torch.log1p(-draw(tuple(args[0].shape), "uniform")) / -rate)
    return filled


def _bernoulli(draw: Callable[..., Tensor], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor:
    chance = _argument(args, kwargs, 1, "p", None)
    chance = args[0] if chance is None else chance
    drawn: Tensor = (draw(tuple(args[0].shape), "uniform").to(args[0].device) < chance).to(args[0].dtype)
    return drawn


def _bernoulli_(draw: Callable[..., Tensor], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor:
    chance = _argument(args, kwargs, 1, "p", 0.5)
    filled: Tensor = args[0].copy_(draw(tuple(args[0].shape), "uniform").to(args[0].device) < chance)
    return filled


def _dropout(draw: Callable[..., Tensor], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
    x, rate = args[0], _argument(args, kwargs, 1, "p", 0.5)
    kept = draw(tuple(x.shape), "uniform").to(x.device) >= rate
    return x * kept.to(x.dtype) * (0.0 if rate == 1.0 else 1.0 / (1.0 - rate)), kept


_RECIPES: dict[str, _Recipe] = {
    "aten::randn": _sized("normal"),
    "aten::rand": _sized("uniform"),
    "aten::randn_like": _like("normal"),
    "aten::rand_like": _like("uniform"),
    "aten::normal": _normal,
    "aten::normal_": _normal_,
    "aten::uniform_": _uniform_,
    "aten::exponential_": _exponential_,
    "aten::bernoulli": _bernoulli,
    "aten::bernoulli_": _bernoulli_,
    "aten::native_dropout": _dropout,
}

SERVED = tuple(sorted(name.removeprefix("aten::") for name in _RECIPES))
"""Names of the operators that a source can stand in for."""


class ServedRandomness:
    """Context in which a module's draws come from a source.

    Args:
        source: of the numbers.
        images: number of each image of the batch, shape ``(batch,)``.

    Raises:
        ArgumentError: at a draw whose first dimension is not the batch, or one of a kind that is not in
            :data:`SERVED`.
    """

    def __init__(self, source: LatentSource, images: NDArray[np.int64]) -> None:
        self._mode = _Mode(source, images)

    @property
    def calls(self) -> int:
        """How many draws were served."""
        return self._mode.calls

    def __enter__(self) -> Self:
        self._mode.__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._mode.__exit__(kind, error, trace)  # type: ignore[no-untyped-call]


class _Mode(TorchDispatchMode):  # type: ignore[no-untyped-call]
    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # what torch does to skip it imports its compiler: seconds

    def __init__(self, source: LatentSource, images: NDArray[np.int64]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.source, self.images, self.calls = source, images, 0

    def _draw(self, name: str, shape: tuple[int, ...], form: str) -> Tensor:
        batch = self.images.shape[0]
        if not shape or shape[0] != batch:
            raise argument_error(
                "latent_source",
                f"serve draws whose first dimension is the batch, here {batch} images",
                f"asked by torch's `{name}` for the shape {tuple(shape)}",
                "Draw numbers for every image, or map the module without latent_source.",
            )
        count = int(np.prod(shape[1:], dtype=np.int64))
        numbers = np.asarray(self.source.normals(self.images, self.calls, count))
        if numbers.shape != (batch, count):
            raise argument_error(
                "latent_source", f"return numbers of the shape {(batch, count)}", f"of shape {numbers.shape}"
            )
        self.calls += 1
        drawn = torch.from_numpy(np.ascontiguousarray(numbers, dtype=np.float32)).reshape(shape)
        return drawn if form == "normal" else _uniform(drawn)

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        named = kwargs or {}
        if not draws_numbers(func, args, named):
            return func(*args, **named)
        name = func._schema.name  # noqa: SLF001 (an operator's schema has no other way in)
        recipe = _RECIPES.get(name)
        short = name.removeprefix("aten::")
        if recipe is None:
            raise argument_error(
                "latent_source",
                f"know how to serve what the module draws ({', '.join(SERVED)})",
                f"asked for torch's `{short}`",
                "Draw with one of these, or map the module without latent_source.",
            )
        return recipe(lambda shape, form: self._draw(short, shape, form), args, named)


def draws_numbers(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Say whether a call of a torch operator draws random numbers: fused attention does with dropout only."""
    if torch.Tag.nondeterministic_seeded not in func.tags:
        return False
    if "scaled_dot_product" in func._schema.name:  # noqa: SLF001
        names = [argument.name for argument in func._schema.arguments]  # noqa: SLF001
        given = dict(zip(names, args, strict=False)) | dict(kwargs)
        return float(given.get("dropout_p", 0.0)) > 0.0
    return True
