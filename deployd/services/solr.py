"""Solr: cores, each with its configuration. No password: the network is the wall.

What an archive of the files holds is unpacked in the container, by nobody who could reach beyond it. A core without a
configuration gets the image's default one, once: what a program changes of its schema stays.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import ClassVar
from urllib.parse import urlencode

from deployd.environment.relationships import Connection, Credential
from deployd.errors import DeployError
from deployd.project.model import Service, SolrConfiguration, SolrCore
from deployd.services.family import Copying, Execute, Parts, Secret, health, memory_folder
from deployd.services.local_http import answers, ask

PORT = 8080
CORES = "/solr/admin/cores"
BESIDE_HEAP_MB = 300
MOST_HEAP_MB = 31_744
OWN_PARAMETERS = frozenset({"configSet", "config", "schema", "dataDir", "loadOnStartup", "transient"})
# $1 is the folder below Solr's home. Some archives have their files in a folder `conf`, as cores do.
UNPACK = """\
set -e; home=${SOLR_HOME:-/var/solr/data}; here="$home/$1"; mkdir -p "$here"; rm -rf "$here/.conf"; mkdir "$here/.conf"
tar --extract --no-same-owner --no-same-permissions --directory="$here/.conf"
from="$here/.conf"; [ ! -d "$from/conf" ] || from="$from/conf"
rm -rf "$here/.before"; [ ! -d "$here/conf" ] || mv "$here/conf" "$here/.before"
mv "$from" "$here/conf"; rm -rf "$here/.conf"; chown -R --reference="$home" "$home/${1%%/*}\""""
# What Solr refused must not be what it finds at its next start.
AS_BEFORE = """\
here="${SOLR_HOME:-/var/solr/data}/$1"; [ -d "$here/.before" ] || exit 0
rm -rf "$here/conf"; mv "$here/.before" "$here/conf\""""
DEFAULT = """\
set -e; home=${SOLR_HOME:-/var/solr/data}; here="$home/$1"; [ ! -e "$here/conf" ] || exit 0; mkdir -p "$here"
cp -R /opt/solr/server/solr/configsets/_default/conf "$here/conf"; chown -R --reference="$home" "$here\""""
PROPERTIES = """\
home=${SOLR_HOME:-/var/solr/data}; file="$home/$1/core.properties"
cat > "$file" && chown --reference="$home" "$file\""""


class CoreNotMade(DeployError):
    """Solr refuses a core, as a rule for its configuration."""

    code: ClassVar[str] = "solr-core-not-made"


class Solr:
    """`solr`"""

    connection = Connection("solr", PORT)

    def parts(self, service: Service, *, memory_mb: int) -> Parts:
        heap_mb = max(128, min(memory_mb // 2, memory_mb - BESIDE_HEAP_MB, MOST_HEAP_MB))
        modules = service.configured(SolrConfiguration).modules
        return Parts(
            usual_seconds=15.0,
            port=PORT,
            health=health(answers(PORT, f"{CORES}?indexInfo=false"), "bash"),
            environment={
                "SOLR_JAVA_MEM": f"-Xms{heap_mb}m -Xmx{heap_mb}m", "SOLR_PORT": str(PORT),
                "SOLR_HOME": "/var/solr/data", **({"SOLR_MODULES": ",".join(modules)} if modules else {}),
            },
            volume_path="/var/solr",
            # The official image runs as its user from the beginning.
            tmpfs={"/run": memory_folder(16), "/tmp": memory_folder(512)},
            crash_safe=True,    # what it answers stands in its log of updates
        )

    def credentials(self, service: Service, secret: Secret) -> Mapping[str, Credential]:
        return {endpoint.name: Credential(path=f"solr/{endpoint.default}") for endpoint in service.endpoints}

    async def provision(self, execute: Execute, service: Service, credentials: Mapping[str, Credential]) -> None:
        wanted = service.configured(SolrConfiguration)
        cores = {name: wanted.cores.get(name, SolrCore(conf_dir=wanted.core_config)) for name in service.schemas}
        archives = {f"configsets/{name}": archive for name, archive in wanted.configsets.items()}
        archives |= {name: core.conf_dir for name, core in cores.items() if core.conf_dir is not None}
        unpacked: list[str] = []
        try:
            for folder, archive in archives.items():
                await execute(("sh", "-c", UNPACK, "sh", folder), base64.b64decode(archive))
                unpacked.append(folder)
            for name, core in cores.items():
                await _have_core(execute, service, name, core)
        except DeployError:
            for folder in unpacked:   # the others have what an earlier deployment put aside
                await execute(("sh", "-c", AS_BEFORE, "sh", folder))
            raise

    def copying(self, service: Service) -> Copying | None:
        return None   # its files are copied


def properties_of(core: SolrCore) -> dict[str, str]:
    """Of `core_properties`, but for the name, which is the core's own."""
    lines = (line.partition("=") for line in (core.core_properties or "").splitlines() if not line.startswith("#"))
    return {key.strip(): value.strip() for key, equals, value in lines if equals and key.strip() != "name"}


def create_query(name: str, properties: Mapping[str, str]) -> str:
    """Path and query that make a core."""
    more = {key if key in OWN_PARAMETERS else f"property.{key}": value for key, value in properties.items()}
    return f"{CORES}?{urlencode({'action': 'CREATE', 'name': name, 'instanceDir': name, **more})}"


async def _have_core(execute: Execute, service: Service, name: str, core: SolrCore) -> None:
    properties = properties_of(core)
    if core.conf_dir is None and "configSet" not in properties:
        await execute(("sh", "-c", DEFAULT, "sh", name))
    _, found = await ask(execute, PORT, f"{CORES}?{urlencode({'action': 'STATUS', 'core': name})}")
    if "instanceDir" in found.get("status", {}).get(name, {}):
        text = "".join(f"{key}={value}\n" for key, value in {"name": name, **properties}.items())
        await execute(("sh", "-c", PROPERTIES, "sh", name), text.encode())
        path = f"{CORES}?{urlencode({'action': 'RELOAD', 'core': name})}"
    else:
        await execute(("sh", "-c", 'rm -f "${SOLR_HOME:-/var/solr/data}/$1/core.properties"', "sh", name))
        path = create_query(name, properties)
    status, answer = await ask(execute, PORT, path)
    if status != 200:
        raise CoreNotMade(
            f"the core {name} of {service.name} ({service.type}) cannot be made: Solr answers with status {status}",
            where=str(service.place), evidence=tuple(_said(answer)),
            hint="look at the core's configuration: `solrconfig.xml` and the schema must be of this version of Solr",
        )


def _said(answer: Mapping[str, object]) -> Iterator[str]:
    error = answer.get("error")
    if isinstance(error, dict):
        yield from str(error.get("msg", "")).splitlines()[:10]
        causes = [line for line in str(error.get("trace", "")).splitlines() if line.startswith("Caused by: ")]
        yield from causes[-5:]
