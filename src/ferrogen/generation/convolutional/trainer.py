"""One training step of the convolutional VAE and the state it changes.

Every random number is found by the step's number.

The loss is that of a VAE with pixels of a fixed Gaussian deviation, plus an adversarial term on images drawn from the
prior, plus the distance of reconstructions in the critic's features. Convolutions run in
bfloat16, whose three digits training does not notice; weights, norms and sums are float32.

Sources: A. B. L. Larsen et al., arXiv:1512.09300 (VAE with critic, distance in its features); L. Mescheder et al.,
arXiv:1801.04406 (gradient penalty); Y. Yazici et al., arXiv:1806.04498 (average of the decoder's weights).
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Annotated, Final

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import softplus

from ferrogen.core.spec import Spec
from ferrogen.core.streams import Purpose, Streams
from ferrogen.generation.adversary import GROUP
from ferrogen.generation.convolutional.critic import ConvCritic, change
from ferrogen.generation.convolutional.model import ConvDecoder, ConvVAE, ConvVAESpec, fold
from ferrogen.generation.model import initialise
from ferrogen.generation.stepping import ImageOrder, adam, follow, frozen, set_rates, step_generator

CONV_CURVES: Final = (
    "reconstruction_error",
    "divergence_nats",
    "critic_loss",
    "decoder_adversarial_loss",
    "feature_error",
)
"""What a step reports: root mean square of pixels, nats an image, logistic losses, share of the features' variance."""

_PENALTY_EVERY: Final = 16
_BETAS: Final = (0.5, 0.99)
_ADVERSARIAL_BETAS: Final = (0.0, 0.99)
_STATISTICS_BATCHES: Final = 64

_Positive = Annotated[float, Field(gt=0.0)]
_Weight = Annotated[float, Field(ge=0.0)]


class ConvTrainingSettings(Spec):
    """How a convolutional VAE is trained. The defaults made the shipped faces.

    Attributes:
        epochs: passes over the training images.
        batch: images per step, a multiple of 8.
        seed: addresses the initial weights, the order of the images and all noise.
        threads: threads of a step; part of the run, because sums on several threads differ in their last bits.
        learning_rate: of encoder and decoder (Adam).
        critic_rate: of the critic.
        critic_channels: of the critic's convolutions.
        decay_from: share of the run after which all rates fall linearly to zero.
        pixel_deviation: standard deviation of a pixel given the latents.
        vae_weight: weight of reconstruction and divergence (nats an image).
        divergence_weight: weight of the divergence within that ("beta").
        adversarial_weight: weight of the adversarial loss; 0 trains a plain VAE.
        feature_weight: weight of the distance in the critic's features.
        gradient_penalty: weight gamma of the critic's penalty gamma / 2 |gradient|^2.
        averaging: decay per step of the running average of the decoder's weights, which is what is kept.
        mirror: show half of the images mirrored.
    """

    epochs: Annotated[int, Field(ge=1, le=100_000)] = 80
    batch: Annotated[int, Field(ge=GROUP, le=4096, multiple_of=GROUP)] = 64
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    threads: Annotated[int, Field(ge=1, le=64)] = 2
    learning_rate: _Positive = 5e-4
    critic_rate: _Positive = 5e-4
    critic_channels: tuple[Annotated[int, Field(ge=1, le=1024)], ...] = (32, 64, 128, 256)
    decay_from: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.6
    pixel_deviation: _Positive = 0.1
    vae_weight: _Positive = 1e-4
    divergence_weight: _Weight = 1.0
    adversarial_weight: _Weight = 1.0
    feature_weight: _Weight = 0.3
    gradient_penalty: _Weight = 0.5
    averaging: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.999
    mirror: bool = True


