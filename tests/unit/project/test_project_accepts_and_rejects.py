# ruff: noqa: E501   a row of the table is a line
"""Section 13 of the configuration format, row by row: what is accepted (A), accepted with a warning (W), refused (R).

Rows that need more than the files of one commit are tested where they belong: 20 and 21 (submodules) with git, 35 (the
project's disk limit), 58 (mounts over files) with slugs, 116 to 118 (changes against what runs) with the plan, 140 to 142
with the hosts of an environment.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from deployd.project.findings.report import render_findings
from deployd.project.reader import read_project
from tests.doubles.trees import DictTree

WEB = 'web: {locations: {"/": {root: public, passthru: /index.php}}}\n'
PHP = f"name: app\ntype: php:8.4\n{WEB}"
NODE = "name: app\ntype: nodejs:24\nweb: {commands: {start: node .}}\n"
ROUTE = '"https://{default}/": {type: upstream, upstream: "app:http"'
APP, SERVICES, ROUTES, LIST = ".platform.app.yaml", ".platform/services.yaml", ".platform/routes.yaml", ".platform/applications.yaml"
MYSQL = "mysql: {type: mariadb:11.8, disk: 1024}\n"


@dataclass(frozen=True)
class Row:
    number: str
    verdict: str
    files: dict[str, str]
    about: tuple[str, ...] = ()
    """Words that the findings must hold."""
    folders: tuple[str, ...] = field(default=())


def app(text: str, *about: str, base: str = PHP, verdict: str = "A", number: str = "", **more: str) -> Row:
    """A row about one app file; keyword arguments are the files of the folder without `.yaml`."""
    files = {APP: base + text} | {f".platform/{name}.yaml": content for name, content in more.items()}
    return Row(number, verdict, files, about)


def loc(text: str) -> str:
    return f'web: {{locations: {{"/": {text}}}}}\n'


BARE = "name: app\ntype: php:8.4\n"
BARE_NODE = "name: app\ntype: nodejs:24\n"


def A(number: str, text: str, *about: str, base: str = PHP, **more: str) -> Row:
    return app(text, *about, base=base, verdict="A", number=number, **more)


def W(number: str, text: str, *about: str, base: str = PHP, **more: str) -> Row:
    return app(text, *about, base=base, verdict="W", number=number, **more)


def R(number: str, text: str, *about: str, base: str = PHP, **more: str) -> Row:
    return app(text, *about, base=base, verdict="R", number=number, **more)


def service(number: str, verdict: str, services: str, *about: str, text: str = "") -> Row:
    return app(text, *about, verdict=verdict, number=number, services=services)


def route(number: str, verdict: str, routes: str, *about: str) -> Row:
    return app("", *about, verdict=verdict, number=number, routes=routes)


def key(number: str, verdict: str, inner: str, *about: str) -> Row:
    """A row about keys of an upstream route."""
    return route(number, verdict, f"{ROUTE}, {inner}}}\n", *about)


LOCAL = "mounts: {var: {source: local, source_path: var}}\n"
STORAGE = "storage: {type: network-storage:1.0, disk: 256}\n"
CRON = "crons: {{job: {}}}\n"
FILES = [
    Row("1", "R", {"README.md": ""}, ("no application", ".platform.app.yaml", "applications.yaml")),
    Row("2", "A", {APP: PHP}),
    Row("3", "R", {APP: PHP, f"b/{APP}": PHP.replace("app", "b", 1)}, ("none can be guessed", ".platform/routes.yaml")),
    Row("4", "A", {APP: PHP, SERVICES: "# nothing\n\n"}),
    Row("5", "R", {APP: PHP + 'relationships: {database: "mysql:mysql"}\n'}, ("no service or application `mysql`", SERVICES)),
    Row("6 tab", "R", {APP: PHP + "hooks:\n\tbuild: x\n"}, ("a tab", ".platform.app.yaml:5:1")),
    Row("6 alias", "R", {APP: PHP + "hooks: *nothing\n"}, ("no anchor `&nothing`", ":4:8")),
    Row("6 quote", "R", {APP: PHP + 'hooks: {build: "echo\n'}, ("quote", ":4:16")),
    Row("7", "R", {APP: PHP, ROUTES: "- a\n"}, ("`routes` must be a mapping", "a list")),
    Row("8", "R", {APP: PHP, f"b/{APP}": PHP, ROUTES: f"{ROUTE}}}\n"}, ("two applications are called `app`", f"b/{APP}", f"see also {APP}")),
    Row("9", "A", {LIST: "- {name: app, type: 'php:8.4', web: {locations: {/: {root: x}}}}\n- {name: b, type: 'nodejs:24', "
                   "web: {commands: {start: x}}}\n", ROUTES: f"{ROUTE}}}\n"}),
    Row("10", "R", {LIST: "- {type: 'php:8.4'}\n"}, ("needs the key `name`",)),
    Row("11", "A", {LIST: "app:\n  type: php:8.4\n  web: {locations: {/: {root: x}}}\n"}),
    Row("12", "A", {LIST: ".base: &base {type: 'php:8.4', web: {locations: {/: {root: x}}}}\napp:\n  <<: *base\n"}),
    Row("12a", "A", {LIST: "- &app {name: app, type: 'php:8.4', web: {locations: {/: {root: x}}}}\n- {<<: *app, name: other}\n",
                     ROUTES: f"{ROUTE}}}\n"}),
    Row("13", "A", {LIST: f"app:\n  type: php:8.4\n  {WEB}", f"search/{APP}": NODE.replace("app", "search", 1), ROUTES: f"{ROUTE}}}\n"}),
    Row("14", "A", {APP: PHP + "hooks: {build: !include {type: string, path: build.sh}}\n", "build.sh": "make\n"}),
    Row("15", "R", {APP: PHP + "hooks: {build: !include {type: string, path: build.sh}}\n"}, ("no file `build.sh`", "looked for `build.sh`")),
    Row("16", "R", {APP: PHP + "hooks: {build: !include {type: string, path: ../../../etc/passwd}}\n"}, ("leads out of the repository",)),
    Row("17", "R", {APP: PHP + "hooks: !!python/object:os.system {}\n"}, ("the tag `!!python/object:os.system`",)),
    Row("18", "A", {LIST: "- !include pip.app.yaml\n", ".platform/pip.app.yaml": PHP}),
    Row("19", "W", {APP: PHP, ".magento.app.yaml": PHP, ROUTES: f"{ROUTE}}}\n"}, ("several spellings", "`.platform.app.yaml` and `.platform/` are read")),
]
BASE = [
    R("22", "", "needs the key `name`", base="type: php:8.4\n" + WEB),
    R("23", "", "`My App` cannot be a name", "`my-app`", base="name: My App\ntype: php:8.4\n" + WEB),
    A("24", "", base="name: update-submodule\ntype: php:8.4\n" + WEB),
    R("25", "", "has no version", "`php:8.5`", "`8.4`", base="name: app\ntype: php\n" + WEB),
    R("26", "", "no version `7.5` of php", "did you mean `php:7.", base="name: app\ntype: php:7.5\n" + WEB),
    W("27", "", "retired", base="name: app\ntype: php:7.0\n" + WEB),
    R("28", "", "needs the key `type`", base="name: app\n" + WEB),
    R("29", "size: Medium\n", "not a value of `size`", "`XL`"),
    R("30", 'disk: "2048"\n', "must be an integer", "remove the quotes: 2048"),
    R("31", "disk: 64\n", "at least 128"),
    A("32", "disk: 128\n"),
    A("33", ""),
    W("34", LOCAL, "`disk` does not say"),
    R("36", "relationship: {}\n", "no key `relationship`", "did you mean `relationships`?"),
    R("37", "timezone: Mars/Base\n", "`Mars/Base` is not a time zone"),
    R("38", "access: {ssh: owner}\n", "not a role", "`contributor`"),
]
RELATIONSHIPS = [
    A("39", 'relationships: {database: "mysql:mysql"}\n', services=MYSQL),
    A("40", "relationships: {database: {service: mysql, endpoint: mysql}}\n", services=MYSQL),
    A("41", "relationships: {mysql: }\n", services=MYSQL),
    R("42", "relationships: {database: }\n", "no service or application `database`", services=MYSQL),
    R("43", "relationships: {database: mysql}\n", "does not name an endpoint", '"mysql:mysql"', services=MYSQL),
    R("44", 'relationships: {database: "mysql:reader"}\n', "no endpoint `reader`", "its endpoints: `mysql`", services=MYSQL),
    Row("45", "R", {APP: PHP + "relationships: {api: }\n", f"api/{APP}": PHP.replace("app", "api", 1), ROUTES: f"{ROUTE}}}\n"},
        ("applications have no default endpoint", '"api:http"')),
    Row("46", "R", {APP: PHP + 'relationships: {b: "b:http"}\n', f"b/{APP}": PHP.replace("app", "b", 1) + 'relationships: {a: "app:http"}\n',
                    ROUTES: f"{ROUTE}}}\n"}, ("wait for each other", "app → b → app")),
    W("47", "", "no application uses the service `mysql`", services=MYSQL),
    R("48", 'relationships: {files: "storage:x"}\n', "network storage", "mounts", services=STORAGE),
]
MOUNTS = [
    A("49", 'disk: 512\nmounts: {var: "shared:files/var"}\n'),
    A("50", f"disk: 512\n{LOCAL}"),
    A("51", "disk: 512\nmounts: {var: {source: local}}\n"),
    R("52", "disk: 512\nmounts: {var: {source_path: var}}\n", "needs the key `source`"),
    R("53", "disk: 512\nmounts: {var: {source: nfs}}\n", "`nfs` is not a source", "`local`"),
    W("54", "mounts: {.cache: {source: tmp}}\n", "`.cache` is ignored", "`/.cache`"),
    R("55", "disk: 512\nmounts: {var: {source: service, service: storage}, var/cache: {source: local}}\n", "stands inside the mount `var`, which is shared", services=STORAGE),
    W("55a", "disk: 512\nmounts: {var: {source: local}, var/shared: {source: service, service: storage}}\n", "stands inside the mount `var`", services=STORAGE),
    W("55b", "disk: 512\nmounts: {var: {source: local}, var/cache: {source: tmp}}\n", "stands inside the mount `var`"),
    R("55c", "mounts: {var: {source: service, service: storage}, var/cache: {source: tmp}}\n", "stands inside the mount `var`, which is shared", services=STORAGE),
    A("56", "disk: 512\nmounts: {var/a: {source: service, service: storage}, var/b: {source: tmp}, var/c: {source: local}}\n", services=STORAGE),
    R("57", "mounts: {var: {source: service}}\n", "needs the key `service`"),
    R("59", "mounts: {../x: {source: tmp}}\n", "not a folder inside the application"),
]
WEBS = [
    R("60", 'web: {locations: {"media": {root: x}}}\n', "does not begin with a slash", '"/media"', base=BARE),
    R("61", loc("{root: /app/public}"), "absolute path", "`public`", base=BARE),
    R("62", loc("{root: x, passthru: index.php}"), "slash", '"/index.php"', base=BARE),
    R("63", loc("{root: x, expires: 5 minutes}"), "not a time", "`m` (minutes)", base=BARE),
    *(A(f"64 {value}", loc(f"{{root: x, expires: {value}}}"), base=BARE) for value in ("-1", "600", "5m", "1y", "2w", "3M")),
    R("65", loc("{root: x, rules: {'(': {allow: true}}}"), "not a regular expression", ":3:", base=BARE),
    A("66", loc(r"{root: x, rules: {'^/static/version\d+/(?<resource>.*)$': {passthru: /static/$resource}}}"), base=BARE),
    R("67", loc("{root: x, rules: {a: {root: y}}}"), "a rule has no key `root`", base=BARE),
    R("68", "web: {commands: {pre_start: x}}\n", "needs the key `start`", base=BARE_NODE),
    W("69", 'web: {commands: {start: "gunicorn app &"}}\n', "ends in `&`", base="name: app\ntype: python:3.14\n"),
    R("70", "web: {document_root: /x, locations: {/: {root: x}}}\n", "old form of `locations`", base=BARE),
    A("71", "web: {document_root: /public, passthru: /index.php, whitelist: ['\\.css$']}\n", base=BARE),
    A("72", "web: {commands: {start: npm start}}\n", base=BARE_NODE),
    R("73", "web: {commands: {start: x}, upstream: {socket_family: udp}}\n", "`udp`", "`tcp` or `unix`", base=BARE_NODE),
    A("74", loc("{root: x, request_buffering: {max_request_size: 250m}}"), base=BARE),
]
PARTS = [
    R("75", "hooks: {predeploy: x}\n", "no key `predeploy`", "did you mean `deploy`?"),
    R("76", "hooks: {build: [a, b]}\n", "must be a string", "a list"),
    R("77", "build: {flavor: gradle}\n", "`gradle` is not a build flavor of php", "`composer`"),
    A("78", "dependencies: {python3: {pipenv: '*'}}\n"),
    W("79", CRON.format('{spec: "* * * * *", cmd: x}'), "old form", "commands: {start: …}"),
    R("80", CRON.format("{commands: {start: x}}"), "needs the key `spec`"),
    R("81", CRON.format('{spec: "* * * * *"}'), "needs the key `commands`"),
    W("82", CRON.format('{spec: "* * * * *", commands: "a string"}'), "taken as its `start`"),
    A("83", CRON.format('{spec: "* * * * *", commands: {start: x}}')),
    A("84", CRON.format('{spec: "H */2 * * *", commands: {start: x}}')),
    R("85", CRON.format('{spec: "61 * * * *", commands: {start: x}}'), "minute", "between 0 and 59"),
    R("86", CRON.format('{spec: "* * * * *", commands: {start: x}, timeout: 100000}'), "at most 86400"),
    R("87", "workers: {queue: {}}\n", "needs the key `commands`"),
    R("87 start", "workers: {queue: {commands: {pre_start: x}}}\n", "needs the key `start`"),
    R("88", "workers: {queue: {commands: {start: x}, hooks: {build: x}, crons: {}}}\n", "a worker has no key `hooks`", "a worker has no key `crons`"),
    A("89", "runtime: {extensions: [redis, {name: blackfire, configuration: {a: b}}]}\n"),
    W("90", "runtime: {extensions: [json]}\n", "part of PHP 8.1", base=f"name: app\ntype: php:8.1\n{WEB}"),
    W("91 7.0", "runtime: {extensions: [mcrypt]}\n", "retired", base=f"name: app\ntype: php:7.0\n{WEB}"),
    R("91 7.2", "runtime: {extensions: [mcrypt]}\n", "PHP 7.2 has no extension `mcrypt`", base=f"name: app\ntype: php:7.2\n{WEB}"),
    R("92", "runtime: {sizing_hints: {reserved_memory: 10}}\n", "at least 70"),
    R("93", "variables: {FOO: bar}\n", "prefix", "`env: {FOO: …}`"),
    A("94", "variables: {env: {DEBUG: false, N: 3, L: [a]}}\n"),
    A("95", "variables: {php: {display_errors: Off}}\n"),
    R("96", "firewall: {outbound: [{ips: [192.0.2.0/24], domains: [a.example]}]}\n", "cannot stand in one rule"),
    R("97", "firewall: {outbound: [{}]}\n", "needs `ips`, `domains` or `ports`"),
    R("98", 'preflight: {enabled: "false"}\n', "must be true or false", "remove the quotes"),
    A("99", "preflight: {enabled: true, ignore_rules: ['drupal:SA-CORE-2014-005']}\n"),
    R("100", "source: {root: nowhere}\n", "no folder `nowhere`"),
    A("101", "source: {root: null}\n"),
]
SERVICE_ROWS = [
    service("102", "R", "mysql: {type: mysql:5.6, disk: 256}\n", "no version `5.6` of mysql", "services.yaml:1:"),
    service("103", "R", "db: {type: mariadb:10.4}\n", "needs `disk`"),
    service("104", "R", "db: {type: mysql:10.0, disk: 100}\n", "at least 256"),
    service("105", "W", "redis: {type: redis:3.0}\n", "retired"),
    service("106", "W", "redis: {type: redis:3.0, disk: 256}\n", "`disk` has no effect"),
    service("107", "R", "search: {type: opensearchsearch:1.1, disk: 512}\n", "not a type of service", "did you mean `opensearch:1.1`?"),
    service("108", "R", "db: {disk: 512}\n", "needs the key `type`"),
    service("109", "R", "my_files: {type: network-storage:1.0, disk: 256}\n", "cannot be the name of a network storage"),
    service("110", "R", "db: {type: mariadb:11.8, disk: 512, configuration: {schemas: [a, b]}}\n", "no endpoint `mysql`",
            text='relationships: {database: "db:mysql"}\n'),
    service("111", "A", "db: {type: postgresql:18, disk: 512, configuration: {databases: [a, b]}}\n", text='relationships: {database: "db:main"}\n'),
    service("112", "R", "db: {type: mariadb:11.8, disk: 512, configuration: {schemas: [main], endpoints: {x: {privileges: {main: owner}}}}}\n",
            "`owner` is not a level", "`admin`"),
    service("113", "R", "db: {type: mariadb:11.8, disk: 512, configuration: {schemas: [main], endpoints: {x: {privileges: {mian: ro}}}}}\n",
            "no schema `mian`", "did you mean `main`?"),
    service("114", "R", "c: {type: redis:8.0, configuration: {maxmemory_policy: lru}}\n", "not a value of `maxmemory_policy`", "`allkeys-lru`"),
    service("115", "R", "v: {type: varnish:9.0}\n", "needs the key `relationships`", "needs the key `configuration`"),
]
ROUTE_ROWS = [
    route("119", "W", '"http://{default}/": {type: upstream, upstream: "app:php"}\n', "old name of `http`"),
    route("120", "R", '"http://{default}/": {type: upstream, upstream: "app"}\n', "does not name an endpoint", '"app:http"'),
    route("121", "R", '"http://{default}/": {type: upstream, upstream: "nosuch:http"}\n', "no application or service `nosuch`", "`app`"),
    app("", verdict="A", number="122", services='varnish: {type: varnish:9.0, relationships: {app: "app:http"}, '
        "configuration: {vcl: 'sub vcl_recv { set req.backend_hint = app.backend(); }'}}\n", routes='"http://{default}/": {type: upstream, upstream: "varnish:http", cache: {enabled: false}}\n'),
    route("123", "R", '"http://{default}/": {type: upstream}\n', "needs the key `upstream`"),
    route("124", "R", '"http://{default}/": {type: redirect}\n', "needs the key `to`"),
    route("125", "A", f'{ROUTE}}}\n"https://{{default}}/x": {{type: proxy, to: "https://example.com"}}\n'),
    route("126", "R", '"http://{default}/": {type: forward, to: "https://example.com"}\n', "`forward` is not a type", "`proxy`"),
    route("127", "A", '"https://{default}": {type: upstream, upstream: "app:http"}\n'),
    route("128", "R", '"{default}/": {type: upstream, upstream: "app:http"}\n', "does not begin with `https://`", '"https://{default}/"'),
    route("129", "R", '"https://{default}:8443/": {type: upstream, upstream: "app:http"}\n', "has a port", '"https://{default}/"'),
    route("130", "A", '"http://{default}/": {type: upstream, upstream: "app:http"}\n"http://{all}/": {type: upstream, upstream: "app:http"}\n'),
    route("131", "R", f'{ROUTE}, primary: true}}\n"https://www.{{default}}/": {{type: upstream, upstream: "app:http", primary: true}}\n', "two routes are `primary: true`"),
    key("132", "R", "cache: {default_ttl: 60}", "needs the key `enabled`"),
    key("133", "R", "cache: {enabled: true, headers: [Cookie]}", "under `cookies`"),
    key("134", "A", "cache: false"),
    key("135", "R", "redirects: {paths: {'^/a': {to: /b, regexp: true, prefix: true}}}", "`prefix` has no meaning with `regexp: true`"),
    key("136", "R", "redirects: {paths: {/a: {to: /b, prefix: false, append_suffix: true}}}", "no meaning with `prefix: false`"),
    key("137", "R", "redirects: {paths: {/a: {to: /b, code: 303}}}", "303 is not a code", "307"),
    key("138", "R", "redirects: {expires: 1d}", "needs the key `paths`"),
    key("139", "R", 'tls: {min_version: "1.2"}', "`TLSv1.2`"),
    route("140", "A", f'{ROUTE}}}\n"https://example.com/": {{type: upstream, upstream: "app:http"}}\n'),
    route("143", "W", '"https://*.{default}/": {type: upstream, upstream: "app:http"}\n', "wildcard certificate"),
]
ENV = [
    Row("144", "W", {".magento.app.yaml": PHP, ".magento.env.yaml": "stage: {deploy: {SKIP_HTML_MINIFICATION: true}}\n"}, ("stage", "`global`")),
    Row("145", "W", {".magento.app.yaml": PHP, ".magento.env.yaml": "stage: {build: {SCD_STRATEGY: fast}}\n"}, ("`compact`", "`quick`", "`standard`")),
    Row("146", "W", {".magento.app.yaml": PHP, ".magento.env.yaml": 'stage: {deploy: {UPDATE_URLS: "disabled"}}\n'}, ("true or false",)),
]
ROWS = [*FILES, *BASE, *RELATIONSHIPS, *MOUNTS, *WEBS, *PARTS, *SERVICE_ROWS, *ROUTE_ROWS, *ENV]
"""What deployd does not honour yet is no row of the table, and a service without an application keeps most rows short."""


@pytest.mark.parametrize("row", ROWS, ids=[row.number for row in ROWS])
def test_row(row: Row) -> None:
    result = read_project(DictTree(row.files, row.folders))
    ignored = {"unused-service": row.number != "47", "not-honoured": True}
    text = "\n".join(render_findings([item for item in result.findings if not ignored.get(item.code)]))
    expected = {"A": "", "W": "warning: ", "R": "error: "}[row.verdict]
    if row.verdict == "A":
        assert text == ""
    else:
        assert expected in text, text
    assert bool(result.errors) == (row.verdict == "R"), text
    for words in row.about:
        assert words in text, text
    assert (result.config is None) == (row.verdict == "R")
