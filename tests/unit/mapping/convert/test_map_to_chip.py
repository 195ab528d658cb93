"""A stranger's module on a chip: the same calls, noise by image, weights shared, nothing digital in silence."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from ferrogen import Chip, ChipSpec, Periphery, map_to_chip
from ferrogen.array.programming import IdealProgramming
from ferrogen.core.errors import ArgumentError, CapacityError
from ferrogen.device.card import load_card
from ferrogen.mapping.coding import CodingSpec

CARD = load_card("hzo-mfis-nor")
QUIET = CARD.model_copy(update={"traps_per_cell": CARD.traps_per_cell.model_copy(update={"value": 0.0})})


def _chip(seed: int = 1, tiles: int = 24, **changes: object) -> Chip:
    return Chip(CARD, seed=seed, spec=ChipSpec(rows=32, columns=64, tiles=tiles, **changes))


def _ideal(tiles: int = 64) -> Chip:
    spec = ChipSpec(
        rows=32,
        columns=64,
        tiles=tiles,
        programming=IdealProgramming(),
        continuous_levels=True,
        periphery=Periphery.ideal(),
    )
    return Chip(QUIET, seed=2, spec=spec)


def _x(*shape: int, seed: int = 3) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _settled(module: nn.Module, seed: int = 4) -> nn.Module:
    """Give a module weights and statistics that do not depend on the global generator."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(0.0, 0.3, generator=generator)
        for name, buffer in module.named_buffers():
            if "running" in name:
                buffer.uniform_(0.5, 1.5, generator=generator)
    return module.eval()


def _network() -> nn.Module:
    return _settled(
        nn.Sequential(
            nn.Conv2d(2, 6, 3, padding=1),
            nn.BatchNorm2d(6),
            nn.ReLU(),
            nn.ConvTranspose2d(6, 4, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(4, 4, 3, groups=2, dilation=2),
            nn.Flatten(),
            nn.Linear(4 * 4 * 4, 5),
        )
    )


def test_an_ideal_chip_reproduces_the_module() -> None:
    module, x = _network(), _x(3, 2, 4, 4)
    mapped = map_to_chip(module, _ideal(), x)
    with torch.no_grad():
        wanted = module(x)
    torch.testing.assert_close(mapped(x), wanted, rtol=1e-4, atol=1e-5)
    assert mapped.report().coverage == 1.0
    assert mapped.report().norms_folded == ("1",)


def test_a_transformer_on_an_ideal_chip() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.0)
    module, x = _settled(nn.TransformerEncoder(layer, 2)), _x(3, 5, 8)
    mapped = map_to_chip(module, _ideal(), x)
    with torch.no_grad():
        wanted = module(x)
        torch.testing.assert_close(mapped(x), wanted, rtol=1e-4, atol=1e-4)
    report = mapped.report()
    assert len(report.layers) == 12
    assert 0.8 < report.coverage < 1.0
    scores = 2 * 2 * 5 * 5 * 8  # of two layers, scores and mixing
    assert sum(item.macs_per_image for item in report.digital) == scores
    assert {item.reason for item in report.digital} == {"activations by activations"}


def test_the_module_given_is_left_alone() -> None:
    module = _network().train()
    before = copy.deepcopy(module.state_dict())
    mapped = map_to_chip(module, _chip(), _x(3, 2, 4, 4))
    mapped(_x(3, 2, 4, 4))
    assert module.training
    assert not mapped.training
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())
    assert isinstance(module[1], nn.BatchNorm2d)


def test_noise_belongs_to_images_not_to_batches() -> None:
    x = _x(5, 2, 4, 4)
    mapped = map_to_chip(_network(), _chip(), x)
    whole = mapped(x)
    mapped.seek(0)
    parts = torch.cat([mapped(x[:2]), mapped(x[2:])])
    assert torch.equal(whole, parts)
    assert not torch.equal(mapped(x), whole)  # other images, other noise
    other = map_to_chip(_network(), _chip(seed=2), x)
    assert not torch.equal(other(x), whole)


