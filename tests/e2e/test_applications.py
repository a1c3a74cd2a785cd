"""Applications as people write them for the hosted platforms."""

from __future__ import annotations

import sys

from deployd.process import run as run_program
from scripts.demo import SAMPLES
from scripts.git_push import git_environment
from tests.support.developer import APP, SERVER, MakeDeveloper

UNIX_SERVER = """\
import socketserver


class Unix(socketserver.ThreadingUnixStreamServer):
    def get_request(self):
        return super().get_request()[0], ("visitor", 0)


"""


async def test_an_application_that_listens_on_127_0_0_1_only_is_reached_as_on_the_hosted_platforms(
    developer: MakeDeveloper,
) -> None:
    me = await developer("local", files={"server.py": SERVER.replace('(""', '("127.0.0.1"')})
    await me.push()
    assert await me.page() == (200, "first on main")


async def test_an_application_without_a_start_command_serves_its_files(developer: MakeDeveloper) -> None:
    app = "name: app\ntype: nodejs:20\nweb:\n  locations:\n    /:\n      root: public\n      index: [index.html]\n"
    me = await developer("local", files={
        ".platform.app.yaml": app + "      expires: 10m\n",
        "public/index.html": "<h1>files</h1>",
        "secret.txt": "hidden",
    })
    await me.push()
    assert await me.page() == (200, "<h1>files</h1>")
    assert (await me.page(path="/secret.txt"))[0] == 404


async def test_a_unix_socket_and_commands_before_and_after_the_start_work(developer: MakeDeveloper) -> None:
    tcp, unix = 'ThreadingHTTPServer(("", int(os.environ["PORT"])), Page)', "Unix(os.environ['SOCKET'], Page)"
    server = SERVER.replace(tcp, unix).replace("class Page", UNIX_SERVER + "class Page")
    app = APP.replace("web:\n", "web:\n  upstream: {socket_family: unix}\n").replace(
        "    start: python3 server.py\n",
        "    pre_start: echo before > /tmp/said\n    start: cat /tmp/said && python3 server.py\n")
    me = await developer("local", files={".platform.app.yaml": app, "server.py": server})
    pushed = await me.push()
    assert await me.page() == (200, "first on main"), pushed.lines


PLACES = """\
name: app
type: python:3.13
mounts:
  thumbs: {source: tmp}
  kept: {source: local}
  kept/shared: {source: service, service: files, source_path: of-all}
disk: 256
web:
  commands:
    start: python3 server.py
    post_start: test "$SAID" = here && echo made > thumbs/web.txt && echo shared > kept/shared/x.txt
  locations:
    /: {passthru: true}
    /thumbs: {root: thumbs}
    /kept: {root: kept}
workers:
  mailer:
    commands:
      start: sleep 100000
      post_start: exit WORKER
"""
REDIRECTED = """\
https://{default}/: {type: upstream, upstream: "app:http"}
https://www.{default}/:
  type: redirect
  to: https://{default}/
  redirects: {paths: {/old: {to: "https://elsewhere.example/kept"}}}
"""


async def test_post_start_mounts_within_others_and_redirects_of_every_route_are_honoured(
    developer: MakeDeveloper,
) -> None:
    me = await developer("local", files={
        ".platform.app.yaml": PLACES.replace("WORKER", "3"), ".environment": "export SAID=here\n",
        ".platform/routes.yaml": REDIRECTED,
        ".platform/services.yaml": "files: {type: 'network-storage:1.0', disk: 256}\n",
    })
    pushed = await me.push()
    assert "the post_start command of app--mailer ended with exit code 3" in "\n".join(pushed.lines)
    await me.write({".platform.app.yaml": PLACES.replace("WORKER", "0")})
    pushed = await me.push()
    assert pushed.deployed, pushed.lines
    assert await me.page(path="/thumbs/web.txt") == (200, "made\n")
    assert await me.page(path="/kept/shared/x.txt") == (200, "shared\n")
    (found,) = me.daemon.directory.glob("var/state/environments/local/*/volumes/shared/files/of-all/x.txt")
    assert found.read_text() == "shared\n", "a storage inside a mount of the application's own"
    assert (await me.page(path="/old", subdomain="www"))[0] == 302
    assert (await me.page(path="/new", subdomain="www"))[0] == 301


async def test_a_push_is_told_what_the_check_says_word_for_word(developer: MakeDeveloper) -> None:
    me = await developer("local", files={
        ".platform.app.yaml": APP + "hoks: {}\ndisk: 64\n",
        ".platform/services.yaml": "search: {type: 'elasticsearch-enterprise:8.19', disk: 512}\n",
    })
    said = await run_program(sys.executable, "-m", "deployd", "check", str(me.folder), check=False)
    pushed = await me.push()
    told = [line.removeprefix("remote: ").removeprefix("remote:") for line in pushed.lines]
    assert not pushed.deployed
    assert said.text.count("error:") == 3
    for line in said.text.splitlines():
        assert line in told


async def test_a_project_in_the_spelling_of_upsun_is_deployed(developer: MakeDeveloper) -> None:
    me = await developer("local", SAMPLES / "tally")
    socket = str(me.daemon.directory / "var" / "run" / "api.sock")
    planned = await run_program(
        sys.executable, "-m", "deployd", "plan", "--socket", socket, "-p", "local", str(me.folder), check=False,
    )
    assert "tally: build" in planned.text, planned.text
    pushed = await me.push()
    assert pushed.deployed, pushed.lines
    status, text = await me.page()
    visits, *lines = text.splitlines()
    assert (status, visits.split()[0]) == (200, "visits")
    assert lines == ["the worker asks cache.internal", "built by a script of the configuration folder"]


async def test_a_submodule_that_cannot_be_had_is_told_before_the_push_is_taken(developer: MakeDeveloper) -> None:
    me = await developer("local")
    for path in ("themes/shop", "lib"):
        await run_program("git", "update-index", "--add", "--cacheinfo", f"160000,{'c' * 40},{path}", cwd=me.folder)
    await run_program("git", "commit", "--quiet", "-m", "Two", cwd=me.folder, env=git_environment())
    pushed = await me.push()
    told = "\n".join(pushed.lines)
    assert "pre-receive hook declined" in told
    assert "the submodule themes/shop has no address: there is no .gitmodules" in told
    assert "the submodule lib has no address: there is no .gitmodules" in told
