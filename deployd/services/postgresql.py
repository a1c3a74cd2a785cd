"""PostgreSQL: databases, one user for each endpoint, and the privileges of its level on each database.

    role `main:admin`   owns the database main; what an administrator makes belongs to it, whoever he is
    role `main:rw`      reads and writes what `main:admin` owns, now and later
    role `main:ro`      reads it
    user of an endpoint is a member of one of them for each database

So an endpoint can go and another can come without a table changing hands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from deployd.environment.relationships import Connection, Credential
from deployd.project.model import PostgresqlConfiguration, Service
from deployd.services.family import (
    RUN_AND_TMP,
    SECRET_FILE,
    Accounts,
    Copying,
    Execute,
    Parts,
    Secret,
    health,
)
from deployd.units import MEGABYTE

PORT = 5432
ACCOUNTS = Accounts("postgresql", "main")
CLIENT = ("psql", "--username=postgres", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align",
          "--set=ON_ERROR_STOP=1", "--dbname=postgres")
LEVELS = ("admin", "rw", "ro")
PRELOADED = "pg_stat_statements"
"""Counts only in a server that was started with it."""

READ = "SELECT"
WRITE = "SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER"
DUMP = """\
for database in "$@"; do
    printf '\\\\connect "%s"\\n' "$database"
    pg_dump --username=postgres --clean --if-exists "$database" || exit 1
