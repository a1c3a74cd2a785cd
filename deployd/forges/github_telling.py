"""GitHub is told: a commit status for each environment, and a deployment with its statuses. Pure.

"REST API endpoints for commit statuses" and "… for deployments", version 2022-11-28. Surprise: a deployment merges the
default branch into the commit, and waits for all statuses (ours is one), unless it is told not to.
"""

from __future__ import annotations

from collections.abc import Mapping

from deployd.forges.telling import Api, ApiCall, Ids, Outcome, State, Telling, shortened

LONGEST_DESCRIPTION = 140
STATUS: Mapping[State, str] = {
    "pending": "pending", "in_progress": "pending", "success": "success", "failed": "failure",
    "cancelled": "error", "superseded": "error",
}
DEPLOYMENT_STATUS: Mapping[State, str] = {
    "pending": "queued", "in_progress": "in_progress", "success": "success", "failed": "failure",
    "cancelled": "inactive", "superseded": "inactive",
}


def address(host: str) -> str:
    return "https://api.github.com" if host in ("github.com", "www.github.com") else f"https://{host}/api/v3"


def headers(token: str) -> Mapping[str, str]:
    return {
        "Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": "2022-11-28",
    }


def commit_status(outcome: Outcome, ids: Ids) -> ApiCall:
    return ApiCall("POST", f"/repos/{outcome.repository}/statuses/{outcome.commit}", {
        "state": STATUS[outcome.state], "description": shortened(outcome.said, LONGEST_DESCRIPTION),
        "context": f"deployd/{outcome.environment}", **({"target_url": outcome.page} if outcome.page else {}),
    })


def deployment(outcome: Outcome, ids: Ids) -> ApiCall | None:
    """Made once for each activity."""
    if "deployment" in ids:
        return None
    return ApiCall("POST", f"/repos/{outcome.repository}/deployments", {
        "ref": outcome.commit, "environment": outcome.environment, "auto_merge": False, "required_contexts": [],
        "description": shortened(outcome.said, LONGEST_DESCRIPTION), "production_environment": outcome.is_production,
        "transient_environment": not outcome.is_production,
    }, keeps="deployment")


def deployment_status(outcome: Outcome, ids: Ids) -> ApiCall:
    return ApiCall("POST", f"/repos/{outcome.repository}/deployments/{ids['deployment']}/statuses", {
        "state": DEPLOYMENT_STATUS[outcome.state], "description": shortened(outcome.said, LONGEST_DESCRIPTION),
        **({"log_url": outcome.page} if outcome.page else {}),
        **({"environment_url": outcome.address} if outcome.address else {}),
    })


API = Api(address, headers, (
    Telling("status", commit_status), Telling("deployment", deployment), Telling("deployment", deployment_status),
))
