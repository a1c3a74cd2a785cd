"""The ids that the application wrote down, beside those that the visitors sent. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from tests.support.mixed.count import Count
from tests.support.mixed.plain import POST_BYTES


def compare(
    lines: Iterable[str], sent: Iterable[str], broken: Iterable[str], given_up: Mapping[str, int | None], count: Count,
) -> None:
    """Put into the count what arrived twice, not at all, or where it should not.

    Args:
        lines: `<id> <version> <bytes>` of each POST that was done, and `hook <version> 0`, in the order of writing.
        broken: Ids of POSTs that never were whole.
        given_up: {id of a POST whose client left: the version that must not have done it, or None}
    """
    arrived: Counter[str] = Counter()
    hooked = 0
    for line in lines:
        name, version, size = line.split()
        if name == "hook":
            hooked = int(version)
            continue
        arrived[name] += 1
        if int(version) < hooked and int(size) == POST_BYTES:   # an upload may have begun long before
            count.wrong_version.append(f"{name}: reached version {version} while the hook of {hooked} ran")
        if name in given_up and int(version) == given_up[name]:
            count.duplicates.append(f"{name}: done by version {version} although its client had left in the freeze")
    count.duplicates += [name for name, times in arrived.items() if times > 1]
    count.errors += [f"{name}: done although its body never came" for name in broken if name in arrived]
    count.lost += sorted(set(sent) - arrived.keys())
    count.left_but_done = len(given_up.keys() & arrived.keys())
