"""`vmsbench site`: what a cluster accepts is written, what it refuses is left out, and every setting says where it is
from. The answers are recorded from real sites; a small program plays an sbatch that refuses as theirs do."""

import os
from pathlib import Path

import pytest
import yaml

import vmsbench
from tests.support.command_line import called, refused
from tests.support.processes.commands import a_command
from vmsbench.errors import ConfigurationError
from vmsbench.launch.launcher import Launcher
from vmsbench.launch.site_profile import profiles
from vmsbench.launch.slurm.launcher import SlurmLauncher
from vmsbench.launch.slurm.site.inventory import GPUS, node_groups, partitions
from vmsbench.processes import user_name

SAMPLE = Path(__file__).parents[1] / "plugin_sample"
CONFIG = "Configuration data as of 2026-03-01T10:00:00\nClusterName             = {cluster}\nSLURM_VERSION = 23.02.6\n"
SINFO = """nodes|134|96|(null)
gpu|16|96|gpu:a40:3(S:0-1)
gpuplus|6|96|gpu:h100:2(S:0-1)
test|134|96|(null)
"""
SHOWN = """PartitionName=nodes AllowGroups=ALL AllowAccounts=ALL Default=YES MaxTime=2-00:00:00 State=UP
PartitionName=test AllowGroups=ALL AllowAccounts=ALL Default=NO DefaultTime=00:10:00 MaxTime=00:30:00 State=UP
PartitionName=gpu AllowGroups=ALL AllowAccounts=ALL Default=NO DefaultTime=08:00:00 MaxTime=3-00:00:00 State=UP
PartitionName=gpuplus AllowGroups=ALL AllowAccounts=staff Default=NO MaxTime=UNLIMITED State=UP TotalNodes=6
PartitionName=old AllowGroups=ALL AllowAccounts=ALL Default=NO MaxTime=UNLIMITED State=DOWN
"""
NO_ACCOUNT = "Invalid account or account/partition combination specified"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A login node of a cluster `here`; `rule` is a line of shell that refuses a script ($1) by words on fd 2."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    for variable in SlurmLauncher.variables.values():
        monkeypatch.delenv(variable, raising=False)
    a_site(tmp_path)
    return tmp_path


def a_site(
    folder: Path, cluster: str = "here", rule: str = "true", accounts: tuple[str, ...] = (), sinfo: str = SINFO
) -> None:
    (folder / "config.txt").write_text(CONFIG.format(cluster=cluster))
    (folder / "shown.txt").write_text(SHOWN)
    show = f"case $2 in config) cat {folder}/config.txt;; partition) cat {folder}/shown.txt;; *) exit 1;; esac"
    a_command(folder / "bin", "scontrol", f"echo 'Maintenance on Tuesday'; {show}")
    a_command(folder / "bin", "sinfo", f"cat <<'END'\n{sinfo}END")
    lines = "\n".join(f"{user_name()}|{one}" for one in accounts)
    a_command(folder / "bin", "sacctmgr", f"echo LAB; echo '{lines}'" if accounts else "exit 1")
    a_command(folder / "bin", "srun", "true")
    says = f'no() {{ echo "sbatch: error: $*" >&2; exit 1; }}; script="${{@: -1}}"; {rule}'
    a_command(folder / "bin", "sbatch", f"{says}; echo 'sbatch: Job 12 to start at noon' >&2")


def written(site: Path) -> dict[str, object]:
    found: dict[str, object] = yaml.safe_load((site / "config" / "vmsbench" / "site.yaml").read_text())
    return found


def test_what_is_accepted_is_written_and_what_is_refused_is_left_out_and_said(site: Path) -> None:
    asks = f'grep -q "account=old" $script && no "{NO_ACCOUNT}"; '
    asks += f'grep -q -e "--account=" $script || no "{NO_ACCOUNT}"; '
    asks += 'grep -q gpus-per-node $script && no "Invalid generic resource (gres) specification"; '
    asks += 'grep -q -e "--mem=" $script && no "Memory specification can not be satisfied"; true'
    a_site(site, rule=asks, accounts=("old", "new"))
    done = called("site", "init")
    assert done.code == 0, done
    assert written(site) == {
        **{"partition": "gpu", "account": "new", "gpu_form": "gres", "time": "08:00:00", "memory_form": "mem-per-cpu"}
    }
    assert "cluster here" in done.out
    assert "nodes: 16, GPUs on one: 3 a40, jobs of at most 3-00:00:00" in done.out
    assert f"account=old, gpus=1, gpu_form=gpus-per-node: {NO_ACCOUNT}" in done.out
    assert "memory_form=mem, memory=1.0: Memory specification can not be satisfied" in done.out
    assert not (site / "runs").exists()


