"""A Magento in small (`tests/support/magento`), built and deployed by the recipe's own scripts without a daemon.

A build sees the whole application; a deployment sees it read-only, with its mounts over it, and a real database.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deployd.environment.application_json import application_json
from deployd.project.model import Application
from deployd.project.model.magento import MARK
from deployd.project.reader import read_project
from deployd.runtimes.build_steps import build_steps
from deployd.runtimes.magento.program import preparation, with_recipe
from tests.doubles.trees import DictTree

TEMPLATE = Path(__file__).with_name("magento")
IMAGE, DATABASE_IMAGE = "deployd/php:8.2", "deployd/mariadb:10.11"
APP = """\
name: shop
type: php:8.2
size: M
disk: 512
relationships: {database: "mysql:mysql"}
web:
  locations:
    "/": {root: pub, passthru: /index.php, scripts: true, allow: false}
    "/static": {root: pub/static, allow: true, scripts: false}
mounts: {var: "shared:files/var", app/etc: "shared:files/etc", pub/media: "shared:files/media",
         pub/static: "shared:files/static"}
"""
HISTORIC = """\
hooks:
  build: php ./bin/magento magento-cloud:build
  deploy: |
    php ./vendor/magento/magento-cloud-configuration/pre-deploy.php
    php ./bin/magento magento-cloud:deploy
"""
SERVICES = "mysql: {type: 'mysql:10.11', disk: 512}\n"
ROUTES = '"http://{default}/": {type: upstream, upstream: "shop:http"}\n'
SEARCH = """\
stage:
  deploy:
    SEARCH_CONFIGURATION: {engine: opensearch, opensearch_server_hostname: search.test, opensearch_server_port: 9200}
"""
SCOPES = """\
<?php
return ['modules' => ['Magento_Store' => 1, 'Magento_TwoFactorAuth' => 0, 'Acme_Hello' => 1],
        'scopes' => ['websites' => ['base' => ['code' => 'base']]],
        'system' => ['default' => ['general' => ['locale' => ['code' => 'de_DE']]],
                     'stores' => ['fr' => ['general' => ['locale' => ['code' => 'fr_FR']]]]]];
