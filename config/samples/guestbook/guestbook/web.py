"""The pages. Every answer names the version that gave it."""

import os
import platform as python_platform
from typing import Any

from flask import Flask, Response, redirect, render_template, request

from guestbook.database import connect
from guestbook.platform import mount_is_writable, version

app = Flask(__name__, static_folder=None)    # static files are the web server's, see .platform.app.yaml
VERSION = version()


@app.after_request
def name_the_version(response: Response) -> Response:
    response.headers["X-Shop-Version"] = VERSION
    response.headers["Cache-Control"] = "no-store"
    return response


@app.get("/")
def page() -> str:
    with connect() as database:
        entries = database.execute("SELECT * FROM entries ORDER BY id DESC LIMIT 50").fetchall()
    title = os.environ.get("GUESTBOOK_TITLE", "Guestbook")
    return render_template("page.html", title=title, entries=entries, status=status())


@app.get("/status.json")
def status_json() -> dict[str, Any]:
    return status()


@app.post("/")
def write() -> Response | tuple[str, int]:
    name, words = request.form.get("name", "").strip()[:80], request.form.get("words", "").strip()[:1000]
    if not name or not words:
        return "Please write a name and some words.\n", 400
    with connect() as database:
        database.execute("INSERT INTO entries (name, words, version) VALUES (%s, %s, %s)", [name, words, VERSION])
    return redirect("/", code=303)


def status() -> dict[str, Any]:
    with connect() as database:
        row = database.execute(
            "SELECT version() AS server, (SELECT count(*) FROM entries) AS entries,"
            " (SELECT count(*) FROM migrations) AS migrations"
        ).fetchone()
    return {
        "version": VERSION,
        "environment": os.environ.get("PLATFORM_ENVIRONMENT", "none"),
        "branch": os.environ.get("PLATFORM_BRANCH", "none"),
        "python": python_platform.python_version(),
        "database": row["server"].split(" on ")[0],
        "entries": row["entries"],
        "migrations": row["migrations"],
        "exports_writable": mount_is_writable("exports"),
    }
