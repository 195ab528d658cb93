"""One forward of the float module with typical inputs: who multiplies how much, what is drawn, what follows what."""

from __future__ import annotations

import contextlib
import gc
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ferrogen.core.errors import argument_error
from ferrogen.mapping.convert.latents import draws_numbers
from ferrogen.mapping.convert.macs import multiply_accumulates
from ferrogen.mapping.convert.private import has_hooks


@dataclass(frozen=True, slots=True)
class DigitalProduct:
    """Products of one kind that are made outside the layers for tiles.

    Attributes:
        where: path of the module whose forward makes them; empty for the outermost.
        operator: torch's name of it.
        with_weights: whether an operand is a parameter or buffer; otherwise activations meet activations.
        calls: how often.
        macs: multiply-accumulates of the traced batch.
    """

    where: str
    operator: str
    with_weights: bool
    calls: int
    macs: int


@dataclass(slots=True, eq=False)
class LayerTrace:
    """What a layer did.

    Attributes:
        calls: how often it ran.
        macs: multiply-accumulates of the traced batch.
        shapes: of its inputs, call by call.
    """

    calls: int = 0
    macs: int = 0
    shapes: list[tuple[int, ...]] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Trace:
    """What one forward showed.

    Attributes:
        images: items of the batch.
        layers: by ``id`` of the module.
        order: ids of the layers in the order of their first calls.
        digital: products outside the layers.
        random: what drew numbers: (path of the module, torch's operator) -> how often.
        follows: id of a batch norm -> id of the layer whose output it alone takes, every time.
        norms: ids of the batch norms that ran.
    """

    images: int
    layers: dict[int, LayerTrace]
    order: list[int]
    digital: list[DigitalProduct]
    random: dict[tuple[str, str], int]
    follows: dict[int, int]
    norms: set[int]


@contextlib.contextmanager
def untouched_generator() -> Iterator[None]:
    """Leave torch's own generator as it was: what a module draws meanwhile is not the user's."""
    with torch.random.fork_rng(devices=[]):
        yield


