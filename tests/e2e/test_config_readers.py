"""The platforms' public config readers, from their registries, read what deployd gives to a real container."""

from __future__ import annotations

import json
import re
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from tests.support.developer import Developer, MakeDeveloper

PYTHON_APP = """\
name: py
type: python:3.13
variables:
  env:
    GREETING: hello
    LEVEL: application
    DEBUG: false
    FLAVOURS: [peanut butter, jelly]
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
    print("BUILD", json.dumps([c.is_valid_platform(), c.in_build(), bool(c.in_runtime()), c.applicationName]))
    for name in ("branch", "environment", "documentRoot", "port"):
        try:
            print("SEEN", name, getattr(c, name))
        except RuntimeError as error:
            print(type(error).__name__, name)
    for call in (c.routes, lambda: c.credentials("database")):
        try:
            print("SEEN", call())
        except RuntimeError as error:
            print(type(error).__name__)
    print("ROOM", c.appDir, c.treeID, len(c.projectEntropy), c.variable("shop:features"))'
    echo "LEVELS $LEVEL ${IN_BUILDS-none} ${AT_RUN_TIME-none} ${OF_NODE-none} $TOKEN"
web:
  commands:
    start: PYTHONPATH=vendor python3 show.py
"""
PYTHON_SHOW = """\
import json, os, socket
from http.server import BaseHTTPRequestHandler, HTTPServer
from platformshconfig import Config


def shown():
    c, magento = Config(), Config(var_prefix="MAGENTO_CLOUD_")
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
        "primary": c.get_primary_route()["upstream"], "upstreams": sorted(c.get_upstream_routes()),
        "own": list(c.get_upstream_routes("py")), "by_id": c.get_route("front")["url"],
        "production": c.on_production(), "dedicated": c.on_dedicated(), "root": c.documentRoot, "folder": c.appDir,
        "port": c.port, "tree": c.treeID, "entropy": len(c.projectEntropy), "smtp": c.smtpHost,
        "dsn": c.formatted_credentials("database", "postgresql_dsn"),
        "solr": c.formatted_credentials("database", "pysolr"),
        "ip": database["ip"], "variables": c.variables(),
        "magento": [magento.branch, magento.routes() == Config().routes()],
        "levels": {name: os.environ.get(name) for name in (
            "LEVEL", "PROJECT_ONLY", "TOKEN", "IN_BUILDS", "AT_RUN_TIME", "OF_NODE", "DEBUG", "FLAVOURS", "SCRIPT",
        )},
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
config.registerFormatter('url', (c) => `${c.scheme}://${c.username}@${c.host}:${c.port}/${c.path}`);
const attempt = (call) => { try { return call(); } catch (error) { return error.constructor.name; } };
require('http').createServer((_, answer) => {
  const database = config.credentials('database');
  answer.end(JSON.stringify({
    state: [config.isValidPlatform(), config.inBuild(), config.inRuntime()],
    app: config.applicationName, branch: config.branch, host: database.host, scheme: database.scheme,
    path: database.path,
    upstreams: Object.values(config.routes()).filter((r) => r.type === 'upstream').map((r) => r.upstream),
    primary: config.getPrimaryRoute().upstream, own: Object.keys(config.getUpstreamRoutes('node')),
    byId: config.getRoute('front').upstream, production: config.onProduction(), dedicated: config.onDedicated(),
    root: config.documentRoot, folder: config.appDir, tree: config.treeId, entropy: config.projectEntropy.length,
    project: config.project, environment: config.environment, smtp: attempt(() => config.smtpHost),
    url: config.formattedCredentials('database', 'url'), has: config.hasRelationship('nope'),
    features: config.variable('shop:features'), variables: config.variables(), type: config.application().type,
    level: process.env.LEVEL, ofNode: process.env.OF_NODE,
  }));
}).listen(config.port);
"""
FILES = {
    "py/.platform.app.yaml": PYTHON_APP,
    "py/show.py": PYTHON_SHOW,
    "py/.environment": 'export SCRIPT="after $LEVEL"\nexport PROJECT_ONLY="${PROJECT_ONLY}!"\n',
    "node/.platform.app.yaml": NODE_APP,
    "node/show.js": NODE_SHOW,
    "node/package.json": json.dumps({"name": "show", "dependencies": {"platformsh-config": "*"}}),
    ".platform/services.yaml": "db:\n  type: mariadb:11.8\n  disk: 512\ncache:\n  type: redis:8.0\n",
    ".platform/routes.yaml": 'https://{default}/:\n  type: upstream\n  upstream: "py:http"\n  primary: true\n'
                             '  id: front\n'
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
    of_a_build(text)

    status, body = await me.page()
    assert status == 200, text
    of_python(json.loads(body), me.daemon.http_port)

    status, body = await me.page(subdomain="node")
    assert status == 200, text
    of_node(json.loads(body), me.daemon.http_port)


def of_a_build(text: str) -> None:
    """A build has no run time, no services, and what is visible in builds."""
    assert 'BUILD [true, true, false, "py"]' in text, text
    assert "SEEN" not in text
    for name in ("branch", "environment", "documentRoot", "port"):
        assert f"BuildTimeVariableAccessException {name}" in text
    assert re.search(r"ROOM /app [0-9a-f]{40} 56 \{'a': \[1, True\]\}", text)
    assert "LEVELS environment b none none" in text
    assert "kept-from-logs" not in text


def of_python(seen: dict[str, Any], port: int) -> None:
    host = f"{seen['environment']}-hooked.localhost"
    assert seen["state"] == [True, False, True]
    assert (seen["project"], seen["branch"], seen["app"], seen["application"]) == ("hooked", "main", "py", "py")
    assert seen["database"] == {"scheme": "mysql", "port": 3306, "path": "main", "username": "user",
                                "type": "mariadb:11.8", "rel": "mysql", "service": "db"}
    assert (seen["cache"], seen["has"]) == ("redis", [True, False])
    assert (seen["variable"], seen["env"]) == ("My site", "hello")
    front, of_node = f"http://{host}:{port}/", f"http://node.{host}:{port}/"
    assert seen["routes"][front] == ["upstream", "py", True, "https://{default}/"]
    assert (seen["primary"], seen["upstreams"], seen["own"]) == ("py", sorted([front, of_node]), [front])
    assert seen["by_id"] == front
    assert (seen["production"], seen["dedicated"]) == (False, False), "the library knows production by the name master"
    assert (seen["root"], seen["folder"], seen["port"], seen["entropy"]) == ("/app", "/app", "8888", 56)
    assert re.fullmatch("[0-9a-f]{40}", seen["tree"])
    network = ip_network(f"{seen['ip']}/26", strict=False)   # subnet_prefix
    assert seen["smtp"] == str(network[1]), "mails are taken at the gateway"
    assert re.fullmatch(r"postgresql://user:[^@]*@database\.internal:3306/main", seen["dsn"])
    assert seen["solr"] == f"http://{seen['ip']}:3306/main"
    assert seen["magento"] == ["main", True]
    assert seen["variables"] == {
        "d8config:system.site:name": "My site", "shop:features": {"a": [1, True]}, "plain": "text",
    }
    assert seen["levels"] == {
        "LEVEL": "environment", "PROJECT_ONLY": "yes!", "TOKEN": "kept-from-logs", "IN_BUILDS": None,
        "AT_RUN_TIME": "r", "OF_NODE": None, "DEBUG": "false", "FLAVOURS": '["peanut butter", "jelly"]',
        "SCRIPT": "after environment",
    }


def of_node(seen: dict[str, Any], port: int) -> None:
    assert seen["state"] == [True, False, True]
    assert (seen["app"], seen["branch"], seen["host"], seen["path"]) == ("node", "main", "database.internal", "main")
    assert sorted(seen["upstreams"]) == ["node", "py"]
    assert (seen["primary"], seen["byId"], seen["production"], seen["dedicated"]) == ("py", "py", False, False)
    assert seen["own"] == [f"http://node.{seen['environment']}-hooked.localhost:{port}/"]
    assert (seen["root"], seen["folder"], seen["entropy"], seen["project"]) == ("/app", "/app", 56, "hooked")
    assert re.fullmatch("[0-9a-f]{40}", seen["tree"])
    assert seen["url"] == "mysql://user@database.internal:3306/main"
    assert (seen["has"], seen["type"], seen["features"]) == (False, "nodejs:20", {"a": [1, True]})
    assert seen["variables"] == {"shop:features": {"a": [1, True]}, "plain": "text"}
    assert (seen["level"], seen["ofNode"]) == ("environment", "n")
