"""Fetches artifacts and all that they need, in one run of Maven."""

import subprocess  # noqa: TID251  there is nothing of deployd in an image
from pathlib import Path

POM = """<project><modelVersion>4.0.0</modelVersion><groupId>fetched</groupId><artifactId>{name}</artifactId>
<version>1</version><packaging>pom</packaging>{modules}<dependencies>{dependencies}</dependencies></project>"""
ONE = "<dependency><groupId>{0}</groupId><artifactId>{1}</artifactId><version>{2}</version></dependency>"
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"


def copy_jars(wanted: dict[str, list[tuple[str, str, str]]], work: Path = Path("/build/poms")) -> dict[str, Path]:
    """{name: folder with the jars of its artifacts and of all that they need}

    Args:
        wanted: {name: [(group, artifact, version)]}
    """
    for name, artifacts in wanted.items():
        (work / name).mkdir(parents=True)
        needed = "".join(ONE.format(*artifact) for artifact in artifacts)
        (work / name / "pom.xml").write_text(POM.format(name=name, modules="", dependencies=needed))
    modules = "".join(f"<module>{name}</module>" for name in wanted)
    (work / "pom.xml").write_text(POM.format(name="all", modules=f"<modules>{modules}</modules>", dependencies=""))
    subprocess.run(["mvn", "-q", "-B", "-T4", "-f", str(work / "pom.xml"), COPY, "-DincludeScope=runtime",
                    "-DoutputDirectory=jars"], check=True)
    return {name: work / name / "jars" for name in wanted}
