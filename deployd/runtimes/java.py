"""Builds and instances of Java: what Maven and Gradle keep, and a heap that fits its container. Pure.

That Maven keeps its repository where DEPLOYD_MAVEN_REPOSITORY says, and what heap it gets, is in the image's
`/etc/mavenrc`, which whichever Maven runs reads: a project's own MAVEN_OPTS do not take it away.
"""

from __future__ import annotations

from collections.abc import Mapping

from deployd.project.model import Application
from deployd.runtimes.later import calls_later
from deployd.runtimes.runtime import Runtime

HEAP_PERCENT = 60.0   # old JVMs want the dot
"""Of the container's memory. The rest is for classes, compiled code, threads, buffers, and what else runs there."""


def build_variables(app: Application) -> Mapping[str, str]:
    """Nobody watches a progress bar, and nobody needs the builder once the build has ended.

    Where Maven runs later too, as in `start: mvn jetty:run`, its repository has to travel with the application.
    """
    quiet = {"MAVEN_ARGS": "--batch-mode --no-transfer-progress", "GRADLE_OPTS": "-Dorg.gradle.daemon=false"}
    return {**quiet, **({"DEPLOYD_MAVEN_REPOSITORY": ""} if calls_later(app, "mvn", "mvnw") else {})}


def run_variables(app: Application) -> Mapping[str, str]:
    """Options of a command line (`-Xmx`) win over these; variables of the project take their place.

    A JVM without memory does nothing more of use: it ends, and is started anew.
    """
    return {"JAVA_TOOL_OPTIONS": f"-XX:MaxRAMPercentage={HEAP_PERCENT} -XX:+ExitOnOutOfMemoryError"}


JAVA = Runtime(
    "java",
    downloads={
        "DEPLOYD_MAVEN_REPOSITORY": "maven", "MAVEN_USER_HOME": "maven-wrapper", "GRADLE_USER_HOME": "gradle",
    },
    keystore="/etc/ssl/certs/java/cacerts",   # of Debian's JDKs
    build_variables=build_variables, run_variables=run_variables,
)