def test_state_goes_through_a_file_ranges_included(tmp_path) -> None:
    x = _x(4, 2, 4, 4)
    mapped = map_to_chip(_network(), _chip(), x)
    whole = mapped(x)
    mapped.save(tmp_path / "state.safetensors")
    again = map_to_chip(_network(), _chip())  # never calibrated
    with pytest.raises(ArgumentError, match="ranges"):
        again(x)
    again.load(tmp_path / "state.safetensors")
    again.seek(0)
    assert torch.equal(again(x), whole)


def test_a_module_used_twice_and_tied_weights_use_one_set_of_tiles(tmp_path) -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(8, 8)
            self.again = self.first
            self.second = nn.Linear(8, 8)
            self.second.weight = self.first.weight

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.second(self.again(self.first(x).relu()).relu())

    module, x = _settled(Tied()), _x(4, 8)
    ideal = map_to_chip(module, _ideal(), x)
    with torch.no_grad():
        torch.testing.assert_close(ideal(x), module(x), rtol=1e-4, atol=1e-5)
    chip = _chip()
    mapped = map_to_chip(module, chip, x)
    report = mapped.report()
    assert len(chip.tiles) == 1
    assert [(layer.name, layer.shared, layer.calls) for layer in report.layers] == [("first", ("again", "second"), 3)]
    assert report.coverage == 1.0
    assert "first = again, second" in str(report)
    whole = mapped(x)
    mapped.seek(0)
    assert torch.equal(torch.cat([mapped(x[:1]), mapped(x[1:])]), whole)
    mapped.save(tmp_path / "tied.safetensors")
    other = map_to_chip(module, _chip()).load(tmp_path / "tied.safetensors")
    other.seek(0)
    assert torch.equal(other(x), whole)


def test_the_same_tiles_make_other_noise_at_their_second_use() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(8, 8)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layer(x) - self.layer(x)

    x = _x(4, 8)
    mapped = map_to_chip(_settled(Twice()), _chip(), x)
    assert float(mapped(x).abs().max()) > 0.0


def test_layers_left_digital_by_name_are_listed() -> None:
    x = _x(3, 2, 4, 4)
    report = map_to_chip(_network(), _chip(), x, skip=["3", "7"]).report()
    assert [layer.name for layer in report.layers] == ["0", "5"]
    assert {item.name: item.reason for item in report.digital} == {
        "3": "left digital by skip",
        "7": "left digital by skip",
    }
    macs = {"0": 16 * 6 * 18, "3": 16 * 6 * 4 * 16, "5": 16 * 4 * 2 * 9, "7": 64 * 5}
    assert report.coverage == pytest.approx((macs["0"] + macs["5"]) / sum(macs.values()))
    with pytest.raises(ArgumentError, match=r"name submodules, but it is '33'\. Did you mean '3'"):
        map_to_chip(_network(), _chip(), x, skip=["33"])
    with pytest.raises(ArgumentError, match=r"skip=\['3'\]"):
        map_to_chip(_network(), _chip(), x, skip="3")


