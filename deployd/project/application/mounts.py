"""`mounts`: folders that stay writable, in the old string form and the new one (configuration format 4.7). Pure."""

from __future__ import annotations

from typing import Literal, cast

from deployd.project.fields.fields import Field
from deployd.project.fields.keys import Key, Table
from deployd.project.findings.spelling import guess, listed, nearest, shown
from deployd.project.model.application import Mount
from deployd.project.offered.services import WITHOUT_CONTAINER
from deployd.project.relationship_targets import Targets
from deployd.project.tree.tree import inside
from deployd.project.yaml.nodes import ScalarNode

MOUNT = Table(
    "mounts.<path>",
    (
        Key(
            "source",
            "`local`, `storage`, `service` or `tmp`",
            "`local` is the instance's own, `storage` the application's: its workers have the same; "
            "`tmp` begins empty with each deployment; `instance` is read as `local`, `temporary` as `tmp`",
            "required",
        ),
        Key("source_path", "path in the volume", '`""` is the whole volume', "the mount's own path"),
        Key(
            "service",
            "name of a service or application",
            "with `service`: of a `network-storage`; with `storage`: of the application whose storage it is",
            "with `storage`: the application itself",
        ),
    ),
    noun="a mount",
)
LONGEST_PATH = 1_000
"""Bytes. It stands in the kernel's list of mounts, of which Docker takes no line over 65,536."""
_TOO_LONG = (f"the path has more than {LONGEST_PATH:,} bytes", "use a shorter one")
SOURCES = {
    "local": "local", "service": "service", "storage": "storage", "tmp": "tmp", "instance": "local", "temporary": "tmp",
}


def read_mounts(field: Field | None, targets: Targets) -> tuple[Mount, ...]:
    """Every mount; two that stand inside each other are found."""
    if field is None:
        return ()
    found: list[tuple[Mount, Field]] = []
    for name, entry in field.entries(dots="write a slash in front of it, as in `/.cache`"):
        mount = _read_one(name, entry, targets)
        if mount is not None:
            found.append((mount, entry))
    _check_nesting(found)
    return tuple(mount for mount, _ in found)


def _read_one(name: str, field: Field, targets: Targets) -> Mount | None:
    path = inside(name)
    if path is not None and _is_too_long(path):
        field.wrong_name("bad-path", *_TOO_LONG)
        path = ""
    elif not path:
        field.wrong_name(
            "outside-application" if path is None else "bad-path",
            f"`{shown(name)}` is not a folder inside the application",
            "write a path like `var/cache`",
        )
        path = ""
    if isinstance(field.node, ScalarNode) and not field.is_null():
        return _read_legacy(path, field)
    fields = field.fields(MOUNT)
    if fields is None:
        return None
    source_field = fields.require("source", "add `source: local`, `storage`, `service` or `tmp`")
    source = source_field.text() if source_field else None
    if source_field is None or source is None:
        return None
    if source not in SOURCES:
        source_field.wrong("not-allowed", f"`{shown(source)}` is not a source of mounts", guess(source, tuple(SOURCES)))
        return None
    kind = cast(Literal["local", "service", "storage", "tmp"], SOURCES[source])
    path_field, service_field = fields.get("source_path"), fields.get("service")
    written = path_field.text() if path_field else None
    source_path = path if written is None else inside(written)
    if path_field is not None and source_path is None:
        path_field.wrong("bad-path", f"`{shown(written or '')}` leads out of the volume", "write a path without `..`")
    elif path_field is not None and source_path is not None and _is_too_long(source_path):
        path_field.wrong("bad-path", *_TOO_LONG)
    service = None
    if kind == "service":
        service = _service(service_field, targets)
        if fields.require("service", "name a `network-storage` service") is None or service is None:
            return None
    elif kind == "storage":
        service = _whose_storage(service_field, targets)
    elif service_field is not None:
        service_field.wrong_name(
            "not-together",
            f"`service` has no meaning with `source: {source}`",
            "remove it, or write `source: service`",
        )
    if source_path is None:
        return None
    return Mount(path, kind, source_path, service, field.place)


def _read_legacy(path: str, field: Field) -> Mount | None:
    """`shared:files/media` is `{source: local, source_path: media}`: configuration format 4.7."""
    written = field.text()
    if written is None:
        return None
    kind, _, volume_path = written.partition(":")
    volume, _, source_path = volume_path.partition("/")
    inner = inside(source_path)
    if kind != "shared" or volume != "files" or inner is None:
        field.wrong(
            "not-allowed",
            f"`{shown(written)}` is not a mount",
            f"write `{{source: local, source_path: {path}}}`, or in the old form `shared:files/{path}`",
        )
        return None
    if _is_too_long(inner):
        field.wrong("bad-path", *_TOO_LONG)
    return Mount(path, "local", inner, None, field.place)


def _is_too_long(path: str) -> bool:
    return len(path.encode()) > LONGEST_PATH


def _service(field: Field | None, targets: Targets) -> str | None:
    name = None if field is None else field.text()
    if field is None or name is None:
        return None
    if name not in targets.services:
        if targets.complete:
            storages = [item.name for item in targets.services.values() if item and item.kind in WITHOUT_CONTAINER]
            near = nearest(name, storages)
            hint = (
                f"did you mean `{near}`?"
                if near
                else f"define it in {targets.dialect.file_of('services')} with a `type: network-storage:1.0`"
            )
            field.wrong("no-such-service", f"there is no service `{shown(name)}`", hint)
        return None
    service = targets.services[name]
    if service is not None and service.kind not in WITHOUT_CONTAINER:
        field.wrong(
            "not-a-storage",
            f"`{name}` is `{service.type}`, and only a `network-storage` can be mounted",
            "define a service of that type",
            related=(service.place,),
        )
        return None
    return name


def _whose_storage(field: Field | None, targets: Targets) -> str:
    """The application whose storage a mount is of: its own, or one that it names."""
    name = targets.own if field is None else field.text()
    if field is not None and name is not None and name not in targets.applications and targets.complete:
        near = nearest(name, targets.applications)
        field.wrong(
            "no-such-service",
            f"there is no application `{shown(name)}`, whose storage this could be",
            f"did you mean `{near}`?" if near else "name an application, or remove it for the storage of its own",
        )
    return name or targets.own


def _check_nesting(found: list[tuple[Mount, Field]]) -> None:
    """What is shared cannot hold what is an instance's own: the manual's only bound on mounts inside others."""
    by_path: dict[str, tuple[Mount, Field]] = {}
    for mount, field in sorted(found, key=lambda item: item[0].path):
        if mount.path in by_path:
            field.wrong_name(
                "same-mount",
                f"`{mount.path}` is mounted twice",
                "keep one of the two",
                related=(by_path[mount.path][1].place,),
            )
            continue
        by_path[mount.path] = (mount, field)
        parts = mount.path.split("/")
        for count in range(1, len(parts)):
            outer = by_path.get("/".join(parts[:count]))
            if outer is None:
                continue
            same = (outer[0].source, outer[0].service) == (mount.source, mount.service)
            if outer[0].source == "service" and not same:
                field.wrong_name(
                    "nested-mount",
                    f"the mount `{mount.path}` stands inside the mount `{outer[0].path}`, which is shared",
                    f"mount {listed([mount.path, outer[0].path], 'and')} side by side, or only the outer one",
                    related=(outer[1].place,),
                )
            else:
                field.warn_name(
                    "nested-mount",
                    f"the mount `{mount.path}` stands inside the mount `{outer[0].path}`",
                    "the outer one alone would do" if same else "it hides what the outer one has there",
                )
