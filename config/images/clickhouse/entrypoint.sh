#!/bin/sh
# Starts ClickHouse as the user clickhouse, with what comes after `--` over its configuration. As root first, only to own the volume.
set -eu

data=/var/lib/clickhouse

if [ "$#" -gt 0 ]; then
    case $1 in --*) ;; *) exec "$@" ;; esac
fi
[ "$(stat -c %u "$data")" = 101 ] || chown -R clickhouse:clickhouse "$data"
[ "${1:-}" = -- ] || set -- -- "$@"
exec setpriv --reuid=clickhouse --regid=clickhouse --clear-groups -- clickhouse-server \
    --config-file=/etc/clickhouse-server/config.xml "$@" --listen_host=0.0.0.0 --logger.console=true \
    --logger.log=/dev/null --logger.errorlog=/dev/null
