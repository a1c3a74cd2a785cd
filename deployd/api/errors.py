"""What a caller of the API is told when something cannot be had or done: JSON, {code, what, where, hint}."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from aiohttp import web

from deployd.access.errors import NotFound
from deployd.errors import DeployError, Unusable
from deployd.http.errors import Handler, headers_of, status_of, with_errors_told


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorShape:
    """Why something cannot be had or done."""

    code: str
    """Stable; for programs."""
    what: str
    where: str
    hint: str
    evidence: tuple[str, ...]


def told(error: DeployError) -> web.Response:
    """An expected error as an answer."""
    body = ErrorShape(
        code=error.code, what=error.what, where=error.where, hint=error.hint, evidence=tuple(error.evidence),
    )
    return web.json_response(asdict(body), status=status_of(error), headers=headers_of(error))


@web.middleware
async def errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every error of the API as JSON."""
    try:
        return await with_errors_told(request, handler, told)
    except web.HTTPException as error:
        if error.status < 400 or not _is_ours(request):
            raise
        return _unroutable(request, error)


def _is_ours(request: web.Request) -> bool:
    """Git and webhooks answer in words that their callers know; all else is the API's."""
    return request.match_info.http_exception is not None or request.path.startswith("/api/")


def _unroutable(request: web.Request, error: web.HTTPException) -> web.Response:
    what = {
        404: f"there is nothing at {request.path}",
        405: f"{request.path} does not take {request.method}",
    }.get(error.status, error.reason)
    kind = NotFound if error.status == 404 else Unusable
    answer = told(kind(what, where=request.path, hint="GET /api/v1/openapi.json lists what there is"))
    answer.set_status(error.status)
    if "Allow" in error.headers:
        answer.headers["Allow"] = error.headers["Allow"]
    return answer
