"""A module on a chip, as an ordinary ``nn.Module``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ferrogen.array.evolution import Evolution
from ferrogen.chip.aging import Age, age_chip
from ferrogen.chip.chip import Chip
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.repair import Repair
from ferrogen.core.errors import DataFileError, argument_error, layer_error
from ferrogen.core.files import atomic_path
from ferrogen.mapping.convert.calibration import calibrate_layers
from ferrogen.mapping.convert.describe import Record, describe
from ferrogen.mapping.convert.inputs import batch_of, batches_of, single_precision
from ferrogen.mapping.convert.latents import LatentSource, ServedRandomness
from ferrogen.mapping.modules.analog_layer import AnalogLayer
from ferrogen.mapping.modules.analog_part import AnalogPart
from ferrogen.mapping.modules.clock import Clock
from ferrogen.mapping.report import MappingReport
from ferrogen.mapping.training.master import Chips, Wires
from ferrogen.mapping.training.program import program_layers


class MappedModule(nn.Module):
    """A module whose layers' products run on a chip. Made by :func:`.map_to_chip.map_to_chip`.

    Called like the module it was made from. A forward makes the images ``clock.next_image``, ``+ 1``, ... and advances;
    all noise is addressed by image, so a batch gives the same, bit for bit, in one forward or in several.
    Floats are computed in single precision. ``train()`` turns gradients of the layers on
    (:mod:`ferrogen.mapping.training`), and :meth:`program` writes trained weights to the tiles, which is due before the
    next evaluation; batch norms that were folded stay as they are.

    Its ``state_dict`` holds what is on the tiles, ranges and the next image included, every tensor once.

    Attributes:
        module: the rest of the user's module around the layers.
        clock: counts images.
        latent_source: of the module's random numbers; None: torch's own generator.
    """

    def __init__(
        self, module: nn.Module, clock: Clock, record: Record, latent_source: LatentSource | None = None
    ) -> None:
        super().__init__()
        self.module, self.clock, self.latent_source = module, clock, latent_source
        self._record = record
        self.register_state_dict_post_hook(_every_tensor_once)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_pre_hook(_everywhere_again)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_post_hook(_take_ranges_over)  # type: ignore[no-untyped-call]
        self.eval()

    @property
    def chip(self) -> Chip:
        """The chip that carries the weights."""
        return self._record.chip

    def analog_layers(self) -> dict[str, AnalogLayer]:
        """Return the layers on tiles by name; layers that share tiles appear once."""
        names = (group.name for group in self._record.built.groups)
        return dict(zip(names, self._record.built.analog, strict=True))

    def seek(self, image: int) -> None:
        """Let the next forward begin with this image number.

        Raises:
            ArgumentError: not a whole number that is not negative.
        """
        self.clock.seek(image)

    @contextlib.contextmanager
    def images(self, count: int) -> Iterator[nn.Module]:
        """Make the next ``count`` images by other means than ``forward``: yields the module to call methods of.

        >>> with mapped.images(8) as vae:  # doctest: +SKIP
        ...     pictures = vae.sample(8)
        """
        with self.clock.forward_of(count) as now:
            if self.latent_source is None:
                yield self.module
                return
            with ServedRandomness(self.latent_source, now.numbers.cpu().numpy()):
                yield self.module

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the module returns for the next images, with the chip's noise.

        Raises:
            ArgumentError: no batch can be seen in the arguments, or ranges were not set yet.
        """
        count = batch_of(args, kwargs)
        if count is None:
            raise argument_error(
                "inputs",
                "hold a tensor whose first dimension is the batch, or one whole number of images",
                f"of {', '.join(sorted({type(leaf).__name__ for leaf in (*args, *kwargs.values())})) or 'nothing'}",
                "Arrays become tensors by torch.from_numpy. Call a method of the module inside"
                " `with mapped.images(count) as module:`.",
            )
        if self._record.fidelity == "cell":
            _refuse_loaded(self._record.built.analog, "followed cell by cell")
        else:
            drawn = [layer for layer in self._record.built.analog if layer.master.loaded and _has_drawn_circuits(layer)]
            _refuse_loaded(drawn, "read by circuits that were drawn with the chip")
        args, kwargs = single_precision((args, kwargs))
        with self.images(count) as module:
            return module(*args, **kwargs)

    def calibrate(self, inputs: Any) -> MappedModule:
        """Set the input and converter ranges of all layers from typical inputs: those with which converters err least.

        Args:
            inputs: a tensor, a tuple of the forward's arguments, a dict of named ones, or a list of such batches.

        Returns:
            the module itself.

        Raises:
            ArgumentError: inputs that the module does not take, or that reach none of its layers.
        """
        batches = batches_of(inputs)
        record = self._record
        _refuse_loaded(record.built.analog, "calibrated")
        self._record = record.with_clipping(calibrate_layers(self, record, batches))
        return self

    def move(self, point: OperatingPoint, inputs: Any = None) -> MappedModule:
        """Go to another operating point with the same programmed cells; return the module.

        Args:
            point: where to go.
            inputs: typical inputs by which ranges are set anew (:meth:`calibrate`); None: ranges stay.

        Raises:
            ValidityError: the point lies outside the card's validity.
        """
        point.check(self.chip.device)
        _refuse_loaded(self._record.built.analog, "moved")
        self._record = replace(self._record, point=point)
        for layer in self._record.built.analog:
            layer.move(point)
        return self if inputs is None else self.calibrate(inputs)

    def train_for(self, chips: Chips = "this", *, wires: Wires = "as-found") -> MappedModule:
        """Choose what training is for: the deviations with which ``train()`` forwards are made; return the module.

        Args:
            chips: ``this`` chip, with the deviations that its tiles show now; or a ``population`` of chips, whose
                deviations are drawn anew in every forward.
            wires: whether their drop is ``as-found`` when the weights were programmed, one of the deviations, or solved
                in every forward (``exact``, for differential pairs; slow).

        Raises:
            ArgumentError: neither, or a population of chips behind exact wires.
        """
        if chips not in ("this", "population"):
            raise argument_error("chips", "be 'this' or 'population'", repr(chips))
        if wires not in ("as-found", "exact") or (wires == "exact" and chips == "population"):
            raise argument_error("wires", "be 'as-found' or, for this chip, 'exact'", f"{wires!r} for {chips!r}")
        for layer in self.analog_layers().values():
            layer.master.chips, layer.master.wires = chips, wires
        return self

    def program(self, *, repair: Repair | None = None) -> MappedModule:
        """Write trained weights to their tiles, by write-verify and with the scales they had; return the module.

        The chip counts the pulses. Ranges of converters stay; :meth:`calibrate` sets them anew.

        Args:
            repair: programs around the tiles' faults anew; None: lines stay where an earlier repair put them.

        Raises:
            ArgumentError: weights that are not finite.
        """
        program_layers(list(self.analog_layers().values()), repair=repair)
        return self

    def age(self, age: Age, *, evolution: Evolution | None = None) -> tuple[str, ...]:
        """Let the weights drift: bring all tiles to an age, counted from their programming.

        Args:
            age: what the chip has gone through.
            evolution: how cells change; the card's, with the chip's seed, if not given.

        Returns:
            what has to be said of it (:func:`ferrogen.chip.aging.age_chip`).
        """
        _refuse_loaded(self._record.built.analog, "aged")
        said = age_chip(self.chip, self._record.point, age, evolution=evolution)
        for layer in self._record.built.analog:
            device = layer.input_scale.device
            layer.refresh()
            layer.to(device)
        return said

    def report(self) -> MappingReport:
        """Return what is where, what it costs, and what stays digital."""
        return describe(self._record, source=self.latent_source is not None)

    def extra_repr(self) -> str:
        """Return what a printed module shows."""
        record = self._record
        return f"{len(record.built.analog)} layers on {self.report().tiles_used} tiles of chip {record.chip.seed}"

    def save(self, path: Path | str) -> None:
        """Write the state to a safetensors file, whole or not at all.

        Raises:
            OutputError: the folder cannot be written.
        """
        from safetensors.torch import save_file

        tensors = {name: value.contiguous() for name, value in self.state_dict().items()}
        with atomic_path(Path(path)) as temporary:
            save_file(tensors, temporary, metadata={"format": "ferrogen-mapped-1"})

    def load(self, path: Path | str) -> MappedModule:
        """Read a state that :meth:`save` wrote for the same module on a chip of the same kind; return the module.

        Raises:
            DataFileError: not such a file, or of another module.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            tensors = load_file(Path(path))
        except (OSError, SafetensorError) as error:
            raise DataFileError(f"Mapped state '{path}' cannot be read: {error}.") from error
        try:
            self.load_state_dict(tensors)
        except RuntimeError as error:
            first = " ".join(str(error).split())[:200]
            raise DataFileError(f"Mapped state '{path}' is not one of this module: {first}") from error
        return self


def _place(value: Any) -> tuple[int, tuple[int, ...]] | None:
    """Return what tells a tensor's memory from all others'; None: it has none."""
    if not isinstance(value, Tensor) or value.numel() == 0 or value.data_ptr() == 0:
        return None
    return value.data_ptr(), tuple(value.shape)


def _every_tensor_once(_module: nn.Module, state: dict[str, Any], prefix: str, _metadata: Any) -> None:
    """Drop the second and further names of a tensor: files of tensors do not hold one twice."""
    seen: set[tuple[int, tuple[int, ...]]] = set()
    for name in [key for key in state if key.startswith(prefix)]:
        place = _place(state[name])
        if place in seen:
            del state[name]
        elif place is not None:
            seen.add(place)


def _everywhere_again(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Give every name of a tensor its value again."""
    first: dict[tuple[int, tuple[int, ...]], str] = {}
    own = [*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False)]
    for name, value in own:
        key, place = f"{prefix}{name}", _place(value)
        if place is None:
            continue
        kept = first.setdefault(place, key)
        if key not in state and kept in state:
            state[key] = state[kept]
        elif key in state and kept not in state:
            first[place] = key


