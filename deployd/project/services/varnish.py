"""`configuration` of Varnish: the text in its own language (configuration format 5.4). Pure."""

from __future__ import annotations

import re

from deployd.project.fields.fields import Field, Fields
from deployd.project.fields.keys import Key, Table
from deployd.project.findings.spelling import shown
from deployd.project.model.service_configuration import VarnishConfiguration
from deployd.project.services.kind import Found, Kind

CONFIGURATION = Table(
    "configuration (varnish)",
    (Key("vcl", "text, by `!include`", "must set `req.backend_hint`", "required"),),
    noun="`configuration` of varnish",
)
_VCL_COMMENT = re.compile(r"/\*[^*]*(?:\*(?!/)[^*]*)*(?:\*/|\Z)|(?:#|//)[^\n]*")
_VCL_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}", re.ASCII)
_GENERATED_VCL = (
    (r"^\s*vcl\s+\d", "a version line"),
    (r"^\s*sub\s+vcl_init\b", "a subroutine `vcl_init`"),
    (r"^\s*import\s+(std|directors)\b", "an import of `std` or `directors`"),
)


def read(fields: Fields | None, service: Fields) -> Found:
    for name, entry in service.entries("relationships"):
        if not _VCL_NAME.fullmatch(name):
            entry.wrong_name(
                "bad-name",
                f"the relationship `{shown(name)}` cannot be named in VCL",
                "use letters, digits, `_` and `-`, and begin with a letter",
            )
    if fields is None:
        service.require("configuration", "add `configuration: {vcl: !include {type: string, path: config.vcl}}`")
        return Found(VarnishConfiguration())
    field = fields.require("vcl", "include the file: `vcl: !include {type: string, path: config.vcl}`")
    vcl = (field.text() if field else None) or ""
    if field is not None and vcl:
        _check_vcl(field, vcl)
    return Found(VarnishConfiguration(vcl, field.included if field else ""))


def _check_vcl(field: Field, vcl: str) -> None:
    """What the platform puts around the text, and what it needs in it (configuration format 5.4)."""
    said = _VCL_COMMENT.sub(" ", vcl)
    for pattern, what in _GENERATED_VCL:
        if re.search(pattern, said, re.MULTILINE):
            field.warn(
                "bad-vcl", f"the VCL has {what}, which is generated",
                "remove it; the manual of the hosted platforms forbids it",
            )
    if "backend_hint" not in said:
        field.warn(
            "bad-vcl",
            "the VCL does not set `req.backend_hint`, so no request reaches an application",
            "set it in `vcl_recv`: `set req.backend_hint = <relationship>.backend();`",
        )


KIND = Kind(read, CONFIGURATION)
