"""Hotfixes of a Magento whose hooks build it, applied once composer has installed the packages. Pure.

ece-tools and its forerunners compile, deploy, and apply the patches of `m2-hotfixes` themselves, in the build hook.
Only a project without any of them has its hotfixes applied here, once composer has installed the packages. With the
build flavor `none` there are no packages yet when the hook begins, and so it is the hook's business.
"""

from __future__ import annotations

TOOLS = ("ece-tools", "magento-cloud-configuration", "magento-cloud-patches")

HOTFIXES = f"""\
for tool in {" ".join(f"vendor/magento/{name}" for name in TOOLS)}; do
    if [ -d "$tool" ]; then exit 0; fi
done
for patch in m2-hotfixes/*.patch; do
    [ -f "$patch" ] || continue
    echo "applying $patch"
    git apply --verbose "$patch"
done
"""
"""Applies m2-hotfixes/*.patch in the order of their names; one that does not fit ends the build. Needs `set -e`."""
