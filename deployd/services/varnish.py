"""Varnish: a cache before applications, which does what the project's VCL says.

What is generated stands before the project's own text, as on the hosted platforms: the version line, a backend for each
container, a director for each relationship. The name of the containers is part of what an object is found by. So
whoever asks after a switch gets nothing that an earlier version made, also when its answer came after it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping

from deployd.environment.relationships import Connection, Credential
from deployd.project.model import Service, VarnishConfiguration
from deployd.services.family import RUN_AND_TMP, Copying, Execute, Parts, Secret, health, memory_folder
from deployd.services.front import TEXT_FILE, Backends, Refused

PORT, STATS_PORT = 80, 8080
STATS = "http+stats"
FOLDER, AHEAD_FOLDER, WORK = "/etc/varnish/deployd", "/tmp/next", "/var/lib/varnish"
LOG_MB, COMPILER_MB = 16, 96
"""The log that it keeps in memory; what the compiler needs while a VCL is loaded."""
PARAMETERS = {
    "vcc_unsafe_path": "off",             # nothing is included from elsewhere in the container
    "vcl_path": f"{FOLDER}:{AHEAD_FOLDER}",
    "vsl_space": f"{LOG_MB}m",
    "thread_pool_min": "25", "thread_pool_max": "400",   # of two pools: a container has 1,024 threads at most
}
STREAMED = {"transit_buffer": "1m"}
"""What is not kept is not collected either, however slow its visitor is. Known from 6.6 on."""
LOAD = """\
known() { varnishadm -t 60 vcl.list | awk -v name="$1" '$NF == name { found = 1 } END { exit !found }'; }
load() {
    known "$1" && return
    varnishadm -t 60 vcl.load "$1" "$2" > /run/vcl.error 2>&1 || { cat /run/vcl.error >&2; exit 1; }
    rm -f /run/vcl.error
}
"""
AHEAD = LOAD + """\
[ "$(cat /run/vcl 2>/dev/null)" != "$1" ] || exit 0
mkdir -p /tmp/next && cat > "/tmp/next/$1.vcl" && load "$1" "$1.vcl" || exit 1
rm -f "/tmp/next/$1.vcl"
"""
TURN = LOAD + """\
[ "$(cat /run/vcl 2>/dev/null)" != "$1" ] || exit 0
load "$1" "$2"
varnishadm -t 60 vcl.use "$1" >&2 || exit 1
echo "$1" > /run/vcl
for old in $(varnishadm -t 60 vcl.list | awk '$1 == "available" { print $NF }'); do
    varnishadm -t 60 vcl.discard "$old" > /dev/null || true
