"""Fetches a search engine by name and version and lays it out as its archive would: lib, modules, plugins, native code.

    fetch.py opensearch VERSION LOG4J LUCENE FOLDER

The modules are published as jars without the description that the archive has beside them; it is written here. Plugins
that are not published are compiled from `plugins`.
"""

import re
import subprocess  # noqa: TID251  there is nothing of deployd in an image
import sys
import zipfile
from pathlib import Path

from maven import copy_jars

HERE = Path(__file__).parent
CLIENTS = (
    "aggs-matrix-stats-client", "lang-mustache-client", "mapper-extras-client", "parent-join-client",
    "percolator-client", "rank-eval-client", "reindex-client", "transport-netty4-client",
)
OTHERS = ("analysis-common", "geo", "ingest-common", "lang-expression", "lang-painless", "search-pipeline-common")
SINCE = {"search-pipeline-common": (2, 9), "geo": (2, 0)}
OF_OPENSEARCH = frozenset(SINCE)
# The makers of Elasticsearch publish its clients' modules only; somebody else does the others.
GROUPS = {"opensearch": ("org.opensearch.plugin",) * 2,
          "elasticsearch": ("org.elasticsearch.plugin", "org.codelibs.elasticsearch.module")}
PLUGINS = {"analysis-icu": "icu", "analysis-phonetic": "phonetic"}
# What a module may do is bounded by its container, and by nothing finer.
POLICY = "grant {\n  permission java.security.AllPermission;\n};\n"
NATIVE = {"jna": r"com/sun/jna/linux-x86-64/(libjnidispatch\.so)", "zstd-jni": r"linux/amd64/(libzstd-jni.*\.so)"}


def main(engine: str, version: str, log4j: str, lucene: str, folder: Path) -> None:
    groups, lib = modules_of(engine, version), folder / "lib"
    analysis = "lucene-analysis" if newer(lucene, (9, 0)) else "lucene-analyzers"
    jars = copy_jars({
        "lib": [*core_of(engine, version), ("org.apache.logging.log4j", "log4j-core", log4j)],
        **{name: [(group, name, version)] for name, group in groups.items()},
        **{name: [("org.apache.lucene", f"{analysis}-{what}", lucene)] for name, what in PLUGINS.items()},
    })
    move(jars["lib"], lib)
    if engine == "elasticsearch":
        loader = compile_plugin("classloader", lib, lib, engine)
        loader.rename(lib / f"elasticsearch-plugin-classloader-{version}.jar")
    for name in groups:
        own = folder / "modules" / name.removesuffix("-client")
        move(jars[name], own, lib)
        describe(own, own / f"{name}-{version}.jar", engine, version)
    for name in ("deployd", *PLUGINS):
        own = folder / ("plugins" if name in PLUGINS else "modules") / name
        move(jars.get(name), own, lib)
        describe(own, compile_plugin(name, own, lib, engine), engine, version)
    unpack_native(lib)


def core_of(engine: str, version: str) -> list[tuple[str, str, str]]:
    names = [engine]
    if engine == "opensearch":
        names += ["opensearch-plugin-classloader", *(["opensearch-agent-bootstrap"] if newer(version, (3, 0)) else [])]
    return [(f"org.{engine}", name, version) for name in names]


def modules_of(engine: str, version: str) -> dict[str, str]:
    """{name: group}"""
    clients, others = GROUPS[engine]
    names = [name for name in OTHERS if newer(version, SINCE.get(name, (0, 0)))]
    there = [name for name in names if engine == "opensearch" or name not in OF_OPENSEARCH]
    return {**dict.fromkeys(CLIENTS, clients), **dict.fromkeys(there, others)}


def newer(version: str, than: tuple[int, int]) -> bool:
    return tuple(int(part) for part in version.split(".")[:2]) >= than


def move(jars: Path | None, folder: Path, lib: Path | None = None) -> None:
    """What stands in `lib` already is found there; the native code of other systems is of no use."""
    folder.mkdir(parents=True)
    for jar in sorted(jars.iterdir()) if jars else ():
        there = lib is not None and (lib / jar.name).exists()
        if not there and not re.search(r"-(osx|windows|linux-aarch_64)", jar.name):
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
    if folder.parent.name == "modules":
        (folder / "plugin-security.policy").write_text(POLICY)


def compile_plugin(name: str, folder: Path, lib: Path, engine: str) -> Path:
    """Its jar. `any.Settings` in a source is the engine's class of that name: packages change with versions."""
    made, classes = Path("/build") / name, classes_of(lib, engine)
    shared = [HERE / "plugins/Factories.java"] if name in PLUGINS else []
    sources = [*(HERE / "plugins" / name).glob("*.java"), *shared]
    (made / "classes").mkdir(parents=True)
    for source in sources:
        text = re.sub(r"\bany\.(\w+)", lambda found: classes[found[1]], source.read_text())
        (made / source.name).write_text(text)
    subprocess.run(["javac", "-Xlint:none", "-proc:none", "-d", str(made / "classes"), "-cp", f"{lib}/*:{folder}/*",
                    *(str(made / source.name) for source in sources)], check=True)
    jar = folder / f"{name}.jar"
    with zipfile.ZipFile(jar, "w") as archive:
        for path in sorted((made / "classes").rglob("*.class")):
            archive.write(path, path.relative_to(made / "classes"))
    return jar


def classes_of(lib: Path, engine: str) -> dict[str, str]:
    """{simple name: whole name} of the engine's classes."""
    found: dict[str, str] = {}
    for jar in lib.glob(f"{engine}*.jar"):
        with zipfile.ZipFile(jar) as archive:
            for name in archive.namelist():
                if name.endswith(".class") and "$" not in name and name.startswith(f"org/{engine}/"):
                    whole = name.removesuffix(".class").replace("/", ".")
                    found[whole.rpartition(".")[2]] = whole
    return found


def unpack_native(lib: Path) -> None:
    """Their jars would unpack them into /tmp, where no program may be started."""
    for jar in lib.glob("*.jar"):
        pattern = next((text for begin, text in NATIVE.items() if jar.name.startswith(f"{begin}-")), None)
        with zipfile.ZipFile(jar) as archive:
            for name in archive.namelist() if pattern else ():
                if found := re.fullmatch(pattern or "", name):
                    (lib / "native").mkdir(exist_ok=True)
                    (lib / "native" / found[1]).write_bytes(archive.read(name))


main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4], Path(sys.argv[5]))
