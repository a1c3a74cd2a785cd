# ruff: noqa: E501   a hostile file is a line
"""Hostile files: a clear error, in bounded time and memory, and never anything else."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from deployd.errors import DeployError
from deployd.project.reader import read_project
from tests.doubles.trees import DictTree
from tests.support.corpus import REPOSITORY

PHP = 'name: app\ntype: php:8.4\nweb: {locations: {/: {root: x}}}\n'
APP, ROUTES, SERVICES = ".platform.app.yaml", ".platform/routes.yaml", ".platform/services.yaml"
LAUGHS = "variables:\n  env:\n    a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"    a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)
MANY = "".join(f"    a{n}: *big\n" for n in range(3000))


def indented(depth: int) -> str:
    return "".join(f"{' ' * n}a:\n" for n in range(depth))


def redirects(routes: int, count: int, rule: str) -> str:
    return "".join(
        f'"https://h{number}.{{default}}/":\n type: upstream\n upstream: "app:http"\n redirects:\n  paths:\n'
        + "".join(f"   {rule.format(n=n)}\n" for n in range(count)) for number in range(routes)
    )


def cache(said: str) -> str:
    return f'"https://{{default}}/": {{type: upstream, upstream: "app:http", cache: {{enabled: true, {said}}}}}\n'


HOSTILE: dict[str, tuple[dict[str, str | bytes | None], str]] = {
    "billion laughs": ({APP: PHP + LAUGHS}, "too-much"),
    "a large value named often": ({APP: PHP + "variables:\n  x:\n    big: &big [" + "x, " * 900 + "x]\n" + MANY}, "too-much"),
    "merges of merges": ({APP: PHP + ".m: &m {" + ", ".join(f"k{n}: 1" for n in range(900)) + "}\n.n: {<<: ["
                          + ", ".join(["*m"] * 900) + "]}\n"}, "too-much"),
    "an alias inside itself": ({APP: PHP + "variables: &v {env: {A: *v}}\n"}, "alias-cycle"),
    "deep brackets": ({APP: PHP + "variables: " + "[" * 100_000}, "too-deep"),
    "deep braces": ({APP: PHP + "variables: " + "{a: " * 100_000}, "too-deep"),
    "deep blocks": ({APP: indented(1000)}, "too-deep"),
    "deep lists": ({APP: "- " * 100_000}, "too-deep"),
    "deep question marks": ({APP: "? " * 100_000}, "too-deep"),
    "a large file": ({APP: PHP + "# " + "x" * 5_000_000}, "file-too-large"),
    "many values": ({APP: PHP + "variables: {x: {a: [" + "1," * 400_000 + "]}}\n"}, "too-much"),
    "many unknown keys": ({APP: PHP + "".join(f"key{n}: 1\n" for n in range(50_000))}, "too-many-findings"),
    "many wrong relationships": ({APP: PHP + "relationships:\n" + "".join(f"    r{n}: 'db{n}:x'\n" for n in range(20_000))},
                                 "too-many-findings"),
    "10,000 routes": ({APP: PHP, ROUTES: "".join(f'"https://h{n}.example/": {{type: upstream, upstream: "app:http"}}\n'
                                                 for n in range(10_000))}, "too-many-routes"),
    "1,000 services": ({APP: PHP, SERVICES: "".join(f"s{n}: {{type: redis:8.0}}\n" for n in range(1000))}, "too-many-services"),
    "1,000 mounts": ({APP: PHP + "mounts:\n" + "".join(f"  m{n}: {{source: local}}\n" for n in range(1000))}, "too-many-mounts"),
    "mounts of many workers": ({APP: PHP + "mounts:\n" + "".join(f"  m{n}: {{source: local}}\n" for n in range(40))
                                + "workers:\n" + "".join(f"  w{n}: {{commands: {{start: x}}}}\n" for n in range(20))}, "too-many-mounts"),
    "20,000 crons": ({APP: PHP + "crons:\n" + "".join(f"  c{n}: {{spec: '* * * * *', commands: {{start: x}}}}\n" for n in range(20_000))}, "too-many-crons"),
    "5,000 relationships": ({APP: PHP + "relationships:\n" + "".join(f"  r{n}: 'db:redis'\n" for n in range(5_000)),
                             SERVICES: "db: {type: redis:8.0}\n"}, "too-many-relationships"),
    "1,000 workers": ({APP: PHP + "workers:\n" + "".join(f"  w{n}: {{commands: {{start: x}}}}\n" for n in range(1000))}, "too-many-workers"),
    "a mount of a thousand levels": ({APP: PHP + "mounts: {m: {source: local, source_path: '" + "d/" * 1000 + "'}}\n"}, "bad-path"),
    "a mount below a thousand levels": ({APP: PHP + "mounts:\n  ? '" + "d/" * 1000 + "'\n  : {source: local}\n"}, "bad-path"),
    "a mount of the old form of a thousand levels": ({APP: PHP + "mounts: {m: 'shared:files/" + "d/" * 1000 + "'}\n"}, "bad-path"),
    "1,000 applications": ({f"a{n}/{APP}": PHP for n in range(1000)}, "too-many-applications"),
    "an include of itself": ({APP: "!include .platform.app.yaml\n"}, "include-cycle"),
    "includes that fan out": ({APP: PHP + "variables: !include a0.yaml\n", **{
        f"a{n}.yaml": "x: {" + ", ".join(f"k{m}: !include a{n + 1}.yaml" for m in range(9)) + "}\n" for n in range(8)
    }, "a8.yaml": "1\n"}, "too-many-includes"),
    "includes that go deep": ({APP: PHP + "variables: !include a0.yaml\n",
                               **{f"a{n}.yaml": f"x: !include a{n + 1}.yaml\n" for n in range(50)}}, "too-deep"),
    "a large include named often": ({APP: PHP + "variables:\n  x:\n    big: &big !include big.yaml\n" + MANY,
                                     "big.yaml": "[" + "x, " * 9000 + "x]\n"}, "too-much"),
    "an include through a link": ({APP: PHP + "hooks: {build: !include {type: string, path: link/x}}\n", "link": None,
                                   "link/x": "secret"}, "symbolic-link"),
    "an include of a link": ({APP: PHP + "hooks: {build: !include {type: string, path: link}}\n", "link": None}, "symbolic-link"),
    "an app file that is a link": ({APP: None}, "symbolic-link"),
    "a services file that is a link": ({APP: PHP, SERVICES: None}, "symbolic-link"),
    "an archive with a link": ({APP: PHP, SERVICES: "s: {type: solr:9.9, disk: 512, configuration: {cores: {a: {conf_dir: !archive c}}}}\n",
                                ".platform/c/x": "x", ".platform/c/link": None}, "symbolic-link"),
    "an archive that is large": ({APP: PHP, SERVICES: "s: {type: solr:9.9, disk: 512, configuration: {cores: {a: {conf_dir: !archive c}}}}\n",
                                  ".platform/c/x": b"x" * 9_000_000}, "file-too-large"),
    "archives that are large together": ({APP: PHP, SERVICES: "s: {type: solr:9.9, disk: 512, configuration: {configsets: {" + ", ".join(f"c{n}: !archive c" for n in range(9)) + "}}}\n",
                                         ".platform/c/x": b"x" * 5_000_000}, "file-too-large"),
    "an included text that is large": ({APP: PHP + "hooks: {build: !include {type: string, path: x}}\n", "x": "x" * 5_000_000}, "file-too-large"),
    "included bytes that are large": ({APP: PHP + "hooks: {build: !include {type: binary, path: x}}\n", "x": "x" * 9_000_000}, "file-too-large"),
    "1,000 applications in a list": ({".platform/applications.yaml": "- {name: a}\n" * 1000}, "too-many-applications"),
    "1,000 rules": ({APP: PHP.replace("root: x", "rules: {" + ", ".join(f"r{n}: {{}}" for n in range(1000)) + "}")}, "too-many-rules"),
    "51,000 redirects": ({APP: PHP, ROUTES: '"https://{default}/":\n type: upstream\n upstream: "app:http"\n redirects:\n  paths:\n' + "".join(
        f"   /o{n}: {{to: /n}}\n" for n in range(51_000))}, "too-many-redirects"),
    "501 patterns in redirects": ({APP: PHP, ROUTES: redirects(1, 501, "'^/o{n}$': {{to: /n, regexp: true}}")}, "too-many-patterns"),
    "20,000 patterns that explode": ({APP: PHP, ROUTES: redirects(1, 20_000, "'^/(a|aa|aaa)*[x-z]{n}$': {{to: /n, regexp: true}}")}, "too-many-patterns"),
    "patterns in many routes": ({APP: PHP, ROUTES: redirects(101, 5, "'^/o{n}$': {{to: /n, regexp: true}}")}, "too-many-patterns"),
    "patterns that are large when compiled": ({APP: PHP, ROUTES: redirects(1, 20, "'^/(?:a{{1,3}}b){{1,1000}}{n}$': {{to: /n, regexp: true}}")},
                                              "too-many-patterns"),
    "a redirect that explodes": ({APP: PHP, ROUTES: redirects(1, 1, "'^/(a|aa)*$': {{to: /n, regexp: true}}")}, "bad-pattern"),
    "a path without end": ({APP: PHP, ROUTES: redirects(1, 1, f"? /{'a/' * 2000}\n   : {{{{to: /n}}}}")}, "path-too-long"),
    "a target without end": ({APP: PHP, ROUTES: redirects(1, 1, f"/a: {{{{to: '/{'a' * 3000}'}}}}")}, "path-too-long"),
    "a target that names the path often": ({APP: PHP, ROUTES: redirects(1, 1, f"'^/a': {{{{to: '{'/$uri' * 100}', regexp: true}}}}")}, "path-too-long"),
    "1,000 cookies": ({APP: PHP, ROUTES: cache("cookies: [" + "/a/, " * 1000 + "]")}, "too-many-keys"),
    "1,000 headers": ({APP: PHP, ROUTES: cache("headers: [" + "X-A, " * 1000 + "]")}, "too-many-keys"),
    "a cookie that explodes": ({APP: PHP, ROUTES: cache("cookies: ['/(a|aa)*x/']")}, "bad-pattern"),
    "a cookie that is long": ({APP: PHP, ROUTES: cache(f"cookies: ['/{'a' * 5000}/']")}, "pattern-too-long"),
    "rules in many locations": ({APP: PHP.replace("{/: {root: x}}", "{" + ", ".join(f"/{n}: {{rules: {{a: {{}}, b: {{}}, c: {{}}}}}}" for n in range(190)) + "}")},
                                "too-many-rules"),
    "1,000 locations": ({APP: PHP.replace("{/: {root: x}}", "{" + ", ".join(f"/{n}: {{}}" for n in range(1000)) + "}")}, "too-many-locations"),
    "a location without end": ({APP: PHP.replace("{/: {root: x}}", f"{{? /{'a' * 2000} : {{root: x}}}}")}, "path-too-long"),
    "a root without end": ({APP: PHP.replace("root: x", f"root: {'a' * 2000}")}, "path-too-long"),
    "an index without end": ({APP: PHP.replace("root: x", f"root: x, index: [{'a' * 2000}]")}, "path-too-long"),
    "a passthru without end": ({APP: PHP.replace("root: x", f"root: x, passthru: /{'a' * 2000}")}, "path-too-long"),
    "a header without end": ({APP: PHP.replace("root: x", f"root: x, headers: {{A: {'a' * 5000}}}")}, "bad-header"),
    "a header of dollars": ({APP: PHP.replace("root: x", f"root: x, headers: {{A: '{'$' * 500}'}}")}, "bad-header"),
    "a header with a bell": ({APP: PHP.replace("root: x", 'root: x, headers: {A: "a\\x07"}')}, "bad-header"),
    "1,000 old rules": ({APP: "name: app\ntype: php:8.4\nweb: {document_root: x, whitelist: [" + "a, " * 1000 + "]}\n"}, "too-many-rules"),
    "an old root with a quote": ({APP: "name: app\ntype: php:8.4\nweb: {document_root: 'x\";return 200 \"y'}\n"}, "bad-path"),
    "an old root with a variable": ({APP: "name: app\ntype: php:8.4\nweb: {document_root: 'x/$http_x'}\n"}, "bad-path"),
    "an old index with a quote": ({APP: "name: app\ntype: php:8.4\nweb: {document_root: x, index_files: ['a\";return 200 \"y']}\n"}, "bad-path"),
    "a group with the name of a variable": ({APP: PHP.replace("root: x", "rules: {'^/(?<uri>.*)$': {allow: true}}")}, "bad-pattern"),
    "a group with a name of ours": ({APP: PHP.replace("root: x", "rules: {'^/(?<deployd_dollar>.*)$': {allow: true}}")}, "bad-pattern"),
    "a variable that is not there": ({APP: PHP.replace("root: x", "rules: {'^/(?<a>.*)$': {passthru: /x/$b}}")}, "bad-path"),
    "a dollar without a name": ({APP: PHP.replace("root: x", "passthru: /x/$")}, "bad-path"),
    "a text include that is binary": ({APP: PHP + "hooks: {build: !include {type: string, path: x}}\n", "x": b"\x00\xff\xfe"}, "not-utf-8"),
    "a pattern that explodes": ({APP: PHP.replace("root: x", "rules: {'^(a+)+$': {allow: true}}")}, "bad-pattern"),
    "a pattern that is nested": ({APP: PHP.replace("root: x", "rules: {? '" + "(" * 1500 + ")" * 1500 + "' : {allow: true}}")}, "bad-pattern"),
    "a pattern that is long": ({APP: PHP.replace("root: x", "rules: {? '" + "a" * 5000 + "' : {allow: true}}")}, "pattern-too-long"),
    "a pattern with huge counts": ({APP: PHP.replace("root: x", "rules: {'(((a{9999}){9999}){9999}){9999}': {allow: true}}")}, "bad-pattern"),
    "binary": ({APP: bytes(range(256)) * 100}, "not-utf-8"),
    "zeros": ({APP: b"name: app\x00\n"}, "not-text"),
    "half a character": ({APP: PHP.encode() + b"# \xe2\x82"}, "not-utf-8"),
    "UTF-16": ({APP: PHP.encode("utf-16")}, "not-utf-8"),
    "a python object": ({APP: PHP + "hooks: !!python/object/apply:os.system [id]\n"}, "unknown-tag"),
    "a tag of one's own": ({APP: "%TAG ! tag:evil,2000:\n---\n" + PHP + "hooks: !x {}\n"}, "unknown-tag"),
    "a set": ({APP: PHP + "hooks: !!set {a, b}\n"}, "unknown-tag"),
    "a number without end": ({APP: PHP + "disk: " + "9" * 100_000 + "\n"}, "wrong-type"),
    "a number in base 60 without end": ({APP: PHP + "disk: 1" + ":59" * 100_000 + "\n"}, "wrong-type"),
    "a schedule without end": ({APP: PHP + "crons: {a: {spec: '" + "1," * 100_000 + "1 * * * *', cmd: x}}\n"}, "bad-schedule"),
    "a huge step": ({APP: PHP + "crons: {a: {spec: '*/" + "9" * 5000 + " * * * *', cmd: x}}\n"}, "bad-schedule"),
    "a huge duration": ({APP: PHP.replace("root: x", "expires: " + "9" * 5000)}, "not-a-duration"),
    "a long name": ({APP: PHP.replace("name: app", "name: " + "a" * 100_000)}, "bad-name"),
    "a name of one's own choosing": ({APP: PHP.replace("name: app", 'name: "../../etc"')}, "bad-name"),
    "a mount out of the volume": ({APP: PHP + "mounts: {a: {source: local, source_path: ../../x}}\n"}, "bad-path"),
    "a newline in a mount": ({APP: PHP + 'mounts: {"a\\nb": {source: local}}\n'}, "outside-application"),
}


@pytest.mark.parametrize("name", list(HOSTILE))
def test_a_hostile_file_gets_a_clear_error_quickly(name: str) -> None:
    files, code = HOSTILE[name]
    tree = DictTree(files)
    began = time.process_time()
    result = read_project(tree)
    took = time.process_time() - began
    codes = {error.code for error in result.errors}
    assert code in codes, codes
    assert result.config is None
    assert len(result.findings) <= 301
    assert took < 5, f"{took:.1f} s of a processor"
    for finding in result.findings:
        assert len(finding.what) < 1000
        assert len(finding.hint) < 1500


def test_hostile_files_are_read_in_little_memory() -> None:
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (600 << 20, 600 << 20))\n"
        "from tests.property.test_project_bounds import HOSTILE, DictTree, read_project\n"
        "for files, code in HOSTILE.values(): assert read_project(DictTree(files)).errors\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=REPOSITORY)


def test_what_a_tree_raises_passes_through_untouched() -> None:
    class Refusing(DictTree):
        def read(self, path: str) -> bytes:
            if path.endswith("services.yaml"):
                raise DeployError("too large", where=path)
            return super().read(path)

    with pytest.raises(DeployError) as raised:
        read_project(Refusing({APP: PHP, SERVICES: ""}))
    assert raised.value.where == SERVICES


def test_ten_thousand_redirects_are_no_problem() -> None:
    paths = "".join(f"            /old{n}: {{to: /new{n}}}\n" for n in range(10_000))
    routes = f'"https://{{default}}/":\n    type: upstream\n    upstream: "app:http"\n    redirects:\n        paths:\n{paths}'
    result = read_project(DictTree({APP: PHP, ROUTES: routes}))
    assert result.config is not None
    assert len(result.config.routes[0].redirects) == 10_000