class ConvTrainer:
    """All state of a run: model, critic, running average, optimisers and the number of steps done.

    Args:
        spec: the network.
        settings: the training.
        images: uint8 training images, shape ``(n, channels, side, side)``; at least one batch.
    """

    curves = CONV_CURVES

    def __init__(self, spec: ConvVAESpec, settings: ConvTrainingSettings, images: Tensor) -> None:
        self.spec = spec
        self.settings = settings
        self.images = images
        self.streams = Streams(settings.seed)
        self.model = ConvVAE(spec)
        self.model.decoder = ConvDecoder(spec, norms=True)
        self.critic = ConvCritic(spec, settings.critic_channels)
        initialise(self.model, step_generator(self.streams, Purpose.INITIAL_WEIGHTS, 0))
        initialise(self.critic, step_generator(self.streams, Purpose.INITIAL_WEIGHTS, 1))
        for parameter in (*self.model.parameters(), *self.critic.parameters()):
            if parameter.ndim == 4:  # what convolutions are fastest with
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        self.average = ConvDecoder(spec, norms=True)
        self.average.load_state_dict(self.model.decoder.state_dict())
        adversarial = settings.adversarial_weight > 0.0
        betas = _ADVERSARIAL_BETAS if adversarial else _BETAS
        self.optimisers = {
            "encoder": adam(self.model.encoder, settings.learning_rate, _BETAS),
            "decoder": adam(self.model.decoder, settings.learning_rate, betas),
        }
        if adversarial:
            self.optimisers["critic"] = adam(self.critic, settings.critic_rate, _ADVERSARIAL_BETAS)
        self.rates = {name: optimiser.param_groups[0]["lr"] for name, optimiser in self.optimisers.items()}
        self.steps_done = 0
        self.order = ImageOrder(self.streams, len(images), settings.batch)
        self.steps_per_epoch = self.order.steps_per_epoch
        self.steps = settings.epochs * self.steps_per_epoch

    def step(self) -> tuple[float, ...]:
        """Do one step on the next batch and return the values named in :data:`CONV_CURVES`."""
        settings = self.settings
        generator = step_generator(self.streams, Purpose.TRAINING, 1, self.steps_done)
        real = self._batch(generator)
        set_rates(self.optimisers, self.rates, self.steps_done / self.steps, settings.decay_from)
        with _half():
            mean, log_variance = self.model.encoder(real)
        latents = mean + (log_variance / 2).exp() * torch.randn(mean.shape, generator=generator)
        drawn = critic_loss = fooling = features = None
        adversarial = settings.adversarial_weight > 0.0
        if adversarial:
            prior = torch.randn(mean.shape, generator=generator)
            # One pass, so that the norms' statistics are those of both.
            made = self._decode(torch.cat([latents, prior]))
            again, drawn = made.chunk(2)
            critic_loss = self._improve_critic(real, drawn.detach(), generator)
            with frozen(self.critic):
                fooling = softplus(-self._judge(change(drawn, generator))).mean()
                if settings.feature_weight > 0.0:
                    features = self._feature_error(again, real)
        else:
            again = self._decode(latents)
        squares = (again - real).square().sum() / len(real)
        divergence = (mean.square() + log_variance.exp() - 1.0 - log_variance).sum() / (2 * len(real))
        loss = squares / (2.0 * settings.pixel_deviation**2) + settings.divergence_weight * divergence
        if fooling is not None:
            loss = settings.vae_weight * loss + settings.adversarial_weight * fooling
        if features is not None:
            loss = loss + settings.feature_weight * features
        for name in ("encoder", "decoder"):
            self.optimisers[name].zero_grad()
        torch.autograd.backward(loss)
        for name in ("encoder", "decoder"):
            self.optimisers[name].step()
        follow(self.average, self.model.decoder, settings.averaging, self.steps_done)
        self.steps_done += 1
        values = ((squares / self.spec.pixel_values).sqrt(), divergence, critic_loss, fooling, features)
        return tuple(0.0 if value is None else float(value.detach()) for value in values)

    @torch.no_grad()
    def result(self) -> ConvVAE:
        """Return a model with the encoder of now and the decoder's running average, its norms folded in.

        The norms' statistics are those of the averaged weights, measured on latents of the prior.
        """
        decoder = ConvDecoder(self.spec, norms=True)
        decoder.load_state_dict(self.average.state_dict())
        for norm in decoder.norms:
            if isinstance(norm, torch.nn.BatchNorm2d):
                norm.reset_running_stats()
                norm.momentum = None  # the plain mean over the batches
        generator = step_generator(self.streams, Purpose.TRAINING, 2)
        decoder.train()
        for _ in range(_STATISTICS_BATCHES):
            decoder(torch.randn(self.settings.batch, self.spec.latent, generator=generator))
        model = ConvVAE(self.spec)
        model.encoder.load_state_dict(self.model.encoder.state_dict())
        model.decoder = fold(decoder, self.spec)
        return model.eval()

    def _batch(self, generator: torch.Generator) -> Tensor:
        images = self.images[self.order.chosen(self.steps_done)].float() / 255.0
        if self.settings.mirror:
            turned = torch.rand(len(images), 1, 1, 1, generator=generator) < 0.5
            images = torch.where(turned, images.flip(3), images)
        return images.contiguous(memory_format=torch.channels_last)

    def _decode(self, latents: Tensor) -> Tensor:
        with _half():
            logits = self.model.decoder.logits(latents)
        return torch.sigmoid(logits.float())

    def _judge(self, images: Tensor) -> Tensor:
        with _half():
            logits: Tensor = self.critic(images)
        return logits.float()

    def _feature_error(self, again: Tensor, real: Tensor) -> Tensor:
        with _half():
            wanted = self.critic.features(real).float().detach()
            found = self.critic.features(again).float()
        return (found - wanted).square().mean() / wanted.var()

    def _improve_critic(self, real: Tensor, drawn: Tensor, generator: torch.Generator) -> Tensor:
        judged = self._judge(change(torch.cat([real, drawn]), generator))
        loss = softplus(-judged[: len(real)]).mean() + softplus(judged[len(real) :]).mean()
        total = loss
        if self.settings.gradient_penalty > 0.0 and self.steps_done % _PENALTY_EVERY == 0:
            weight = _PENALTY_EVERY * self.settings.gradient_penalty / 2
            total = loss + weight * self._penalty(real)
        self.optimisers["critic"].zero_grad()
        torch.autograd.backward(total)
        self.optimisers["critic"].step()
        return loss

    def _penalty(self, real: Tensor) -> Tensor:
        images = real.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(self.critic(images).sum(), images, create_graph=True)
        # Of images scaled to -1 ... 1, as the critic and the literature take them.
        return gradient.square().sum((1, 2, 3)).mean() / 4.0


def _half() -> AbstractContextManager[object]:
    return torch.autocast("cpu", torch.bfloat16)