def test_a_type_is_written_where_the_site_wants_one_named(site: Path) -> None:
    a_site(site, rule='grep -q -e ":a40:" -e "=a40:" $script || no "gres needs a type"; true')
    assert called("site", "init").code == 0
    assert written(site) == {
        "partition": "gpu",
        **{"gpu_form": "gpus-per-node", "gpu_type": "a40", "time": "08:00:00", "memory_form": "mem"},
    }


def test_a_cluster_without_gpus_is_asked_for_none(site: Path) -> None:
    a_site(site, sinfo="nodes|134|2|(null)\ntest|134|2|(null)\n")
    assert called("site", "init").code == 0
    assert written(site) == {
        **{"partition": "nodes", "gpus": 0, "cpus": 2, "time": "08:00:00", "memory_form": "mem"},
    }


def test_given_settings_are_kept_and_a_time_limit_is_obeyed(site: Path) -> None:
    done = called("site", "init", "launcher.partition=test", "launcher.extra.qos=long")
    assert done.code == 0, done
    assert written(site) == {
        **{"partition": "test", "extra": {"qos": "long"}, "gpus": 0, "time": "00:30:00", "memory_form": "mem"}
    }


@pytest.mark.parametrize(
    ("given", "refuses", "said"),
    [
        ("gpus=2", "(gpus-per-node|gres|gpus)=(gpu:)?(a40:|h100:)?2", "gpus=2"),
        ("gpu_form=gpus", "--gpus=", "gpu_form=gpus"),
        ("gpu_form=none", "partition", "accepts none"),
        ("gpu_type=h100", "h100", "gpu_type=h100"),
        ("cpus=64", "cpus-per-task=64", "no such node"),
        ("time=9-0", "time=9-0", "no such node"),
        ("memory=500", "--mem[-=]", "memory=500"),
        ("memory_form=mem-per-cpu", "--mem-per-cpu", "memory_form=mem-per-cpu"),
    ],
)
def test_a_given_setting_is_tried_as_it_is_and_refused_where_it_fails(
    given: str, refuses: str, said: str, site: Path
) -> None:
    name, _, value = given.partition("=")
    assert called("site", "init", f"launcher.{given}").code == 0
    assert str(written(site)[name]).removesuffix(".0") == value
    a_site(site, rule=f'grep -qE -e "{refuses}" $script && no "no such node"; true')
    refused(called("site", "init", "--force", f"launcher.{given}"), said)
    assert str(written(site)[name]).removesuffix(".0") == value


def test_gpus_are_not_asked_for_where_slurm_knows_of_none(site: Path) -> None:
    a_site(site, sinfo="nodes|134|2|(null)\ntest|134|2|(null)\n")
    refused(called("site", "init", "launcher.gpus=2"), "launcher.gpus=2: Slurm knows of no GPU in nodes, test")


