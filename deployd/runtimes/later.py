"""Whether an application calls a builder after its build too, which then needs what was fetched before. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from deployd.project.model import Application

BETWEEN_WORDS = re.compile(r"[\s;&|()`{}]+")
"""Of a shell's command, near enough; whatever is written there, it takes no longer than it is long."""


def calls_later(app: Application, *programs: str) -> bool:
    """Whether a command of an instance, a hook or a cron calls one of them, as `exec ./mvnw jetty:run` does."""
    words = (word for command in _commands(app) for word in BETWEEN_WORDS.split(command))
    return any(word.rpartition("/")[2] in programs for word in words)


def _commands(app: Application) -> Iterator[str]:
    for instance in (app.web.instance, *(worker.instance for worker in app.workers)):
        commands = instance.commands
        yield from filter(None, (commands.pre_start, commands.start, commands.post_start))
    yield from (hook.script for hook in (app.hooks.deploy, app.hooks.post_deploy) if hook is not None)
    yield from (cron.start for cron in app.crons)
