#!/bin/sh
# Starts InfluxDB as the user influxdb. As root first, only to own the volume.
set -eu

data=/var/lib/influxdb

if [ "$(id -u)" = 0 ]; then
    [ "$(stat -c %u "$data")" = 999 ] || chown -R influxdb:influxdb "$data"
    exec setpriv --reuid=influxdb --regid=influxdb --clear-groups -- "$0" "$@"
fi
[ "${1:-}" = influxd ] || case "${1:-}" in -*) set -- influxd "$@" ;; *) exec "$@" ;; esac

export INFLUXDB_REPORTING_DISABLED=true INFLUXDB_META_DIR="$data/meta" INFLUXDB_DATA_DIR="$data/data" \
    INFLUXDB_DATA_WAL_DIR="$data/wal" INFLUXDB_HTTP_LOG_ENABLED=false INFLUXDB_BIND_ADDRESS=127.0.0.1:8088

# The administrator's password follows the variable at every start, so that a copied volume opens to its new owner. A server that
# asks nobody for a password gives it to him, on the loopback alone.
if [ -n "${INFLUXDB_ADMIN_USER:-}" ]; then
    wanted=$(printf '%s\n%s' "$INFLUXDB_ADMIN_USER" "${INFLUXDB_ADMIN_PASSWORD:-}" | sha256sum)
    if [ "$(cat "$data/administrator.sha256" 2> /dev/null)" != "$wanted" ]; then
        (INFLUXDB_HTTP_AUTH_ENABLED=false INFLUXDB_HTTP_BIND_ADDRESS=127.0.0.1:8087 exec influxd) & server=$!
        until influx -port 8087 -execute 'SHOW DATABASES' > /dev/null 2>&1; do kill -0 "$server"; sleep 0.1; done
        quoted=$(printf %s "${INFLUXDB_ADMIN_PASSWORD:-}" | sed "s/\\\\/\\\\\\\\/g; s/'/\\\\'/g")
        printf "CREATE USER \"%s\" WITH PASSWORD '%s' WITH ALL PRIVILEGES\n" "$INFLUXDB_ADMIN_USER" "$quoted" |
            influx -port 8087 > /dev/null || true
        printf "SET PASSWORD FOR \"%s\" = '%s'\n" "$INFLUXDB_ADMIN_USER" "$quoted" | influx -port 8087 > /dev/null
        kill "$server"
        wait "$server" || true
        (umask 077 && printf '%s\n' "$wanted" > "$data/administrator.sha256")
    fi
    unset INFLUXDB_ADMIN_PASSWORD
fi
exec "$@"
