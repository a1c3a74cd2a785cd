"""The runtimes that builds and instances know something of: a row for each. Pure.

Of any other of `project/offered/runtimes.py` the image is all there is to it.
"""

from __future__ import annotations

from deployd.project.model import Application
from deployd.runtimes.golang import GOLANG
from deployd.runtimes.java import JAVA
from deployd.runtimes.nodejs import NODEJS
from deployd.runtimes.php import PHP
from deployd.runtimes.python import PYTHON, PYTHON3
from deployd.runtimes.runtime import Runtime
from deployd.runtimes.rust import RUST

KNOWN = {runtime.name: runtime for runtime in (PHP, NODEJS, PYTHON, PYTHON3, GOLANG, JAVA, RUST)}


def runtime_of(app: Application) -> Runtime:
    return KNOWN.get(app.runtime_name) or Runtime(app.runtime_name)
