"""A runtime: what builds and instances do for one kind of application. A file and a row of `known.py` for each. Pure.

What project files may say of it is a `RuntimeType` in `project/offered`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from deployd.environment.platform import APP_FOLDER, CACHE_FOLDER
from deployd.project.model import Application, Json, Place

GLOBAL_FOLDER = f"{APP_FOLDER}/.global"
"""Where builds put what an application brings beside its own files."""
KEPT_FOLDER = f"{CACHE_FOLDER}/.deployd"
"""What deployd itself has kept from one build of a project to the next."""


@dataclass(frozen=True, slots=True)
class BuildStep:
    """A dash script with a name for people."""

    title: str
    """What it is, without a verb: `the build hook`."""
    script: str
    place: Place | None = None
    """Where the files say it; None: it is deployd's own."""
    may_fail: bool = False
    """The build goes on when it fails, and its result is not kept."""


Steps = Iterable[BuildStep]


def no_steps(app: Application) -> Steps:
    return ()


def no_variables(app: Application) -> Mapping[str, str]:
    return {}


def no_files(app: Application, settings: Mapping[str, str], memory_mb: int, cpus: float) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True, slots=True)
class Runtime:
    name: str
    """As in `type: name:version`."""
    dependencies: Callable[[Mapping[str, Json]], Steps] | None = None
    """Of `dependencies.<name>`: {package: constraint}; None: there is no package manager for them."""
    flavors: Mapping[str, Callable[[], BuildStep]] = field(default_factory=dict)
    """Build flavors that it brings: its own applications', and of whichever asks for one that its own does not have."""
    downloads: Mapping[str, str] = field(default_factory=dict)
    """{environment variable by which a package manager is told where to keep what it downloads: folder of the cache}.
    In the builds of all applications, as any of them may call it."""
    compiled: Mapping[str, str] = field(default_factory=dict)
    """The same for what builds of one application in one environment leave to the next; never are two at once."""
    programs: tuple[str, ...] = ()
    """Folders that its package managers install programs to, and that are on the PATH of its applications."""
    keystore: str = ""
    """Where its image has a keystore of Java, which trusts whom the container does; empty: nowhere."""
    settings: Callable[[Application], Steps] = no_steps
    """What a build begins with."""
    build_variables: Callable[[Application], Mapping[str, str]] = no_variables
    run_variables: Callable[[Application], Mapping[str, str]] = no_variables
    """Environment of builds, and of all that runs later."""
    files: Callable[[Application, Mapping[str, str], int, float], Mapping[str, str]] = no_files
    """(application, settings from variables named like the runtime, memory in MB, CPUs) to {path below the folder of an
    instance's configuration: text}."""
    start: Callable[[Application], str] | None = None
    """What a web instance runs whose file names no start command; None: nothing."""
