"""Why a new version does not answer, or not for long, in words for who pushed it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from deployd.engine.observed import ContainerSeen
from deployd.errors import DeployError
from deployd.project.model import Application
from deployd.release.applications.environment_file import environment_error
from deployd.release.applications.needed import wanted_socket
from deployd.release.applications.sizes import size_of
from deployd.release.applications.start_records import Starts
from deployd.release.applications.web_server import WEB_PORT
from deployd.release.container_removal import where_it_is_kept
from deployd.release.out_of_memory import hint_memory, memory_full
from deployd.release.ports import Host
from deployd.release.release import Release

NO_ANSWER = "no answer in time"
KILLED_LINE = "the start command ended with status 137"
"""By start_script; of a container that was started anew the kernel's count is gone."""
LINES = 20
LINES_SECONDS = 1.0
"""A container's last lines come to the engine a moment after they were written."""
FOREGROUND = (
    "a start command has to stay as long as its server: run the server in the foreground, without `&` at its end and"
    " without its option to become a daemon, and with `exec` when a script starts it"
)
SPEAKS_HTTP, SPEAKS_FASTCGI = (
    "answer HTTP/1.1 there, without TLS",
    "speak FastCGI there, or say `web.upstream.protocol: http`",
)
WORDS_OF_NGINX: tuple[tuple[str, str, str], ...] = (
    ("no valid HTTP/1.0 header", "what it answers is not HTTP", SPEAKS_HTTP),
    ("invalid header", "what it answers is not HTTP: a line of its head is none", SPEAKS_HTTP),
    ("unsupported FastCGI protocol", "what it answers is not FastCGI", SPEAKS_FASTCGI),
    ("prematurely closed", "it takes the connection and closes it without an answer",
     "its output above may say why; a server for another protocol does that too"),
    ("Connection reset by peer", "it takes the connection and breaks it off without an answer",
     "its output above may say why; a server for another protocol does that too"),
    ("too big header", "the head of its answer is too large", "send less in cookies and headers, 4 KB in all"),
    ("Permission denied", "its socket may not be opened", "let the group write to it too (mode 0660)"),
)
"""(what the web server in front logs of an answer that it cannot pass on, what that means, how to mend it)"""


class NotAnswering(DeployError):
    """An application's containers are up, but nothing answers requests, or not for long."""

    code: ClassVar[str] = "not-answering"


async def environment_failed(host: Host, app: Application, container: str) -> DeployError:
    """The error of an application whose `.environment` ended the shell of its start command."""
    before = f"the start command of {app.name}"
    loop = asyncio.get_running_loop()
    began = loop.time()
    while True:
        lines = await host.engine.last_lines(container, LINES)
        if failed := environment_error(lines, app.root, before):
            return failed
        if loop.time() - began > LINES_SECONDS:
            return NotAnswering(
                f".environment ended the shell, and {before} was never begun", where=str(app.web.place),
                evidence=tuple(lines), hint="see what it sets up: it is read by sh, which is dash here",
            )
        await asyncio.sleep(LINES_SECONDS / 20)


@dataclass(frozen=True, slots=True)
class Silence:
    """What was met of an application that does not answer."""

    what: str
    """Begins the sentence: `shop does not answer after 60 s`."""
    seen: str
    """By the last request."""
    starts: Starts | None
    has_answered: bool
    """Before."""


async def not_answering(release: Release, host: Host, app: Application, part: str, met: Silence) -> DeployError:
    """The error of an application that does not answer, in one of its instances."""
    starts = met.starts
    web, container = (release.container(role, part) for role in ("web", "app"))
    own, front = await host.engine.container(container), await host.engine.container(web)
    lines = await host.engine.last_lines(container, LINES)
    if (starts is None or not starts.runs) and (failed := environment_error(
        lines, app.root, f"the start command of {app.name}",
    )):
        return failed
    megabytes = size_of(host.settings, app, app.web.instance).memory_mb
    full = await memory_full(host, container, 0, megabytes) or (
        f"; its memory ({megabytes} MB) was full, most likely" if KILLED_LINE in lines else ""
    )
    hint = "its output is above" if lines else "it has written nothing so far"
    if front is None or not front.has_process:
        lines, why = await host.engine.last_lines(web, LINES) or lines, "its web server does not run"
    elif own is None or own.restarts or (starts is not None and starts.ended):
        why, hint = _words_of_end(starts, own.restarts if own else 0, has_answered=met.has_answered)
    else:
        why, hint = await _words_of_silence(host, app, front, met.seen, hint)
    return NotAnswering(
        f"{met.what}: {why}{full}", where=str(app.web.place), evidence=tuple(lines),
        hint=f"{hint_memory(hint, full, '`size` of the application')}; "
             f"{where_it_is_kept(release, app.name)} shows all that it printed",
    )


def _words_of_end(starts: Starts | None, restarts: int, *, has_answered: bool) -> tuple[str, str]:
    """(why, hint) of a start command that ends. Pure."""
    times = max(restarts, starts.ended if starts else 0)
    if starts is None or not starts.ended:
        return f"its start command ends again and again (started anew {times} times)", (
            "mend the start command; its output is above")
    if starts.status == 0 and has_answered:
        return (
            "its start command ends (with status 0) and leaves what it has started behind, which ends with the"
            " container", FOREGROUND,
        )
    hint = FOREGROUND if starts.status == 0 else "mend the start command; its output is above"
    return (
        f"its start command ends again and again (started anew {times} times, the last time it ended with status"
        f" {starts.status})", hint,
    )


async def _words_of_silence(
    host: Host, app: Application, front: ContainerSeen, seen: str, output: str,
) -> tuple[str, str]:
    """(why, hint) of a start command that runs, and does not answer."""
    wanted, name = wanted_socket(app), "SOCKET" if app.web.socket_family == "unix" else "PORT"
    if not await host.engine.is_listening(front, wanted):
        others = [port for port in await host.engine.listening_ports(front) if port != WEB_PORT]
        return f"nothing listens on ${name} ({wanted})" + (
            f", it listens on {', '.join(map(str, others))} instead" if others else ""
        ), f"the start command must listen on ${name}; {output}"
    if seen == NO_ANSWER:
        return (
            f"it listens on ${name} and takes the connection, and no answer comes",
            f"see what its first request waits for (a service, a lock, another request); {output}",
        )
    met = words_of_nginx(await host.engine.last_lines(front.name, LINES))
    if met is not None:
        return f"it listens on ${name}, but {met[0]}", f"{met[1]}; {output}"
    return f"it listens on ${name}, but a request gets {seen}", f"see what its first request meets; {output}"


def words_of_nginx(lines: Sequence[str]) -> tuple[str, str] | None:
    """(what, hint) of the last answer that the web server could not pass on. Pure."""
    for line in reversed(lines):
        for words, what, hint in WORDS_OF_NGINX:
            if words in line:
                return what, hint
    return None
