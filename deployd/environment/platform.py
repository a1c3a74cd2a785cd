"""The environment variables that an application finds (configuration format 7.3), in both spellings side by side. Pure.

In a build the run-time variables are absent, not empty: the public config readers take the presence of
PLATFORM_ENVIRONMENT for "this is run time".
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deployd.environment.application_json import application_json, hooks_json
from deployd.environment.naming import EnvironmentType
from deployd.environment.relationships import Related, endpoint_objects, relationship_variables
from deployd.environment.routes import ResolvedRoute
from deployd.environment.variables import Variables
from deployd.project.model import DIALECTS, VARIABLE_PREFIXES, Application, Commands
from deployd.project.offered.runtimes import WITH_SECRET_KEY

APP_FOLDER = "/app"
PORT = 8888
"""Where the start command listens when the socket is TCP."""
SOCKET = "/run/app/app.sock"
"""Where it listens when the socket is a Unix one: in a volume that the web container shares."""
CACHE_FOLDER = "/cache"
TLS_1_2 = 771   # 0x0303, as the hosted platform shows `TLSv1.2`
TLS_VERSIONS = {"TLSv1.0": 769, "TLSv1.1": 770, "TLSv1.2": TLS_1_2, "TLSv1.3": 772}


@dataclass(frozen=True, slots=True)
class About:
    """What is known of an environment before anything of it runs."""

    project: str
    entropy: str
    environment: str
    branch: str
    type: EnvironmentType
    tree: str
    """Git tree id of the application's root."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an application finds around it at run time."""

    routes: tuple[ResolvedRoute, ...] = ()
    relationships: tuple[Related, ...] = ()
    smtp_host: str = ""
    """Where it brings its mails, on port 25; empty: there is no mail."""


def build_environment(app: Application, about: About, variables: Variables) -> dict[str, str]:
    """What the build container gets."""
    platform = {
        "APP_DIR": APP_FOLDER,
        "APPLICATION": encoded(application_json(app, building=True)),
        "APPLICATION_NAME": app.name,
        "CACHE_DIR": CACHE_FOLDER,
        "OUTPUT_DIR": APP_FOLDER,
        "PROJECT": about.project,
        "PROJECT_ENTROPY": about.entropy,
        "TREE_ID": about.tree,
        "VARIABLES": encoded(dict(variables.platform)),
        "VENDOR": "deployd",
    }
    with_hooks = encoded(application_json(app, building=True) | {"hooks": hooks_json(app)})
    return {
        **_secret_key(app, about),
        **variables.environment,
        **_in_both_spellings(platform),
        **{f"{dialect.variable_prefix}APPLICATION": with_hooks
           for dialect in DIALECTS.values() if dialect.builds_see_hooks},
        "CI": "true",
    }


def runtime_environment(
    app: Application, about: About, variables: Variables, *, commands: Commands, around: Surroundings,
    of_services: bool = False,
) -> dict[str, str]:
    """What the application, its workers, hooks and crons get.

    Args:
        of_services: Each relationship in variables of its own, too; one that the project sets itself wins.
    """
    root = next((location.root for location in app.web.locations if location.path == "/"), None)
    platform = {
        "APP_DIR": APP_FOLDER,
        "APPLICATION": encoded(application_json(app, building=False)),
        "APPLICATION_NAME": app.name,
        "BRANCH": about.branch,
        "DOCUMENT_ROOT": f"{APP_FOLDER}/{root}".rstrip("/") if root else APP_FOLDER,
        "ENVIRONMENT": about.environment,
        "ENVIRONMENT_TYPE": about.type,
        "PROJECT": about.project,
        "PROJECT_ENTROPY": about.entropy,
        "RELATIONSHIPS": encoded(endpoint_objects(around.relationships)),
        "ROUTES": encoded(routes_json(around.routes)),
        "SMTP_HOST": around.smtp_host,
        "TREE_ID": about.tree,
        "VARIABLES": encoded(dict(variables.platform)),
    }
    for name, text in (("APP_COMMAND", commands.start), ("PRE_APP_COMMAND", commands.pre_start),
                       ("POST_APP_COMMAND", commands.post_start)):
        if text is not None:
            platform[name] = text
    socket = {"SOCKET": SOCKET} if app.web.socket_family == "unix" else {"PORT": str(PORT)}
    services = relationship_variables(around.relationships) if of_services else {}
    return {
        **services, **_secret_key(app, about), **variables.environment, **_in_both_spellings(platform), **socket,
    }


def _secret_key(app: Application, about: About) -> dict[str, str]:
    """The same for the whole project and as long as it lives; one that the project sets itself wins."""
    if app.runtime_name not in WITH_SECRET_KEY:
        return {}
    return {"SECRET_KEY_BASE": hashlib.sha512(f"{about.entropy} SECRET_KEY_BASE".encode()).hexdigest()}


def routes_json(routes: Sequence[ResolvedRoute]) -> dict[str, Any]:
    """Content of PLATFORM_ROUTES: {url: route}, every generated URL (configuration format 6.9)."""
    return {route.url: _route_json(route) for route in routes}


def _route_json(route: ResolvedRoute) -> dict[str, Any]:
    template = route.template
    shown: dict[str, Any] = {
        "primary": route.primary,
        "id": template.id if route.original_url == template.url else None,
        "attributes": dict(template.attributes),
        "type": route.type,
        "original_url": route.original_url,
        "restrict_robots": False,
        "http_access": {"addresses": [], "basic_auth": {}},
    }
    if route.type != "upstream":
        return shown | {"to": route.to}
    hsts = template.tls.hsts
    return shown | {
        "upstream": template.upstream,
        "tls": {
            "min_version": TLS_VERSIONS.get(template.tls.min_version or ""),
            "client_authentication": template.tls.client_authentication,
            "client_certificate_authorities": list(template.tls.client_certificate_authorities),
            "strict_transport_security": {
                "enabled": hsts.enabled, "include_subdomains": hsts.include_subdomains, "preload": hsts.preload,
            },
        },
        "cache": {
            "enabled": template.cache.enabled, "default_ttl": template.cache.default_ttl_seconds,
            "cookies": list(template.cache.cookies), "headers": list(template.cache.headers),
        },
        "ssi": {"enabled": template.ssi},
    }


def run_config_json(app: Application, *, memory_mb: int, cpus: float, around: Surroundings) -> dict[str, Any]:
    """Content of /run/config.json; start commands size their heap by `.info.limits.memory` (in MB)."""
    return {
        "info": {"limits": {"memory": memory_mb, "cpu": cpus}},
        "application": application_json(app, building=False),
        "relationships": endpoint_objects(around.relationships),
        "routes": routes_json(around.routes),
    }


def encoded(value: Any) -> str:
    """Base64 of the JSON text, without line breaks."""
    return base64.b64encode(json.dumps(value).encode()).decode()


def _in_both_spellings(values: Mapping[str, str]) -> dict[str, str]:
    return {f"{prefix}{name}": value for prefix in VARIABLE_PREFIXES for name, value in values.items()}


NOT_REPLACED = ("PATH", "PYTHONUSERBASE", "PHP_INI_SCAN_DIR")
"""What a project's own variable of that name must not replace: without these, nothing is found."""


def merged_environment(defaults: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str]:
    """What the project says goes over our defaults, but for a few. HOME is /app, as on the hosted platforms."""
    kept = {name: defaults[name] for name in NOT_REPLACED if name in defaults}
    return {"HOME": APP_FOLDER, "USER": "web", **defaults, **values, **kept}
