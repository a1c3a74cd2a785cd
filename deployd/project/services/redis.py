"""`configuration` of Redis and Valkey (configuration format 5.4). Pure."""

from __future__ import annotations

from deployd.project.fields.fields import Fields
from deployd.project.fields.keys import Key, Table
from deployd.project.model.service_configuration import RedisConfiguration
from deployd.project.services.kind import Found, Kind

BY_DEFAULT = RedisConfiguration()
POLICIES = (
    "allkeys-lru",
    "noeviction",
    "allkeys-lfu",
    "volatile-lru",
    "volatile-lfu",
    "allkeys-random",
    "volatile-random",
    "volatile-ttl",
)
CONFIGURATION = Table(
    "configuration (redis, valkey)",
    (
        Key(
            "maxmemory_policy",
            "policy",
            "what is forgotten when the memory is full",
            f"`{BY_DEFAULT.maxmemory_policy}`",
        ),
    ),
    noun="`configuration` of redis",
)


def read(fields: Fields | None, service: Fields) -> Found:
    policy = fields.get("maxmemory_policy") if fields else None
    name = policy.one_of(POLICIES) if policy else None
    return Found(RedisConfiguration(name) if name else BY_DEFAULT)


KIND = Kind(read, CONFIGURATION)
