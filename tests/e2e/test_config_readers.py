"""The platforms' public config readers, from their registries, read what deployd gives to a real container."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Developer, MakeDeveloper

PYTHON_APP = """\
name: py
type: python:3.13
variables:
  env:
    GREETING: hello
  d8config:
    "system.site:name": My site
relationships:
  database: "db:mysql"
  cache: "cache:redis"
hooks:
  build: |
    set -e
    pip install --quiet --target vendor platformshconfig
    PYTHONPATH=vendor python3 -c 'import platformshconfig, json
    c = platformshconfig.Config()
    print("BUILD", json.dumps([c.is_valid_platform(), c.in_build(), bool(c.in_runtime()), c.applicationName]))'
web:
  commands:
    start: PYTHONPATH=vendor python3 show.py
"""
PYTHON_SHOW = """\
import json, os, socket
from http.server import BaseHTTPRequestHandler, HTTPServer
from platformshconfig import Config


def shown():
    c = Config()
    database = c.credentials("database")
    socket.create_connection((database["host"], database["port"]), 5).close()
    socket.create_connection((database["ip"], database["port"]), 5).close()
    return {
        "state": [c.is_valid_platform(), bool(c.in_build()), bool(c.in_runtime())],
        "project": c.project, "branch": c.branch, "environment": c.environment, "app": c.applicationName,
        "application": c.application()["name"], "type": c.application()["type"],
        "database": {key: database[key] for key in ("scheme", "port", "path", "username", "type", "rel", "service")},
        "cache": c.credentials("cache")["scheme"], "has": [c.has_relationship("cache"), c.has_relationship("nope")],
        "variable": c.variable("d8config:system.site:name"), "env": os.environ["GREETING"],
        "routes": {
            url: [r["type"], r.get("upstream"), r["primary"], r["original_url"]] for url, r in c.routes().items()
        },
        "host": database["host"],
    }


class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps(shown()).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)


HTTPServer(("", int(os.environ["PORT"])), Page).serve_forever()
"""
NODE_APP = """\
name: node
type: nodejs:20
relationships:
  database: "db:mysql"
web:
  commands:
    start: node show.js
"""
NODE_SHOW = """\
const config = require('platformsh-config').config();
require('http').createServer((_, answer) => {
  const database = config.credentials('database');
  answer.end(JSON.stringify({
    state: [config.isValidPlatform(), config.inBuild(), config.inRuntime()],
    app: config.applicationName, branch: config.branch, host: database.host, scheme: database.scheme,
    path: database.path,
    upstreams: Object.values(config.routes()).filter((r) => r.type === 'upstream').map((r) => r.upstream),
  }));
}).listen(config.port);
"""
FILES = {
    "py/.platform.app.yaml": PYTHON_APP,
    "py/show.py": PYTHON_SHOW,
    "node/.platform.app.yaml": NODE_APP,
    "node/show.js": NODE_SHOW,
    "node/package.json": json.dumps({"name": "show", "dependencies": {"platformsh-config": "*"}}),
    ".platform/services.yaml": "db:\n  type: mariadb:11.8\n  disk: 512\ncache:\n  type: redis:8.0\n",
    ".platform/routes.yaml": 'https://{default}/:\n  type: upstream\n  upstream: "py:http"\n  primary: true\n'
                             'https://node.{default}/:\n  type: upstream\n  upstream: "node:http"\n',
}


@pytest.fixture
async def me(developer: MakeDeveloper, tmp_path: Path) -> Developer:
    source = tmp_path / "readers"
    for name, text in FILES.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(text)
    return await developer("hooked", source)


async def test_the_python_and_the_node_reader_understand_what_deployd_gives(me: Developer) -> None:
    pushed = await me.push()
    text = "\n".join(pushed.lines)
    assert 'BUILD [true, true, false, "py"]' in text, text

    status, body = await me.page()
    assert status == 200, text
    seen: dict[str, Any] = json.loads(body)
    host = f"{seen['environment']}-hooked.localhost"
    assert seen["state"] == [True, False, True]
    assert (seen["project"], seen["branch"], seen["app"], seen["application"]) == ("hooked", "main", "py", "py")
    assert seen["database"] == {"scheme": "mysql", "port": 3306, "path": "main", "username": "user",
                                "type": "mariadb:11.8", "rel": "mysql", "service": "db"}
    assert (seen["cache"], seen["has"]) == ("redis", [True, False])
    assert (seen["variable"], seen["env"]) == ("My site", "hello")
    port = me.daemon.http_port
    assert seen["routes"][f"http://{host}:{port}/"] == ["upstream", "py", True, "https://{default}/"]

    status, body = await me.page(subdomain="node")
    seen = json.loads(body)
    assert seen["state"] == [True, False, True]
    assert (seen["app"], seen["branch"], seen["host"], seen["path"]) == ("node", "main", "database.internal", "main")
    assert sorted(seen["upstreams"]) == ["node", "py"]
