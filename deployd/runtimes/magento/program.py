"""Scripts of the recipe's steps: the program is laid out first, each step says where it is and how long it took. Pure.

    magento 4/6: installation or upgrade
    …
    magento 4/6 took 9.2 s
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from deployd.project.model import Application
from deployd.project.model.magento import MARK
from deployd.runtimes.magento.recipe import STEPS

WORK = "/tmp/.deployd-magento"
PROGRAM = {file.name: file.read_text() for file in sorted(Path(__file__).with_name("php").glob("*.php"))}
"""{file: text}"""
_END = "END-OF-FILE-OF-DEPLOYD"


def lay_out(app: Application) -> str:
    """A script that writes the program where the steps find it, with the settings of `.magento.env.yaml`."""
    stages = app.magento.stages if app.magento else {}
    settings = json.dumps({stage: dict(variables) for stage, variables in stages.items()})
    files = {**PROGRAM, "stages.json": settings + "\n"}
    written = "".join(f"cat > {WORK}/{name} <<'{_END}' || exit\n{text}{_END}\n" for name, text in files.items())
    return f"rm -rf {WORK} && mkdir -m 700 {WORK} || exit\n{written}"


def step_script(hook: str, number: int) -> str:
    """One step, in a subshell: it says what it is and how long it took, and its status is the step's.

    Args:
        number: Of the step, from 1 on.
    """
    step = STEPS[hook][number - 1]
    name = f"magento {number}/{len(STEPS[hook])}"
    mode = 'export MAGE_MODE="${MAGE_MODE:-production}"\n' if hook == "build" else ""   # later env.php says it
    return f"""\
(
recipe() {{ php {WORK}/recipe.php "$@"; }}
{mode}echo {shlex.quote(f"{name}: {step.title}")}
began=$(date +%s%N)
(
{step.script}
)
status=$?
took=$((($(date +%s%N) - began) / 100000000))
echo "{name} took $((took / 10)).$((took % 10)) s"
exit $status
)"""


def with_recipe(app: Application, hook: str, script: str) -> str:
    """A hook's script, with the recipe in the place of its line `deployd-magento`; any other script as it is."""
    if app.magento is None:
        return script
    lines = script.splitlines()
    if not any(line.strip() == MARK for line in lines):
        return script
    whole = _whole(app, hook)
    return "\n".join(whole if line.strip() == MARK else line for line in lines) + "\n"


def is_recipe_alone(app: Application, script: str) -> bool:
    return app.magento is not None and script.strip() == MARK


def preparation(app: Application) -> str | None:
    """What runs before visitors are held, where the deploy hook is the recipe's; its status says nothing."""
    hook = app.hooks.deploy
    is_recipes = app.magento is not None and hook is not None and MARK in map(str.strip, hook.script.splitlines())
    return f"{_whole(app, 'prepare')}\n" if is_recipes else None


def _whole(app: Application, hook: str) -> str:
    """All steps; the first that fails ends the hook. However it ends, a maintenance mode that it began is over."""
    texts = [f"{step_script(hook, number)} || exit" for number in range(1, len(STEPS[hook]) + 1)]
    why = app.magento.why if app.magento else ""
    said = shlex.quote(f"the recipe of deployd is at work: {why}")
    if hook != "deploy":
        return "\n".join((f"(\necho {said}", lay_out(app) + "\n".join(texts), ") || exit"))
    off = f"trap 'php {WORK}/recipe.php maintenance-off' EXIT\n"
    whole = "\n".join((f"echo {said}", lay_out(app) + off + "\n".join(texts)))
    return f"""\
(
if rm {WORK}/nothing-due 2>/dev/null; then
{texts[-1]}
else
{whole}
fi
) || exit"""
