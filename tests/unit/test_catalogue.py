"""The catalogue: what is read, what is refused, and which version answers a question."""

from pathlib import Path

import pytest

from deployd.catalogue import Catalogue, CatalogueInvalid, VersionNotThere, load_catalogue
from deployd.project.offered.services import versions_offered
from tests.support.small_catalogue import small_catalogue

OURS = Path(__file__).parents[2] / "config" / "catalogue.yaml"


@pytest.fixture
def catalogue() -> Catalogue:
    return load_catalogue(OURS)


@pytest.fixture
def small() -> Catalogue:
    return small_catalogue()


def written(folder: Path, text: str) -> Path:
    file = folder / "catalogue.yaml"
    file.write_text(text)
    return file


def test_our_own_catalogue_is_valid_and_every_folder_holds_a_dockerfile(catalogue):
    folders = [entry.build.folder for _, entry in catalogue.entries() if entry.build]
    assert folders
    for folder in folders:
        assert folder.is_absolute()
        assert (folder / "Dockerfile").is_file(), folder


def test_every_image_is_listed_once_and_after_what_it_stands_on(catalogue):
    seen = []
    for name, entry in catalogue.entries():
        assert entry.image not in seen
        if entry.build:
            assert {catalogue.bases[on].image for on in entry.build.below.values()} <= set(seen), name
        seen.append(entry.image)
    assert "deployd/php:8.4" in seen
    assert "deployd/router:1" in seen


def test_a_version_that_is_there_is_found_without_a_warning(catalogue):
    choice = catalogue.runtime("php", "8.4")
    assert (choice.entry.image, choice.version, choice.warning) == ("deployd/php:8.4", "8.4", None)


def test_persistent_redis_is_the_same_image(catalogue):
    assert catalogue.service("redis-persistent", "8.0").entry == catalogue.service("redis", "8.0").entry


def test_a_version_that_is_not_there_is_refused_with_the_list_of_what_is(small):
    with pytest.raises(VersionNotThere) as raised:
        small.runtime("php", "7.4")
    assert raised.value.code == "version-not-there"
    assert raised.value.what == "there is no php:7.4 on this host; there is php:8.2, php:8.4"


def test_a_runtime_that_is_not_there_is_refused_even_when_the_nearest_would_do(catalogue):
    with pytest.raises(VersionNotThere, match="no runtime cobol on this host; there are: "):
        catalogue.runtime("cobol", "3.3", nearest=True)


@pytest.mark.parametrize(("kind", "name", "asked", "taken"), [
    ("runtime", "php", "7.4", "8.2"),
    ("runtime", "php", "8.3", "8.2"),      # as near to both: the older one
    ("runtime", "php", "8.5", "8.4"),
    ("runtime", "php", "8", "8.4"),
    ("runtime", "nodejs", "22", "20"),
    ("runtime", "nodejs", "8.11", "18"),
    ("runtime", "python", "3.12", "3.11"), ("runtime", "python", "3.10", "3.11"), ("runtime", "python", "3", "3.13"),
    ("runtime", "nodejs", "19", "18"), ("service", "postgresql", "16", "15"), ("service", "postgresql", "14", "15"),
    ("service", "mariadb", "10.2", "10.11"),
    ("service", "mariadb", "11.4", "11.8"),
    ("service", "redis", "6.2", "7.0"),
])
def test_the_nearest_version_is_taken_with_a_warning(small, kind, name, asked, taken):
    how = {"nearest": True} if kind == "runtime" else {"fallback": "nearest"}
    choice = getattr(small, kind)(name, asked, **how)
    assert choice.version == taken
    assert choice.warning == f"{name}:{asked} is not on this host; {name}:{taken}, the nearest, is used instead"


@pytest.mark.parametrize(("name", "asked", "taken"), [
    ("golang", "1.17", "1.19"), ("golang", "1.8", "1.15"), ("golang", "1.99", "1.26"), ("java", "19", "21"),
    ("rust", "1.93", "1"),
])
def test_where_newer_versions_run_what_was_written_for_older_ones_a_newer_one_is_taken(catalogue, name, asked, taken):
    assert catalogue.runtime(name, asked, nearest=True, newer_first=True).version == taken


def test_an_official_image_needs_nothing_but_its_name(tmp_path):
    text = 'services: {mariadb: {"11.8": {image: "mariadb:11.8"}}}\nweb: {image: nginx}\nrouter: {image: r}\n'
    entry = load_catalogue(written(tmp_path, text)).service("mariadb", "11.8").entry
    assert (entry.image, entry.build, entry.suite) == ("mariadb:11.8", None, None)


def test_official_images_fill_in_the_versions_that_are_not_here_and_replace_none(tmp_path):
    text = ('web: {image: w}\nrouter: {image: r}\nservices: {mariadb: {"11.8": {image: ours}}, o: {"1": {image: o}}}\n'
            'official: {mariadb: "mariadb:{version}", redis: "registry.test:5000/redis:{version}"}\n')
    file = written(tmp_path, text)
    assert load_catalogue(file).versions() == {"mariadb": ("11.8",), "o": ("1",)}
    catalogue = load_catalogue(file, official={"mariadb": ("10.4", "11.8"), "redis": ("5.0",), "solr": ("9.9",)})
    assert catalogue.versions() == {"mariadb": ("10.4", "11.8"), "o": ("1",), "redis": ("5.0",)}
    entry = catalogue.service("mariadb", "10.4").entry
    assert (entry.image, entry.build, entry.suite) == ("mariadb:10.4", None, None)
    assert catalogue.service("mariadb", "11.8").entry.image == "ours"
    assert catalogue.service("redis", "5.0").entry.image == "registry.test:5000/redis:5.0"


