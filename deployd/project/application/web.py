"""`web`: commands, upstream and what the web server does with it (configuration format 4.8). Pure."""

from __future__ import annotations

from typing import Literal, cast

from deployd.project.application.commands import COMMANDS, read_commands
from deployd.project.application.instance import INSTANCE_KEYS, Scope, read_instance
from deployd.project.application.legacy_web import LEGACY_KEYS, read_legacy_location
from deployd.project.application.locations import read_locations
from deployd.project.fields.fields import Fields
from deployd.project.fields.keys import Key, Table
from deployd.project.model.application import Commands, Web
from deployd.project.model.place import Place
from deployd.project.model.web import Location
from deployd.project.offered.runtime_type import Server
from deployd.project.offered.runtimes import runtime_type
from deployd.project.relationship_targets import Targets

WEB = Table(
    "web",
    (
        Key("commands", "mapping", "the process that serves"),
        Key("upstream", "mapping", "how the web server reaches it"),
        Key("locations", "mapping of paths", "what is served how", "all to the process"),
        *INSTANCE_KEYS,
        *LEGACY_KEYS,
    ),
    noun="`web`",
)
UPSTREAM = Table(
    "web.upstream",
    (
        Key(
            "socket_family",
            "`tcp` or `unix`",
            "`tcp`: the port in `PORT`; `unix`: the path in `SOCKET`",
            "`tcp`; PHP `unix`",
        ),
        Key("protocol", "`http` or `fastcgi`", default="`http`; PHP `fastcgi`"),
    ),
    noun="`upstream`",
)


def read_web(application: Fields, runtime: str, targets: Targets) -> Web:
    """The web instance, defaults of the runtime filled in."""
    fields = application.fields("web", WEB)
    server = runtime_type(runtime).server
    commands = read_commands(fields, start_needed=server is None, table=COMMANDS) if fields else Commands()
    family, protocol = _upstream(fields, server, commands)
    instance = read_instance(Scope(fields, application), commands, targets)
    place = fields.place if fields else Place(application.place.file, application.place.line, application.place.column)
    return Web(instance, family, protocol, _locations(fields, server, commands), place)


def _upstream(
    fields: Fields | None, server: Server | None, commands: Commands
) -> tuple[Literal["tcp", "unix"], Literal["http", "fastcgi"]]:
    upstream = fields.fields("upstream", UPSTREAM) if fields else None
    family: str = server.socket_family if server else "tcp"
    protocol: str = server.protocol if server else "http"
    if upstream is not None:
        family_field, protocol_field = upstream.get("socket_family"), upstream.get("protocol")
        family = (family_field.one_of(("tcp", "unix")) if family_field else None) or family
        protocol = (protocol_field.one_of(("http", "fastcgi")) if protocol_field else None) or protocol
        if protocol_field is not None and server and protocol != server.protocol and not commands.start:
            protocol_field.warn(
                "not-together",
                f"{server.title} speaks `{server.protocol}` and no `{protocol}`, so no request will be answered",
                "remove `protocol`, or name a program that speaks HTTP under `commands: {start: …}`",
            )
    return cast(Literal["tcp", "unix"], family), cast(Literal["http", "fastcgi"], protocol)


def _locations(fields: Fields | None, server: Server | None, commands: Commands) -> tuple[Location, ...]:
    if fields is not None:
        legacy = read_legacy_location(fields)
        if legacy is not None:
            return (legacy,)
        locations = fields.get("locations")
        if locations is not None:
            return read_locations(locations)
    if server is None and commands.start:
        return (Location("/", passthru=True),)
    return ()
