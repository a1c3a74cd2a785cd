"""Every file of the corpus is read: accepted, or refused with a reason that is right. The table is shown at the end."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from deployd.project.findings.report import count, render_findings
from deployd.project.reader import read_project
from tests.support.corpus import CorpusProject, corpus_projects
from tests.support.shown import SHOWN_AT_THE_END

PROJECTS = list(corpus_projects())
OVERLAY = "an overlay for a project that brings services and routes of its own"
REFUSED: dict[str, tuple[set[str], str]] = {
    "ibexa__post-install/resources/platformsh/common/5.0": ({"no-application", "no-such-service"}, OVERLAY),
    "ibexa__post-install/resources/platformsh/ibexa-experience/5.0": ({"no-such-service"}, OVERLAY),
    "ibexa__post-install/resources/platformsh/ibexa-headless/5.0": ({"no-such-service"}, OVERLAY),
    "ibexa__post-install/resources/platformsh/ibexa-oss/5.0": ({"no-such-service"}, OVERLAY),
    "magento__magento-cloud-docker/src/Test/Integration/_files/cloud_base": (
        {"no-such-service-type"},
        "a fixture with a type of service that no platform knows: opensearchsearch",
    ),
    "pvhee__platformsh-example-drupal": ({"not-supported"}, "Drupal 7 by drush make, which deployd does not run"),
}
"""{project: (codes of its errors, why that is right)}"""


@pytest.mark.parametrize("project", PROJECTS, ids=[project.name for project in PROJECTS])
def test_a_real_project_is_read(project: CorpusProject) -> None:
    result = read_project(project.tree)
    codes, _ = REFUSED.get(project.name, (set(), ""))
    text = "\n".join(render_findings(result.errors))
    assert {finding.code for finding in result.errors} == codes, text
    if result.errors:
        assert result.config is None
    else:
        assert result.config is not None
        assert result.config.applications


def test_the_table_of_the_corpus(record_property: Callable[[str, object], None]) -> None:
    accepted, files = 0, 0
    lines = [f"{'project':76} {'apps':>4} {'svcs':>4} {'routes':>6}  verdict"]
    for project in PROJECTS:
        result = read_project(project.tree)
        accepted += not result.errors
        if result.config is not None:
            config = result.config
            files += len(config.files)
            numbers = f"{len(config.applications):4} {len(config.services):4} {len(config.routes):6}"
            warned = f"{', ' if result.warnings else ''}{count(result.warnings)}"
            lines.append(f"{project.name:76} {numbers}  accepted{warned}")
        else:
            lines.append(f"{project.name:76} {'':16}  refused: {REFUSED.get(project.name, ('', '?'))[1]}")
    record_property(SHOWN_AT_THE_END, "\n".join([
        *lines, f"{accepted} of {len(PROJECTS)} projects accepted, {files} files read",
    ]))
    assert accepted == sum(project.name not in REFUSED for project in PROJECTS)


def test_every_configuration_file_belongs_to_a_project_that_is_tested() -> None:
    top = PROJECTS[0].tree.root.parents[len(PROJECTS[0].name.split("/")) - 1]
    roots = [project.tree.root for project in PROJECTS]
    names = (".platform.app.yaml", ".magento.app.yaml", "services.yaml", "routes.yaml", "applications.yaml")
    for path in top.rglob("*.yaml"):
        if path.name in names:
            assert any(path.is_relative_to(root) for root in roots), path
