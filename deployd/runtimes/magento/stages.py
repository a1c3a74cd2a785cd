"""The recipe's build in stages: packages, patches, generated code, static content, each by what it is made of. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from deployd.project.model import Application, Place
from deployd.project.model.magento import MARK
from deployd.runtimes.installing import AUTOLOADER, DEPENDENCIES, ONLY_PACKAGES, PACKAGES, installing
from deployd.runtimes.magento.program import lay_out, step_script
from deployd.runtimes.magento.recipe import BUILD
from deployd.runtimes.runtime import BuildStep
from deployd.runtimes.stages import EVERYTHING, Kept, Stage

PATCHES, CODE, STATIC = "patches", "generated-code", "static-content"
PARTS = {
    PATCHES: ("what is installed", "patches"),
    CODE: ("all extensions", "code and dependency injection", "extensions as config.php has them",
           "folders of error reports"),
    STATIC: ("static content",),
}
"""{stage: titles of the recipe's steps}; what comes after them is the rest."""
_PICTURES = "png|jpe?g|gif|svg|ico|webp|avif|woff2?|ttf|eot|otf|mp4|webm|pdf"
NO_CODE = (
    rf".*\.(?:phtml|html?|css|less|s[ac]ss|js|map|md|txt|csv|{_PICTURES})"
    r"|(?:.*/)?view/.*\.xml|app/design/.*\.xml|pub/(?:media|errors)/.*"
)
"""Files of which code generation reads nothing."""
NO_STATIC = r".*\.md|(?:.*/)?(?:layout|page_layout|ui_component)/.*\.xml|pub/(?:media|errors)/.*|m2-hotfixes/.*"
"""Files of which static content is not made."""
TEMPLATES = r".*\.phtml"
CLASSES = r"(?!(?:app/etc|vendor|generated|var)/).*\.php"
"""Of these, static content is made of those that PHP reads when it is made, which it writes down."""
RECORD = ".deployd-read"
"""As in static_content.php."""
STATIC_WRITES = (
    "pub/static", ".static_content_deploy", "var/view_preprocessed",
    *(f"var/{name}" for name in ("cache", "page_cache", "log", "report", "session", "tmp", "locks")),
)


def recipe_stages(app: Application, place: Place | None) -> Iterator[Stage]:
    """The stages of a build hook that is the recipe alone."""
    why = app.magento.why if app.magento else ""
    begin = BuildStep(f"the recipe for Magento, because {why}", lay_out(app), place)
    steps = {step.title: BuildStep(f"the recipe's step `{step.title}`", step_script("build", number), place)
             for number, step in enumerate(BUILD, 1)}
    packages = steps.pop("packages")
    install = next((item for item in app.installs if not item.command), None)
    if app.build.flavor == "none" and install is not None and not install.why_not:
        only = packages.script.replace("--prefer-dist", f"--prefer-dist {ONLY_PACKAGES}")
        yield from installing(install, packages, only)
        first: tuple[BuildStep, ...] = (begin,)
    else:
        first = (begin, packages)
    before = (DEPENDENCIES, PACKAGES, AUTOLOADER)
    kept = {
        PATCHES: Kept(PATCHES, r"m2-hotfixes/.*|php\.ini", after=before),
        CODE: Kept(CODE, EVERYTHING, NO_CODE, (*before, PATCHES)),
        STATIC: Kept(
            STATIC, EVERYTHING, f"{no_static(app)}|{CLASSES}", (DEPENDENCIES, PACKAGES, PATCHES), STATIC_WRITES,
            names=CLASSES, record=RECORD,
        ),
    }
    for name, titles in PARTS.items():
        own = tuple(steps.pop(title) for title in titles)
        yield Stage(name.replace("-", " "), (*(first if name == PATCHES else ()), *own), kept[name],
                    before="" if name == PATCHES else begin.script)
    yield Stage("the rest of the recipe", tuple(steps.values()), None, before=begin.script)


def no_static(app: Application) -> str:
    """Templates count when they may be written anew without blanks, and are seen so later on."""
    stages = app.magento.stages if app.magento else {}
    skips = {**stages.get("global", {}), **stages.get("build", {})}.get("SKIP_HTML_MINIFICATION", True)
    hidden = any(mount.path in ("var", "var/view_preprocessed") for mount in app.web.instance.mounts)
    return f"{NO_STATIC}|{TEMPLATES}" if skips is True and hidden else NO_STATIC


def optimizes_later(app: Application) -> bool:
    """Whether the recipe writes composer's autoloader once more, and optimized, when code is generated."""
    stages = app.magento.stages if app.magento else {}
    skips = {**stages.get("global", {}), **stages.get("build", {})}.get("SKIP_COMPOSER_DUMP_AUTOLOAD", False)
    return app.magento is not None and app.hooks.build is not None and skips is False \
        and app.hooks.build.script.strip() == MARK
