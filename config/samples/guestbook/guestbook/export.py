"""The cron: all entries into exports/entries.json, replaced in one step."""

import json

from guestbook.database import connect
from guestbook.platform import ROOT


def main() -> None:
    with connect() as database:
        entries = database.execute("SELECT id, written_at, name, words FROM entries ORDER BY id").fetchall()
    new = ROOT / "exports" / "entries.json.new"
    new.write_text(json.dumps(entries, default=str, indent=1))
    new.replace(new.with_suffix(""))
    print(f"{len(entries)} entries exported")


if __name__ == "__main__":
    main()
