"""The mails of a box as they are told."""

from __future__ import annotations

import asyncio

import pytest

from deployd.access.errors import NotFound
from deployd.mail.box_reader import FOLDER
from deployd.mail.mail import Mail, write_note
from deployd.queries.mails import MailQueries
from tests.support.queries_world import MAIN, World

LETTER = Mail(7, 1_777_888_999.0, "a@shop.test", ("b@c.test",), 5, "Hello")


def box(world: World, *mails: Mail) -> MailQueries:
    folder = world.settings.state / FOLDER / "shop" / MAIN
    folder.mkdir(parents=True)
    for mail in mails:
        (folder / f"{mail.id}.json").write_bytes(write_note(mail))
        (folder / f"{mail.id}.eml").write_bytes(b"hello")
    return MailQueries(world.settings.state, world.environments, asyncio.Semaphore(1))


async def test_mails_are_told_newest_first_with_their_moments(world: World) -> None:
    await world.add()
    waits = Mail(8, 1e300, "", (), 5, "Later", "waits", "busy", 1, 1_777_889_059.0)
    first, second = await box(world, LETTER, waits).all("shop", "main")
    assert (first.id, first.at, first.state, first.again_at) == (8, "", "waits", "2026-05-04T10:04:19+00:00")
    assert (second.id, second.at, second.recipients, second.again_at) == (
        7, "2026-05-04T10:03:19+00:00", ("b@c.test",), "")


async def test_a_mail_is_handed_out_byte_for_byte_or_said_to_be_gone(world: World) -> None:
    await world.add()
    mails = box(world, LETTER)
    assert await mails.message("shop", MAIN, 7) == b"hello"
    with pytest.raises(NotFound, match=f"there is no mail 8 in the box of shop/{MAIN}"):
        await mails.message("shop", MAIN, 8)
    with pytest.raises(NotFound, match="has no environment next"):
        await mails.all("shop", "next")