"""


def shop_files(app: str = APP, env: str = SEARCH) -> dict[str, str]:
    """The repository, as texts."""
    files = {str(path.relative_to(TEMPLATE)): path.read_text() for path in TEMPLATE.rglob("*") if path.is_file()}
    return {
        **files, ".magento.app.yaml": app, ".magento/services.yaml": SERVICES, ".magento/routes.yaml": ROUTES,
        ".magento.env.yaml": env,
    }


def read_app(files: Mapping[str, str]) -> Application:
    result = read_project(DictTree(files))
    assert result.config is not None, result.findings
    return result.config.applications[0]


@dataclass
class Ran:
    status: int
    said: str


@dataclass
class Database:
    """A MariaDB of its own; applications share its network, and find it at 127.0.0.1."""

    name: str = field(default_factory=lambda: f"test-magento-{uuid.uuid4().hex[:8]}")

    def start(self) -> None:
        docker("run", "--detach", "--name", self.name, "--env", "MARIADB_ROOT_PASSWORD=root", "--label", "deployd=test",
               "--tmpfs", "/var/lib/mysql", DATABASE_IMAGE)
        end = time.monotonic() + 60
        while docker("exec", self.name, *self._client("SELECT 1"), check=False).status and time.monotonic() < end:
            time.sleep(0.2)
        self.sql("CREATE USER IF NOT EXISTS shop IDENTIFIED BY 'it''s'; GRANT ALL ON *.* TO shop")

    def make(self) -> str:
        """A database that nobody has used."""
        name = f"main_{uuid.uuid4().hex[:8]}"
        self.sql(f"CREATE DATABASE {name}")
        return name

    def sql(self, statement: str) -> str:
        return docker("exec", self.name, *self._client(statement)).said

    def _client(self, statement: str) -> tuple[str, ...]:
        return ("mariadb", "--user=root", "--password=root", "--skip-column-names", "--batch", "--execute", statement)

    def remove(self) -> None:
        docker("rm", "--force", "--volumes", self.name)


@dataclass
class Shop:
    """A working tree, what a build makes of it, and the mounts of one environment."""

    folder: Path
    built: Path
    """What was built already, for any test."""
    database: Database
    files: dict[str, str] = field(default_factory=shop_files)
    schema: str = ""
    variables: dict[str, Any] = field(default_factory=dict)
    relationships: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    branch: str = "main"
    host: str = "shop.test"

    def __post_init__(self) -> None:
        self.schema = self.schema or self.database.make()

    @property
    def app(self) -> Application:
        return read_app(self.files)

    @property
    def slug(self) -> Path:
        return self.folder / "slug"

    def mount(self, path: str) -> Path:
        return self.folder / "mounts" / path.replace("/", "_")

    def build(self) -> Ran:
        """Every step of the build, to the first that fails. The same files are built once."""
        key = hashlib.sha256(repr((sorted(self.files.items()), self.environment)).encode()).hexdigest()
        kept = self.built / key
        shutil.rmtree(self.slug, ignore_errors=True)
        if not kept.is_dir():
            built = self._build()
            if built.status != 0:
                return built
            shutil.copytree(self.slug, kept, symlinks=True)
            (kept / ".said").write_text(built.said)
        else:
            shutil.copytree(kept, self.slug, symlinks=True)
        return Ran(0, (kept / ".said").read_text())

    def _build(self) -> Ran:
        for name, text in self.files.items():
            path = self.slug / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        steps = "\n".join(f"( cd /app && (\n{step.script}\n) ) || exit" for step in build_steps(self.app))
        return self._run(steps, [f"{self.slug}:/app"], building=True)

    def deploy(self, hook: str = "deploy", *, prepared: bool = False) -> Ran:
        """
        Args:
            prepared: In the same container, after the look ahead.
        """
        script = MARK if hook == "prepare" else getattr(self.app.hooks, hook).script
        look = f"(\n{preparation(self.app)}\n)\necho and now the hook\n" if prepared else ""
        binds = [f"{self.slug}:/app:ro"]
        for mount in self.app.web.instance.mounts:
            folder = self.mount(mount.path)
            folder.mkdir(parents=True, exist_ok=True)
            (self.slug / mount.path).mkdir(parents=True, exist_ok=True)
            binds.append(f"{folder}:/app/{mount.path}")
        return self._run("cd /app || exit\n" + look + with_recipe(self.app, hook, script), binds, building=False)

    def configuration(self, file: str = "app/etc/env.php") -> Any:
        """What a configuration file of Magento says."""
        folder, name = file.rsplit("/", 1)
        code = f"echo json_encode(require '/etc/it/{name}');"
        said = docker("run", "--rm", "--volume", f"{self.mount(folder)}:/etc/it:ro", "--user", "0", IMAGE,
                      "php", "-r", code)
        return json.loads(said.said)

    def sql(self, statement: str) -> str:
        return self.database.sql(f"USE {self.schema}; {statement}").strip()

    def _run(self, script: str, binds: list[str], *, building: bool) -> Ran:
        values = self._variables(building)
        flags = [item for name, value in values.items() for item in ("--env", f"{name}={value}")]
        mounts = [item for bind in binds for item in ("--volume", bind)]
        return docker(
            "run", "--rm", "--interactive", "--network", f"container:{self.database.name}", "--workdir", "/app",
            "--user", "0", *flags, *mounts, IMAGE, "sh", "-s", stdin=script, check=False,
        )

    def _variables(self, building: bool) -> dict[str, str]:
        app = application_json(self.app, building=building)
        database = {"host": "127.0.0.1", "port": 3306, "scheme": "mysql", "path": self.schema, "username": "shop",
                    "password": "it's", "type": "mysql:10.11"}
        route = {"type": "upstream", "upstream": "shop:http", "original_url": "http://{default}/", "primary": True}
        said = {"APPLICATION": app, "VARIABLES": self.variables}
        if not building:
            said |= {"RELATIONSHIPS": {"database": [database], **self.relationships},
                     "ROUTES": {f"http://{self.host}/": route}}
        encoded = {f"MAGENTO_CLOUD_{name}": base64.b64encode(json.dumps(value).encode()).decode()
                   for name, value in said.items()}
        return {**encoded, "MAGENTO_CLOUD_BRANCH": self.branch, "MAGENTO_CLOUD_TREE_ID": "1",
                "MAGENTO_CLOUD_DOCUMENT_ROOT": "/app/pub", "HOME": "/tmp", "COMPOSER_CACHE_DIR": "/tmp/composer",
                "COMPOSER_ALLOW_SUPERUSER": "1",
                **self.environment}


def docker(*arguments: str, stdin: str = "", check: bool = True) -> Ran:
    done = subprocess.run(["docker", *arguments], input=stdin.encode(), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=300, check=False)
    said = done.stdout.decode(errors="replace")
    assert not check or done.returncode == 0, said
    return Ran(done.returncode, said)
