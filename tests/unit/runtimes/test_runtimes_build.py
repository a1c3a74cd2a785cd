"""What a build runs, from an application's definition."""

import subprocess
from pathlib import Path

import pytest

from deployd.catalogue import load_catalogue
from deployd.project.model import (
    Application,
    Build,
    BuildCache,
    Commands,
    Extension,
    Hook,
    Hooks,
    Instance,
    Place,
    Runtime,
    Web,
    Worker,
)
from deployd.project.reader import read_project
from deployd.runtimes.build_steps import build_steps
from deployd.runtimes.paths import build_paths, runtime_paths
from deployd.runtimes.php_fpm import fpm_workers, render_fpm
from deployd.runtimes.php_ini import DEFAULT_EXTENSIONS, render_php_ini, render_sized_ini
from deployd.runtimes.python import requirement
from deployd.settings import config_folder
from tests.doubles.trees import DictTree


def app(language: str = "php", *, socket: str = "unix", variables: dict | None = None, **more: object) -> Application:
    web = Web(Instance(Commands(), variables=variables or {}), socket, "fastcgi", ())
    return Application("shop", language, "8.4", "", web, **more)


def titles(it: Application) -> list[str]:
    return [step.title for step in build_steps(it)]


def test_dependencies_come_first_then_the_flavor_then_the_hook():
    place = Place(".platform.app.yaml", 7, 3)
    it = app(
        build=Build("composer", (BuildCache("deps", "vendor", ("composer.lock",)),)),
        dependencies={"php": {"drush/drush": "^12"}, "nodejs": {"yarn": "*"}, "python3": {"yq": "3.4"}},
        hooks=Hooks(Hook("set -e\nmake\n", place)),
    )
    assert titles(it) == [
        "the cache deps", "dependencies of PHP", "dependencies of Node.js", "dependencies of Python",
        "composer install", "the build hook", "the cache deps",
    ]
    hook = build_steps(it)[-2]
    assert (hook.script, hook.place) == ("set -e\nmake\n", place)


def test_each_step_points_at_the_key_that_asks_for_it():
    text = """\
name: shop
type: nodejs:20
build:
    caches: {deps: {watch: [package.json]}}
dependencies:
    nodejs: {yarn: "*"}
    python3:
        yq: "3.4"
hooks:
    build: make
"""
    found = read_project(DictTree({".platform.app.yaml": text})).config.applications[0]
    assert [(step.title, step.place.line) for step in build_steps(found)] == [
        ("the cache deps", 4), ("dependencies of Node.js", 6), ("dependencies of Python", 7), ("npm install", 3),
        ("the build hook", 10), ("the cache deps", 4),
    ]
    php = "name: shop\ntype: php:8.4\nruntime:\n    extensions: [redis]\n"
    found = read_project(DictTree({".platform.app.yaml": php})).config.applications[0]
    assert [(step.title, step.place.line) for step in build_steps(found)] == [
        ("PHP's settings", 4), ("composer install", 2),
    ], "the type brings the flavor"
    flavor = php + "build: {flavor: composer}\n"
    found = read_project(DictTree({".platform.app.yaml": flavor})).config.applications[0]
    assert build_steps(found)[-1].place.line == 5


def test_an_application_that_wants_nothing_has_no_steps():
    assert build_steps(app("python", build=Build("none"))) == ()


def test_flavors_are_the_documented_commands():
    composer = build_steps(app(build=Build("composer")))[0].script
    assert ("composer --no-ansi --no-interaction install --no-progress --prefer-dist --optimize-autoloader") in composer
    npm = build_steps(app("nodejs", build=Build("default")))[0].script
    assert "npm prune --userconfig .npmrc && npm install --userconfig .npmrc" in npm


