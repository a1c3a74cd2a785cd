"""`web.locations` as a real nginx and a real PHP-FPM understand what we render for them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deployd.project.model import Application, Commands, Instance, Location, Rule, Web
from tests.support.web_stand import Ask, asker, web_containers

SHOW = '<?php echo json_encode(["script" => $_SERVER["SCRIPT_NAME"], "uri" => $_SERVER["REQUEST_URI"], '
SHOW += '"file" => basename(__FILE__), "ip" => $_SERVER["REMOTE_ADDR"], "https" => $_SERVER["HTTPS"] ?? "", '
SHOW += '"query" => $_SERVER["QUERY_STRING"]]);'

MAGENTO = (
    Location("/", root="pub", passthru="/index.php", index=("index.php",), allow=False, rules=(
        Rule(r"\.(css|js|html)$", allow=True),
        Rule(r"^/robots\.txt$", allow=True, headers={"X-Robots": 'a "$b" c'}, expires_seconds=600),
    )),
    Location("/media", root="pub/media", scripts=False, expires_seconds=86_400),
    Location("/static", root="pub/static", passthru="/front-static.php", scripts=False, rules=(
        Rule(r"^/static/version\d+/(?<resource>.*)$", passthru="/static/$resource"),
    )),
    Location("/book", root="book", index=("index.html",), allow=False, scripts=False, rules=(
        Rule(r"\.(css|html)$", allow=True),
    )),
    Location("/papers", root="papers", scripts=False, rules=(
        Rule(r"\.bak\z", allow=False), Rule(r"^/papers/hidden/", allow=False), Rule(r"/\.", allow=False),
    )),
    Location("/manual", root="manual", index=("index.html", "index.htm"), passthru="/index.php"),
    Location("/.well-known/webfinger", passthru="/other.php?service=webfinger"),
)
FILES = {
    "pub/index.php": SHOW, "pub/front-static.php": SHOW, "pub/other.php": SHOW, "pub/secret.txt": "secret",
    "pub/style.css": "css", "pub/robots.txt": "robots", "pub/media/a.txt": "media", "pub/media/evil.php": SHOW,
    "pub/static/logo.svg": "<svg/>", "outside.txt": "treasure", "book/index.html": "cover",
    "book/one/index.html": "one", "book/draft.txt": "draft", "papers/a.txt": "paper", "papers/a.bak": "treasure",
    "pub/admin/index.php": SHOW, "pub/admin/déep er/index.php": SHOW, "pub/empty/a.txt": "x",
    "manual/index.html": "manual", "manual/a/index.htm": "page",
    "papers/hidden/a.txt": "treasure", "papers/.env": "treasure",
}

@pytest.fixture
async def magento(tmp_path: Path) -> AsyncIterator[Ask]:
    app = Application("shop", "php", "8.4", "", Web(Instance(Commands()), "unix", "fastcgi", MAGENTO))
    async with web_containers(tmp_path, app, FILES) as address, asker(address) as ask:
        assert (await ask("/.well-known/deployd/health"))[0] == 200
        yield ask


async def test_magentos_locations_are_served_as_on_the_hosted_platform(magento: Ask) -> None:
    status, body, _ = await magento("/catalog/product/1?x=2")
    assert status == 200
    assert '"script":"\\/index.php"' in body
    assert '"uri":"\\/catalog\\/product\\/1?x=2"' in body

    status, body, headers = await magento("/style.css")
    assert (status, body, headers["Cache-Control"]) == (200, "css", "no-cache"), "`expires` is -1 where nothing is said"
    assert '"file":"index.php"' in (await magento("/secret.txt"))[1], "a file that no rule allows goes to the front"
    assert '"file":"other.php"' in (await magento("/other.php"))[1], "a script runs when it is asked for"
    assert '"file":"index.php"' in (await magento("/"))[1]

    status, body, headers = await magento("/robots.txt")
    assert (status, body, headers["X-Robots"]) == (200, "robots", 'a "$b" c')
    assert headers["Cache-Control"] == "max-age=600"


async def test_each_location_has_its_own_root_and_scripts_can_be_off(magento: Ask) -> None:
    status, body, headers = await magento("/media/a.txt")
    assert (status, body, headers["Cache-Control"]) == (200, "media", "max-age=86400")
    assert (await magento("/media/missing.txt"))[0] == 404
    status, body, _ = await magento("/media/evil.php")
    assert status in (403, 404)
    assert "json_encode" not in body, "the source of a script is never served"


async def test_a_captured_group_leads_to_the_file_behind_a_version(magento: Ask) -> None:
    assert (await magento("/static/version123/logo.svg"))[:2] == (200, "<svg/>")
    assert '"file":"front-static.php"' in (await magento("/static/missing.svg"))[1]


async def test_nothing_outside_the_root_can_be_reached(magento: Ask) -> None:
    for path in (
        "/../outside.txt", "/media/../../outside.txt", "/%2e%2e/outside.txt", "/media/..%2f..%2foutside.txt",
        "//../outside.txt", "/media/%2e%2e%2f%2e%2e/outside.txt", "/media/..%5c..%5coutside.txt",
        "/media/..\\..\\outside.txt", "/media/%252e%252e/%252e%252e/outside.txt", "/media../outside.txt",
        "/media/..;/..;/outside.txt", "/media/..%00/../../outside.txt", "/media/%c0%ae%c0%ae/outside.txt",
        "/media/.%0a./../outside.txt", "/static/version1/../../../outside.txt", "/pub/../outside.txt",
        "/static/version1/%252e%252e/%252e%252e/outside.txt", "/static/version1/..%2f..%2foutside.txt",
        "/static/version1/%3f/../../outside.txt", "/static/version1//../../outside.txt", "/outside.txt",
    ):
        assert "treasure" not in (await magento(path))[1], path


async def test_no_rule_is_passed_by_writing_a_path_in_another_way(magento: Ask) -> None:
    assert (await magento("/papers/a.txt"))[:2] == (200, "paper")
    for path in (
        "/papers/a.bak", "/papers/a.bak%0a", "/papers/a.bak%0a%0a", "/papers/a.bak%00", "/papers/a.bak%00.txt",
        "/papers/a.bak/", "/papers/a.bak/.", "/papers/a.bak%20", "/papers/a%2ebak", "/papers/a.%62ak",
        "/papers/a.bak?x=.txt", "/papers/a.bak%3f.txt", "/papers/a.bak;.txt", "/papers/a.bak/x.txt",
        "/papers/a.bak%23.txt", "//papers//a.bak", "/x/../papers/a.bak", "/%70apers/a.bak", "/papers%2fa.bak",
        "/papers/hidden/a.txt", "/papers//hidden/a.txt", "/papers/./hidden/a.txt", "/papers/x/../hidden/a.txt",
        "/papers/%68idden/a.txt", "/papers/hidden%2fa.txt", "/papers/hidden/../hidden/a.txt",
        "/papers/hidden%0a/../hidden/a.txt", "/papers/.env", "/papers/%2eenv", "/papers//.env", "/papers/.env%0a",
        "/papers/./.env",
    ):
        status, body, _ = await magento(path)
        assert status in (400, 403, 404), (path, status)
        assert "treasure" not in body, path


async def test_the_source_of_a_script_cannot_be_had_by_a_trick(magento: Ask) -> None:
    for path in (
        "/media/evil.php", "/media/evil.php%0a", "/media/evil.php/", "/media/evil.php/x.txt", "/media/evil.php%00.txt",
        "/media/evil%2ephp", "/media//evil.php", "/media/evil.php%20", "/media/evil.ph%70", "/media/evil.php?x",
    ):
        status, body, _ = await magento(path)
        assert status in (400, 403, 404), (path, status)
        assert "json_encode" not in body, path
    for path in ("/index.php%0a", "/index.php/x.txt", "/index.php%00", "/index.php/"):
        assert "json_encode" not in (await magento(path))[1], path


async def test_the_routers_word_about_client_and_scheme_reaches_php(magento: Ask) -> None:
    _, body, _ = await magento("/x", **{"X-Client-IP": "203.0.113.9", "X-Forwarded-Proto": "https"})
    assert '"ip":"203.0.113.9"' in body
    assert '"https":"on"' in body


async def test_an_index_file_is_served_when_a_rule_allows_it(magento: Ask) -> None:
    assert (await magento("/book/"))[:2] == (200, "cover")
    assert (await magento("/book/one/?x=1"))[:2] == (200, "one")
    assert (await magento("/book/draft.txt"))[0] == 403
    assert (await magento("/book/missing/"))[0] == 403


async def test_a_folder_without_its_slash_leads_to_itself_with_one(magento: Ask) -> None:
    """Else the links of its page, which are relative to it, lead elsewhere."""
    for path, location in (
        ("/book", "/book/"), ("/book/one", "/book/one/"), ("/book/one?x=1&y=%2F", "/book/one/?x=1&y=%2F"),
        ("/admin", "/admin/"), ("/admin/d%C3%A9ep%20er", "/admin/d%C3%A9ep%20er/"), ("//book/one", "/book/one/"),
        ("/x/../book/one", "/book/one/"), ("//evil.example/../book/one", "/book/one/"),
        ("/manual", "/manual/"), ("/manual/a", "/manual/a/"),
    ):
        status, _, headers = await magento(path, **{"X-Forwarded-Proto": "https", "Host": "shop.example:8443"})
        assert (status, headers.get("Location")) == (301, location), path
    for path, text in (
        ("/book/", "cover"), ("/book/one/", "one"), ("/admin/", '"script":"\\/admin\\/index.php"'),
        ("/book/one//", "one"), ("/manual/", "manual"), ("/manual/a/", "page"), ("/empty", '"file":"index.php"'),
        ("/book/index.html", "cover"), ("/bo%0aok", '"file":"index.php"'),
    ):
        status, body, _ = await magento(path)
        assert (status, text in body) == (200, True), (path, body)
    for path in ("/book/draft.txt", "/papers", "/papers/hidden", "/static"):   # no folder, or none with an index file
        assert (await magento(path))[0] != 301, path
    for path in ("/book/one%0d%0aX-Evil:%201", "/book/%0d%0a", "/admin/d%C3%A9ep%20er%0aX-Evil:1"):
        _, _, headers = await magento(path)
        assert "X-Evil" not in headers


async def test_a_front_controller_gets_arguments_of_its_own(magento: Ask) -> None:
    status, body, _ = await magento("/.well-known/webfinger?resource=acct:a@b")
    assert status == 200
    assert '"file":"other.php"' in body
    assert '"query":"service=webfinger&resource=acct:a@b"' in body
