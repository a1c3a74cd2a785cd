"""The schema of state.db, as the steps that made it. A step that was released is never changed; new ones come after it.

Dates are ISO 8601 in UTC. JSON columns hold values that belong to another room; the state does not look into them.
"""

from __future__ import annotations

FIRST = """
CREATE TABLE projects (
    id TEXT PRIMARY KEY,
    entropy TEXT NOT NULL
);

CREATE TABLE environments (
    project TEXT NOT NULL,
    name TEXT NOT NULL,
    branch TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('active', 'deleting')),
    created_at TEXT NOT NULL,
    subnet TEXT UNIQUE,
    live_activity INTEGER,
    PRIMARY KEY (project, name)
);

CREATE TABLE activities (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    project TEXT NOT NULL,
    environment TEXT NOT NULL,
    branch TEXT NOT NULL,
    kind TEXT NOT NULL,
    table_version INTEGER NOT NULL,
    commit_id TEXT,
    cause TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'in_progress', 'success', 'failed', 'cancelled', 'superseded')),
    reason TEXT NOT NULL DEFAULT '',
    created_at TEXT NOT NULL,
    started_at TEXT,
    ended_at TEXT
);
CREATE INDEX activities_open ON activities (state, id) WHERE state IN ('pending', 'in_progress');
CREATE INDEX activities_of_environment ON activities (project, environment, id);

CREATE TABLE journal (
    activity INTEGER NOT NULL REFERENCES activities (id),
    number INTEGER NOT NULL,
    step TEXT NOT NULL,
    event TEXT NOT NULL,
    at TEXT NOT NULL,
    result TEXT,
    said TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (activity, number)
) WITHOUT ROWID;

CREATE TABLE versions (
    activity INTEGER PRIMARY KEY REFERENCES activities (id),
    project TEXT NOT NULL,
    environment TEXT NOT NULL,
    at TEXT NOT NULL,
    version TEXT NOT NULL
);
CREATE INDEX versions_of_environment ON versions (project, environment, activity);

CREATE TABLE deliveries (
    forge TEXT NOT NULL,
    project TEXT NOT NULL,
    delivery TEXT NOT NULL,
    at TEXT NOT NULL,
    activity INTEGER,
    said TEXT NOT NULL,
    PRIMARY KEY (forge, project, delivery)
) WITHOUT ROWID;

CREATE TABLE secrets (
    project TEXT NOT NULL,
    environment TEXT NOT NULL,
    service TEXT NOT NULL,
    name TEXT NOT NULL,
    secret TEXT NOT NULL,
    PRIMARY KEY (project, environment, service, name)
) WITHOUT ROWID;
"""

FAILED_BY_TIME = """
CREATE INDEX activities_failed ON activities (ended_at) WHERE state = 'failed';
"""
"""Monitors ask every second how many failed in the last hour."""

OPEN_OF_ENVIRONMENT = """
CREATE INDEX activities_open_of_environment ON activities (project, environment, id)
    WHERE state IN ('pending', 'in_progress');
"""
"""What runs and waits in a lane is found without walking over all that ever ran there."""

UNNEEDED = """
CREATE TABLE unneeded (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    since TEXT NOT NULL,
    PRIMARY KEY (kind, name)
) WITHOUT ROWID;
"""
"""What housekeeping saw without a need, and when first."""

UIDS = """
ALTER TABLE projects ADD COLUMN uid INTEGER;
CREATE UNIQUE INDEX projects_by_uid ON projects (uid);
"""
"""Each project's containers run as a user of their own."""

MARKS = """
CREATE TABLE marks (
    name TEXT PRIMARY KEY
) WITHOUT ROWID;
"""
"""What was done once to the whole database and is not to be done again."""

LOCKS = """
CREATE TABLE locks (
    project TEXT NOT NULL,
    environment TEXT NOT NULL,
    who TEXT NOT NULL,
    reason TEXT NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (project, environment)
) WITHOUT ROWID;
ALTER TABLE activities ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
"""
"""Who keeps an environment as it is, and which activities wait for that."""

ANSWERS = """
CREATE TABLE answers (
    project TEXT NOT NULL,
    environment TEXT NOT NULL,
    url TEXT NOT NULL,
    usual INTEGER,
    wrong TEXT NOT NULL DEFAULT '',
    since TEXT NOT NULL,
    PRIMARY KEY (project, environment, url)
) WITHOUT ROWID;
"""
"""What environments answered when their versions became live, and what they answer wrongly since."""

