"""One step of training a decoder for chips, and the state it changes.

The float decoder teaches: on latents that the chip's own sampler draws, the chip's pictures are to be those that the
float decoder makes of the same latents (distillation, G. Hinton et al., arXiv:1503.02531; no images are needed). The
distance is that of the pixels and of what the model's own encoder sees (:mod:`.distance`). Gradients pass rounding
unchanged (straight through, Y. Bengio et al., arXiv:1308.3432).

The weights of now are programmed again and again: on the one chip, or for a population each time on another. A chip
that is programmed in training is one that :class:`.ChipGenerator` makes, so a weight file that is loaded onto the chip
it was trained for meets what training saw. Everything random is found by the number of the step.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ferrogen.chip.chip import Chip
from ferrogen.chip.spec import ChipSpec
from ferrogen.core.errors import argument_error
from ferrogen.core.spec import Spec
from ferrogen.core.streams import Purpose, Streams
from ferrogen.device.card import DeviceCard
from ferrogen.generation.generator import ChipGenerator
from ferrogen.generation.hardware_aware.distance import distance
from ferrogen.generation.hardware_aware.forward import Forward, compensate, hardware_forward
from ferrogen.generation.hardware_aware.settings import HardwareSettings
from ferrogen.generation.model_file import AnyVAE
from ferrogen.generation.pictures import as_network_input
from ferrogen.sampler.latents import SamplerSpec

CURVES: Final = ("pixel_deviation", "mean_deviation", "covariance_deviation", "held_out_loss")
"""Of a step, roots of :class:`.Distance`: of pixels, and of features' means and covariances; the last held-out loss."""

FIRST_IMAGE: Final = 2**30
"""Training's image numbers begin here, far from those that runs ask for; held-out ones are just below."""

_IMAGES: Final = 2**30 - 2**20  # training's image numbers come again after so many

_BETAS: Final = (0.9, 0.99)


class _Kept(nn.Module):
    """What is kept of a run beside the weights of now, as a module, so that a checkpoint holds it.

    Attributes:
        programmed: the decoder as it was last programmed.
        losses: of the held-out latents, one an epoch, -1 until then; the first is before training.
    """

    losses: Tensor

    def __init__(self, decoder: nn.Module, epochs: int) -> None:
        super().__init__()
        self.programmed = copy.deepcopy(decoder)
        self.register_buffer("losses", torch.full((epochs + 1,), -1.0, dtype=torch.float64))


@dataclass(frozen=True, slots=True)
class _Session:
    """A chip that carries the weights as they were at step ``first``."""

    first: int
    generator: ChipGenerator
    forward: Forward


