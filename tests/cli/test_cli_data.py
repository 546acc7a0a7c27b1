"""The commands about photographs and models: what they write where, and settings of a command within a group."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from cli.app import app
from realtime.errors import SettingsError

REPO = Path(__file__).parents[2]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, and no settings from outside."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("REEFLENS")]:
        monkeypatch.delenv(name)
    return tmp_path


def check(*arguments: object) -> str:
    done = CliRunner().invoke(app, ["data", "check", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_a_check_prints_text_or_json_and_writes_a_page(here: Path, toy_photographs: Path) -> None:
    assert "42 pictures of 3 classes" in check(toy_photographs)
    assert not list(here.iterdir())
    told = json.loads(check(toy_photographs, "--json", "--out", "found/here"))
    assert told["pictures"] == 42
    assert json.loads((here / "found/here/check.json").read_text()) == told
    assert (here / "found/here/check.html").read_text().startswith("<!doctype html>")


def test_a_command_within_a_group_has_its_own_table_and_variables(
    here: Path, toy_photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "reeflens.toml").write_text('[data.check]\nout = "by-file"\n')
    check(toy_photographs)
    assert (here / "by-file/check.html").is_file()
    monkeypatch.setenv("REEFLENS_DATA_CHECK_OUT", "by-variable")
    check(toy_photographs)
    assert (here / "by-variable/check.html").is_file()
    monkeypatch.setenv("REEFLENS_DATA_OUT", "x")
    with pytest.raises(SettingsError, match="REEFLENS_DATA_OUT: no such setting"):
        check(toy_photographs)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[data]\nout = 1\n", r"'out' is no setting of \[data\]; there are check"),
        ("[data.check]\nuot = 1\n", r"'uot' is no setting of \[data.check\]"),
        ("[data]\ncheck = 1\n", r"\[data\] check: expected a table \[data.check\]"),
        ('[data.check]\nout = ["a"]\n', r"\[data.check\] out: expected one value"),
    ],
)
def test_a_wrong_table_of_a_group_is_refused_by_name(here: Path, text: str, said: str) -> None:
    (here / "reeflens.toml").write_text(text)
    with pytest.raises(SettingsError, match=said):
        check("tree")


def test_evaluate_writes_page_and_json_and_compares(here: Path, toy_model: Path) -> None:
    for name, colour in {"Fish": (250, 20, 20), "Octopus": (20, 250, 20)}.items():
        (here / "tree" / name).mkdir(parents=True)
        Image.new("RGB", (40, 30), colour).save(here / "tree" / name / "1.png")
    (here / "other").mkdir()
    (here / "other" / toy_model.name).write_bytes(toy_model.read_bytes())
    command = ["evaluate", toy_model, "tree", "--against", f"other/{toy_model.name}", "--report", "out/r.html"]
    done = subprocess.run(
        [sys.executable, "-m", "cli", *map(str, command), "--json", "out/r.json", "--provider", "cpu"],
        env={**os.environ, "PYTHONPATH": str(REPO)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "cannot be told apart" in done.stdout
    assert "In worse water" in (here / "out/r.html").read_text()
    told = json.loads((here / "out/r.json").read_text())
    assert told["comparison"]["against"] == f"other/{toy_model.name}"
