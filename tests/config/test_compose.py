"""conf/ and the overrides of the command line: every choice composes, every mistake gets one line."""

import itertools
import math
import random
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from tests.support.nightly import few_by_day
from tests.support.settings import CHOICES, EXPERIMENTS
from vmsbench.config.compose import compose
from vmsbench.config.instantiate import accepted, find
from vmsbench.config.plugins import conf_folder, option_files, options
from vmsbench.config.settings import setting, with_settings
from vmsbench.data.pairs import CHANNELS
from vmsbench.errors import ConfigurationError
from vmsbench.search.configured import experiment_part, searcher_for, space_of
from vmsbench.search.searcher import key
from vmsbench.sweep.ablation import ablation
from vmsbench.sweep.tune import check_space
from vmsbench.training.checks import check


def one_of_each(cases: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Of the pairs (experiment, choice), one of each choice, with the experiments in turn."""
    by_choice = itertools.groupby(sorted(cases, key=itemgetter(1, 0)), key=itemgetter(1))
    return [(found := list(pairs))[turn % len(found)] for turn, (_, pairs) in enumerate(by_choice)]


FROM_FILE = ("encoder=torchvision", "encoder=timm")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of some weights."""
    file = tmp_path_factory.mktemp("weights") / "weights.pt"
    torch.save({"weight": torch.zeros(1)}, file)
    return file


@pytest.mark.parametrize(("exp", "choice"), few_by_day(sorted(set(CHOICES)), *one_of_each(CHOICES)))
def test_every_choice_composes_and_builds_in_every_experiment(exp: str, choice: str, weights: Path) -> None:
    needed = [f"model.sight.encoder.weights={weights}"] if choice in FROM_FILE else []
    settings = compose(exp, [choice, *needed])
    check(experiment_part(settings), channels=CHANNELS["rg"], size=64, train=100)
    assert settings["exp"] == exp


@pytest.mark.parametrize("space", options("space"))
@pytest.mark.parametrize("exp", EXPERIMENTS)
def test_every_option_of_every_space_works(exp: str, space: str) -> None:
    settings = compose(exp, [f"space={space}"])
    varied = space_of(settings["space"]["parameters"], experiment_part(settings))
    searcher_for(settings, varied)
    check_space(varied, channels=2, size=64, train=100)


@pytest.mark.parametrize(
    ("exp", "preset"),
    [
        (exp, preset)
        for exp, preset in itertools.product(EXPERIMENTS, options("preset"))
        if f"exp: {exp}" in (text := (conf_folder() / "preset" / f"{preset}.yaml").read_text()) or "exp: " not in text
    ],
)
def test_every_preset_works_in_every_experiment_that_it_is_for(exp: str, preset: str) -> None:
    settings = compose(exp, ["data=standin", f"preset={preset}"])
    space = space_of(settings["space"]["parameters"], experiment_part(settings))
    assert searcher_for(settings, space).max_trials >= 5
    check_space(space, channels=2, size=64, train=100)


@pytest.mark.parametrize(
    ("exp", "preset"),
    [*itertools.product(EXPERIMENTS, ["seed"]), *itertools.product(["gan"], ["pix2pix", "wgan", "wgan_gp"]),
     *itertools.product(["diffusion"], ["palette", "ddpm"])],
)  # fmt: skip
def test_the_thesis_spaces_go_with_the_papers_presets(exp: str, preset: str) -> None:
    for name in ("seed_coordinate", "seed_exhaustive"):
        settings = compose(exp, ["data=standin", f"preset={preset}", f"space={name}"])
        space = space_of(settings["space"]["parameters"], experiment_part(settings))
        check_space(space, channels=2, size=64, train=100)


@pytest.mark.parametrize("exp", EXPERIMENTS)
@pytest.mark.parametrize("group", ["augment", "target", "network"])
def test_an_ablation_is_the_experiment_under_each_option_and_reads_no_test_pair(exp: str, group: str) -> None:
    settings = ablation(exp, group, 2, ["data=standin", "preset=quick"])
    assert settings["finals"]["top"] == 0
    base = experiment_part(settings)
    space = space_of(settings["space"]["parameters"], base)
    (parameter,) = space
    assert [option.name for option in parameter.values] == options(group)
    for option in parameter.values:
        expected = experiment_part(compose(exp, ["data=standin", "preset=quick", f"{group}={option.name}"]))
        assert space.config({group: option}) == expected


@pytest.mark.parametrize(
    ("group", "said"),
    [
        ("data", "data is not part of the training"),
        ("trainer", "trainer has only one option"),
        ("fid", "fid is not part of the training"),
        ("noise", "noise"),
        ("nothing", "nothing cannot be ablated"),
    ],
)
def test_what_cannot_be_ablated_is_said(group: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        ablation("unet", group, 2, ["data=standin"])


def test_the_thesis_has_14400_points_for_the_gan_and_betas_for_adam_alone() -> None:
    space = compose("gan", ["space=seed_exhaustive"])["space"]["parameters"]
    assert math.prod(len(parameter["values"]) for parameter in space) == 14_400
    for parameter in space:
        for option in parameter["values"]:
            if parameter["param"].startswith("optimizers"):
                assert ("betas" in option) == option["_target_"].endswith("Adam")


def test_the_thesis_walk_starts_from_its_defaults_and_they_are_among_its_options() -> None:
    settings = compose("gan", ["space=seed_coordinate"])
    searcher = searcher_for(settings, space_of(settings["space"]["parameters"], experiment_part(settings)))
    assert searcher.max_trials == 1 + 2 * (2 + 4 + 15)
    for parameter in space_of(settings["space"]["parameters"], experiment_part(settings)):
        start = setting(settings, parameter.param)
        assert key(start) in {key(option) for option in parameter.values}


def test_the_thesis_walk_of_the_gan_makes_the_trials_that_the_thesis_describes_and_no_other() -> None:
    settings = compose("gan", ["space=seed_coordinate"])
    base = experiment_part(settings)
    space = space_of(settings["space"]["parameters"], base)

    def scored(config: dict[str, Any]) -> float:
        """Any function of the six settings."""
        return random.Random(key([setting(config, parameter.param) for parameter in space])).random()

    best, described = base, [base]
    for parameter in space:
        varied = [with_settings(best, {parameter.param: option}) for option in parameter.values]
        described += [config for config in varied if key(config) != key(best)]
        best = min(varied, key=scored)
    assert len(described) == 1 + 2 * (1 + 3 + 14)

    searcher, asked = searcher_for(settings, space), []
    while not searcher.finished:
        for choice in list(iter(searcher.ask, None)):
            asked.append(space.config(choice))
            searcher.tell(choice, scored(asked[-1]))
    assert [key(config) for config in asked] == [key(config) for config in described]
    assert key(space.config(searcher.incumbent)) == key(best)


def test_the_thesis_augmentation_stands_before_the_gans_discriminator_and_on_the_pairs_of_the_others() -> None:
    gan = compose("gan", ["augment=thesis"])
    assert gan["augment"]["steps"] == []
    assert (gan["model"]["augmentation"]["translation"], gan["model"]["augmentation"]["cutout"]) == (0.9, 0.9)
    for exp in ("unet", "diffusion"):
        assert [step["p"] for step in compose(exp, ["augment=thesis"])["augment"]["steps"]] == [0.9, 0.9]
    assert compose("gan", ["augment=flip"])["model"]["augmentation"]["translation"] == 0


def test_too_little_noise_at_the_end_is_warned_of_before_training() -> None:
    settings = compose(
        "diffusion", ["noise_schedule=betas", "model.noise_schedule.rescale=false", "model.num_timesteps=250"]
    )
    (caution,) = check(experiment_part(settings), channels=2, size=64, train=100)
    assert "T = 250" in caution


@pytest.mark.parametrize(
    ("exp", "overrides", "said"),
    [
        (
            "unet",
            ["network=residual", "model.network.width=20"],
            "model.network.norm=group needs .* model.network.width=16 works",
        ),
        ("unet", ["model.network.layers=7"], "^model.network.layers=7: 64 px .* model.network.layers=4 works"),
        ("unet", ["network=residual", "model.network.multipliers=[1,1,1,1,1,1,1,1]"], "cannot be halved 7 times"),
        ("unet", ["trainer.batch_size=101"], "trainer.batch_size=101 must lie between 1 and the 100 training pairs"),
        ("diffusion", ["noise_schedule=zero_terminal", "prediction=noise"], "velocity and map work"),
        ("gan", ["model=wasserstein"], "model.discriminator.norm=instance works"),
        ("unet", ["metric=crsp"], "metric=crsp is none of .*did you mean crps"),
        ("unet", ["metric=coverage_50"], "metric=coverage_50 is none of l1, "),
        ("unet", ["trainer.keep=bets"], "did you mean best"),
        ("unet", ["trainer.precision=fp16"], "trainer.precision=fp16 does not fit: it is one of float32, bf16"),
        (
            "unet",
            ["trainer.patience=-1"],
            "trainer.patience=-1 does not fit: it is a whole number from 0 to 1000000, such as",
        ),
        ("unet", ["trainer.ema=2"], "trainer.ema=2 does not fit: it is a number of at least 0 and below 1"),
        ("unet", ["evaluation.every=0"], "evaluation.every=0 does not fit: .* from 1 to 1000000"),
        ("unet", ["evaluation.final_samples=0"], "evaluation.final_samples=0 does not fit: .* from 1 to 1000,"),
        ("unet", ["model.network.dropout=2"], "model: dropout"),
        (
            "unet",
            ["model.network.layers=abc"],
            "model.network.layers=abc does not fit: it is a whole number of at most 100000 or null",
        ),
        ("unet", ["device=gpu"], "device=gpu is none of auto, cpu"),
        ("unet", ["lr_schedule=linear", "trainer.lr_schedule.start=1"], "^trainer.lr_schedule.start=1.* is a share"),
        ("unet", ["encoder=torchvision"], "model.sight.encoder.weights=FILE"),
        ("unet", ["encoder=timm"], "model.sight.encoder.weights=FILE"),
        ("unet", ["encoder=efficientnet_lite2", "model.sight.encoder.size=250"], "a multiple of 32 .*256 works"),
        ("unet", ["encoder=efficientnet_lite2", "model.sight.encoder.version=1"], "there are weights of 0, 2"),
        ("gan", ["network=readout", "augment=shift"], "Translate shows pictures as the encoder never saw them"),
        ("unet", ["model.sight.resolution=48"], "model.sight.resolution=48: 64, 32, 16 go into 64 px"),
        ("unet", ["model.sight.resolution=32", "target=sum"], "target=label works"),
        ("unet", ["model.loss=l1_c"], "did you mean l1_cc"),
        ("diffusion", ["model.preview_steps=0"], "model.preview_steps=0: at least 1"),
    ],
)
def test_settings_that_cannot_work_are_refused_before_training_with_one_that_does(
    exp: str, overrides: list[str], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        check(experiment_part(compose(exp, overrides)), channels=2, size=64, train=100)


def test_the_thesis_defaults_are_the_defaults() -> None:
    gan = compose("gan", [])
    assert gan["model"]["network"]["width"] == gan["model"]["discriminator"]["width"] == 64
    for player in ("network", "discriminator"):
        adam = gan["optimizers"][player]
        assert (adam["_target_"], adam["lr"], adam["betas"]) == ("torch.optim.Adam", 0.001, [0.9, 0.999])


def test_values_reach_their_places_with_their_types() -> None:
    overrides = [
        "trainer.epochs=7",
        "model.lambda_l1=10",
        "optimizers.discriminator.betas=[0.5,0.999]",
        "data.root=/a b",
    ]
    settings = compose("gan", overrides)
    assert settings["trainer"]["epochs"] == 7
    assert settings["model"]["lambda_l1"] == 10.0
    assert isinstance(settings["model"]["lambda_l1"], float)
    assert settings["optimizers"]["discriminator"]["betas"] == [0.5, 0.999]
    assert settings["data"]["root"] == "/a b"


def test_what_one_command_sets_the_next_does_not_find_and_a_changed_file_is_read_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What Hydra composes of the same choices is kept: neither values nor old files may stay in it."""
    betas = compose("gan", [])["optimizers"]["network"]["betas"]
    changed = compose("gan", ["optimizers.network.betas=[0.1,0.2]", "seed=7", "optimizers.network.lr=0.5"])
    changed["trainer"]["epochs"] = -1
    changed["space"]["parameters"].clear()
    again = compose("gan", [])
    assert again["optimizers"]["network"]["betas"] == betas != [0.1, 0.2]
    assert again["seed"] == 0
    assert again["trainer"]["epochs"] > 0
    assert again["space"]["parameters"]
    monkeypatch.setenv("VMSBENCH_CONF", str(tmp_path))
    mine = tmp_path / "augment" / "mine.yaml"
    mine.parent.mkdir()
    for p in (0.25, 0.125):
        mine.write_text(f"_target_: vmsbench.data.augmentation.Flip\np: {p}\n")
        assert compose("unet", ["augment=mine"])["augment"]["p"] == p
        assert compose("unet", ["augment=mine", "seed=3"])["augment"]["p"] == p


def test_the_data_folder_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VMSBENCH_DATA", "/somewhere")
    assert compose("unet", [])["data"]["root"] == "/somewhere"


@pytest.mark.parametrize(
    ("exp", "override", "said"),
    [
        ("gann", "", "--exp=gann is not a choice; did you mean gan"),
        ("gan", "network=rezidual", "did you mean residual"),
        ("gan", "netwrok=unet", "netwrok is not a setting; did you mean network"),
        ("gan", "trainer.epoch=3", "trainer.epoch is not a setting; did you mean trainer.epochs"),
        ("unet", "trainer.lr=0.1", "trainer.lr is not a setting; did you mean optimizers.network.lr"),
        ("gan", "network.width=8", "network.width is not a setting; did you mean model.network.width"),
        ("gan", "optimizers.network.lrr=3", r"did you mean optimizers.network.lr\?  \(optimizers.network has: lr"),
        ("gan", "+foo=1", r"\+foo=1: nothing can be added or removed; write foo=VALUE"),
        ("gan", "++trainer.epochs=1", "write trainer.epochs=VALUE"),
        ("gan", "~model", "nothing can be added or removed"),
        ("gan", "trainer.epochs=three", "trainer.epochs=three .* from 1 to 1000000, such as trainer.epochs=100"),
        ("gan", "trainer.epochs=2.5", "it is a whole number"),
        ("gan", "trainer.batch_size=eight", "trainer.batch_size=eight does not fit"),
        ("gan", "test=true", "the test pairs are scored by the finals"),
        ("gan", "optimizers.network.betas=0.5", "it is a list"),
        ("gan", "model=5", "model=5 is not a choice"),
        ("gan", "network=null", "network=null is not a choice"),
        ("unet", "preset=wgan", "preset=wgan is for --exp gan, not unet"),
        (
            "unet",
            "optimizer@optimizers.network=sgd optimizers.network.betas=[0.9,0.9]",
            r"optimizers.network.betas is not a setting.*\(optimizers.network has: lr, momentum\)",
        ),
        ("unet", "discriminator=patch", "discriminator is not a choice of --exp unet"),
        ("unet", "optimizer=sgd", "optimizer@optimizers.network=sgd"),
        ("unet", "exp=gan", "choose the experiment by `--exp gan`"),
        (
            "unet",
            "trainer.clip=${LAB}",
            r"^trainer.clip=\$\{LAB\}: .*a variable .* is trainer.clip='\$\{oc.env:NAME\}'$",
        ),
        ("unet", "epochs", "epochs is neither group=option nor key=value"),
        (
            "unet",
            "optimizers.network.betas=[1",
            r"betas=\[1 does not fit: it is a list of 2, such as .*=\[0.9, 0.999\]",
        ),
    ],
)
def test_a_mistake_gets_one_line_that_names_what_would_have_worked(exp: str, override: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        compose(exp, override.split())
    assert "\n" not in str(caught.value)


def test_conf_is_found_beside_the_package() -> None:
    assert conf_folder() == Path(__file__).parents[2] / "conf"


def test_an_open_mapping_takes_entries_of_its_own() -> None:
    told = ["launcher=slurm", "launcher.extra.qos=long", "launcher.extra.comment=a b", "launcher.extra.nice=5"]
    assert compose("unet", told)["launcher"]["extra"] == {"qos": "long", "comment": "a b", "nice": 5}
    at_once = ["launcher=slurm", "launcher.extra={qos: long, nice: 5}", "launcher.extra.comment=a b"]
    assert compose("unet", at_once)["launcher"]["extra"] == {"qos": "long", "comment": "a b", "nice": 5}
    with pytest.raises(ConfigurationError, match=r"launcher\.extra=qos does not fit: it is a mapping"):
        compose("unet", ["launcher=slurm", "launcher.extra=qos"])
    with pytest.raises(ConfigurationError, match=r"launcher\.extras\.qos is not a setting.*launcher\.extra"):
        compose("unet", ["launcher=slurm", "launcher.extras.qos=long"])


@pytest.mark.parametrize("network", options("network"))
@pytest.mark.parametrize("preset", ["ddpm", "palette", "quick", "strong", "study"])
def test_a_preset_sets_of_a_network_what_it_has(preset: str, network: str) -> None:
    exp = "diffusion" if preset in ("ddpm", "palette") else "unet"
    settings = compose(exp, ["data=standin", f"preset={preset}", f"network={network}"])
    check(experiment_part(settings), channels=2, size=64, train=400)
    meant = yaml.safe_load(option_files("preset")[preset].read_text())["model"]["network"]
    has = accepted(find(settings["model"]["network"]["_target_"]))
    own = {name: value for name, value in settings["model"]["network"].items() if name in meant}
    if network != "readout":  # which brings values of its own, set after the preset's
        assert own == {name: value for name, value in meant.items() if name in has}


def test_an_optimizer_takes_of_a_preset_what_it_has_and_a_wrong_name_of_ones_own_is_refused() -> None:
    settings = compose("gan", ["data=standin", "preset=pix2pix", "optimizer@optimizers.network=sgd"])
    assert "betas" not in settings["optimizers"]["network"]
    with pytest.raises(ConfigurationError, match=r"model\.network\.multipliers is not a setting"):
        compose("unet", ["preset=study", "network=unet", "model.network.multipliers=[1,2]"])


def test_what_only_pythons_loader_of_yaml_reads_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """libyaml, which is faster, refuses `,lr_schedule:{`; and yaml.SafeLoader stays what it was."""
    before = yaml.SafeLoader
    (tmp_path / "preset").mkdir()
    mine = tmp_path / "preset" / "mine.yaml"
    mine.write_text("# @package _global_\ntrainer: {epochs: 7,lr_schedule:{warmup: 0.25}}\n")
    monkeypatch.setenv("VMSBENCH_CONF", str(tmp_path))
    found = compose("unet", ["lr_schedule=cosine", "preset=mine"])["trainer"]
    assert (found["epochs"], found["lr_schedule"]["warmup"]) == (7, 0.25)
    for group in ("preset", "augment"):  # read by vmsbench too, and by Hydra alone
        (tmp_path / group).mkdir(exist_ok=True)
        (tmp_path / group / "bad.yaml").write_text("trainer: {epochs: [}\n")
        with pytest.raises(ConfigurationError, match=r"not YAML: .*line 1, column 20") as refused:
            compose("unet", [f"{group}=bad"])
        assert f"{group}/bad.yaml" in str(refused.value)
    assert yaml.SafeLoader is before
