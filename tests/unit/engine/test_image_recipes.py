"""When an image has to be made again, and what the builder is given."""

import io
import tarfile
from pathlib import Path

import pytest

from deployd.catalogue import Build, Catalogue, Entry
from deployd.engine.docker.image_recipes import (
    NoDockerfile,
    build_context,
    mmdebstrap_command,
    recipe_digest,
    write_base_context,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "Dockerfile").write_text("ARG BASE\nFROM ${BASE}\n")
    (tmp_path / "entrypoint").write_text("#!/bin/sh\n")
    (tmp_path / "entrypoint").chmod(0o755)
    return tmp_path


def catalogue(folder: Path, *, packages: tuple[str, ...] = ("ca-certificates",), version: str = "1") -> Catalogue:
    web = Entry(image="t/web:1", build=Build(folder=folder, on="trixie", arguments={"VERSION": version}))
    bases = {"trixie": Entry(image="t/base:trixie", suite="trixie", packages=packages)}
    return Catalogue(bases=bases, web=web, router=Entry(image="router"))


def digest(made: Catalogue) -> str | None:
    return recipe_digest(made, made.web)


def test_the_same_recipe_has_the_same_digest(folder):
    assert digest(catalogue(folder)) == digest(catalogue(folder))


@pytest.mark.parametrize("change", [
    lambda folder: (folder / "Dockerfile").write_text("FROM other\n"),
    lambda folder: (folder / "entrypoint").chmod(0o644),
    lambda folder: (folder / "more").write_text(""),
])
def test_a_changed_file_changes_the_digest(folder, change):
    before = digest(catalogue(folder))
    change(folder)
    assert digest(catalogue(folder)) != before


def test_an_argument_or_the_base_changes_the_digest(folder):
    changed = (catalogue(folder), catalogue(folder, version="2"), catalogue(folder, packages=()))
    assert len({digest(made) for made in changed}) == 3


def test_an_image_from_a_registry_has_no_digest(folder):
    made = catalogue(folder)
    assert recipe_digest(made, made.router) is None


def test_a_folder_without_a_dockerfile_is_named(folder):
    (folder / "Dockerfile").unlink()
    with pytest.raises(NoDockerfile, match=f"there is no Dockerfile in {folder}"):
        digest(catalogue(folder))


def test_the_context_holds_the_folder_without_owners_and_dates(folder):
    with tarfile.open(fileobj=io.BytesIO(build_context(catalogue(folder).web.build))) as tar:
        assert [(item.name, oct(item.mode), item.mtime, item.uid) for item in tar] == [
            ("Dockerfile", "0o644", 0, 0), ("entrypoint", "0o755", 0, 0),
        ]


def test_a_base_is_made_with_the_packages_of_its_entry_and_unpacked_into_an_empty_image(folder):
    command = mmdebstrap_command(catalogue(folder).bases["trixie"], Path("/x/base.tar"))
    assert command[0] == "mmdebstrap"
    assert command[-3:] == ("--include=ca-certificates", "trixie", "/x/base.tar")
    (folder / "base.tar").write_bytes(b"tar")
    lags = Entry(image="t/base:sid", suite="sid", outdated_index=True)
    assert set(mmdebstrap_command(lags, Path("/x"))) - set(command) == {
        '--aptopt=Acquire::Check-Valid-Until "false"', "--include=", "sid", "/x"}
    write_base_context(folder / "base.tar", folder / "context.tar")
    with tarfile.open(folder / "context.tar") as tar:
        assert tar.getnames() == ["Dockerfile", "base.tar"]
        assert tar.extractfile("Dockerfile").read().startswith(b"FROM scratch\n")


def with_tools(folder: Path, *, packages: tuple[str, ...] = ()) -> Catalogue:
    """What fetches stands on bookworm, and what runs on trixie."""
    bases = {
        "trixie": Entry(image="t/base:trixie", suite="trixie"),
        "bookworm": Entry(image="t/base:bookworm", suite="bookworm", packages=packages),
        "fetch": Entry(image="t/fetch:1", build=Build(folder=folder, on="bookworm", host_certificates=True)),
    }
    web = Entry(image="t/web:1", build=Build(folder=folder, on="trixie", tools="fetch"))
    return Catalogue(bases=bases, web=web, router=Entry(image="router"))


def test_what_fetches_for_an_image_changes_its_digest_too(folder):
    assert digest(with_tools(folder)) == digest(with_tools(folder))
    assert digest(with_tools(folder, packages=("curl",))) != digest(with_tools(folder))


def test_the_hosts_certificates_are_in_no_context_but_that_of_what_fetches(folder, monkeypatch):
    store = folder.parent / "store.crt"
    store.write_text("whom the host trusts")
    monkeypatch.setattr("deployd.engine.docker.image_recipes.STORE", store)
    made = with_tools(folder)
    before = digest(made)
    with tarfile.open(fileobj=io.BytesIO(build_context(made.bases["fetch"].build))) as tar:
        assert tar.extractfile("trust.crt").read() == store.read_bytes()
    with tarfile.open(fileobj=io.BytesIO(build_context(made.web.build))) as tar:
        assert "trust.crt" not in tar.getnames()
    store.unlink()
    with tarfile.open(fileobj=io.BytesIO(build_context(made.bases["fetch"].build))) as tar:
        assert tar.extractfile("trust.crt").read() == b""
    assert digest(made) == before
