"""`deployd check` as people and hooks run it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from deployd.cli.check import check
from tests.support.corpus import REPOSITORY

GOOD = "name: shop\ntype: php:8.4\nweb: {locations: {/: {root: public}}}\n"


def run(*argv: str) -> tuple[int, str]:
    result = CliRunner().invoke(check, list(argv))
    return result.exit_code, result.output


def test_a_good_folder_is_said_to_be_good(tmp_path: Path) -> None:
    (tmp_path / ".platform.app.yaml").write_text(GOOD)
    assert run(str(tmp_path)) == (0, "1 application (shop), 0 services, 1 route: a push would be accepted\n")


def test_a_warning_is_shown_and_accepted(tmp_path: Path) -> None:
    (tmp_path / ".platform.app.yaml").write_text(GOOD.replace("8.4", "8.2"))
    status, output = run(str(tmp_path))
    assert status == 0
    assert "warning: `php:8.2` is retired" in output
    assert "hint: plan the way to `php:8.4`\n" in output, "8.5 is not in the catalogue"
    assert "1 warning\n" in output


def test_errors_end_with_3_and_are_shown_with_a_caret(tmp_path: Path) -> None:
    (tmp_path / ".platform.app.yaml").write_text(GOOD + "hokes: {}\n")
    status, output = run(str(tmp_path))
    assert status == 3
    assert output.splitlines() == [
        ".platform.app.yaml:4:1: error: an application has no key `hokes`",
        "  4 | hokes: {}",
        "    | ^^^^^",
        "  hint: did you mean `hooks`?",
        "",
        "1 error",
    ]


def test_what_the_catalogue_has_not_ends_with_7_and_is_shown_with_its_line(tmp_path: Path) -> None:
    (tmp_path / ".platform.app.yaml").write_text(GOOD.replace("php:8.4", "python:3.8"))
    (tmp_path / ".platform").mkdir()
    (tmp_path / ".platform/services.yaml").write_text("db: {type: 'mariadb:12.3', disk: 512}\n")
    status, output = run(str(tmp_path))
    assert status == 7
    assert "error: there is no python:3.8 on this host; there is python:2.7, python:3.9" in output
    assert "  2 | type: python:3.8\n" in output
    assert output.endswith(
        "1 application (shop), 1 service, 1 route: accepted, but deployd cannot run python:3.8, mariadb:12.3"
        " with the catalogue that came with deployd\n"
    )
    status, output = run(str(tmp_path), "--json")
    assert (status, json.loads(output)["valid"]) == (7, False)
    assert [item["code"] for item in json.loads(output)["findings"] if item["severity"] == "error"] == [
        "version-not-there", "version-not-there",
    ]
    status, output = run(str(tmp_path), "--nearest")
    assert status == 0
    assert "python:3.8 is not on this host; python:3.9, the nearest, is used instead" in output


def test_what_the_catalogue_has_not_is_told_beside_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / ".platform.app.yaml").write_text(GOOD.replace("php:8.4", "hhvm:3.18") + "hokes: {}\n")
    status, output = run(str(tmp_path))
    assert status == 3
    assert "has no key `hokes`" in output
    assert "there is no runtime hhvm on this host" in output
    assert output.endswith("2 errors, 1 warning\n")


@pytest.mark.parametrize("named", ["catalogue", "settings"])
def test_the_operators_catalogue_counts_where_it_can_be_read(tmp_path: Path, named: str) -> None:
    image = "{image: 'x'}"
    (tmp_path / "catalogue.yaml").write_text(
        f"runtimes: {{python: {{'3.8': {image}}}}}\nweb: {image}\nrouter: {image}\n",
    )
    (tmp_path / "settings.yaml").write_text(f"catalogue: {tmp_path}/catalogue.yaml\n")
    (tmp_path / ".platform.app.yaml").write_text(GOOD.replace("php:8.4", "python:3.8"))
    assert run(str(tmp_path), f"--{named}", f"{tmp_path}/{named}.yaml")[0] == 0
    (tmp_path / ".platform.app.yaml").write_text(GOOD)
    status, output = run(str(tmp_path), f"--{named}", f"{tmp_path}/{named}.yaml")
    assert status == 7
    assert output.endswith(f"cannot run php:8.4 with the catalogue {tmp_path}/catalogue.yaml\n")


def test_a_hook_that_nothing_could_be_started_with_is_an_error_of_the_files(tmp_path: Path) -> None:
    (tmp_path / ".platform.app.yaml").write_text(GOOD + f"hooks:\n  deploy: |\n    echo {'x' * 140_000}\n")
    status, output = run(str(tmp_path))
    assert status == 3
    assert "most of it hooks.deploy (140," in output
    assert "would be accepted" not in output


def test_a_tolerant_project_is_only_warned(tmp_path: Path) -> None:
    (tmp_path / ".platform.app.yaml").write_text(GOOD + "hokes: {}\n")
    assert run(str(tmp_path), "--tolerant")[0] == 0


def test_json_is_one_document(tmp_path: Path) -> None:
    (tmp_path / ".platform.app.yaml").write_text(GOOD + "hokes: {}\n")
    status, output = run(str(tmp_path), "--json")
    document = json.loads(output)
    assert status == 3
    assert document["valid"] is False
    assert document["findings"][0]["code"] == "unknown-key"


def test_the_spelling_can_be_named(tmp_path: Path) -> None:
    (tmp_path / ".platform.app.yaml").write_text(GOOD)
    (tmp_path / ".magento.app.yaml").write_text(GOOD.replace("shop", "mymagento"))
    (tmp_path / ".upsun").mkdir()
    (tmp_path / ".upsun" / "config.yaml").write_text("applications: {myupsun: {type: 'php:8.4'}}\n")
    assert "(shop)" in run(str(tmp_path), "--project-dialect", "platformsh")[1]
    assert "(mymagento)" in run(str(tmp_path), "--project-dialect", "magento")[1]
    assert "(myupsun)" in run(str(tmp_path), "--project-dialect", "upsun")[1]
    assert run(str(tmp_path), "--project-dialect", "docker")[0] == 2


def test_a_folder_that_is_not_there_is_a_wrong_use(tmp_path: Path) -> None:
    assert run(str(tmp_path / "nothing"))[0] == 2


@pytest.mark.parametrize("module", ["deployd.cli.check", "deployd.project.reader"])
def test_a_check_starts_without_the_heavy_libraries(module: str) -> None:
    code = (
        f"import sys, {module}, deployd.project.reader, deployd.project.findings.report, deployd.cli.disk_tree\n"
        "heavy = {'aiohttp', 'jinja2', 'pydantic', 'asyncio', 'sqlite3', 'rich', 'subprocess'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=REPOSITORY)


def test_the_hook_for_pre_commit_names_a_command_that_exists() -> None:
    hook = yaml.safe_load((REPOSITORY / ".pre-commit-hooks.yaml").read_text())[0]
    assert hook["entry"] == "deployd check"
    assert hook["pass_filenames"] is False
