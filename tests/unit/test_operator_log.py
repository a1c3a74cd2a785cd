"""The operator's log never makes anything else fail."""

import io

from deployd.operator_log import Unfailing


class FullDisk(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")

    def flush(self) -> None:
        raise OSError(28, "No space left on device")


def test_a_line_that_cannot_be_written_is_lost_and_nothing_else() -> None:
    print("webhook_not_kept", file=Unfailing(FullDisk()), flush=True)  # type: ignore[arg-type]


def test_a_line_that_can_be_written_is() -> None:
    there = io.StringIO()
    print("daemon_ready", file=Unfailing(there), flush=True)  # type: ignore[arg-type]
    assert there.getvalue() == "daemon_ready\n"
