"""The wrapper under which scripts run in containers, in POSIX sh; what it leaves is drawn in `script.py`."""

from deployd.engine.script import Script
from deployd.units import MEGABYTE

OUTPUT_BYTES = 64 * MEGABYTE
"""A script that writes for ever must not fill the disk. What it writes beyond this is read, so that it can go on, and
not kept."""
LEFT_OPEN_SECONDS = 1
"""How long a script that has ended is waited for when something that it left behind still holds its output."""
SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
"""Of the wrapper itself: an application's own `cat` must not come between. The script has its container's."""

WRAPPER = rf"""
folder=$1; path=$PATH; PATH={SYSTEM_PATH}
exec 9<"$folder/lock" && flock -w 5 9 && ! grep -qs yes "$folder/started" || exit 125
echo yes 1<>"$folder/started"
(
    trap '' TERM INT XFSZ
    exec 9>&- 8<"$folder/script" && flock 8 && exec <"$folder/pipe"
    (ulimit -f {OUTPUT_BYTES // 512} && exec cat >>"$folder/output" 2>/dev/null)
    exec cat >/dev/null
) &
setsid /bin/sh -c 'echo $$ >"$0/pid"; PATH=$1 exec /bin/sh "$0/script"' "$folder" "$path" \
    >"$folder/pipe" 2>&1 </dev/null 9>&- &
script=$!
trap 'kill -s TERM -- "-$script"' TERM INT
wait "$script"; status=$?
while kill -0 "$script" 2>/dev/null; do wait "$script"; status=$?; done
flock -w {LEFT_OPEN_SECONDS} "$folder/script" true
echo "$status" 1<>"$folder/status"
exit "$status"
"""
"""In POSIX sh with flock and setsid of util-linux. The script runs in a session of its own, so that all that it started
can be ended with it, and without the lock, so that a process that it left behind does not look like the script.
A wrapper that comes second ends with 125 and writes nothing. The status is written over blanks that are there from the
beginning: a script that fills the disk leaves no room for another byte.
The output goes through a pipe, whose reader holds a lock (on `script`) until the last writer is gone: the status comes
when all of the output is there. A process that was left behind may write on, and is waited for only a moment. The bound
is the kernel's, on the size of what the reader writes, because every program that counts bytes holds lines back."""
ONE_AFTER_THE_OTHER = r"""
wrapper=$1; shift
for folder; do
    case $(head -n 1 "$folder/status") in
    0) continue ;;
    [1-9]*) exit 1 ;;
    esac
    /bin/sh -c "$wrapper" deployd-script "$folder" || exit
done
"""
"""Several scripts, as long as each ends with 0. One that has ended is not begun again."""
END = f'PATH={SYSTEM_PATH}; kill -s "$2" -- "-$(cat "$1/pid")"'


def wrapper_command(*scripts: Script) -> tuple[str, ...]:
    """What a container or a command has to run: the wrapper with the script in its hands, or with several in a row."""
    if len(scripts) == 1:
        return ("/bin/sh", "-c", WRAPPER, "deployd-script", scripts[0].inside)
    return ("/bin/sh", "-c", ONE_AFTER_THE_OTHER, "deployd-scripts", WRAPPER, *(script.inside for script in scripts))
