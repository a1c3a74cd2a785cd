"""Images are made when they are missing or their recipe changed, and only then."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import aiodocker
import pytest

from deployd.catalogue import Build, Catalogue, Entry, load_catalogue
from deployd.engine.docker.images import Images, ensure_images
from deployd.engine.errors import ImageNotMade
from deployd.settings import config_folder


@pytest.fixture
async def docker() -> AsyncIterator[aiodocker.Docker]:
    async with aiodocker.Docker() as docker:
        yield docker


@pytest.fixture
async def catalogue(tmp_path: Path, docker: aiodocker.Docker) -> AsyncIterator[Catalogue]:
    """One small image of a test's own, on the base of ours."""
    tag = f"test-images-{secrets.token_hex(4)}"
    (tmp_path / "Dockerfile").write_text("ARG BASE\nFROM ${BASE}\nARG WORD\nCOPY file /file\nENV WORD=$WORD\n")
    (tmp_path / "file").write_text("one")
    bases = load_catalogue(config_folder() / "catalogue.yaml").bases
    web = Entry(image=f"{tag}:1", build=Build(folder=tmp_path, on="trixie", arguments={"WORD": "hello"}))
    yield Catalogue(bases=bases, web=web, router=Entry(image="localhost:1/none:1"))
    for image in await docker.images.list(filters={"reference": tag}):
        await docker.images.delete(image["Id"], force=True)


async def test_an_image_is_made_once_and_again_when_its_recipe_changes(docker, catalogue, tmp_path):
    told: list[str] = []
    images = Images(docker, catalogue)
    first = await images.ensure(catalogue.web, told.append)
    assert (await docker.images.inspect(first))["Config"]["Env"][-1] == "WORD=hello"
    assert told[0] == f"{catalogue.web.image}: making"
    assert told[1].startswith(f"{catalogue.web.image}: there after ")
    assert len(told) == 2, "what a build writes is not for people who push"
    told.clear()
    assert await Images(docker, catalogue).ensure(catalogue.web, told.append) == first
    assert told == []
    (tmp_path / "file").write_text("two")
    assert await images.ensure(catalogue.web, told.append) != first
    await docker.images.delete(first, force=True)


async def test_two_that_miss_the_same_image_make_it_once(docker, catalogue):
    told: list[str] = []
    images = Images(docker, catalogue)
    async with asyncio.TaskGroup() as group:
        made = [group.create_task(images.ensure(catalogue.web, told.append)) for _ in range(2)]
    assert made[0].result() == made[1].result()
    assert [line for line in told if line.endswith(": making")] == [f"{catalogue.web.image}: making"]


async def test_a_failing_build_says_which_command_failed(docker, catalogue, tmp_path):
    (tmp_path / "Dockerfile").write_text("ARG BASE\nFROM ${BASE}\nRUN echo before it fails; exit 7\n")
    with pytest.raises(ImageNotMade) as raised:
        await Images(docker, catalogue).ensure(catalogue.web, lambda _: None)
    assert "returned a non-zero code: 7" in raised.value.what
    assert "before it fails" in raised.value.evidence


async def test_an_image_that_cannot_be_pulled_is_an_error_of_ours(docker, catalogue):
    with pytest.raises(ImageNotMade, match="localhost:1/none:1"):
        await Images(docker, catalogue).ensure(catalogue.router, lambda _: None)


async def test_a_name_that_the_catalogue_has_not_is_refused_with_those_it_has(docker, catalogue):
    with pytest.raises(ImageNotMade) as raised:
        await ensure_images(docker, catalogue, ["nothing"])
    assert "trixie" in raised.value.hint
