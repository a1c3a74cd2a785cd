"""What Varnish is told: the generated part before the project's own, and whose fault an error is."""

from dataclasses import replace

import pytest

from deployd.project.model import Endpoint, Place, Relationship, Service, VarnishConfiguration
from deployd.services.families import endpoint_port
from deployd.services.front import Backend
from deployd.services.varnish import OWN, Varnish

VCL = "sub vcl_recv {\n    set req.backend_hint = blog.backend();\n}\n"
IT = Service(
    "cache", "varnish", "7.7", "varnish:7.7", configuration=VarnishConfiguration(VCL, ".platform/config.vcl"),
    relationships=tuple(Relationship(name, "app", "http", Place("s", 1, 1)) for name in ("blog", "main")),
    place=Place(".platform/services.yaml", 4, 1),
)
BACKENDS = {"blog": (Backend("blog-web-7", "10.0.0.2"), Backend("blog-web-7b", "10.0.0.3")), "main": ()}


def test_each_relationship_is_a_director_over_its_containers():
    text = Varnish().text(IT, BACKENDS)
    assert text.startswith("vcl 4.1;\n")
    assert text.count("\nbackend ") == 2
    assert '.host = "10.0.0.3"; .port = "80"' in text
    assert "new blog = directors.round_robin();\n    blog.add_backend(deployd_0_0);" in text
    assert "new main = directors.round_robin();\n}" in text
    assert text.endswith(f"{OWN}\n{VCL}")
    assert "default none" not in text


def test_before_there_is_anything_it_leads_nowhere():
    assert "\nbackend default none;\n" in Varnish().text(IT, {})


def test_what_another_version_made_is_never_found():
    other = {**BACKENDS, "blog": (Backend("blog-web-8", "10.0.0.2"), BACKENDS["blog"][1])}
    assert Varnish().text(IT, BACKENDS) != Varnish().text(IT, other), "the same address, another container"
    assert 'hash_data("blog-web-8 blog-web-7b")' in Varnish().text(IT, other)
    assert Varnish().turn(Varnish().text(IT, BACKENDS)) != Varnish().turn(Varnish().text(IT, other))


@pytest.mark.parametrize(("line", "where"), [(2, ".platform/config.vcl:2"), (-3, ".platform/services.yaml:4:1")])
def test_an_error_is_told_with_its_line_in_the_projects_file(line, where):
    text = Varnish().text(IT, {})
    at = text.split(OWN)[0].count("\n") + 1 + line
    said = (
        "Message from VCC-compiler:\nSymbol not found: 'sett'\n"
        f"('/tmp/it.vcl' Line {at} Pos 5)\n    sett x\n----####--\n\nRunning VCC-compiler failed, exited with 2\n"
        "VCL compilation failed\n"
    )
    refused = Varnish().refusal(IT, text, said)
    assert refused.where == where
    assert refused.what.startswith("Symbol not found: 'sett'")
    assert refused.lines[1] == ("(.platform/config.vcl line 2, column 5)" if line > 0 else "(generated)")
    assert not any("VCC" in item for item in refused.lines)


def test_a_vcl_in_the_services_file_itself_is_told_there():
    inline = replace(IT, configuration=VarnishConfiguration(VCL))
    text = Varnish().text(inline, {})
    at = text.split(OWN)[0].count("\n") + 2
    refused = Varnish().refusal(inline, text, f"Message from VCC-compiler:\nno\n('/x' Line {at} Pos 1)\n")
    assert (refused.where, refused.lines) == (".platform/services.yaml:4:1", ("no", "(its vcl line 1, column 1)"))


def test_a_name_that_is_only_known_where_it_runs_is_no_fault():
    said = "Message from VCC-compiler:\nBackend host '\"x.example\"' could not be resolved to an IP address:\n"
    assert Varnish().refusal(IT, Varnish().text(IT, {}), said) is None


@pytest.mark.parametrize(("memory_mb", "stored"), [(128, "32M"), (512, "300M"), (4096, "2988M")])
def test_what_it_keeps_leaves_room_for_the_compiler(memory_mb, stored):
    parts = Varnish().parts(IT, memory_mb=memory_mb)
    assert parts.environment["VARNISH_SIZE"] == stored
    other = replace(IT, configuration=VarnishConfiguration("x"))
    assert repr(parts) == repr(Varnish().parts(other, memory_mb=memory_mb)), "another VCL needs no other container"


def test_its_pages_about_itself_have_a_port_of_their_own():
    both = replace(IT, endpoints=(Endpoint("http"), Endpoint("http+stats")))
    assert (endpoint_port(both, "http"), endpoint_port(both, "http+stats")) == (80, 8080)
