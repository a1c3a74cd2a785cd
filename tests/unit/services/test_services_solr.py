"""Solr: cores, their archives and properties, and what is said when it refuses one."""

import base64
import json

import pytest

from deployd.environment.relationships import Credential
from deployd.errors import DeployError
from deployd.project.model import Endpoint, Service, SolrConfiguration, SolrCore
from deployd.project.reader import read_project
from deployd.services.families import family_of
from deployd.services.solr import AS_BEFORE, UNPACK, CoreNotMade, create_query, properties_of
from tests.doubles.trees import DictTree

ARCHIVE = base64.b64encode(b"a tar").decode()


def solr(**configuration: object) -> Service:
    wanted = SolrConfiguration(**configuration)
    cores = tuple(wanted.cores) or ("collection1",)
    return Service("search", "solr", "9.9", "solr:9.9", 512, schemas=cores,
                   endpoints=(Endpoint("solr", cores[0]),), configuration=wanted)


class Server:
    """Knows some cores, and keeps what it was asked and told."""

    def __init__(self, *cores: str, refuses: str = "") -> None:
        self.cores, self.refuses = cores, refuses
        self.asked: list[str] = []
        self.told: list[tuple[str, bytes]] = []
        self.scripts: list[str] = []

    async def __call__(self, argv: tuple[str, ...], stdin: bytes | None = None) -> bytes:
        if argv[0] == "sh":
            self.told.append((argv[-1], stdin or b""))
            self.scripts.append(argv[2])
            return b""
        self.asked.append(argv[-1])
        if "STATUS" in argv[-1]:
            found = {core: {"instanceDir": "x"} if core in self.cores else {} for core in ("main", "collection1")}
            return b"HTTP/1.1 200 OK\r\n\r\n" + json.dumps({"status": found}).encode()
        if self.refuses:
            return b"HTTP/1.1 400 Bad\r\n\r\n" + json.dumps({
                "error": {"msg": "no", "trace": f"x\n\tat y\nCaused by: {self.refuses}"},
            }).encode()
        return b"HTTP/1.1 200 OK\r\n\r\n{}"


async def provision(service: Service, server: Server) -> None:
    await family_of(service).provision(server, service, {})


def test_the_path_of_an_endpoint_names_its_core():
    service = solr(cores={"main": SolrCore()})
    assert family_of(service).credentials(service, str) == {"solr": Credential(path="solr/main")}
    assert family_of(service).connection.port == 8080


async def test_a_new_core_is_made_and_one_that_is_there_is_read_anew():
    server = Server()
    await provision(solr(cores={"main": SolrCore(conf_dir=ARCHIVE)}), server)
    assert ("main", b"a tar") in server.told
    assert server.asked[-1] == "/solr/admin/cores?action=CREATE&name=main&instanceDir=main"
    server = Server("main")
    await provision(solr(cores={"main": SolrCore(core_properties="configSet=shared\nname=other\nowner=me")}), server)
    assert server.told == [("main", b"name=main\nconfigSet=shared\nowner=me\n")]
    assert server.asked[-1] == "/solr/admin/cores?action=RELOAD&core=main"


async def test_configsets_are_there_before_the_cores_that_share_them():
    server = Server()
    service = solr(configsets={"shared": ARCHIVE}, cores={"main": SolrCore(core_properties="configSet=shared")})
    await provision(service, server)
    assert server.told[0] == ("configsets/shared", b"a tar")
    assert server.asked[-1].endswith("&configSet=shared")


async def test_the_configuration_of_the_only_core_of_old_files_is_that_of_the_default_core():
    server = Server()
    await provision(solr(core_config=ARCHIVE), server)
    assert server.told[0] == ("collection1", b"a tar")


async def test_a_core_that_solr_refuses_gets_back_what_it_had_and_solrs_words_are_the_evidence():
    server = Server(refuses="no field type text_de")
    with pytest.raises(CoreNotMade) as raised:
        await provision(solr(cores={"main": SolrCore(conf_dir=ARCHIVE)}), server)
    assert raised.value.evidence == ("no", "Caused by: no field type text_de")
    assert server.scripts[-1] == AS_BEFORE
    assert "main" in raised.value.what


async def test_an_archive_that_cannot_be_unpacked_leaves_no_other_one_behind():
    class Full(Server):
        async def __call__(self, argv: tuple[str, ...], stdin: bytes | None = None) -> bytes:
            if argv[-1] == "main" and argv[2] == UNPACK:
                raise DeployError("no space left on device")
            return await super().__call__(argv, stdin)

    server = Full()
    with pytest.raises(DeployError, match="no space"):
        await provision(solr(configsets={"shared": ARCHIVE}, cores={"main": SolrCore(conf_dir=ARCHIVE)}), server)
    assert list(zip(server.scripts, (folder for folder, _ in server.told), strict=True)) == [
        (UNPACK, "configsets/shared"), (AS_BEFORE, "configsets/shared"),
    ]


def test_properties_cannot_break_out_of_their_query():
    properties = properties_of(SolrCore(core_properties="a=b&action=UNLOAD\n# c\nschema=schema.xml"))
    assert create_query("main", properties) == (
        "/solr/admin/cores?action=CREATE&name=main&instanceDir=main&property.a=b%26action%3DUNLOAD&schema=schema.xml"
    )


@pytest.mark.parametrize("name", ["../up", "a/b", "a b"])
def test_a_core_whose_name_is_no_folder_is_refused(name):
    text = f"it: {{type: 'solr:9.9', disk: 512, configuration: {{cores: {{'{name}': {{}}}}}}}}"
    app = "name: app\ntype: php:8.4\nweb: {locations: {/: {root: x}}}\n"
    found = read_project(DictTree({".platform.app.yaml": app, ".platform/services.yaml": text}))
    assert [finding.code for finding in found.errors] == ["bad-name"]


@pytest.mark.parametrize("configuration", [
    "{core_config: 'no archive'}", "{cores: {a: {conf_dir: solr/conf}}}", "{configsets: {a: 'é'}}",
])
def test_what_is_no_archive_is_refused_when_it_is_pushed(configuration):
    text = f"it: {{type: 'solr:9.9', disk: 512, configuration: {configuration}}}"
    app = "name: app\ntype: php:8.4\nweb: {locations: {/: {root: x}}}\n"
    found = read_project(DictTree({".platform.app.yaml": app, ".platform/services.yaml": text}))
    assert "not-an-archive" in [finding.code for finding in found.errors]
