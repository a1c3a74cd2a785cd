"""The daemon: the only place that builds things. Opens every resource, owns every task, closes in reverse order.

    settings ─► state.db ─► Docker ─► router ─► lanes, HTTP, upkeep ─► ready
    SIGTERM  ─► no new work ─► lanes cancelled (rows stay open) ─► resources closed

`serve.py` is the process, `resources.py` what it holds open, `composition.py` the objects and how they are wired,
`http.py` where they are spoken to, `run.py` the order of start and stop, `health.py` how it all is.
"""
