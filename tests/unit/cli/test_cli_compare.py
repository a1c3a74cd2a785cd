"""A comparison as people read it in a terminal."""

from __future__ import annotations

from deployd.api.as_json import as_json
from deployd.cli.compare import lines_of
from tests.doubles.api import comparison


def test_it_says_what_differs_line_by_line() -> None:
    assert lines_of(as_json(comparison()), with_files=False) == [
        "shop/main: 11111111 Mend the door (activity 1)", "shop/main: 22222222 Mend the door (activity 2, live)",
        "the second has all commits of the first", "  + 22222222 Mend the door (Ada)", "  + and 69 before them",
        "", "services (2 do not differ)", "  ~ db mariadb:10.6 → mariadb:11.8",
        "", "variables (2 do not differ)", "  ~ app: TOKEN its value differs",
        "", "slugs (2 do not differ)", "  ~ app aaaa → bbbb",
        "", "diff --git a/.platform.app.yaml b/.platform.app.yaml", "@@ -1 +1 @@", "-name: a", "+name: Mend the door",
        "and 3 more lines",
    ]


def test_files_stand_there_when_they_were_asked_for() -> None:
    lines = lines_of(as_json(comparison(with_files=True)), with_files=True)
    assert "files of app: 0 added, 1 changed, 0 removed, +200 B" in lines
    assert "  ~ src/Mend the door.php (1000 B → 1.2 kB)" in lines
