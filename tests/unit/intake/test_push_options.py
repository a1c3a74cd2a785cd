"""What a push may ask for."""

from __future__ import annotations

from deployd.intake.push_options import unknown_options


def test_known_options_need_no_word_and_others_are_told() -> None:
    assert unknown_options(["no-wait", "no-deploy", "skip-build-cache"]) == []
    (said,) = unknown_options(["no-wiat", "no-wiat"])
    assert said == "the push option no-wiat means nothing here; there are no-wait, no-deploy, skip-build-cache"


def test_a_flood_of_them_is_told_in_three_lines_that_move_no_cursor() -> None:
    said = unknown_options([f"\x1b[2J{'x' * 1_000}{number}" for number in range(1_000)])
    assert len(said) == 3
    assert all(line.isprintable() and len(line) < 200 for line in said)
