"""The application images, real: a build of each kind, PHP's extensions and settings, FPM on its socket, read-only."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from deployd.catalogue import load_catalogue
from deployd.process import Output, run
from deployd.project.model import (
    Application,
    Build,
    BuildCache,
    Commands,
    Extension,
    Hook,
    Hooks,
    Instance,
    Runtime,
    Web,
)
from deployd.release.java_keystore import PEM
from deployd.release.trust import trust_binds
from deployd.runtimes.build_steps import build_steps
from deployd.runtimes.java import JAVA
from deployd.runtimes.paths import build_paths, runtime_paths
from deployd.runtimes.php_fpm import fpm_start, render_fpm
from deployd.runtimes.php_ini import render_php_ini, render_sized_ini
from deployd.settings import config_folder
from tests.support.service_stand import LABEL, image_of

TRUST = Path("/etc/ssl/certs/ca-certificates.crt")
HARD = (
    "--rm", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--user=10000:10000", "--label", LABEL,
)


def app(language: str, version: str, **more: object) -> Application:
    variables = {"php": {"memory_limit": "321M"}} if language == "php" else {}
    return Application("shop", language, version, "",
                       Web(Instance(Commands(), variables=variables), "unix", "fastcgi", ()), **more)


@asynccontextmanager
async def workspace(image: str) -> AsyncIterator[str]:
    """A volume at /app that belongs to the application's user."""
    name = f"test-services-app-{secrets.token_hex(4)}"
    await run("docker", "volume", "create", "--label", LABEL, name)
    try:
        yield name
    finally:
        await run("docker", "volume", "rm", "--force", name, check=False)


async def in_app(
    it: Application, volume: str, script: str, *options: str, env: dict[str, str], check: bool = True,
) -> Output:
    trust = (f"--volume={TRUST}:{TRUST}:ro", *(word for name in (
        "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
    ) for word in ("-e", f"{name}={TRUST}"))) if TRUST.is_file() else ()
    return await run(
        "docker", "run", "-i", *HARD, "--tmpfs=/tmp:rw,exec", "--tmpfs=/run:uid=10000,gid=10000",
        f"--volume={volume}:/app", "--workdir=/app", *trust,
        *(word for name in env for word in ("-e", f"{name}={env[name]}")), *options,
        await image_of(it.runtime_name, it.version), "sh", stdin=script.encode(), limit_seconds=300, check=check,
    )


async def build(it: Application, volume: str, *options: str) -> str:
    script = "".join(f"(cd /app\n{step.script}\n) || exit $?\n" for step in build_steps(it))
    paths = build_paths(it, "main")
    return (await in_app(it, volume, script, "--tmpfs=/cache:uid=10000,gid=10000", *options, env=paths)).text


async def answer(it: Application, volume: str, start: str, *options: str) -> str:
    """What a program says to its first visitor."""
    script = f"{start} & curl --silent --retry 50 --retry-delay 0 --retry-connrefused --max-time 60 localhost:8888"
    env = {**runtime_paths(it), "PORT": "8888"}
    return (await in_app(it, volume, script, *options, env=env)).text.splitlines()[-1]


ADDON = """
echo '{"name": "addon", "version": "1.0.0", "gypfile": true}' > package.json
echo '{"targets": [{"target_name": "addon", "sources": ["addon.c"]}]}' > binding.gyp
cat > addon.c <<'END'
#include <node_api.h>
static napi_value Init(napi_env env, napi_value exports) {
    napi_value answer;
    napi_create_int32(env, 42, &answer);
    return answer;
}
NAPI_MODULE(NODE_GYP_MODULE_NAME, Init)
END
"""


@pytest.mark.parametrize(("language", "version"), [
    ("php", "8.4"), ("php", "8.2"), ("python", "3.13"), ("python", "3.11"), ("nodejs", "20"), ("nodejs", "18"),
])
async def test_every_image_has_the_tools_that_hooks_call_and_an_ordinary_user(language, version):
    it = app(language, version)
    async with workspace(language) as volume:
        found = await in_app(it, volume, """
            id -u; id -g; echo "$HOME"
            for tool in bash bzip2 curl file git jq patch rsync unzip wget mariadb mysql psql redis-cli timeout xargs \
                    node npm python3 pip make g++ php composer sendmail /usr/lib/sendmail; do
                command -v "$tool" > /dev/null || echo "no $tool"
            done
            touch /etc/x 2>/dev/null && echo writable
            sh -c 'readlink -f /bin/sh'
        """, env=runtime_paths(it))
    assert found.text.splitlines() == ["10000", "10000", "/app", "/usr/bin/dash"]


