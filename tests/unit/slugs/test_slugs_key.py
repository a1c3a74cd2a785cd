"""Same input, same key; and what changes it."""

from dataclasses import replace
from types import MappingProxyType

import pytest

from deployd.project.model import (
    Application,
    Build,
    BuildCache,
    Commands,
    Cron,
    Extension,
    Hook,
    Hooks,
    Instance,
    Location,
    Mount,
    Place,
    Relationship,
    Runtime,
    Web,
    Worker,
)
from deployd.slugs.key import BuildInput, build_part, slug_key

INSTANCE = Instance(Commands("run"), mounts=(Mount("var", "local", "var"),), variables={"env": {"A": "1"}})
APP = Application(
    "shop", "php", "8.4", "", Web(INSTANCE, "unix", "fastcgi", (Location("/"),)),
    build=Build("composer"), hooks=Hooks(build=Hook("make")), runtime=Runtime(extensions=(Extension("redis"),)),
)


def key(config: Application = APP, **changes):
    values = {
        "project": "p", "app": config.name, "listing": "tree", "build": build_part(config), "variables": {"X": "1"},
        "image_id": "sha256:1", "recipe_version": 1,
    }
    return slug_key(BuildInput(**(values | changes)))


def test_a_key_is_64_hexadecimal_digits_and_does_not_change_by_itself():
    assert key() == key()
    assert len(key()) == 64
    assert set(key()) <= set("0123456789abcdef")


@pytest.mark.parametrize("change", [
    {"project": "q"}, {"app": "other"}, {"listing": "tree2"}, {"variables": {"X": "2"}}, {"image_id": "sha256:2"},
    {"recipe_version": 2},
])
def test_every_input_counts(change):
    assert key(**change) != key()


@pytest.mark.parametrize("change", [
    {"version": "8.3"},
    {"root": "shop"},
    {"build": Build("none")},
    {"build": Build("composer", (BuildCache("npm", "npm", ("package.json",)),))},
    {"dependencies": {"php": {"composer/composer": "^2"}}},
    {"hooks": Hooks(build=Hook("make all"))},
    {"runtime": Runtime(extensions=(Extension("xsl"),))},
    {"workers": (Worker("mail", Instance(Commands("x"), mounts=(Mount("spool", "local", ""),))),)},
    {"web": replace(APP.web, instance=replace(INSTANCE, variables={"env": {"A": "2"}}))},
    {"web": replace(APP.web, instance=replace(INSTANCE, mounts=()))},
])
def test_what_a_build_reads_changes_the_key(change):
    assert key(replace(APP, **change)) != key()


@pytest.mark.parametrize("change", [
    {"crons": (Cron("c", "* * * * *", "x"),)},
    {"hooks": Hooks(build=Hook("make", Place("other", 4)), deploy=Hook("x"), post_deploy=Hook("y"))},
    {"workers": (Worker("mail", Instance(Commands("x"))),)},
    {"web": replace(APP.web, locations=(Location("/x"),))},
    {"web": replace(APP.web, instance=replace(INSTANCE, size="XL", disk_mb=9, commands=Commands("other")))},
    {"web": replace(APP.web, instance=replace(INSTANCE, relationships=(Relationship("db", "db", "mysql"),)))},
    {"web": replace(APP.web, instance=replace(INSTANCE, mounts=(Mount("var", "service", "x", "files"),)))},
    {"place": Place("moved", 9)},
])
def test_what_only_run_time_reads_does_not(change):
    assert key(replace(APP, **change)) == key()


def test_the_order_of_names_and_the_kind_of_mapping_do_not_count():
    frozen = MappingProxyType({"B": "2", "A": MappingProxyType({"y": 1, "x": 2})})
    assert key(variables=frozen) == key(variables={"A": {"x": 2, "y": 1}, "B": "2"})


def test_what_is_no_json_has_no_place_in_a_key():
    with pytest.raises(TypeError):
        key(variables={"X": object()})
