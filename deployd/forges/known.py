"""The forges whose webhooks are understood: a row for each. Settings, addresses and deployments ask here. Pure."""

from __future__ import annotations

from deployd.forges.github import GITHUB
from deployd.forges.gitlab import GITLAB

FORGES = {forge.name: forge for forge in (GITHUB, GITLAB)}
