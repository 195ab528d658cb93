"""From float layers to layers on tiles: who shares tiles, what is programmed, what takes whose place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from torch import Tensor, nn

from ferrogen.chip.chip import Chip
from ferrogen.chip.flicker.decision import MemoryChoice
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.repair import Repair
from ferrogen.core.errors import argument_error
from ferrogen.mapping.coding import CodingSpec
from ferrogen.mapping.convert.private import keep_hooks
from ferrogen.mapping.convert.survey import FoundLayer
from ferrogen.mapping.layer import Fidelity, map_matrices
from ferrogen.mapping.lowering import Lowering, lower
from ferrogen.mapping.modules.analog_layer import AnalogLayer, FloatLayer
from ferrogen.mapping.modules.clock import Clock


class SharedWeights(nn.Module):
    """A layer whose tiles belong to several layers with tied weights, and whose bias is its own.

    Args:
        shared: on tiles, without a bias.
        bias: digital.
    """

    def __init__(self, shared: AnalogLayer, bias: nn.Parameter | None) -> None:
        super().__init__()
        self.shared, self.bias = shared, bias

    @property
    def weight(self) -> Tensor:
        """The tied float weight."""
        return self.shared.weight

    def forward(self, x: Tensor) -> Tensor:
        """Return what the layer returns, with the chip's noise."""
        out: Tensor = self.shared(x)
        if self.bias is None:
            return out
        return out + self.bias.reshape(-1, *(1,) * len(self.shared.lowering.axes)).to(out.dtype)


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Layers that use the same tiles.

    Attributes:
        members: float layers; the first one gives the name.
        lowering: their geometry.
    """

    members: tuple[FoundLayer, ...]
    lowering: Lowering

    @property
    def name(self) -> str:
        """Name of the first member."""
        return self.members[0].name

    @property
    def others(self) -> tuple[str, ...]:
        """All other paths that use the same tiles."""
        rest = [*self.members[0].also, *(path for item in self.members[1:] for path in (item.name, *item.also))]
        return tuple(rest)


def group_layers(layers: Sequence[FoundLayer], chip: Chip) -> list[Group]:
    """Put layers together whose weights are the same parameter and whose geometry is the same.

    Tied weights of another geometry (a convolution with another stride) get tiles of their own.
    """
    groups: dict[tuple[int, Lowering], list[FoundLayer]] = {}
    for item in layers:
        lowering = lower(item.module, chip.spec.logical_rows, chip.spec.logical_pairs)
        if lowering is None:  # a survey finds none such
            raise argument_error("module", "have layers of supported kinds", f"'{item.name}', a {item.kind}")
        groups.setdefault((id(item.module.weight), lowering), []).append(item)
    return [Group(tuple(members), lowering) for (_, lowering), members in groups.items()]


def tied_layers(layers: Sequence[FoundLayer]) -> set[int]:
    """Return the ids of layers that share a weight with another layer."""
    owners: dict[int, list[int]] = {}
    for item in layers:
        owners.setdefault(id(item.module.weight), []).append(id(item.module))
    return {key for shared in owners.values() if len(shared) > 1 for key in shared}


@dataclass(frozen=True, slots=True, eq=False)
class Built:
    """Layers on tiles.

    Attributes:
        groups: who shares tiles.
        analog: the layer on tiles of each group.
        replacements: what takes the place of each float layer, by ``id``.
    """

    groups: tuple[Group, ...]
    analog: tuple[AnalogLayer, ...]
    replacements: dict[int, nn.Module]


def _without_bias(layer: nn.Module) -> nn.Module:
    """Return a view of a layer, with the same weight and no bias."""
    view = type(layer).__new__(type(layer))
    nn.Module.__init__(view)
    state: dict[str, Any] = dict(vars(layer))
    for name in ("_parameters", "_buffers", "_modules"):
        state[name] = dict(state[name])
    view.__dict__.update(state)
    view.bias = None  # type: ignore[assignment]
    return view


def build_layers(
    groups: Sequence[Group],
    chip: Chip,
    point: OperatingPoint,
    clock: Clock,
    *,
    coding: CodingSpec,
    fidelity: Fidelity,
    repair: Repair | None,
    memory: MemoryChoice = "off",
    sampling_tiles: int = 0,
) -> Built:
    """Plan all matrices together, program every tile once, and make the layers.

    Raises:
        CapacityError: not enough tiles; nothing is programmed then.
    """
    weights, names, counts = [], [], []
    for group in groups:
        weight = group.members[0].module.weight
        if not isinstance(weight, Tensor):
            raise argument_error("module", "have layers with a weight", f"'{group.name}'")
        parts = [np.asarray(part.double().numpy()) for part in group.lowering.weights(weight.detach())]
        weights += parts
        names += [group.name] if len(parts) == 1 else [f"{group.name}[{k}]" for k in range(len(parts))]
        counts.append(len(parts))
    biases = [np.zeros(weight.shape[0]) for weight in weights]
    linears = (
        map_matrices(chip, weights, biases, coding=coding, repair=repair, names=names, sampling_tiles=sampling_tiles)
        if weights
        else []
    )
    analog: list[AnalogLayer] = []
    replacements: dict[int, nn.Module] = {}
    start = 0
    for group, count in zip(groups, counts, strict=True):
        own = linears[start : start + count]
        for linear in own:
            linear.memory = memory
        start += count
        source = group.members[0].module
        alone = len(group.members) == 1
        made = AnalogLayer(
            cast("FloatLayer", source if alone else _without_bias(source)),
            group.lowering,
            own,
            clock,
            point,
            fidelity=fidelity,
            name=group.name or "(the module)",
        )
        analog.append(made)
        for item in group.members:
            bias = item.module.bias
            whole = made if alone else SharedWeights(made, bias if isinstance(bias, nn.Parameter) else None)
            keep_hooks(item.module, whole)
            replacements[id(item.module)] = whole.eval()
    return Built(tuple(groups), tuple(analog), replacements)


def guard_unreached(layers: Sequence[FoundLayer]) -> None:
    """Let layers that the typical inputs never reached refuse to run: they are digital, and nobody was told.

    Their weights can still be read.
    """
    for item in layers:

        def refuse(_module: nn.Module, _args: Any, name: str = item.name) -> None:
            raise argument_error(
                "inputs",
                f"reach every layer that is used later, '{name}' too",
                "such that it was never called",
                "Map the module again with inputs (a list of several) that reach it, or with skip=[...].",
            )

        item.module.register_forward_pre_hook(refuse, prepend=True)
