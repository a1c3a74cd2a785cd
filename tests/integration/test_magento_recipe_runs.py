"""The recipe for Magento through its branches: its real scripts in the real image, with a real MariaDB and Redis."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.magento_shop import APP, HISTORIC, SCOPES, SEARCH, Database, Shop, docker, shop_files

HELLO = "app/code/Acme/Hello"
ODD = "m2-hotfixes/02 it's $(touch gotcha) ;fine.patch"


def patch(before: str, after: str, file: str = "vendor/magento/magento2-base/text") -> str:
    return f"--- a/{file}\n+++ b/{file}\n@@ -1 +1 @@\n-{before}\n+{after}\n"


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    database = Database()
    try:
        database.start()
        yield database
    finally:
        database.remove()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("built")


@pytest.fixture
def shop(tmp_path: Path, built: Path, database: Database) -> Shop:
    return Shop(tmp_path, built, database)


@pytest.fixture
def live(shop: Shop) -> Shop:
    """Built and installed."""
    built = shop.build()
    assert built.status == 0, built.said
    installed = shop.deploy()
    assert installed.status == 0, installed.said
    return shop


def text_of(shop: Shop, file: str) -> str:
    return (shop.slug / file).read_text().strip()


def test_patches_of_the_packages_and_then_hotfixes_are_applied_in_their_order(shop: Shop):
    base = "packages/base"
    shop.files |= {
        "composer.json": shop.files["composer.json"].replace('"require": {', """\