class HardwareTrainer:
    """All state of a run; what :func:`ferrogen.generation.training.run_training` runs and checkpoints hold.

    Args:
        model: the float model: teacher, and start.
        card: of the chips, before :attr:`.HardwareSettings.conditions`.
        settings: the training.
        chip_spec: of the chips, likewise.

    Raises:
        ArgumentError: epochs that are no multiple of ``steps_per_chip``, or steps none of epochs.
    """

    curves = CURVES

    def __init__(
        self, model: AnyVAE, card: DeviceCard, settings: HardwareSettings, chip_spec: ChipSpec | None = None
    ) -> None:
        for name, whole, part in (
            ("steps_per_epoch", settings.steps_per_epoch, "steps_per_chip"),
            ("steps", settings.steps, "steps_per_epoch"),
        ):
            if whole % getattr(settings, part):
                raise argument_error(name, f"be a multiple of {part}, {getattr(settings, part)}", whole)
        self.teacher, self.settings, self.spec = model, settings, _described(model, card)
        self.card = settings.conditions.card(card)
        self.chip_spec = settings.conditions.chip_spec(chip_spec or ChipSpec())
        self.streams = Streams(settings.seed)
        self.model = copy.deepcopy(model)
        self.critic = _Kept(self.model.decoder, settings.steps // settings.steps_per_epoch)
        self.average = copy.deepcopy(self.model.decoder)  # the best decoder so far
        self.steps_per_epoch, self.steps_done = settings.steps_per_epoch, 0
        parameters = list(self.model.decoder.parameters())
        scales = [float(value.detach().square().mean().sqrt()) or 1.0 for value in parameters]
        self._rates = [settings.learning_rate * scale for scale in scales]
        # One Adam a tensor: rates follow the size of a layer's weights.
        self.optimisers = {
            f"decoder{number}": torch.optim.Adam([value], rate, _BETAS)
            for number, (value, rate) in enumerate(zip(parameters, self._rates, strict=True))
        }
        self._session: _Session | None = None

    @property
    def steps(self) -> int:
        """Steps of the whole run; those done, once patience has run out."""
        return self.steps_done if self._over() else self.settings.steps

    def losses(self) -> NDArray[np.float64]:
        """Return the losses on held-out latents so far: before training, and after each epoch."""
        found: NDArray[np.float64] = self.critic.losses.numpy()
        kept: NDArray[np.float64] = found[found >= 0.0]
        return kept

    def _over(self) -> bool:
        patience, losses = self.settings.patience, self.losses()
        return patience is not None and len(losses) > patience + 1 and int(losses.argmin()) < len(losses) - patience

    def chip_of(self, session: int) -> Chip:
        """Return a chip to program, blank: the one chip, or that of a population's session."""
        one = self.settings.target == "chip"
        own = int(self.streams.key(Purpose.HARDWARE_TRAINING, session)) % 2**62
        return Chip(self.card, seed=self.settings.chip_seed if one else own, spec=self.chip_spec)

    def programmed(self, chip: Chip, decoder: nn.Module | None = None) -> ChipGenerator:
        """Return a chip that carries the weights of now, or those of ``decoder``."""
        whole = copy.deepcopy(self.model)
        if decoder is not None:
            whole.decoder.load_state_dict(decoder.state_dict())
        reads = SamplerSpec(calibration_reads=self.settings.calibration_reads)
        return ChipGenerator(whole.eval(), chip, sampler_spec=reads)

    def step(self) -> tuple[float, ...]:
        """Do one step and return the values named in :data:`CURVES`."""
        settings = self.settings
        if self.steps_done == 0:
            self._begin()
        session = self._ready()
        first = FIRST_IMAGE + self.steps_done * settings.batch % _IMAGES
        latents = torch.from_numpy(session.generator.draw_latents(first, settings.batch))
        with torch.no_grad():
            wanted = self.teacher.decoder(latents)
        for name, optimiser in self.optimisers.items():
            rate = self._rates[int(name.removeprefix("decoder"))]
            optimiser.param_groups[0]["lr"] = rate * (1.0 - self.steps_done / settings.steps)
            optimiser.zero_grad()
        made = session.forward(latents, torch.arange(first, first + settings.batch))
        found = distance(self.teacher, made, wanted)
        torch.autograd.backward(found.total(settings))
        for optimiser in self.optimisers.values():
            optimiser.step()
        self.steps_done += 1
        if self.steps_done % self.steps_per_epoch == 0:
            self._look()
        values = (found.pixels.sqrt(), found.mean.sqrt(), found.covariance.sqrt())
        return *(float(value.detach()) for value in values), float(self.losses()[-1])

    def result(self) -> AnyVAE:
        """Return the model with the decoder that was best on the held-out latents."""
        model = copy.deepcopy(self.teacher)
        model.decoder.load_state_dict(self.average.state_dict())
        return model.eval()

    @torch.no_grad()
    def held_out_loss(self, generator: ChipGenerator) -> float:
        """Return the loss of a chip's pictures of latents that are never trained with.

        Args:
            generator: a chip that carries weights, as it is used: no gradients, no straight-through.
        """
        count = self.settings.held_out
        made, latents = generator.images_and_latents(FIRST_IMAGE - 2 * count, count)
        wanted = self.teacher.decoder(torch.from_numpy(latents))
        seen = as_network_input(made, self.teacher.spec).reshape(wanted.shape)
        return float(distance(self.teacher, seen, wanted).total(self.settings))

    def _begin(self) -> None:
        """Note where the run starts from; bring pairs with a stuck cell near what is wanted."""
        self._note(0, self.held_out_loss(self.programmed(self.chip_of(0))))
        if self.settings.target == "chip":
            compensate(self.model, self.programmed(self.chip_of(0)))

    def _note(self, epoch: int, loss: float) -> None:
        before = self.losses()
        self.critic.losses[epoch] = loss
        if not len(before) or loss < before.min():
            self.average.load_state_dict(self.model.decoder.state_dict())

    def _look(self) -> None:
        # Session 0 is the chip of the held-out latents: no population trains on it.
        generator = self.programmed(self.chip_of(0))
        self._note(self.steps_done // self.steps_per_epoch, self.held_out_loss(generator))
        if self.settings.target == "chip" and self.steps_done < self.settings.steps:
            self._take(generator)  # the one that comes next is the same

    def _take(self, generator: ChipGenerator) -> None:
        self.critic.programmed.load_state_dict(self.model.decoder.state_dict())
        self._session = _Session(self.steps_done, generator, hardware_forward(self.model, generator))

    def _ready(self) -> _Session:
        """Return the chip of this step; after a restart in mid-session it is programmed as it was."""
        first = self.steps_done - self.steps_done % self.settings.steps_per_chip
        if self._session is None or self._session.first != first:
            chip = self.chip_of(1 + first // self.settings.steps_per_chip)
            if first == self.steps_done:
                self._take(self.programmed(chip))
            else:
                now = copy.deepcopy(self.model.decoder.state_dict())
                self.model.decoder.load_state_dict(self.critic.programmed.state_dict())
                generator = self.programmed(chip)
                self._session = _Session(first, generator, hardware_forward(self.model, generator))
                self.model.decoder.load_state_dict(now)
        if self._session is None:
            raise RuntimeError("no chip was programmed")
        return self._session


class _Described(Spec):
    """Model and card, for a checkpoint."""

    network: dict[str, object]
    card: dict[str, object]


def _described(model: AnyVAE, card: DeviceCard) -> Spec:
    return _Described(network=model.spec.model_dump(mode="json"), card=card.model_dump(mode="json"))