async def test_php_loads_what_is_asked_for_in_builds_and_at_run_time():
    it = app("php", "8.4", runtime=Runtime(
        extensions=(Extension("redis"), Extension("amqp"), Extension("apcu", {"apc.shm_size": "48M"})),
        disabled_extensions=("gd",),
    ), hooks=Hooks(Hook("php -m > modules; php -r 'echo ini_get(\"memory_limit\");' > limit")))
    async with workspace("php") as volume:
        await build(it, volume)
        seen = (await in_app(it, volume, "cat limit; echo; cat modules", env={})).text.lower().splitlines()
    assert seen[0] == "321m"
    assert {"redis", "amqp", "apcu", "pdo_mysql", "zend opcache", "intl", "soap"} <= set(seen)
    assert not {"gd", "xdebug", "pgsql"} & set(seen)
    assert not [line for line in seen if "warning" in line]


async def test_an_extension_that_the_image_lacks_ends_the_build_and_an_agent_does_not():
    it = app("php", "8.4", runtime=Runtime((Extension("opcache"), Extension("blackfire"), Extension("swoole"))))
    async with workspace("php") as volume:
        ended = await in_app(it, volume, build_steps(it)[0].script, env=build_paths(it, "main"), check=False)
    assert ended.status == 1
    assert ended.text == "the extension blackfire is not in the image of php:8.4: left out"
    assert ended.stderr.decode().strip() == (
        "the extension swoole is not in the image of php:8.4; remove it from runtime.extensions")


@pytest.mark.parametrize("version", ["20", "18"])
async def test_a_native_addon_is_compiled_against_the_headers_of_the_image(version):
    it = app("nodejs", version, build=Build("default"), hooks=Hooks(Hook(
        "node -e 'console.log(require(\"./build/Release/addon.node\"))'; php -r 'echo PHP_MAJOR_VERSION, \"\\n\";'",
    )))
    async with workspace("nodejs") as volume:
        await in_app(it, volume, ADDON, env={})
        output = await build(it, volume, "--network=none")   # where node-gyp would look for headers
    assert output.splitlines()[-2:] == ["42", "8"]


GO = """
echo 'module shop' > go.mod
cat > main.go <<'END'
package main

import ("fmt"; "net/http"; "os"; "runtime")

func main() {
    http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, runtime.Version()) })
    http.ListenAndServe(":" + os.Getenv("PORT"), nil)
}
END
"""


async def test_a_program_in_go_is_built_and_answers():
    it = app("golang", "1.26", build=Build("none"), hooks=Hooks(Hook("go build -o bin/shop && ls $GOCACHE | wc -l")))
    async with workspace("golang") as volume:
        await in_app(it, volume, GO, env={})
        assert int((await build(it, volume)).splitlines()[-1]) > 1, "what is compiled is kept"
        said = await answer(it, volume, "bin/shop")
    assert said.startswith("go1.26.")


JAVA_SHOP = """
mkdir -p src/main/java
cat > pom.xml <<'END'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>shop</groupId><artifactId>shop</artifactId><version>1</version>
  <properties><maven.compiler.release>21</maven.compiler.release></properties>
</project>
END
cat > src/main/java/Shop.java <<'END'
import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.security.KeyStore;
import java.util.Collections;
import javax.net.ssl.*;

public class Shop {
    public static void main(String[] arguments) throws Exception {
        var trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init((KeyStore) null);
        int trusted = ((X509TrustManager) trust.getTrustManagers()[0]).getAcceptedIssuers().length;
        byte[] text = (Runtime.getRuntime().maxMemory() / 1_000_000 + " " + trusted).getBytes();
        var server = HttpServer.create(new InetSocketAddress(Integer.parseInt(System.getenv("PORT"))), 0);
        server.createContext("/", exchange -> {
            exchange.sendResponseHeaders(200, text.length);
            exchange.getResponseBody().write(text);
            exchange.close();
        });
        server.start();
    }
}
END
"""


