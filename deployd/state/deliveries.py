"""Deliveries of webhooks that were answered: the same one again gets the same answer and starts nothing."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from deployd.ids import ActivityId


@dataclass(frozen=True, slots=True)
class Delivery:
    activity: ActivityId | None
    said: str


def find(connection: sqlite3.Connection, forge: str, project: str, delivery: str) -> Delivery | None:
    row = connection.execute(
        "SELECT activity, said FROM deliveries WHERE forge = ? AND project = ? AND delivery = ?",
        (forge, project, delivery),
    ).fetchone()
    return Delivery(ActivityId(row["activity"]) if row["activity"] is not None else None, row["said"]) if row else None


def add(
    connection: sqlite3.Connection, forge: str, project: str, delivery: str, answer: Delivery, now: datetime,
) -> None:
    connection.execute(
        "INSERT INTO deliveries (forge, project, delivery, at, activity, said) VALUES (?, ?, ?, ?, ?, ?)",
        (forge, project, delivery, now.isoformat(), answer.activity, answer.said),
    )
