"""A `Tree` of texts in memory, for the tests of the reader."""

from collections.abc import Iterable, Mapping


class DictTree:
    """{path: text or bytes}; a link is `None`; folders are those of the files and of `folders`."""

    def __init__(self, files: Mapping[str, str | bytes | None], folders: Iterable[str] = ()) -> None:
        self.files = {path: data.encode() if isinstance(data, str) else data for path, data in files.items()}
        self.folders = {""} | set(folders)
        for path in [*files, *folders]:
            parts = path.split("/")
            self.folders |= {"/".join(parts[:count]) for count in range(1, len(parts))}

    def paths(self) -> Iterable[str]:
        return self.files

    def read(self, path: str) -> bytes:
        data = self.files.get(path)
        if data is None:
            raise FileNotFoundError(path)
        return data

    def is_link(self, path: str) -> bool:
        return path in self.files and self.files[path] is None

    smudges = False

    def size(self, path: str) -> int:
        return len(self.files.get(path) or b"")

    def is_submodule(self, path: str) -> bool:
        return f"{path}/.git" in self.files

    def is_folder(self, path: str) -> bool:
        return path in self.folders
