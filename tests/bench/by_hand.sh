#!/bin/sh
# What deployd does for the first push of a small application, as a person would write it down: the same Docker calls, one
# after the other. Prints `TOTAL START`: seconds until the page is served, and how many of them began with `docker run`
# of the application.
#
#   by_hand.sh REPOSITORY FOLDER NAME
#
# It does less than deployd: no checks, no router, no state, no log, nothing to undo with.
set -eu
repository=$1 folder=$2 name=$3
app_image=deployd/python:3.13 web_image=deployd/web:1
label="--label deployd=bench"
limits="--read-only --cap-drop ALL --security-opt no-new-privileges --memory 512m --cpus 1 --pids-limit 1024 --log-opt max-size=10m"

began=$(date +%s.%N)
git init --quiet --bare "$folder/mirror.git"
git -C "$repository" push --quiet "$folder/mirror.git" HEAD:refs/heads/main
mkdir -p "$folder/workspace" "$folder/mount" "$folder/etc"
git --git-dir="$folder/mirror.git" archive main | tar -x -C "$folder/workspace"
chown -R 10000:10000 "$folder/workspace"

# shellcheck disable=SC2086
docker run --name "$name-build" $label --user 10000:10000 --workdir /app --tmpfs /tmp:exec \
    --volume "$folder/workspace:/app" --memory 2g --cpus 2 $app_image sh -ec 'python3 -m compileall -q .' > /dev/null
docker rm "$name-build" > /dev/null

mksquashfs "$folder/workspace" "$folder/slug.squashfs" -comp zstd -Xcompression-level 1 -noappend -no-progress -quiet > /dev/null
b2sum "$folder/slug.squashfs" > "$folder/slug.sum"
sync "$folder/slug.squashfs"
mount -t squashfs -o loop,ro,nodev,nosuid "$folder/slug.squashfs" "$folder/mount"

# shellcheck disable=SC2086
docker network create $label "$name" > /dev/null
cat > "$folder/etc/nginx.conf" << NGINX
worker_processes 1;
pid /tmp/nginx.pid;
error_log stderr;
events { }
http {
    access_log off;
    client_body_temp_path /tmp/body; proxy_temp_path /tmp/proxy; fastcgi_temp_path /tmp/f; uwsgi_temp_path /tmp/u; scgi_temp_path /tmp/s;
    server {
        listen 80;
        location / { proxy_pass http://app:8888; proxy_http_version 1.1; }
    }
}
NGINX
# shellcheck disable=SC2086
docker volume create $label "$name" > /dev/null
start=$(date +%s.%N)
# shellcheck disable=SC2086
docker run --detach --init --name "$name-app" $label $limits --network "$name" --network-alias app --user 10000:10000 \
    --workdir /app --env PORT=8888 --tmpfs /tmp --tmpfs /run --volume "$name:/run/app" --volume "$folder/mount:/app:ro" \
    $app_image python3 server.py > /dev/null
# shellcheck disable=SC2086
docker run --detach --init --name "$name-web" $label $limits --network "$name" --sysctl net.ipv4.ip_unprivileged_port_start=0 \
    --user 10000:10000 --tmpfs /tmp --volume "$folder/etc:/etc/deployd:ro" --volume "$name:/run/app" \
    --volume "$folder/mount:/app:ro" \
    $web_image nginx -e stderr -c /etc/deployd/nginx.conf -g 'daemon off;' > /dev/null
address=$(docker inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$name-web")
tries=0
until curl --silent --fail --noproxy '*' --output /dev/null "http://$address/"; do
    tries=$((tries + 1))
    [ $tries -lt 500 ] || { docker logs "$name-web" >&2; exit 1; }
    sleep 0.02
done
ended=$(date +%s.%N)
echo "$began $start $ended" | awk '{ printf "%.3f %.3f\n", $3 - $1, $3 - $2 }'
