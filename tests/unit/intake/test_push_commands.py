"""How many branches and tags a push names, before git has them all in memory."""

from __future__ import annotations

import pytest

from deployd.intake.push_commands import COMMANDS_BYTES, PushCommands


def line(text: str) -> bytes:
    return f"{len(text) + 4:04x}{text}".encode()


LINE = line(f"{'0' * 40} {'1' * 40} refs/heads/some-branch\n")


@pytest.mark.parametrize("piece", [1, 3, 100, 65_536])
def test_a_push_of_two_thousand_is_taken_and_its_pack_is_not_counted(piece: int) -> None:
    body = LINE * 2_000 + b"0000" + b"PACK" + bytes(2 * COMMANDS_BYTES // (1 if piece > 3 else 8))
    commands = PushCommands()
    assert not any(commands.are_too_many(body[at:at + piece]) for at in range(0, len(body), piece))


@pytest.mark.parametrize("piece", [1_000, 65_536, 2**24])
def test_a_push_of_millions_is_not(piece: int) -> None:
    body = LINE * (COMMANDS_BYTES // len(LINE) + 10)
    commands = PushCommands()
    assert any(commands.are_too_many(body[at:at + piece]) for at in range(0, len(body), piece))


@pytest.mark.parametrize("text", [b"zzzz", b"0001", b"-001 x", b"\xff\xff\xff\xff"])
def test_what_is_no_line_is_for_git_to_refuse(text: bytes) -> None:
    assert not PushCommands().are_too_many(text)
