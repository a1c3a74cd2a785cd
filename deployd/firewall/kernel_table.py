"""A table of nftables in the kernel: put in whole, seen, put back, taken away."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import ClassVar

from deployd.errors import DeployError
from deployd.process import Output, ProgramMissing, ProgramOverran, run

LIMIT_SECONDS = 20.0
HINT = ("apt-get install nftables, and run deployd as root with CAP_NET_ADMIN; to do without, and trust everybody who"
        " may push with this host, set `containers: {firewall: none}`")


class FirewallNotKept(DeployError):
    """The rules around containers cannot be put into the kernel."""

    code: ClassVar[str] = "firewall-not-kept"


class KernelTable:
    """One table of nftables, as it was put last.

    Args:
        file: Where the rules are kept for the next boot: containers come back before the daemon does.
    """

    def __init__(self, name: str, file: Path) -> None:
        self._name = name
        self._file = file
        self._rules = ""
        self._seen = b""
        """What the kernel told of them right after they were put."""

    async def ensure(self, rules: str) -> bool:
        """Have these rules in the kernel. Returns whether they had to be put.

        Raises:
            FirewallNotKept: They are not there.
            OSError: They are new, and cannot be written for the next boot; what was there before is there.
        """
        if rules == self._rules and self._seen and await _seen(self._name) == self._seen:
            return False
        await asyncio.to_thread(_write_unless_same, self._file, rules)   # on a full disk nothing is to be written here
        await _nft("-f", "-", stdin=rules)
        self._rules, self._seen = rules, await _seen(self._name)
        return True

    async def is_there(self) -> bool:
        """Whether the kernel has it, whoever put it.

        Raises:
            FirewallNotKept: It cannot be asked.
        """
        return bool(await _seen(self._name))

    async def ensure_gone(self) -> None:
        """Have no such table; for a daemon whose operator does without."""
        await asyncio.to_thread(self._file.unlink, missing_ok=True)
        await ensure_table_gone(self._name)


async def check_rules(rules: str) -> None:
    """Ask the kernel whether it would take rules; nothing is changed.

    Raises:
        FirewallNotKept: It would not.
    """
    await _nft("--check", "-f", "-", stdin=rules)


async def ensure_table_gone(name: str) -> bool:
    """Have no such table. Returns whether there was one; without nftables there is none."""
    try:
        return (await run("nft", "delete", "table", "inet", name, check=False, limit_seconds=LIMIT_SECONDS)).status == 0
    except ProgramMissing:
        return False


async def is_there(name: str) -> bool:
    """Whether there is such a table; without nftables there is none."""
    try:
        return bool(await _seen(name))
    except FirewallNotKept:
        return False


async def _seen(name: str) -> bytes:
    """The table as the kernel tells it; empty when there is none."""
    output = await _nft("--numeric", "--stateless", "list", "table", "inet", name, check=False)
    return output.stdout if output.status == 0 else b""


async def _nft(*arguments: str, stdin: str | None = None, check: bool = True) -> Output:
    what = "cannot keep the firewall around containers"
    try:
        output = await run(
            "nft", *arguments, stdin=None if stdin is None else stdin.encode(), check=False,
            limit_seconds=LIMIT_SECONDS,
        )
    except (ProgramMissing, ProgramOverran) as error:
        raise FirewallNotKept(f"{what}: {error.what}", hint=HINT) from None
    if check and output.status != 0:
        raise FirewallNotKept(f"{what}: the kernel does not take its rules", evidence=output.last_lines(5), hint=(
            f"{HINT}; a kernel without nft_fib, nft_nat or nft_redir takes them with `mail: {{enabled: false}}`"
        ))
    return output


def _write_unless_same(file: Path, text: str) -> None:
    if file.exists() and file.read_text() == text:
        return
    new = file.with_suffix(".new")
    new.write_text(text)
    os.replace(new, file)
