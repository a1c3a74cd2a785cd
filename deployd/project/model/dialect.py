"""What Magento Commerce Cloud, Platform.sh and Upsun differ in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Dialect:
    """What Magento Commerce Cloud, Platform.sh and Upsun differ in; what each key means is the same in all of them."""

    name: Literal["magento", "platformsh", "upsun"]
    app_file: str
    """Name of an application's file; "" where every YAML file of the folder has a part of one document."""
    folder: str
    variable_prefix: str
    tool_file: str = ""
    """Name of a file beside the application's that is its own tool's, and only looked at."""
    builds_see_environment: bool = True
    """An environment's variables are for builds too, unless the operator says otherwise."""
    builds_see_hooks: bool = False
    """A build finds the hooks of the deployment in this spelling, where its tool looks whether there are any."""
    folder_is_code: bool = True
    """The configuration folder is seen while the application runs, as all that is committed."""
    service_variables: bool = False
    """Each relationship is in variables of its own, too: `DATABASE_HOST`."""
    sizes_disks: bool = True
    """The files say how large disks are; else this is no setting of the project."""

    @property
    def is_merged(self) -> bool:
        return not self.app_file

    @property
    def files(self) -> str:
        """How a sentence names its files."""
        return f"`{self.folder}/*.yaml`" if self.is_merged else f"`{self.app_file}` and `{self.folder}/`"

    def file_of(self, part: Literal["applications", "services", "routes"]) -> str:
        """Where people write a part of the configuration."""
        return f"{self.folder}/{'config' if self.is_merged else part}.yaml"
MAGENTO = Dialect(
    "magento", ".magento.app.yaml", ".magento", "MAGENTO_CLOUD_", tool_file=".magento.env.yaml",
    builds_see_environment=False, builds_see_hooks=True, folder_is_code=False,
)
PLATFORMSH = Dialect("platformsh", ".platform.app.yaml", ".platform", "PLATFORM_")
UPSUN = Dialect("upsun", "", ".upsun", "PLATFORM_", service_variables=True, sizes_disks=False)
DIALECTS = {dialect.name: dialect for dialect in (MAGENTO, PLATFORMSH, UPSUN)}
"""{name: dialect}"""
VARIABLE_PREFIXES = tuple(dict.fromkeys(dialect.variable_prefix for dialect in (PLATFORMSH, *DIALECTS.values())))
"""In all of which an application finds the platform's variables."""


def is_merged_file(path: str, dialect: Dialect, ending: str | tuple[str, ...] = ".yaml") -> bool:
    """Whether a file is part of the one document of a dialect: at the first level of its folder (Upsun's manual)."""
    folder, _, name = path.rpartition("/")
    return folder == dialect.folder and name.endswith(ending)
