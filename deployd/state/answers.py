"""What environments answer to their visitors: what they did when their version became live, and what is wrong since.

Only what was asked is known: at the end of a deployment, and after one that was reverted.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from deployd.ids import EnvironmentId


@dataclass(frozen=True, slots=True)
class WrongAnswer:
    """A URL that answers worse than when its version became live."""

    environment: EnvironmentId
    url: str
    answer: str
    """`503 Service Unavailable`"""
    since: datetime

    @property
    def said(self) -> str:
        """For people."""
        return f"visitors get {self.answer} at {self.url} since {self.since:%Y-%m-%d %H:%M} UTC"


def put_usual(
    connection: sqlite3.Connection, environment: EnvironmentId, statuses: Mapping[str, int],
    now: datetime,
) -> None:
    """Write down what a version answered when it had become live. What was wrong before and is no better stays wrong.

    Args:
        statuses: {URL: status}
    """
    rows = connection.execute("SELECT url FROM answers WHERE project = ? AND environment = ?", environment)
    connection.executemany(
        "DELETE FROM answers WHERE project = ? AND environment = ? AND url = ?",
        [(*environment, row["url"]) for row in rows.fetchall() if row["url"] not in statuses],
    )
    connection.executemany(
        "INSERT INTO answers (project, environment, url, usual, since) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (project, environment, url) DO UPDATE SET usual = excluded.usual,"
        " wrong = CASE WHEN excluded.usual BETWEEN 200 AND 499 THEN '' ELSE wrong END",
        [(*environment, url, status, now.isoformat()) for url, status in statuses.items()],
    )


def usual(connection: sqlite3.Connection, environment: EnvironmentId) -> dict[str, int]:
    """{URL: status, when the version that is live had become so}"""
    return dict(connection.execute(
        "SELECT url, usual FROM answers WHERE project = ? AND environment = ? AND usual IS NOT NULL",
        environment,
    ).fetchall())


def put_wrong(
    connection: sqlite3.Connection, environment: EnvironmentId, wrong: Mapping[str, str],
    now: datetime,
) -> bool:
    """Write down what answers wrongly now, and that nothing else does. False: that is what was known.

    Args:
        wrong: {URL: answer}
    """
    rows = connection.execute(
        "SELECT url, wrong FROM answers WHERE project = ? AND environment = ? AND wrong != ''", environment,
    ).fetchall()
    known = {row["url"]: row["wrong"] for row in rows}
    if known == dict(wrong):
        return False
    for url in known.keys() - wrong.keys():
        connection.execute(
            "UPDATE answers SET wrong = '' WHERE project = ? AND environment = ? AND url = ?",
            (*environment, url),
        )
    connection.executemany(
        "INSERT INTO answers (project, environment, url, wrong, since) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (project, environment, url) DO UPDATE SET wrong = excluded.wrong,"
        " since = CASE WHEN wrong = '' THEN excluded.since ELSE since END",
        [(*environment, url, answer, now.isoformat()) for url, answer in wrong.items()],
    )
    return True


def wrong_ones(connection: sqlite3.Connection) -> Sequence[WrongAnswer]:
    """Of all environments."""
    rows = connection.execute("SELECT * FROM answers WHERE wrong != '' ORDER BY project, environment, url")
    return [
        WrongAnswer(EnvironmentId(row["project"], row["environment"]), row["url"], row["wrong"],
                    datetime.fromisoformat(row["since"]))
        for row in rows
    ]


def remove(connection: sqlite3.Connection, environment: EnvironmentId) -> None:
    connection.execute("DELETE FROM answers WHERE project = ? AND environment = ?", environment)
