"""OpenSearch, real: who comes in, words of any script and by their sound, the data after a restart."""

import json

from deployd.process import Output, run
from deployd.project.model import Endpoint, SearchConfiguration
from tests.support.service_stand import Stand, image_of, service, standing

WANTED = service("opensearch", "2", endpoints=(Endpoint("opensearch"),), configuration=SearchConfiguration(
    authentication=True, plugins=("analysis-icu", "analysis-phonetic"),
))
INDEX = {
    "settings": {"analysis": {
        "filter": {"sound": {"type": "phonetic", "encoder": "double_metaphone"}},
        "analyzer": {"names": {"tokenizer": "icu_tokenizer", "filter": ["icu_folding", "sound"]}},
    }},
    "mappings": {"properties": {"name": {"type": "text", "analyzer": "names"}, "price": {"type": "integer"}}},
}
BY_SOUND = {"query": {"bool": {
    "must": {"match": {"name": "Miller"}}, "filter": {"script": {"script": "doc['price'].value > 6"}},
}}}


async def ask(stand: Stand, method: str, path: str, body: object = None, *, password: str | None = None) -> Output:
    credential = stand.credentials["opensearch"]
    config = f'user = "{credential.username}:{escaped(password or str(credential.password))}"\n'
    text = json.dumps(body, ensure_ascii=False)
    more = ("--data", text, "--header", "content-type: application/json") if body is not None else ()
    return await stand.app("curl", "--silent", "--max-time", "60", "--config", "-", "--request", method, *more,
                           f"http://it:9200/{path}", stdin=config.encode())


def escaped(password: str) -> str:
    return password.replace("\\", "\\\\").replace('"', '\\"')


async def found(stand: Stand) -> list[str]:
    """Names of what sounds alike."""
    hits = json.loads((await ask(stand, "POST", "shop/_search", BY_SOUND)).text)["hits"]["hits"]
    return [hit["_source"]["name"] for hit in hits]


async def test_what_was_indexed_is_found_after_a_restart_and_a_redeployment_by_those_who_have_the_password():
    async with standing(WANTED, memory_mb=1024) as stand:
        await stand.provision()
        assert '"acknowledged":true' in (await ask(stand, "PUT", "shop", INDEX)).text
        assert '"created"' in (await ask(stand, "PUT", "shop/_doc/1?refresh=true", {"name": "MÜLLER", "price": 7})).text
        assert await found(stand) == ["MÜLLER"]
        await stand.restart()
        assert '"status":401' in (await ask(stand, "GET", "_cluster/health", password="wrong")).text
        assert '"status":401' in (await stand.app("curl", "--silent", "http://it:9200/shop/_search")).text
        await stand.provision()     # which waits until its indexes can be read
        assert await found(stand) == ["MÜLLER"]
        health = json.loads((await ask(stand, "GET", "_cluster/health")).text)
        assert (health["status"], health["unassigned_shards"]) == ("green", 0)     # indexes have no copies
        assert (await stand.app("curl", "--silent", "http://it:9300/", check=False)).status != 0
        await refuses_data_of_a_newer_version(stand)


async def refuses_data_of_a_newer_version(stand: Stand) -> None:
    data = "/usr/share/opensearch/data"
    await stand.execute(("sh", "-c", f"echo 99.0.0 > {data}/deployd-version"))
    ended = await run("docker", "run", "--rm", "--volume", f"{stand.name}:{data}", await image_of("opensearch", "2"),
                      check=False)
    assert ended.status == 78
    assert b"version 99.0.0 wrote them" in ended.stderr
