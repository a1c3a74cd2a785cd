"""Builds of Common Lisp: every system that a *.asd file of the application defines. Pure.

How is the image's matter (`config/images/lisp/build-lisp-app`).
"""

from __future__ import annotations

from deployd.runtimes.runtime import BuildStep, Runtime


def default() -> BuildStep:
    return BuildStep("the systems of *.asd", "exec build-lisp-app\n")


LISP = Runtime("lisp", flavors={"default": default})
