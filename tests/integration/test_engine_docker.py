"""The Engine against a real Docker. Everything made here carries a label of its own and is gone afterwards."""

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest

from deployd.engine.docker.engine import Engine
from deployd.engine.errors import (
    EngineOverran,
    EngineRefused,
    EngineUnreachable,
    NoSuchImage,
    NotReady,
    NotRunning,
    NotThere,
    StillInUse,
    SubnetTaken,
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


async def test_a_container_is_ensured_twice_seen_stopped_and_gone(engine, mine):
    first = await engine.ensure_container(spec(mine))
    second = await engine.ensure_container(spec(mine))
    assert first.id == second.id
    assert first.running
    assert first.pid
    assert first.started_at
    assert first.exit_status is None
    listed, = await engine.containers({"deployd": mine})
    assert (listed.name, listed.id, listed.running, listed.image_id) == (
        first.name, first.id, True, first.image_id,
    )
    assert await engine.container(first.id[:12]) is None, "the beginning of an id is no name"
    async with engine.follow_logs(first.name) as log:
        assert await log.take() == ("stdout", "begun")     # before that it knows no SIGTERM
    await engine.stop(first.name, 5)
    seen = await engine.container(first.name)
    assert seen is not None
    assert (seen.running, seen.exit_status) == (False, 0)
    assert (await engine.containers({"deployd": mine}))[0].exit_status == 0
    assert (await engine.ensure_container(spec(mine))).running
    await engine.ensure_container_gone(first.name, stop_seconds=5)
    await engine.ensure_container_gone(first.name)
    await engine.stop(first.name)
    assert await engine.container(first.name) is None


async def test_ten_callers_at_once_make_one_container_and_remove_it_once(engine, mine):
    async with asyncio.TaskGroup() as group:
        made = [group.create_task(engine.ensure_container(spec(mine))) for _ in range(10)]
    assert len({task.result().id for task in made}) == 1
    async with asyncio.TaskGroup() as group:
        for _ in range(10):
            group.create_task(engine.ensure_container_gone(f"{mine}-a", stop_seconds=0))
    assert not await engine.containers({"deployd": mine})


async def test_a_container_is_created_first_and_started_later(engine, mine):
    await engine.create(spec(mine))
    await engine.create(spec(mine))
    seen = await engine.container(f"{mine}-a")
    assert seen is not None
    assert (seen.running, seen.exit_status, seen.started_at) == (False, None, None)
    await engine.start(seen.name)
    await engine.start(seen.name)
    assert (await engine.wait_until_healthy(seen.name, 5)).running


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


async def test_what_docker_refuses_is_told_in_our_errors(engine, mine):
    with pytest.raises(NoSuchImage):
        await engine.ensure_container(ContainerSpec(f"{mine}-a", "deployd/no-such:1", {"deployd": mine}))
    with pytest.raises(EngineRefused, match="bind source path does not exist"):
        await engine.ensure_container(spec(mine, binds=(Bind("/no/such/folder", "/x"),)))
    with pytest.raises(NotThere):
        await engine.start(f"{mine}-none")
    with pytest.raises(NotThere):
        await engine.execute(f"{mine}-none", ("true",))
    await engine.create(spec(mine))
    with pytest.raises(NotRunning):
        await engine.execute(f"{mine}-a", ("true",))
    with pytest.raises(NotRunning):
        await engine.send_signal(f"{mine}-a", "SIGUSR1")


async def test_networks_keep_to_their_subnet_and_go_when_empty(engine, mine):
    wanted = await network(engine, mine)
    seen = await engine.ensure_network(wanted)
    assert (await engine.ensure_network(wanted)).id == seen.id
    assert seen.subnet == wanted.subnet
    with pytest.raises(SubnetTaken):
        await engine.ensure_network(NetworkSpec(f"{mine}-other", wanted.subnet, {"deployd": mine}))
    container = await engine.ensure_container(spec(mine, network=Network(wanted.name)))
    assert container.addresses[wanted.name].rsplit(".", 1)[0] == wanted.subnet.rsplit(".", 1)[0]
    with pytest.raises(StillInUse):
        await engine.ensure_network_gone(wanted.name)
    await engine.disconnect(wanted.name, container.name)
    await engine.disconnect(wanted.name, container.name)
    await engine.connect(wanted.name, container.name, ("again",))
    await engine.connect(wanted.name, container.name, ("again",))
    await engine.ensure_container_gone(container.name, stop_seconds=0)
    await engine.ensure_network_gone(wanted.name)
    await engine.ensure_network_gone(wanted.name)
    await engine.disconnect(wanted.name, container.name)


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


async def test_a_volume_is_ensured_in_use_and_gone(engine, mine):
    wanted = VolumeSpec(f"{mine}-v", {"deployd": mine}, {"type": "tmpfs", "device": "tmpfs", "o": "size=1m,uid=10000"})
    await engine.ensure_volume(wanted)
    await engine.ensure_volume(wanted)
    assert [item.name for item in await engine.volumes({"deployd": mine})] == [wanted.name]
    await engine.ensure_container(spec(mine, user="10000", binds=(Bind(wanted.name, "/v"),)))
    assert (await engine.execute(f"{mine}-a", ("touch", "/v/x"))).status == 0
    with pytest.raises(StillInUse):
        await engine.ensure_volume_gone(wanted.name)
    await engine.ensure_container_gone(f"{mine}-a", stop_seconds=0)
    await engine.ensure_volume_gone(wanted.name)
    await engine.ensure_volume_gone(wanted.name)


async def test_a_command_has_its_input_environment_user_and_both_streams(engine, mine):
    await engine.ensure_container(spec(mine))
    result = await engine.execute(
        f"{mine}-a", ("sh", "-c", "cat; echo $WHO $(id -u) $(pwd); echo bad >&2; exit 7"), user="4242",
        environment={"WHO": "me"}, working_folder="/usr", stdin=b"hello\n",
    )
    assert (result.status, result.stdout, result.stderr) == (7, b"hello\nme 4242 /usr\n", b"bad\n")


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


async def test_a_detached_command_runs_on_and_is_asked_about(engine, mine):
    await engine.ensure_container(spec(mine))
    exec_id = await engine.start_detached(f"{mine}-a", ("sleep", "0.5"))
    assert await engine.exec_running(exec_id)
    async with asyncio.timeout(5):
        while await engine.exec_running(exec_id):
            await asyncio.sleep(0.05)
    assert not await engine.exec_running("f" * 64)


async def test_what_was_killed_for_want_of_memory_in_a_running_container_is_known(engine, mine):
    await engine.ensure_container(spec(mine, memory_bytes=32 * 1024 * 1024))
    assert not await engine.ran_out_of_memory(f"{mine}-a")
    eaten = await engine.execute(f"{mine}-a", ("tail", "/dev/zero"))   # it keeps what may be the last line in memory
    assert eaten.status == 137
    assert await engine.ran_out_of_memory(f"{mine}-a")
    assert not await engine.ran_out_of_memory(f"{mine}-none")


async def test_readiness_is_waited_for(engine, mine):
    check = Health(("test", "-e", "/tmp/ready"), interval_seconds=0.2)
    await engine.ensure_container(spec(
        mine, command=("sh", "-c", "sleep 0.5; touch /tmp/ready; sleep 60"), tmpfs={"/tmp": "rw"}, health=check,
    ))
    seen = await engine.wait_until_healthy(f"{mine}-a", 20)
    assert seen.health == "healthy"
    assert (await engine.containers({"deployd": mine}))[0].health == "healthy"


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


async def test_logs_are_followed_by_stream_to_the_end(engine, mine):
    script = "echo one; echo two >&2; sleep 0.3; head -c 70000 /dev/zero | tr '\\0' x; echo; echo end"
    await engine.ensure_container(spec(mine, command=("sh", "-c", script)))
    lines = []
    async with asyncio.timeout(20), engine.follow_logs(f"{mine}-a") as log:
        while (line := await log.take()) is not None:
            lines.append(line)
    assert sorted(lines[:2]) == [("stderr", "two"), ("stdout", "one")]
    assert lines[2][1].endswith("x […]")
    assert lines[3:] == [("stdout", "end")]
    assert await engine.last_lines(f"{mine}-a", 1) == ("end",)
    assert await engine.last_lines(f"{mine}-none") == ()
    with pytest.raises(NotThere):
        async with engine.follow_logs(f"{mine}-none"):
            pass


async def test_events_of_our_own_things_are_followed(engine, mine):
    async with asyncio.timeout(20), engine.events({"deployd": mine}) as events:
        await engine.ensure_container(spec(mine, command=("sh", "-c", "exit 3")))
        seen = []
        while not seen or seen[-1].action != "die":
            event = await events.take()
            assert event is not None
            seen.append(event)
    assert [event.action for event in seen][:2] == ["create", "start"]
    assert {event.name for event in seen} == {f"{mine}-a"}
    assert seen[-1].labels["exitCode"] == "3"


async def test_a_signal_reaches_the_first_process(engine, mine):
    await engine.ensure_container(spec(
        mine, command=("sh", "-c", "trap 'echo got; exit 5' USR1; echo begun; while :; do sleep 0.05; done"),
    ))
    async with engine.follow_logs(f"{mine}-a") as log:
        assert await log.take() == ("stdout", "begun")
        await engine.send_signal(f"{mine}-a", "SIGUSR1")
        assert await log.take() == ("stdout", "got")
    assert await engine.wait_until_ended(f"{mine}-a", 10) == 5


async def test_an_image_is_looked_at(engine):
    image = await engine.image(IMAGE)
    assert image is not None
    assert image.id.startswith("sha256:")
    assert image.size_bytes > 1_000_000
    assert await engine.image("deployd/no-such:1") is None


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
