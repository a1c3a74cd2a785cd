"""How often an application runs: as is said of the branch; in production as its project says, else its files. Pure.

Previews run once unless their branch says otherwise, as with sizes on the hosted platforms: who looks at a branch needs
it to work, not to bear the crowd.
"""

from __future__ import annotations

from deployd.project.model import ProjectConfig
from deployd.settings import ProjectSettings


def instances_of(project: ProjectSettings, branch: str, config: ProjectConfig, app: str) -> int:
    own = project.environments[branch].instances.get(app) if branch in project.environments else None
    if own is None and branch == project.production:
        own = project.instances.get(app) or config.instances.get(app)
    return own or 1