"require": {"magento/magento-cloud-patches": "*", "magento/magento-cloud-configuration": "*", """),
        "packages/old/composer.json": '{"name": "magento/magento-cloud-configuration", "version": "1.0.0"}',
        "packages/old/patches/b.patch": patch("of a", "of b"),
        "packages/old/patches/a.patch": patch("of the package", "of a"),
        "packages/new/composer.json": '{"name": "magento/magento-cloud-patches", "version": "1.1.0"}',
        "packages/new/patches.json": json.dumps({
            "magento/magento2-base": {"One that fits": {">=2.4.6 <2.4.8": "c.patch", "~2.3.0": "never.patch"}},
            "magento/not-there": {"Of nothing": {"*": "never.patch"}},
        }),
        "packages/new/patches/c.patch": patch("of b", "of c"),
        "packages/new/patches/never.patch": patch("of b", "of never"),
        "m2-hotfixes/01.patch": patch("of c", "of the hotfix"), ODD: patch("of the hotfix", "of an odd name"),
        "m2-hotfixes/03-again.patch": patch("of the hotfix", "of an odd name"),
        "m2-hotfixes/README": "no patch",
    }
    built = shop.build()
    assert built.status == 0, built.said
    assert text_of(shop, "vendor/magento/magento2-base/text") == "of an odd name"
    said = [line.strip() for line in built.said.splitlines() if "applied" in line]
    assert said == [
        "a.patch: applied", "b.patch: applied", "One that fits (c.patch): applied", "01.patch: applied",
        f"{ODD.removeprefix('m2-hotfixes/')}: applied", "03-again.patch: was applied already",
        "5 of 6 patches applied, the others were already",
    ]
    assert not (shop.slug / "gotcha").exists()
    assert base in {str(path.parent.relative_to(shop.slug)) for path in shop.slug.rglob("text")}


def test_a_patch_that_does_not_fit_ends_the_build_with_its_file_its_evidence_and_what_to_do(shop: Shop):
    shop.files |= {"m2-hotfixes/01.patch": patch("of another package", "of nothing")}
    built = shop.build()
    assert built.status != 0
    told = built.said[built.said.index("deployd: "):]
    assert told.startswith("deployd: the patch 01.patch cannot be applied to vendor/magento/magento2-base/text\n"
                           "  where: m2-hotfixes/01.patch\n")
    assert "  | error: patch failed: vendor/magento/magento2-base/text:1" in told
    assert "  mend: make it anew against the installed packages" in told
    assert "magento 4/9" not in built.said, "nothing comes after it"


@pytest.mark.parametrize("target", ["/etc/passwd", "../../nowhere"])
def test_a_patch_that_is_a_link_out_of_the_application_is_refused(shop: Shop, target: str):
    shop.files["deployd-link"] = target
    shop.files["composer.json"] = shop.files["composer.json"].replace(
        '"minimum-stability"', '"scripts": {"post-install-cmd": "mkdir -p m2-hotfixes && ln -s $(cat deployd-link) '
        'm2-hotfixes/x.patch", "post-update-cmd": "@post-install-cmd"}, "minimum-stability"')
    built = shop.build()
    assert built.status != 0
    assert "the patch x.patch leads out of the application, or nowhere" in built.said, built.said
    assert "root:" not in built.said


def test_a_patch_cannot_write_out_of_the_application(shop: Shop):
    shop.files |= {"m2-hotfixes/x.patch": "--- /dev/null\n+++ b/../tmp/escaped\n@@ -0,0 +1 @@\n+x\n"}
    built = shop.build()
    assert built.status != 0
    assert "the patch x.patch cannot be applied" in built.said


def test_code_is_generated_with_all_extensions_and_those_that_config_php_disables_are_disabled_again(shop: Shop):
    built = shop.build()
    assert built.status == 0, built.said
    assert "1 disabled again, as config.php says: Magento_TwoFactorAuth" in built.said
    assert "1 are new to config.php and stay enabled: Acme_Off" in built.said
    assert (shop.slug / "generated/code/Acme/Interceptor3.php").is_file()
    assert not (shop.slug / "app/etc/env.php").exists(), "what the generation wrote is no configuration"
    assert (shop.slug / "pub/errors/local.xml").read_text().count("<dir_nesting_level>1<") == 1


def test_without_a_config_php_all_extensions_stay_enabled(shop: Shop):
    del shop.files["app/etc/config.php"]
    built = shop.build()
    assert built.status == 0, built.said
    assert "disabled again" not in built.said


@pytest.mark.parametrize(("files", "told"), [
    ({"app/etc/config.php": "<?php return ['modules' => ['Acme_Gone' => 1, 'Acme_GoneToo' => 0]];"},
     "deployd: config.php enables what is not installed: Acme_Gone\n"),
    ({"app/etc/config.php": "<?php return ['modules' => ["},
     "deployd: app/etc/config.php is no PHP that can be read\n"),
    ({f"{HELLO}/broken": ""}, "code and dependency injection cannot be generated: bin/magento setup:di:compile ended"),
    ({"bin/magento": None}, "deployd: there is no bin/magento after composer has installed the packages\n"),
    ({".magento.env.yaml": "stage: {build: {QUALITY_PATCHES: [MC-1]}}\n"}, "deployd: QUALITY_PATCHES are named"),
])
def test_what_is_wrong_with_the_code_ends_the_build_with_a_sentence(shop: Shop, files: dict, told: str):
    shop.files = {name: text for name, text in {**shop.files, **files}.items() if text is not None}
    built = shop.build()
    assert built.status != 0
    assert told in built.said
    assert "  mend: " in built.said


def test_static_content_is_made_in_the_build_for_the_locales_of_the_scopes_and_only_linked_to_later(shop: Shop):
    shop.files |= {"app/etc/config.php": SCOPES, ".magento.env.yaml": SEARCH + """\
  build: {SCD_STRATEGY: compact, SCD_THREADS: 7, SCD_MATRIX: {Acme/dark: {language: [nl_NL, "x; touch y"]}}}
"""}
    built = shop.build()
    assert built.status == 0, built.said
    kept = shop.slug / "init/pub/static"
    assert {path.name for path in (kept / "frontend/Magento/luma").iterdir()} == {"en_US", "de_DE", "fr_FR"}
    assert {path.name for path in (kept / "frontend/Acme/dark").iterdir()} == {"nl_NL"}
    assert "jobs 1, strategy compact" in built.said
    old = shop.mount("pub/static")
    (old / "frontend").mkdir(parents=True)
    (old / "stale.css").write_text("")
    (old / ".htaccess").write_text("mine")
    deployed = shop.deploy()
    assert deployed.status == 0, deployed.said
    assert (old / "frontend").readlink() == Path("/app/init/pub/static/frontend")
    assert not (old / "stale.css").exists()
    assert "setup:static-content:deploy" not in deployed.said
    assert "leads to what the build made already" in shop.deploy().said


def test_a_first_deployment_installs_with_what_the_environment_has(shop: Shop):
    shop.variables = {"ADMIN_EMAIL": "ada@example.org", "ADMIN_URL": "backstage", "APPLICATION_MODE": "developer"}
    shop.build()
    deployed = shop.deploy()
    assert deployed.status == 0, deployed.said
    assert "Magento is not installed yet" in deployed.said
    assert shop.sql("SELECT value FROM core_config_data ORDER BY path") == "https://shop.test/\nhttp://shop.test/"
    assert shop.sql("SELECT username, email FROM admin_user") == "admin\tada@example.org"
    env = shop.configuration()
    assert (env["MAGE_MODE"], env["backend"]["frontName"]) == ("developer", "backstage")
    assert env["system"]["default"]["catalog"]["search"]["opensearch_server_hostname"] == "search.test"
    assert env["session"] == {"save": "db"}
    assert env["directories"]["document_root_is_pub"] is True
    assert "[Progress" not in deployed.said
    assert [f"{tenth}0 %" for tenth in range(1, 11)] == [
        line.strip() for line in deployed.said.splitlines() if line.endswith(" %")]
    assert "app:config:import" in deployed.said, "else no page answers: env.php has more than the installation knew"
    assert "it's" not in deployed.said, "no password is told"


def test_a_second_deployment_writes_nothing_and_upgrades_nothing(live: Shop):
    env = live.mount("app/etc") / "env.php"
    before = (env.read_bytes(), env.stat().st_mtime_ns)
    again = live.deploy()
    assert again.status == 0, again.said
    for words in ("Magento is installed", "env.php is as it should be", "no upgrade is due", "as the build left it"):
        assert words in again.said, words
    assert "setup:upgrade" not in again.said
    assert (env.read_bytes(), env.stat().st_mtime_ns) == before


@pytest.mark.parametrize(("files", "why"), [
    ({f"{HELLO}/version": "1.1.0", f"{HELLO}/schema.sql": "CREATE TABLE hello (id INT)"}, "the database is behind"),
    ({"app/etc/config.php": "<?php return ['system' => ['default' => ['a' => 1]]];"}, "the configuration is behind"),
])
def test_an_upgrade_runs_when_the_database_or_the_configuration_is_behind(live: Shop, files: dict, why: str):
    live.files |= files
    live.build()
    deployed = live.deploy()
    assert deployed.status == 0, deployed.said
    assert f"an upgrade is due: {why}" in deployed.said
    assert "CLI: setup:upgrade" in deployed.said
    assert not (live.mount("var") / ".maintenance.flag").exists()
    assert "no upgrade is due" in live.deploy().said


def test_an_upgrade_that_fails_ends_the_hook_and_takes_the_maintenance_page_away(live: Shop):
    half = "CREATE TABLE half (id INT); CREATE TABEL x (id INT)"
    live.files |= {f"{HELLO}/version": "1.1.0", f"{HELLO}/schema.sql": half}
    live.build()
    deployed = live.deploy()
    assert deployed.status != 0
    assert "deployd: the upgrade has failed: bin/magento setup:upgrade ended with exit code 1" in deployed.said
    assert "syntax" in deployed.said
    assert "magento 5/6" not in deployed.said
    assert not (live.mount("var") / ".maintenance.flag").exists()


def test_a_maintenance_mode_that_somebody_else_began_stays(live: Shop):
    flag = live.mount("var") / ".maintenance.flag"
    flag.touch()
    live.files |= {f"{HELLO}/version": "1.1.0"}
    live.build()
    deployed = live.deploy()
    assert deployed.status == 0, deployed.said
    assert "the maintenance mode was on before" in deployed.said
    assert flag.exists()


def test_env_php_keeps_what_is_right_and_gets_what_has_changed(live: Shop):
    env = live.configuration()
    own = live.mount("app/etc") / "env.php"
    own.write_text(own.read_text().replace("return [", """return [
    'remote_storage' => ['driver' => 'file'], 'downloadable_domains' => ['cdn.example.org'],""").replace(
        "'connection' => [", """'connection' => [
            'checkout' => ['host' => 'quote.internal', 'dbname' => 'quote', 'username' => 'q'],""", 1))
    live.environment = {"CONSUMERS_WAIT_FOR_MAX_MESSAGES": "true"}
    live.relationships = {
        "redis": [{"scheme": "redis", "host": "127.0.0.2", "port": 6379, "password": None}],
        "mq": [{"scheme": "amqp", "host": "mq.internal", "port": 5672, "username": "guest", "password": "gu'est"}],
    }
    deployed = live.deploy()
    assert deployed.status == 0, deployed.said
    now = live.configuration()
    assert now["crypt"] == env["crypt"]
    assert now["install"] == env["install"]
    assert now["db"]["connection"]["checkout"]["host"] == "quote.internal"
    assert now["resource"]["checkout"] == {"connection": "checkout"}
    assert (now["remote_storage"], now["downloadable_domains"]) == ({"driver": "file"}, ["cdn.example.org"])
    assert now["cache"]["frontend"]["default"] == {
        "id_prefix": "69d_", "backend": "Cm_Cache_Backend_Redis",
        "backend_options": {"server": "127.0.0.2", "port": 6379, "database": 1},
    }
    assert now["session"]["redis"]["database"] == 0
    assert now["queue"] == {"amqp": {"host": "mq.internal", "port": 5672, "user": "guest", "password": "gu'est",
                                     "virtualhost": "/"}, "consumers_wait_for_messages": 1}
    assert "does not answer, and is not cleared" in deployed.said
    live.relationships = {}
    assert live.deploy().status == 0
    gone = live.configuration()
    assert gone["cache"]["frontend"]["default"] == {"id_prefix": "69d_"}
    assert gone["session"]["save"] == "db"


def test_settings_of_the_stages_go_into_env_php_merged_or_in_place_of_what_was_found(live: Shop):
    live.files[".magento.env.yaml"] = """\
stage:
  global: {SCD_ON_DEMAND: true, X_FRAME_CONFIGURATION: DENY, SKIP_HTML_MINIFICATION: false}
  deploy:
    DATABASE_CONFIGURATION: {_merge: true, connection: {default: {driver_options: {1014: false}}}}
    SESSION_CONFIGURATION: {save: files}
    CACHE_CONFIGURATION: {frontend: {default: {backend: file}}}
    CRON_CONSUMERS_RUNNER: {cron_run: true, max_messages: 7, consumers: [export]}
    RESOURCE_CONFIGURATION: {_merge: true, extra: {connection: default}}
    QUEUE_CONFIGURATION: {amqp: {host: mq.test}}
    SEARCH_CONFIGURATION: {engine: elasticsearch7, elasticsearch7_server_hostname: es.test}
"""
    live.build()
    deployed = live.deploy()
    assert deployed.status == 0, deployed.said
    env = live.configuration()
    default = env["db"]["connection"]["default"]
    assert (default["host"], default["driver_options"]) == ("127.0.0.1", {"1014": False})
    assert env["session"] == {"save": "files"}
    assert env["cache"]["frontend"]["default"]["backend"] == "file"
    assert env["cron_consumers_runner"]["max_messages"] == 7
    assert env["resource"] == {"default_setup": {"connection": "default"}, "extra": {"connection": "default"}}
    assert env["queue"]["amqp"] == {"host": "mq.test"}
    assert env["system"]["default"]["catalog"]["search"]["engine"] == "elasticsearch7"
    assert (env["static_content_on_demand_in_production"], env["x-frame-options"]) == (1, "DENY")
    assert env["force_html_minification"] == 0
    assert "nothing to make: SCD_ON_DEMAND" in deployed.said
    assert "Use of" not in deployed.said


def test_caches_in_redis_are_cleared_and_sessions_are_not(live: Shop):
    name = f"{live.database.name}-redis"
    docker("run", "--detach", "--name", name, "--network", f"container:{live.database.name}", "deployd/redis:8.0",
           "redis-server", "--bind", "127.0.0.1", "--requirepass", "se'cret")
    try:
        def cli(*words: str) -> str:
            said = docker("exec", name, "redis-cli", "--no-auth-warning", "-a", "se'cret", *words, check=False).said
            return said.strip()

        end = time.monotonic() + 20
        while cli("PING") != "PONG" and time.monotonic() < end:
            time.sleep(0.1)
        for number in ("0", "1", "2"):
            cli("-n", number, "SET", "key", "value")
        live.relationships = {"redis": [{"scheme": "redis", "host": "127.0.0.1", "port": 6379, "password": "se'cret"}]}
        deployed = live.deploy()
        assert deployed.status == 0, deployed.said
        assert [cli("-n", number, "DBSIZE") for number in ("0", "1", "2")] == ["1", "0", "0"]
    finally:
        docker("rm", "--force", name)


def test_an_installation_that_broke_off_begins_anew_and_one_with_data_is_never_wiped(shop: Shop):
    shop.environment = {"INSTALLATION_FAILS": "1"}
    shop.build()
    failed = shop.deploy()
    assert failed.status != 0
    assert "deployd: Magento cannot be installed: bin/magento setup:install ended with exit code 1" in failed.said
    assert "server has gone away" in failed.said
    again = shop.deploy()
    assert again.status == 0, again.said
    (shop.mount("app/etc") / ".deployd-installation-begun").touch()   # and somebody brings data of elsewhere
    shop.sql("CREATE TABLE customer_entity (id INT); INSERT INTO customer_entity VALUES (7)")
    assert "Magento is installed" in shop.deploy().said
    assert shop.sql("SELECT id FROM customer_entity") == "7"


@pytest.mark.parametrize(("tables", "told"), [
    ("CREATE TABLE a (id INT); CREATE TABLE b (id INT)", "deployd: the database has tables, and is no whole Magento\n"),
    ("CREATE TABLE core_config_data (path INT); CREATE TABLE setup_module (id INT)",
     "deployd: the database holds a Magento, and the key of its data is not here\n"),
])
def test_a_database_that_is_not_ours_to_change_is_left_as_it_is(shop: Shop, tables: str, told: str):
    shop.build()
    shop.sql(tables)
    before = shop.sql("SHOW TABLES")
    deployed = shop.deploy()
    assert deployed.status != 0
    assert told in deployed.said
    assert shop.sql("SHOW TABLES") == before


@pytest.mark.parametrize(("change", "told"), [
    ({"schema": "no_such_database"}, "deployd: the database does not answer\n"),
    ({"environment": {"ONLY_DATABASES": "/^11/"}}, "Current version of RDBMS is not supported"),
    ({"variables": {"APPLICATION_MODE": "fast"}}, "deployd: APPLICATION_MODE says `fast`\n"),
    ({"variables": {"ADMIN_URL": "https://shop.test/admin"}}, "deployd: ADMIN_URL says `https://shop.test/admin`\n"),
    ({"files": shop_files(env="stage: {}\n")}, "deployd: Magento 2.4 cannot be installed without a search engine\n"),
])
def test_what_an_installation_lacks_is_told(shop: Shop, change: dict, told: str):
    for name, value in change.items():
        setattr(shop, name, value)
    shop.build()
    deployed = shop.deploy()
    assert deployed.status != 0
    assert told in deployed.said
    assert "  mend: " in deployed.said


def test_data_of_another_environment_get_this_ones_host_and_in_production_only_when_told(live: Shop):
    live.sql("INSERT INTO core_config_data (path, value) VALUES ('web/cookie/domain', 'shop.test'),"
             " ('design/footer', '<a href=\"https://shop.test/x\">')")
    live.host, live.branch = "feature.test", "production"
    assert "web/secure/base_url stays on shop.test" in live.deploy().said
    live.branch = "feature"
    deployed = live.deploy()
    assert deployed.status == 0, deployed.said
    assert "shop.test is feature.test here" in deployed.said
    assert live.sql("SELECT value FROM core_config_data WHERE path = 'web/secure/base_url'") == "https://feature.test/"
    assert "https://feature.test/x" in live.sql("SELECT value FROM core_config_data WHERE path = 'design/footer'")
    assert live.sql("SELECT value FROM core_config_data WHERE path = 'web/cookie/domain'") == "shop.test"


def test_with_the_historic_hooks_the_recipe_does_the_same(shop: Shop):
    shop.files = shop_files(APP + HISTORIC)
    built, deployed = shop.build(), shop.deploy()
    assert (built.status, deployed.status) == (0, 0), built.said + deployed.said
    assert "is a command of the cloud's first years" in deployed.said


def test_a_hook_around_the_recipe_ends_where_the_recipe_fails(live: Shop):
    live.files[".magento.app.yaml"] = APP + """\
hooks:
  build: "echo first\\ndeployd-magento\\necho last\\n"
  deploy: "echo first && deployd-magento && echo last\\n"
"""
    built, deployed = live.build(), live.deploy()
    for ran in (built, deployed):
        assert ran.status == 0, ran.said
        assert ran.said.index("first") < ran.said.index("magento 1/") < ran.said.index("last\n")
    live.files |= {f"{HELLO}/version": "1.2.0", f"{HELLO}/schema.sql": "nonsense"}
    live.build()
    failed = live.deploy()
    assert failed.status != 0
    assert "last\n" not in failed.said


def test_settings_of_the_repository_are_text_to_the_shell_and_to_php(live: Shop):
    live.files[".magento.env.yaml"] = SEARCH.replace("search.test", "\"'; touch /tmp/a; $(touch /tmp/b)\"") + """\
  global: {X_FRAME_CONFIGURATION: "END-OF-FILE-OF-DEPLOYD\\nEND-OF-FILE-OF-DEPLOYD\\ntouch /tmp/c"}
"""
    live.build()
    deployed = live.deploy()
    assert deployed.status == 0, deployed.said
    search = live.configuration()["system"]["default"]["catalog"]["search"]
    assert search["opensearch_server_hostname"] == "'; touch /tmp/a; $(touch /tmp/b)"
    assert live.configuration()["x-frame-options"].endswith("touch /tmp/c")
    assert "not found" not in deployed.said


def hook_of(shop: Shop) -> tuple[str, str]:
    """What the look ahead said, and the hook after it."""
    ran = shop.deploy(prepared=True)
    assert ran.status == 0, ran.said
    look, _, hook = ran.said.partition("and now the hook\n")
    return look, hook


def test_when_nothing_is_due_the_hook_clears_the_caches_and_nothing_else(live: Shop):
    look, hook = hook_of(live)
    assert "nothing is due: visitors are held for the caches and the switch alone" in look
    assert "CLI: setup:db:status" in look
    assert "magento 6/6: caches" in hook
    assert "magento 1/6" not in hook
    assert "CLI" not in hook, "Magento is not even started"


def test_what_is_due_is_found_before_anybody_is_held_and_done_by_the_hook(live: Shop):
    before = live.configuration()["crypt"]
    for change, why in (
        ({"variables": {"APPLICATION_MODE": "developer"}}, "env.php is to be written"),
        ({"variables": {"ADMIN_LOCALE": "nl_NL"}}, "static content is to be made"),
        ({"variables": {}, "host": "elsewhere.test", "branch": "feature"}, "the address of the shop is to be changed"),
    ):
        for name, value in change.items():
            setattr(live, name, value)
        assert f"visitors will be held: {why}" in live.deploy("prepare").said
    live.host = "shop.test"
    live.files |= {f"{HELLO}/version": "1.1.0"}
    live.build()
    assert "visitors will be held: the database is behind the code" in live.deploy("prepare").said
    live.files |= {"app/etc/config.php": "<?php return ['system' => ['default' => ['a' => 2]]];"}
    live.build()
    look, hook = hook_of(live)
    assert "visitors will be held: app/etc is to be restored" in look
    assert "magento 4/6" in hook
    assert live.configuration()["crypt"] == before
    assert "nothing is due" in live.deploy("prepare").said


def test_a_schema_that_never_settles_is_upgraded_once_for_each_code(live: Shop):
    live.environment = {"SCHEMA_NEVER_SETTLES": "1"}
    assert "an upgrade is due" in live.deploy().said
    look, _ = hook_of(live)
    assert "it says so after an upgrade of the same code, too: nothing is due" in look
    assert "visitors are held for the caches and the switch alone" in look, "config.php says the same"
    live.files |= {"app/style.css": "body {color: green}\n"}
    live.build()
    assert "an upgrade is due" not in live.deploy().said
    live.files |= {f"{HELLO}/etc/db_schema.xml": "<schema/>"}
    live.build()
    assert "an upgrade is due" in live.deploy().said


def test_pages_are_asked_for_and_none_that_is_not_the_shops(live: Shop):
    live.files[".magento.env.yaml"] = SEARCH + """\
  post-deploy: {WARM_UP_PAGES: ["", about, "http://169.254.169.254/latest", "category:*:*"], TTFB_TESTED_PAGES: [slow]}
"""
    live.host = "127.0.0.1:8080"   # where nobody listens
    asked = live.deploy("post_deploy")
    assert asked.status == 0, asked.said
    assert "https://127.0.0.1:8080/about: " in asked.said
    assert "https://127.0.0.1:8080/slow: " in asked.said
    assert "first byte after" in asked.said
    assert "warning: http://169.254.169.254/latest is no address of this environment: left out" in asked.said
    assert "warning: category:*:* is a pattern" in asked.said
