"""Objects in PLATFORM_RELATIONSHIPS stay what they were, letter by letter: containers are kept while they do."""

from __future__ import annotations

import json

from deployd.environment.relationships import Address, Connection, Credential, Related, endpoint_objects

ADDRESS = Address("the-container", "10.0.0.2", "shop-main")


def test_the_object_of_a_service_is_written_as_in_deployd_0_1() -> None:
    connection = Connection("mysql", 3306, {"is_master": True})
    database = Related(
        "database", "db", "mysql", "mysql:10.6", connection, ADDRESS, Credential("user", "its password", "main"),
    )
    assert json.dumps(endpoint_objects((database,))) == (
        '{"database": [{"username": "user", "password": "its password", "scheme": "mysql", "host": "database.internal",'
        ' "port": 3306, "path": "main", "query": {"is_master": true}, "fragment": null, "ip": "10.0.0.2",'
        ' "hostname": "the-container", "service": "db", "rel": "mysql", "type": "mysql:10.6", "public": false,'
        ' "host_mapped": false, "cluster": "shop-main"}]}'
    )


def test_the_object_of_an_application_is_written_as_in_deployd_0_1() -> None:
    api = Related("api", "backend", "http", "php:8.4", Connection("http", 8080), ADDRESS, to_application=True)
    assert json.dumps(endpoint_objects((api,))) == (
        '{"api": [{"service": "backend", "host": "api.internal", "hostname": "the-container", "ip": "10.0.0.2",'
        ' "rel": "http", "scheme": "http", "port": 8080, "path": null, "query": {}, "fragment": null,'
        ' "username": null, "password": null, "type": "php:8.4", "public": false, "host_mapped": false,'
        ' "cluster": "shop-main"}]}'
    )