def test_a_slurm_that_is_slow_has_a_limit_for_each_question(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vmsbench.launch.slurm.site.inventory.PATIENCE", 1.0)
    for name in ("scontrol", "sinfo"):
        program = site / "bin" / name
        program.write_text(program.read_text().replace("#!/bin/bash\n", "#!/bin/bash\nsleep 0.5\n"))
    assert called("site", "init").code == 0


def test_print_writes_nothing_and_an_existing_file_is_replaced_by_force_alone(site: Path) -> None:
    assert called("site", "init", "--print").code == 0
    file = site / "config" / "vmsbench" / "site.yaml"
    assert not file.exists()
    assert called("site", "init").code == 0
    before = file.read_text()
    file.write_text("# mine\n")
    refused(called("site", "init"), str(file), "--force", "--print")
    assert file.read_text() == "# mine\n"
    assert called("site", "init", "--force").code == 0
    assert file.read_text() == before


def test_bad_surroundings_are_one_line(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_site(site, rule='no "User is not permitted to use this cluster"')
    refused(called("site", "init"), "cluster here accepts none", "User is not permitted", "launcher.partition=NAME")
    refused(called("site", "init", "launcher.partition=gppu"), "gppu is not a partition of here", "gpuplus")
    a_command(site / "bin", "scontrol", "echo 'Unable to contact slurm controller (connect failure)' >&2; exit 1")
    monkeypatch.setattr("vmsbench.launch.slurm.commands.PAUSES", (0.0,))
    monkeypatch.setattr("vmsbench.launch.slurm.commands.time.sleep", lambda seconds: None)
    refused(called("site", "init"), "Unable to contact slurm controller")
    refused(called("site", "init", "gan"), "gan: a site has only launcher=NAME")
    refused(called("site", "init", "launcher=local"), "launcher=local runs here")
    refused(called("site", "show", "launcher.partitoin=gpu"), "did you mean", "partition")
    monkeypatch.setenv("PATH", str(site / "nowhere"))
    refused(called("site", "init"), "run this on a cluster's login node")
    shown = called("site", "show")
    assert shown.code == 2
    assert "gpu_form" in shown.out
    assert "no cluster of launcher=slurm answers here" in shown.err


def test_a_home_that_cannot_be_written_is_said_before_the_cluster_is_asked(site: Path) -> None:
    (site / "config").write_text("a file where the folder would be")
    (site / "bin" / "sinfo").write_text("#!/bin/sh\ntouch asked\n")
    refused(called("site", "init"), "cannot write", "XDG_CONFIG_HOME", "--print")
    assert not (site / "asked").exists()


def test_every_setting_says_where_it_is_from(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_site(site, cluster="viking2")
    (site / "config" / "vmsbench").mkdir(parents=True)
    (site / "config" / "vmsbench" / "site.yaml").write_text("time: 4:00:00\npartition: gpuplus\naccount: lab\n")
    monkeypatch.setenv("SBATCH_ACCOUNT", "dept-proj-2026")
    found = vmsbench.site_settings("launcher.cpus=8")
    assert {name: (found[name].value, found[name].source) for name in ("nodes", "gpu_form", "time", "account")} == {
        "nodes": (1, "default"),
        "gpu_form": ("gres", "profile viking"),
        "time": ("4:00:00", "site.yaml"),
        "account": ("dept-proj-2026", "$SBATCH_ACCOUNT"),
    }
    assert (found["partition"].value, found["cpus"].source) == ("gpuplus", "command line")
    shown = called("site", "show", "launcher.cpus=8").out
    assert [line.split() for line in shown.splitlines() if line.startswith("gpu_form")] == [
        ["gpu_form", "gres", "profile", "viking"]
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('cpus: "four"', "site.yaml: launcher.cpus=four does not fit: it is a whole number"),
        ("binds: {a: 1}", "site.yaml: launcher.binds={a: 1} does not fit: it is a list"),
        ("gpus: 1.5", "site.yaml: launcher.gpus=1.5 does not fit"),
    ],
)
def test_a_value_that_does_not_fit_is_not_shown_as_a_setting(line: str, said: str, site: Path) -> None:
    (site / "config" / "vmsbench").mkdir(parents=True)
    (site / "config" / "vmsbench" / "site.yaml").write_text(f"{line}\n")
    refused(called("site", "show"), said)


def test_a_time_that_no_slurm_takes_is_refused_wherever_it_is_from(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused(called("site", "init", "launcher.time=soon"), "launcher.time is soon; write it as 90 (minutes)")
    monkeypatch.setenv("SBATCH_TIMELIMIT", "UNLIMITED")
    refused(called("site", "init"), "launcher.time is UNLIMITED; write it as 90 (minutes)")


@pytest.mark.parametrize(("setting", "said"), [("cpus: four", "launcher.cpus=four"), ("time: ever", "time is ever")])
def test_a_profile_is_checked_before_the_cluster_is_asked(
    setting: str, said: str, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (site / "conf" / "launcher" / "sites").mkdir(parents=True)
    monkeypatch.setenv("VMSBENCH_CONF", str(site / "conf"))
    (site / "conf" / "launcher" / "sites" / "mine.yaml").write_text(f"clusters: here\nsettings: {{{setting}}}\n")
    refused(called("site", "init"), said)


def test_a_profile_comes_first_and_is_checked_all_the_same(site: Path) -> None:
    a_site(site, cluster="viking2", rule='grep -q "partition=gpu$" $script && no "gpu is down"; true')
    assert called("site", "init").code == 0
    assert written(site)["partition"] == "gpuplus"


@pytest.mark.parametrize("profile", profiles(), ids=lambda one: one.name)
def test_every_shipped_profile_is_of_settings_that_the_launcher_takes(
    profile: object, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_site(site, cluster=profile.clusters[0].replace("*", "2"))  # type: ignore[attr-defined]
    found = vmsbench.site_settings()
    assert any(one.source == f"profile {profile.name}" for one in found.values())  # type: ignore[attr-defined]
    launcher: Launcher = SlurmLauncher(**{**{name: one.value for name, one in found.items()}, "folder": site})
    assert "#SBATCH --gres=gpu:1\n" in launcher.script()


def test_a_profile_of_ones_own_is_found_in_a_conf_folder(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (site / "conf" / "launcher" / "sites").mkdir(parents=True)
    own = site / "conf" / "launcher" / "sites" / "mine.yaml"
    monkeypatch.setenv("VMSBENCH_CONF", str(site / "conf"))
    own.write_text("clusters: [here]\nsettings: {partition: fast}\n")
    assert vmsbench.site_settings()["partition"].source == "profile mine"
    own.write_text("clusters: here\nsettings: {partition: fast}\n")
    assert vmsbench.site_settings()["partition"].source == "profile mine"
    wrong = (
        "partition: fast",
        "settings: {}",
        *(f"clusters: {one}\nsettings: {{}}" for one in ("", "[]", "{a: 1}", "3")),
    )
    for text in (*wrong, "clusters: [[here]]\nsettings: {}"):
        own.write_text(f"{text}\n")
        with pytest.raises(ConfigurationError, match="must have `clusters`, a list of the names"):
            vmsbench.site_settings()


def test_a_profile_without_gpus_is_asked_for_none(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (site / "conf" / "launcher" / "sites").mkdir(parents=True)
    monkeypatch.setenv("VMSBENCH_CONF", str(site / "conf"))
    (site / "conf" / "launcher" / "sites" / "mine.yaml").write_text("clusters: here\nsettings: {gpus: 0}\n")
    assert called("site", "init").code == 0
    assert (written(site)["partition"], written(site)["gpus"]) == ("gpu", 0)


def test_a_launcher_that_cannot_ask_its_cluster_is_chosen_by_name_alone(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(SAMPLE)
    monkeypatch.setenv("VMSBENCH_CONF", str(SAMPLE / "vmsbench_sample" / "conf"))
    assert "partition" in vmsbench.site_settings()
    assert "queue" in vmsbench.site_settings("launcher=pbs")
    refused(called("site", "init", "launcher=pbs"), "cannot ask its cluster: write site.yaml by hand")


@pytest.mark.parametrize(
    ("gres", "gpus"),
    [
        ("gpu:2(S:0-1)", [("", "2")]),
        ("gpu:2080ti:4(S:0)", [("2080ti", "4")]),
        ("gpu:a100:4(S:0-1),gpu:a100_3g.20gb:8,nvme:1", [("a100", "4"), ("a100_3g.20gb", "8")]),
        ("nvme:1,gpu:8", [("", "8")]),
        ("(null)", []),
        ("mps:200", []),
    ],
)
def test_gpus_are_read_in_every_form_that_sites_write(gres: str, gpus: list[tuple[str, str]]) -> None:
    assert GPUS.findall(gres) == gpus


def test_a_user_whom_the_machine_does_not_know_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 4_000_123)
    assert user_name() == "4000123"


def test_partitions_that_are_down_or_empty_are_not_tried_and_those_with_gpus_come_first() -> None:
    found = partitions(SHOWN, node_groups(SINFO))
    assert [one.name for one in found] == ["gpu", "gpuplus", "nodes", "test"]
    assert found[1].accounts == ("staff",)
