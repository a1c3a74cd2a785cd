"""Lines of an activity log as a terminal shows them. Pure; no colours, the pusher's git adds `remote:` in front.

    ▸ build
        shop  composer install
        shop  │ Installing dependencies from lock file
    ✗ the build hook of shop ended with exit code 1   .magento.app.yaml:12
      | npm ERR! missing script: build
      mend: …
"""

from __future__ import annotations

from deployd.activity.line import Line

END_MARKS = {"success": "✓", "failed": "✗", "cancelled": "■", "superseded": "■"}


def render_line(line: Line) -> list[str]:
    """The text of one line, several for an error."""
    who = f"{line.app}  " if line.app else ""
    match line.kind:
        case "phase":
            return [f"▸ {line.text}"]
        case "output":
            return [f"    {who}│ {line.text}"]
        case "warn":
            return [f"  ! {line.text}", *(f"    {item}" for item in line.more)]
        case "done":
            return [f"  ✓ {line.text}"]
        case "error":
            head = f"✗ {line.phase + ': ' if line.phase else ''}{line.text}"
            return [f"{head}   {line.where}" if line.where else head, *(f"  {item}" for item in line.more)]
        case "held":
            return [f"■ {line.text}", *(f"  {item}" for item in line.more)]
        case "end":
            return [f"{END_MARKS.get(line.where, '•')} {line.text}"]
        case _:
            return [f"    {who}{line.text}"]
