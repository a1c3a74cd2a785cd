"""Which extension each PHP version has (configuration format 4.15; the platforms' public table). Values only.

One letter for each version in order: `d` loaded unless disabled, `b` part of the binary, `a` available, `-` absent.
"""

from __future__ import annotations

from typing import Literal

PHP_VERSIONS = ("5.4", "5.5", "5.6", "7.0", "7.1", "7.2", "7.3", "7.4", "8.0", "8.1", "8.2", "8.3", "8.4", "8.5")
_TABLE = {
    "amqp": "---aaaaaaaaaaa",
    "apc": "a-------------",
    "apcu": "aaaaaaaaaaaaaa",
    "apcu_bc": "---aaaaa------",
    "applepay": "---aa-aa------",
    "bcmath": "---ddddddddddd",
    "blackfire": "aaaaaaaaaaaaaa",
    "bz2": "---adddddddddd",
    "calendar": "---ddddddddddd",
    "ctype": "---ddddddddddd",
    "curl": "dddddddddddddd",
    "datadog-profiling": "----------aaaa",
    "dba": "---ddddddddddd",
    "dom": "---ddddddddddd",
    "enchant": "aaaaaaaaaaaaaa",
    "event": "----aaaaaaaaaa",
    "exif": "---ddddddddddd",
    "ffi": "-------aaaaaaa",
    "fileinfo": "---ddddddddddd",
    "ftp": "---ddddddddddd",
    "gd": "dddddddddddddd",
    "gearman": "aaa-----------",
    "geoip": "aaaaaaaaaaaaaa",
    "gettext": "---ddddddddddd",
    "gmp": "aaaaaaaaaaaaaa",
    "gnupg": "--------aaaaaa",
    "grpc": "------------a-",
    "http": "a-----aaaaaaaa",
    "iconv": "---ddddddddddd",
    "igbinary": "---aaaaaaaaaaa",
    "imagick": "aaaaaaaaaaaaaa",
    "imap": "aaaaaaaaaaaaaa",
    "interbase": "aaaaaaaaaaa---",
    "intl": "dddddddddddddd",
    "ioncube": "---aaaaa-aaaa-",
    "json": "-addddddbbbbbb",
    "ldap": "aaaaaaaaaaaaaa",
    "mailparse": "---aaaaaaaaaaa",
    "mbstring": "---ddddddddddd",
    "mcrypt": "dddaa---------",
    "memcache": "aaa-----------",
    "memcached": "aaaaaaaaaaaaaa",
    "mongo": "aaa-----------",
    "mongodb": "---aaaaaaaaaaa",
    "msgpack": "--aaaaaaaaaaaa",
    "mssql": "aaa-----------",
    "mysql": "ddd-----------",
    "mysqli": "dddddddddddddd",
    "mysqlnd": "dddddddddddddd",
    "newrelic": "--aaaaaaaaaaaa",
    "oauth": "---aaaaaaaaaaa",
    "odbc": "aaaaaaaaaaaaaa",
    "opcache": "dbbbbbbbbbbbbb",
    "openswoole": "----------aaa-",
    "opentelemetry": "----------aaaa",
    "pdo": "dddddddddddddd",
    "pdo_dblib": "aaaaaaaaaaaaaa",
    "pdo_firebird": "aaaaa-----aaaa",
    "pdo_mysql": "dddddddddddddd",
    "pdo_odbc": "aaaaaaaaaaaaaa",
    "pdo_pgsql": "aaaaaaaaaaaaaa",
    "pdo_sqlite": "dddddddddddddd",
    "pdo_sqlsrv": "---aaaaaaaaaaa",
    "pecl-http": "-aa-----------",
    "pgsql": "aaaaaaaaaaaaaa",
    "phar": "---ddddddddddd",
    "pinba": "aaa-----------",
    "posix": "---ddddddddddd",
    "propro": "--a---aa------",
    "protobuf": "---------aaaaa",
    "pspell": "aaaaaaaaaaaa--",
    "raphf": "--a---aaaaaaaa",
    "rdkafka": "---------aaaaa",
    "readline": "aaaaaaaaaaaaaa",
    "recode": "aaaaaaa-------",
    "redis": "aaaaaaaaaaaaaa",
    "shmop": "---aaaaaaaaaaa",
    "simplexml": "---ddddddddddd",
    "snmp": "aaaaaaaaaaaaaa",
    "soap": "---ddddddddddd",
    "sockets": "---ddddddddddd",
    "sodium": "-----aaaaaaaaa",
    "sourceguardian": "---aaaaaaaaaaa",
    "spplus": "aa------------",
    "sqlite3": "dddddddddddddd",
    "sqlsrv": "---aaaaaaaaa--",
    "ssh2": "aaaaaaaaaaaaaa",
    "swoole": "----------aaa-",
    "sybase": "---aaaaaaaaaaa",
    "sysvmsg": "---ddddddddddd",
    "sysvsem": "---ddddddddddd",
    "sysvshm": "---ddddddddddd",
    "tideways": "---aaaaaaaaaaa",
    "tideways_xhprof": "---aaaaaaaaa--",
    "tidy": "aaaaaaaaaaaaaa",
    "tokenizer": "---ddddddddddd",
    "uuid": "----aaaaaaaaaa",
    "uv": "-----------aa-",
    "wddx": "---aaaa-------",
    "xcache": "aa------------",
    "xdebug": "aaaaaaaaaaaaaa",
    "xhprof": "aaa-----------",
    "xml": "---ddddddddddd",
    "xmlreader": "---ddddddddddd",
    "xmlrpc": "aaaaaaaaaaaaaa",
    "xmlwriter": "---ddddddddddd",
    "xsl": "aaaaaaaaaaaaaa",
    "yaml": "----aaaaaaaaaa",
    "zbarcode": "---aaaa-------",
    "zip": "---ddddddddddd",
}
State = Literal["default", "built-in", "available", "absent"]
_STATES: dict[str, State] = {"d": "default", "b": "built-in", "a": "available", "-": "absent"}


def extension_state(name: str, version: str) -> State | None:
    """What an extension is in a version; None when no version ever had one of this name."""
    letters = _TABLE.get(name)
    if letters is None:
        return None
    return _STATES[letters[PHP_VERSIONS.index(version)]] if version in PHP_VERSIONS else "available"


def extension_names(version: str) -> list[str]:
    """All that the version has."""
    return [name for name in _TABLE if extension_state(name, version) != "absent"]
