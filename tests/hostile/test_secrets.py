"""What a hook, a build or a cron prints of secrets, by accident or not, and where passwords of services lie."""

from __future__ import annotations

import asyncio
import base64
import json
import sqlite3
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from deployd.process import run
from scripts.local_daemon import LocalDaemon
from scripts.repository import make_repository
from tests.hostile.conftest import SENSITIVE
from tests.support.developer import APP, Developer, write_start

pytestmark = pytest.mark.asyncio(loop_scope="session")

WINDOW = 14
"""So many characters of a secret in a row must be nowhere. Of them 12 are masked where a line ends, 16 elsewhere."""
CRON_SECONDS = 150
KEY = str(SENSITIVE["env:SHOP_KEY"])
PRINTS = '''\
import base64, html, json, os, shlex
from urllib.parse import quote, quote_plus


def forms(key, pem, leaf):
    raw = key.encode()
    return {
        "plain": key, "twice": key + key, "within": f"<{key}>", "json": json.dumps(key), "json in json":
        json.dumps(json.dumps(key)), "php json": json.dumps(key).replace("/", chr(92) + "/"), "repr": repr(key),
        "shell": shlex.quote(key), "backslash": key.replace("'", "'" + chr(92) + "''"), "html": html.escape(key),
        "url": quote(key, safe=""), "path": quote(key), "plus": quote_plus(key), "hex": raw.hex(), "HEX":
        raw.hex().upper(), "base64": base64.b64encode(raw).decode(), "base64 1":
        base64.b64encode(b":" + raw).decode(), "base64 2": base64.b64encode(b"u:" + raw + b".").decode(),
        "urlsafe": base64.urlsafe_b64encode(raw).decode(), "base64 of json":
        base64.b64encode(json.dumps({"k": key}).encode()).decode(), "colour":
        f"{chr(27)}[31m{key[:20]}{chr(27)}[0m{key[20:]}", "head": key[:24], "tail": key[24:], "middle":
        f"a {key[8:40]} b", "cut": "x" * (16384 - 45) + key, "pem": pem, "pem json": json.dumps(pem),
        "pem base64": base64.b64encode(pem.encode()).decode(), "leaf": leaf, "leaf base64":
        base64.b64encode(leaf.encode()).decode(), "folded": chr(10).join(key[n:n + 16] for n in range(0, 48, 16)),
    }


if __name__ == "__main__":
    found = forms(os.environ["SHOP_KEY"], os.environ["SHOP_PEM"],
                  json.loads(os.environ["SHOP_JSON"])["deep"][0]["password"])
    for name, text in found.items():
        print(f"form {name}:", flush=True)
        print(text, flush=True)
    for name, item in json.loads(base64.b64decode(os.environ.get("PLATFORM_RELATIONSHIPS", "e30="))).items():
        print("relationship", name, json.dumps(item))
        print(os.environ["PLATFORM_RELATIONSHIPS"])
'''
FILES = {
    ".platform.app.yaml": APP + """\
relationships: {db: "db:mysql", cache: "cache:redis", queue: "queue:rabbitmq", post: "post:postgresql"}
hooks: {build: python3 prints.py, deploy: python3 prints.py}
crons: {leak: {spec: "* * * * *", commands: {start: python3 prints.py}}}
""",
    ".platform/services.yaml": "db: {type: 'mariadb:11.8', disk: 256}\ncache: {type: 'redis:8.0'}\n"
                               "queue: {type: 'rabbitmq:4.0', disk: 256}\npost: {type: 'postgresql:17', disk: 256}\n",
    "prints.py": PRINTS,
}


def forms() -> dict[str, str]:
    values: dict[str, Any] = {"__name__": "forms"}
    exec(PRINTS, values)
    found: dict[str, str] = values["forms"](KEY, SENSITIVE["env:SHOP_PEM"], "t9Vq-leaf-of-JSON-77aX")
    return found


FORMS = forms()


