"""A tenant's tree made again what it was at its snapshot: what is as it was is not touched, the rest is put back.

    still the same inode, not changed      left alone
    still the same inode, changed          written in place: whoever has it open sees what it was
    gone, or another one in its place      made anew
    not there when it was kept             moved away, into a folder of root's

By descriptor all the way, so a tenant who writes meanwhile harms nobody but himself. May be repeated after it was
broken off. What is moved away is not removed here: a folder of a million files or of a thousand levels is one rename.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from deployd.confined.beneath import FOLDER, open_beneath, open_folder
from deployd.confined.tree_format import Content, Entry, content_file, read_entries, tree_file

WRITE = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
CHUNK_BYTES = 8_000_000
TICK_NS = 20_000_000
"""The kernel's times go by ticks. What changed just before it was kept may have changed again within the same tick."""


def restore(root: Path, folder: str, kept_in: Path, number: int, aside: Path, owner: int) -> int:
    """Have a tree as it was. Blocking.

    Args:
        aside: Folder of root's on the same disk, for what was not there.
        owner: Of the folder itself, should it have to be made.

    Returns:
        How many entries were put back or moved away.

    Raises:
        NotBeneath, OSError: Not all of it could be.
    """
    with ExitStack() as stack:
        lines = stack.enter_context(tree_file(kept_in, number).open(encoding="utf-8"))
        contents = stack.enter_context(content_file(kept_in, number).open("rb", buffering=0))
        [itself] = read_entries(lines)
        top = stack.enter_context(open_folder(root, folder, make_for=owner))
        aside.mkdir(mode=0o700, parents=True, exist_ok=True)
        aside_held = os.open(aside, FOLDER)
        stack.callback(os.close, aside_held)
        restoring = _Restore(lines, contents.fileno(), aside_held, int(itself.target))
        restoring.all_of(top, itself)
        return restoring.count


