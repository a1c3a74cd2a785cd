"""Builds of Ruby, Python 2, Elixir, .NET and Lisp: what is run, what it sees, and what is kept between builds."""

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from deployd.project.model import Application, Build, Commands, Hook, Hooks, Instance, Stack, Web
from deployd.project.reader import read_project
from deployd.runtimes.build_steps import build_steps
from deployd.runtimes.paths import build_paths, runtime_paths
from tests.doubles.trees import DictTree


def app(language: str, **more: object) -> Application:
    return Application("shop", language, "1", "", Web(Instance(Commands()), "tcp", "http", ()), **more)


def run_with(program: str, script: str, folder: Path) -> tuple[int, list[str], str]:
    """Status, the arguments of each call of a program that only writes them down, and what was said."""
    bin_folder = folder / "bin"
    bin_folder.mkdir()
    (bin_folder / program).write_text('#!/bin/sh\nprintf "%s|" "$@" >> "$CALLS"; echo >> "$CALLS"\n')
    (bin_folder / program).chmod(0o755)
    calls = folder / "calls"
    done = subprocess.run(["dash", "-c", script], capture_output=True, text=True, check=False, cwd=folder, env={
        "PATH": f"{bin_folder}:/usr/bin:/bin", "CALLS": str(calls), "GEM_HOME": str(folder / "gems"),
        "TMPDIR": str(folder), "HOME": os.environ["HOME"],
    })
    return done.returncode, calls.read_text().splitlines() if calls.exists() else [], done.stderr


def test_gems_are_installed_one_by_one_with_their_constraints_and_their_downloads_are_not_kept(tmp_path: Path) -> None:
    (tmp_path / "gems" / "cache").mkdir(parents=True)
    [step] = build_steps(app("php", dependencies={"ruby": {
        "sass": "3.4.7", "compass": "*", "rake": "~> 13.0", "it's": None, "evil": ">= 1; touch x",
    }}, build=Build("none")))
    status, calls, _ = run_with("gem", step.script, tmp_path)
    assert status == 0
    assert calls == [
        "install|--no-document|--version|= 3.4.7|sass|", "install|--no-document|compass|",
        "install|--no-document|--version|~> 13.0|rake|", "install|--no-document|it's|",
        "install|--no-document|--version|>= 1; touch x|evil|",
    ]
    assert not (tmp_path / "gems" / "cache").exists()
    assert not (tmp_path / "x").exists()


def test_python2_is_asked_for_only_where_it_is(tmp_path: Path) -> None:
    [step] = build_steps(app("php", dependencies={"python2": {"supervisor": "3.4"}}, build=Build("none")))
    status, calls, said = run_with("python3", step.script, tmp_path)
    assert (status, calls) == (1, [])
    assert "there is no Python 2 in this image: only images of Debian 11 have it" in said


def test_python2_gets_a_pip_that_knows_it(tmp_path: Path) -> None:
    [step] = build_steps(app("php", dependencies={"python2": {"supervisor": "3.4"}}, build=Build("none")))
    fetch = "python3 -m pip download --quiet --no-deps --dest \"$tools\" pip==20.3.4 setuptools==44.1.1 wheel==0.37.1"
    assert fetch in step.script
    status, calls, _ = run_with("python2", step.script.replace(fetch, "touch $tools/pip-20.3.4-any.whl"), tmp_path)
    assert status == 0
    assert calls[-1] == "-m|pip|install|--user|--no-warn-script-location|supervisor==3.4|"


@pytest.mark.parametrize(("language", "variable", "folder"), [
    ("ruby", "BUNDLE_USER_CACHE", "bundle"), ("elixir", "HEX_HOME", "hex"), ("dotnet", "NUGET_PACKAGES", "nuget"),
    ("python", "UV_CACHE_DIR", "uv"), ("python", "PIPENV_CACHE_DIR", "pipenv"),
    ("python", "POETRY_CACHE_DIR", "poetry"),
])
def test_what_is_downloaded_is_kept_between_builds_and_not_looked_for_later(language, variable, folder) -> None:
    assert build_paths(app(language), "main")[variable] == f"/cache/.deployd/{folder}"
    assert variable not in runtime_paths(app(language))


def test_gems_of_the_application_are_found_when_it_runs() -> None:
    for paths in (build_paths(app("ruby"), "main"), runtime_paths(app("ruby"))):
        assert paths["GEM_HOME"] == "/app/.global"
        assert paths["RAILS_LOG_TO_STDOUT"] == "1"
    assert build_paths(app("ruby"), "main")["BUNDLE_GLOBAL_GEM_CACHE"] == "true"
    assert "RAILS_LOG_TO_STDOUT" not in runtime_paths(app("nodejs"))


def test_systems_of_lisp_are_built_unless_a_file_says_none() -> None:
    text = "name: shop\ntype: lisp:2.1\nweb: {commands: {start: ./shop}}\n"
    for more, titles in (("", ["the systems of *.asd"]), ("build: {flavor: none}\n", [])):
        config = read_project(DictTree({".platform.app.yaml": text + more})).config
        assert config is not None
        assert [step.title for step in build_steps(config.applications[0])] == titles


@pytest.mark.parametrize(("asked", "status"), [("9", 0), ("9.13", 0), ("9.1", 1), ("8", 1)])
def test_a_build_ends_when_the_image_has_another_version_of_a_runtime_of_the_stack(asked, status) -> None:
    it = app("php", build=Build("none"), stack=Stack(("php@8.4", f"python@{asked}", "nodejs@22"), ()))
    [step] = build_steps(it)
    script = step.script.replace("python3 -c 'import platform; print(platform.python_version())'", "echo 9.13.2")
    done = subprocess.run(["dash", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == status
    if status:
        assert f"python@{asked} is not in the image of php:1, which has 9.13.2" in done.stderr


def test_who_has_no_gems_is_not_told_where_they_are():
    """Else the containers of all applications would be made anew for a variable that they do not need."""
    hooked = replace(app("python"), hooks=Hooks(build=Hook("pip install x && gem install y\n")))
    assert "GEM_HOME" not in runtime_paths(app("python"))
    assert "GEM_HOME" in runtime_paths(hooked)
    assert "GEM_HOME" in build_paths(app("python"), "main"), "any hook may install one"
