"""Fetches a search engine by name and version and lays it out as its archive would: lib, modules, native libraries.

    fetch.py opensearch VERSION LOG4J FOLDER

The modules are published as jars without the description that the archive has beside them; it is written here.
"""

import re
import subprocess  # noqa: TID251  there is nothing of deployd in an image
import sys
import zipfile
from pathlib import Path

MODULES = (
    "aggs-matrix-stats-client", "analysis-common", "geo", "ingest-common", "lang-expression", "lang-mustache-client",
    "lang-painless", "mapper-extras-client", "parent-join-client", "percolator-client", "rank-eval-client",
    "reindex-client", "search-pipeline-common", "transport-netty4-client",
)
SINCE = {"search-pipeline-common": (2, 9), "geo": (2, 0)}
POM = """<project><modelVersion>4.0.0</modelVersion><groupId>fetched</groupId><artifactId>{name}</artifactId>
<version>1</version><packaging>pom</packaging>{modules}<dependencies>{dependencies}</dependencies></project>"""
ONE = "<dependency><groupId>{0}</groupId><artifactId>{1}</artifactId><version>{2}</version></dependency>"
# What a module may do is bounded by its container, and by nothing finer.
POLICY = "grant {\n  permission java.security.AllPermission;\n};\n"
NATIVE = {"jna": r"com/sun/jna/linux-x86-64/(libjnidispatch\.so)", "zstd-jni": r"linux/amd64/(libzstd-jni.*\.so)"}


def main(engine: str, version: str, log4j: str, folder: Path) -> None:
    numbers = tuple(int(part) for part in version.split(".")[:2])
    names = [name for name in MODULES if numbers >= SINCE.get(name, (0, 0))]
    group = f"org.{engine}"
    wanted = {
        "lib": [(group, engine, version), (group, f"{engine}-plugin-classloader", version),
                ("org.apache.logging.log4j", "log4j-core", log4j),
                *([(group, f"{engine}-agent-bootstrap", version)] if numbers >= (3, 0) else [])],
        **{name: [(f"{group}.plugin", name, version)] for name in names},
    }
    jars = copy_jars(Path("/build/poms"), wanted)
    lib, modules = folder / "lib", folder / "modules"
    move(jars["lib"], lib, without=set())
    for name in names:
        own = modules / name.removesuffix("-client")
        move(jars[name], own, without={path.name for path in lib.iterdir()})
        describe(own, own / f"{name}-{version}.jar", engine, version)
    unpack_native(lib)


def copy_jars(work: Path, wanted: dict[str, list[tuple[str, str, str]]]) -> dict[str, Path]:
    """{name: folder with its jars and all that they need}, by one run of Maven."""
    for name, artifacts in wanted.items():
        (work / name).mkdir(parents=True)
        needed = "".join(ONE.format(*artifact) for artifact in artifacts)
        (work / name / "pom.xml").write_text(POM.format(name=name, modules="", dependencies=needed))
    modules = "".join(f"<module>{name}</module>" for name in wanted)
    (work / "pom.xml").write_text(POM.format(name="all", modules=f"<modules>{modules}</modules>", dependencies=""))
    subprocess.run(["mvn", "-q", "-B", "-T4", "-f", str(work / "pom.xml"), "dependency:copy-dependencies",
                    "-DincludeScope=runtime", "-DoutputDirectory=jars"], check=True)
    return {name: work / name / "jars" for name in wanted}


def move(jars: Path, folder: Path, without: set[str]) -> None:
    folder.mkdir(parents=True)
    for jar in sorted(jars.iterdir()):
        # What stands in `lib` already is found there; the native code of other systems is of no use.
        if jar.name not in without and not re.search(r"-(osx|windows|linux-aarch_64)", jar.name):
            jar.rename(folder / jar.name)


def describe(folder: Path, jar: Path, engine: str, version: str) -> None:
    with zipfile.ZipFile(jar) as archive:
        names = archive.namelist()
    plugins = [name for name in names if re.fullmatch(r"[\w/]+Plugin\.class", name)]
    assert len(plugins) == 1, (jar.name, plugins)
    lines = {
        "name": folder.name, "description": folder.name, "version": version, f"{engine}.version": version,
        "java.version": "1.8", "classname": plugins[0].removesuffix(".class").replace("/", "."),
    }
    if folder.name != "lang-painless" and any("painless.spi.PainlessExtension" in name for name in names):
        lines["extended.plugins"] = "lang-painless"
    text = "".join(f"{key}={value}\n" for key, value in lines.items())
    (folder / "plugin-descriptor.properties").write_text(text)
    (folder / "plugin-security.policy").write_text(POLICY)


def unpack_native(lib: Path) -> None:
    """Their jars would unpack them into /tmp, where no program may be started."""
    for jar in lib.glob("*.jar"):
        for begin, pattern in NATIVE.items():
            if jar.name.startswith(f"{begin}-"):
                with zipfile.ZipFile(jar) as archive:
                    for name in archive.namelist():
                        if found := re.fullmatch(pattern, name):
                            (lib / "native").mkdir(exist_ok=True)
                            (lib / "native" / found[1]).write_bytes(archive.read(name))


main(sys.argv[1], sys.argv[2], sys.argv[3], Path(sys.argv[4]))