def test_each_official_image_of_ours_is_of_a_kind_that_project_files_may_ask_for():
    official = load_catalogue(OURS).official
    assert official
    assert set(official) <= set(versions_offered())


@pytest.mark.parametrize(("text", "says"), [
    ("web: {image: w}\nrouter: {image: r}\nofficial: {mariadb: 'mariadb:11.8'}", "with `{version}` in it"),
    ("web: {image: w}\nrouter: {image: r}\nofficial: {mariadb: 'two words:{version}'}", "with `{version}` in it"),
    ("web: {image: w}", "router: Field required"),
    ("web: {image: w}\nrouter: {image: r, bild: {}}", "router.bild: Extra inputs are not permitted"),
    ('web: {image: w, build: {folder: x, "on": nowhere}}\nrouter: {image: r}', "stands on nowhere"),
    ('web: {image: w}\nrouter: {image: r}\nbases: {a: {image: a, build: {folder: x, "on": b}}, b: {image: b, build: '
     '{folder: x, "on": a}}}', "stands on itself"),
    ("web: {image: w, suite: trixie, build: {folder: x, 'on': y}}\nrouter: {image: r}", "exclude each other"),
    ("web: {image: w, packages: [curl]}\nrouter: {image: r}", "`packages` goes with `suite`"),
    ("web: {image: w, outdated_index: true}\nrouter: {image: r}", "`outdated_index` goes with `suite`"),
])
def test_what_is_wrong_is_named(tmp_path, text, says):
    with pytest.raises(CatalogueInvalid) as raised:
        load_catalogue(written(tmp_path, text))
    assert any(says in line for line in raised.value.evidence), raised.value.evidence


@pytest.mark.parametrize("text", ["- a list", "a: [", ""])
def test_what_is_no_catalogue_is_refused(tmp_path, text):
    with pytest.raises(CatalogueInvalid):
        load_catalogue(written(tmp_path, text))


def test_a_missing_file_says_how_to_name_another(tmp_path):
    with pytest.raises(CatalogueInvalid) as raised:
        load_catalogue(tmp_path / "none.yaml")
    assert "catalogue" in raised.value.hint


@pytest.mark.parametrize(("kind", "asked", "kept", "taken"), [
    ("mariadb", "10.6", None, "10.11"), ("mariadb", "11.4", None, "11.8"), ("mariadb", "11", None, "11.8"),
    ("mariadb", "10.2", None, "10.5"), ("redis", "6.2", None, "7.0"), ("redis", "5.0", None, "6.0"),
    ("rabbitmq", "3.13", None, "4.0"), ("valkey", "9.0", None, "9.1"),
    ("mariadb", "10.6", "11.8", "11.8"),    # data do not go back
    ("mariadb", "11.4", "10.11", "11.8"),   # and go forwards
])
def test_a_newer_version_of_a_service_stands_in(catalogue, kind, asked, kept, taken):
    choice = catalogue.service(kind, asked, fallback="upwards", kept=kept)
    why = "whose data are there" if kept == taken else "the nearest newer one"
    assert choice.version == taken
    assert choice.warning == f"{kind}:{asked} is not on this host; {kind}:{taken}, {why}, is used instead"


@pytest.mark.parametrize(("asked", "fallback"), [("12.3", "upwards"), ("9.9", "same_major"), ("10.6", "refuse")])
def test_nothing_older_stands_in_nor_another_major_where_clients_would_not_work(catalogue, asked, fallback):
    with pytest.raises(VersionNotThere) as raised:
        catalogue.service("mariadb", asked, fallback=fallback)
    assert ("nor a newer one" in raised.value.what) == (fallback != "refuse")
    assert catalogue.service("mariadb", "10.6", fallback="same_major").version == "10.11"


@pytest.mark.parametrize(("asked", "kept", "taken"), [
    ("16", None, "15"), ("16", "17", "17"), ("16", "15", "15"), ("14", "17", "15"), ("16", "9.6", "15"),
    ("17", "15", "17"),
])
def test_a_service_keeps_the_version_of_its_data_when_no_other_is_nearer(small, asked, kept, taken):
    assert small.service("postgresql", asked, fallback="nearest", kept=kept).version == taken


@pytest.mark.parametrize(("text", "said"), [
    ("web: {image: x}\nrouter: {image: x}\nruntimes:\n  php:\n    8.4: {image: 'two words'}\n",
     "runtimes.php.8.4.image: 'two words' is not the name of an image, as deployd/php:8.4   catalogue.yaml:5"),
    ("web: {image: x}\nrouter: {imag: x}\n", "router.image: Field required   catalogue.yaml:2"),
])
def test_what_is_wrong_is_told_with_its_line(tmp_path, text, said):
    with pytest.raises(CatalogueInvalid) as raised:
        load_catalogue(written(tmp_path, text.replace("8.4:", "'8.4':")))
    assert said in raised.value.evidence


def test_a_version_that_is_there_twice_is_refused(tmp_path):
    text = "web: {image: x}\nrouter: {image: x}\nruntimes:\n  php:\n    '8.4': {image: x}\n    \"8.4\": {image: y}\n"
    with pytest.raises(CatalogueInvalid, match=r"the key 8\.4 is there twice") as raised:
        load_catalogue(written(tmp_path, text))
    assert raised.value.where.endswith("catalogue.yaml:6:5")