@dataclass
class Printed:
    """Everything that can be read of the one push."""

    me: Developer
    places: dict[str, str]
    """{where: all that is read there}"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def printed(daemon: LocalDaemon, tmp_path_factory: pytest.TempPathFactory) -> Printed:
    folder = tmp_path_factory.mktemp("secrets")
    await make_repository(folder / "work", write_start(folder / "start"))
    me = Developer(daemon, folder / "work", "secrets")
    await me.write(FILES)
    pushed = await me.push()
    assert await me.page() == (200, "first on main"), "\n".join(pushed.lines[-30:])
    async with daemon.session() as api:
        async with api.get("/api/v1/activities?project=secrets") as answer:
            number = (await answer.json())["items"][0]["id"]
        async with api.get(f"/api/v1/activities/{number}/log") as answer:
            log = await answer.text()
        async with api.get(f"/api/v1/activities/{number}/journal") as answer:
            journal = await answer.text()
    file = daemon.directory / f"var/state/logs/{number}.jsonl"
    return Printed(me, {
        "terminal": "\n".join(pushed.lines), "api": _read(log), "journal": journal, "file": _read(file.read_text()),
        "operator": daemon.log_file.read_text(errors="replace"),
    })


def _read(lines: str) -> str:
    """The texts of a log in JSON, as people see them."""
    return "\n".join(json.loads(line)["text"] for line in lines.splitlines() if line.strip())


def windows(name: str) -> set[str]:
    """Pieces of what was printed that must be nowhere."""
    if name == "cut":
        text = KEY[:45]
    elif name == "colour":
        text = KEY
    else:
        text = FORMS[name]
    lines = [line for line in text.splitlines() if "-----" not in line]
    if name in ("pem json", "pem base64"):   # around its lines is what all keys have
        middle = len(text) // 2
        lines = [text[middle - 60:middle + 60]]
    return {line[at:at + WINDOW] for line in lines for at in range(len(line) - WINDOW + 1)}


@pytest.mark.parametrize("name", FORMS)
async def test_no_form_of_a_secret_is_in_any_log(printed: Printed, name: str) -> None:
    for place, text in printed.places.items():
        assert place in ("journal", "operator") or f"form {name}:" in text, f"it was not printed into {place}"
        found = [piece for piece in windows(name) if piece in text]
        assert found == [], f"in {place}"


async def test_a_value_too_short_to_be_masked_is_told(printed: Printed) -> None:
    assert "variables.env:SHOP_PIN is sensitive and has fewer than 6 characters" in printed.places["terminal"]
    assert "variable_cannot_be_masked" in printed.places["operator"]
    assert "SHOP_KEY is sensitive" not in printed.places["terminal"]


async def test_passwords_of_services_are_in_no_log(printed: Printed) -> None:
    passwords = await _passwords(printed.me)
    assert set(passwords) == {"db", "queue", "post"}
    for place, text in printed.places.items():
        for service, password in passwords.items():
            assert password not in text, f"of {service} in {place}"
    assert "relationship db" in printed.places["api"]


async def test_a_crons_record_has_no_secret(printed: Printed) -> None:
    folder = printed.me.daemon.directory / "var/state/environments/secrets"
    async with asyncio.timeout(CRON_SECONDS):
        while not (found := [file for file in folder.glob("*/crons/*.log") if file.read_text()]):
            await asyncio.sleep(0.5)
    output = "\n".join(json.loads(found[0].read_text().splitlines()[0])["output"])
    assert "form leaf:" in output
    passwords = (await _passwords(printed.me)).values()
    assert [name for name in FORMS if any(piece in output for piece in windows(name))] == []
    assert [password for password in passwords if password in output] == []


@pytest.mark.parametrize("service", ["db", "queue", "post"])
async def test_the_administrators_password_is_in_no_description_of_a_container(
    printed: Printed, service: str,
) -> None:
    daemon = printed.me.daemon
    (file,) = (daemon.directory / "var/run/secrets/secrets").glob(f"*/{service}/password")
    password = file.read_text()
    assert len(password) >= 24
    inspected = await _inspect(daemon, "service", service)
    assert password not in json.dumps(inspected)
    shown = await run("docker", "exec", inspected["Name"].lstrip("/"), "sh", "-c", "env; cat /proc/1/environ")
    assert password.encode() not in shown.stdout


async def test_the_files_are_in_memory_and_for_root_alone(printed: Printed) -> None:
    folder = printed.me.daemon.directory / "var/run/secrets"
    kind = await run("stat", "--file-system", "--format=%T", str(folder))
    assert kind.stdout.strip() in (b"tmpfs", b"ramfs")
    for path in folder.rglob("*"):
        assert path.stat().st_uid == 0
        assert not path.is_dir() or path.stat().st_mode & 0o077 == 0
    seen = await run("setpriv", "--reuid=10000", "--regid=10000", "--clear-groups", "ls", str(folder), check=False)
    assert seen.status != 0


async def test_an_application_sees_no_file_of_its_services(printed: Printed) -> None:
    app = await _inspect(printed.me.daemon, "app", "app")
    assert not [mount for mount in app["Mounts"] if "/secrets/secrets/" in mount["Source"]]


async def test_no_password_is_in_the_database_and_rows_cannot_be_exchanged(printed: Printed) -> None:
    state = printed.me.daemon.directory / "var/state"
    data = b"".join(path.read_bytes() for path in state.glob("state.db*"))
    for service, password in (await _passwords(printed.me)).items():
        assert password.encode() not in data, f"of {service}"
    with sqlite3.connect(f"file:{state}/state.db?mode=ro", uri=True) as db:
        stored = [row[0] for row in db.execute("SELECT secret FROM secrets UNION SELECT entropy FROM projects")]
    db.close()
    assert stored
    assert all(text.startswith("sealed:1:") for text in stored)
    assert (printed.me.daemon.directory / "var/key").stat().st_mode & 0o777 == 0o600


async def test_services_come_back_after_a_start_of_the_host(printed: Printed) -> None:
    """What is in memory is gone then, and Docker starts nothing that lacks it before the daemon does."""
    daemon, names = printed.me.daemon, []
    await daemon.stop()
    try:
        for service in ("db", "queue", "post"):
            names.append((await _inspect(daemon, "service", service))["Name"].lstrip("/"))
        await run("docker", "stop", "--time=20", *names, limit_seconds=90)
        await run("umount", str(daemon.directory / "var/run/secrets"))
        started = await run("docker", "start", *names, check=False)
        assert started.status != 0, "the files were there after all"
    finally:
        await daemon.start(limit_seconds=120)
    for name in names:
        async with asyncio.timeout(90):
            while await _health(name) != "healthy":
                await asyncio.sleep(0.5)
    assert await printed.me.page() == (200, "first on main")


async def _health(name: str) -> str:
    return (await run("docker", "inspect", "--format={{.State.Health.Status}}", name)).stdout.decode().strip()


async def _inspect(daemon: LocalDaemon, role: str, part: str) -> dict[str, Any]:
    labels = {"deployd": daemon.instance, "deployd.project": "secrets", "deployd.role": role, "deployd.part": part}
    filters = [f"--filter=label={name}={value}" for name, value in labels.items()]
    (number,) = (await run("docker", "ps", "--all", "--quiet", *filters)).stdout.decode().split()
    found: dict[str, Any] = json.loads((await run("docker", "inspect", number)).stdout)[0]
    return found


async def _passwords(me: Developer) -> dict[str, str]:
    """{service: password of its endpoint}, as the application finds them."""
    app = await _inspect(me.daemon, "app", "app")
    variables = dict(item.partition("=")[::2] for item in app["Config"]["Env"])
    found = json.loads(base64.b64decode(variables["PLATFORM_RELATIONSHIPS"]))
    return {items[0]["service"]: items[0]["password"] for items in found.values() if items[0]["password"]}
