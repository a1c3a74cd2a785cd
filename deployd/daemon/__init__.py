"""The daemon: the only place that builds things. Opens every edge, owns every task, closes in reverse order.

    settings ─► state.db ─► Docker ─► router ─► lanes, HTTP faces, upkeep ─► ready
    SIGTERM  ─► no new work ─► lanes cancelled (rows stay open) ─► edges closed

`serve.py` is the process, `edges.py` what it holds open, `work.py` what it does, `faces.py` where it is spoken to,
`health.py` how it is.
"""
