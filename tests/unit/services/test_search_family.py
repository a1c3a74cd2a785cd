"""OpenSearch and its like: memory, who comes in, plugins, and a search that is red."""

import hashlib
import json

import pytest

from deployd.environment.relationships import Credential
from deployd.project.model import Endpoint, SearchConfiguration, Service
from deployd.services.families import family_of
from deployd.services.search import heap_mb_of
from deployd.services.search_answers import PluginNotThere, SearchIsRed

GREEN = {"status": "green"}


def search(kind: str = "opensearch", **configuration: object) -> Service:
    wanted = SearchConfiguration(**configuration)
    return Service("it", kind, "3", f"{kind}:3", 512, endpoints=(Endpoint(kind),), configuration=wanted)


def answer(value: object, status: int = 200) -> bytes:
    return f"HTTP/1.1 {status} x\r\ncontent-length: 5\r\n\r\n{json.dumps(value)}".encode()


class Engine:
    """Answers by path, and keeps what it was given."""

    def __init__(self, **answers: bytes) -> None:
        self.answers = answers
        self.argv: list[tuple[str, ...]] = []
        self.stdin: list[bytes] = []

    async def __call__(self, argv: tuple[str, ...], stdin: bytes | None = None) -> bytes:
        self.argv.append(argv)
        self.stdin.append(stdin or b"")
        return next((text for part, text in self.answers.items() if part in argv[-1]), b"")


@pytest.mark.parametrize(("memory_mb", "heap_mb"), [
    (256, 128), (512, 162), (1536, 768), (4096, 2048), (99_999, 31_744),
])
def test_the_heap_leaves_room_for_what_is_beside_it(memory_mb, heap_mb):
    assert heap_mb_of(memory_mb) == heap_mb
    options = family_of(search()).parts(search(), memory_mb=memory_mb).environment["OPENSEARCH_JAVA_OPTS"]
    assert options == f"-Xms{heap_mb}m -Xmx{heap_mb}m"


def test_nobody_speaks_its_inner_protocol_and_nothing_of_the_host_must_be_raised():
    command = family_of(search()).parts(search(), memory_mb=1536).command
    assert {"-Etransport.host=127.0.0.1", "-Enode.store.allow_mmap=false"} <= set(command)


def test_without_authentication_there_is_no_password_and_with_it_there_is_one():
    assert family_of(search()).credentials(search(), str) == {"opensearch": Credential()}
    closed = search(authentication=True)
    assert family_of(closed).credentials(closed, lambda name: f"secret-of-{name}") == {
        "opensearch": Credential("opensearch", "secret-of-opensearch"),
    }
    assert family_of(closed).parts(closed, memory_mb=512).environment["SEARCH_AUTHENTICATION"] == "required"
    assert "SEARCH_AUTHENTICATION" not in family_of(search()).parts(search(), memory_mb=512).environment


async def test_a_password_reaches_the_engine_as_a_hash_and_by_standard_input():
    closed = search(authentication=True)
    engine = Engine(plugins=answer({"nodes": {"x": {"modules": [{"name": "deployd"}]}}}), health=answer(GREEN))
    await family_of(closed).provision(engine, closed, {"opensearch": Credential("opensearch", "geheim")})
    assert engine.stdin[0] == b"opensearch " + hashlib.sha256(b"opensearch:geheim").hexdigest().encode() + b"\n"
    assert "geheim" not in repr(engine.argv)


async def test_an_image_that_cannot_ask_for_a_password_is_refused():
    closed = search(authentication=True)
    with pytest.raises(PluginNotThere) as raised:
        await family_of(closed).provision(
            Engine(plugins=answer({"nodes": {}}), health=answer(GREEN)), closed, {"opensearch": Credential("a", "b")},
        )
    assert "deployd" in raised.value.what


async def test_a_plugin_that_the_image_lacks_is_named_with_those_that_it_has():
    wanted = search(plugins=("analysis-icu", "analysis-nori"))
    there = {"nodes": {"x": {"plugins": [{"name": "analysis-icu"}, {"name": "analysis-phonetic"}]}}}
    with pytest.raises(PluginNotThere) as raised:
        await family_of(wanted).provision(Engine(plugins=answer(there), health=answer(GREEN)), wanted, {})
    assert raised.value.what == "the image of it (opensearch:3) does not have analysis-nori"
    assert raised.value.evidence == ("it has analysis-icu, analysis-phonetic",)


@pytest.mark.parametrize("said", [
    answer({"status": "red", "unassigned_shards": 2}, 408), b"", b"HTTP/1.1 200 OK\r\n\r\nno",
    b"HTTP/1.1 200 OK\r\n\r\n[]", b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 200_000,
])
async def test_a_search_that_is_red_or_says_nothing_is_an_error_that_names_the_index(said):
    engine = Engine(health=said, explain=answer({"index": "shop_product_1", "current_state": "unassigned"}))
    with pytest.raises(SearchIsRed) as raised:
        await family_of(search()).provision(engine, search(), {})
    assert "red" in raised.value.what
    assert raised.value.evidence == ("index: shop_product_1", "current_state: unassigned")
    assert raised.value.hint is not None


@pytest.mark.parametrize("status", ["green", "yellow"])
async def test_a_search_with_parts_that_have_no_copy_is_well(status):
    await family_of(search()).provision(Engine(health=answer({"status": status})), search(), {})
