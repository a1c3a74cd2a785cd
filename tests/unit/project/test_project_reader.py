"""The reader as a whole: real projects in, values out."""

from deployd.project.findings.report import render_findings
from deployd.project.model import MAGENTO, PLATFORMSH, Mount
from deployd.project.reader import read_project
from tests.doubles.trees import DictTree

MAGENTO_2018 = {
    ".magento.app.yaml": """
name: mymagento
type: php:7.0
build:
    flavor: composer
runtime:
    extensions: [mcrypt, redis, xsl, json, blackfire]
relationships:
    database: "mysql:mysql"
    redis: "redis:redis"
web:
    locations:
        "/":
            root: "pub"
            passthru: "/index.php"
            index: [index.php]
            expires: -1
            scripts: true
            allow: false
            rules:
                /robots\\.txt$: {allow: true}
        "/static":
            root: "pub/static"
            passthru: "/front-static.php"
            rules:
                ^/static/version\\d+/(?<resource>.*)$:
                    passthru: "/static/$resource"
disk: 2048
mounts:
    "var": "shared:files/var"
    "app/etc": "shared:files/etc"
hooks:
    build: php ./vendor/bin/m2-ece-build
crons:
    cronrun: {spec: "* * * * *", cmd: "php bin/magento cron:run"}
variables:
    env: {DEBUG: false}
    php: {display_errors: Off}
""",
    ".magento/services.yaml": "mysql: {type: mysql:10.2, disk: 2048}\nredis: {type: redis:3.2}\n",
    ".magento/routes.yaml": '"http://{default}/": {type: upstream, upstream: "mymagento:php"}\n',
}


def test_a_magento_project_of_2018_becomes_values() -> None:
    result = read_project(DictTree(MAGENTO_2018))
    assert not result.errors, "\n".join(render_findings(result.errors))
    config = result.config
    assert config is not None
    assert config.dialect == MAGENTO
    app = config.applications[0]
    assert (app.name, app.runtime_name, app.version, app.root) == ("mymagento", "php", "7.0", "")
    assert app.web.instance.mounts[1] == Mount("app/etc", "local", "etc", None, app.web.instance.mounts[1].place)
    assert [(item.name, item.target, item.endpoint) for item in app.web.instance.relationships] == [
        ("database", "mysql", "mysql"),
        ("redis", "redis", "redis"),
    ]
    assert app.web.locations[1].rules[0].passthru == "/static/$resource"
    assert app.web.instance.variables == {"env": {"DEBUG": False}, "php": {"display_errors": False}}
    assert app.crons[0].start == "php bin/magento cron:run"
    assert (app.web.socket_family, app.web.protocol) == ("unix", "fastcgi")
    service = config.services[0]
    assert (service.kind, service.schemas) == ("mariadb", ("main",))
    assert service.endpoints[0].privileges == {"main": "admin"}
    route = config.routes[0]
    assert (route.upstream, route.endpoint) == ("mymagento", "http")


def test_one_application_without_a_routes_file_gets_the_usual_route() -> None:
    result = read_project(
        DictTree({".platform.app.yaml": "name: app\ntype: nodejs:24\nweb: {commands: {start: node .}}\n"})
    )
    config = result.config
    assert config is not None
    assert config.dialect == PLATFORMSH
    assert [(route.url, route.upstream, route.endpoint) for route in config.routes] == [
        ("https://{default}/", "app", "http")
    ]
    assert config.applications[0].web.locations[0].passthru is True
    assert config.applications[0].build.flavor == "default"


def test_all_errors_come_at_once_with_a_caret_and_the_nearest_spelling() -> None:
    result = read_project(
        DictTree(
            {
                ".platform.app.yaml": "name: app\ntype: php:8.4\nrelationship:\n  db: mysql:mysql\nhooks:\n  biuld: x",
                ".platform/services.yaml": "db: {type: mariadb:11.8, disk: 10}\n",
            }
        )
    )
    assert result.config is None
    lines = render_findings(result.errors)
    assert "  hint: did you mean `relationships`?" in lines
    assert "  hint: did you mean `build`?" in lines
    assert any("must" in line for line in lines)
    assert {error.place.line for error in result.errors} == {3, 6, 1}
