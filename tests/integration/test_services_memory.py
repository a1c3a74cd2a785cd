"""Redis, Valkey and RabbitMQ, real."""

from dataclasses import replace

import pytest

from deployd.process import Output
from deployd.project.model import Endpoint, RedisConfiguration
from tests.support.service_stand import Stand, service, standing

RABBITMQ = service("rabbitmq", "4.0", schemas=("orders",), endpoints=(Endpoint("rabbitmq"),))
AMQP = """
$it = new AMQPConnection(['host' => 'it', 'login' => getenv('LOGIN'), 'password' => getenv('PASSWORD'),
                          'vhost' => getenv('VHOST'), 'connect_timeout' => 10]);
$it->connect();
$channel = new AMQPChannel($it);
$queue = new AMQPQueue($channel);
$queue->setName('q'); $queue->setFlags(AMQP_DURABLE); $queue->declareQueue();
(new AMQPExchange($channel))->publish('hello', 'q', AMQP_NOPARAM, ['delivery_mode' => 2]);
sleep(1);
echo $queue->get(AMQP_AUTOACK)->getBody();
"""


def redis(kind: str, version: str) -> object:
    return service(kind, version, endpoints=(Endpoint(kind.split("-")[0]),),
                   configuration=RedisConfiguration("volatile-ttl"))


@pytest.mark.parametrize(("kind", "version"), [("redis", "8.0"), ("redis", "7.0"), ("valkey", "8.1")])
async def test_memory_is_bounded_and_open_without_a_password(kind, version):
    async with standing(redis(kind, version)) as stand:
        await stand.provision()
        assert (await stand.app("redis-cli", "-h", "it", "SET", "a", "7")).text == "OK"
        assert "volatile-ttl" in (await stand.app("redis-cli", "-h", "it", "CONFIG", "GET", "maxmemory-policy")).text
        assert "402653184" in (await stand.app("redis-cli", "-h", "it", "CONFIG", "GET", "maxmemory")).text


@pytest.mark.parametrize(("kind", "version"), [("redis-persistent", "8.0"), ("valkey-persistent", "8.1")])
async def test_a_persistent_one_keeps_its_data(kind, version):
    async with standing(redis(kind, version)) as stand:
        await stand.app("redis-cli", "-h", "it", "SET", "a", "7")
        await stand.restart()
        assert (await stand.app("redis-cli", "-h", "it", "GET", "a")).text == "7"


async def amqp(stand: Stand, vhost: str, *, password: str | None = None) -> Output:
    credential = stand.credentials["rabbitmq"]
    return await stand.app(
        "php", "-d", "extension=amqp", "-r", AMQP, check=False,
        env={"LOGIN": str(credential.username), "PASSWORD": password or str(credential.password), "VHOST": vhost},
    )


@pytest.mark.parametrize("version", ["4.0", "3.10"])
async def test_rabbitmq_gives_its_user_every_virtual_host(version):
    async with standing(replace(RABBITMQ, version=version)) as stand:
        await stand.provision()
        await stand.provision()
        assert (await amqp(stand, "/")).text == "hello"
        assert (await amqp(stand, "orders")).text == "hello"
        assert (await amqp(stand, "/", password="wrong")).status != 0
        await stand.restart()
        assert (await amqp(stand, "orders")).text == "hello"
