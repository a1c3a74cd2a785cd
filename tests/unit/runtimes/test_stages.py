"""Which steps of a build make a stage whose result is kept, and which segments a build has."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deployd.project.application.hook_lines import split_hook
from deployd.project.model import Application
from deployd.project.reader import read_project
from deployd.runtimes.build_steps import build_steps, staged_build
from deployd.runtimes.stages import segments
from tests.doubles.trees import DictTree

COMPOSER: dict[str, Any] = {"packages": [{"name": "acme/lib", "dist": {"type": "zip", "url": "https://x.test/a.zip"}}]}
NPM: dict[str, Any] = {"lockfileVersion": 3, "packages": {"": {}, "node_modules/a": {"version": "1.0.0"}}}


def app(text: str, **files: Any) -> Application:
    written = {name.replace("__", "."): json.dumps(it) if isinstance(it, dict) else it for name, it in files.items()}
    tree = {".platform.app.yaml": f"name: app\nweb: {{commands: {{start: x}}}}\n{text}", **written}
    result = read_project(DictTree(tree))
    assert result.config is not None, result.findings
    return result.config.applications[0]


def php(text: str = "", composer: Any = None, lock: Any = None, **more: Any) -> Application:
    return app(f"type: php:8.2\n{text}", composer__json=composer or {}, composer__lock=lock or COMPOSER, **more)


def node(package: dict[str, Any] | None = None, lock: dict[str, Any] | None = None, text: str = "") -> Application:
    files = {"package.json": json.dumps(package or {}), "package-lock.json": json.dumps(lock or NPM)}
    return app(f"type: nodejs:20\n{text}", **files)


def kept(it: Application) -> list[tuple[str, str]]:
    """[(stage, its name in keys, or why it is not kept), …]"""
    stages = [stage for stage in staged_build(it).stages if stage.steps]
    return [(stage.title, stage.kept.name if stage.kept else stage.why_not) for stage in stages]


def test_packages_of_composer_are_apart_from_the_autoloader_which_lists_the_projects_classes():
    it = php()
    assert kept(it) == [("composer's packages", "packages"), ("composer's autoloader", "autoloader")]
    packages, autoloader = (stage.kept for stage in staged_build(it).stages if stage.kept)
    assert packages.depends_on("composer.lock")
    assert not packages.depends_on("src/Kernel.php")
    assert autoloader.depends_on("src/Kernel.php")
    assert not autoloader.depends_on("templates/home.twig")


def test_scripts_that_run_when_packages_are_there_run_each_time():
    assert kept(php(composer={"scripts": {"post-install-cmd": "php x.php"}})) == [
        ("composer's packages", "packages"), ("composer install", "scripts of composer.json may read any file"),
    ]


def test_settings_that_run_files_of_the_project_are_a_reason_against_it():
    for text in ("auto_prepend_file = x.php\n", "a = 1\rauto_prepend_file = x.php", "[PHP]extension=x.so\n"):
        assert kept(php(php__ini=text))[0][1] == "php.ini has each command run a file"
    for text in ("script-shell=x", "a=1\rscript-shell=x", '"script-shell" = x'):
        files = {"package.json": "{}", "package-lock.json": json.dumps(NPM), ".npmrc": text}
        assert kept(app("type: nodejs:20\n", **files))[0][1] == ".npmrc has npm run or read files that it names"


@pytest.mark.parametrize(("composer", "lock", "why"), [
    ({"scripts": {"pre-install-cmd": "x"}}, COMPOSER, "the script pre-install-cmd of composer.json may read any file"),
    ({}, {"packages": [{"name": "acme/it", "type": "composer-plugin"}]}, "the plug-in acme/it may read any file"),
    ({}, "no JSON", "there is no composer.lock that can be read: what is installed depends on the day"),
])
def test_what_may_read_any_file_is_not_kept_and_says_why(composer: Any, lock: Any, why: str):
    it = php(composer=composer, lock=lock)
    assert kept(it) == [("composer install", why)]
    assert [step.title for step in build_steps(it)] == ["composer install"]


def test_files_that_composer_json_names_have_a_part():
    composer = {
        "repositories": [{"type": "path", "url": "./packages/*"}],
        "extra": {"patches": {"acme/lib": {"one": "fixes/a.txt"}}},
        "autoload": {"psr-4": {"App\\": "src/"}},
    }
    it = php(composer=composer, **{"packages/a/lib.php": "", "fixes/a.txt": "", "src/A.php": "", "web/a.php": ""})
    stage = staged_build(it).stages[2]
    packages = next(stage.kept for stage in staged_build(it).stages if stage.kept)
    assert [packages.depends_on(path) for path in ("packages/a/lib.php", "fixes/a.txt", "src/A.php", "web/a.php")] == [
        True, True, False, False,
    ], stage


@pytest.mark.parametrize("url", ["file:///app/archives/a.zip", "archives/a.zip", "./archives/a.zip"])
def test_archives_of_the_repository_from_which_packages_come_have_a_part(url: str):
    lock = {"packages": [{"name": "acme/a", "dist": {"type": "zip", "url": url}}]}
    build = staged_build(php(lock=lock, **{"archives/a.zip": "x"}))
    packages = next(stage.kept for stage in build.stages if stage.kept)
    assert packages.depends_on("archives/a.zip")


def depends(it: Application, *paths: str) -> list[bool]:
    """On which of these paths the first stage that is kept depends."""
    first = next(stage.kept for stage in staged_build(it).stages if stage.kept)
    return [first.depends_on(path) for path in paths]


def test_packages_that_the_repository_brings_have_a_part_for_what_is_in_them_is_run():
    assert depends(php(), "vendor/composer/installed.json", "vendor", "config/bundles.php") == [True, True, True]
    assert depends(node(), "node_modules/a/index.js", "node_modules") == [True, True]
    hook = "hooks: {build: 'uv sync --frozen'}\n"
    uv = app(f"type: python:3.13\n{hook}", **{"pyproject.toml": "[project]\n", "uv.lock": "version = 1\n"})
    assert depends(uv, ".venv/bin/python", "uv.lock", "main.py") == [True, True, False]


def test_files_of_the_root_that_installers_take_before_all_others_have_a_part():
    it = php("dependencies: {ruby: {sass: 3.4.7}, python3: {flask: '*'}}\n")
    paths = ("sass-3.4.7.gem", "json.pyc", "zipfile.cpython-311-x86_64-linux-gnu.so", "email/__init__.pyc",
             "__pycache__/a.cpython-311.pyc", "src/json.pyc")
    assert depends(it, *paths) == [True, True, True, True, True, False]


def test_a_file_from_which_scripts_of_packages_take_programs_is_a_reason_against_it():
    files = {"package.json": "{}", "package-lock.json": json.dumps(NPM), ".prebuild-installrc": '{"download": "x"}'}
    assert kept(app("type: nodejs:20\n", **files))[0][1].startswith(".prebuild-installrc has")


@pytest.mark.parametrize("name", ["phpro/grumphp", "bamarni/composer-bin-plugin"])
def test_plug_ins_that_run_what_other_files_say_are_a_reason_against_it(name: str):
    lock = {"packages": [{"name": name, "type": "composer-plugin"}]}
    assert kept(php(lock=lock))[0][1] == f"the plug-in {name} may read any file"


def test_manifests_that_are_merged_have_a_part_and_their_scripts_are_a_reason_against_it():
    lock = {"packages": [{"name": "wikimedia/composer-merge-plugin", "type": "composer-plugin"}]}
    assert depends(php(lock=lock), "more/one.json", "more/one.php") == [True, False]
    composer = {"extra": {"merge-plugin": {"include": ["*/composer.json"], "merge-scripts": True}}}
    assert "brings scripts" in kept(php(composer=composer, lock=lock))[0][1]


@pytest.mark.parametrize("url", ["/app/packages/a", "file:///app/packages/a", "../app/packages/*", "packages/a"])
def test_folders_are_found_however_they_are_named(url: str):
    it = php(composer={"repositories": [{"type": "path", "url": url}]}, **{"packages/a/lib.php": ""})
    assert depends(it, "packages/a/lib.php", "web/a.php") == [True, False]
    lock = {"packages": [{"name": "a/a", "dist": {"type": "zip", "url": url}}]}
    assert depends(php(lock=lock, **{"packages/a/lib.php": ""}), "packages/a/lib.php") == [True]


def test_npm_installs_are_kept_when_nothing_but_the_lock_file_has_a_part():
    assert kept(node()) == [("npm's packages", "packages")]


@pytest.mark.parametrize(("package", "item", "why"), [
    ({"scripts": {"postinstall": "x"}}, {}, "the script postinstall of package.json may read any file"),
    ({"workspaces": ["a"]}, {}, "workspaces are installed from folders of the project"),
    ({}, {"node_modules/b": {"link": True}}, "the package b is installed from a folder of the project"),
    ({}, {"node_modules/b": {"resolved": "file:b.tgz"}}, "the package b is installed from a folder of the project"),
    ({}, {"libs/b": {"version": "1"}}, "the package libs/b is installed from a folder of the project"),
    ({}, {"node_modules/@prisma/client": {"hasInstallScript": True}},
     "the package @prisma/client runs a script, which may read any file"),
    ({}, {"node_modules/x/node_modules/esbuild": {"hasInstallScript": True}}, ""),
])
def test_npm_installs_that_read_more_are_not_kept(package: Any, item: Any, why: str):
    assert [reason if why else "" for _, reason in kept(node(package, {"packages": {"": {}, **item}}))] == [why]


def test_a_lock_file_of_npms_first_kind_says_too_little():
    assert "first kind" in kept(node(lock={"dependencies": {}}))[0][1]


@pytest.mark.parametrize(("text", "is_kept"), [
    ("Django==5.0  # pinned\nrequests[socks]>=2,<3 ; python_version > '3'\n-r more.txt\n", True),
    ("-e .\n", False), ("./wheels/a.whl\n", False), ("a @ file:///app/a\n", False), ("-r gone.txt\n", False),
    ("--find-links wheels\n", False), ("../a.txt\n", False), ("a-1.0-py3-none-any.whl\n", False),
    ("a-1.0.tar.gz ; python_version > '3'\n", False), ("zope.tar==1\n", True),
])
def test_requirements_of_a_hook_are_kept_when_they_lead_to_no_file_of_the_project(text: str, is_kept: bool):
    hook = "hooks: {build: 'pip install -r requirements.txt'}\n"
    it = app(f"type: python:3.13\n{hook}", **{"requirements.txt": text, "more.txt": "flask==3.0\n"})
    (title, name), = kept(it)
    assert title == ("pip's packages" if is_kept else "the build hook's `pip install -r requirements.txt`")
    assert (name == "packages") is is_kept


HOOK = "set -e\n# packages\nnpm ci\nnpm run build\nnpm ci\n"


def test_only_the_first_lines_of_a_hook_are_taken_out_of_it():
    split = split_hook(HOOK)
    assert (split.installs, split.ends_at_errors) == ((("npm", "npm ci"),), True)
    assert split.rest == "set -e\nnpm run build\nnpm ci\n"
    assert split_hook("npm run x\nnpm ci\n").installs == ()
    assert split_hook("npm ci && npm run x\n").installs == ()
    assert split_hook("cd x\nnpm ci\n").installs == ()
    assert split_hook("npm ci; rm -rf /\n").installs == ()
    assert split_hook("npm ci $(x)\n").installs == ()


def test_an_install_after_another_one_stands_on_it():
    hook = "hooks:\n  build: |\n    set -e\n    pip install -U pip\n    pip install -r requirements.txt\n"
    it = app(f"type: python:3.13\n{hook}", **{"requirements.txt": "flask==3.0\n"})
    first, second = (stage.kept for stage in staged_build(it).stages if stage.kept)
    assert (first.name, second.name) == ("packages", "packages-1")
    assert first.name in second.after
    files = ("requirements.txt", "logging.py", "app/main.py")
    assert [second.depends_on(path) for path in files] == [True, True, False]


def test_a_hook_without_set_e_goes_on_when_its_first_command_fails():
    text = "build: {flavor: none}\nhooks:\n  build: |\n    npm ci\n    npm run build\n"
    assert [step.may_fail for step in build_steps(node(text=text))] == [True, False]
    with_e, alone = text.replace("|\n", "|\n    set -e\n"), "build: {flavor: none}\nhooks: {build: npm ci}\n"
    assert [step.may_fail for step in build_steps(node(text=with_e))] == [False, False]
    assert [step.may_fail for step in build_steps(node(text=alone))] == [False]


def test_after_a_step_that_may_do_anything_nothing_is_kept():
    caches = "build: {flavor: default, caches: {a: {directory: b, watch: [c]}}}\n"
    assert kept(node(text=caches))[1] == ("npm's packages", "it comes after build.caches, which may change any file")


def test_a_build_has_a_container_for_each_stage_that_is_kept_and_one_for_the_rest():
    it = php("hooks: {build: echo hi}\nruntime: {extensions: [redis]}\n")
    build = staged_build(it)
    first, second, rest = segments(build, frozenset({"packages", "autoloader"}))
    assert [step.title for step in first.steps] == ["PHP's settings", "composer's packages"]
    assert [step.title for step in second.steps] == ["composer install"]
    assert [step.title for step in rest.steps] == ["the build hook"]
    begin = build.begin[0].script
    assert (first.before, begin in second.before, begin in rest.before) == ("", True, True)
    whole, = segments(build, frozenset())
    assert whole.steps == build.steps
