"""`build`, `dependencies` and `hooks`: what happens around a deployment (configuration format 4.9 to 4.11). Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from deployd.project.fields.fields import Field, Fields
from deployd.project.fields.keys import Key, Table
from deployd.project.findings.spelling import guess, listed, shown
from deployd.project.model.application import Build, BuildCache, Hook, Hooks
from deployd.project.model.json import Json
from deployd.project.offered.runtimes import LANGUAGES, NOT_INSTALLED, runtime_type
from deployd.project.tree.tree import inside

BUILD = Table(
    "build",
    (
        Key(
            "flavor",
            "`composer`, `symfony`, `default` or `none`",
            "the usual build of the runtime, before the build hook; `drupal` is **refused** where there is a make file",
            "PHP `composer`, Node.js `default`, else `none`",
        ),
        Key("caches", "mapping", "folders that come back in a later build when the watched files are the same", "`{}`"),
    ),
    noun="`build`",
)
CACHE = Table(
    "build.caches.<name>",
    (
        Key("directory", "path", "what is kept", "the cache's name"),
        Key("watch", "list of files", "their content is the cache's key", "required"),
        Key("allow_stale", "boolean", "begin with the newest one when there is none for these files", "`false`"),
        Key("share_between_apps", "boolean", "one cache for all applications of the project", "`false`"),
    ),
    noun="a build cache",
)
HOOKS = Table(
    "hooks",
    (
        Key("build", "shell script", "in the build container: network, no services", "none; of a Magento the recipe"),
        Key("deploy", "shell script", "in the new container, before traffic", "none; of a Magento the recipe"),
        Key("post_deploy", "shell script", "in the new container, with traffic", "none; of a Magento the recipe"),
    ),
    noun="`hooks`",
)


def read_build(
    application: Fields, runtime: str, files: Callable[[], Collection[str]] = tuple, *, composed: bool = False,
) -> Build:
    """
    Args:
        files: Gives the names of the files in the application's root.
        composed: The runtime is that of a composable image, which no flavor builds unless one is written.
    """
    known = runtime_type(runtime)
    default = "none" if composed else known.flavors[0]
    fields = application.fields("build", BUILD)
    if fields is None:
        return Build(default)
    field = fields.get("flavor")
    written = field.text() if field else None
    flavor = default if field is None or written is None else _flavor(field, written, runtime, files, default)
    return Build(flavor, _caches(fields.get("caches")))


def _flavor(field: Field, written: str, runtime: str, files: Callable[[], Collection[str]], default: str) -> str:
    """The flavor that is built; the default one with a finding when what is written cannot be."""
    known = runtime_type(runtime)
    not_built = (known.not_built or {}).get(written)
    if not_built is not None:
        if any(map(not_built.sources.fullmatch, files())):
            what = f"the build flavor `{written}` cannot be honoured: {not_built.why}"
            field.wrong("not-supported", what, not_built.hint)
        else:
            what = f"the build flavor `{written}` finds nothing to build from: the files are taken as they are"
            field.warn("not-honoured", what, "write `flavor: none`, which is the same without a make file")
        return "none"
    if written in known.flavors:
        return written
    if written == "default" and runtime:
        return "none"
    field.wrong(
        "not-allowed", f"`{shown(written)}` is not a build flavor of {runtime or 'this runtime'}",
        guess(written, known.flavors),
    )
    return default


def _caches(field: Field | None) -> tuple[BuildCache, ...]:
    found = []
    for name, entry in field.entries() if field else []:
        fields = entry.fields(CACHE)
        if fields is None:
            continue
        watch = fields.require("watch", "list the files whose content makes the cache's key")
        written = fields.text("directory")
        directory = inside(name if written is None else written)
        if directory is None:
            entry.wrong(
                "outside-application",
                f"the directory of the cache `{shown(name)}` leads out of the application",
                "write a path without `..`",
            )
            continue
        found.append(
            BuildCache(
                name,
                directory,
                watch.texts() if watch else (),
                fields.boolean("allow_stale"),
                fields.boolean("share_between_apps"),
            )
        )
    return tuple(found)


def read_hooks(application: Fields) -> Hooks:
    fields = application.fields("hooks", HOOKS)
    return Hooks(*(_hook(fields.get(name)) for name in ("build", "deploy", "post_deploy"))) if fields else Hooks()


def _hook(field: Field | None) -> Hook | None:
    script = field.text() if field else None
    return None if field is None or script is None or not script.strip() else Hook(script, field.place)


def read_dependencies(application: Fields) -> Mapping[str, Mapping[str, Json]]:
    """{language: {package: constraint}}"""
    found: dict[str, dict[str, Json]] = {}
    for language, field in application.entries("dependencies"):
        if language in NOT_INSTALLED:
            field.wrong_name(
                "not-supported",
                f"dependencies of {language} cannot be honoured: deployd installs those of {listed(LANGUAGES, 'and')}",
                "install them in the build hook",
            )
        elif language not in LANGUAGES:
            field.wrong_name(
                "not-allowed", f"`{shown(language)}` is not a language of `dependencies`", guess(language, LANGUAGES)
            )
        elif not field.is_null():
            found[language] = {
                name: value.json()
                for name, value in field.entries(dots=f"packages of {listed([language])} have no dot in front")
            }
    return found
