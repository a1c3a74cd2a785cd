#!/usr/bin/env bash
# Has ready what a make target needs: `scripts/setup.sh lint | demo | test | bench`.
#
#   lint    Python and Lua with the development tools
#   demo    + what the daemon calls, a Docker Engine that answers, the images of the sample shop
#   test    + the images that the tests use
#   bench   + the peers of the benchmarks
#
# Quick when all is there, and may be run again at any time. It touches: Debian packages, .venv/, build/, images in
# Docker. When it had to start an Engine itself, build/dockerd.pid says so, and `make demo-down` ends it again.
set -euo pipefail
cd "$(dirname "$0")/.."

goal=${1:-test}
lock=build/setup.lock
images_log=build/images.log

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }
seconds_since() { awk -v began="$1" -v now="$EPOCHREALTIME" 'BEGIN { printf "%.1f", now - began }'; }

main() {
    case $goal in lint | demo | test | bench) ;; *) fail "cannot prepare '$goal': say lint, demo, test or bench" ;; esac
    mkdir -p build
    exec 9> "$lock"
    flock --nonblock 9 || { say "another set-up is running; waiting for it"; flock 9; }
    local began=$EPOCHREALTIME
    [ "$goal" = lint ] || host_is_fit
    step "Debian packages" debian_packages
    step "Python" python_environment
    if [ "$goal" != lint ]; then
        step "Docker Engine" docker_engine
        step "images" images
    fi
    say "all is there ($(seconds_since "$began") s)"
}

# step NAME FUNCTION: one line for each step; what the function says in $found ends it.
step() {
    local began=$EPOCHREALTIME
    found=
    "$2"
    say "$1: $found ($(seconds_since "$began") s)"
}

host_is_fit() {
    [ "$(id -u)" = 0 ] || fail "cannot go on as $(id -un): mounting slugs and installing packages needs root (try: sudo make ...)"
    [ -e /etc/debian_version ] && command -v apt-get > /dev/null || fail "cannot go on: this is not Debian, and packages are installed with apt-get"
    local arch
    arch=$(uname -m)
    case $arch in x86_64 | aarch64) ;; *) say "this is $arch; only x86_64 has been tried" ;; esac
}

debian_packages() {
    local wanted=()
    if [ "$goal" != lint ]; then
        wanted+=(ca-certificates curl git iproute2 kmod mmdebstrap mount nftables procps python3 python3-venv squashfs-tools util-linux)
        wanted+=(openssh-sftp-server rsync)                     # with them files go into containers
        command -v dockerd > /dev/null || wanted+=(docker.io)  # an Engine from docker.com is as good
    fi
    case $goal in lint | test) wanted+=(lua-busted lua-check luajit) ;; esac   # the router's Lua, its tests and its linter
    [ "$goal" != test ] || wanted+=(chromium openssh-client pebble)   # a browser for the console, an authority for certificates
    [ "$goal" != bench ] || wanted+=(caddy docker.io openssh-client openssh-server webhook wrk)
    local missing=() package
    for package in "${wanted[@]}"; do
        dpkg-query --show --showformat='${db:Status-Status}' "$package" 2> /dev/null | grep -qx installed || missing+=("$package")
    done
    if [ ${#missing[@]} = 0 ]; then
        found="${#wanted[@]} there"
        return
    fi
    host_is_fit
    say "Debian packages: installing ${missing[*]}"
    # A benchmark's peer must not come up as a service on port 80.
    local policy=/usr/sbin/policy-rc.d
    if [ "$goal" = bench ] && [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' > $policy
        chmod +x $policy
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    fi
    local log=build/apt.log
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update -q && apt-get install -y -q --no-install-recommends "${missing[@]}"; } > $log 2>&1 9>&- < /dev/null || {
        tail -n 15 $log >&2
        fail "cannot install the packages: the lines above are the last of $log"
    }
    found="installed ${missing[*]}"
}

python_environment() {
    local python version stamp wanted
    python=$(command -v python3 || true)
    [ -n "$python" ] || fail "cannot find python3: install it (apt-get install python3 python3-venv)"
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "cannot use Python $version: 3.11 or newer is needed"
    stamp=.venv/deployd-stamp
    wanted="$version $(sha256sum < pyproject.toml | cut -c1-16) $PWD"
    if [ -x .venv/bin/python ] && [ "$(cat $stamp 2> /dev/null)" = "$wanted" ]; then
        found="$version, .venv is up to date"
        return
    fi
    say "Python: installing deployd and its tools into .venv"
    if ! .venv/bin/python -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$version')" 2> /dev/null; then
        "$python" -m venv --clear .venv || fail "cannot make .venv: is python3-venv installed?"
    fi
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]' < /dev/null \
        || fail "cannot install deployd into .venv: pip says why above"
    printf '%s\n' "$wanted" > $stamp
    found="$version, .venv is new"
}

