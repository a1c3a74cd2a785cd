"""Builds and instances of Java: what Maven and Gradle keep, and a heap that fits its container. Pure.

That Maven keeps its repository where DEPLOYD_MAVEN_REPOSITORY says, and what heap it gets, is in the image's
`/etc/mavenrc`, which whichever Maven runs reads: a project's own MAVEN_OPTS do not take it away.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from deployd.project.model import Application
from deployd.runtimes.runtime import Runtime

HEAP_PERCENT = 60.0   # old JVMs want the dot
"""Of the container's memory. The rest is for classes, compiled code, threads, buffers, and what else runs there."""
MAVEN = re.compile(r"(^|[\s;&|(])(\S*/)?mvnw?\s")


def build_variables(app: Application) -> Mapping[str, str]:
    """Nobody watches a progress bar, and nobody needs the builder once the build has ended.

    Where Maven runs later too, as in `start: mvn jetty:run`, its repository has to travel with the application.
    """
    quiet = {"MAVEN_ARGS": "--batch-mode --no-transfer-progress", "GRADLE_OPTS": "-Dorg.gradle.daemon=false"}
    later = any(map(MAVEN.search, _run_later(app)))
    return {**quiet, **({"DEPLOYD_MAVEN_REPOSITORY": ""} if later else {})}


def run_variables(app: Application) -> Mapping[str, str]:
    """Options of a command line (`-Xmx`) win over these; variables of the project take their place.

    A JVM without memory does nothing more of use: it ends, and is started anew.
    """
    return {"JAVA_TOOL_OPTIONS": f"-XX:MaxRAMPercentage={HEAP_PERCENT} -XX:+ExitOnOutOfMemoryError"}


def _run_later(app: Application) -> Iterator[str]:
    """Every command of an application that runs after the build."""
    for instance in (app.web.instance, *(worker.instance for worker in app.workers)):
        yield from filter(None, (instance.commands.pre_start, instance.commands.start, instance.commands.post_start))
    yield from (hook.script for hook in (app.hooks.deploy, app.hooks.post_deploy) if hook is not None)
    yield from (cron.start for cron in app.crons)


JAVA = Runtime(
    "java",
    downloads={
        "DEPLOYD_MAVEN_REPOSITORY": "maven", "MAVEN_USER_HOME": "maven-wrapper", "GRADLE_USER_HOME": "gradle",
    },
    keystore="/etc/ssl/certs/java/cacerts",   # of Debian's JDKs
    build_variables=build_variables, run_variables=run_variables,
)
