"""A page, fetched through the router as a visitor gets it, and its text."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

import aiohttp

from scripts.load import VERSION_HEADER, LoopbackOnly


@dataclass(frozen=True, slots=True)
class Page:
    """An answer of the router."""

    status: int
    version: str | None
    text: str


async def fetch(url: str, limit_seconds: float = 70) -> Page:
    timeout = aiohttp.ClientTimeout(total=limit_seconds)
    connector = aiohttp.TCPConnector(resolver=LoopbackOnly())
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session, session.get(url) as answer:
        return Page(answer.status, answer.headers.get(VERSION_HEADER), await answer.text(errors="replace"))


def essential_lines(page: Page, most: int = 28) -> list[str]:
    """What a person would read first: the text without markup, forms and products; a pair of a list on one line."""
    text = re.sub(r"(?s)<(style|script|form|article)\b.*?</\1>", "", page.text)
    text = re.sub(r"</dt>\s*<dd>", ": ", text)
    text = re.sub(r"</(dd|li|p|h\d|tr|div)>", "\n", text)
    lines = [re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", line))).strip() for line in text.splitlines()]
    return [line[:110] for line in lines if line][:most]
