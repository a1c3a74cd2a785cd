"""The Chromium routes of Gotenberg 8: pages, HTML and Markdown become PDF or pictures.

    POST /forms/chromium/convert/{url,html,markdown}       GET /health
    POST /forms/chromium/screenshot/{url,html,markdown}    GET /version

What LibreOffice does, and what is done to a PDF that is there already, is not here: such a route answers 404 in words.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import markdown
from aiohttp import BodyPartReader, web
from browser import Browser, Failed, running, tab
from forms import Wrong, page_of, pdf_of, picture_of

AT_ONCE, LIMIT_SECONDS = 4, 90.0
LARGEST_BODY, MOST_PARTS, LARGEST_FIELD = 64 << 20, 500, 1 << 20
FILE_NAME = re.compile(r"[^/\0]{1,200}")
TO_HTML = re.compile(r"""\{\{-?\s*toHTML\s+["']([^"'/]{1,200})["']\s*-?\}\}""")
BROWSER = web.AppKey("browser", Browser)
TURNS = web.AppKey("turns", asyncio.Semaphore)
KINDS = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}


async def health(request: web.Request) -> web.Response:
    up = not request.app[BROWSER].ended.is_set()
    details = {"chromium": {"status": "up" if up else "down"}}
    return web.json_response({"status": "up" if up else "down", "details": details}, status=200 if up else 503)


async def version(request: web.Request) -> web.Response:
    return web.Response(text="8 (the Chromium routes, by deployd)")


async def convert(request: web.Request) -> web.Response:
    with tempfile.TemporaryDirectory(prefix="page-") as folder:
        form, names = await _read(request, Path(folder))
        page, url = page_of(form), _url(request.match_info["source"], form, Path(folder), names)
        arguments = pdf_of(form, _text(Path(folder), "header.html"), _text(Path(folder), "footer.html"))
        async with request.app[TURNS], tab(request.app[BROWSER], folder if names else "") as opened:
            await opened.open(url, page)
            return _answer(request, await opened.pdf(arguments), "application/pdf", "pdf")


async def screenshot(request: web.Request) -> web.Response:
    with tempfile.TemporaryDirectory(prefix="page-") as folder:
        form, names = await _read(request, Path(folder))
        page, url = page_of(form), _url(request.match_info["source"], form, Path(folder), names)
        arguments, size = picture_of(form)
        async with request.app[TURNS], tab(request.app[BROWSER], folder if names else "") as opened:
            await opened.open(url, page)
            picture = await opened.picture(arguments, size)
            return _answer(request, picture, KINDS[arguments["format"]], arguments["format"])


def _answer(request: web.Request, body: bytes, kind: str, ending: str) -> web.Response:
    name = re.sub(r"[^\w.-]", "_", request.headers.get("Gotenberg-Output-Filename", "")[:100]) or "result"
    trace = re.sub(r"[^\w.-]", "_", request.headers.get("Gotenberg-Trace", "")[:100])
    return web.Response(body=body, content_type=kind, headers={
        "Content-Disposition": f"attachment; filename={name}.{ending}", **({"Gotenberg-Trace": trace} if trace else {}),
    })


async def _read(request: web.Request, folder: Path) -> tuple[dict[str, str], set[str]]:
    """(its fields, the names of its files, which lie in the folder)"""
    if not request.content_type.startswith("multipart/form-data"):
        raise Wrong("multipart/form-data is wanted")
    form: dict[str, str] = {}
    names: set[str] = set()
    left, parts = LARGEST_BODY, 0
    async for part in await request.multipart():
        parts += 1
        if not isinstance(part, BodyPartReader) or parts > MOST_PARTS:
            raise Wrong(f"at most {MOST_PARTS} plain parts are taken")
        name = part.filename
        if name is not None and (not FILE_NAME.fullmatch(name) or name in (".", "..")):
            raise Wrong("a file's name is one without a path")
        left = await _take(part, folder / name if name else None, form, left)
        names |= {name} if name else set()
    return form, names


async def _take(part: BodyPartReader, file: Path | None, form: dict[str, str], left: int) -> int:
    data = bytearray()
    while chunk := await part.read_chunk(65_536):
        left -= len(chunk)
        data += chunk
        if left < 0 or (file is None and len(data) > LARGEST_FIELD):
            raise web.HTTPRequestEntityTooLarge(max_size=LARGEST_BODY, actual_size=LARGEST_BODY + 1)
    if file is None:
        form[part.name or ""] = data.decode(errors="replace")
    else:
        await asyncio.to_thread(file.write_bytes, bytes(data))
    return left


def _url(source: str, form: dict[str, str], folder: Path, names: set[str]) -> str:
    if source == "url":
        url = form.get("url", "")
        if urlsplit(url).scheme not in ("http", "https"):
            raise Wrong("url: one that begins with http:// or https:// is wanted")
        return url
    if "index.html" not in names:
        raise Wrong("a file index.html is wanted")
    if source == "markdown":
        index = folder / "index.html"
        index.write_text(TO_HTML.sub(lambda found: _html(folder, found[1], names), index.read_text(errors="replace")))
    return (folder / "index.html").as_uri()


def _html(folder: Path, name: str, names: set[str]) -> str:
    if name not in names:
        raise Wrong(f"the file {name[:80]!r}, which index.html names, was not sent")
    return markdown.markdown((folder / name).read_text(errors="replace"), extensions=["extra"])


def _text(folder: Path, name: str) -> str:
    file = folder / name
    return file.read_text(errors="replace") if file.is_file() else ""


@web.middleware
async def in_words(request: web.Request, handler: object) -> web.StreamResponse:
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            return await handler(request)   # type: ignore[operator, no-any-return]
    except Wrong as error:
        return web.Response(status=400, text=f"{error}\n")
    except TimeoutError:
        return web.Response(status=503, text=f"the page was not ready after {LIMIT_SECONDS:.0f} s\n")
    except Failed as error:
        down = request.app[BROWSER].ended.is_set()
        return web.Response(status=503 if down else 400, text=f"Chromium: {error}\n")
    except web.HTTPNotFound:
        return web.Response(status=404, text="there are the routes below /forms/chromium, /health and /version\n")


async def _with_browser(app: web.Application) -> AsyncIterator[None]:
    async with running() as browser:
        app[BROWSER], app[TURNS] = browser, asyncio.Semaphore(AT_ONCE)
        ending = asyncio.ensure_future(_end_with(browser))   # noqa: TID251  ended below
        yield
        ending.cancel()


async def _end_with(browser: Browser) -> None:
    """Without its browser the server is of no use: its container starts both anew."""
    await browser.ended.wait()
    sys.stderr.write("Chromium has ended\n")
    sys.stderr.flush()
    os._exit(1)


def main() -> None:
    app = web.Application(middlewares=[in_words], client_max_size=LARGEST_BODY)
    app.cleanup_ctx.append(_with_browser)
    app.add_routes([
        web.get("/health", health), web.get("/version", version),
        web.post("/forms/chromium/convert/{source:url|html|markdown}", convert),
        web.post("/forms/chromium/screenshot/{source:url|html|markdown}", screenshot),
    ])
    web.run_app(app, port=3000, access_log=None, print=None)


if __name__ == "__main__":
    main()
