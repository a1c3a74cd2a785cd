"""An application with databases, a deploy hook that spoils all of them, and dumps to compare row for row."""

from __future__ import annotations

from collections.abc import Mapping

from deployd.process import run
from tests.support.developer import SERVER

APP = """\
name: app
type: python:3.13
relationships:
  maria: "maria:admin"
  post: "post:postgresql"
  cache: "cache:redis"
web:
  commands:
    start: python3 server.py
mounts:
  data:
    source: local
    source_path: data
hooks:
  deploy: sh migrate.sh
"""
SERVICES = """\
maria:
  type: mariadb:11.8
  disk: 512
  configuration:
    schemas: [main, legacy]
    endpoints:
      admin:
        default_schema: main
        privileges: {main: admin, legacy: admin}
post:
  type: postgresql:17
  disk: 512
cache:
  type: redis-persistent:8.0
  disk: 256
"""
MARIA = 'mariadb --host=maria.internal --user=admin --password="$MARIA_PASSWORD" --default-character-set=utf8mb4'
POST = 'PGPASSWORD="$POST_PASSWORD" psql --host=post.internal --username=main --dbname=main --set=ON_ERROR_STOP=1 -q'
PREAMBLE = """\
set -e
password() { echo "$PLATFORM_RELATIONSHIPS" | base64 -d | jq -r ".$1[0].password"; }
MARIA_PASSWORD=$(password maria) POST_PASSWORD=$(password post)
"""
MAKE = f"""{PREAMBLE}
{MARIA} main <<'SQL'
CREATE TABLE product (id INT AUTO_INCREMENT PRIMARY KEY, sku VARCHAR(64) UNIQUE, name VARCHAR(255), picture BLOB,
                      price DECIMAL(12,4)) CHARACTER SET utf8mb4;
INSERT INTO product (sku, name, picture, price)
  SELECT CONCAT('sku-', seq), CONCAT('Grüße 🚀 ', MD5(seq)), UNHEX(MD5(seq)), seq / 7 FROM seq_1_to_20000;
ALTER TABLE product AUTO_INCREMENT = 20001;   -- the server keeps a reserve in memory, until its next start
CREATE TABLE old_engine (id INT PRIMARY KEY, text VARCHAR(20)) ENGINE=MyISAM CHARACTER SET latin1;
INSERT INTO old_engine SELECT seq, CONCAT('é', seq) FROM seq_1_to_1000;
CREATE TABLE audit (id INT AUTO_INCREMENT PRIMARY KEY, what VARCHAR(255));
CREATE TRIGGER sold AFTER UPDATE ON product FOR EACH ROW INSERT INTO audit (what) VALUES (NEW.sku);
CREATE VIEW cheap AS SELECT * FROM product WHERE price < 10;
CREATE PROCEDURE cheaper() UPDATE product SET price = price - 1 WHERE id = 1;
CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY DO DELETE FROM audit;
CREATE TABLE legacy.kept (id INT PRIMARY KEY);
INSERT INTO legacy.kept VALUES (1), (2);
SQL
{POST} <<'SQL'
CREATE SCHEMA stock;
CREATE TABLE stock.item (id SERIAL PRIMARY KEY, name TEXT, parts JSONB);
INSERT INTO stock.item (name, parts)
  SELECT 'Grüße 🚀 ' || i, jsonb_build_object('n', i) FROM generate_series(1, 20000) i;
CREATE SEQUENCE stock.invoices START 1000;
SELECT nextval('stock.invoices');
SELECT lo_from_bytea(4711, decode(repeat('c0ffee', 5000), 'hex'));
CREATE FUNCTION stock.twice(n INT) RETURNS INT LANGUAGE sql AS 'SELECT n * 2';
CREATE VIEW stock.names AS SELECT name FROM stock.item;
SQL
redis-cli -h cache.internal mset one 1 two 2
"""
SPOIL = f"""{PREAMBLE}
redis-cli -h cache.internal flushall
{MARIA} main <<'SQL'
CALL cheaper();
ALTER TABLE product DROP COLUMN picture, ADD COLUMN colour VARCHAR(20) DEFAULT 'red';
INSERT INTO product (sku, name) SELECT CONCAT('new-', seq), 'new' FROM seq_1_to_500;
DELETE FROM product WHERE id < 100;
DROP TABLE old_engine;
DROP EVENT nightly;
DROP PROCEDURE cheaper;
DROP VIEW cheap;
CREATE TABLE surplus (id INT);
DROP TABLE legacy.kept;
SQL
{POST} <<'SQL'
SELECT nextval('stock.invoices') FROM generate_series(1, 50);
ALTER TABLE stock.item DROP COLUMN parts CASCADE, ADD COLUMN colour TEXT;
INSERT INTO stock.item (name) SELECT 'new' FROM generate_series(1, 500);
DELETE FROM stock.item WHERE id < 100;
SELECT lo_unlink(4711);
DROP FUNCTION stock.twice(INT);
CREATE TABLE surplus (id INT);
SQL
"""
FILES: Mapping[str, str] = {
    ".platform.app.yaml": APP, ".platform/services.yaml": SERVICES, "server.py": SERVER, "text": "first",
    "migrate.sh": MAKE,
}
DUMPS: Mapping[str, str] = {
    "maria": 'export MYSQL_PWD="$(cat "$MARIADB_ROOT_PASSWORD_FILE")"; '
             "mariadb-dump --user=root --databases main legacy --routines --events "
             "--triggers --hex-blob --skip-dump-date && "
             'mariadb --user=root --execute="'
             "SELECT table_name, auto_increment, table_collation FROM information_schema.tables "
             "WHERE table_schema IN ('main', 'legacy') ORDER BY 1; SELECT User, Host FROM mysql.user ORDER BY 1, 2; "
             'SHOW GRANTS FOR admin"',
    "post": "pg_dumpall --username=postgres | grep -v restrict | sed \"s/SCRAM-SHA[^']*/a password/\"",
    "cache": "redis-cli mget one two && redis-cli dbsize",
}


async def dump(container: str, service: str) -> str:
    """Everything that a service holds, as text."""
    found = await run("docker", "exec", container, "sh", "-c", DUMPS[service], keep_bytes=64_000_000)
    assert len(found.stdout) > 3
    return found.stdout.decode()