engine_version() { curl --silent --fail --max-time 5 --unix-socket /var/run/docker.sock http://docker/version 2> /dev/null | sed -n 's/.*"Version":"\([0-9][0-9.a-z+~-]*\)","ApiVersion".*/\1/p' | grep . ; }

engine_answers() { curl --silent --fail --max-time 5 --output /dev/null --unix-socket /var/run/docker.sock http://docker/_ping; }

dockerd_runs() { pgrep --exact --runstates R,S,D dockerd > /dev/null; }      # a zombie does not

# What an Engine that was killed leaves behind keeps the next one from starting: dockerd takes any process that has the
# number in containerd.pid for its containerd, waits 15 s for it and ends. The number may be another program's by now.
forget_dead_engine() {
    local pid
    rm -f /var/run/docker.pid
    pid=$(cat /var/run/docker/containerd/containerd.pid 2> /dev/null) || return 0
    pgrep --exact --runstates R,S,D containerd | grep -qx "$pid" || rm -f /var/run/docker/containerd/containerd.pid
}

# An Engine killed while it made or removed a network may have written that network down without its addresses: from
# then on every start of Docker 20.10 ends in a panic there. The file is moved aside, not removed; what it listed are
# networks, which their owners make anew.
forget_broken_networks() {
    local networks=/var/lib/docker/network/files/local-kv.db
    grep -q 'libnetwork.*reservePools' build/dockerd.log || return 0
    [ -e $networks ] || return 0
    mv $networks "$networks.broken.$(date +%s)"
    say "Docker Engine: its list of networks is broken and keeps it from starting; moved aside, to $networks.broken.*"
}

docker_engine() {
    local tries start
    if engine_answers; then
        found="answers ($(engine_version || echo "version unknown"))"
        return
    fi
    if [ -d /run/systemd/system ]; then
        say "Docker Engine: starting the service"
        systemctl start docker || fail "cannot start Docker: systemctl status docker says why"
    else
        say "Docker Engine: none answers and there is no systemd; starting dockerd, log in build/dockerd.log"
    fi
    # dockerd gives its containerd 15 s, which a busy machine may need more than once.
    for start in 1 2 3; do
        if [ ! -d /run/systemd/system ]; then
            forget_dead_engine
            # A session of its own, and not our lock: it outlives this script and the terminal.
            setsid --fork dockerd > build/dockerd.log 2>&1 < /dev/null 9>&-
        fi
        for tries in $(seq 1 300); do
            if engine_answers; then
                [ -d /run/systemd/system ] || cp /var/run/docker.pid build/dockerd.pid
                found="started ($(engine_version || echo "version unknown"))"
                return
            fi
            if [ "$tries" -gt 25 ] && [ ! -d /run/systemd/system ] && ! dockerd_runs; then
                break
            fi
            sleep 0.2
        done
        # One that neither answers nor ends is not helped by a second one beside it.
        if [ -d /run/systemd/system ] || dockerd_runs; then break; fi
        say "Docker Engine: dockerd ended at start $start of 3: $(grep -m 1 '^panic:' build/dockerd.log || tail -n 1 build/dockerd.log)"
        forget_broken_networks
    done
    tail -n 10 build/dockerd.log >&2 2> /dev/null || true
    fail "cannot start a Docker Engine: the lines above are its last"
}

images() {
    # `web` stands beside every application. Other images are made by the daemon when a project asks for them.
    local wanted=(web router php:8.4 mariadb:11.8 redis:8.0)
    [ "$goal" = demo ] || wanted+=(python:3.13 nodejs:20 postgresql:17 rabbitmq:4.0)
    # All that tests use, one after the other: made in the middle of a test, a large one would take its whole time.
    [ "$goal" != test ] || wanted+=(
        php:8.2 php:7.4 python:3.11 nodejs:18 ruby:2.7 golang:1.26 java:25
        mariadb:10.11 mariadb:10.5 oracle-mysql:9.7 redis:7.0 valkey:8.1 memcached:1.6 mongodb:4.0 clickhouse:18.16
        opensearch:2 kafka:4.3 varnish:7.7 chrome-headless:156 gotenberg:8 mercure:0
    )
    local status=0
    # All lines of the builds go to the log; the terminal sees which image is made, and how long it took.
    .venv/bin/python -u -m deployd.engine.docker.images "${wanted[@]}" 2>&1 < /dev/null 9>&- \
        | tee $images_log \
        | { grep --line-buffered -E '^[^ ]+: (making|pulling|there after [0-9]+ s)$' || true; } \
        | sed -u 's/^/setup: image /' || status=$?
    if [ "$status" != 0 ]; then
        tail -n 20 $images_log >&2
        fail "cannot make the images: the lines above are the last of $images_log"
    fi
    found="${#wanted[@]} there"
}

main
