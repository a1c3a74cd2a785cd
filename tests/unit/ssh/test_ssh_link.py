"""The link between `deployd-ssh` and the daemon: questions, sockets, and an end on either side."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from deployd.errors import DeployError
from deployd.ssh.daemon_link import DaemonLink
from deployd.ssh.link import LARGEST_MESSAGE_BYTES, Link, LinkLost, Message, Values
from deployd.ssh.link_server import LONGEST_NOTE, MOST_LINKS, MOST_TOLD, Handler, LinkServer, Question
from deployd.ssh.ports import Refused
from deployd.ssh.sockets import socket_pair


class Stand:
    """A server and a client of the link, in one process."""

    def __init__(self, folder: Path, handlers: dict[str, Handler]) -> None:
        self.path = folder / "link.sock"
        self.handlers = handlers
        self.server = LinkServer()
        self.welcomes: list[Values] = []
        self.goes_on = True
        self.client = DaemonLink(str(self.path), self._welcome, goes_on=lambda: self.goes_on)
        self._serving: asyncio.Task[None] | None = None

    async def _welcome(self, said: Values) -> None:
        self.welcomes.append(said)

    async def start(self) -> None:
        self.server = LinkServer()
        self._serving = asyncio.create_task(self.server.serve(self.path, os.getuid()))
        self.server.open(self.handlers, {"port": 2222})

    async def stop(self) -> None:
        assert self._serving is not None
        self._serving.cancel()
        await asyncio.wait({self._serving})


@asynccontextmanager
async def stand(folder: Path, **handlers: Handler) -> AsyncIterator[Stand]:
    made = Stand(folder, handlers)
    await made.start()
    linked = asyncio.create_task(made.client.serve())
    assert await made.client.until_there(10)
    try:
        yield made
    finally:
        linked.cancel()
        await asyncio.wait({linked})
        await made.stop()


async def test_an_answer_brings_a_socket_and_notes_go_both_ways(tmp_path: Path) -> None:
    heard: list[Values | None] = []

    async def talk(question: Question) -> Values:
        ours, theirs = socket_pair()
        with ours:
            await question.answer([theirs], about=question.text("about"))
            ours.sendall(b"over the socket")
        await question.tell(number=1)
        heard.append(await question.told())
        heard.append(await question.told())
        return {"status": 7}

    async with stand(tmp_path, talk=talk) as link:
        asked = await link.client.ask("talk", about="weather")
        assert asked.answer == {"about": "weather"}
        with asked.sockets[0] as received:
            received.setblocking(True)
            assert await asyncio.to_thread(received.recv, 100) == b"over the socket"
        assert await asked.note() == {"number": 1}
        await asked.tell(size=[80, 24])
        await asked.tell(size=[90, 30])
        assert await asked.note() is None
        assert asked.end == {"status": 7}
    assert heard == [{"size": [80, 24]}, {"size": [90, 30]}]


async def test_errors_are_refusals_and_bugs_are_told_without_what_they_say(tmp_path: Path) -> None:
    async def refuse(_: Question) -> None:
        raise DeployError("not now", where="here", evidence=("seen",), hint="later")

    async def fail(_: Question) -> None:
        raise ValueError("a secret")

    async with stand(tmp_path, refuse=refuse, fail=fail) as link:
        with pytest.raises(Refused) as refused:
            await link.client.ask("refuse")
        assert refused.value.lines() == ["not now   here", "| seen", "hint: later"]
        with pytest.raises(Refused, match="a bug in deployd") as failed:
            await link.client.ask("fail")
        assert "secret" not in str(failed.value.lines())
        with pytest.raises(Refused, match="does not know this question"):
            await link.client.ask("unknown")


async def test_who_leaves_is_noticed_and_who_answers_goes_on(tmp_path: Path) -> None:
    left, done = asyncio.Event(), asyncio.Event()

    async def wait(question: Question) -> None:
        await question.answer()
        await question.left.wait()
        left.set()
        await asyncio.sleep(0)
        done.set()

    async with stand(tmp_path, wait=wait) as link:
        (await link.client.ask("wait")).leave()
        async with asyncio.timeout(10):
            await done.wait()
    assert left.is_set()


async def test_a_daemon_that_goes_ends_conversations_and_is_found_again(tmp_path: Path) -> None:
    async def wait(question: Question) -> None:
        await question.answer()
        await question.left.wait()

    async with stand(tmp_path, wait=wait) as link:
        open_one = await link.client.ask("wait")
        await link.stop()
        with pytest.raises(LinkLost):
            await open_one.note()
        await asyncio.sleep(0.1)
        with pytest.raises(LinkLost):
            await link.client.ask("wait")
        await link.start()
        assert await link.client.until_there(10)
        (await link.client.ask("wait")).leave()
    assert link.welcomes == [{"port": 2222}, {"port": 2222}]


async def test_questions_wait_while_settings_are_read_again_and_changed_ones_are_told(tmp_path: Path) -> None:
    async def now(_: Question) -> Values:
        return {"which": "old"}

    async def then(_: Question) -> Values:
        return {"which": "new"}

    async with stand(tmp_path, ask=now) as link:
        link.server.hold()
        asking = asyncio.create_task(link.client.ask("ask"))
        await asyncio.sleep(0.05)
        assert not asking.done()
        link.server.open({"ask": then}, {"port": 2223})
        assert (await asking).answer == {"which": "new"}
        async with asyncio.timeout(10):
            while link.welcomes[-1] != {"port": 2223}:
                await asyncio.sleep(0.01)


async def test_what_is_no_message_ends_the_link_and_no_other(tmp_path: Path) -> None:
    async def ask(_: Question) -> Values:
        return {}

    async with stand(tmp_path, ask=ask) as link:
        for noise in (b"\xff", b"{}", b"[" * 50_000, b'{"id": "x", "ask": "a"}', b'{"id": 1, "ask": "a", "values": 3}'):
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as other:
                other.connect(str(link.path))
                other.send(noise)
                other.settimeout(10)
                assert await asyncio.to_thread(other.recv, 100) == b""
        (await link.client.ask("ask")).leave()


async def test_sockets_that_nobody_wants_are_closed() -> None:
    one, other = Link.pair()
    ours, theirs = socket_pair()
    await one.send(Message(1, "note", {}, sockets=(theirs,)))
    theirs.close()
    message = await other.receive()
    assert message is not None
    (received,) = message.sockets
    received.close()
    ours.setblocking(True)
    assert await asyncio.to_thread(ours.recv, 10) == b""
    with pytest.raises(ValueError, match="a message of"):
        await one.send(Message(1, "note", {"x": "x" * LARGEST_MESSAGE_BYTES}))
    for item in (one, other):
        item.close()
    ours.close()
    with pytest.raises(LinkLost):
        await one.send(Message(1, "note", {}))


async def test_files_that_are_handed_to_the_daemon_are_not_kept(tmp_path: Path) -> None:
    def open_files() -> int:
        return len(os.listdir("/proc/self/fd"))

    async def ask(_: Question) -> Values:
        return {}

    async with stand(tmp_path, ask=ask) as link, asyncio.timeout(10):
        before = open_files()
        for number in range(20):
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as other, (tmp_path / "file").open("w") as file:
                other.connect(str(link.path))
                socket.send_fds(other, [b'{"id": 1, "ask": "ask", "values": {}}'], [file.fileno()] * (1 + number % 4))
                other.settimeout(10)
                assert await asyncio.to_thread(other.recv, 100) == b"", "it brings what is not asked for"
        assert open_files() == before
        (await link.client.ask("ask")).leave()


async def test_a_number_twice_ends_the_link_and_all_that_is_asked_over_it(tmp_path: Path) -> None:
    ended = asyncio.Semaphore(0)

    async def wait(question: Question) -> None:
        await question.left.wait()
        ended.release()

    async with stand(tmp_path, wait=wait) as link, asyncio.timeout(10):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as other:
            other.connect(str(link.path))
            for number in (1, 2, 1):
                other.send(b'{"id": %d, "ask": "wait", "values": {}}' % number)
            for _ in range(2):
                await ended.acquire()


async def test_there_are_so_many_links_and_no_more(tmp_path: Path) -> None:
    async with stand(tmp_path) as link, asyncio.timeout(10):
        others = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(MOST_LINKS)]
        for other in others:   # and one that is there already
            other.connect(str(link.path))
            await asyncio.sleep(0.01)
        others[-1].settimeout(10)
        assert await asyncio.to_thread(others[-1].recv, 1) == b""
        for other in others:
            other.close()


def test_of_what_is_told_so_much_waits_and_no_more() -> None:
    ends = Link.pair()
    question = Question(ends[0], Message(1, "ask", {}, "a"))
    for _ in range(MOST_TOLD + 1):
        question.hear({"did": "x" * LONGEST_NOTE})
        question.hear({"columns": 80})
    assert question.waiting == MOST_TOLD
    question.hear(None)
    assert question.left.is_set()
    for end in ends:
        end.close()


async def test_whatever_a_container_has_printed_a_refusal_fits_and_the_link_goes_on(tmp_path: Path) -> None:
    async def refuse(_: Question) -> None:
        noise = "\U0001f4a3\x01" * 10_000
        raise DeployError(noise, where=noise, evidence=(noise,) * 30, hint=noise)

    async def say_too_much(_: Question) -> Values:
        return {"said": "x" * LARGEST_MESSAGE_BYTES}

    async with stand(tmp_path, refuse=refuse, say=say_too_much) as link, asyncio.timeout(10):
        with pytest.raises(Refused) as refused:
            await link.client.ask("refuse")
        assert refused.value.what.startswith("\U0001f4a3")
        with pytest.raises(Refused, match="a bug in deployd"):
            await link.client.ask("say")
        with pytest.raises(Refused, match="\U0001f4a3"):
            await link.client.ask("refuse")
    assert len(link.welcomes) == 1, "it was the same link all the time"
