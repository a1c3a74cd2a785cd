"""Who follows waits for a daemon that is restarted, and not for ever."""

from deployd.cli.reconnect import Reconnect


def test_a_daemon_that_was_never_there_is_not_waited_for() -> None:
    assert Reconnect(60, 0).is_over(0, 0.1)


def test_one_that_went_after_an_hour_of_silence_is_waited_for() -> None:
    reconnect = Reconnect(60, 0)
    reconnect.heard(1)
    assert not reconnect.is_over(1, 3601)
    assert not reconnect.is_over(3602, 3602.1)
    assert not reconnect.is_over(3661, 3661)
    assert reconnect.is_over(3662, 3662)


def test_one_that_ended_what_it_said_is_waited_for_from_then_on() -> None:
    reconnect = Reconnect(60, 0)
    reconnect.heard(100)
    assert not reconnect.is_over(159, 159.5)
    assert reconnect.is_over(161, 161.1)
