"""What a change costs a Magento: a template, a class, nothing at all, against the full build of the same run; and what
an unchanged lock file costs composer, npm and pip.

The Magento is the small one of the tests, made large: its packages, generated code and static content are 60,000 files.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp

from deployd.process import run
from scripts.load import LoopbackOnly
from scripts.repository import commit, make_repository
from tests.bench.stand import Stand, bench_stand
from tests.support.magento_shop import APP, ROUTES, SCOPES, SEARCH, SERVICES, TEMPLATE
from tests.support.outcome import Number, Outcome

FILES = 60_000
HELLO = "app/code/Acme/Hello"
TEMPLATE_SECONDS, CLASS_SECONDS, LOCK_PART = 15.0, 60.0, 0.1
ANEW = ("skip-build-cache",)
STEP = re.compile(r"(?P<what>build|hooks) took (?P<seconds>[\d.]+) s")
PHP_APP = 'name: app\ntype: php:8.2\nweb: {locations: {"/": {root: "", passthru: /index.php}}}\n'
NODE_APP = "name: app\ntype: nodejs:20\nbuild: {flavor: default}\nweb: {commands: {start: node index.js}}\n"
PYTHON_APP = (
    "name: app\ntype: python:3.13\nhooks: {build: pip install -r requirements.txt}\n"
    "web: {commands: {start: python3 server.py}}\n"
)
PYTHON_SERVER = (
    "import http.server, os\nhttp.server.HTTPServer(('', int(os.environ['PORT'])), "
    "http.server.SimpleHTTPRequestHandler).serve_forever()\n"
)
NODE_SERVER = "require('http').createServer((_, answer) => answer.end('node')).listen(process.env.PORT)\n"
REQUIREMENTS = "Django==5.0.6\nrequests==2.32.3\nnumpy==2.1.3\nPillow==11.0.0\n"
PACKAGES = {"express": "4.21.1", "webpack": "5.96.1", "eslint": "8.57.1", "lodash": "4.17.21"}


@dataclass(frozen=True)
class Took:
    push: float
    """Seconds until git ends."""
    build: float
    """Of these, the build's."""
    waited: float = 0.0
    """The longest that a visitor had to wait for a page meanwhile."""


async def measure(say: Callable[[str], None]) -> Outcome:
    figures: dict[str, Number] = {}
    full: dict[str, Number] = {}
    async with bench_stand("shop", "composer", "npm", "pip") as stand:
        template, code = await _magento(stand, say, figures, full)
        parts = [await _lock(stand, say, name, files, figures, full) for name, files in (
            ("composer", await _composer_files()), ("npm", await _npm_files(stand)),
            ("pip", {".platform.app.yaml": PYTHON_APP, "requirements.txt": REQUIREMENTS, "server.py": PYTHON_SERVER}),
        )]
    met = template <= TEMPLATE_SECONDS and code <= CLASS_SECONDS and max(parts) <= LOCK_PART
    return Outcome(
        "magento", figures, full, round(template / full["template_push_seconds"], 3),
        f"a template in {TEMPLATE_SECONDS:g} s, a class in {CLASS_SECONDS:g} s, an unchanged lock file in {LOCK_PART:g}"
        " of what it takes at first", met,
        ("peer: a push with everything made anew, in the same run; of lock files the first one; ratio: of the template",
         f"{FILES:,} files of packages, generated code and static content; until git ends",
         f"lock files: the second build in parts of the first: {', '.join(f'{part:.3f}' for part in parts)}"),
    )


async def _magento(
    stand: Stand, say: Callable[[str], None], figures: dict[str, Number], full: dict[str, Number],
) -> tuple[float, float]:
    folder = stand.folder / "shop"
    await make_repository(folder, TEMPLATE)
    third = FILES // 3   # of static content in three locales
    await _write(folder, {
        ".magento.app.yaml": f"{APP}variables: {{env: {{GENERATED_FILES: {third}, STATIC_FILES: {third // 3}}}}}\n",
        ".magento/services.yaml": SERVICES, ".magento/routes.yaml": ROUTES, ".magento.env.yaml": SEARCH,
        "app/etc/config.php": SCOPES, "composer.lock": TEMPLATE.with_name("magento_composer.lock").read_text(),
        f"{HELLO}/Model/Hello.php": "<?php\nclass Hello {}\n", f"{HELLO}/view/frontend/templates/a.phtml": "a\n",
        **{f"packages/base/lib/Part{number // 500}/Class{number}.php": f"<?php\nclass Class{number} {{}}\n"
           for number in range(third)},
    })
    first = await _push(stand, folder, "shop")
    say(f"first push {first.push:.1f} s, of it the build {first.build:.1f} s")
    await _write(folder, {"README.md": "everything anew\n"})
    anew = await _push(stand, folder, "shop", ANEW)
    say(f"everything anew {anew.push:.1f} s, of it the build {anew.build:.1f} s")
    for name, change in (
        ("template", {f"{HELLO}/view/frontend/templates/a.phtml": "b\n"}),
        ("class", {f"{HELLO}/Model/Hello.php": "<?php\nclass Hello { const IT = 1; }\n"}),
        ("style", {"app/style.css": "body {color: green}\n"}),
        ("nothing", {"README.md": "once more\n"}),
    ):
        await _write(folder, change)
        took = await _push_under_visitors(stand, folder, "shop")
        figures |= {f"{name}_push_seconds": round(took.push, 2), f"{name}_build_seconds": round(took.build, 2),
                    f"{name}_longest_wait_seconds": round(took.waited, 2)}
        full |= {f"{name}_push_seconds": round(anew.push, 2), f"{name}_build_seconds": round(anew.build, 2)}
        say(f"{name}: {took.push:.1f} s, of it the build {took.build:.1f} s; a visitor waited {took.waited:.1f} s")
    return float(figures["template_push_seconds"]), float(figures["class_push_seconds"])