done"""


class PostgreSql:
    """`postgresql`"""

    connection = Connection("pgsql", PORT, {"is_master": True})

    def parts(self, service: Service, *, memory_mb: int) -> Parts:
        flags = {
            "shared_buffers": f"{max(16, memory_mb // 4)}MB",
            "effective_cache_size": f"{max(64, memory_mb * 3 // 4)}MB",
            "maintenance_work_mem": f"{max(16, memory_mb // 16)}MB",
            "max_connections": str(min(300, max(50, memory_mb // 4))),
        }
        if PRELOADED in service.configured(PostgresqlConfiguration).extensions:
            flags["shared_preload_libraries"] = PRELOADED
        return Parts(
            port=PORT,
            # While an official image prepares its data, a server answers on the socket only: not ready yet.
            health=health("pg_isready --quiet --host=127.0.0.1 --username=postgres"),
            command=("postgres", *(word for name, value in flags.items() for word in ("-c", f"{name}={value}"))),
            secret_environment=("POSTGRES_PASSWORD_FILE",),
            secret_files={"password": SECRET_FILE},
            volume_path="/var/lib/postgresql/data",
            tmpfs=RUN_AND_TMP,
            shm_bytes=max(64, memory_mb // 4) * MEGABYTE,   # parallel queries share their work there
            crash_safe=True,
            # Without it sequences go on 32 higher: so much is written ahead of them, for the case of a crash.
            settle=(*CLIENT, "--command=CHECKPOINT"),
        )

    def credentials(self, service: Service, secret: Secret) -> Mapping[str, Credential]:
        return ACCOUNTS.credentials(service, secret)

    async def provision(self, execute: Execute, service: Service, credentials: Mapping[str, Credential]) -> None:
        await execute(CLIENT, "\n".join(statements(service, credentials)).encode() + b"\n")

    def copying(self, service: Service) -> Copying | None:
        return Copying(("sh", "-c", DUMP, "sh", *service.schemas), CLIENT) if service.schemas else None


def statements(service: Service, credentials: Mapping[str, Credential]) -> Iterator[str]:
    """The script for psql; `\\gexec` runs what the query before it gives."""
    yield "SET log_min_error_statement = panic;"     # a statement that fails must not put a password into the log
    users = {ACCOUNTS.user_of(endpoint.name): credentials[endpoint.name] for endpoint in service.endpoints}
    roles = [f"{database}:{level}" for database in service.schemas for level in LEVELS]
    for role in roles:
        yield _unless(f"SELECT FROM pg_roles WHERE rolname = {_text(role)}", f"CREATE ROLE {_name(role)} NOLOGIN")
    for user, credential in users.items():
        yield _unless(f"SELECT FROM pg_roles WHERE rolname = {_text(user)}", f"CREATE ROLE {_name(user)}")
        yield f"ALTER ROLE {_name(user)} LOGIN PASSWORD {_text(credential.password or '')};"
    yield from _nobody_else(users)
    for database in service.schemas:
        yield from _database(service, database)
    yield from _members(service, users)
    for database in service.schemas:
        yield from _inside(service, database)


def _nobody_else(users: Mapping[str, Credential]) -> Iterator[str]:
    known = ", ".join(_text(name) for name in ("postgres", *users))
    yield "SELECT format('ALTER ROLE %I NOLOGIN', rolname) FROM pg_roles"
    yield f"WHERE rolcanlogin AND rolname NOT IN ({known})\n\\gexec"


def _database(service: Service, database: str) -> Iterator[str]:
    wanted = service.configured(PostgresqlConfiguration)
    options = (
        f"OWNER {_name(database + ':admin')} TEMPLATE template0 "
        f"ENCODING {_text(wanted.default_charset)} "
        f"LC_COLLATE {_text(wanted.default_collation)} "
        f"LC_CTYPE {_text(wanted.default_ctype)}"
    )
    yield _unless(f"SELECT FROM pg_database WHERE datname = {_text(database)}",
                  f"CREATE DATABASE {_name(database)} {options}")
    everyone = ", ".join(_name(f"{database}:{level}") for level in LEVELS)
    yield f"REVOKE ALL ON DATABASE {_name(database)} FROM PUBLIC;"
    yield f"GRANT CONNECT, TEMPORARY ON DATABASE {_name(database)} TO {everyone};"


def _members(service: Service, users: Mapping[str, Credential]) -> Iterator[str]:
    wanted = []
    for endpoint in service.endpoints:
        user = ACCOUNTS.user_of(endpoint.name)
        for database, level in endpoint.privileges.items():
            role = f"{database}:{level}"
            wanted.append(f"({_text(role)}, {_text(user)})")
            yield f"GRANT {_name(role)} TO {_name(user)};"
            # What an administrator makes must belong to the role; the others must not be it.
            acts_as = f"SET role = {_text(role)}" if level == "admin" else "RESET role"
            yield f"ALTER ROLE {_name(user)} IN DATABASE {_name(database)} {acts_as};"
    unless = f"AND (role.rolname, member.rolname) NOT IN ({', '.join(wanted)})" if wanted else ""
    names = ", ".join(_text(user) for user in users) or "''"
    yield (
        "SELECT format('REVOKE %I FROM %I', role.rolname, member.rolname) FROM pg_auth_members "
        "JOIN pg_roles role ON role.oid = roleid JOIN pg_roles member ON member.oid = pg_auth_members.member "
        f"WHERE member.rolname IN ({names}) {unless}"
    )
    yield "\\gexec"


def _inside(service: Service, database: str) -> Iterator[str]:
    admin, rw, ro = (_name(f"{database}:{level}") for level in LEVELS)
    yield f"\\connect {_name(database)}"
    yield "SET log_min_error_statement = panic;"
    for extension in service.configured(PostgresqlConfiguration).extensions:
        yield f"CREATE EXTENSION IF NOT EXISTS {_name(extension)};"
    yield f"ALTER SCHEMA public OWNER TO {admin};"
    yield "REVOKE CREATE ON SCHEMA public FROM PUBLIC;"
    yield f"GRANT USAGE ON SCHEMA public TO {rw}, {ro};"
    for role, tables, sequences in ((rw, WRITE, "USAGE, SELECT, UPDATE"), (ro, READ, "SELECT")):
        yield f"GRANT {tables} ON ALL TABLES IN SCHEMA public TO {role};"
        yield f"GRANT {sequences} ON ALL SEQUENCES IN SCHEMA public TO {role};"
        yield f"ALTER DEFAULT PRIVILEGES FOR ROLE {admin} GRANT {tables} ON TABLES TO {role};"
        yield f"ALTER DEFAULT PRIVILEGES FOR ROLE {admin} GRANT {sequences} ON SEQUENCES TO {role};"
        yield f"ALTER DEFAULT PRIVILEGES FOR ROLE {admin} GRANT USAGE ON SCHEMAS TO {role};"


def _unless(query: str, statement: str) -> str:
    return f"SELECT {_text(statement)} WHERE NOT EXISTS ({query})\n\\gexec"


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
