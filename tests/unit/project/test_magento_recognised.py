"""Which applications deployd's own recipe builds and deploys, and what it goes by of `.magento.env.yaml`."""

from __future__ import annotations

import json

import pytest

from deployd.project.model import Application
from deployd.project.reader import read_project
from tests.doubles.trees import DictTree

APP = "name: shop\ntype: php:8.2\ndisk: 512\n"
MAGENTO = json.dumps({"require": {"magento/product-community-edition": "2.4.7"}})
MARK = "deployd-magento\n"


def read(app: str = APP, **files: str | None):
    named = {{"env": ".magento.env.yaml", "composer": "composer.json", "lock": "composer.lock"}[name]: text
             for name, text in files.items()}
    return read_project(DictTree({".magento.app.yaml": app, ".magento/routes.yaml":
                                  '"http://{default}/": {type: upstream, upstream: "shop:http"}\n', **named}))


def app_of(app: str = APP, **files: str | None) -> Application:
    result = read(app, **files)
    assert result.config is not None, result.findings
    return result.config.applications[0]


def hooks(build: str = "", deploy: str = "", post_deploy: str = "") -> str:
    given = {"build": build, "deploy": deploy, "post_deploy": post_deploy}
    return APP + "hooks: " + json.dumps({name: text for name, text in given.items() if text}) + "\n"


def scripts(app: Application) -> list[str | None]:
    return [hook and hook.script for hook in (app.hooks.build, app.hooks.deploy, app.hooks.post_deploy)]


@pytest.mark.parametrize("package", [
    "magento/product-community-edition", "magento/product-enterprise-edition", "magento/magento-cloud-metapackage",
    "mage-os/product-community-edition",
])
def test_a_magento_without_hooks_is_the_recipes(package):
    app = app_of(composer=json.dumps({"require": {"php": "~8.2", package: "*"}}))
    assert scripts(app) == [MARK, MARK, MARK]
    assert app.magento is not None
    assert "no hooks" in app.magento.why


def test_what_requires_no_magento_and_what_has_hooks_of_its_own_is_left_alone():
    assert app_of().magento is None
    assert app_of(composer='{"require": {"symfony/symfony": "*"}}').magento is None
    own = app_of(hooks("php bin/magento setup:di:compile\n", "php bin/magento setup:upgrade\n"), composer=MAGENTO)
    assert own.magento is None
    assert scripts(own) == ["php bin/magento setup:di:compile\n", "php bin/magento setup:upgrade\n", None]
    assert app_of("name: shop\ntype: nodejs:20\n", composer=MAGENTO).magento is None


@pytest.mark.parametrize("files", [
    {"composer": json.dumps({"require": {"magento/magento-cloud-metapackage": "*", "magento/ece-tools": "*"}})},
    {"composer": json.dumps({"require": {"magento/magento-cloud-metapackage": "*"}}),
     "lock": json.dumps({"packages": [{"name": "magento/ece-tools", "version": "2002.1.0"}]})},
])
def test_ece_tools_hooks_run_as_they_are_when_ece_tools_are_there(files):
    text = "php ./vendor/bin/ece-tools run scenario/build/generate.xml\n"
    assert scripts(app_of(hooks(text, "php ./vendor/bin/m2-ece-deploy\n"), **files)) == [
        text, "php ./vendor/bin/m2-ece-deploy\n", None]
    assert app_of(**files).magento is None, "without hooks, too: somebody calls them"


@pytest.mark.parametrize(("build", "deploy"), [
    ("php ./bin/magento magento-cloud:build\n",
     "php ./vendor/magento/magento-cloud-configuration/pre-deploy.php\nphp ./bin/magento magento-cloud:deploy\n"),
    ("bin/magento magento-cloud:build", "php bin/magento   magento-cloud:deploy"),
    ("php ./vendor/bin/m2-ece-build\n", "php ./vendor/bin/m2-ece-deploy\n"),
    ("php ./vendor/platformsh/magento2-configuration/magento-build.php",
     "php ./vendor/platformsh/magento2-configuration/magento-deploy.php"),
])
def test_commands_of_the_clouds_first_years_are_the_recipes(build, deploy):
    app = app_of(hooks(build, deploy))
    assert scripts(app) == [MARK, MARK, MARK]
    assert app.magento is not None
    assert "first years" in app.magento.why


def test_what_stands_around_a_historic_command_stays_around_the_recipe():
    app = app_of(hooks(
        "npm ci\nphp bin/magento magento-cloud:build && touch built\n",
        "redis-cli -h redis.internal flushall && rm -rf /app/var/cache/* && php ./bin/magento magento-cloud:deploy\n",
    ))
    assert scripts(app) == [
        "npm ci\ndeployd-magento\ntouch built\n",
        "redis-cli -h redis.internal flushall && rm -rf /app/var/cache/* || exit\ndeployd-magento\n", MARK,
    ]


@pytest.mark.parametrize("line", [
    "php bin/magento magento-cloud:build; true", "echo php bin/magento magento-cloud:build",
    "# php bin/magento magento-cloud:build", "php bin/magento magento-cloud:build | tee log",
    "php bin/magento magento-cloud:builder",
])
def test_a_line_that_only_looks_like_a_historic_command_is_nobodys_but_the_shells(line):
    assert scripts(app_of(hooks(line))) == [line, None, None]