PEOPLE = """
CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    token TEXT NOT NULL,
    proof TEXT NOT NULL,
    began TEXT NOT NULL,
    seen TEXT NOT NULL,
    ends TEXT NOT NULL,
    address TEXT NOT NULL,
    agent TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE audit (
    number INTEGER PRIMARY KEY,
    project TEXT NOT NULL,
    deed TEXT NOT NULL,
    hash TEXT NOT NULL
);
CREATE INDEX audit_of_project ON audit (project, number);
CREATE TRIGGER audit_only_grows BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END;
CREATE TRIGGER audit_goes_on BEFORE INSERT ON audit
    WHEN NEW.number IS NOT (SELECT coalesce(max(number), 0) + 1 FROM audit)
    BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END;
CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END;

CREATE TABLE repeats (
    who TEXT NOT NULL,
    key TEXT NOT NULL,
    asked TEXT NOT NULL,
    at TEXT NOT NULL,
    status INTEGER NOT NULL,
    answer TEXT NOT NULL,
    PRIMARY KEY (who, key)
) WITHOUT ROWID;
CREATE INDEX repeats_by_time ON repeats (at);
"""
"""Browsers that are signed in, who changed what, and requests that are not done twice."""

PERSONS = """
CREATE TABLE persons (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    email TEXT NOT NULL,
    roles TEXT NOT NULL,
    since TEXT NOT NULL,
    gone TEXT
) WITHOUT ROWID;

CREATE TABLE tokens (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    person TEXT NOT NULL REFERENCES persons (id),
    label TEXT NOT NULL,
    digest TEXT NOT NULL UNIQUE,
    role TEXT NOT NULL,
    projects TEXT NOT NULL,
    since TEXT NOT NULL,
    ends TEXT,
    used TEXT,
    used_from TEXT NOT NULL DEFAULT '',
    UNIQUE (person, label)
);

CREATE TABLE keys (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    person TEXT NOT NULL REFERENCES persons (id),
    label TEXT NOT NULL,
    blob BLOB NOT NULL UNIQUE,
    since TEXT NOT NULL,
    used TEXT,
    used_from TEXT NOT NULL DEFAULT '',
    UNIQUE (person, label)
);
"""
"""Persons, and what they prove who they are with."""

RESTS = """
ALTER TABLE environments ADD COLUMN rest TEXT NOT NULL DEFAULT '' CHECK (rest IN ('', 'paused', 'inactive'));
ALTER TABLE environments ADD COLUMN rested_at TEXT;
ALTER TABLE environments ADD COLUMN visited_at TEXT;
ALTER TABLE environments ADD COLUMN title TEXT NOT NULL DEFAULT '';
ALTER TABLE environments ADD COLUMN parent TEXT NOT NULL DEFAULT '';
"""
"""Environments of which nothing runs, since when; when somebody came last; what people call them, and their parents."""

KEPT_BACK = """
CREATE TABLE kept_back (
    project TEXT NOT NULL,
    branch TEXT NOT NULL,
    commit_id TEXT NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (project, branch)
) WITHOUT ROWID;
"""
"""Commits that were pushed to be stored and not deployed."""

STAYS = """
CREATE TABLE stays (
    id TEXT PRIMARY KEY,
    project TEXT NOT NULL,
    environment TEXT NOT NULL,
    part TEXT NOT NULL,
    activity INTEGER NOT NULL,
    kind TEXT NOT NULL,
    who TEXT NOT NULL,
    by TEXT NOT NULL,
    address TEXT NOT NULL,
    connection TEXT NOT NULL,
    said TEXT NOT NULL,
    began TEXT NOT NULL
) WITHOUT ROWID;
"""
"""Who is in an environment over SSH now."""

BAD_RELEASES = """
CREATE TABLE bad_releases (
    activity INTEGER PRIMARY KEY,
    project TEXT NOT NULL,
    environment TEXT NOT NULL,
    why TEXT NOT NULL,
    at TEXT NOT NULL,
    back INTEGER,
    back_to INTEGER
) WITHOUT ROWID;
CREATE INDEX bad_releases_of_environment ON bad_releases (project, environment);
"""
"""What was found bad after its switch, and the rollback that it led to."""

