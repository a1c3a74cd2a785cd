"""MySQL of Oracle's: its flags, and what its levels are called."""

from dataclasses import replace

from deployd.environment.relationships import Credential
from deployd.project.model import Endpoint, MysqlConfiguration, MysqlProperties, Service
from deployd.services.families import family_of

IT = Service("it", "oracle-mysql", "8.4", "oracle-mysql:8.4", 512, schemas=("main",), endpoints=(
    Endpoint("mysql", "main", {"main": "admin"}),
), configuration=MysqlConfiguration(MysqlProperties(
    max_allowed_packet_mb=64, wsrep_sync_wait=1, optimizer_use_condition_selectivity=3, innodb_adaptive_hash_index=1,
)))


def flags(it: Service) -> tuple[str, ...]:
    return family_of(it).parts(it, memory_mb=1000).command or ()


def test_settings_that_only_mariadb_has_are_left_out():
    assert {"--innodb-buffer-pool-size=350M", "--max-allowed-packet=64M"} <= {*flags(IT)}
    assert not [flag for flag in flags(IT) if "wsrep" in flag or "selectivity" in flag]


def test_a_log_for_replicas_is_written_only_where_an_endpoint_is_one():
    assert "--disable-log-bin" in flags(IT)
    replica = Endpoint("replica", None, {"main": "replication"})
    assert "--disable-log-bin" not in flags(replace(IT, endpoints=(*IT.endpoints, replica)))


async def test_levels_have_the_names_that_the_server_knows():
    said = []

    async def execute(argv: tuple[str, ...], stdin: bytes | None = None) -> bytes:
        said.append((stdin or b"").decode())
        return b""

    it = replace(IT, endpoints=(Endpoint("replica", None, {"main": "replication-admin"}),))
    await family_of(it).provision(execute, it, {"replica": Credential("replica", "x")})
    assert "GRANT REPLICATION CLIENT, REPLICATION SLAVE, REPLICATION_SLAVE_ADMIN ON *.* TO 'replica'@'%'" in said[-1]
    assert "User NOT LIKE 'mysql.%'" in said[0]
    assert "DELETE HISTORY" not in said[-1]
