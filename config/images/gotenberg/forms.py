"""What a request's form says, as Chromium is told it. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

LENGTH = re.compile(r"([0-9]*\.?[0-9]+)(pt|px|in|mm|cm|pc)?")
INCHES = {"in": 1.0, None: 1.0, "pt": 1 / 72, "px": 1 / 96, "mm": 1 / 25.4, "cm": 1 / 2.54, "pc": 1 / 6}
DURATION = re.compile(r"([0-9]*\.?[0-9]+)(ms|s|m)?")
SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, None: 1e-9}
MOST_SECONDS = 60.0


class Wrong(Exception):
    """The form says something that cannot be done."""


@dataclass(frozen=True)
class Page:
    """How a page is opened, and when it is ready."""

    cookies: list[dict[str, Any]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    agent: str = ""
    media: str = ""
    wait_seconds: float = 0.0
    wait_expression: str = ""
    wait_idle: bool = False
    fails: tuple[int, ...] = ()
    """Statuses of the page itself with which the request fails; 499 stands for 400 to 499."""
    omit_background: bool = False
    fail_on_exceptions: bool = False


def page_of(form: Mapping[str, str]) -> Page:
    """
    Raises:
        Wrong: A value has the wrong shape.
    """
    headers = _json(form, "extraHttpHeaders", dict)
    if not all(isinstance(value, str) for value in headers.values()):
        raise Wrong("extraHttpHeaders: a mapping of texts is wanted")
    fails = _json(form, "failOnHttpStatusCodes", list) or [499, 599]
    if not all(isinstance(item, int) for item in fails):
        raise Wrong("failOnHttpStatusCodes: a list of numbers is wanted")
    media = form.get("emulatedMediaType", "")
    if media not in ("", "screen", "print"):
        raise Wrong("emulatedMediaType: screen or print is wanted")
    return Page(
        cookies=_json(form, "cookies", list), headers=headers, agent=form.get("userAgent", ""), media=media,
        wait_seconds=_seconds(form, "waitDelay"), wait_expression=form.get("waitForExpression", ""),
        wait_idle=not _boolean(form, "skipNetworkIdleEvent", True), fails=tuple(fails),
        omit_background=_boolean(form, "omitBackground", False),
        fail_on_exceptions=_boolean(form, "failOnConsoleExceptions", False),
    )


def fails(page: Page, status: int) -> bool:
    return status in page.fails or any(code % 100 == 99 and code - 99 <= status <= code for code in page.fails)


def pdf_of(form: Mapping[str, str], header: str, footer: str) -> dict[str, Any]:
    """Arguments of Page.printToPDF. Raises as `page_of`."""
    scale = _number(form, "scale", 1.0)
    if not 0.1 <= scale <= 2.0:
        raise Wrong("scale: 0.1 to 2.0 is wanted")
    return {
        "paperWidth": _inches(form, "paperWidth", 8.5), "paperHeight": _inches(form, "paperHeight", 11.0),
        **{name: _inches(form, name, 0.39) for name in ("marginTop", "marginBottom", "marginLeft", "marginRight")},
        "landscape": _boolean(form, "landscape", False), "scale": scale,
        "printBackground": _boolean(form, "printBackground", False),
        "preferCSSPageSize": _boolean(form, "preferCssPageSize", False),
        "generateDocumentOutline": _boolean(form, "generateDocumentOutline", False),
        "pageRanges": form.get("nativePageRanges", ""), "displayHeaderFooter": bool(header or footer),
        "headerTemplate": header or "<span></span>", "footerTemplate": footer or "<span></span>",
        "transferMode": "ReturnAsBase64",
    }


def picture_of(form: Mapping[str, str]) -> tuple[dict[str, Any], tuple[int, int]]:
    """(arguments of Page.captureScreenshot, width and height in pixels). Raises as `page_of`."""
    kind = form.get("format", "png")
    if kind not in ("png", "jpeg", "webp"):
        raise Wrong("format: png, jpeg or webp is wanted")
    arguments: dict[str, Any] = {"format": kind, "captureBeyondViewport": not _boolean(form, "clip", False)}
    if kind == "jpeg":
        arguments["quality"] = int(_number(form, "quality", 100))
    size = int(_number(form, "width", 800)), int(_number(form, "height", 600))
    if not all(1 <= side <= 10_000 for side in size):
        raise Wrong("width and height: 1 to 10000 is wanted")
    return arguments, size


def _inches(form: Mapping[str, str], name: str, otherwise: float) -> float:
    written = form.get(name, "").strip()
    found = LENGTH.fullmatch(written) if written else None
    if written and found is None:
        raise Wrong(f"{name}: {written[:40]!r} is no length, as 8.5, 210mm or 72pt")
    return float(found[1]) * INCHES[found[2]] if found else otherwise


def _seconds(form: Mapping[str, str], name: str) -> float:
    written = form.get(name, "").strip()
    found = DURATION.fullmatch(written) if written else None
    if written and found is None:
        raise Wrong(f"{name}: {written[:40]!r} is no time, as 500ms or 2s")
    return min(float(found[1]) * SECONDS[found[2]], MOST_SECONDS) if found else 0.0


def _number(form: Mapping[str, str], name: str, otherwise: float) -> float:
    written = form.get(name, "").strip()
    try:
        return float(written) if written else otherwise
    except ValueError:
        raise Wrong(f"{name}: {written[:40]!r} is no number") from None


def _boolean(form: Mapping[str, str], name: str, otherwise: bool) -> bool:
    written = form.get(name, "").strip().lower()
    if written not in ("", "true", "false", "1", "0"):
        raise Wrong(f"{name}: true or false is wanted")
    return written in ("true", "1") if written else otherwise


def _json(form: Mapping[str, str], name: str, kind: type) -> Any:
    written = form.get(name, "")
    if not written:
        return kind()
    try:
        found = json.loads(written)
    except (ValueError, RecursionError):
        raise Wrong(f"{name}: JSON is wanted") from None
    if not isinstance(found, kind):
        raise Wrong(f"{name}: a JSON {'mapping' if kind is dict else 'list'} is wanted")
    return found
