"""Machines on the other side of the host, as network namespaces of the kernel: what containers must not reach, and may.

A machine answers on one port, TCP and UDP, at every address it has; `attempt` tries to get that answer from anywhere.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from deployd.process import open_process, run

PORT = 7780
METADATA = ("169.254.169.254", "169.254.170.2", "100.100.100.200", "192.0.0.192", "168.63.129.16")
"""AWS, GCP, Azure and most others; tasks of AWS; Alibaba; Oracle; Azure's wire server."""
METADATA_IPV6 = ("fd00:ec2::254", "fd20:ce::254")
"""AWS and GCP."""
PRIVATE = ("10.99.7.7", "172.31.7.7", "192.168.213.2", "198.18.7.7")
PUBLIC, PUBLIC_IPV6 = "11.22.33.44", "2a0e:1234::44"
"""Stand for the Internet, which tests do not reach."""

SERVER = '''
import socket, sys, threading
def serve(family, any_address, port):
    tcp, udp = socket.socket(family, socket.SOCK_STREAM), socket.socket(family, socket.SOCK_DGRAM)
    for each in (tcp, udp):
        each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            each.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        each.bind((any_address, port))
    # An answer has to come from the address that was asked, and that is told beside the question.
    if family == socket.AF_INET6:
        udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    else:
        udp.setsockopt(socket.IPPROTO_IP, 8, 1)   # IP_PKTINFO, which Python 3.11 does not name
    tcp.listen(100)
    def streams():
        while True:
            found, who = tcp.accept()
            print(who[0], flush=True)
            found.send(b"!")
            found.close()
    def datagrams():
        while True:
            _, told, _, who = udp.recvmsg(100, 100)
            print(who[0], flush=True)
            udp.sendmsg([b"!"], told, 0, who)
    for loop in (streams, datagrams):
        threading.Thread(target=loop).start()
for port in map(int, sys.argv[1:]):
    serve(socket.AF_INET, "0.0.0.0", port)
    serve(socket.AF_INET6, "::", port)
print("ready", flush=True)
'''
ATTEMPT = '''
import socket, sys
for word in sys.argv[1:]:
    kind, host, port = word.split(",")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    channel = socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
    channel.settimeout(5)
    try:
        channel.connect((host, int(port)))
        if kind == "udp":
            channel.send(b"?")
        print(word, "open" if channel.recv(1) else "closed", flush=True)
    except OSError as error:
        print(word, type(error).__name__, flush=True)
'''


def target(address: str, port: int = PORT, kind: str = "tcp") -> str:
    """A word for `attempt`."""
    return f"{kind},{address},{port}"


async def attempt(enter: tuple[str, ...], targets: Iterable[str]) -> dict[str, str]:
    """Try to get an answer from each target. Returns {target: `open`, or why not}.

    Args:
        enter: Begins the command; it leads to where is tried from: `ip netns exec box`.
    """
    done = await run(*enter, sys.executable, "-c", ATTEMPT, *targets, limit_seconds=300)
    return dict(line.split(" ", 1) for line in done.text.splitlines())


class Machine:
    """A network namespace with its own addresses."""

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def enter(self) -> tuple[str, ...]:
        return ("ip", "netns", "exec", self.name)

    async def ip(self, *argv: str) -> None:
        await run("ip", "-n", self.name, *argv)


@asynccontextmanager
async def machine(name: str) -> AsyncIterator[Machine]:
    """A new machine, connected to nothing. Its name ends in something of its own."""
    made = Machine(f"{name}-{os.urandom(3).hex()}")
    await run("ip", "netns", "add", made.name)
    try:
        await made.ip("link", "set", "lo", "up")
        yield made
    finally:
        await run("ip", "netns", "delete", made.name)


async def connect_machine(there: Machine, here: Machine | None, interface: str, number: int) -> None:
    """A cable between a machine and another one, or this host: 192.168.`number`.1 is here, and the way out of there.

    Args:
        interface: Its name here.
    """
    at = ("-n", here.name) if here else ()
    await run("ip", *at, "link", "add", interface, "type", "veth", "peer", "name", "out", "netns", there.name)
    await run("ip", *at, "address", "add", f"192.168.{number}.1/30", "dev", interface)
    await run("ip", *at, "address", "add", f"fd00:{number}::1/64", "dev", interface, "nodad")
    await run("ip", *at, "link", "set", interface, "up")
    await there.ip("address", "add", f"192.168.{number}.2/30", "dev", "out")
    await there.ip("address", "add", f"fd00:{number}::2/64", "dev", "out", "nodad")
    await there.ip("link", "set", "out", "up")
    await there.ip("route", "add", "default", "via", f"192.168.{number}.1")
    await there.ip("route", "add", "default", "via", f"fd00:{number}::1")


async def give_addresses(there: Machine, here: Machine | None, number: int, addresses: Iterable[str]) -> None:
    """Further addresses of a machine, and the ways to them from here."""
    at = ("-n", here.name) if here else ()
    for address in addresses:
        length, by = ("128", f"fd00:{number}::2") if ":" in address else ("32", f"192.168.{number}.2")
        await there.ip("address", "add", f"{address}/{length}", "dev", "lo")
        await run("ip", *at, "route", "add", f"{address}/{length}", "via", by)


@asynccontextmanager
async def answering(enter: tuple[str, ...], *ports: int) -> AsyncIterator[list[str]]:
    """Let a machine answer. Gives the addresses of who has asked so far, oldest first."""
    asked: list[str] = []
    async with open_process(*enter, sys.executable, "-c", SERVER, *map(str, ports)) as process:
        assert await process.stdout.readline() == b"ready\n"

        async def read() -> None:
            while line := await process.stdout.readline():
                asked.append(line.decode().strip())

        async with asyncio.TaskGroup() as group:
            reading = group.create_task(read(), name="who has asked")
            try:
                yield asked
            finally:
                reading.cancel()
