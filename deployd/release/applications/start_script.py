"""The shell scripts that start an instance and that run its hooks. Pure.

Hooks and commands run in dash in the application's root, with `.environment` sourced (configuration format 7.2, 8.4).
What becomes of the start command is written down as it happens (`start_records.py`), because an orphan that a start
command left behind listens and answers as well as a server that will stay.
"""

from __future__ import annotations

from deployd.environment.platform import APP_FOLDER
from deployd.project.model import Commands
from deployd.release.applications.start_records import ENDED, ENVIRONMENT_FAILED, RUNNING, STARTS_FILE, WAITING

ENVIRONMENT_ENDED = "deployd: .environment ended the shell with status"
"""Dash ends in a file that it sources for a syntax error, an unset variable after `set -u`, `exit`; it says the line of
the first two itself. Of the others those lines are shown that can have done it."""
ENDS_A_SHELL = r"(^|[;&|[:space:]])(exit|exec|set)([[:space:];]|$)"


def _preamble(and_then: str = "") -> str:
    """Two lines, so that the numbers that the shell tells are near those of the text that comes after it.

    Args:
        and_then: What else is done when `.environment` ends the shell.
    """
    told = (
        f'deployd_status=$?; /bin/grep -nEm 5 "{ENDS_A_SHELL}" .environment >&2; '
        f'echo "{ENVIRONMENT_ENDED} $deployd_status" >&2{and_then}'
    )
    return (
        f"cd {APP_FOLDER} || exit 1\n"
        f"if [ -f .environment ]; then trap '{told}' EXIT; . ./.environment; trap - EXIT; fi\n"
    )


PREAMBLE = _preamble()

SAY = f"""\
deployd_say() {{
deployd_begun= deployd_ended=
[ -w {STARTS_FILE} ] && IFS=' ' read -r deployd_begun deployd_ended deployd_rest <{STARTS_FILE} || return 0
case $deployd_begun,$deployd_ended in *[!0-9,]* | ,* | *,) return 0 ;; esac
case $1 in {RUNNING}) deployd_begun=$((deployd_begun + 1)) ;; {ENDED}) deployd_ended=$((deployd_ended + 1)) ;; esac
printf '%-60s\\n' "$deployd_begun $deployd_ended $1 $2 $3" 1<>{STARTS_FILE} || :
}}
"""
"""Builtins of the shell only: no program is started for it. In one write over what was there, as a full disk allows.
Whatever its application has done to the file, or `.environment` to IFS, nothing but this fails."""


def start_script(commands: Commands, default: str | None, *, hook_ended: str | None = None) -> str:
    """Main process of an instance: pre_start, then start again and again, as the hosted platforms do.

    Args:
        default: What to run without a start command: PHP's FPM; None waits, so that hooks and crons can run.
        hook_ended: File that has a number in it when the deploy hook has ended. Until then a start command that fails
            is started again in here: one that needs its database migrated first must not take the container away from
            the hook.
    """
    start = commands.start or default
    before = SAY + _preamble(f"; deployd_say {ENVIRONMENT_FAILED} 0 $deployd_status")
    if start is None:
        return f"{before}deployd_say {RUNNING} 1 0\nexec sleep infinity\n"
    # In the background, because a shell that waits for a program in the foreground passes no signal on: SIGTERM goes to
    # the whole group. Whatever the status, the container ends with 1: Docker's on-failure policy then starts it again.
    # A socket that an earlier start left would keep the next one from listening.
    again = (
        f"if ! grep -qs '[0-9]' {hook_ended}; then\n"
        f"deployd_say {WAITING} 0 $deployd_status; sleep 1 & wait $!; continue\nfi\n" if hook_ended else ""
    )
    return f"""\
{before}{_subshell(commands.pre_start)}trap 'trap "" TERM; kill -TERM 0 $!; wait; exit 143' TERM
while :; do
rm -f -- ${{SOCKET:+"$SOCKET"}}
(
{start}
) &
deployd_say {RUNNING} $! 0
wait $! && deployd_status=0 || deployd_status=$?
echo "the start command ended with status $deployd_status"
{again}deployd_say {ENDED} 0 $deployd_status
exit 1
done
"""


def hook_script(text: str) -> str:
    """A hook's status is its last command's; the preamble must not change that."""
    return PREAMBLE + text + ("" if text.endswith("\n") else "\n")


def _subshell(text: str | None) -> str:
    return f"(\n{text}\n)\n" if text else ""
