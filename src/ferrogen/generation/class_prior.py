"""A prior for every class: where in the latent space a model draws which class, and how a chip's noise gets there.

For each class a mixture of Gaussians with full covariances. The chip's noise does the sampling: an image's latents
are ``mean + factor @ noise`` with the noise read for this image, and which component is taken is decided by one more
reading of the same cells. One extra reading of d latents serves d images: image k takes latent ``k mod d`` of reading
``2**39 + k // d``, far from the numbers of images. Its normal distribution function, a uniform number, falls into one
of the components' shares. No pseudo-random number takes part.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, ValidationError
from safetensors.torch import save_file
from scipy.special import ndtr

from ferrogen.core.errors import DataFileError, argument_error
from ferrogen.core.files import atomic_path
from ferrogen.core.spec import Spec, explain
from ferrogen.generation.gaussian_mixture import GaussianMixture
from ferrogen.generation.model_file import SHIPPED as SHIPPED_MODELS
from ferrogen.generation.model_file import AnyVAE
from ferrogen.metrics.tensor_file import check_tensors, read_tensors

if TYPE_CHECKING:
    from ferrogen.generation.generator import ChipGenerator

FIRST_CHOICE: Final = 2**39
"""Number of the first reading that chooses components; images with class labels are numbered below."""

SHIPPED: Final = {"mnist": Path(__file__).parent / "weights" / "mnist-classes.safetensors"}

_METADATA_KEY: Final = "ferrogen-classes"
_WHAT: Final = "Class file"
_REMEDY: Final = "Make it with `ferrogen classes WEIGHTS --data FOLDER`."
_MAX_FILE_BYTES: Final = 256 * 2**20
_TOLERANCE: Final = 1e-4


class ClassPriorSpec(Spec):
    """What a class file holds.

    Attributes:
        format: version of the file's layout.
        names: of the classes, in the order of the tensors.
        components: Gaussians a class.
        latent: dimensions of the model.
        encoder: SHA-256 of the weights of the model's encoder, which says what a latent means.
        facts: how the file was made, for people.
    """

    format: Literal[1] = 1
    names: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=200)], ...], Field(min_length=1)]
    components: Annotated[int, Field(ge=1, le=1024)]
    latent: Annotated[int, Field(ge=1, le=512)]
    encoder: str
    facts: Annotated[dict[str, str], Field(default_factory=dict)]


@dataclass(frozen=True, slots=True)
class ClassPrior:
    """Mixtures by class, as arrays of float64.

    Attributes:
        spec: names and sizes.
        weights: of the components, ``(classes, components)``, each row sums to 1.
        means: ``(classes, components, latent)``.
        factors: lower triangular, ``(classes, components, latent, latent)``.
    """

    spec: ClassPriorSpec
    weights: NDArray[np.float64]
    means: NDArray[np.float64]
    factors: NDArray[np.float64]

    def numbers(self, labels: str) -> list[int]:
        """Return the classes that a text names: a name, several with commas, or a range of numbers such as ``0-9``.

        Raises:
            ArgumentError: a class that the file does not have, or the same class twice.
        """
        found: list[int] = []
        for part in (text.strip() for text in labels.split(",")):
            found.extend(self._index(name, labels) for name in self._spelled_out(part))
        if len(set(found)) < len(found):
            raise argument_error("label", "name every class once", f"'{labels}'")
        return found

    def _spelled_out(self, part: str) -> list[str]:
        low, _, high = part.partition("-")
        is_range = all(text.isdecimal() and len(text) < 7 for text in (low, high)) and int(low) <= int(high)
        if part not in self.spec.names and is_range:
            # No further than one beyond the classes, which is refused.
            return [str(number) for number in range(int(low), min(int(high), int(low) + len(self.spec.names)) + 1)]
        return [part]

    def _index(self, name: str, labels: str) -> int:
        if name not in self.spec.names:
            shown = ", ".join(self.spec.names[:20]) + (", ..." if len(self.spec.names) > 20 else "")
            raise argument_error("label", f"name classes among: {shown}", f"'{labels}'")
        return self.spec.names.index(name)

    def latents(
        self, labels: NDArray[np.int64], noise: NDArray[np.floating], choice: NDArray[np.floating], spread: float = 1.0
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Turn noise into latents of the given classes.

        Args:
            labels: index of each image's class, ``(n,)``.
            noise: standard normal, ``(n, latent)``.
            choice: standard normal, ``(n,)``; chooses the components.
            spread: factor of the noise; below 1, images nearer to the components' means.

        Returns:
            Latents float32 ``(n, latent)``, and the components taken ``(n,)``.
        """
        ends = np.cumsum(self.weights, axis=1)[labels]
        last = (self.weights > 0.0).cumsum(axis=1).argmax(axis=1)[labels]  # rounding must not reach an empty one
        components = (ndtr(np.asarray(choice, dtype=np.float64))[:, None] >= ends).sum(axis=1)
        components = np.minimum(components, last)
        moved = np.einsum("nij,nj->ni", self.factors[labels, components], np.asarray(noise, dtype=np.float64))
        return (self.means[labels, components] + spread * moved).astype(np.float32), components