def test_a_project_that_says_so_has_the_recipe_where_it_says_it():
    app = app_of(hooks("make assets\ndeployd-magento\n", post_deploy="curl -s http://localhost/\n"))
    assert scripts(app) == ["make assets\ndeployd-magento\n", MARK, "curl -s http://localhost/\n"]


@pytest.mark.parametrize("text", [
    "", "[]", "null", '{"require": 7}', '{"require": ["magento/product-community-edition"]}', "{", "[" * 100_000,
    '{"require": {"magento/product-community-edition": "' + "9" * 3_000_000 + '"}}',
])
def test_a_composer_file_that_says_nothing_readable_is_composers_business(text):
    assert app_of(composer=text).magento is None


def test_a_composer_file_that_is_a_link_is_not_followed():
    assert app_of(composer=None).magento is None


@pytest.mark.parametrize("lock", ["[]", '{"packages": {"a": 1}}', '{"packages": [7, null, {"name": ["x"]}]}'])
def test_a_lock_that_is_none_does_no_harm(lock):
    assert app_of(composer=MAGENTO, lock=lock).magento is not None


def test_the_recipe_goes_by_the_settings_that_are_as_they_should_be():
    app = app_of(composer=MAGENTO, env="""
stage:
  global: {SCD_ON_DEMAND: true, SCD_THREADS: "many"}
  build: {SCD_MATRIX: {magento/backend: {language: [de_DE]}}, WARM_UP_PAGES: [a]}
  deploy: {DATABASE_CONFIGURATION: {_merge: true, table_prefix: x_}, NO_SUCH: 1, SPLIT_DB: [quote]}
  elsewhere: {SKIP_SCD: true}
""")
    assert app.magento is not None
    assert app.magento.stages == {
        "global": {"SCD_ON_DEMAND": True}, "build": {"SCD_MATRIX": {"magento/backend": {"language": ["de_DE"]}}},
        "deploy": {"DATABASE_CONFIGURATION": {"_merge": True, "table_prefix": "x_"}},
    }


def test_what_the_recipe_does_not_honour_is_named_and_only_where_it_is_at_work():
    env = "stage: {deploy: {SPLIT_DB: [quote]}, global: {SCD_COMPRESSION_LEVEL: 6}}\n"
    named = [finding.what for finding in read(composer=MAGENTO, env=env).warnings if finding.code == "not-honoured"]
    assert sum("does nothing in deployd's recipe" in what for what in named) == 2
    own = read(hooks("php vendor/bin/ece-tools build"), composer=MAGENTO, env=env)
    assert not [finding for finding in own.warnings if "recipe" in finding.what]


@pytest.mark.parametrize(("env", "code"), [
    ("stage: [", "yaml-syntax"),
    ("stage: {global: {A: !php/object x}}\n", "unknown-tag"),
    ("a: &a {x: &b [" + ", ".join("1" * 30) + "]}\nstage: {deploy: {CACHE_CONFIGURATION: {"
     + ", ".join(f"k{n}: [{', '.join(['*b'] * 100)}]" for n in range(60)) + "}}}\n", "file-too-large"),
])
def test_settings_that_cannot_be_read_end_a_push_when_the_recipe_would_go_by_them(env, code):
    result = read(composer=MAGENTO, env=env)
    assert result.config is None
    assert code in {finding.code for finding in result.errors}
    assert read(hooks("php vendor/bin/ece-tools build"), composer=MAGENTO, env=env).config is not None


def test_a_settings_file_that_is_a_link_is_not_followed():
    assert "symbolic-link" in {finding.code for finding in read(composer=MAGENTO, env=None).errors}


@pytest.mark.parametrize(("size", "wanted"), [("", "XL"), ("size: M\n", "M"), ("size: S\n", "S")])
def test_a_magento_that_says_no_size_gets_room_for_its_crons_whatever_its_hooks_are(size, wanted):
    result = read(hooks("php vendor/bin/ece-tools build") + size, composer=MAGENTO)
    assert result.config is not None
    assert result.config.applications[0].web.instance.size == wanted
    assert ("magento-size" in {finding.code for finding in result.warnings}) is (size == "")


def test_what_is_no_magento_keeps_the_usual_size():
    assert app_of(composer='{"require": {"symfony/symfony": "*"}}').web.instance.size == "AUTO"


@pytest.mark.parametrize(("crons", "said"), [
    ("", True), ("crons: {cronrun: {spec: '* * * * *', commands: {start: php bin/magento cron:run}}}\n", False),
])
def test_a_magento_without_crons_is_told_what_stands_still(crons, said):
    found = {finding.code for finding in read(APP + crons, composer=MAGENTO).warnings}
    assert ("magento-crons" in found) is said
    assert "magento-crons" not in {finding.code for finding in read(APP + crons).warnings}


def test_what_a_plan_is_offered_holds_all_that_the_recipe_is_recognised_by():
    lock = json.dumps({"packages": [{"name": "magento/framework"}]})
    config = read(composer=MAGENTO, lock=lock, env="stage: {}\n").config
    assert config is not None
    assert {"composer.json", "composer.lock", ".magento.env.yaml"} <= set(config.files)
    assert config.configuration_paths() == {".magento.app.yaml", ".magento"}, "they are code: a change of them builds"


@pytest.mark.parametrize("number", ["9" * 5_000, "1e999999", "NaN", "[" + "[]," * 100_000 + "[]]"])
def test_odd_json_of_composer_is_read_or_left(number):
    text = '{"require": {"magento/product-community-edition": ' + number + "}}"
    assert (app_of(composer=text).magento is None) is (len(number) == 5_000)
