"""The daemon's end of the link: listens for `deployd-ssh`, and gives each question to the handler of its verb.

It lives as long as the process: a reload makes other handlers, and what is under way goes on with those that it had.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import structlog

from deployd.errors import DeployError
from deployd.ssh.link import VERSION, Link, LinkLost, Message, Values, refuse_too_long, until_ready

log = structlog.get_logger()

BACKLOG = 16
REFUSED_SECONDS = 1.0
MOST_TOLD, LONGEST_NOTE = 100, 4_000
"""Notes that wait for a handler, and letters of one: a size, a signal, some words."""
MOST_LINKS, MOST_QUESTIONS = 16, 5_000
"""At once; questions of one link. `deployd-ssh` has one link, and one that was taken over shall not have us hold what
it likes."""
UNUSABLE = {"what": "the daemon does not know this question", "hint": "restart deployd-ssh: it is of another version"}


class Question:
    """What was asked, and the ways to answer it. A handler answers once, may say more, and returns its last words."""

    def __init__(self, link: Link, message: Message) -> None:
        self.id = message.id
        self.verb = message.verb
        self.values = message.values
        self._link = link
        self._told: asyncio.Queue[Values | None] = asyncio.Queue(MOST_TOLD)
        self.is_answered = False
        self.left = asyncio.Event()
        """Whoever asked has lost interest, or is gone. No handler is cancelled for it: it may have begun something."""

    def text(self, name: str) -> str:
        """A value that has to be a text."""
        return str(self.values.get(name, ""))

    async def answer(self, sockets: Sequence[socket.socket] = (), **values: object) -> None:
        """Once. The sockets are closed here: whoever asked has them now.

        Raises:
            LinkLost: Nobody hears it.
        """
        self.is_answered = True
        try:
            await self._link.send(Message(self.id, "answer", values, sockets=tuple(sockets)))
        finally:
            for item in sockets:
                item.close()

    async def tell(self, **values: object) -> None:
        """A link that was lost is no error: whoever asked asks again."""
        with suppress(LinkLost):
            await self._link.send(Message(self.id, "note", values))

    async def told(self) -> Values | None:
        """What whoever asked says next; None: they left."""
        return await self._told.get()

    @property
    def waiting(self) -> int:
        """How much was said that nobody has heard yet."""
        return self._told.qsize()

    def hear(self, values: Values | None) -> None:
        if values is None:
            self.left.set()
        elif len(str(values)) > LONGEST_NOTE:
            return
        with suppress(asyncio.QueueFull):
            self._told.put_nowait(values)


Handler = Callable[[Question], Awaitable[Mapping[str, object] | None]]
"""Answers a question of its verb. What it returns is said at the end; a DeployError is told as a refusal."""


class LinkServer:
    """Listens on one Unix socket."""

    def __init__(self) -> None:
        self._handlers: Mapping[str, Handler] = {}
        self._open = asyncio.Event()
        self._welcomes: set[asyncio.Event] = set()
        self._welcome: Values = {}
        self._links = 0

    @property
    def is_connected(self) -> bool:
        """Whether a `deployd-ssh` is there."""
        return bool(self._welcomes)

    def open(self, handlers: Mapping[str, Handler], welcome: Values) -> None:
        """Answer with these from now on.

        Args:
            welcome: What `deployd-ssh` has to know of the settings; it is told each time that it changes.
        """
        self._handlers, self._welcome = {"hello": self._hello, **handlers}, welcome
        self._open.set()
        for changed in self._welcomes:
            changed.set()

    def hold(self) -> None:
        """Let questions wait for the next `open`."""
        self._open.clear()

    async def serve(self, path: Path, uid: int) -> None:
        """Listen, until cancelled.

        Args:
            path: Made for this user, and for nobody else, in a folder that only root writes into.
        """
        listener = _listen(path, uid)
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    link = Link(await _accept(listener), takes_sockets=False)
                    if link.peer_uid() not in (0, uid) or self._links >= MOST_LINKS:
                        link.close()
                        continue
                    self._links += 1
                    group.create_task(self._converse(link), name="ssh link")
        finally:
            listener.close()

    async def _converse(self, link: Link) -> None:
        questions: dict[int, Question] = {}
        try:
            async with asyncio.TaskGroup() as group:
                while (message := await link.receive()) is not None:
                    if message.kind == "ask":
                        if message.id in questions or len(questions) >= MOST_QUESTIONS:
                            log.warning("ssh_link_ended", why="a number twice, or too many questions at once")
                            break
                        question = questions[message.id] = Question(link, message)
                        group.create_task(self._answer(link, question, questions), name=f"ssh {message.verb}")
                    elif (found := questions.get(message.id)) is not None:
                        found.hear(None if message.kind == "leave" else message.values)
                for question in questions.values():
                    question.hear(None)
        except* LinkLost as error:
            log.warning("ssh_link_lost", why=str(error.exceptions[0]))
        except* OSError:
            log.exception("ssh_link_failed")
        except* Exception:   # ours; the next link is another chance
            log.exception("ssh_link_met_a_bug")
        finally:
            self._links -= 1
            link.close()

    async def _answer(self, link: Link, question: Question, questions: dict[int, Question]) -> None:
        try:
            while not self._open.is_set():
                await self._open.wait()
            handler = self._handlers.get(question.verb)
            if handler is None:
                ended = Message(question.id, "refused", dict(UNUSABLE))
            else:
                ended = Message(question.id, "end", dict(await handler(question) or {}))
                refuse_too_long(ended)
        except DeployError as error:
            ended = Message(question.id, "refused", _refusal(error))
        except LinkLost:
            return
        except Exception:
            log.exception("ssh_question_failed", verb=question.verb)
            ended = Message(question.id, "refused", {"what": "this met a bug in deployd: its log has it"})
        finally:
            questions.pop(question.id, None)
        with suppress(LinkLost):
            await link.send(ended)

    async def _hello(self, question: Question) -> Mapping[str, object]:
        if question.values.get("version") != VERSION:
            log.warning("ssh_of_another_version", version=question.values.get("version"), ours=VERSION)
            raise DeployError("deployd-ssh is of another version")
        changed = asyncio.Event()
        self._welcomes.add(changed)
        try:
            await question.answer(**self._welcome)
            while not question.left.is_set():
                await _first(changed, question.left)
                if changed.is_set():
                    changed.clear()
                    await question.tell(**self._welcome)
        finally:
            self._welcomes.discard(changed)
        return {}


async def _first(*events: asyncio.Event) -> None:
    """Wait until one of them is set."""
    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(event.wait(), name="waiting") for event in events]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()


def _refusal(error: DeployError) -> Values:
    """Cut: lines of containers are among it, and a message has a largest size, with twelve bytes for some letters."""
    return {
        "what": error.what[:400], "where": error.where[:300], "hint": error.hint[:800],
        "evidence": [line[:300] for line in error.evidence[:20]], "status": getattr(error, "status", 1),
    }


def _listen(path: Path, uid: int) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    beside = path.with_name(f"{path.name}.new")
    beside.unlink(missing_ok=True)
    listener.bind(str(beside))
    os.chmod(beside, 0o600)
    os.chown(beside, uid, uid, follow_symlinks=False)   # noqa: TID251
    listener.listen(BACKLOG)
    beside.rename(path)   # whoever sees it can come in
    return listener


async def _accept(listener: socket.socket) -> socket.socket:
    while True:
        try:
            channel, _ = listener.accept()
        except BlockingIOError:
            await until_ready(listener)
        except OSError as error:   # no descriptors are left, for a while
            log.warning("ssh_link_not_accepted", why=error.strerror)
            await asyncio.sleep(REFUSED_SECONDS)
        else:
            return channel
