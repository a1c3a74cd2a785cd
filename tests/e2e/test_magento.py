"""A Magento in small goes live by the recipe and is upgraded, and what does not fit never reaches visitors."""

from __future__ import annotations

import json

from tests.support.developer import MakeDeveloper
from tests.support.magento_shop import APP, ROUTES, SCOPES, SEARCH, SERVICES, TEMPLATE

HELLO = "app/code/Acme/Hello"
FILES = {
    ".magento.app.yaml": APP.replace('{database: "mysql:mysql"}', '{database: "mysql:mysql", redis: "cache:redis"}'),
    ".magento/services.yaml": SERVICES + "cache: {type: 'redis:8.0'}\n",
    ".magento/routes.yaml": ROUTES, ".magento.env.yaml": SEARCH, "app/etc/config.php": SCOPES,
    "m2-hotfixes/01.patch": "--- a/vendor/magento/magento2-base/text\n+++ b/vendor/magento/magento2-base/text\n"
                            "@@ -1 +1 @@\n-of the package\n+of the hotfix\n",
}
UNFIT = FILES["m2-hotfixes/01.patch"].replace("-of the package", "-of no package")
HALF = "CREATE TABLE half (id INT); CREATE TABEL nonsense (id INT)"


async def test_a_magento_without_hooks_goes_live_and_is_upgraded_when_that_is_due(developer: MakeDeveloper) -> None:
    me = await developer("magento", TEMPLATE, files=FILES)
    first = await me.push()
    assert first.deployed, first.lines
    status, text = await me.page()
    page = json.loads(text)
    assert status == 200, text
    assert (page["mode"], page["off"], page["session"]) == ("production", ["Magento_TwoFactorAuth"], "redis")
    assert page["modules"]["Acme_Hello"] == "1.0.0"
    assert page["patched"] == "of the hotfix"
    assert page["url"].startswith("https://"), "HTTP alone means HTTPS too"
    assert ".magento" not in page["files"]
    assert "generated/code/Acme/Interceptor0.php" in page["files"]
    said = "\n".join(first.lines)
    for words in ("because it requires Magento and has no hooks", "01.patch: applied", "magento 5/9 took ",
                  "magento 4/6: installation or upgrade", "Magento is installed", "magento 1/1: pages"):
        assert words in said, said

    await me.write({"app/style.css": "body {color: green}\n"})
    styled = await me.push()
    assert styled.deployed, styled.lines
    said = "\n".join(styled.lines)
    assert "nothing is due: visitors are held for the caches and the switch alone" in said, said
    assert "magento 4/6" not in said
    assert await me.page(path="/static/frontend/Magento/luma/de_DE/style.css") == (200, "body {color: green}\n")

    await me.write({f"{HELLO}/version": "1.1.0", f"{HELLO}/schema.sql": "CREATE TABLE IF NOT EXISTS hello (id INT)"})
    second = await me.push()
    assert second.deployed, second.lines
    assert any("an upgrade is due: the database is behind the code" in line for line in second.lines), second.lines
    upgraded = json.loads((await me.page())[1])
    assert upgraded["modules"]["Acme_Hello"] == "1.1.0"
    assert upgraded["key"] == page["key"]

    await me.write({f"{HELLO}/version": "1.2.0", f"{HELLO}/schema.sql": HALF})
    failed = await me.push()
    assert not failed.deployed
    assert any("the upgrade has failed: bin/magento setup:upgrade ended" in line for line in failed.lines), failed.lines
    status, text = await me.page()
    assert status == 200, f"{text}: the maintenance page stays for nobody"

    await me.write({f"{HELLO}/version": "1.1.0", f"{HELLO}/schema.sql": "", "m2-hotfixes/01.patch": UNFIT})
    unfit = await me.push()
    assert not unfit.deployed
    assert any("01.patch cannot be applied to vendor/magento/magento2-base/text" in line for line in unfit.lines)
    assert (await me.page())[0] == 200