TICKETS = """
ALTER TABLE locks ADD COLUMN until TEXT;
CREATE TABLE tickets (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    project TEXT NOT NULL,
    environment TEXT NOT NULL,
    branch TEXT NOT NULL,
    source TEXT NOT NULL,
    commit_id TEXT NOT NULL,
    stages TEXT NOT NULL,
    stage INTEGER NOT NULL DEFAULT 0,
    activity INTEGER NOT NULL,
    state TEXT NOT NULL,
    asked TEXT NOT NULL,
    comment TEXT NOT NULL,
    asked_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    not_before TEXT,
    digest TEXT NOT NULL DEFAULT '',
    brief TEXT NOT NULL DEFAULT '',
    obstacles TEXT NOT NULL DEFAULT '[]',
    news INTEGER NOT NULL DEFAULT 0,
    emergency_by TEXT NOT NULL DEFAULT '',
    emergency_why TEXT NOT NULL DEFAULT '',
    ended_at TEXT,
    ended_by TEXT NOT NULL DEFAULT '',
    ended_why TEXT NOT NULL DEFAULT ''
);
CREATE INDEX tickets_by_activity ON tickets (activity);
CREATE INDEX open_tickets ON tickets (state) WHERE ended_at IS NULL;
CREATE TABLE approvals (
    ticket INTEGER NOT NULL,
    digest TEXT NOT NULL,
    who TEXT NOT NULL,
    person TEXT NOT NULL,
    at TEXT NOT NULL,
    comment TEXT NOT NULL,
    PRIMARY KEY (ticket, digest, who)
) WITHOUT ROWID;
CREATE TRIGGER ticket_follows_activity AFTER UPDATE OF state ON activities
    WHEN NEW.state IN ('success', 'failed', 'cancelled', 'superseded')
    BEGIN
        UPDATE tickets SET state = 'next' WHERE activity = NEW.id AND ended_at IS NULL AND NEW.state = 'success'
            AND stage + 1 < json_array_length(stages);
        UPDATE tickets SET
            state = CASE NEW.state WHEN 'success' THEN 'done' WHEN 'cancelled' THEN 'withdrawn' ELSE NEW.state END,
            ended_why = NEW.reason, ended_at = NEW.ended_at
            WHERE activity = NEW.id AND ended_at IS NULL
            AND NOT (NEW.state = 'success' AND stage + 1 < json_array_length(stages));
        UPDATE tickets SET state = 'done', ended_why = 'it was live already when it was ' || state || ': ' || ended_why
            WHERE activity = NEW.id AND NEW.state = 'success' AND stage + 1 = json_array_length(stages)
            AND state IN ('declined', 'withdrawn', 'expired', 'void');
    END;
"""
"""What waits before protected environments, and who approved it. A ticket ends with its activity, in one step. And
locks that end by themselves."""

REPORTS = """
CREATE TABLE reports (
    activity INTEGER PRIMARY KEY,
    told TEXT NOT NULL DEFAULT '',
    telling TEXT NOT NULL DEFAULT '',
    done INTEGER NOT NULL DEFAULT 0,
    ids TEXT NOT NULL DEFAULT '{}',
    failing_since TEXT
);
"""
"""How much of an activity its forge was told."""

VARIABLES = """
CREATE TABLE variables (
    project TEXT NOT NULL,
    environment TEXT NOT NULL,
    name TEXT NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER,
    value TEXT NOT NULL,
    traits TEXT NOT NULL,
    who TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    PRIMARY KEY (project, environment, name, since)
) WITHOUT ROWID;
CREATE UNIQUE INDEX variables_of_now ON variables (project, environment, name) WHERE until IS NULL;
CREATE TABLE variable_revisions (
    project TEXT PRIMARY KEY,
    revision INTEGER NOT NULL
) WITHOUT ROWID;
"""
"""Variables that people set, each from one revision of its project's to another: what is live sees those of its own."""

MIGRATIONS: tuple[str, ...] = (
    FIRST, FAILED_BY_TIME, OPEN_OF_ENVIRONMENT, UNNEEDED, UIDS, MARKS, LOCKS, ANSWERS, PEOPLE, PERSONS,
    RESTS, KEPT_BACK, STAYS, BAD_RELEASES, TICKETS, REPORTS, VARIABLES,
)
