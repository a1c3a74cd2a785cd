"""The door of SSH: who comes in, what is refused and how, and what strangers can have us keep.

Faults that other servers have published are here by name: docs/security.md lists them.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import asyncssh
import pytest
from asyncssh.channel import SSHClientChannel

from deployd.process import run
from deployd.ssh.bounds import Bounds
from tests.support.ssh_stand import SshStand, blob_of, make_key, open_ssh_stand


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[SshStand]:
    async with open_ssh_stand(tmp_path) as stand:
        yield stand


async def connect(stand: SshStand, *keys: Path, user: str = "git") -> asyncssh.SSHClientConnection:
    return await asyncssh.connect(
        "127.0.0.1", stand.port, username=user, client_keys=[str(key) for key in keys], known_hosts=None, config=None,
        agent_path=None,
    )


@pytest.mark.parametrize(("command", "said"), [
    ([], "your key is known, and `git` has no shell"),
    (["ls", "-la"], "ls is not done here"),
    (["git-upload-archive", "/shop.git"], "git-upload-archive is not done here"),
    (["git-lfs-authenticate", "/shop.git", "upload"], "git-lfs-authenticate is not done here"),
    (["git-receive-pack /shop.git; id"], "git-receive-pack takes one repository"),
    (["git-receive-pack", "--help"], "git-receive-pack takes one repository"),
    (["git-upload-pack", "/../../etc"], "git-upload-pack takes one repository"),
    (["git-upload-pack '/shop.git"], "this is not done here"),
    (["$(id)"], "$(id) is not done here"),
    (["scp", "-t", "/"], "scp is not done here"),
])
async def test_git_does_git_and_all_else_is_refused_by_name(stand: SshStand, command: list[str], said: str) -> None:
    refused = await stand.run_ssh(stand.make_key("ada"), "git", *command)
    assert refused.status == 1
    assert f"deployd: {said}" in refused.stderr.decode().replace("hello ada: ", "")
    assert refused.stdout == b""


@pytest.mark.parametrize("user", ["root", "main", "main..shop", "main.shop/../x", "main.shop--"])
async def test_a_user_name_that_means_nothing_is_refused_in_words(stand: SshStand, user: str) -> None:
    refused = await run(
        *stand.ssh(stand.make_key("ada")), "-l", user, "127.0.0.1", "true", check=False,
    )
    assert refused.status == 1
    assert "nobody is called" in refused.stderr.decode()


async def test_subsystems_forwards_and_agents_of_git_are_refused(stand: SshStand) -> None:
    key = stand.make_key("ada")
    sftp = await stand.run_ssh(key, "git", "sftp", options=["-s"])
    assert (sftp.status, b"`git` has no subsystem 'sftp'" in sftp.stderr) == (1, True)
    async with await connect(stand, key) as connection:
        with pytest.raises(asyncssh.ChannelOpenError, match="`git` has no tunnels"):
            await connection.open_connection("127.0.0.1", 22)
        with pytest.raises(asyncssh.ChannelListenError):
            await connection.forward_remote_port("127.0.0.1", 0, "127.0.0.1", 22)
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.open_unix_connection("/var/run/docker.sock")
        with pytest.raises(asyncssh.ChannelListenError):
            await connection.forward_remote_path("/tmp/x", "/tmp/y")


async def test_who_it_is_is_decided_by_the_key_that_signed_and_not_by_one_that_was_offered(stand: SshStand) -> None:
    """soft-serve: its handler of offers is no proof, which it has to check again."""
    ada, ben = stand.make_key("ada"), stand.make_key("ben")
    said = await stand.run_ssh(ben, "git")
    assert b"hello ben:" in said.stderr
    async with AsyncExitStack() as stack:
        connection = await offer_then_sign(stand, stack, offered=ada, signed=ben)
        told = await connection.run(check=False, encoding=None)
    assert isinstance(told.stderr, bytes)
    assert b"hello ben:" in told.stderr


async def offer_then_sign(
    stand: SshStand, stack: AsyncExitStack, *, offered: Path, signed: Path,
) -> asyncssh.SSHClientConnection:
    """A client that shows one person's public key first, as anybody may, and then signs with another's."""
    only_public = asyncssh.read_public_key(str(offered.with_suffix(".pub")))

    class Offered(asyncssh.SSHKeyPair):
        """A key whose signature is worth nothing."""

        def __init__(self) -> None:
            super().__init__(only_public.algorithm, only_public.algorithm, only_public.sig_algorithms,
                             only_public.sig_algorithms, only_public.public_data, b"offered")

        def sign(self, data: bytes) -> bytes:
            return asyncssh.read_private_key(str(signed)).sign(data, only_public.algorithm)

    return await stack.enter_async_context(asyncssh.connect(
        "127.0.0.1", stand.port, username="git", client_keys=[Offered(), str(signed)], known_hosts=None, config=None,
        agent_path=None,
    ))


async def test_no_password_no_keyboard_and_nobody_without_a_key(stand: SshStand) -> None:
    for options in ({"password": "secret-of-ada"}, {"client_keys": [str(make_key(stand.folder / "stranger"))]}):
        with pytest.raises(asyncssh.PermissionDenied):
            await asyncssh.connect(
                "127.0.0.1", stand.port, username="git", known_hosts=None, config=None, agent_path=None,
                **({"client_keys": None} | options),
            )
    listed = await run(
        *stand.ssh(make_key(stand.folder / "other"), "-v"), "git@127.0.0.1", check=False,
    )
    assert b"Authentications that can continue: publickey\r\n" in listed.stderr


async def test_a_key_that_is_removed_ends_its_connections_and_no_others(stand: SshStand) -> None:
    ada, ben = stand.make_key("ada"), stand.make_key("ben")
    async with await connect(stand, ada) as of_ada, await connect(stand, ben) as of_ben:
        del stand.keys.known[blob_of(ada)]
        async with asyncio.timeout(20):
            await of_ada.wait_closed()
        assert b"hello ben:" in (await of_ben.run(check=False, encoding=None)).stderr   # type: ignore[operator]


async def test_what_a_client_says_of_its_environment_is_dropped_but_for_a_few_names(tmp_path: Path) -> None:
    """soft-serve, CVE-2024-41956: `LD_PRELOAD` of the client reached git."""
    from deployd.ssh.session import Environment

    kept = Environment()
    for number in range(10_000):
        kept[f"X{number}".encode()] = b"1"
        kept[f"LC_{number}".encode()] = b"1"
    for name in (b"LD_PRELOAD", b"GIT_DIR", b"GIT_CONFIG_COUNT", b"PATH", b"HOME"):
        kept[name] = b"/evil"
    kept[b"TERM"] = b"x" * 100_000
    assert len(kept) <= 20
    assert all(name.startswith(b"LC_") for name in kept)
    kept.clear()
    kept[b"GIT_PROTOCOL"], kept[b"LANG"], kept[b"TERM"] = b"version=2", b"C.UTF-8", b"xterm"
    assert set(kept) == {b"GIT_PROTOCOL", b"LANG", b"TERM"}


async def test_a_thousand_half_open_connections_cost_little_and_keep_nobody_out(tmp_path: Path) -> None:
    async with open_ssh_stand(tmp_path, bounds=Bounds(handshakes=100, handshakes_of_address=100)) as stand:
        key = stand.make_key("ada")
        async with AsyncExitStack() as stack:
            for _ in range(1_000):
                _, writer = await asyncio.open_connection("127.0.0.1", stand.port)
                stack.callback(writer.close)
            said = await stand.run_ssh(key, "git")
            assert b"hello ada:" in said.stderr
            async with asyncio.timeout(20):
                while not stand.seen.evicted:
                    await asyncio.sleep(0.1)
            assert stand.seen.handshakes <= 100
            assert stand.memory_mb() < 150


async def test_one_address_and_one_key_have_so_many_connections_and_no_more(tmp_path: Path) -> None:
    bounds = Bounds(connections_of_key=3, sessions_of_connection=2)
    async with open_ssh_stand(tmp_path, bounds=bounds) as stand, AsyncExitStack() as stack:
        ada, ben = stand.make_key("ada"), stand.make_key("ben")
        for _ in range(3):
            await stack.enter_async_context(await connect(stand, ada))
        refused = await stand.run_ssh(ada, "git")
        assert b"this key has 3 connections, which is all that it may" in refused.stderr
        assert b"hello ben:" in (await stand.run_ssh(ben, "git")).stderr


async def test_a_session_in_which_nothing_is_asked_for_takes_no_place_when_it_is_gone(tmp_path: Path) -> None:
    bounds = Bounds(sessions_of_connection=2)
    async with open_ssh_stand(tmp_path, bounds=bounds) as stand, await connect(stand, stand.make_key("ada")) as one:
        for _ in range(5):
            channel = SSHClientChannel(one, asyncio.get_running_loop(), False, None, "strict", 2**21, 2**15)
            await channel._open(b"session")
            channel.close()
            await asyncio.sleep(0.1)
        assert b"hello ada:" in (await one.run(check=False, encoding=None)).stderr   # type: ignore[operator]


async def test_noise_in_place_of_a_handshake_costs_nobody_else_anything(stand: SshStand) -> None:
    """Made-up packets, a valid beginning with a broken rest, lengths that are lies."""
    beginnings = (
        b"", b"SSH-2.0-x\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"SSH-1.5-old\r\n", b"\xff" * 300,
        b"SSH-2.0-x\r\n" + b"\xff\xff\xff\xff", b"SSH-2.0-x\r\n" + (35_000).to_bytes(4, "big") + b"\x04\x14",
        b"SSH-2.0-x\r\n" + (12).to_bytes(4, "big") + b"\x04\x14" + bytes(10), b"x" * 100_000,
    )
    before = stand.memory_mb()
    for number in range(200):
        noise = hashlib.shake_128(str(number).encode()).digest(2_000)
        with socket.create_connection(("127.0.0.1", stand.port), timeout=5) as one, suppress(OSError):
            one.sendall(beginnings[number % len(beginnings)] + noise)
    assert b"hello ada:" in (await stand.run_ssh(stand.make_key("ada"), "git")).stderr
    assert stand.process is not None
    assert not stand.process.has_ended
    assert stand.memory_mb() - before < 60


async def test_handshakes_with_a_byte_changed_harm_nobody(stand: SshStand) -> None:
    """A whole handshake of a real client through a wire that changes one byte, each time another one."""
    key, ends = stand.make_key("ada"), 0
    for number in range(40):
        async with changing_wire(stand.port, at=number * 61 % 2_400) as port:
            try:
                async with asyncio.timeout(30), asyncssh.connect(
                    "127.0.0.1", port, username="git", client_keys=[str(key)], known_hosts=None, config=None,
                    agent_path=None,
                ) as connection:
                    await connection.run(check=False, encoding=None)
            except (asyncssh.Error, OSError, ValueError):
                ends += 1
    assert ends > 10, "most of them are noticed"
    assert b"hello ada:" in (await stand.run_ssh(key, "git")).stderr
    assert stand.process is not None
    assert not stand.process.has_ended


@asynccontextmanager
async def changing_wire(port: int, at: int) -> AsyncIterator[int]:
    """A port that leads to another one; of what is said to it, one byte is changed."""
    async def through(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", port)

        async def carry(source: asyncio.StreamReader, to: asyncio.StreamWriter, change: int) -> None:
            seen = 0
            with suppress(OSError):
                while chunk := bytearray(await source.read(65_536)):
                    if seen <= change < seen + len(chunk):
                        chunk[change - seen] ^= 0x41
                    seen += len(chunk)
                    to.write(chunk)
                    await to.drain()
            to.close()

        async with asyncio.TaskGroup() as group:
            group.create_task(carry(reader, back, at))
            group.create_task(carry(there, writer, -1))

    async with await asyncio.start_server(through, "127.0.0.1", 0) as server:
        yield int(server.sockets[0].getsockname()[1])


async def test_a_public_audit_finds_nothing_weak(stand: SshStand) -> None:
    audited = await run(
        sys.executable, "-m", "ssh_audit.ssh_audit", "--level=warn", "--no-colors", "-p", str(stand.port), "127.0.0.1",
        check=False, limit_seconds=120,
    )
    text = audited.stdout.decode()
    assert "key exchange algorithms" in text, text
    assert "[fail]" not in text, text
    warned = [line for line in text.splitlines() if "[warn]" in line]
    assert warned == [line for line in warned if "curve25519" in line and "post-quantum" in line], text


async def test_its_key_is_shown_as_ssh_shows_it(stand: SshStand) -> None:
    shown = await run("ssh-keygen", "-l", "-f", str(stand.folder / "host" / "host_ed25519"))
    assert shown.text.split()[:2] == ["256", stand.host_key.fingerprint]
    seen = await run("ssh-keyscan", "-p", str(stand.port), "127.0.0.1", check=False)
    (line,) = [line for line in seen.stdout.decode().splitlines() if not line.startswith("#")]
    assert line.partition(" ")[2] == stand.host_key.public


async def test_the_process_has_no_rights(stand: SshStand) -> None:
    assert stand.process is not None
    lines = Path(f"/proc/{stand.process.pid}/status").read_text().splitlines()
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    assert set(status["Uid"].split()) == {"2000000101"}
    assert status["CapEff"] == f"{1 << 10:016x}"   # to listen on a low port
    assert status["NoNewPrivs"] == "1"
    assert status["Groups"].strip() == ""
    opened = {os.readlink(path) for path in Path(f"/proc/{stand.process.pid}/fd").iterdir()}
    assert not any("docker" in name or "state" in name for name in opened)


async def test_a_connection_on_which_nothing_moves_is_ended(tmp_path: Path) -> None:
    async with open_ssh_stand(tmp_path, idle_seconds=1.0) as stand:
        connection = await connect(stand, stand.make_key("ada"))
        async with asyncio.timeout(20):
            await connection.wait_closed()


async def test_another_address_is_listened_on_while_connections_go_on(stand: SshStand) -> None:
    from tests.support.ssh_stand import free_port

    key = stand.make_key("ada")
    async with await connect(stand, key) as connection:
        stand.port = free_port()
        stand.tell()
        (stand.folder / "known_hosts").write_text(f"[127.0.0.1]:{stand.port} {stand.host_key.public}\n")
        await stand.until_listening()
        assert b"hello ada:" in (await stand.run_ssh(key, "git")).stderr
        assert b"hello ada:" in (await connection.run(check=False, encoding=None)).stderr   # type: ignore[operator]
