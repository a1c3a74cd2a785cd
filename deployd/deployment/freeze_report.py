"""What a freeze did to visitors, in a sentence for who pushed. Pure."""

from __future__ import annotations

from deployd.router.table import Released


def words_of_switch(did: Released) -> str:
    """After the switch; empty when nobody had to wait."""
    if did == Released():
        return ""
    return _joined(
        f"{did.held} held requests released, the longest waited {did.longest_seconds:.1f} s",
        f"{_pages(did)} saw the maintenance page" if _pages(did) else "", _left(did),
    )


def words_of_thaw(did: Released) -> str:
    """After a thaw to the version before."""
    if not did.held and not _pages(did):
        return _joined("nobody had to wait", _left(did))
    return _joined(
        f"{did.held} requests waited, the longest {did.longest_seconds:.1f} s, {_pages(did)} saw the maintenance page",
        _left(did),
    )


def words_of_waking(did: Released) -> str:
    """The end of a sentence; empty when nobody had to wait."""
    if not did.held and not _pages(did):
        return ""
    pages = f"{_pages(did)} saw the page that says so" if _pages(did) else ""
    return ": " + _joined(f"{did.held} requests waited, the longest {did.longest_seconds:.1f} s", pages, _left(did))


def _pages(did: Released) -> int:
    return did.expired + did.refused


def _left(did: Released) -> str:
    return f"{did.left} left while they waited" if did.left else ""


def _joined(*parts: str) -> str:
    return "; ".join(filter(None, parts))
