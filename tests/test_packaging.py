"""The wheel holds all that the command needs, conf/ included."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_an_installed_wheel_composes_the_same_settings_as_the_checkout(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "-w", str(tmp_path), str(ROOT)], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    subprocess.run([*pip, "install", "--no-deps", "--target", str(site), str(wheel)], check=True)
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import json, vmsbench\n"
        "from vmsbench.config.compose import compose; from vmsbench.config.plugins import conf_folder\n"
        "print(json.dumps([str(conf_folder()), compose('gan', ['preset=quick'])]))"
    )
    found = []
    for place in (site, ROOT):
        command = [sys.executable, "-c", program, str(place)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        found.append(json.loads(done.stdout))
    assert found[0][0] == str(site / "vmsbench" / "conf")
    assert found[0][1] == found[1][1]


def test_a_stranger_reads_the_first_page_in_three_minutes_and_its_links_lead_somewhere() -> None:
    readme = (ROOT / "README.md").read_text()
    assert len(readme.splitlines()) <= 150
    for page in ("README.md", "CONTRIBUTING.md", *(str(page.relative_to(ROOT)) for page in ROOT.glob("docs/**/*.md"))):
        folder = (ROOT / page).parent
        for link in re.findall(r"\]\(([^)#\s]+)", (ROOT / page).read_text()):
            built = folder.name in ("docs", "how-to") and "reference/" in link  # docs/reference.py makes those
            assert "://" in link or built or (folder / link).exists(), f"{page}: {link}"


def test_the_tree_on_the_first_page_has_every_room() -> None:
    tree = (ROOT / "README.md").read_text().partition("## The tree")[2]
    rooms = {folder.name for folder in (ROOT / "vmsbench").iterdir() if (folder / "__init__.py").exists()}
    assert set(re.findall(r"^      (\w+)/", tree, re.M)) == rooms


def test_every_page_is_in_the_contents() -> None:
    contents = (ROOT / "mkdocs.yml").read_text()
    for page in (ROOT / "docs").rglob("*.md"):
        assert f": {page.relative_to(ROOT / 'docs')}\n" in contents


def test_the_versions_of_python_that_are_said_are_those_that_are_tested() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    said = [one.rpartition(" ")[2] for one in project["classifiers"] if "Python :: 3." in one]
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())["jobs"]
    assert jobs["test"]["strategy"]["matrix"]["python"] == said
    assert project["requires-python"] == f">={said[0]}"
    assert "LOWEST" in jobs["versions"]["strategy"]["matrix"]["allowed"], "the lowest versions that are allowed"
    assert "Typing :: Typed" in project["classifiers"]
    assert (ROOT / "vmsbench" / "py.typed").exists()


def test_the_version_stands_in_one_place_and_the_tag_that_is_said_is_its() -> None:
    from vmsbench import __version__

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "version" in project["project"]["dynamic"]
    assert project["tool"]["hatch"]["version"]["path"] == "vmsbench/__init__.py"
    assert f'git tag -a v{__version__} -m "vmsbench {__version__}"' in (ROOT / "CONTRIBUTING.md").read_text()
    (newest, *_) = re.findall(r"^## (\S+?),? ", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert newest.rstrip(",") == __version__
