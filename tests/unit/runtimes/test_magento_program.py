"""Scripts that the recipe for Magento makes: their order, their places, their bounds; docs/magento.md says the same."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from deployd.project.application.magento_env import NOT_HONOURED, VARIABLES
from deployd.project.model import Application
from deployd.project.model.magento import MARK
from deployd.runtimes.build_steps import build_steps
from deployd.runtimes.magento.program import PROGRAM, preparation, step_script, with_recipe
from deployd.runtimes.magento.recipe import BUILD, DEPLOY, POST_DEPLOY, PREPARE, STEPS
from tests.support.magento_shop import APP, read_app, shop_files

PAGE = Path(__file__).parents[3] / "docs" / "magento.md"
OWN = "hooks: {build: php bin/magento setup:di:compile, deploy: php bin/magento setup:upgrade}\n"


def app_with(more: str = "") -> Application:
    return read_app(shop_files(APP + more))


def test_a_build_has_a_step_for_each_of_the_recipes_after_the_packages_and_applies_no_hotfix_twice():
    steps = build_steps(app_with())
    titles = [step.title for step in steps]
    assert titles[0] == "composer install"
    assert titles[1] == "the recipe for Magento, because it requires Magento and has no hooks"
    assert titles[2:] == [f"the recipe's step `{step.title}`" for step in BUILD]
    assert "m2-hotfixes" not in steps[0].script
    assert "m2-hotfixes" in build_steps(app_with(OWN))[0].script


def test_without_a_flavor_the_recipe_installs_the_packages():
    titles = [step.title for step in build_steps(app_with("build: {flavor: none}\n"))]
    assert "composer install" not in titles
    assert "composer install" in BUILD[0].script


def test_hooks_of_others_are_run_as_they_are():
    app = app_with(OWN)
    assert app.hooks.deploy is not None
    assert with_recipe(app, "deploy", app.hooks.deploy.script) == app.hooks.deploy.script
    assert preparation(app) is None
    assert build_steps(app)[-1].script == "php bin/magento setup:di:compile"


def test_only_a_whole_line_is_the_mark():
    app = app_with(f"hooks: {{build: {MARK}, deploy: 'echo {MARK}'}}\n")
    assert app.hooks.deploy is not None
    assert with_recipe(app, "deploy", app.hooks.deploy.script) == f"echo {MARK}"
    assert preparation(app) is None


@pytest.mark.parametrize("hook", STEPS)
def test_scripts_are_what_dash_can_read(hook: str):
    app = app_with()
    scripts = [step_script(hook, number) for number in range(1, len(STEPS[hook]) + 1)]
    for script in (*scripts, with_recipe(app, hook, f"if true; then\n  {MARK}\nfi\n")):
        done = subprocess.run(["dash", "-n"], input=script.encode(), capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, b"")


def test_a_step_says_what_it_is_how_long_it_took_and_ends_with_its_status(tmp_path: Path):
    script = step_script("build", 1).replace(BUILD[0].script, "echo in it; exit 7")
    done = subprocess.run(["dash"], input=script.encode(), capture_output=True, check=False)
    assert done.returncode == 7
    assert re.fullmatch(r"magento 1/9: packages\nin it\nmagento 1/9 took \d+\.\d s\n", done.stdout.decode())


def test_every_command_of_the_steps_is_one_of_the_programs():
    known = set(re.findall(r"^    '([a-z-]+)' =>", PROGRAM["recipe.php"], re.MULTILINE))
    used = {step.script.split()[1] for steps in STEPS.values() for step in steps if step.script.startswith("recipe ")}
    assert used <= known
    assert known - used == {"maintenance-off"}
    assert all(len(line) <= 120 for text in PROGRAM.values() for line in text.splitlines())


def test_the_page_has_every_step_in_its_order_and_every_setting():
    text = PAGE.read_text()
    tables = text.split("<!-- steps -->")[1].split("<!-- end -->")[0]
    shown = re.findall(r"^\| ([^|]+) \| [^|]+\|$", tables, re.MULTILINE)
    titles = [title for title in shown if title not in ("build", "deploy", "post_deploy")]
    assert titles == [step.title for step in (*BUILD, *DEPLOY, *POST_DEPLOY)]
    assert [step.title for step in PREPARE] == ["what is there", "what is due"]
    does, does_nothing = text.split("These do nothing")
    for name in VARIABLES:
        assert f"`{name}" in (does_nothing if name in NOT_HONOURED else does), name
