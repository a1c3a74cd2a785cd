"""Names of nginx's variables in rules: groups that would be one of its own, and variables that nobody sets. Pure.

nginx would not start with either; better it is said before anything is built.
"""

from __future__ import annotations

import re

from deployd.project.fields.fields import Field
from deployd.project.findings.spelling import shown

ITS_OWN = frozenset([
    "binary_remote_addr", "body_bytes_sent", "connection", "connection_requests", "connection_time",
    "content_length", "date_gmt", "date_local", "document_root", "document_uri", "fastcgi_path_info",
    "fastcgi_script_name", "grpc_internal_trailers", "gzip_ratio", "host", "hostname", "http2", "http3",
    "http_cookie", "http_host", "http_referer", "http_user_agent", "http_via", "http_x_forwarded_for", "https",
    "is_args", "limit_conn_status", "limit_req_status", "msec", "nginx_version", "pid", "pipe",
    "proxy_add_x_forwarded_for", "proxy_internal_body_length", "proxy_internal_chunked", "query_string",
    "realip_remote_addr", "realip_remote_port", "realpath_root", "remote_addr", "remote_user", "request",
    "request_body_file", "request_completion", "request_filename", "request_id", "request_length",
    "request_method", "request_time", "request_uri", "scheme", "secure_link", "secure_link_expires",
    "server_addr", "server_name", "server_port", "server_protocol", "slice_range", "status",
    "tcpinfo_rcv_space", "tcpinfo_rtt", "tcpinfo_rttvar", "tcpinfo_snd_cwnd", "time_iso8601", "time_local",
    "uid_got", "uid_set", "uri",
])
"""Those that a group of a pattern cannot be named like, in nginx 1.26 without further modules."""
CHANGEABLE = frozenset(["args", "limit_rate"])
FAMILIES = ("upstream_", "ssl_", "sent_http_", "proxy_protocol_", "connections_", "deployd_")
"""Beginnings of the other ones, and of those that the web server's configuration makes for itself."""
OF_A_REQUEST = ("arg_", "cookie_", "http_", "sent_http_")
"""Beginnings of variables that are there whatever follows."""
_GROUP = re.compile(r"\(\?P?<([A-Za-z_]\w*)>|\(\?'(\w+)'", re.ASCII)
_VARIABLE = re.compile(r"\$(\w+|\{\w+\}|)", re.ASCII)


def check_groups(field: Field, pattern: str) -> bool:
    """Whether the names of a pattern's groups can be names of variables; a finding when not."""
    for name in _groups(pattern):
        if name.lower() in ITS_OWN or name.lower().startswith(FAMILIES):
            field.wrong_name(
                "bad-pattern",
                f"the group `{shown(name)}` of the regular expression `{shown(pattern)}` "
                "has the name of a variable of nginx",
                f"call it otherwise: `my_{shown(name)}`",
            )
            return False
    return True


def check_variables(field: Field, pattern: str) -> None:
    """Say when the path of a `passthru` names a variable that is neither a group of the pattern nor one of nginx's."""
    known = {name.lower() for name in _groups(pattern)} | ITS_OWN | CHANGEABLE
    for found in _VARIABLE.finditer(field.raw):
        name = found[1].strip("{}").lower()
        if not name or not (name.isdigit() or name in known or name.startswith(OF_A_REQUEST)):
            field.wrong(
                "bad-path",
                f"`{shown(field.raw)}` names the variable `{shown(found[0])}`, which is not there",
                "name a group of the rule's pattern, as `$resource` for `(?<resource>…)`, or a variable of nginx",
            )
            return


def _groups(pattern: str) -> list[str]:
    return [one or other for one, other in _GROUP.findall(pattern)]