async def test_a_program_in_java_is_built_by_maven_and_has_a_heap_and_trust_that_fit(tmp_path):
    _, keystore = await trust_binds(tmp_path, TRUST, JAVA)
    trusting = f"--volume={keystore.source}:{keystore.target}:ro"   # else Maven would reach nobody behind a proxy
    it = app("java", "25", build=Build("none"), hooks=Hooks(Hook(
        "mvn --quiet package; ls -d target/shop-1.jar $DEPLOYD_MAVEN_REPOSITORY/org/apache; ls -A ~ | grep .m2 || true",
    )))
    async with workspace("java") as volume:
        await in_app(it, volume, JAVA_SHOP, env={})
        output = await build(it, volume, trusting)
        start = "java -cp target/shop-1.jar Shop"
        heap, trusted = (await answer(it, volume, start, trusting, "--memory=500m")).split()
        own, _ = (await answer(it, volume, f"{start.replace('java', 'java -Xmx64m')}", "--memory=500m")).split()
    assert output.splitlines() == ["/cache/.deployd/maven/org/apache", "target/shop-1.jar"], "nothing in the slug"
    assert 270 < int(heap) < 320, "60 % of its container"
    assert int(own) < 70, "a start command's own wish goes first"
    assert int(trusted) == len(set(PEM.findall(TRUST.read_text()))), "whom the host trusts, and nobody else"


@pytest.mark.parametrize("version", ["8.4", "8.2"])
async def test_every_extension_of_the_catalogue_can_be_loaded_together(version):
    wanted = load_catalogue(config_folder() / "catalogue.yaml").runtime("php", version).entry.extensions
    it = app("php", version, runtime=Runtime(tuple(map(Extension, wanted.optional)), disabled_extensions=("dba",)))
    async with workspace("php") as volume:
        output = await in_app(it, volume, "php -m", env=runtime_paths(it))
    loaded = {line.lower().removeprefix("zend ") for line in output.text.splitlines()}
    assert set(wanted.optional) | set(wanted.default) - {"dba"} <= loaded
    assert not output.stderr.strip()
    assert set(wanted.built_in) <= loaded | {"random"}       # a part of its own since 8.2


async def test_fpm_answers_on_its_socket_with_the_applications_own_settings(tmp_path):
    it = app("php", "8.4", runtime=Runtime(extensions=(Extension("redis"),)))
    (tmp_path / "php-fpm.conf").write_text(render_fpm(it, 256))
    (tmp_path / "sized").mkdir()
    (tmp_path / "sized" / "php.ini").write_text(render_sized_ini(1024))
    (tmp_path / "php.ini").write_text(render_php_ini(it, {"memory_limit": "321M"}))
    tmp_path.chmod(0o755)
    code = ("<?php echo json_encode([ini_get('memory_limit'), ini_get('precision'), ini_get('upload_max_filesize'), "
            "extension_loaded('redis'), $_ENV['GREETING'], ini_get('opcache.memory_consumption'), "
            "ini_get('opcache.interned_strings_buffer'), ini_get('sendmail_path'), getmyuid()]);"
            " error_log('a line for the log');")
    script = f"""
        printf 'precision = 9\\nmemory_limit = 1M\\nopcache.interned_strings_buffer = 40\\n' > /app/php.ini
        cat > /app/index.php <<'END'
{code}
END
        ({fpm_start(it)}) 2> /tmp/log & sleep 1
        php -r '
            $s = stream_socket_client("unix:///run/app/app.sock");
            $p = fn($n, $v) => chr(strlen($n)) . chr(strlen($v)) . $n . $v;
            $b = $p("SCRIPT_FILENAME", "/app/index.php") . $p("REQUEST_METHOD", "GET");
            $r = fn($t, $d) => pack("CCnnCx", 1, $t, 1, strlen($d), 0) . $d;
            fwrite($s, $r(1, pack("nCx5", 1, 0)) . $r(4, $b) . $r(4, "") . $r(5, ""));
            echo stream_get_contents($s);'
        cat /tmp/log
    """
    async with workspace("php") as volume:
        mounts = (f"--volume={tmp_path}:/etc/deployd:ro", "--tmpfs=/run/app:uid=10000,gid=10000")
        output = await in_app(it, volume, script, *mounts, env={**runtime_paths(it), "GREETING": "hello"})
    assert b'["321M","9","64M",true,"hello","256","40","\\/usr\\/sbin\\/sendmail -t -i",' in output.stdout, output
    assert b"a line for the log" in output.stdout
    assert b"ready to handle connections" in output.stdout


