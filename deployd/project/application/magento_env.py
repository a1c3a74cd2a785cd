"""`.magento.env.yaml`: a courtesy look at the settings of Magento's own tool (configuration format 11.5). Pure.

Where ece-tools do the work, they read the file and stop in the middle of a build when something is wrong with it, so
everything said here is a warning, whatever it is. Where deployd's recipe does, `read_stages` gives what it goes by:
then what cannot be read is an error, and what the recipe does not honour is named.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Mapping
from dataclasses import replace

from deployd.project.fields.fields import Field
from deployd.project.fields.keys import Key, Table
from deployd.project.findings.findings import Findings
from deployd.project.findings.spelling import guess, listed, nearest, shown
from deployd.project.model.application import Application
from deployd.project.model.dialect import MAGENTO
from deployd.project.model.json import Json
from deployd.project.tree.files import Files
from deployd.project.yaml.nodes import ListNode, MapNode, is_null

FILE = MAGENTO.tool_file
ENV = Table(
    FILE,
    (Key("stage", "mapping", "variables by stage", treatment="noted"), Key("log", "mapping", treatment="noted")),
    noun=f"`{FILE}`",
)
_STAGES = {"g": "global", "b": "build", "d": "deploy", "p": "post-deploy"}
_LEVELS = "debug info notice warning error critical alert emergency"
_BACKENDS = (
    "Cm_Cache_Backend_Redis",
    "\\Magento\\Framework\\Cache\\Backend\\Redis",
    "\\Magento\\Framework\\Cache\\Backend\\RemoteSynchronizedCache",
)
_TABLE = f"""
VERBOSE_COMMANDS string gbdp -v -vv -vvv
SCD_COMPRESSION_LEVEL integer gbd
SCD_COMPRESSION_TIMEOUT integer gbd
SCD_STRATEGY string gbd compact quick standard
SCD_THREADS integer gbd
SCD_MAX_EXECUTION_TIME integer gbd
SCD_MATRIX array gbd
SCD_NO_PARENT boolean gbd
SCD_USE_BALER boolean gb
SKIP_SCD boolean gbd
SKIP_HTML_MINIFICATION boolean g
SKIP_COMPOSER_DUMP_AUTOLOAD boolean b
SCD_ON_DEMAND boolean g
MIN_LOGGING_LEVEL string g {_LEVELS}
LOCK_PROVIDER string gd db file
REDIS_USE_SLAVE_CONNECTION boolean gd
MYSQL_USE_SLAVE_CONNECTION boolean gd
SPLIT_DB array gd
UPDATE_URLS boolean gd
FORCE_UPDATE_URLS boolean gd
CLEAN_STATIC_FILES boolean gd
ERROR_REPORT_DIR_NESTING_LEVEL integer b
SEARCH_CONFIGURATION array d
ELASTICSUITE_CONFIGURATION array d
QUEUE_CONFIGURATION array d
CACHE_CONFIGURATION array d
SESSION_CONFIGURATION array d
DATABASE_CONFIGURATION array d
RESOURCE_CONFIGURATION array d
CRON_CONSUMERS_RUNNER array d
REMOTE_STORAGE array d
REDIS_BACKEND string d {" ".join(_BACKENDS)}
CONSUMERS_WAIT_FOR_MAX_MESSAGES boolean d
ENABLE_GOOGLE_ANALYTICS boolean gd
GENERATED_CODE_SYMLINK boolean d
WARM_UP_PAGES array p
WARM_UP_CONCURRENCY integer p
TTFB_TESTED_PAGES array p
X_FRAME_CONFIGURATION string g
QUALITY_PATCHES array b
ENABLE_EVENTING boolean g
ENABLE_WEBHOOKS boolean g
DEPLOYED_MAGENTO_VERSION_FROM_GIT string g
DEPLOY_FROM_GIT_OPTIONS array g
"""
VARIABLES = {
    words[0]: (words[1], tuple(_STAGES[letter] for letter in words[2]), tuple(words[3:]))
    for line in _TABLE.strip().splitlines()
    if (words := line.split())
}
"""{name: (type, stages that may have it, allowed values)}"""
NOT_HONOURED = {
    "SCD_COMPRESSION_LEVEL": "the router compresses what it serves",
    "SCD_COMPRESSION_TIMEOUT": "the router compresses what it serves",
    "SCD_USE_BALER": "bundles are not made; make them in the build hook",
    "SPLIT_DB": "databases are not split; what env.php has of split ones stays",
    "REDIS_USE_SLAVE_CONNECTION": "services have no replicas here",
    "ELASTICSUITE_CONFIGURATION": "set what ElasticSuite needs in config.php",
    "REMOTE_STORAGE": "set `remote_storage` up with bin/magento setup:config:set",
    "ENABLE_GOOGLE_ANALYTICS": "it stays as the database has it",
    "GENERATED_CODE_SYMLINK": "generated code is in the built application already",
    "ENABLE_EVENTING": "enable it in config.php",
    "ENABLE_WEBHOOKS": "enable it in config.php",
    "DEPLOYED_MAGENTO_VERSION_FROM_GIT": "packages come from composer",
    "DEPLOY_FROM_GIT_OPTIONS": "packages come from composer",
}
"""{variable that deployd's recipe leaves alone: what to do, or why}"""
MOST_BYTES = 64_000
"""Of all settings of the recipe, as JSON."""


def check_magento_env(applications: tuple[Application, ...], files: Files) -> None:
    """Look at the file of each application that has one."""
    for root in sorted({application.root for application in applications}):
        path = posixpath.join(root, FILE)
        if path not in files.config_paths:
            continue
        aside = Findings(lines=files.findings.lines)
        document = files.document(path, aside)
        if document is not None and not is_null(document):
            fields = Field(document, "", aside).fields(ENV)
            for stage, field in fields.entries("stage") if fields else []:
                _check_stage(stage, field)
            if fields and any(app.magento for app in applications if app.root == root):
                _name_not_honoured(fields.entries("stage"))
        files.findings.adopt_as_warnings(aside)


def read_stages(app: Application, files: Files) -> Mapping[str, Mapping[str, Json]]:
    """What the recipe goes by: {stage: {variable: value}}, as far as it is as the table says."""
    path = posixpath.join(app.root, FILE)
    document = files.document(path) if path in files.config_paths else None
    if document is None or is_null(document):
        return {}
    aside = Findings(lines=files.findings.lines)
    fields = Field(document, "", aside).fields(ENV)
    found = {stage: _sound(stage, field) for stage, field in (fields.entries("stage") if fields else [])}
    found = {stage: variables for stage, variables in found.items() if variables}
    if len(json.dumps(found, default=str)) > MOST_BYTES:
        what = f"the settings of all stages have more than {MOST_BYTES:,} bytes"
        Field(document, "", files.findings).wrong("file-too-large", what, "leave out what is not a setting of Magento")
        return {}
    return found


def _sound(stage: str, field: Field) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for name, value in field.entries() if stage in _STAGES.values() and not field.is_null() else []:
        kind, stages, allowed = VARIABLES.get(name, ("", (), ()))
        looked = Findings(lines=value.findings.lines)
        if stage in stages and name not in NOT_HONOURED and not value.is_null():
            _check_value(replace(value, findings=looked), name, kind, allowed)
            if not looked.has_errors():
                found[name] = value.json()
    return found


def _name_not_honoured(stages: list[tuple[str, Field]]) -> None:
    for _, field in stages:
        for name, value in field.entries() if not field.is_null() else []:
            if name in NOT_HONOURED:
                value.warn_name("not-honoured", f"`{name}` does nothing in deployd's recipe", NOT_HONOURED[name])


def _check_stage(stage: str, field: Field) -> None:
    if stage not in _STAGES.values():
        field.wrong_name("no-such-stage", f"`{shown(stage)}` is not a stage", guess(stage, _STAGES.values()))
        return
    for name, value in field.entries() if not field.is_null() else []:
        if name not in VARIABLES:
            near = nearest(name, VARIABLES)
            value.wrong_name(
                "no-such-variable",
                f"ece-tools has no variable `{shown(name)}`",
                f"did you mean `{near}`?" if near else "remove it; ece-tools stops at unknown ones",
            )
            continue
        kind, stages, allowed = VARIABLES[name]
        if stage not in stages:
            value.wrong_name(
                "wrong-stage",
                f"`{name}` does not belong into the stage `{stage}`",
                f"move it to {listed(stages)}",
            )
        elif not value.is_null():
            _check_value(value, name, kind, allowed)


def _check_value(field: Field, name: str, kind: str, allowed: tuple[str, ...]) -> None:
    if kind == "boolean":
        field.boolean()
    elif kind == "integer":
        field.integer()
    elif kind == "array" and not isinstance(field.node, ListNode | MapNode):
        field.wrong(
            "wrong-type", f"`{name}` must be a list or a mapping, not {field.node.kind}", "write a mapping, or a list"
        )
    elif kind == "string":
        text = field.text()
        if text and allowed and text not in allowed:
            field.wrong("not-allowed", f"`{shown(text)}` is not a value of `{name}`", guess(text, allowed))