@dataclass(slots=True, eq=False)
class _Output:
    """An output of a layer that a batch norm may take."""

    layer: int
    tensor: weakref.ref[Tensor]
    storage: Any
    norm: int | None = None
    elsewhere: bool = False


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # what torch does to skip it imports its compiler: seconds

    def __init__(self, root: nn.Module, layers: Iterable[nn.Module], norms: Iterable[nn.Module]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names = {id(part): name for name, part in root.named_modules()}
        self.layers = {id(layer): LayerTrace() for layer in layers}
        self.norms = {id(norm) for norm in norms}
        self.order: list[int] = []
        self.stack: list[int] = []
        self.products: dict[tuple[str, str, bool], list[int]] = {}
        self.random: dict[tuple[str, str], int] = {}
        self.outputs: dict[int, _Output] = {}
        self.taken: dict[int, list[int | None]] = {}
        self.weights: set[int] = set()
        for part in root.modules():
            for tensor in (*part.parameters(recurse=False), *part.buffers(recurse=False)):
                self.weights.add(tensor.untyped_storage().data_ptr())

    # -- modules ----------------------------------------------------------------------------------------------------

    def enter(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        self.stack.append(id(module))
        if id(module) in self.layers:
            seen = self.layers[id(module)]
            if not seen.calls:
                self.order.append(id(module))
            seen.calls += 1
            if args and isinstance(args[0], Tensor):
                seen.shapes.append(tuple(args[0].shape))
        elif id(module) in self.norms:
            given = args[0] if args and isinstance(args[0], Tensor) else None
            known = None if given is None else self.outputs.get(given.untyped_storage().data_ptr())
            if known is None or known.tensor() is not given or known.norm is not None:
                self.taken.setdefault(id(module), []).append(None)
                if known is not None:
                    known.elsewhere = True
            else:
                known.norm = id(module)
                self.taken.setdefault(id(module), []).append(known.layer)

    def leave(self, module: nn.Module, out: Any) -> None:
        self.stack.pop()
        if self.norms and id(module) in self.layers and isinstance(out, Tensor):
            storage = out.untyped_storage()  # kept, so that its place in memory stays taken
            self.outputs[storage.data_ptr()] = _Output(id(module), weakref.ref(out), storage)

    # -- operators --------------------------------------------------------------------------------------------------

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        named = kwargs or {}
        name = func._schema.name.removeprefix("aten::")  # noqa: SLF001
        inside = [key for key in self.stack if key in self.layers]
        given = [leaf for leaf in tree_leaves((args, named)) if isinstance(leaf, Tensor)]
        places = [tensor.untyped_storage().data_ptr() for tensor in given if tensor.layout is torch.strided]
        self._note_operands(places)
        out = func(*args, **named)
        macs = multiply_accumulates(name, args, out)
        where = self.names.get(self.stack[-1], "") if self.stack else ""
        if macs and inside:
            self.layers[inside[-1]].macs += macs
        elif macs:
            entry = self.products.setdefault((where, name, any(place in self.weights for place in places)), [0, 0])
            entry[0] += 1
            entry[1] += macs
        if draws_numbers(func, args, named):
            self.random[where, name] = self.random.get((where, name), 0) + 1
        return out

    def _note_operands(self, places: list[int]) -> None:
        for place in places:
            known = self.outputs.get(place)
            if known is not None and (known.norm is None or known.norm not in self.stack):
                known.elsewhere = True

    def follows(self) -> dict[int, int]:
        """Return which batch norm always takes all of one layer's outputs, and nobody else does."""
        gc.collect()  # of what is still alive, somebody keeps a hold
        pairs: dict[int, int] = {}
        for norm, sources in self.taken.items():
            layer = sources[0]
            if layer is None or any(source != layer for source in sources):
                continue
            made = [output for output in self.outputs.values() if output.layer == layer]
            whole = len(made) == self.layers[layer].calls == len(sources)
            if whole and all(o.norm == norm and not o.elsewhere and o.tensor() is None for o in made):
                pairs[norm] = layer
        return pairs


def trace_forward(
    root: nn.Module,
    layers: Iterable[nn.Module],
    norms: Iterable[nn.Module],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    *,
    images: int,
    around: Callable[[], contextlib.AbstractContextManager[Any]] = contextlib.nullcontext,
) -> Trace:
    """Run the float module once and record what it does.

    Args:
        root: private copy in evaluation mode.
        layers: those for tiles.
        norms: batch norms that might be folded into them.
        args: of the forward.
        kwargs: of the forward.
        images: items of the batch.
        around: context of the forward, e.g. served random numbers.

    Raises:
        ArgumentError: the module refuses the inputs.
    """
    layers = list(layers)
    norms = [norm for norm in norms if not has_hooks(norm)]
    recorder = _Recorder(root, layers, norms)
    parts = list({id(part): part for part in root.modules()}.values())
    hooked = {id(part) for part in layers if has_hooks(part)}
    handles = []
    for part in parts:
        handles.append(part.register_forward_pre_hook(recorder.enter, prepend=True))
        handles.append(part.register_forward_hook(lambda module, _, out: recorder.leave(module, out)))
    try:
        with untouched_generator(), torch.no_grad(), around(), recorder:
            outputs = root(*args, **kwargs)
        follows = recorder.follows()
        del outputs
    except (RuntimeError, TypeError, ValueError, IndexError, AttributeError) as error:
        if type(error).__module__.startswith("ferrogen"):
            raise
        raise argument_error(
            "inputs",
            "be what the module's forward takes",
            f"refused: {(str(error).splitlines() or [type(error).__name__])[0]}",
            "Pass one tensor, or a tuple of the forward's arguments.",
        ) from error
    finally:
        for handle in handles:
            handle.remove()
    digital = [
        DigitalProduct(where, name, weights, calls, macs)
        for (where, name, weights), (calls, macs) in recorder.products.items()
    ]
    return Trace(
        images=images,
        layers=recorder.layers,
        order=recorder.order,
        digital=digital,
        random=recorder.random,
        follows={norm: layer for norm, layer in follows.items() if layer not in hooked},
        norms=set(recorder.taken),
    )


def merged(traces: Sequence[Trace]) -> Trace:
    """Return several forwards as one: sums, and of what follows what only that which always does."""
    first = traces[0]
    layers = {
        key: LayerTrace(
            sum(trace.layers[key].calls for trace in traces),
            sum(trace.layers[key].macs for trace in traces),
            [shape for trace in traces for shape in trace.layers[key].shapes],
        )
        for key in first.layers
    }
    products: dict[tuple[str, str, bool], list[int]] = {}
    random: dict[tuple[str, str], int] = {}
    follows: dict[int, set[int | None]] = {}
    for trace in traces:
        for item in trace.digital:
            entry = products.setdefault((item.where, item.operator, item.with_weights), [0, 0])
            entry[0] += item.calls
            entry[1] += item.macs
        for name, count in trace.random.items():
            random[name] = random.get(name, 0) + count
        for norm in trace.norms:
            follows.setdefault(norm, set()).add(trace.follows.get(norm))
    pairs = {norm: layer for norm, (layer, *others) in ((n, tuple(s)) for n, s in follows.items()) if not others}
    alone = {
        norm: layer
        for norm, layer in pairs.items()
        if layer is not None and all(trace.follows.get(norm) == layer for trace in traces if trace.layers[layer].calls)
    }
    return Trace(
        images=sum(trace.images for trace in traces),
        layers=layers,
        order=list(dict.fromkeys(key for trace in traces for key in trace.order)),
        digital=[DigitalProduct(*name, *counts) for name, counts in products.items()],
        random=random,
        follows=alone,
        norms=set().union(*(trace.norms for trace in traces)),
    )