def test_what_functions_multiply_is_listed_with_its_share() -> None:
    class Functional(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.own = nn.Linear(6, 6), nn.Parameter(torch.zeros(6, 6))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return nn.functional.linear(self.layer(x), self.own) + self.layer.weight.sum()

    module, x = _settled(Functional()), _x(2, 6)
    mapped = map_to_chip(module, _ideal(), x)
    (item,) = mapped.report().digital
    assert (item.share, item.reason) == (0.5, "weights used by a function: make it a layer to map it")
    with torch.no_grad():
        torch.testing.assert_close(mapped(x), module(x), rtol=1e-4, atol=1e-4)


def test_a_layer_with_its_own_forward_stays_digital_and_says_so() -> None:
    class Standardised(nn.Conv2d):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            weight = self.weight - self.weight.mean(dim=(1, 2, 3), keepdim=True)
            return self._conv_forward(x, weight, self.bias)

    module = _settled(nn.Sequential(Standardised(2, 3, 3), nn.Conv2d(3, 2, 1)))
    (item,) = map_to_chip(module, _chip(), _x(2, 2, 5, 5)).report().digital
    assert (item.name, item.reason) == ("0", "Standardised overrides Conv2d.forward")
    assert item.share == pytest.approx(3 * 18 / (3 * 18 + 6))


def test_hooks_are_kept_and_run() -> None:
    module, seen = _settled(nn.Sequential(nn.Linear(4, 4), nn.MultiheadAttention(4, 2))[:1]), []
    module[0].register_forward_pre_hook(lambda _module, args: (args[0] * 0.5,))
    module[0].register_forward_hook(lambda _module, _args, out: seen.append(1) or out + 1.0)
    module.register_forward_hook(lambda _module, _args, out: out * 2.0)
    x = _x(3, 4)
    mapped = map_to_chip(module, _ideal(), x)
    with torch.no_grad():
        wanted = module(x)
    seen.clear()
    torch.testing.assert_close(mapped(x), wanted, rtol=1e-4, atol=1e-5)
    assert seen == [1]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_are_computed_in_single(dtype: torch.dtype) -> None:
    module, x = _network().to(dtype), _x(3, 2, 4, 4).to(dtype)
    mapped = map_to_chip(module, _ideal(), x)
    out = mapped(x)
    assert out.dtype is torch.float32
    with torch.no_grad():
        wanted = _network().to(dtype).float()(x.float())
    torch.testing.assert_close(out, wanted, rtol=1e-4, atol=1e-5)


def test_a_second_call_takes_more_tiles_until_there_are_none() -> None:
    module, x = _settled(nn.Linear(32, 32)), _x(4, 32)
    chip = _chip(tiles=2)
    first, second = map_to_chip(module, chip, x), map_to_chip(module, chip, x)
    assert first.report().layers[0].tiles == (0,)
    assert second.report().layers[0].tiles == (1,)
    assert second.report().tiles_free == 0
    with pytest.raises(CapacityError, match=r"1 tile.* at least 3 tiles"):
        map_to_chip(module, chip, x)
    with pytest.raises(ArgumentError, match="mapped already"):
        map_to_chip(first, _chip(), x)
    with pytest.raises(ArgumentError, match="mapped already"):
        map_to_chip(nn.Sequential(first.module), _chip(), x)


def test_tiles_of_one_row() -> None:
    module, x = _settled(nn.Linear(3, 2)), _x(4, 3)
    spec = ChipSpec(rows=1, columns=4, tiles=8)
    mapped = map_to_chip(module, Chip(CARD, seed=1, spec=spec), x)
    assert mapped.report().tiles_used == 3
    assert mapped(x).shape == (4, 2)


def test_layers_of_size_zero_stay_digital() -> None:
    class Empty(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 2)
            self.nothing = nn.Linear(3, 2)
            self.nothing.weight = nn.Parameter(torch.zeros(2, 0))
            self.nothing.in_features = 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layer(x) + self.nothing(x[:, :0])

    report = map_to_chip(_settled(Empty()), _chip(), _x(2, 3)).report()
    assert [(item.name, item.reason, item.share) for item in report.digital] == [("nothing", "of size zero", 0.0)]


def test_batches_of_several_kinds_reach_all_layers() -> None:
    class Either(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left, self.right = nn.Linear(3, 2), nn.Linear(3, 2)

        def forward(self, x: torch.Tensor, *, turn: bool = False) -> torch.Tensor:
            return self.right(x) if turn else self.left(x)

    module, x = _settled(Either()), _x(4, 3)
    both = map_to_chip(module, _ideal(), [x, {"x": x, "turn": True}])
    with torch.no_grad():
        torch.testing.assert_close(both(x, turn=True), module(x, turn=True), rtol=1e-4, atol=1e-5)
    one = map_to_chip(module, _ideal(), x)
    assert [item.reason for item in one.report().digital] == ["never reached by the inputs: refuses to run"]
    assert [layer.name for layer in one.report().layers] == ["left"]
    with pytest.raises(ArgumentError, match="'right' too"):
        one(x, turn=True)


def test_capacity_is_known_before_anything_is_programmed() -> None:
    chip = _chip(tiles=1)
    with pytest.raises(CapacityError, match="needed, but the chip has 1 of 1 left"):
        map_to_chip(_network(), chip, _x(2, 2, 4, 4))
    assert chip.tiles == {}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: 3, "be a torch.nn.Module, but it is a int"),
        (lambda: torch.jit.trace(nn.Linear(3, 3), torch.zeros(1, 3)), "before torch.jit.script"),
        (lambda: nn.Sequential(torch.jit.trace(nn.Linear(3, 3), torch.zeros(1, 3))), r"scripted \(submodule '0'\)"),
        (lambda: nn.DataParallel(nn.Linear(3, 3)), "its attribute `.module`"),
        (lambda: nn.LazyLinear(3), "Run it once"),
        (lambda: nn.Linear(3, 3, device="meta"), "Load its weights"),
        (lambda: torch.ao.nn.quantized.Linear(3, 3), "from before quantisation"),
        (lambda: nn.Sequential(nn.ReLU()), "have a Linear, Conv1d"),
        (lambda: nn.Sequential(nn.Conv3d(1, 1, 1)), "'0': Conv3d has no mapping"),
    ],
)
@pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore:Lazy modules", "ignore:`torch.jit", "ignore:torch.quantize_per_tensor"
)
def test_what_cannot_be_mapped_says_so_in_one_line(make, message: str) -> None:
    with pytest.raises(ArgumentError, match=message) as caught:
        map_to_chip(make(), _chip(), _x(2, 3))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_broken_weights_are_named(value: float) -> None:
    module = _network()
    with torch.no_grad():
        module[3].weight[0, 0, 0, 0] = value
    with pytest.raises(ArgumentError, match=r"1 NaN or infinite value in '3.weight'"):
        map_to_chip(module, _chip(), _x(2, 2, 4, 4))
    map_to_chip(module, _chip(), skip=["3"])  # what stays digital is the user's business


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (_x(2, 3, 4, 4), "refused: Given groups=1"),
        ([], "an empty list"),
        ("images", "a str without"),
        (torch.full((2, 2, 4, 4), float("nan")), "NaN in places"),
        (torch.zeros(0, 2, 4, 4), "at least one item"),
        ((_x(2, 2, 4, 4), 1), "refused: .*positional"),
    ],
)
def test_inputs_that_do_not_fit_are_told(inputs: object, message: str) -> None:
    with pytest.raises(ArgumentError, match=message) as caught:
        map_to_chip(_network(), _chip(), inputs)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "choice",
    [
        {"fidelity": "cell"},
        {"coding": CodingSpec(scheme="bit-sliced")},
        {"coding": CodingSpec(scheme="offset-column")},
        {"coding": CodingSpec(scale="layer", clip=99.0)},
    ],
)
def test_every_fidelity_and_coding_by_image(choice: dict[str, object]) -> None:
    module = _settled(nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3)))
    x = _x(6, 2, 4, 4)
    mapped = map_to_chip(module, _chip(tiles=4), x, **choice)
    whole = mapped(x)
    mapped.seek(0)
    assert torch.equal(torch.cat([mapped(x[:2]), mapped(x[2:])]), whole)
    with torch.no_grad():
        wanted = module(x)
    assert 0.0 < float((whole - wanted).std() / wanted.std()) < 0.15
    report = mapped.report()
    assert report.fidelity == choice.get("fidelity", "statistical")
    references = report.coding.startswith("offset-column")
    # Four and three outputs in pairs fill their cells; with a reference line and a half pair they do not.
    assert [layer.utilisation for layer in report.layers] == pytest.approx([4 / 6, 3 / 4] if references else [1, 1])
