"""No code works by path in a folder that a container can write into: docs/security.md, "Files of tenants".

Every place in the rooms below that opens, writes, lists or removes something by path is named here, with whose folder
it is. Who adds one has to say so here, or goes through `deployd/confined`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

SOURCES = Path(__file__).parent.parent.parent / "deployd"
ROOMS = (
    "activity", "deployment", "engine", "git", "inside", "output", "release", "runtimes", "services", "slugs", "upkeep",
)
CALLS = frozenset({
    "open", "read_text", "read_bytes", "write_text", "write_bytes", "touch", "mkdir", "makedirs", "rename", "unlink",
    "rmdir", "rmtree", "symlink_to", "hardlink_to", "link", "symlink", "chown", "lchown", "chmod", "lchmod", "utime",
    "walk", "fwalk", "scandir", "listdir", "iterdir", "glob", "rglob", "copy", "copy2", "copyfile", "copytree", "move",
    "mkfifo", "mknod", "truncate", "statvfs", "stat", "lstat", "exists", "is_file", "is_dir", "is_symlink", "readlink",
    "resolve", "lexists", "setxattr",
})
WHOSE = {
    "activity/log.py": ("mkdir open",
        "logs/, root's"),
    "activity/memory.py": ("read_text",
        "/proc/meminfo"),
    "deployment/build.py": ("exists glob is_dir is_file mkdir statvfs touch",
        "caches/ and work/, whose entries are root's; trees in them by confined.trees; statvfs of the state, going/"),
    "deployment/build_layers.py": ("is_dir lstat mkdir",
        "work/<activity>/<app>, whose entries are root's"),
    "deployment/written_over.py": ("scandir stat unlink",
        "a descriptor of confined.beneath, and no file behind a name: an entry's own stat"),
    "slugs/kept.py": ("glob is_dir",
        "kept/, root's"),
    "slugs/layers.py": ("is_file mkdir",
        "run/trees and kept/trial-…, root's, and names of layers, which are root's"),
    "activity/executor.py": ("open",
        "no file: the log of an activity"),
    "release/code.py": ("exists",
        "repos/, root's"),
    "release/applications/cron_runs.py": ("glob lstat",
        "names in a folder of scripts, which is root's; of an earlier version only names, and how old they are"),
    "runtimes/magento/program.py": ("glob read_text",
        "the recipe's program, which is part of deployd"),
    "deployment/delete.py": ("exists",
        "no file: a row"),
    "deployment/validate.py": ("is_dir",
        "environments/<project>/<environment>, whose entries are root's"),
    "release/store.py": ("read_text",
        "/proc/net/route"),
    "release/configuration_files.py": ("makedirs open write_bytes",
        "configuration of containers, which they see read-only"),
    "release/applications/hook_runs.py": ("glob",
        "the folder of an instance's scripts: root's, a container adds nothing to it"),
    "release/applications/instances.py": ("mkdir",
        "versions/<version>/<instance>, whose entries are root's"),
    "release/data/mount_copy.py": ("open",
        "snapshots/, root's; mounts by confined.trees_program"),
    "release/paths.py": ("glob",
        "environments/, whose entries are root's"),
    "release/version_removal.py": ("glob",
        "versions/, whose entries are root's"),
    "release/services/secrets.py": ("exists mkdir open read_text rename resolve unlink",
        "run/secrets, root's; containers see their own file read-only"),
    "deployment/source_operation.py": ("is_file mkdir open",
        "work/, whose entries are root's; what a clone's commands left by confined.beneath; the host's store"),
    "deployment/snapshot.py": ("exists mkdir touch",
        "snapshots/ and versions/, root's"),
    "release/services/fronts.py": ("mkdir read_text write_text",
        "run/ and environments/, root's; a container sees its folder read-only"),
    "release/trust.py": ("is_file read_text write_bytes",
        "the host's store and certificates/, root's or the operator's"),
    "release/data/volumes.py": ("is_dir mkdir resolve",
        "environments/<project>/<environment>, whose entries are root's"),
    "release/applications/start_records.py": ("stat",
        "by a descriptor of confined.beneath"),
    "engine/docker/containers.py": ("rename",
        "no file: the name of a container"),
    "engine/docker/execs.py": ("read_text",
        "/proc"),
    "engine/docker/groups.py": ("exists is_dir read_text",
        "control groups and /proc"),
    "engine/docker/image_recipes.py": ("is_file open read_bytes rglob stat",
        "config/images, ours"),
    "engine/docker/images.py": ("open",
        "config/images, ours"),
    "engine/docker/kernel_sessions.py": ("exists read_bytes read_text",
        "/proc and control groups"),
    "inside/programs.py": ("chmod copyfile exists is_file link mkdir read_text rglob stat unlink write_text",
        "programs/, and a folder in that of an instance's scripts: root's, looked at by confined.beneath"),
    "engine/docker/listening.py": ("open read_text readlink scandir",
        "/proc"),
    "engine/docker/memory.py": ("read_text",
        "/proc and control groups"),
    "engine/docker/pause_keeper.py": ("open",
        "control groups, whose names are Docker's"),
    "engine/docker/probes.py": ("open read_text",
        "/proc"),
    "engine/docker/pauses.py": ("exists read_text write_text",
        "/proc and control groups"),
    "engine/script.py": ("chmod chown lexists mkdir mkfifo open",
        "by descriptors of confined.beneath; the folder of scripts itself is root's"),
    "git/mirror.py": ("exists mkdir open read_text rename resolve rmtree",
        "repos/, root's"),
    "git/clones.py": ("resolve rmtree",
        "a folder of its own in repos/, root's, in which nothing but a pack is read; and no file: a commit"),
    "git/proxy.py": ("resolve",
        "no file: the name of a host"),
    "git/lfs_pointers.py": ("open",
        "a workspace before a container sees it, by descriptors of confined.beneath"),
    "git/submodules.py": ("glob lstat resolve unlink",
        "a workspace before a container sees it, and links in it refused; mirrors in repos/, root's"),
    "git/workspace.py": ("mkdir rmtree",
        "work/, whose entries are root's, before a container sees them; a folder of its own in repos/"),
    "output/files.py": ("open stat",
        "Docker's own, root's, and what is kept of them"),
    "output/retention.py": ("copyfile glob hardlink_to mkdir rename rmdir stat unlink write_bytes",
        "output/, root's"),
    "output/outputs.py": ("is_dir",
        "Docker's own, root's"),
    "output/sources.py": ("glob open read_bytes",
        "output/ and crons/, root's"),
    "slugs/archive.py": ("exists glob mkdir open read_bytes rename stat unlink utime",
        "slugs/, root's"),
    "slugs/compare.py": ("rmdir",
        "run/compare-…, root's, and empty"),
    "slugs/file_changes.py": ("mkdir open readlink scandir stat",
        "slugs, mounted read-only where nobody else sees them: nothing in them changes under its hands"),
    "slugs/mount.py": ("is_dir mkdir resolve rmdir",
        "run/mounts, root's"),
    "slugs/mount_points.py": ("mkdir scandir stat unlink",
        "a built tree after its container has ended; by descriptor"),
    "upkeep/access_logs.py": ("exists is_dir open read_text rename unlink write_text",
        "access logs, root's"),
    "upkeep/access_tail.py": ("open stat",
        "access logs, root's"),
    "upkeep/branches.py": ("mkdir read_text rename write_text",
        "tips of remotes, root's"),
    "upkeep/collect/look.py": ("glob is_file iterdir lstat stat",
        "names of folders of root's; sizes by confined.trees"),
    "upkeep/collect/remove.py": ("unlink",
        "logs/ and caches/, whose entries are root's"),
    "upkeep/going.py": ("lexists listdir",
        "going/, whose entries are root's; the trees by confined.trees"),
    "upkeep/cron_run.py": ("is_dir mkdir open rename stat",
        "crons/, root's"),
    "upkeep/kept_output.py": ("glob",
        "output/, root's"),
    "upkeep/usage/disks.py": ("iterdir",
        "volumes/, whose entries are root's; sizes by confined.trees"),
    "upkeep/usage/disk_kinds.py": ("stat",
        "which disk a volume is on, by its folder, and the state"),
    "upkeep/usage/free_space.py": ("read_text write_text",
        "state/free-space.json, root's"),
    "upkeep/usage/usage.py": ("read_bytes rename write_text",
        "run/, root's"),
    "release/checks/request_log.py": ("open stat",
        "environments/, root's"),
    "upkeep/firewall.py": ("read_text",
        "/proc"),
    "upkeep/outbound_names.py": ("read_text write_text",
        "state/firewall-names.json, root's"),
    "upkeep/traffic_history.py": ("is_dir read_text write_text",
        "environments/, root's"),
    "activity/log_file.py": ("open",
        "logs/, root's"),
}
"""{module: (what it calls, whose the files are)}"""


def file_calls(source: Path) -> Iterator[tuple[int, str]]:
    """(line, name) of calls that look like work with files. A name that is `str`'s or a list's too is left out."""
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            names = [name, *(
                argument.attr for argument in node.args if isinstance(argument, ast.Attribute)   # to_thread(path.mkdir)
            )]
            for called in names:
                if called in CALLS:
                    yield node.lineno, called


def test_who_works_with_files_by_path_says_whose_they_are() -> None:
    unknown, called = [], {name: set[str]() for name in WHOSE}
    for room in ROOMS:
        for source in sorted((SOURCES / room).rglob("*.py")):
            module = str(source.relative_to(SOURCES))
            allowed = WHOSE.get(module, ("", ""))[0].split()
            for line, name in file_calls(source):
                called.setdefault(module, set()).add(name)
                unknown += [f"{module}:{line} {name}"] if name not in allowed else []
    assert unknown == [], "below a folder that a container can write into use deployd.confined; else say whose it is"
    assert called == {module: set(names.split()) for module, (names, _) in WHOSE.items()}, "some call less"


def test_nobody_in_the_way_of_a_push_waits_for_a_tree_to_be_removed() -> None:
    """It is put aside: `deployd/confined/trash.py`."""
    removing = [
        str(source.relative_to(SOURCES))
        for room in ("deployment", "release") for source in sorted((SOURCES / room).rglob("*.py"))
        if "remove_tree(" in source.read_text()
    ]
    assert removing == ["release/services/secrets.py"], "passwords, of which there are a few"