async def test_dependencies_flavor_hook_and_cache_of_python():
    it = app("python", "3.13", dependencies={"python3": {"yq": "3.4.3"}}, build=Build("none", (
        BuildCache("deps", "kept", ("requirements.txt",)),
    )), hooks=Hooks(Hook("set -e\nyq --version\nmkdir -p kept\necho once >> kept/count\ncat kept/count\n")))
    cache = f"test-services-cache-{secrets.token_hex(4)}"
    await run("docker", "volume", "create", "--label", LABEL, cache)
    try:
        async with workspace("python") as first, workspace("python") as second:
            script = "".join(f"(cd /app\n{step.script}\n) || exit $?\n" for step in build_steps(it))
            await run("docker", "run", "--rm", "--user=0", "--label", LABEL, "-v", f"{cache}:/cache",
                      await image_of("python", "3.13"), "chown", "10000:10000", "/cache")
            one = await in_app(it, first, script, f"--volume={cache}:/cache", env=build_paths(it, "main"))
            two = await in_app(it, second, script, f"--volume={cache}:/cache", env=build_paths(it, "main"))
            ran = await in_app(it, second, "yq --version", env=runtime_paths(it))
    finally:
        await run("docker", "volume", "rm", "--force", cache, check=False)
    assert "there is none yet" in one.text
    assert "taken from an earlier build\n" in two.text
    assert two.text.endswith("\nyq 3.4.3\nonce\nonce")
    assert ran.text == "yq 3.4.3"


async def test_dependencies_of_nodejs_and_php_work_in_a_php_application():
    nowhere = {"packagist.org": False}      # the packages are in the workspace: no registry of PHP is needed
    it = app("php", "8.4", build=Build("composer"), dependencies={
        "nodejs": {"yarn": "1.22.22"},
        "php": {"require": {"t/tool": "*"}, "repositories": [{"type": "path", "url": "/app/tool"}, nowhere]},
    }, hooks=Hooks(Hook("set -e\nyarn --version\ntool\ntest -f vendor/autoload.php\n")))
    async with workspace("php") as volume:
        await in_app(it, volume, """
            mkdir tool; echo '{"name": "t/tool", "version": "1.0.0", "bin": ["tool"]}' > tool/composer.json
            printf '#!/bin/sh\\necho the tool runs\\n' > tool/tool; chmod +x tool/tool
            echo '{"repositories": [{"packagist.org": false}]}' > composer.json
        """, env={})
        assert {"1.22.22", "the tool runs"} <= set((await build(it, volume)).splitlines())
        assert (await in_app(it, volume, "yarn --version", env=runtime_paths(it))).text == "1.22.22"


async def test_the_flavor_of_nodejs_installs_what_package_json_asks_for():
    it = app("nodejs", "20", build=Build("default"), hooks=Hooks(Hook("test -d node_modules/ms\n")))
    async with workspace("nodejs") as volume:
        await in_app(it, volume, """echo '{"dependencies": {"ms": "2.1.3"}}' > package.json; touch .npmrc""", env={})
        await build(it, volume)


async def test_hotfixes_are_applied_only_when_no_tool_of_magento_does_it():
    it = app("php", "8.4", build=Build("composer"))
    prepare = """
        mkdir -p m2-hotfixes; echo old > file
        printf -- '--- a/file\\n+++ b/file\\n@@ -1 +1 @@\\n-old\\n+new\\n' > m2-hotfixes/1.patch
    """
    for tool, expected in (("", "new"), ("mkdir -p vendor/magento/ece-tools", "old")):
        async with workspace("php") as volume:
            await in_app(it, volume, prepare + tool, env={})
            await build(it, volume)
            assert (await in_app(it, volume, "cat file", env={})).text == expected


