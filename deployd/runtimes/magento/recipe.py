"""The recipe for Magento: what a build, the deploy hook and the post_deploy hook do, step by step. Pure.

Each step is a command of `php/recipe.php`, or of a tool. The tables are the documentation: docs/magento.md is held
against them by a test.
"""

from __future__ import annotations

from dataclasses import dataclass

COMPOSER_INSTALL = (
    'if [ -f vendor/autoload.php ]; then echo "the packages are there already"\n'
    "else composer install --no-dev --no-ansi --no-interaction --no-progress --prefer-dist; fi"
)


@dataclass(frozen=True, slots=True)
class RecipeStep:
    title: str
    """For people, without a verb: `patches`."""
    script: str
    """Dash; its status is the last command's."""


def _of_program(title: str, command: str) -> RecipeStep:
    return RecipeStep(title, f"recipe {command}")


BUILD = (
    RecipeStep("packages", COMPOSER_INSTALL),
    _of_program("what is installed", "check"),
    _of_program("patches", "patches"),
    _of_program("all extensions", "modules"),
    _of_program("code and dependency injection", "compile"),
    _of_program("extensions as config.php has them", "modules-as-configured"),
    _of_program("folders of error reports", "report-nesting"),
    _of_program("static content", "static-content"),
    _of_program("what mounts would hide", "keep"),
)
"""With MAGE_MODE=production, without a database."""
PREPARE = (
    _of_program("what is there", "look"),
    _of_program("what is due", "prepare"),
)
"""In the new container before anybody is held. When nothing is due, of DEPLOY only the caches are left to do."""
DEPLOY = (
    _of_program("what is there", "look"),
    _of_program("what the build made", "restore"),
    _of_program("env.php", "configure"),
    _of_program("installation or upgrade", "database"),
    _of_program("static content", "static-content-of-deploy"),
    _of_program("caches", "caches"),
)
POST_DEPLOY = (_of_program("pages", "warm-up"),)

STEPS = {"build": BUILD, "prepare": PREPARE, "deploy": DEPLOY, "post_deploy": POST_DEPLOY}
"""{hook, or `prepare`: the steps in the place of its line `deployd-magento`}"""
