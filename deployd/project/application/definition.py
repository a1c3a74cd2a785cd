"""One application: the body of an app file or an item of `applications.yaml` (configuration format 4). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from deployd.project.application.build import read_build, read_dependencies, read_hooks
from deployd.project.application.crons import read_crons
from deployd.project.application.find import Definition
from deployd.project.application.installs import with_installs
from deployd.project.application.instance import INSTANCE_KEYS
from deployd.project.application.magento_recipe import with_recipe
from deployd.project.application.operations import read_operations, read_preflight, read_source_operations
from deployd.project.application.runtime import read_runtime
from deployd.project.application.stack import Kind, read_kind
from deployd.project.application.web import read_web
from deployd.project.application.workers import read_workers
from deployd.project.container.names import check_name
from deployd.project.fields.fields import Field, Fields
from deployd.project.fields.keys import Key, Table
from deployd.project.findings.spelling import shown
from deployd.project.model.application import Application, Runtime
from deployd.project.model.json import Json
from deployd.project.model.place import Place
from deployd.project.offered.runtimes import runtime_type
from deployd.project.relationship_targets import Targets
from deployd.project.tree.files import Files
from deployd.project.tree.tree import inside
from deployd.project.yaml.nodes import MapNode

APPLICATION = Table(
    "application",
    (
        Key(
            "name",
            "string",
            "lower-case letters, digits, `-` and `_`; unique in the project",
            "the key in `applications.yaml`",
        ),
        Key("type", "`runtime:version`", "the image that builds and runs it", "required"),
        Key(
            "stack",
            "list or mapping",
            "of `type: composable:…`: its first runtime is read as that `type`",
        ),
        *INSTANCE_KEYS,
        Key("source", "mapping", "where the code is"),
        Key("build", "mapping", "the flavor"),
        Key("dependencies", "mapping of mappings", "tools, installed before the build hook", "`{}`"),
        Key("hooks", "mapping", "scripts of the build and the deployment", "`{}`"),
        Key("web", "mapping", "how it is reached over HTTP", "`{}`"),
        Key("workers", "mapping", "processes without HTTP", "`{}`"),
        Key("crons", "mapping", "commands by the clock, run in the application's container", "`{}`"),
        Key("runtime", "mapping", "settings of the language", "`{}`"),
        Key(
            "operations",
            "mapping",
            "commands that people run on demand in the running container",
            "`{}`",
        ),
        Key(
            "preflight",
            "mapping",
            "there are no checks of known holes, to switch on or off",
            treatment="warned",
            hint="remove it, or keep it for another host",
        ),
    ),
    noun="an application",
    elsewhere={
        **dict.fromkeys(("locations", "commands", "upstream", "document_root"), "indent it below `web`"),
        **dict.fromkeys(("extensions", "disabled_extensions", "xdebug"), "indent it below `runtime`"),
        **dict.fromkeys(("deploy", "post_deploy"), "indent it below `hooks`"),
        **{
            name: f"put it into the file `{name}.yaml` of the configuration folder; for Upsun, to the top of the file"
            for name in ("services", "routes")
        },
        "flavor": "indent it below `build`",
        "root": "indent it below `source`",
        "env": "indent it below `variables`",
        "toolstack": "write `type: php:8.4` and `build: {flavor: composer}`, which took its place in 2015",
    },
)
SOURCE = Table(
    "source",
    (
        Key(
            "root",
            "path in the repository",
            "folder of the code; `/` is the repository's root",
            "the folder of the app file",
        ),
        Key(
            "operations",
            "mapping",
            "commands that change the code: what they commit is pushed",
            "`{}`",
        ),
    ),
    noun="`source`",
)


def read_application(definition: Definition, fields: Fields, files: Files, targets: Targets) -> Application | None:
    """The application, or None when it has no usable name or type."""
    name = _name(definition, fields)
    targets = replace(targets, own=name or definition.label)
    kind = read_kind(fields)
    runtime, version = (kind.runtime, kind.version) if kind else ("", "")
    root = _root(fields, definition, files)
    application = Application(
        name=name or definition.label,
        runtime_name=runtime,
        version=version,
        root=root,
        web=read_web(fields, runtime, targets),
        workers=read_workers(fields, targets),
        build=read_build(
            fields, runtime, lambda: _names_in(files, root), composed=kind is not None and kind.composed,
        ),
        dependencies=_dependencies(fields, kind),
        hooks=read_hooks(fields),
        runtime=_runtime(fields, kind),
        crons=read_crons(fields),
        source_operations=read_source_operations(fields.fields("source", SOURCE)),
        operations=read_operations(fields),
        preflight=read_preflight(fields),
        stack=kind.stack if kind else None,
        place=definition.name.place if definition.name else fields.place,
        type_place=type_field.place if (type_field := fields.get("type")) else fields.place,
        places=_places(fields),
    )
    return with_installs(with_recipe(application, files), files) if name and kind else None


def _dependencies(fields: Fields, kind: Kind | None) -> Mapping[str, Mapping[str, Json]]:
    """With what stands in for packages of a stack; what the file says itself goes before it."""
    written, beside = read_dependencies(fields), kind.dependencies if kind else {}
    return {
        language: {**beside.get(language, {}), **written.get(language, {})}
        for language in dict.fromkeys([*beside, *written])
    }


def _runtime(fields: Fields, kind: Kind | None) -> Runtime:
    name, version = (kind.runtime, kind.version) if kind else ("", "")
    runtime = read_runtime((kind and kind.settings) or fields.get("runtime"), name, version)
    extensions = kind.extensions if kind and runtime_type(name).extensions else ()
    return replace(runtime, extensions=(*runtime.extensions, *extensions))


def _names_in(files: Files, root: str) -> frozenset[str]:
    prefix = f"{root}/" if root else ""
    paths = (path.removeprefix(prefix) for path in files.tree.paths() if path.startswith(prefix))
    return frozenset(path for path in paths if "/" not in path)


def _places(fields: Fields) -> Mapping[str, Place]:
    found = {}
    for name in ("build", "dependencies", "runtime"):
        field = fields.get(name)
        if field is not None and isinstance(field.node, MapNode):
            found[name] = (field.name or field.node).place
            found |= {f"{name}.{entry.key.text}": entry.key.place for entry in field.node.entries}
    return found


def _name(definition: Definition, fields: Fields) -> str | None:
    field = fields.get("name")
    if field is not None and field.text() is None:
        return None
    if definition.name is None:
        fields.require("name", "say what the application is called: `name: app`")
        return None
    key = definition.name
    if field is not None and field.raw != key.text:
        field.wrong(
            "two-names",
            f"the application is called `{shown(key.text)}` by its key and `{shown(field.raw)}` here",
            "remove `name`, the key is the name",
            related=(key.place,),
        )
    return key.text if check_name(field or Field(key, fields.key, fields.findings), key.text) else None


def _root(fields: Fields, definition: Definition, files: Files) -> str:
    source = fields.fields("source", SOURCE)
    field = source.get("root") if source else None
    written = field.text() if field else None
    if field is None or written is None:
        return definition.default_root
    root = inside(written)
    if root is None:
        field.wrong(
            "outside-repository", f"`{shown(written)}` leads out of the repository", "write a path without `..`"
        )
        return definition.default_root
    if not files.tree.is_folder(root):
        field.wrong(
            "no-such-folder",
            f"there is no folder `{shown(root)}` in the commit",
            "write a path from the repository's root; `/` is the root itself",
        )
    elif files.tree.is_submodule(root):
        field.wrong(
            "not-supported",
            f"`{shown(root)}` is a submodule, and the root of an application must be a folder of this repository",
            "name the folder around it, and go into the submodule in the hooks and commands",
        )
    return root