async def _lock(
    stand: Stand, say: Callable[[str], None], name: str, files: Mapping[str, str], figures: dict[str, Number],
    full: dict[str, Number],
) -> float:
    """How much of what an install takes at first it takes again, when another file has changed."""
    folder = stand.folder / name
    await make_repository(folder, Path(__file__).parent / "small")
    await _write(folder, files)
    first = await _push(stand, folder, name)
    await _write(folder, {"text": "another\n"})
    second = await _push(stand, folder, name)
    figures[f"{name}_build_seconds"] = round(second.build, 2)
    full[f"{name}_build_seconds"] = round(first.build, 2)
    say(f"{name}: the build {first.build:.1f} s at first, then {second.build:.2f} s")
    return second.build / first.build


async def _composer_files() -> dict[str, str]:
    """Packages of the project's own: as many files as 20 packages of others have, and no registry."""
    names = [f"acme/part{number}" for number in range(20)]
    manifest = {
        "name": "acme/app", "require": dict.fromkeys(names, "1.0.0"), "minimum-stability": "dev",
        "repositories": [
            {"type": "path", "url": "packages/*", "options": {"symlink": False}}, {"packagist.org": False},
        ],
    }
    packages = [
        {"name": name, "version": "1.0.0", "type": "library", "autoload": {"psr-4": {f"Part{number}\\": "src/"}},
         "dist": {"type": "path", "url": f"packages/part{number}", "reference": "1"},
         "transport-options": {"symlink": False, "relative": True}}
        for number, name in enumerate(names)
    ]
    lock = {"content-hash": "", "packages": packages, "packages-dev": [], "aliases": [], "minimum-stability": "dev",
            "stability-flags": {}, "prefer-stable": False, "prefer-lowest": False, "platform": {}, "platform-dev": {},
            "plugin-api-version": "2.6.0"}
    return {
        ".platform.app.yaml": PHP_APP, "index.php": "<?php echo 'php';\n", "composer.json": json.dumps(manifest),
        "composer.lock": json.dumps(lock),
        **{f"packages/part{number}/composer.json": json.dumps(
            {"name": name, "version": "1.0.0", "autoload": {"psr-4": {f"Part{number}\\": "src/"}}},
        ) for number, name in enumerate(names)},
        **{f"packages/part{number}/src/Class{item}.php": f"<?php\nnamespace Part{number};\nclass Class{item} {{}}\n"
           for number in range(20) for item in range(400)},
    }


async def _npm_files(stand: Stand) -> dict[str, str]:
    folder = stand.folder / "lock"
    folder.mkdir()
    (folder / "package.json").write_text(json.dumps({"name": "app", "dependencies": PACKAGES}))
    await run(
        "docker", "run", "--rm", "--user", "0", "--network", "host", "--volume", f"{folder}:/app", "--workdir", "/app",
        *_trusted(), "deployd/nodejs:20", "npm", "install", "--package-lock-only", "--no-audit", "--no-fund",
        limit_seconds=120,
    )
    return {
        ".platform.app.yaml": NODE_APP, "index.js": NODE_SERVER,
        **{name: (folder / name).read_text() for name in ("package.json", "package-lock.json")},
    }


def _trusted() -> tuple[str, ...]:
    """What builds trust too."""
    store = "/etc/ssl/certs/ca-certificates.crt"
    return ("--volume", f"{store}:{store}:ro", "--env", f"NODE_EXTRA_CA_CERTS={store}")


async def _write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    await commit(folder, "A change", allow_empty=True)


async def _push_under_visitors(stand: Stand, folder: Path, project: str) -> Took:
    """A push while somebody looks at one page after the other; each has to come.

    Raises:
        AssertionError: One did not.
    """
    waits: list[float] = []

    async def visit() -> None:
        connector = aiohttp.TCPConnector(resolver=LoopbackOnly())
        async with aiohttp.ClientSession(connector=connector) as session:
            while True:
                began = time.perf_counter()
                async with session.get(stand.daemon.url(project)) as answer:
                    await answer.read()
                    assert answer.status == 200, answer.status
                waits.append(time.perf_counter() - began)
                await asyncio.sleep(0.05)

    async with asyncio.TaskGroup() as group:
        visiting = group.create_task(visit())
        took = await _push(stand, folder, project)
        visiting.cancel()
    return replace(took, waited=max(waits))


async def _push(stand: Stand, folder: Path, project: str, options: tuple[str, ...] = ()) -> Took:
    began = time.perf_counter()
    pushed = await stand.daemon.push(folder, project, on_line=lambda _: None, options=options)
    seconds = time.perf_counter() - began
    assert pushed.deployed, "\n".join(pushed.lines)
    steps = [found for line in pushed.lines if (found := STEP.search(line)) is not None]
    return Took(seconds, sum(float(found["seconds"]) for found in steps if found["what"] == "build"))
