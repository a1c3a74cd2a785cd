"""The shell scripts that start an instance and that run its hooks. Pure.

Hooks and commands run in dash in the application's root, with `.environment` sourced (configuration format 7.2, 8.4).
"""

from __future__ import annotations

from deployd.environment.platform import APP_FOLDER
from deployd.project.model import Commands

PREAMBLE = f"""\
cd {APP_FOLDER} || exit 1
if [ -f .environment ]; then . ./.environment; fi
"""


def start_script(commands: Commands, default: str | None, *, hook_ended: str | None = None) -> str:
    """Main process of an instance: pre_start, then start again and again, as the hosted platforms do.

    Args:
        default: What to run without a start command: PHP's FPM; None waits, so that hooks and crons can run.
        hook_ended: File that has a number in it when the deploy hook has ended. Until then a start command that fails
            is started again in here: one that needs its database migrated first must not take the container away from
            the hook.
    """
    start = commands.start or default
    if start is None:
        return PREAMBLE + "exec sleep infinity\n"
    # In the background, because a shell that waits for a program in the foreground passes no signal on: SIGTERM goes to
    # the whole group. Whatever the status, the container ends with 1: Docker's on-failure policy then starts it again.
    # A socket that an earlier start left would keep the next one from listening.
    again = f"if ! grep -qs '[0-9]' {hook_ended}; then sleep 1 & wait $!; continue; fi\n" if hook_ended else ""
    return f"""\
{PREAMBLE}{_subshell(commands.pre_start)}trap 'trap "" TERM; kill -TERM 0 $!; wait; exit 143' TERM
while :; do
rm -f -- ${{SOCKET:+"$SOCKET"}}
(
{start}
) &
wait $!
echo "the start command ended with status $?"
{again}exit 1
done
"""


def hook_script(text: str) -> str:
    """A hook's status is its last command's; the preamble must not change that."""
    return PREAMBLE + text + ("" if text.endswith("\n") else "\n")


def _subshell(text: str | None) -> str:
    return f"(\n{text}\n)\n" if text else ""
