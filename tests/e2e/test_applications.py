"""Applications as people write them for the hosted platforms."""

from __future__ import annotations

from tests.e2e.conftest import APP, SERVER, MakeDeveloper

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