def joined(mixtures: list[GaussianMixture], names: tuple[str, ...], encoder: str, facts: dict[str, str]) -> ClassPrior:
    """Make one prior of a mixture for each class; classes of fewer components get empty ones (weight 0)."""
    components = max(len(mixture.weights) for mixture in mixtures)
    latent = mixtures[0].means.shape[1]
    weights = np.zeros((len(mixtures), components))
    means = np.zeros((len(mixtures), components, latent))
    factors = np.tile(np.eye(latent), (len(mixtures), components, 1, 1))
    for k, mixture in enumerate(mixtures):
        used = slice(len(mixture.weights))
        weights[k, used], means[k, used], factors[k, used] = mixture.weights, mixture.means, mixture.factors
    spec = ClassPriorSpec(names=names, components=components, latent=latent, encoder=encoder, facts=facts)
    return ClassPrior(spec, weights, means, factors)


def choice_normals(generator: ChipGenerator, first: int, count: int) -> NDArray[np.float64]:
    """Return the chip's numbers, standard normal, that choose the components of consecutive images, ``(count,)``.

    Raises:
        ArgumentError: image numbers of 2**39 or more.
    """
    if first < 0 or first + count > FIRST_CHOICE:
        raise argument_error("first", "be an image number below 2**39, with class labels", first)
    size = generator.latents
    begin, end = first // size, -(-(first + count) // size)
    readings = generator.sampler.draw(FIRST_CHOICE + begin, end - begin).ravel()
    return np.asarray(readings[first - begin * size : first - begin * size + count])


def class_latents(
    prior: ClassPrior, generator: ChipGenerator, labels: NDArray[np.int64], first: int, spread: float = 1.0
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return latents of consecutive images of the given classes from the chip's noise, and their components.

    Args:
        prior: fitted for the generator's model.
        generator: model on a chip.
        labels: index of each image's class, ``(n,)``.
        first: number of the first image.
        spread: as in :meth:`ClassPrior.latents`.
    """
    noise = generator.draw_latents(first, len(labels))
    return prior.latents(labels, noise, choice_normals(generator, first, len(labels)), spread)


def encoder_fingerprint(model: AnyVAE) -> str:
    """Return the SHA-256 of the encoder's weights, in the order of their names."""
    digest = hashlib.sha256()
    for name, value in sorted(model.encoder.state_dict().items()):
        digest.update(name.encode() + value.detach().float().contiguous().numpy().tobytes())
    return digest.hexdigest()


def save_class_prior(prior: ClassPrior, path: Path) -> None:
    """Write a prior as one safetensors file, atomically.

    Raises:
        OutputError: the folder cannot be written.
    """
    tensors = {
        name: torch.from_numpy(np.ascontiguousarray(getattr(prior, name), dtype=np.float32))
        for name in ("weights", "means", "factors")
    }
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata={_METADATA_KEY: prior.spec.model_dump_json()})


def class_file_of(model: str | Path) -> Path:
    """Return where the class file of a model is looked for: shipped, or beside the weights.

    Beside ``folder/vae.safetensors`` that is ``folder/vae-classes.safetensors``.

    Raises:
        ArgumentError: a shipped model without classes.
    """
    if str(model) in SHIPPED:
        return SHIPPED[str(model)]
    if str(model) in SHIPPED_MODELS:
        remedy = f"Leave it out, or use one of: {', '.join(SHIPPED)}."
        must = "be left out for a model without classes"
        raise argument_error("label", must, f"given for '{model}', whose training images carry no labels", remedy)
    path = Path(model)
    return path.with_name(f"{path.stem}-classes.safetensors")


def load_class_prior(path: Path, model: AnyVAE) -> ClassPrior:
    """Load the prior of a model's classes.

    Args:
        path: a file of :func:`save_class_prior`, e.g. :func:`class_file_of` the model.
        model: whose latents are meant.

    Raises:
        DataFileError: the file is missing, foreign or damaged, or belongs to other weights.
    """
    if not path.exists():
        raise DataFileError(f"{_WHAT} '{path}' does not exist: nothing says where a class lies. {_REMEDY}")
    tensors, metadata = read_tensors(path, what=_WHAT, limit=_MAX_FILE_BYTES)
    if _METADATA_KEY not in metadata:
        raise DataFileError(f"{_WHAT} '{path}' carries no description of classes. {_REMEDY}")
    try:
        spec = ClassPriorSpec.model_validate_json(metadata[_METADATA_KEY])
    except ValidationError as error:
        raise DataFileError(f"{_WHAT} '{path}': {explain(error, subject='its description')} {_REMEDY}") from None
    if spec.latent != model.spec.latent or spec.encoder != encoder_fingerprint(model):
        raise DataFileError(f"{_WHAT} '{path}' was fitted for the latents of other weights. {_REMEDY}")
    shape = (len(spec.names), spec.components)
    wanted = {
        "weights": torch.empty(shape, device="meta"),
        "means": torch.empty((*shape, spec.latent), device="meta"),
        "factors": torch.empty((*shape, spec.latent, spec.latent), device="meta"),
    }
    check_tensors(tensors, wanted, path=path, what=_WHAT, remedy=_REMEDY)
    arrays: dict[str, Any] = {name: tensors[name].double().numpy() for name in wanted}
    weights = arrays["weights"]
    if weights.min() < 0.0 or np.abs(weights.sum(axis=1) - 1.0).max() > _TOLERANCE:
        raise DataFileError(f"{_WHAT} '{path}' holds weights that are no shares of 1. {_REMEDY}")
    return ClassPrior(spec, weights / weights.sum(axis=1, keepdims=True), arrays["means"], np.tril(arrays["factors"]))
