"""What a repository says about its project, typed, immutable and normalised.

Everything behind the reader works with these values: defaults are filled in, short and long forms are made one, and
no mapping of YAML travels further (`json.py` says what goes on as JSON). The meaning of each key is in
docs/configuration.md. Other rooms ask here, so that the files behind it may be cut otherwise.
Surprise: a `Place` hangs on what people may have to mend, so that an error found hours later can still point there.
"""

from deployd.project.model.application import (
    Application,
    Build,
    BuildCache,
    Commands,
    Cron,
    Extension,
    Hook,
    Hooks,
    Instance,
    Mount,
    Operation,
    Preflight,
    Runtime,
    Stack,
    Web,
    Worker,
)
from deployd.project.model.checks import CHECKS_FILE, Checks, EnvironmentKind, OnBadRelease, SmokeTest
from deployd.project.model.container import FirewallRule, Relationship, Resources
from deployd.project.model.dialect import (
    DIALECTS,
    MAGENTO,
    PLATFORMSH,
    UPSUN,
    VARIABLE_PREFIXES,
    Dialect,
    is_merged_file,
)
from deployd.project.model.finding import Finding
from deployd.project.model.json import Json, nothing
from deployd.project.model.place import NOWHERE, Place
from deployd.project.model.project import ImageAsked, ProjectConfig, ReadResult
from deployd.project.model.routes import Hsts, PathRedirect, RouteCache, RouteTemplate, RouteTls
from deployd.project.model.service import Endpoint, Service
from deployd.project.model.service_configuration import (
    ClickhouseConfiguration,
    MercureConfiguration,
    MysqlConfiguration,
    MysqlProperties,
    PostgresqlConfiguration,
    RedisConfiguration,
    SearchConfiguration,
    ServiceConfiguration,
    SolrConfiguration,
    SolrCore,
    VarnishConfiguration,
    VaultConfiguration,
    VaultKey,
)
from deployd.project.model.web import Location, RequestBuffering, Rule

__all__ = [
    "CHECKS_FILE",
    "DIALECTS",
    "MAGENTO",
    "NOWHERE",
    "PLATFORMSH",
    "UPSUN",
    "VARIABLE_PREFIXES",
    "Application",
    "Build",
    "BuildCache",
    "Checks",
    "ClickhouseConfiguration",
    "Commands",
    "Cron",
    "Dialect",
    "Endpoint",
    "EnvironmentKind",
    "Extension",
    "Finding",
    "FirewallRule",
    "Hook",
    "Hooks",
    "Hsts",
    "ImageAsked",
    "Instance",
    "Json",
    "Location",
    "MercureConfiguration",
    "Mount",
    "MysqlConfiguration",
    "MysqlProperties",
    "OnBadRelease",
    "Operation",
    "PathRedirect",
    "Place",
    "PostgresqlConfiguration",
    "Preflight",
    "ProjectConfig",
    "ReadResult",
    "RedisConfiguration",
    "Relationship",
    "RequestBuffering",
    "Resources",
    "RouteCache",
    "RouteTemplate",
    "RouteTls",
    "Rule",
    "Runtime",
    "SearchConfiguration",
    "Service",
    "ServiceConfiguration",
    "SmokeTest",
    "SolrConfiguration",
    "SolrCore",
    "Stack",
    "VarnishConfiguration",
    "VaultConfiguration",
    "VaultKey",
    "Web",
    "Worker",
    "is_merged_file",
    "nothing",
]
