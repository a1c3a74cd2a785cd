"""Runtimes that only Debian's older suites have, beside each other in one project: a Ruby 2.7 and a PHP 7.4."""

from __future__ import annotations

from tests.support.developer import MakeDeveloper

FILES = {
    ".platform/applications.yaml": """\
site:
  type: ruby:2.7
  source: {root: site}
  hooks:
    build: |
      set -e
      command -v bzip2 wget file sendmail
      gem build greeting.gemspec
      gem install --local --no-document greeting-1.0.gem
  web:
    commands: {start: greet}
    locations: {/: {passthru: true}}
old:
  type: php:7.4
  source: {root: old}
  build: {flavor: none}
  runtime: {extensions: [http, mailparse], disabled_extensions: [ftp]}
  hooks: {build: command -v bzip2 wget file sendmail}
  web:
    locations: {/: {root: "", passthru: /index.php}}
""",
    ".platform/routes.yaml": """\
https://{default}/: {type: upstream, upstream: "site:http"}
https://old.{default}/: {type: upstream, upstream: "old:http"}
""",
    "site/greeting.gemspec": """\
Gem::Specification.new do |it|
  it.name, it.version, it.summary, it.authors, it.homepage = "greeting", "1.0", "Greets", ["me"], ""
  it.license, it.files, it.bindir, it.executables = "MIT", ["bin/greet"], "bin", ["greet"]
end
""",
    "site/bin/greet": """\
require "webrick"
require "json"
server = WEBrick::HTTPServer.new(Port: ENV["PORT"].to_i)
server.mount_proc("/") { |_, answer| answer.body = "ruby #{RUBY_VERSION[0, 3]} of #{__FILE__[0, 12]}" }
trap("TERM") { server.shutdown }
server.start
""",
    "old/index.php": """\
<?php
$there = fn ($name) => extension_loaded($name) ? "with $name" : "without $name";
echo "php ", substr(PHP_VERSION, 0, 3), " ", implode(", ", array_map($there, ["http", "mailparse", "json", "ftp"]));
""",
}


async def test_runtimes_of_other_suites_of_debian_build_and_answer_beside_each_other(developer: MakeDeveloper) -> None:
    me = await developer("languages")
    (me.folder / ".platform.app.yaml").unlink(missing_ok=True)
    await me.write(FILES)
    pushed = await me.push()
    assert pushed.deployed, pushed.lines
    assert await me.page() == (200, "ruby 2.7 of /app/.global")
    assert await me.page(subdomain="old") == (200, "php 7.4 with http, with mailparse, with json, without ftp")
