"""The runtimes that builds and instances know something of: a row for each. Pure.

Of any other of `project/offered/runtimes.py` the image is all there is to it.
"""

from __future__ import annotations

from deployd.project.model import Application
from deployd.runtimes.dotnet import DOTNET
from deployd.runtimes.elixir import ELIXIR
from deployd.runtimes.golang import GOLANG
from deployd.runtimes.java import JAVA
from deployd.runtimes.lisp import LISP
from deployd.runtimes.nodejs import NODEJS
from deployd.runtimes.php import PHP
from deployd.runtimes.python import PYTHON, PYTHON2, PYTHON3
from deployd.runtimes.ruby import RUBY
from deployd.runtimes.runtime import Runtime
from deployd.runtimes.rust import RUST

KNOWN = {runtime.name: runtime for runtime in (
    PHP, NODEJS, PYTHON, PYTHON2, PYTHON3, GOLANG, JAVA, RUST, RUBY, ELIXIR, DOTNET, LISP,
)}


def runtime_of(app: Application) -> Runtime:
    return KNOWN.get(app.runtime_name) or Runtime(app.runtime_name)
