"""The catalogue of a host that has few things, for tests of what is said when something is missing.

Of ours only some rows, so that a test does not fail because a runtime or a service has come.
"""

from deployd.catalogue import Catalogue, load_catalogue
from deployd.settings import config_folder

HAS = {
    "php": {"8.2", "8.4"}, "nodejs": {"18", "20"}, "python": {"3.11", "3.13"}, "mariadb": {"10.11", "11.8"},
    "postgresql": {"15", "17"}, "redis": {"7.0", "8.0"}, "rabbitmq": {"3.10", "4.0"},
}


def small_catalogue() -> Catalogue:
    whole = load_catalogue(config_folder() / "catalogue.yaml")
    return whole.model_copy(update={
        group: {name: {version: entry for version, entry in versions.items() if version in HAS[name]}
                for name, versions in getattr(whole, group).items() if name in HAS}
        for group in ("runtimes", "services")
    })
