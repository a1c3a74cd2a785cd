"""A regular expression of a project, looked for in an answer: in a process of its own, which is ended after a second.

Both are strangers'. Python's `re` can take years for some of them and lets go of nothing meanwhile, so it runs neither
in the daemon nor as root.
"""

from __future__ import annotations

import json
import sys

from deployd.process import ProgramFailed, ProgramOverran, run

LIMIT_SECONDS = 1.0
MEMORY_BYTES = 512_000_000
NOBODY = 65_534
PROGRAM = f"""
import json, os, resource, sys
os.nice(10)
resource.setrlimit(resource.RLIMIT_AS, ({MEMORY_BYTES}, {MEMORY_BYTES}))
resource.setrlimit(resource.RLIMIT_CPU, (2, 2))
if os.getuid() == 0:
    os.setgroups([]); os.setresgid({NOBODY}, {NOBODY}, {NOBODY}); os.setresuid({NOBODY}, {NOBODY}, {NOBODY})
import re
pattern, text = json.load(sys.stdin)
sys.stdout.write("found" if re.search(pattern, text) else "missing")
"""


async def is_found(pattern: str, text: str) -> bool | None:
    """Whether it is; None: it took too long."""
    try:
        output = await run(
            sys.executable, "-I", "-S", "-c", PROGRAM, env={}, stdin=json.dumps([pattern, text]).encode(),
            limit_seconds=LIMIT_SECONDS + 1,
        )
    except (ProgramOverran, ProgramFailed):
        return None
    return output.text == "found"
