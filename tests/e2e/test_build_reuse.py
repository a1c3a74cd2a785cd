"""Builds take over what earlier ones made of the same files, and what comes of it is what a full build makes."""

from __future__ import annotations

from pathlib import Path

from deployd.process import run
from deployd.slugs.file_changes import compare_trees
from tests.support.developer import Developer, MakeDeveloper
from tests.support.magento_shop import SCOPES, TEMPLATE

APP = """\
name: shop
type: php:8.2
web: {locations: {"/": {root: pub, passthru: /index.php}}}
mounts: {var: "shared:files/var", app/etc: "shared:files/etc", pub/static: "shared:files/static"}
hooks: {build: deployd-magento, deploy: "true", post_deploy: "true"}
"""
TEXT = "vendor/magento/magento2-base/text"
HELLO = "app/code/Acme/Hello"
MANIFEST = (TEMPLATE / "composer.json").read_text()
FILES = {
    # Without it this composer calls its autoloader by chance: no two builds of it have the same bytes.
    "composer.json": MANIFEST.replace('"extra"', '"config": {"autoloader-suffix": "Acme"}, "extra"'),
    ".magento.app.yaml": APP, ".magento/routes.yaml": '"http://{default}/": {type: upstream, upstream: "shop:http"}\n',
    "app/etc/config.php": SCOPES, "composer.lock": TEMPLATE.with_name("magento_composer.lock").read_text(),
    "m2-hotfixes/01.patch": f"--- a/{TEXT}\n+++ b/{TEXT}\n@@ -1 +1 @@\n-of the package\n+of the hotfix\n",
    f"{HELLO}/Model/Hello.php": "<?php\nclass Hello {}\n", f"{HELLO}/view/frontend/templates/hello.phtml": "Hello\n",
}
STAGES = ("composer's packages", "patches", "generated code", "static content")


def taken(lines: list[str]) -> list[str]:
    """Stages that were taken over, as the log says it."""
    end = ": taken over from an earlier build"
    return [stage for stage in STAGES if any(line.rstrip().endswith(stage + end) for line in lines)]


async def newest_slug(me: Developer, into: Path) -> Path:
    slugs = sorted(me.daemon.directory.glob("var/state/slugs/*.squashfs"), key=lambda path: path.stat().st_mtime)
    await run("unsquashfs", "-quiet", "-no-progress", "-dest", str(into), str(slugs[-1]))
    return into


async def test_a_build_takes_over_what_its_change_has_no_part_in_and_makes_the_same_bytes_as_a_full_one(
    developer: MakeDeveloper, tmp_path: Path,
) -> None:
    me = await developer("layered", TEMPLATE, files=FILES)
    first = await me.push()
    assert first.deployed, first.lines
    assert taken(first.lines) == []
    assert sum("kept for later builds" in line for line in first.lines) == len(STAGES), first.lines

    await me.write({f"{HELLO}/view/frontend/templates/hello.phtml": "Hello again\n"})
    template = await me.push()
    assert template.deployed, template.lines
    assert taken(template.lines) == [*STAGES], template.lines
    assert not any("setup:di:compile" in line or "composer install" in line for line in template.lines)

    await me.write({f"{HELLO}/Model/Hello.php": "<?php\nclass Hello { const IT = 1; }\n"})
    code = await me.push()
    assert code.deployed, code.lines
    assert taken(code.lines) == ["composer's packages", "patches", "static content"], code.lines
    assert any("generated code: made anew (app/code/Acme/Hello/Model/Hello.php" in line for line in code.lines)

    await me.write({"app/style.css": "body {color: green}\n"})
    style = await me.push()
    assert style.deployed, style.lines
    assert taken(style.lines) == ["composer's packages", "patches", "generated code"], style.lines
    reused = await newest_slug(me, tmp_path / "reused")

    await me.write({})
    full = await me.push("main", options=("skip-build-cache",))
    assert full.deployed, full.lines
    assert taken(full.lines) == []
    whole = await newest_slug(me, tmp_path / "whole")
    found = compare_trees(reused, whole, read_seconds=60, look_seconds=60)
    assert (found.files, found.unread, found.skipped) == ([], 0, 0)
    assert (reused / TEXT).read_text() == "of the hotfix\n"
    assert (reused / "init/pub/static/frontend/Magento/luma/de_DE/style.css").read_text() == "body {color: green}\n"
    assert (reused / "generated/code/Acme/Interceptor0.php").is_file()
