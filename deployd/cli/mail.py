"""`deployd mail`: what an environment's applications sent and that lies here, listed or read."""

from __future__ import annotations

import sys
from contextlib import suppress
from email import message_from_bytes, policy
from email.message import MIMEPart

import click

from deployd.cli.client import DaemonAddress, environment_path
from deployd.cli.command import ask, daemon_options, json_option
from deployd.cli.output import harmless, show

COLUMNS = ("id", "at", "state", "sender", "to", "subject", "why")
HEADERS = ("Date", "From", "To", "Cc", "Reply-To", "Subject")


@click.command()
@daemon_options
@json_option
@click.option("--raw", is_flag=True, help="The mail byte for byte, for a mail program.")
@click.argument("project")
@click.argument("environment")
@click.argument("id", metavar="[ID]", type=click.IntRange(min=1), required=False)
def mail(daemon: DaemonAddress, as_json: bool, raw: bool, project: str, environment: str, id: int | None) -> None:
    """Mails that an environment's applications sent and that lie here, newest first.

    With ID, one of them. Mails of all environments but production lie in the box, and those of production that the
    relay has not taken.
    """
    path, number = environment_path(project, environment, "mail"), id   # `id` as people read it
    if number is None:
        found = ask(daemon, lambda client: client.get(path))["items"]
        people = [{**item, "at": item["at"][:19].replace("T", " "), "to": ", ".join(item["recipients"])}
                  for item in found]
        show(found if as_json else people, COLUMNS, as_json=as_json)
        return
    message = ask(daemon, lambda client: client.get_bytes(f"{path}/{number}"))
    if raw:
        sys.stdout.buffer.write(message)
        return
    for line in lines_of(message):
        click.echo(harmless(line))


def lines_of(message: bytes) -> list[str]:
    """A mail for people: its usual headers, its text, and what else is in it; byte for byte when it cannot be read."""
    try:
        lines = _read(message)
    except (ValueError, LookupError, AttributeError, RecursionError):   # Python's own parser stumbles over some
        lines = message.decode(errors="replace").splitlines()
    return [line.encode(errors="replace").decode() for line in lines]   # UTF-7 may give halves of characters


def _read(message: bytes) -> list[str]:
    found = message_from_bytes(message, policy=policy.default)
    lines = [f"{name}: {found[name]}" for name in HEADERS if found[name]]
    body = found.get_body(("plain", "html"))
    if body is not None:
        lines += ["", *_text_of(body).splitlines()]
    parts = [part for part in found.walk() if part is not body and not part.is_multipart()]
    if parts:
        lines += ["", *(f"[{part.get_content_type()} {part.get_filename() or ''}]" for part in parts)]
    return lines


def _text_of(part: MIMEPart) -> str:
    if part.get_content_charset() is not None:
        with suppress(LookupError, ValueError):   # a character set that nobody knows
            return str(part.get_content())
    content = part.get_payload(decode=True)
    return content.decode(errors="replace") if isinstance(content, bytes) else ""
