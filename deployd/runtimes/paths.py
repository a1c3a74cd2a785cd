"""Where programs of a build and of an application are looked for, as environment variables. Pure.

Global `dependencies` live in the application (`/app/.global`), because the slug is all that a build leaves. The image's
own variables are repeated where these would hide them.
"""

from __future__ import annotations

from deployd.environment.platform import APP_FOLDER
from deployd.project.model import Application
from deployd.runtimes.known import KNOWN, runtime_of
from deployd.runtimes.ruby import uses_gems
from deployd.runtimes.runtime import GLOBAL_FOLDER, KEPT_FOLDER

GEMS = {"GEM_HOME": GLOBAL_FOLDER}
"""Where `gem install` and `bundle install` of an ordinary user install to, and is looked for."""
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def _paths(app: Application) -> dict[str, str]:
    own = (f"{GLOBAL_FOLDER}/bin", f"{APP_FOLDER}/.local/bin", *runtime_of(app).programs)
    return {
        "PATH": ":".join((*own, SYSTEM_PATH)),
        "PYTHONUSERBASE": GLOBAL_FOLDER,   # where `pip install` of an ordinary user installs to, and is looked for
    }


def build_paths(app: Application, environment: str) -> dict[str, str]:
    """For the build container. Package managers keep what they download in the cache folder, which outlives it.

    XDG_CACHE_HOME is for all that have no variable of their own. Yarn 1 has one, but Yarn 2 and later would take it for
    the folder from which their applications load packages at run time.
    """
    kept = {
        name: f"{KEPT_FOLDER}/{folder}" for runtime in KNOWN.values() for name, folder in runtime.downloads.items()
    }
    for runtime in KNOWN.values():
        kept |= {name: f"{KEPT_FOLDER}/{folder}/{environment}/{app.name}" for name, folder in runtime.compiled.items()}
    own = runtime_of(app).build_variables(app)
    return {**_paths(app), **GEMS, "XDG_CACHE_HOME": f"{KEPT_FOLDER}/others", **kept, **own}


def runtime_paths(app: Application) -> dict[str, str]:
    """For the application, its workers, hooks and crons."""
    gems = GEMS if uses_gems(app) else {}   # what only some need is no reason to make the containers of all anew
    return {**_paths(app), **gems, **runtime_of(app).run_variables(app)}
