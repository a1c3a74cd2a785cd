"""`build.caches`: folders that come back in a later build when the watched files are the same. Pure.

A cache lies in the project's cache folder under a key of what its watched files hold. It is written beside and renamed,
so that a build that ends half-way, or two at once, leave a whole one or none.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from deployd.environment.platform import CACHE_FOLDER
from deployd.project.model import Application, BuildCache
from deployd.runtimes.runtime import BuildStep


def restore(app: Application) -> Iterator[BuildStep]:
    """Bring back what an earlier build kept."""
    for cache in app.build.caches:
        newest = '[ -d "$from" ] || from=$(ls -dt "$store"/*/ 2>/dev/null | head -n 1)\n'
        yield BuildStep(f"the cache {cache.name}", f"""\
{_head(app, cache)}from=$store/$key
{newest if cache.allow_stale else ""}if [ -n "$from" ] && [ -d "$from" ]; then
    echo "taken from an earlier build"
    mkdir -p "$directory" && cp -a "$from/." "$directory/"
else
    echo 'there is none yet for these files'
fi
""")


def keep(app: Application) -> Iterator[BuildStep]:
    """Keep the folders for later builds."""
    for cache in app.build.caches:
        once = 'if [ -d "$store/$key" ]; then exit 0; fi\n'
        yield BuildStep(f"the cache {cache.name}", f"""\
{_head(app, cache)}if [ ! -d "$directory" ]; then echo "there is no $directory to keep"; exit 0; fi
{"" if cache.allow_stale else once}mkdir -p "$store"
fresh=$(mktemp -d "$store/.new-XXXXXX")
cp -a "$directory/." "$fresh/"
if [ -d "$store/$key" ]; then mv "$store/$key" "$fresh.old"; fi
mv -T "$fresh" "$store/$key" || rm -rf "$fresh"
rm -rf "$fresh.old"
# Only the newest few: each branch that changes the watched files leaves one.
ls -dt "$store"/*/ | tail -n +6 | while read -r old; do rm -rf "$old"; done
""")


def _head(app: Application, cache: BuildCache) -> str:
    owner = "shared" if cache.share_between_apps else app.name
    watched = " ".join(shlex.quote(name) for name in cache.watch)
    directory = cache.directory.strip("/") or cache.name
    return f"""\
set -e
directory={shlex.quote(directory)}
store={CACHE_FOLDER}/.deployd/caches/{owner}/{shlex.quote(cache.name)}
key=$(for file in {watched}; do
    echo "$file"; cat "$file" 2>/dev/null || echo '(not there)'
done | sha256sum | cut -c -40)
"""
