"""GitLab is told: a commit status for each environment, the environment's address, and a deployment in it. Pure.

"Commits API", "Environments API", "Deployments API". Surprise: a state that is told twice is a 400 ("Cannot transition
status via …"), and an environment that exists is one too.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from deployd.forges.telling import Api, ApiCall, Ids, Outcome, State, Telling, shortened

LONGEST_DESCRIPTION = 255
STATUS: Mapping[State, str] = {
    "pending": "pending", "in_progress": "running", "success": "success", "failed": "failed",
    "cancelled": "canceled", "superseded": "canceled",
}
TOLD_ALREADY = "cannot transition status"
THERE_ALREADY = "has already been taken"
BAD_REQUEST = 400


def address(host: str) -> str:
    return f"https://{host}/api/v4"


def headers(token: str) -> Mapping[str, str]:
    return {"PRIVATE-TOKEN": token, "Accept": "application/json"}


def commit_status(outcome: Outcome, ids: Ids) -> ApiCall:
    return ApiCall("POST", f"{_project(outcome)}/statuses/{outcome.commit}", {
        # Without the branch it may end up in the pipeline of another one.
        "state": STATUS[outcome.state], "ref": outcome.branch, "name": f"deployd/{outcome.environment}",
        "description": shortened(outcome.said, LONGEST_DESCRIPTION),
        **({"target_url": outcome.page} if outcome.page else {}),
    }, is_done=lambda status, text: status == BAD_REQUEST and TOLD_ALREADY in text.lower())


def environment(outcome: Outcome, ids: Ids) -> ApiCall | None:
    if not outcome.address or outcome.state != "success":
        return None
    return ApiCall("POST", f"{_project(outcome)}/environments", {
        "name": outcome.environment, "external_url": outcome.address,
        "tier": "production" if outcome.is_production else "development",
    }, keeps="environment", is_done=lambda status, text: status == BAD_REQUEST and THERE_ALREADY in text.lower())


def deployment(outcome: Outcome, ids: Ids) -> ApiCall | None:
    """Made when it begins, and brought to its end later."""
    state = STATUS[outcome.state]
    if state == "pending":
        return None
    if "deployment" in ids:
        return ApiCall("PUT", f"{_project(outcome)}/deployments/{ids['deployment']}", {"status": state},
                       is_done=lambda status, text: status == BAD_REQUEST and TOLD_ALREADY in text.lower())
    return ApiCall("POST", f"{_project(outcome)}/deployments", {
        "environment": outcome.environment, "sha": outcome.commit, "ref": outcome.branch, "tag": False, "status": state,
    }, keeps="deployment")


def _project(outcome: Outcome) -> str:
    return f"/projects/{quote(outcome.repository, safe='')}"


API = Api(address, headers, (
    Telling("status", commit_status), Telling("deployment", environment), Telling("deployment", deployment),
))
