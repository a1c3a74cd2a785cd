"""The last words of a process without rights, read by root."""

from __future__ import annotations

from pathlib import Path

from deployd.ssh.places import LAST_WORDS
from deployd.ssh.supervisor import WORDS_BYTES, SshSupervisor


def test_of_the_last_words_the_end_is_read_however_many_there_are(tmp_path: Path) -> None:
    with (tmp_path / LAST_WORDS).open("wb") as file:
        file.truncate(1 << 40)   # a hole: it costs whoever makes it nothing
        file.seek(1 << 40)
        file.write(b"x" * WORDS_BYTES + b"\nno key\n")
    supervisor = SshSupervisor(tmp_path, lambda: False, wanted=True, by_systemd=False)
    assert supervisor._why().endswith("no key")
    (tmp_path / LAST_WORDS).unlink()
    assert supervisor._why().endswith("does not come to the daemon")
