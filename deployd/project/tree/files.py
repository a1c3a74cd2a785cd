"""The configuration files of a commit: which there are, in which dialect, and their documents. Pure: it reads a `Tree`.

Symbolic links are never followed. What the tree raises itself passes through untouched.
"""

from __future__ import annotations

from collections.abc import Iterable

from deployd.project.findings.findings import Findings
from deployd.project.model.checks import CHECKS_FILE
from deployd.project.model.dialect import DIALECTS, PLATFORMSH, UPSUN, Dialect, is_merged_file
from deployd.project.model.place import Place
from deployd.project.tree.tree import Tree
from deployd.project.yaml.decoding import decode
from deployd.project.yaml.loader import load_yaml
from deployd.project.yaml.nodes import Node

ATTRIBUTES = ".gitattributes"
FOLDER_FILES = ("applications.yaml", "services.yaml", "routes.yaml")
MOST_APPLICATIONS = 100


class Files:
    """Reads files of the tree once, and remembers which it read."""

    def __init__(self, tree: Tree, findings: Findings) -> None:
        self.tree = tree
        self.findings = findings
        self.used: list[str] = []
        self.config_paths = _config_paths(tree.paths())
        self._warn_of_yml()

    def _warn_of_yml(self) -> None:
        for path in sorted(path for path in self.config_paths if path.endswith(".yml"))[:10]:
            self.findings.warn(
                "yml-not-read",
                Place(path),
                "the file is not read: only names that end in `.yaml` are",
                f"call it {path[:-4]}.yaml",
            )

    def bytes_of(self, path: str) -> bytes | None:
        """Bytes of a file, or None when there is none; links are none."""
        if self.link_in(path):
            return None
        try:
            data = self.tree.read(path)
        except FileNotFoundError:
            return None
        if path not in self.used:
            self.used.append(path)
        return data

    def link_in(self, path: str) -> str | None:
        """The first part of a path that is a symbolic link."""
        parts = path.split("/")
        for count in range(1, len(parts) + 1):
            part = "/".join(parts[:count])
            if self.tree.is_link(part):
                return part
        return None

    def document(self, path: str, findings: Findings | None = None) -> Node | None:
        """The YAML document of a configuration file that exists; None with a finding when it cannot be read."""
        findings = findings or self.findings
        data = self.bytes_of(path)
        if data is None:
            findings.error(
                "symbolic-link",
                Place(path),
                "the file is a symbolic link, and links are not followed",
                "commit the file itself",
            )
            return None
        text = decode(data, path, findings)
        return None if text is None else load_yaml(text, path, findings)

    def merged_files(self, dialect: Dialect) -> list[str]:
        """Every file of the folder of a dialect that is one document, by name."""
        return sorted(path for path in self.config_paths if is_merged_file(path, dialect))

    def app_files(self, dialect: Dialect) -> list[str]:
        return [path for path in self.config_paths if path.rsplit("/", 1)[-1] == dialect.app_file]

    def folder_file(self, dialect: Dialect, name: str) -> str | None:
        """Path of `services.yaml` and the like when the commit has it."""
        path = f"{dialect.folder}/{name}"
        return path if path in self.config_paths else None


def choose_dialect(files: Files, wished: Dialect | None) -> Dialect:
    """The project's setting; without one, the spelling that is there, and of several the one that `_preferred` says."""
    present = [dialect for dialect in DIALECTS.values() if _is_present(files, dialect)]
    if wished is not None:
        if present and wished not in present:
            other = present[0]
            files.findings.warn(
                "other-dialect",
                Place(_first_path(files, other)),
                f"this is written for {other.name}, the project is set to {wished.name}",
                f"set the project's `dialect` to `{other.name}`, or rename the files",
            )
        return wished
    if len(present) < 2:
        return present[0] if present else PLATFORMSH
    chosen = _preferred(files, present)
    for other in present:
        if other != chosen:
            files.findings.warn(
                "two-dialects",
                Place(_first_path(files, other)),
                f"the repository has files of several spellings; {chosen.files} are read, these are not",
                f"remove the files that are not used, or set the project's `dialect` to `{other.name}`",
            )
    return chosen


def _preferred(files: Files, present: list[Dialect]) -> Dialect:
    """Of the older spellings the one with a `routes.yaml`; Upsun's where no other one is a project's own.

    So a project that is deployed goes on as it is when files for Upsun come beside its own.
    """
    older = [dialect for dialect in present if dialect != UPSUN]
    if UPSUN in present and not any(_is_of_project(files, dialect) for dialect in older):
        return UPSUN
    with_routes = [dialect for dialect in older if files.folder_file(dialect, "routes.yaml")]
    at_root = [dialect for dialect in older if dialect.app_file in files.config_paths]
    return with_routes[0] if len(with_routes) == 1 else at_root[0] if at_root else older[0]


def _config_paths(paths: Iterable[str]) -> frozenset[str]:
    """What of all paths can be configuration; a repository may have a hundred thousand files."""
    merged = [dialect for dialect in DIALECTS.values() if dialect.is_merged]
    separate = [dialect for dialect in DIALECTS.values() if not dialect.is_merged]
    names = [name for dialect in separate for name in (dialect.app_file, dialect.tool_file) if name]
    by_name = (*names, *(f"{name[:-5]}.yml" for name in names), ATTRIBUTES)
    folder_names = [f"{dialect.folder}/{name}" for dialect in separate for name in FOLDER_FILES]
    folder_files = {*folder_names, *(f"{name[:-5]}.yml" for name in folder_names)}
    return frozenset(
        path
        for path in paths
        if (path.endswith(by_name) and path.rsplit("/", 1)[-1] in by_name)
        or path in folder_files
        or path in (CHECKS_FILE, f"{CHECKS_FILE[:-5]}.yml")
        or any(is_merged_file(path, dialect, (".yaml", ".yml")) for dialect in merged)
    )


def _is_present(files: Files, dialect: Dialect) -> bool:
    if dialect.is_merged:
        return bool(files.merged_files(dialect))
    return bool(files.app_files(dialect)) or any(files.folder_file(dialect, name) for name in FOLDER_FILES)


def _is_of_project(files: Files, dialect: Dialect) -> bool:
    """Whether there is an application, and something at the root: one deep in the tree may be somebody's example."""
    if dialect.app_file in files.config_paths or files.folder_file(dialect, "applications.yaml"):
        return True
    return bool(files.app_files(dialect)) and any(files.folder_file(dialect, name) for name in FOLDER_FILES)


def _first_path(files: Files, dialect: Dialect) -> str:
    if dialect.is_merged:
        return files.merged_files(dialect)[0]
    of_folder = [path for name in FOLDER_FILES if (path := files.folder_file(dialect, name))]
    return sorted([*files.app_files(dialect), *of_folder], key=lambda path: (path.count("/"), path))[0]
