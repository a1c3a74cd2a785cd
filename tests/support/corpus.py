# ruff: noqa: E501   rows of tables are lines
"""The corpus of real configuration files, or the samples in the repository when the corpus is not beside it.

The corpus holds YAML files only, so what its projects include, and the folders that their code is in, has stand-ins here.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from deployd.cli.disk_tree import DiskTree

REPOSITORY = Path(__file__).resolve().parents[2]
CORPUS = REPOSITORY.parent / "shared" / "corpus"
SAMPLES = REPOSITORY / "config" / "samples"
MARKS = (".platform", ".magento", ".upsun", ".platform.app.yaml", ".magento.app.yaml")
SCRIPT, VCL = "echo stand-in\n", "sub vcl_recv { set req.backend_hint = app.backend(); }\n"

STAND_INS: dict[str, dict[str, str]] = {
    "chadwcarlson__saleor-platformsh": {
        "dashboard/upstreams/dashboard.sh": SCRIPT, "storefront/upstreams/storefront.sh": SCRIPT,
    },
    "ibexa__post-install": {".platform/varnish.vcl": VCL, ".platform/configsets/solr6/schema.xml": "<schema/>"},
    "platformsh-examples__multi-app-load-balancing": {
        ".platform/config.vcl": VCL, "app/pom.xml": "", "app2/pom.xml": "",
    },
    "platformsh-examples__tomcat-multi-app-applications": {"app/pom.xml": "", "app2/pom.xml": ""},
    "platformsh-templates__bigfoot-multiapp@monolith": {
        "api/composer.json": "", "admin/package.json": "", "gatsby/package.json": "", "mercure/.config/x": "",
    },
    "platformsh-templates__bigfoot-multiapp@subfolders": {
        "admin/admin-submodule/x": "", "api/api-submodule/x": "", "gatsby/gatsby-submodule/x": "", "mercure/mercure-submodule/.config/x": "",
    },
    "platformsh-templates__mattermost": {"build.sh": SCRIPT, "deploy.sh": SCRIPT},
    "platformsh-templates__meilisearch": {"search/build.sh": SCRIPT},
    "platformsh-templates__nextjs-drupal": {"api/platformsh-scripts/hooks.deploy.sh": SCRIPT},
    "platformsh__language-examples": {".platform/solr-config/schema.xml": "<schema/>"},
    "platformsh__platformsh-docs": {
        "build.sh": SCRIPT, "index_external_sites.sh": SCRIPT, "start.sh": SCRIPT, "search/build.sh": SCRIPT,
        "search/index_external_sites.sh": SCRIPT, "search/start.sh": SCRIPT,
        "upsun-redirectionio/x": "", "psh-redirectionio/x": "", "docs/x": "", "sites/x": "",
    },
    "platformsh__template-builder": {"build.sh": SCRIPT, "search/build.sh": SCRIPT},
    "pvhee__platformsh-example-drupal": {"project.make": ""},
    "soujava__user-microservices": {"user/pom.xml": "", "client/pom.xml": ""},
}


class StandInTree(DiskTree):
    """A folder of the corpus with what it lacks."""

    def __init__(self, root: Path, extra: dict[str, str]) -> None:
        super().__init__(root)
        self.extra = extra

    def paths(self) -> Iterable[str]:
        return [*super().paths(), *self.extra]

    def read(self, path: str) -> bytes:
        return self.extra[path].encode() if path in self.extra else super().read(path)

    def is_folder(self, path: str) -> bool:
        return super().is_folder(path) or any(item.startswith(f"{path}/") for item in self.extra)


@dataclass(frozen=True)
class CorpusProject:
    name: str
    tree: DiskTree


def corpus_projects() -> Iterator[CorpusProject]:
    """Every project root of the corpus; folders that hold several projects give several."""
    top = CORPUS if CORPUS.is_dir() else SAMPLES
    for folder in sorted(path for path in top.iterdir() if path.is_dir()):
        extra = STAND_INS.get(folder.name, {})
        for root in _roots(folder):
            name = str(root.relative_to(top))
            yield CorpusProject(name, StandInTree(root, extra))


def _roots(folder: Path) -> list[Path]:
    names = {entry.name for entry in folder.iterdir()}
    if names & {".platform", ".magento"} or (names & set(MARKS) and not any(_roots(path) for path in _folders(folder))):
        return [folder]
    inner = [root for path in _folders(folder) for root in _roots(path)]
    return inner or ([folder] if names & set(MARKS) else [])


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and path.name not in MARKS)