done"""
"""A VCL that is in use yet is only marked, and goes with its last request."""
TRY = "cat > /tmp/it.vcl && exec varnishd -n /tmp/work -j none -p vcc_unsafe_path=off -C -f /tmp/it.vcl"
PLACE = re.compile(r"\('[^']*' Line (\d+) Pos (\d+)\)")
ONLY_WHERE_IT_RUNS = "could not be resolved to an IP address"
FRAME = ("Message from", "Running VCC", "VCL comp", "Command failed")
OWN = "# from here on: the project's own"
WAIT_SECONDS = 600
"""As long as the router waits, whose word counts."""


class Varnish:
    """`varnish`"""

    connection = Connection("http", PORT)
    folder = FOLDER
    trial = ("sh", "-c", TRY)

    def parts(self, service: Service, *, memory_mb: int) -> Parts:
        parameters = PARAMETERS | (STREAMED if _numbers(service.version) >= (6, 6) else {})
        stored_mb = max(32, (memory_mb - LOG_MB - COMPILER_MB) * 3 // 4)   # an object is more than its body
        return Parts(
            usual_seconds=3.0,
            port=PORT,
            health=health("varnishadm -t 10 status | grep -q 'in state running'"),
            command=tuple(word for item in parameters.items() for word in ("-p", "=".join(item))),
            environment={
                "VARNISH_VCL_FILE": f"{FOLDER}/{TEXT_FILE}", "VARNISH_HTTP_PORT": str(PORT),
                "VARNISH_SIZE": f"{stored_mb}M",
            },
            # A VCL becomes a library there, which is loaded.
            tmpfs={**RUN_AND_TMP, WORK: f"{memory_folder(LOG_MB + COMPILER_MB, '755')},exec"},
        )

    def credentials(self, service: Service, secret: Secret) -> Mapping[str, Credential]:
        return {
            endpoint.name: Credential(port=STATS_PORT if endpoint.name == STATS else None)
            for endpoint in service.endpoints
        }

    async def provision(self, execute: Execute, service: Service, credentials: Mapping[str, Credential]) -> None:
        """What it leads to comes with the switch."""

    def copying(self, service: Service) -> Copying | None:
        return None   # what it keeps can be had again

    def text(self, service: Service, backends: Backends) -> str:
        names = [item.name for item in service.relationships]
        return "\n".join((*_generated(names, backends), OWN, service.configured(VarnishConfiguration).vcl))

    def load(self, text: str) -> tuple[str, ...]:
        return ("sh", "-c", AHEAD, "deployd-load", _name_of(text))

    def turn(self, text: str) -> tuple[str, ...]:
        return ("sh", "-c", TURN, "deployd-turn", _name_of(text), TEXT_FILE)

    def refusal(self, service: Service, text: str, said: str) -> Refused | None:
        if ONLY_WHERE_IT_RUNS in said:
            return None
        before = text.split(OWN, 1)[0].count("\n") + 1
        file = service.configured(VarnishConfiguration).vcl_file
        found = PLACE.search(said)
        line = int(found[1]) - before if found else 0
        own = line > 0
        where = f"{file}:{line}" if file and own else str(service.place)
        what = _words(said) if own or not found else f"{_words(said)}, of a relationship of {service.name}"
        return Refused(what, where, _lines(said, file or "its vcl", before))


def _name_of(text: str) -> str:
    """As Varnish knows it, and the image's entrypoint says it of the text that it starts with."""
    return f"v{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _generated(names: list[str], backends: Backends) -> Iterator[str]:
    yield "vcl 4.1;"
    yield "import std;"
    yield "import directors;"
    if not any(backends.get(name) for name in names):
        yield "backend default none;"
    for number, name in enumerate(names):
        for other, backend in enumerate(backends.get(name, ())):
            yield (
                f'backend deployd_{number}_{other} {{ .host = "{backend.address}"; .port = "{PORT}";'
                f" .first_byte_timeout = {WAIT_SECONDS}s; .between_bytes_timeout = {WAIT_SECONDS}s; }}"
            )
    yield "sub vcl_init {"
    for number, name in enumerate(names):
        yield f"    new {name} = directors.round_robin();"
        for other, _ in enumerate(backends.get(name, ())):
            yield f"    {name}.add_backend(deployd_{number}_{other});"
    yield "}"
    made_by = " ".join(backend.container for name in names for backend in backends.get(name, ()))
    yield "sub vcl_hash {"
    yield f'    hash_data("{made_by}");'
    yield "}"


def _words(said: str) -> str:
    """The compiler's first sentence: `Symbol not found: 'sett'`."""
    lines = [line.strip() for line in said.splitlines()]
    begin = next((number for number, line in enumerate(lines) if line.startswith("Message from")), -1)
    return next((line for line in lines[begin + 1:] if line), "it gave no reason")


def _lines(said: str, file: str, before: int) -> tuple[str, ...]:
    def place(found: re.Match[str]) -> str:
        line = int(found[1]) - before
        return f"({file} line {line}, column {found[2]})" if line > 0 else "(generated)"

    lines = [line.rstrip() for line in PLACE.sub(place, said).splitlines()]
    return tuple(line for line in lines if line and not line.startswith(FRAME))[:20]