def _take_ranges_over(module: nn.Module, _keys: Any) -> None:
    for layer in module.modules():
        if isinstance(layer, AnalogLayer):
            layer.adopt()
            parts = [part for part in layer.parts if isinstance(part, AnalogPart)]
            for part in parts:
                _take_scale_over(part)
            layer.master.loaded = any(_shows_other_tiles(part) for part in parts)


def _take_scale_over(part: AnalogPart) -> None:
    """Let a matrix have the scales of the weights that were loaded: those it was mapped with may have been others."""
    linear = part.linear
    scale = part.gain.cpu() * (linear.chip.drive(part.point) / linear.input_scale)
    if not torch.allclose(scale, linear.scale, rtol=1e-5, atol=0.0):  # else rounding alone: leave every bit
        linear.scale = scale


def _shows_other_tiles(part: AnalogPart) -> bool:
    """Return whether the buffers show other conductances than those of the chip."""
    matrices = part.linear.matrices(part.point)
    own = matrices.mean if part.levels is None else matrices.mean * matrices.drive
    shown = part.get_buffer("mean").cpu()
    return not torch.allclose(shown, own, rtol=1e-4, atol=1e-6 * float(own.abs().max()))


def _has_drawn_circuits(layer: AnalogLayer) -> bool:
    parts = [part for part in layer.parts if isinstance(part, AnalogPart)]
    return any(part.linear.readout(part.point) is not None for part in parts)


def _refuse_loaded(layers: Sequence[AnalogLayer], purpose: str) -> None:
    """Refuse what would look at the chip's own tiles, which hold something else than what was loaded.

    Raises:
        ArgumentError: a state of other tiles was loaded.
    """
    for layer in layers:
        if layer.master.loaded:
            raise layer_error(
                layer.name,
                f"show the chip's own tiles, to be {purpose}",
                "a state that was loaded, of other weights or of another chip",
                "Write it to the tiles first (model.program()).",
            )
