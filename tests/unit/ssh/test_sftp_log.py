"""What is understood of what sftp-server says, and what of it is told."""

from __future__ import annotations

from deployd.ssh.sftp_log import SftpLog

UPLOAD = b"""open "/app/uploads/a" flags WRITE,CREATE,TRUNCATE mode 0644\r
close "/app/uploads/a" bytes read 0 written 1234\r
open "/app/uploads/b" flags READ mode 0666\r
close "/app/uploads/b" bytes read 99 written 0\r
remove name "/app/uploads/c"\r
"""
REFUSED = b"""open "/app/code" flags WRITE,CREATE,TRUNCATE mode 0644\r
sent status Failure\r
"""


def heard(*chunks: bytes, mounts: tuple[str, ...] = ("uploads",)) -> tuple[SftpLog, list[str]]:
    said: list[str] = []
    log = SftpLog(mounts, said.append)
    for chunk in chunks:
        log.feed(chunk)
    return log, said


def test_what_was_done_is_counted() -> None:
    log, said = heard(UPLOAD)
    assert log.did == "1 written, 1 read, 1 removed: /app/uploads/a, /app/uploads/b, /app/uploads/c"
    assert said == []


def test_it_comes_in_pieces() -> None:
    whole, _ = heard(UPLOAD)
    torn, _ = heard(*(UPLOAD[at:at + 7] for at in range(0, len(UPLOAD), 7)))
    assert torn.did == whole.did


def test_a_file_that_cannot_be_written_is_told_once() -> None:
    _, said = heard(REFUSED, REFUSED)
    assert said == ["/app/code cannot be changed: the code is read-only, and the mounts are /app/uploads"]
    assert heard(REFUSED, mounts=())[1][0].endswith("nowhere: there are no mounts")


def test_a_file_that_cannot_be_read_is_nobodys_mount() -> None:
    reads = b'open "/app/none" flags READ mode 0666\r\nsent status Failure\r\n'
    assert heard(reads)[1] == []


def test_what_it_says_may_be_anything() -> None:
    log, said = heard(b"\xff" * 1_000_000, b"\n", b'open "' + b"x" * 100_000 + b'"\n', b'close "" bytes\n', b"\n\n")
    assert (log.did, said) == ("", [])
