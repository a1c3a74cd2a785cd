"""What only Docker can be asked, beside what every engine promises (`test_engine_contract.py`).

Everything made here carries a label of its own and is gone afterwards.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest

from deployd.engine.docker.engine import Engine
from deployd.engine.errors import (
    EngineOverran,
    EngineRefused,
    EngineUnreachable,
    NotReady,
)
from deployd.engine.specs import Bind, ContainerSpec, Health, Network, NetworkSpec, VolumeSpec
from deployd.engine.subnets import next_subnet
from deployd.process import run

IMAGE = "deployd/base:trixie"
POOL = "10.213.0.0/16"
SLEEP = ("sh", "-c", "trap 'exit 0' TERM; echo begun; while :; do sleep 0.05; done")


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    async with Engine() as found:
        if await found.image(IMAGE) is None:
            await run("sh", "-c", "mmdebstrap --variant=minbase --include=ca-certificates trixie - "
                      f"| docker import - {IMAGE}", limit_seconds=300)
        yield found


@pytest.fixture
async def mine(engine: Engine) -> AsyncIterator[str]:
    """The name and label of what a test makes."""
    name = f"test-engine-{uuid.uuid4().hex[:8]}"
    yield name
    for container in await engine.containers({"deployd": name}):
        await engine.ensure_container_gone(container.name, stop_seconds=0)
    for network in await engine.networks({"deployd": name}):
        await engine.ensure_network_gone(network.name)
    for volume in await engine.volumes({"deployd": name}):
        await engine.ensure_volume_gone(volume.name)


def spec(name: str, part: str = "a", **values) -> ContainerSpec:
    values.setdefault("command", SLEEP)
    return ContainerSpec(f"{name}-{part}", IMAGE, {"deployd": name}, **values)


async def network(engine: Engine, name: str) -> NetworkSpec:
    used = [subnet for item in await engine.networks({}) for subnet in item.subnets]
    return NetworkSpec(f"{name}-net", next_subnet(POOL, 26, used), {"deployd": name})


async def test_the_engine_tells_what_it_is(engine):
    about = await engine.about()
    assert about.api_version.startswith("1.")
    assert about.cpus > 0
    assert about.memory_bytes > 0


async def test_nobody_at_the_socket_is_said_so(tmp_path):
    with pytest.raises(EngineUnreachable):
        async with Engine(tmp_path / "none.sock"):
            pass


async def test_ten_callers_at_once_make_one_container_and_remove_it_once(engine, mine):
    async with asyncio.TaskGroup() as group:
        made = [group.create_task(engine.ensure_container(spec(mine))) for _ in range(10)]
    assert len({task.result().id for task in made}) == 1
    async with asyncio.TaskGroup() as group:
        for _ in range(10):
            group.create_task(engine.ensure_container_gone(f"{mine}-a", stop_seconds=0))
    assert not await engine.containers({"deployd": mine})


async def test_a_container_can_write_only_where_it_may(engine, mine, tmp_path):
    tmp_path.chmod(0o777)
    script = "touch /root-fs; touch /ro/x; touch /rw/x; touch /tmp/x; cat /proc/self/status; id -u"
    await engine.ensure_container(spec(
        mine, command=("sh", "-c", script), user="10000:10000", tmpfs={"/tmp": "rw,size=1m"},
        binds=(Bind(str(tmp_path), "/rw"), Bind(str(tmp_path), "/ro", read_only=True)),
    ))
    assert await engine.wait_until_ended(f"{mine}-a", 20) == 0
    lines = "\n".join(await engine.last_lines(f"{mine}-a", 200))
    assert "cannot touch '/root-fs': Read-only file system" in lines
    assert "cannot touch '/ro/x': Read-only file system" in lines
    assert "NoNewPrivs:\t1" in lines
    assert "CapBnd:\t0000000000000000" in lines
    assert "10000" in lines.splitlines()   # not the last: two streams come in any order
    assert (tmp_path / "x").exists()


async def test_what_docker_refuses_is_told_in_its_words(engine, mine):
    with pytest.raises(EngineRefused, match="bind source path does not exist"):
        await engine.ensure_container(spec(mine, binds=(Bind("/no/such/folder", "/x"),)))


async def test_an_alias_is_seen_by_all_and_a_link_by_one_even_before_its_target_is_there(engine, mine):
    wanted = await network(engine, mine)
    await engine.ensure_network(wanted)
    await engine.ensure_container(spec(mine, "a", network=Network(wanted.name, links={"db.internal": f"{mine}-db"})))
    target = await engine.ensure_container(spec(mine, "db", network=Network(wanted.name, aliases=("db",))))
    address = target.addresses[wanted.name]

    async def ask(who: str, name: str) -> str:
        return (await engine.execute(f"{mine}-{who}", ("getent", "hosts", name))).stdout.decode()

    assert address in await ask("a", "db")
    assert address in await ask("a", "db.internal")
    assert address not in await ask("db", "db.internal")


async def test_a_volume_has_its_options(engine, mine):
    wanted = VolumeSpec(f"{mine}-v", {"deployd": mine}, {"type": "tmpfs", "device": "tmpfs", "o": "size=1m,uid=10000"})
    await engine.ensure_volume(wanted)
    await engine.ensure_container(spec(mine, user="10000", binds=(Bind(wanted.name, "/v"),)))
    assert (await engine.execute(f"{mine}-a", ("touch", "/v/x"))).status == 0


async def test_a_large_input_and_output_pass_whole(engine, mine):
    await engine.ensure_container(spec(mine))
    data = bytes(range(256)) * 16_000
    assert (await engine.execute(f"{mine}-a", ("cat",), stdin=data)).stdout == data
    assert (await engine.execute(f"{mine}-a", ("true",), stdin=data)).status == 0, "input that nobody reads"


async def test_a_command_that_takes_too_long_is_killed(engine, mine):
    await engine.ensure_container(spec(mine))
    with pytest.raises(EngineOverran, match=r"0\.5 s"):
        await engine.execute(f"{mine}-a", ("sh", "-c", "sleep 4321; true"), limit_seconds=0.5)
    left = await engine.execute(f"{mine}-a", ("sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"))
    assert b"sleep 4321" not in left.stdout.replace(b"cat /proc", b"")


async def test_a_detached_command_runs_on(engine, mine):
    await engine.ensure_container(spec(mine, tmpfs={"/tmp": "rw"}))
    waiting = "while [ ! -e /tmp/go ]; do sleep 0.05; done; touch /tmp/went"
    await engine.start_detached(f"{mine}-a", ("sh", "-c", waiting))
    assert (await engine.execute(f"{mine}-a", ("test", "-e", "/tmp/went"))).status == 1
    await engine.execute(f"{mine}-a", ("touch", "/tmp/go"))
    async with asyncio.timeout(5):
        while (await engine.execute(f"{mine}-a", ("test", "-e", "/tmp/went"))).status:
            await asyncio.sleep(0.05)


async def test_what_does_not_become_ready_says_why(engine, mine):
    never = Health(("false",), interval_seconds=0.2)
    await engine.ensure_container(spec(mine, "slow", health=never, command=("sh", "-c", "echo waiting; sleep 60")))
    with pytest.raises(NotReady, match="starting after 1 s") as caught:
        await engine.wait_until_healthy(f"{mine}-slow", 1)
    assert caught.value.evidence == ("waiting",)
    await engine.ensure_container(spec(mine, "dead", health=never, command=("sh", "-c", "echo no; exit 3")))
    with pytest.raises(NotReady, match="exit status 3"):
        await engine.wait_until_healthy(f"{mine}-dead", 20)
    with pytest.raises(NotReady, match="does not exist"):
        await engine.wait_until_healthy(f"{mine}-none", 20)
    await engine.ensure_container(spec(mine, "loop", command=("false",), restart="always", health=never))
    with pytest.raises(NotReady, match="again"):
        await engine.wait_until_healthy(f"{mine}-loop", 30)


async def test_lines_of_both_streams_are_read_and_very_long_ones_cut(engine, mine):
    script = "echo one; echo two >&2; sleep 0.3; head -c 70000 /dev/zero | tr '\\0' x; echo; echo end"
    await engine.ensure_container(spec(mine, command=("sh", "-c", script)))
    assert await engine.wait_until_ended(f"{mine}-a", 20) == 0
    lines = await engine.last_lines(f"{mine}-a", 10)
    assert sorted(lines[:2]) == ["one", "two"]
    assert lines[2].endswith("x […]")
    assert lines[3:] == ("end",)
    assert await engine.last_lines(f"{mine}-a", 1) == ("end",)
    assert await engine.last_lines(f"{mine}-none") == ()


async def test_containers_of_a_network_of_builds_reach_the_outside_and_not_each_other(engine, mine):
    apart = NetworkSpec(f"{mine}-builds", "", {"deployd": mine}, apart=True)
    await engine.ensure_network(apart)
    for part in ("a", "b"):
        await engine.ensure_container(spec(mine, part, network=Network(apart.name)))
    seen = await engine.container(f"{mine}-b")
    assert seen is not None
    ping = "perl -MIO::Socket::INET -e 'exit(IO::Socket::INET->new(PeerAddr=>$ARGV[0], PeerPort=>9, Timeout=>2)"
    # A port nobody listens on: refused at once when the way is open, silence when it is closed.
    ping += " ? 0 : ($!{ECONNREFUSED} ? 7 : 8))' "
    other = await engine.execute(f"{mine}-a", ("sh", "-c", ping + seen.addresses[apart.name]))
    gateway = await engine.execute(f"{mine}-a", ("sh", "-c", ping + "127.0.0.1"))
    assert (other.status, gateway.status) == (8, 7)