@pytest.mark.parametrize("it", [app(build=Build("drupal")), app(dependencies={"java": {"x:y": "*"}})])
def test_what_cannot_be_done_ends_the_build_with_a_sentence(it):
    step = build_steps(it)[0]
    ended = subprocess.run(["sh", "-c", step.script], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith("deployd cannot run ")


def test_every_script_is_valid_shell():
    it = app(
        build=Build("composer", (BuildCache("d's", "a b", ("it's.lock",), allow_stale=True),)),
        dependencies={"php": {"require": {"a/b": "1"}, "repositories": [{"type": "vcs", "url": "x'y"}]},
                      "nodejs": {"@scope/it's": ">1"}, "python": {"x": {"version": "~=1.0", "extras": ["y"]}}},
        variables={"php": {"memory_limit": "1G"}},
    )
    for step in build_steps(it):
        checked = subprocess.run(["sh", "-n"], input=step.script, capture_output=True, text=True, check=False)
        assert checked.returncode == 0, (step.title, checked.stderr, step.script)


def test_what_package_managers_download_is_kept_and_what_they_install_is_on_the_path():
    for language, kept, program in (
        ("golang", {"GOMODCACHE": "/cache/.deployd/go/modules", "GOCACHE": "/cache/.deployd/go/build"}, "/app/go/bin"),
        ("rust", {"CARGO_HOME": "/cache/.deployd/cargo", "CARGO_INSTALL_ROOT": "/app/.cargo",
                  "CARGO_BUILD_BUILD_DIR": "/cache/.deployd/cargo-build/main/shop"}, "/app/.cargo/bin"),
    ):
        it = app(language, build=Build("none"))
        assert kept.items() <= build_paths(it, "main").items()
        assert not kept.keys() & runtime_paths(it).keys(), "the cache is not there at run time"
        for paths in (build_paths(it, "main"), runtime_paths(it)):
            assert program in paths["PATH"].split(":")
        assert program not in build_paths(app(), "main")["PATH"].split(":")


@pytest.mark.parametrize(("hook", "start", "kept"), [
    ("mvn package", "java -jar target/app.jar", True), ("./mvnw package", "exec java -jar mvn.jar", True),
    ("mvn package", "mvn -Djetty.http.port=$PORT jetty:run", False),
    ("mvn package", "cd web && ../mvnw spring-boot:run", False),
])
def test_mavens_repository_is_kept_unless_maven_runs_later_too(hook, start, kept):
    it = Application("shop", "java", "21", "", Web(Instance(Commands(start)), "tcp", "http", ()),
                     hooks=Hooks(Hook(hook)))
    assert build_paths(it, "main")["DEPLOYD_MAVEN_REPOSITORY"] == ("/cache/.deployd/maven" if kept else "")
    assert "DEPLOYD_MAVEN_REPOSITORY" not in runtime_paths(it)


@pytest.mark.parametrize(("language", "start", "name", "place"), [
    ("golang", "bin/go-app; bin/app --go", "GOMODCACHE", "/cache/.deployd/go/modules"),
    ("golang", ";" * 1_000_000, "GOMODCACHE", "/cache/.deployd/go/modules"),
    ("golang", "sleep 1; exec go run .", "GOMODCACHE", "/app/go/pkg/mod"),
    ("rust", "target/release/app", "CARGO_HOME", "/cache/.deployd/cargo"),
    ("rust", "cargo run --release", "CARGO_HOME", "/app/.cargo"),
])
def test_what_is_fetched_travels_with_an_application_that_builds_at_its_start(language, start, name, place):
    it = Application("shop", language, "1", "", Web(Instance(Commands()), "tcp", "http", ()),
                     workers=(Worker("w", Instance(Commands(start))),))
    assert build_paths(it, "main")[name] == place


def test_yarn_is_told_of_no_folder_from_which_an_application_would_load():
    assert "YARN_CACHE_FOLDER" not in build_paths(app("nodejs"), "main")
    assert build_paths(app("php"), "main")["XDG_CACHE_HOME"].startswith("/cache/")


def test_a_jvm_gets_a_part_of_its_container():
    assert "-XX:MaxRAMPercentage=60.0" in runtime_paths(app("java"))["JAVA_TOOL_OPTIONS"].split()
    assert "JAVA_TOOL_OPTIONS" not in {**build_paths(app("java"), "main"), **runtime_paths(app("php"))}


def test_what_corepack_fetches_travels_with_the_application():
    node = app("nodejs", build=Build("none"))
    for paths in (build_paths(node, "main"), runtime_paths(node)):
        assert paths["COREPACK_HOME"].startswith("/app/")


@pytest.mark.parametrize(("constraint", "asked"), [
    ("*", "x"), (None, "x"), ("1.2.3", "x==1.2.3"), ("==1.2", "x==1.2"), (">=1,<2", "x>=1,<2"), (3, "x==3"),
    ({"version": "~=1.0", "extras": ["a", "b"]}, "x[a,b]~=1.0"), ({}, "x"),
])
def test_a_constraint_of_python_is_what_pip_understands(constraint, asked):
    assert requirement("x", constraint) == asked


def test_global_programs_are_on_the_path_of_builds_and_of_run_time():
    for paths in (build_paths(app(), "main"), runtime_paths(app())):
        assert paths["PATH"].startswith("/app/.global/bin:")
        assert paths["PYTHONUSERBASE"] == "/app/.global"
    assert build_paths(app(), "main")["COMPOSER_CACHE_DIR"] == "/cache/.deployd/composer"
    assert "COMPOSER_CACHE_DIR" not in runtime_paths(app())
    assert "PHP_INI_SCAN_DIR" not in runtime_paths(app("python"))


def test_extensions_are_loaded_by_their_folders():
    it = app(runtime=Runtime(extensions=(Extension("redis"), Extension("json-like"), Extension("curl"))))
    assert runtime_paths(it)["PHP_INI_SCAN_DIR"] == (
        ":/etc/php/extensions/redis:/etc/php/extensions/json-like:/etc/deployd/sized:/etc/php/app.d:/etc/deployd")
    assert build_paths(it, "main")["PHP_INI_SCAN_DIR"].endswith(":/etc/php/app.d:/tmp/.deployd")


def test_a_disabled_extension_is_left_out_of_the_default_ones():
    it = app(runtime=Runtime(extensions=(Extension("redis"),), disabled_extensions=("Sqlite3", "pdo_sqlite")))
    folders = runtime_paths(it)["PHP_INI_SCAN_DIR"].split(":")
    assert "/etc/php/extensions/pdo_mysql" in folders
    assert "/etc/php/extensions/redis" in folders
    assert "" not in folders
    assert not {"/etc/php/extensions/sqlite3", "/etc/php/extensions/pdo_sqlite"} & set(folders)


def test_the_catalogue_says_the_same_of_default_extensions():
    catalogue = load_catalogue(config_folder() / "catalogue.yaml")
    found = [entry.extensions for entry in catalogue.runtimes["php"].values()]
    assert {name for known in found for name in known.default} == set(DEFAULT_EXTENSIONS)
    for known in found:
        assert set(DEFAULT_EXTENSIONS) <= {*known.default, *known.built_in}


def test_an_extension_comes_after_those_that_it_needs():
    folders = runtime_paths(app(runtime=Runtime(extensions=(Extension("http"),))))["PHP_INI_SCAN_DIR"].split(":")
    assert folders[1:4] == [f"/etc/php/extensions/{name}" for name in ("raphf", "propro", "http")]


@pytest.mark.parametrize(("memory", "cpus", "hints", "workers"), [
    (64, None, {}, 2), (128, None, {}, 2), (512, None, {}, 10), (1536, None, {}, 33), (1536, 2.0, {}, 25),
    (1536, 6.0, {}, 30), (1536, 10.0, {}, 33), (512, None, {"request_memory_mb": 110, "reserved_memory_mb": 80}, 4),
])
def test_workers_follow_the_memory_and_the_hints(memory, cpus, hints, workers):
    assert fpm_workers(app(runtime=Runtime(**hints)), memory, cpus) == workers


@pytest.mark.parametrize(("memory", "opcache", "strings", "scripts"), [
    (64, 32, 8, 16_229), (128, 32, 8, 16_229), (512, 128, 16, 16_229), (1024, 256, 32, 65_407), (2048, 512, 64, 65_407),
    (65_536, 512, 64, 65_407),
])
def test_opcache_follows_the_memory(memory, opcache, strings, scripts):
    assert render_sized_ini(memory) == (
        f"opcache.memory_consumption = {opcache}\nopcache.interned_strings_buffer = {strings}\n"
        f"opcache.max_accelerated_files = {scripts}\n"
    )


def test_the_pool_is_written_as_the_expected_file():
    expected = Path(__file__).parents[1] / "expected" / "php-fpm.conf"
    assert render_fpm(app(runtime=Runtime(request_terminate_timeout_seconds=300)), 512) == expected.read_text()


def test_a_pool_on_tcp_listens_on_the_port():
    assert "listen = 0.0.0.0:8888\n" in render_fpm(app(socket="tcp"), 512)


def test_php_settings_keep_constants_and_quote_the_rest():
    it = app(runtime=Runtime(extensions=(Extension("apcu", {"apc.shm_size": "64M", "entries": 5}),)))
    assert render_php_ini(it, {
        "memory_limit": "256M", "display_errors": True, "error_reporting": "E_ALL & ~E_NOTICE", "a": "x;y",
        "b": "it's $x", "c": None,
    }) == (
        "apc.shm_size = 64M\napcu.entries = 5\nmemory_limit = 256M\ndisplay_errors = On\n"
        "error_reporting = E_ALL & ~E_NOTICE\na = 'x;y'\nb = \"it's \\$x\"\nc = ''\n"
    )
