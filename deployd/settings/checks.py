"""What the operator wants a release to pass before it counts: smoke tests, and a look at its visitors for a while."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from deployd.settings import valid
from deployd.settings.frozen import Frozen

OnBadRelease = Literal["report", "revert"]
"""`report`: a bad release is told and stays live. `revert`: the version before comes back by itself."""

MOST_TESTS, MOST_HEADERS = 20, 20
LONGEST_TEXT, LONGEST_COMMAND, LONGEST_PATTERN = 1_000, 10_000, 500
PATH = re.compile(r"/[\x21-\x7e]{0,1999}")
HOST = r"^[A-Za-z0-9._{}-]{0,253}$"
"""As the routes have it, or as the project's files write it (`www.{default}`); no other host is ever asked."""
HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
HEADERS_OF_OURS = frozenset({"host", "connection", "content-length", "transfer-encoding", "upgrade", "te", "trailer"})
"""What says where a request goes and where it ends is not for a test to say."""


def _as_list(value: object) -> object:
    """`status: 204` is short for `status: [204]`."""
    return [value] if isinstance(value, int) and not isinstance(value, bool) else value


class SmokeTest(Frozen):
    """A request, or a command; docs/checks.md has the meaning of each key."""

    path: str = ""
    method: Literal["GET", "HEAD", "POST", "OPTIONS"] = "GET"
    host: Annotated[str, Field(pattern=HOST)] = ""
    headers: dict[str, str] = Field(default_factory=dict, max_length=MOST_HEADERS)
    body: str = Field("", max_length=LONGEST_COMMAND)
    command: str = Field("", max_length=LONGEST_COMMAND)
    app: str = ""
    status: Annotated[tuple[Annotated[int, Field(ge=0, le=999)], ...], BeforeValidator(_as_list)] = ()
    contains: str = Field("", max_length=LONGEST_TEXT)
    matches: str = Field("", max_length=LONGEST_PATTERN)
    answer_headers: dict[str, str] = Field(default_factory=dict, max_length=MOST_HEADERS)
    timeout_seconds: int = Field(10, ge=1, le=60)
    before_switch: bool = False

    @field_validator("path")
    @classmethod
    def _path_is_one_of_this_host(cls, value: str) -> str:
        if value and (not PATH.fullmatch(value) or value.startswith("//")):
            raise ValueError(f"{value!r} is no path, as /health; the host stands in `host`")
        return value

    @field_validator("headers", "answer_headers")
    @classmethod
    def _headers_can_be_sent(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            if not HEADER.fullmatch(name) or name.lower() in HEADERS_OF_OURS:
                raise ValueError(f"{name!r} is no header that a test can name")
            valid.line(text)
        return value

    @field_validator("matches")
    @classmethod
    def _pattern_is_one(cls, value: str) -> str:
        try:
            re.compile(value)
        except (re.error, RecursionError, OverflowError) as error:
            raise ValueError(f"{value!r} is no regular expression: {error}") from None
        return value

    @model_validator(mode="after")
    def _is_a_request_or_a_command(self) -> SmokeTest:
        if bool(self.path) == bool(self.command):
            raise ValueError("a smoke test has either `path`, which is asked for, or `command`, which is run")
        return self


class CheckSettings(Frozen):
    """Of all environments, of a project, or of one branch; what is not said is as the next wider one says."""

    smoke: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$")], SmokeTest] = Field(
        default_factory=dict, max_length=MOST_TESTS,
    )
    """{name: test}; those of several levels count together, of one name the narrower one."""
    watch_seconds: int | None = Field(None, ge=5, le=1800)
    on_bad_release: OnBadRelease | None = None
    """None everywhere, and no smoke test: nothing is watched."""
