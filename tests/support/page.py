"""A page as a browser reads it: its elements, its text and its tables."""

from __future__ import annotations

from html.parser import HTMLParser

NEVER_CLOSED = ("br", "hr", "img", "input", "link", "meta")


class Page(HTMLParser):
    """What a page says.

    Elements that are not closed in order are an error, so that nothing in a text can have become an element unseen.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.cells: list[str] = []
        """Texts of all cells of tables, in order."""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def all(self, tag: str) -> list[dict[str, str]]:
        """Attributes of every element of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def said(self) -> str:
        """The text, with single spaces."""
        return " ".join(" ".join(self.words).split())

    @property
    def links(self) -> list[str]:
        return [attributes["href"] for attributes in self.all("a")]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in NEVER_CLOSED:
            self._open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if {"td", "th"} & set(self._open):
            self.cells[-1] = f"{self.cells[-1]} {data.strip()}".strip()
