"""One training step of the VAE and the state it changes. Every random number is found by the step's number.

The loss is that of a VAE (reconstruction and Kullback-Leibler term) plus an adversarial one on images drawn
from the prior: a VAE alone draws blurred images and leaves holes between its codes; the critic sees what the
chip will draw. Weights get noise in every step, as they will on analog cells (V. Joshi et al.,
doi:10.1038/s41467-020-16108-9).
"""

from __future__ import annotations

from typing import Annotated, Final

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, linear, relu, softplus

from ferrogen.core.spec import Spec
from ferrogen.core.streams import Purpose, Streams
from ferrogen.generation.adversary import GROUP, Critic, gradient_penalty
from ferrogen.generation.model import VAE, Decoder, VAESpec, initialise
from ferrogen.generation.stepping import ImageOrder, adam, follow, frozen, set_rates, step_generator

CURVES: Final = ("reconstruction_nats", "divergence_nats", "critic_loss", "decoder_adversarial_loss")
"""What a step reports: the first two per image, then logistic losses (ln 2 a set if the critic guesses)."""

_PENALTY_EVERY: Final = 16
_BETAS: Final = (0.9, 0.99)
_ADVERSARIAL_BETAS: Final = (0.0, 0.99)  # momentum lets the two networks of the game circle each other

_Positive = Annotated[float, Field(gt=0.0)]
_Weight = Annotated[float, Field(ge=0.0)]


class TrainingSettings(Spec):
    """How a VAE is trained. The defaults made the shipped weights.

    Attributes:
        epochs: passes over the training images.
        batch: images per step, a multiple of 8.
        seed: addresses the initial weights, the order of the images and all noise.
        learning_rate: of the decoder (Adam).
        encoder_rate: of the encoder.
        critic_rate: of the critic.
        decay_from: share of the run after which all rates fall linearly to zero.
        reconstruction_weight: weight of reconstruction and divergence (nats an image).
        divergence_weight: weight of the divergence within that ("beta").
        adversarial_weight: weight of the adversarial loss; 0 trains a plain VAE.
        gradient_penalty: weight gamma of the critic's penalty gamma / 2 |gradient|^2.
        weight_noise: standard deviation of noise on decoder weights, in units of a layer's largest weight.
        averaging: decay per step of the running average of the decoder's weights, which is what is kept.
    """

    epochs: Annotated[int, Field(ge=1, le=100_000)] = 32
    batch: Annotated[int, Field(ge=GROUP, le=4096, multiple_of=GROUP)] = 64
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    learning_rate: _Positive = 2e-3
    encoder_rate: _Positive = 1e-3
    critic_rate: _Positive = 2e-3
    decay_from: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.5
    reconstruction_weight: _Positive = 0.001
    divergence_weight: _Weight = 1.0
    adversarial_weight: _Weight = 1.0
    gradient_penalty: _Weight = 2.0
    weight_noise: Annotated[float, Field(ge=0.0, le=0.5)] = 0.02
    averaging: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.999