@dataclass(slots=True)
class _Restore:
    lines: IO[str]
    contents: int
    aside: int
    kept_ns: int
    """When its keeping began: of what was changed later than this its time says nothing."""
    count: int = 0
    run: int = field(default_factory=time.time_ns)
    """Begins names in `aside`, where there may be those of a try before this one."""
    top: int = -1
    path: list[str] = field(default_factory=list)
    """Names of the folders that lead to where we are."""
    linked: dict[int, tuple[int, tuple[str, ...]]] = field(default_factory=dict)
    """{inode as it was: (inode now, path)}, of files with several names that are as they were again."""

    def all_of(self, top: int, itself: Entry) -> None:
        self.top = top
        stack: list[tuple[int, Entry, list[Entry]]] = [(top, itself, self._folder(top))]
        try:
            while stack:
                held, entry, inner = stack[-1]
                if not inner:
                    self._attributes(held, entry)   # last: what was done in it has changed its time
                    stack.pop()
                    if stack:
                        os.close(held)
                        self.path.pop()
                    continue
                child = inner.pop()
                opened = os.open(child.name, FOLDER, dir_fd=held)
                self.path.append(child.name)
                stack.append((opened, child, []))
                stack[-1] = (opened, child, self._folder(opened))
        finally:
            for held, _, _ in stack[1:]:
                os.close(held)

    def _folder(self, held: int) -> list[Entry]:
        """Have what is in a folder, but for what is in its folders, which are given, the last one first."""
        entries = read_entries(self.lines)
        wanted = {entry.name for entry in entries}
        with os.scandir(held) as found:
            names = [item.name for item in found]
        for name in names:
            if name not in wanted:
                self._away(held, name)
        for entry in entries:
            self._entry(held, entry)
        return [entry for entry in reversed(entries) if entry.kind == "folder"]

    def _entry(self, held: int, entry: Entry) -> None:
        try:
            live: os.stat_result | None = os.stat(entry.name, dir_fd=held, follow_symlinks=False)
        except FileNotFoundError:
            live = None
        if entry.kind == "other":
            return
        if live is not None and self._is_unchanged(live, entry):
            self._remember(live.st_ino, entry)
            return
        if entry.kind == "folder":
            if live is None or not stat.S_ISDIR(live.st_mode):
                if live is not None:
                    self._away(held, entry.name)
                os.mkdir(entry.name, 0o700, dir_fd=held)
            return
        self.count += 1
        if entry.kind == "file":
            self._file(held, entry, live)
        else:
            self._special(held, entry, live)

    def _is_unchanged(self, live: os.stat_result, entry: Entry) -> bool:
        return (
            entry.kind != "folder" and live.st_ino == entry.inode and live.st_ctime_ns == entry.changed_ns
            and entry.changed_ns < self.kept_ns - TICK_NS
        )

    def _file(self, held: int, entry: Entry, live: os.stat_result | None) -> None:
        if entry.links > 1 and entry.inode in self.linked:
            self._link(held, entry, live)
            return
        same = live is not None and stat.S_ISREG(live.st_mode) and live.st_ino == entry.inode
        if live is not None and not same:
            self._away(held, entry.name)
        file = os.open(entry.name, WRITE if same else WRITE | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=held)
        try:
            if same and os.fstat(file).st_ino != entry.inode:
                raise OSError(errno.ESTALE, f"somebody replaces {entry.name} meanwhile")
            self._fill(file, entry.content or Content(0, ()))
            self._attributes(file, entry)
            self._remember(os.fstat(file).st_ino, entry)
        finally:
            os.close(file)

    def _link(self, held: int, entry: Entry, live: os.stat_result | None) -> None:
        """One more name for a file that is as it was already."""
        inode, (*folders, name) = self.linked[entry.inode]
        if live is not None and live.st_ino == inode:
            return
        if live is not None:
            self._away(held, entry.name)
        with open_beneath(self.top, folders) as other:
            os.link(name, entry.name, src_dir_fd=other, dst_dir_fd=held, follow_symlinks=False)

    def _remember(self, inode: int, entry: Entry) -> None:
        if entry.kind == "file" and entry.links > 1:
            self.linked.setdefault(entry.inode, (inode, (*self.path, entry.name)))

    def _fill(self, file: int, content: Content) -> None:
        os.ftruncate(file, 0)
        os.ftruncate(file, content.size_bytes)
        for offset, length, place in content.pieces:
            done = 0
            while done < length:
                count = os.copy_file_range(
                    self.contents, file, min(CHUNK_BYTES, length - done), place + done, offset + done,
                )
                if count == 0:
                    raise OSError(errno.EIO, "what was kept of its content is not whole")
                done += count

    def _special(self, held: int, entry: Entry, live: os.stat_result | None) -> None:
        kind = {"link": stat.S_IFLNK, "pipe": stat.S_IFIFO, "socket": stat.S_IFSOCK}[entry.kind]
        same = live is not None and live.st_ino == entry.inode and stat.S_IFMT(live.st_mode) == kind
        if same and entry.kind == "link":   # one that was made anew gets the number of the one that was removed
            same = os.readlink(entry.name, dir_fd=held) == entry.target
        if live is not None and not same:
            self._away(held, entry.name)
        if not same:
            if entry.kind == "link":
                os.symlink(entry.target, entry.name, dir_fd=held)
            else:
                os.mknod(entry.name, kind | 0o600, dir_fd=held)
        name: str = entry.name
        os.chown(name, entry.owner, entry.group, dir_fd=held, follow_symlinks=False)   # noqa: TID251  of a link itself
        if entry.kind != "link":
            path = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=held)
            try:
                os.chmod(f"/proc/self/fd/{path}", entry.mode)
            finally:
                os.close(path)
        os.utime(name, ns=(entry.modified_ns, entry.modified_ns), dir_fd=held, follow_symlinks=False)

    def _attributes(self, held: int, entry: Entry) -> None:
        seen = os.fstat(held)
        if (seen.st_uid, seen.st_gid) != (entry.owner, entry.group):
            os.fchown(held, entry.owner, entry.group)
        if stat.S_IMODE(os.fstat(held).st_mode) != entry.mode:   # a new owner takes some bits away
            os.fchmod(held, entry.mode)
        if seen.st_mtime_ns != entry.modified_ns:
            os.utime(held, ns=(seen.st_atime_ns, entry.modified_ns))

    def _away(self, held: int, name: str) -> None:
        self.count += 1
        with suppress(FileNotFoundError):
            os.rename(name, f"{self.run}-{self.count}", src_dir_fd=held, dst_dir_fd=self.aside)
