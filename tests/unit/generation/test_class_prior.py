"""Classes: the noise of a chip reaches the right Gaussians in the right shares; files are checked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from scipy.stats import chi2, norm

from ferrogen.chip.chip import Chip
from ferrogen.core.errors import ArgumentError, DataFileError
from ferrogen.generation.class_fit import ClassFitSettings, fit_classes
from ferrogen.generation.class_prior import (
    FIRST_CHOICE,
    ClassPrior,
    choice_normals,
    class_file_of,
    class_latents,
    encoder_fingerprint,
    joined,
    load_class_prior,
    save_class_prior,
)
from ferrogen.generation.gaussian_mixture import GaussianMixture
from ferrogen.generation.generator import ChipGenerator
from ferrogen.generation.labelled import generate_labelled
from ferrogen.generation.model import VAE, VAESpec, initialise
from ferrogen.generation.model_file import load_vae


@pytest.fixture(scope="module")
def model() -> VAE:
    small = VAE(VAESpec(latent=3, hidden=(16,), encoder_channels=(2, 2, 2)))
    initialise(small, torch.Generator().manual_seed(5))
    return small.eval()


@pytest.fixture(scope="module")
def prior(model: VAE) -> ClassPrior:
    factor = np.array([[0.5, 0.0, 0.0], [0.2, 0.3, 0.0], [-0.1, 0.4, 0.6]])
    one = GaussianMixture(
        np.array([0.1, 0.6, 0.3]), np.array([[-9.0, 0, 0], [0, 0, 0], [9.0, 0, 0]]), np.stack([factor] * 3)
    )
    other = GaussianMixture(np.array([1.0]), np.array([[1.0, 2.0, 3.0]]), factor[None])
    return joined([one, other], ("cat", "7"), encoder_fingerprint(model), {"seed": "0"})


@pytest.fixture(scope="module")
def generator(model: VAE) -> ChipGenerator:
    return ChipGenerator(model, Chip("hzo-mfis-nor", seed=2))


def test_components_have_their_shares_and_laws_with_the_chips_noise(
    prior: ClassPrior, generator: ChipGenerator
) -> None:
    # The level of each test is 1e-3: chi-square with 2 degrees of freedom; six means and variances, Bonferroni.
    count = 20_000
    latents, components = class_latents(prior, generator, np.zeros(count, dtype=np.int64), 0)
    expected = count * np.array([0.1, 0.6, 0.3])
    counts = np.bincount(components, minlength=3)
    assert ((counts - expected) ** 2 / expected).sum() < chi2(2).isf(1e-3)
    middle = latents[components == 1].astype(np.float64)
    covariance = prior.factors[0, 1] @ prior.factors[0, 1].T
    limit = norm.isf(1e-3 / 12)
    # Two parts in a hundred are what the calibration of a latent's mean and deviation from 8192 reads may leave.
    spread = np.sqrt(np.diag(covariance))
    assert np.abs(middle.mean(axis=0) / spread).max() < limit / np.sqrt(len(middle)) + 0.04
    assert np.abs(np.diag(np.cov(middle.T)) / np.diag(covariance) - 1).max() < limit * np.sqrt(2 / len(middle)) + 0.04


def test_the_choice_is_independent_of_the_noise(generator: ChipGenerator) -> None:
    # Correlations of 20,000 independent pairs, three of them: level 1e-3, Bonferroni.
    count = 20_000
    noise, choice = generator.draw_latents(0, count), choice_normals(generator, 0, count)
    found = [abs(np.corrcoef(choice, column)[0, 1]) for column in noise.T]
    assert max(found) < norm.isf(1e-3 / 6) / np.sqrt(count)


def test_the_choice_belongs_to_the_image_however_it_is_asked_for(generator: ChipGenerator) -> None:
    whole = choice_normals(generator, 0, 20)
    assert np.array_equal(choice_normals(generator, 7, 5), whole[7:12])
    assert len(set(whole.tolist())) > 15  # converters have steps: two may be equal
    assert np.array_equal(whole[:3], generator.sampler.draw(FIRST_CHOICE, 1)[0])
    with pytest.raises(ArgumentError, match=r"below 2\*\*39"):
        choice_normals(generator, FIRST_CHOICE, 1)


def test_no_component_without_weight_is_ever_taken(prior: ClassPrior) -> None:
    labels = np.array([1, 1, 0, 0])
    latents, components = prior.latents(labels, np.zeros((4, 3)), np.array([40.0, -40.0, 40.0, -40.0]))
    assert components.tolist() == [0, 0, 2, 0]
    assert latents[0] == pytest.approx([1.0, 2.0, 3.0])
    assert latents[2] == pytest.approx([9.0, 0.0, 0.0])


def test_noise_is_moved_by_mean_and_factor(prior: ClassPrior) -> None:
    latents, _ = prior.latents(np.array([1]), np.array([[1.0, -2.0, 0.5]]), np.zeros(1), 0.5)
    assert latents[0] == pytest.approx([1.25, 1.8, 2.7])


@pytest.mark.parametrize(("text", "numbers"), [("cat", [0]), ("7", [1]), (" 7 , cat", [1, 0]), ("7-7", [1])])
def test_labels_are_names(prior: ClassPrior, text: str, numbers: list[int]) -> None:
    assert prior.numbers(text) == numbers


@pytest.mark.parametrize("text", ["dog", "8", "", "7,7", "0-9", "7-", "9-7", "0-999999", "²"])
def test_other_labels_are_refused(prior: ClassPrior, text: str) -> None:
    with pytest.raises(ArgumentError, match=r"label.*must name"):
        prior.numbers(text)


def test_a_file_gives_the_prior_back(prior: ClassPrior, model: VAE, tmp_path: Path) -> None:
    path = tmp_path / "small-classes.safetensors"
    save_class_prior(prior, path)
    back = load_class_prior(path, model)
    assert back.spec == prior.spec
    for name in ("weights", "means", "factors"):
        assert getattr(back, name) == pytest.approx(getattr(prior, name), abs=1e-6)


def test_damaged_and_foreign_files_are_refused(prior: ClassPrior, model: VAE, tmp_path: Path) -> None:
    path = tmp_path / "classes.safetensors"
    with pytest.raises(DataFileError, match="ferrogen classes"):
        load_class_prior(path, model)
    save_class_prior(prior, path)
    with pytest.raises(DataFileError, match="other weights"):
        load_class_prior(path, load_vae("mnist"))
    good = load_file(path)
    header = {"ferrogen-classes": prior.spec.model_dump_json()}
    for change, says in (
        ({"weights": good["weights"] * 2}, "shares"),
        ({"weights": -good["weights"]}, "shares"),
        ({"means": good["means"] * torch.nan}, "NaN"),
        ({"means": good["means"][:, :1].contiguous()}, "wrong shapes"),
    ):
        save_file(good | change, path, metadata=header)
        with pytest.raises(DataFileError, match=says):
            load_class_prior(path, model)
    save_file(good, path)
    with pytest.raises(DataFileError, match="no description"):
        load_class_prior(path, model)
    save_file(good, path, metadata={"ferrogen-classes": '{"latent": 3}'})
    with pytest.raises(DataFileError, match="is missing"):
        load_class_prior(path, model)


def test_the_class_file_lies_beside_the_weights() -> None:
    assert class_file_of("a/vae.safetensors") == Path("a/vae-classes.safetensors")
    assert class_file_of("mnist").exists()
    with pytest.raises(ArgumentError, match="carry no labels"):
        class_file_of("faces")


def test_shipped_digits_are_the_wanted_ones() -> None:
    # 200 images of the chip; 97.7 % are named rightly. Fewer than 184: 5e-5 of binomial draws.
    model = load_vae("mnist")
    run = generate_labelled(
        ChipGenerator(model, Chip("hzo-mfis-nor", seed=4)),
        load_class_prior(class_file_of("mnist"), model),
        range(10),
        count=20,
        features="mnist",
    )
    assert run.images.shape == (10, 20, 28, 28)
    assert run.scores["label_accuracy"].value * 200 >= 184
    assert run.record["classes"]["extra_windows"] == 2 * 13
    assert np.abs(run.images - run.ideal).mean() < 0.05


class _Split(torch.nn.Module):
    """A decoder and encoder of three latents whose images say the first latent in their first pixel."""

    def __init__(self, *, encodes: bool) -> None:
        super().__init__()
        self.encodes = encodes
        self.scale = torch.nn.Parameter(torch.ones(1))

    def forward(self, values: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        if self.encodes:
            mean = torch.special.ndtri(values[:, :3].clamp(1e-4, 1 - 1e-4))
            return mean, torch.zeros_like(mean)
        pixels = torch.zeros(len(values), 784)
        pixels[:, :3] = torch.special.ndtr(values)
        return pixels


def test_fitting_finds_halves_of_the_prior(model: VAE) -> None:
    exact = VAE(model.spec)
    exact.encoder, exact.decoder = _Split(encodes=True), _Split(encodes=False)  # type: ignore[assignment]
    generator = np.random.default_rng(8)
    codes = generator.standard_normal((1500, 3)).astype(np.float32)
    with torch.inference_mode():
        pictures = exact.decoder(torch.from_numpy(codes)).numpy().reshape(-1, 28, 28)
    labels = (codes[:, 0] > 0).astype(np.int64)
    settings = ClassFitSettings(components=2, rounds=3, draws=400, code_components=2)
    fit = fit_classes(exact, pictures, labels, ("low", "high"), settings)
    assert fit.code_accuracy > 0.95
    assert fit.yields[-1] > fit.yields[0]
    choice = generator.standard_normal(2000)
    for k, sign in enumerate((-1.0, 1.0)):
        latents, _ = fit.prior.latents(np.full(2000, k), generator.standard_normal((2000, 3)), choice)
        assert (latents[:, 0] * sign > 0).mean() > 0.97
        assert latents[:, 1:].std() == pytest.approx(1.0, abs=0.2)  # what no class depends on stays as wide as it was
    again = fit_classes(exact, pictures, labels, ("low", "high"), settings)
    assert np.array_equal(again.prior.means, fit.prior.means)


def test_unusable_labels_are_refused(model: VAE) -> None:
    pictures = np.zeros((40, 28, 28), dtype=np.float32)
    labels = np.arange(40) % 2
    for given, names, says in (
        (labels[:5], ("a", "b"), "one a picture"),
        (labels, ("a", "a"), "two different"),
        (labels, ("a",), "two different"),
        (labels + 1, ("a", "b"), "from 0 to 1"),
        (np.minimum(np.arange(40), 1), ("a", "b"), "of 'a'"),
    ):
        with pytest.raises(ArgumentError, match=says):
            fit_classes(model, pictures, given, names)
    # Images that all look alike: no draw is beyond doubt.
    with pytest.raises(ArgumentError, match="beyond doubt"):
        fit_classes(model, pictures, labels, ("a", "b"), ClassFitSettings(draws=100))
