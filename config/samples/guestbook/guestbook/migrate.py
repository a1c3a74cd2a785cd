"""The deploy hook: each file of migrations/ once, in the order of their names, all in one transaction."""

from guestbook.database import connect
from guestbook.platform import ROOT


def main() -> None:
    with connect() as database:
        # Two hooks at once would be a mistake of the platform; wait for the other one all the same.
        database.execute("SELECT pg_advisory_xact_lock(hashtext('guestbook-migrations'))")
        database.execute(
            "CREATE TABLE IF NOT EXISTS migrations (name text PRIMARY KEY, applied_at timestamptz DEFAULT now())"
        )
        applied = {row["name"] for row in database.execute("SELECT name FROM migrations")}
        files = [file for file in sorted((ROOT / "migrations").glob("*.sql")) if file.stem not in applied]
        for file in files:
            database.execute(file.read_text())
            database.execute("INSERT INTO migrations (name) VALUES (%s)", [file.stem])
            print(f"migration {file.stem} applied")
        count = database.execute("SELECT count(*) AS n FROM entries").fetchone()["n"]
    what = f"{len(files)} migrations applied" if files else "the schema was up to date"
    print(f"{what}; {count} entries")


if __name__ == "__main__":
    main()