class Trainer:
    """All state of a run: model, critic, running average, optimisers and the number of steps done.

    Args:
        spec: the network.
        settings: the training.
        images: float32 training images, shape ``(n, 784)``, values in [0, 1]; at least one batch.
    """

    curves = CURVES

    def __init__(self, spec: VAESpec, settings: TrainingSettings, images: Tensor) -> None:
        self.spec = spec
        self.settings = settings
        self.images = images
        self.streams = Streams(settings.seed)
        self.model = VAE(spec)
        self.critic = Critic()
        initialise(self.model, step_generator(self.streams, Purpose.INITIAL_WEIGHTS, 0))
        initialise(self.critic, step_generator(self.streams, Purpose.INITIAL_WEIGHTS, 1))
        self.average = Decoder(spec)
        self.average.load_state_dict(self.model.decoder.state_dict())
        adversarial = settings.adversarial_weight > 0.0
        decoder_betas = _ADVERSARIAL_BETAS if adversarial else _BETAS
        self.optimisers = {
            "encoder": adam(self.model.encoder, settings.encoder_rate, _BETAS),
            "decoder": adam(self.model.decoder, settings.learning_rate, decoder_betas),
        }
        if adversarial:
            self.optimisers["critic"] = adam(self.critic, settings.critic_rate, _ADVERSARIAL_BETAS)
        self.rates = {name: optimiser.param_groups[0]["lr"] for name, optimiser in self.optimisers.items()}
        self.steps_done = 0
        self.order = ImageOrder(self.streams, len(images), settings.batch)
        self.steps_per_epoch = self.order.steps_per_epoch
        self.steps = settings.epochs * self.steps_per_epoch

    def step(self) -> tuple[float, ...]:
        """Do one step on the next batch and return the values named in :data:`CURVES`."""
        settings = self.settings
        generator = step_generator(self.streams, Purpose.TRAINING, 1, self.steps_done)
        real = self.images[self.order.chosen(self.steps_done)]
        set_rates(self.optimisers, self.rates, self.steps_done / self.steps, settings.decay_from)
        weights = self._noisy_weights(generator)
        drawn = critic_loss = fooling = None
        if settings.adversarial_weight > 0.0:
            drawn = torch.sigmoid(_logits(weights, torch.randn(settings.batch, self.spec.latent, generator=generator)))
            critic_loss = self._improve_critic(real, drawn.detach())
            with frozen(self.critic):
                fooling = softplus(-self._judge(drawn)).mean()
        mean, log_variance = self.model.encoder(real)
        latents = mean + (log_variance / 2).exp() * torch.randn(mean.shape, generator=generator)
        reconstruction = binary_cross_entropy_with_logits(_logits(weights, latents), real, reduction="sum")
        divergence = (mean.square() + log_variance.exp() - 1.0 - log_variance).sum() / 2
        loss = (reconstruction + settings.divergence_weight * divergence) / settings.batch
        if fooling is not None:
            loss = settings.reconstruction_weight * loss + settings.adversarial_weight * fooling
        for name in ("encoder", "decoder"):
            self.optimisers[name].zero_grad()
        torch.autograd.backward(loss)
        for name in ("encoder", "decoder"):
            self.optimisers[name].step()
        follow(self.average, self.model.decoder, settings.averaging, self.steps_done)
        self.steps_done += 1
        values = (reconstruction / settings.batch, divergence / settings.batch, critic_loss, fooling)
        return tuple(0.0 if value is None else float(value.detach()) for value in values)

    def result(self) -> VAE:
        """Return a model with the encoder of now and the decoder's running average."""
        model = VAE(self.spec)
        model.encoder.load_state_dict(self.model.encoder.state_dict())
        model.decoder.load_state_dict(self.average.state_dict())
        return model.eval()

    def _noisy_weights(self, generator: torch.Generator) -> list[tuple[Tensor, Tensor]]:
        noisy: list[tuple[Tensor, Tensor]] = []
        for layer in self.model.decoder.layers:
            weight, bias = layer.get_parameter("weight"), layer.get_parameter("bias")
            if self.settings.weight_noise > 0.0:
                noise = torch.randn(weight.shape, generator=generator)
                noisy.append((weight + self.settings.weight_noise * weight.detach().abs().max() * noise, bias))
            else:
                noisy.append((weight, bias))
        return noisy

    def _judge(self, images: Tensor) -> Tensor:
        # The critic is most of the work, and needs no more than bfloat16's three digits.
        with torch.autocast("cpu", torch.bfloat16):
            logits: Tensor = self.critic(images)
        return logits.float()

    def _improve_critic(self, real: Tensor, drawn: Tensor) -> Tensor:
        loss = softplus(-self._judge(real)).mean() + softplus(self._judge(drawn)).mean()
        total = loss
        if self.settings.gradient_penalty > 0.0 and self.steps_done % _PENALTY_EVERY == 0:
            weight = _PENALTY_EVERY * self.settings.gradient_penalty / 2
            total = loss + weight * gradient_penalty(self.critic, real)
        self.optimisers["critic"].zero_grad()
        torch.autograd.backward(total)
        self.optimisers["critic"].step()
        return loss


def _logits(weights: list[tuple[Tensor, Tensor]], latents: Tensor) -> Tensor:
    """Compute :meth:`Decoder.logits` with the weights and biases given."""
    *inner, last = weights
    for weight, bias in inner:
        latents = relu(linear(latents, weight, bias))
    return linear(latents, *last)
