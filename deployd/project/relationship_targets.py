"""What a relationship or a route can lead to: the services and applications of the commit by name. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from deployd.project.fields.fields import Field
from deployd.project.findings.spelling import listed, nearest, shown
from deployd.project.model.dialect import Dialect
from deployd.project.model.service import Service
from deployd.project.offered.runtimes import OLD_ENDPOINTS
from deployd.project.offered.services import SERVICE_TYPES, WITHOUT_CONTAINER


@dataclass(frozen=True, slots=True)
class Targets:
    dialect: Dialect
    services: Mapping[str, Service | None]
    """None: the service has errors of its own, so nothing more is said about its endpoints."""
    applications: frozenset[str]
    complete: bool
    """Whether every file could be read; if not, what seems to be missing may be there."""
    own: str = ""
    """Name of the application whose ways are read."""

    def endpoint_of(self, field: Field, target: str, endpoint: str | None, noun: str = "relationship") -> str | None:
        """The endpoint with its default filled in; None with a finding when there is no such way in."""
        if target in self.applications:
            return self._of_application(field, target, endpoint, noun)
        if target in self.services:
            service = self.services[target]
            return (endpoint or "?") if service is None else self._of_service(field, service, endpoint)
        if self.complete:
            self._missing(field, target, noun)
        return None

    def _of_application(self, field: Field, target: str, endpoint: str | None, noun: str) -> str | None:
        if endpoint is None:
            field.wrong(
                "no-default-endpoint",
                f"`{target}` is an application, and applications have no default endpoint",
                f'write "{target}:http"',
            )
            return None
        if endpoint in OLD_ENDPOINTS and noun == "route":
            field.warn(
                "deprecated",
                f"the endpoint `{endpoint}` of an application is the old name of `http`",
                f'write "{target}:http"',
            )
            return "http"
        if endpoint != "http":
            field.wrong(
                "no-such-endpoint",
                f"the application `{target}` has no endpoint `{shown(endpoint)}`, only `http`",
                f'write "{target}:http"',
            )
            return None
        return endpoint

    def _of_service(self, field: Field, service: Service, endpoint: str | None) -> str | None:
        if service.kind in WITHOUT_CONTAINER:
            field.wrong(
                "not-an-endpoint",
                f"`{service.name}` is a network storage, which has no endpoint",
                f"use it in `mounts`: {{source: service, service: {service.name}}}",
            )
            return None
        names = [item.name for item in service.endpoints]
        if endpoint in names:
            return endpoint
        if endpoint is None:
            default = default_endpoint(service)
            if default is not None:
                return default
            field.wrong(
                "no-default-endpoint",
                f"the service `{service.name}` has no default endpoint",
                f"name one of its endpoints: {listed(names)}",
                related=(service.place,),
            )
            return None
        if endpoint.endswith("-replica") and endpoint.removesuffix("-replica") in names:
            field.warn(
                "no-replica",
                f"`{service.name}` has no replica here, so `{endpoint}` leads to the service itself",
                "nothing needs to be done; writing works there, too",
            )
            return endpoint.removesuffix("-replica")
        field.wrong(
            "no-such-endpoint",
            f"the service `{service.name}` has no endpoint `{shown(endpoint)}`",
            _endpoint_hint(service, endpoint, names),
            related=(service.place,),
        )
        return None

    def _missing(self, field: Field, target: str, noun: str) -> None:
        near = nearest(target, [*self.services, *self.applications])
        file = self.dialect.file_of("services")
        names = [*self.services, *(sorted(self.applications) if len(self.applications) > 1 else ())]
        if near:
            hint = f"did you mean `{near}`?"
        elif noun == "route":
            hint = (
                f"the applications are {listed(sorted(self.applications), 'and')}" if self.applications else "create it"
            )
        else:
            known = f"; there is {listed(names, 'and')}" if names else ""
            hint = f"define `{shown(target)}` in {file}{known}"
        what = "application or service" if noun == "route" else "service or application"
        field.wrong("no-such-service", f"there is no {what} `{shown(target)}`", hint)


def _endpoint_hint(service: Service, endpoint: str, names: list[str]) -> str:
    near = nearest(endpoint, names)
    if near:
        return f'did you mean "{service.name}:{near}"?'
    if names:
        return f"its endpoints: {listed(names, 'and')}"
    return f"define `{shown(endpoint)}` under `endpoints` of the service: as it lists `schemas`, it has no default one"


def default_endpoint(service: Service) -> str | None:
    """The endpoint that is meant when none is written: the one called like its kind's, if it is still there."""
    usual = SERVICE_TYPES[service.kind].endpoints
    return next((item.name for item in service.endpoints if usual and item.name == usual[0]), None)


def split_endpoint(field: Field, written: str, targets: Targets) -> tuple[str, str] | None:
    """`mysql:mysql` → the two parts, or None with a finding."""
    target, colon, endpoint = written.partition(":")
    target, endpoint = target.strip(), endpoint.strip()
    if colon and target and endpoint:
        return target, endpoint
    usual = "http" if target in targets.applications else "endpoint"
    service = targets.services.get(target)
    if service is not None and service.endpoints:
        usual = service.endpoints[0].name
    field.wrong(
        "endpoint-missing", f'"{shown(written)}" does not name an endpoint', f'write "{target or "service"}:{usual}"'
    )
    return None
