"""The schema, as numbered steps: step n takes a database from version n - 1 to version n.

A step that was released is never changed; what comes later is a further step.
"""

from __future__ import annotations

from pathlib import Path

from peewee import SqliteDatabase

from storage.errors import DatabaseUnusable

APPLICATION_ID = 0x5041524C
"""`PARL`: what marks a SQLite file as ours."""

STEPS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE quotes (
            id TEXT NOT NULL PRIMARY KEY,
            status TEXT NOT NULL
                CHECK (status IN ('pending', 'negotiating', 'completed', 'cancelled')),
            currency TEXT NOT NULL,
            notes TEXT NOT NULL,
            priorities TEXT NOT NULL,
            lines TEXT NOT NULL,
            suppliers TEXT NOT NULL,
            supplier_names TEXT NOT NULL,
            brought TEXT NOT NULL,
            payment_options TEXT NOT NULL,
            mandate TEXT NOT NULL,
            automatic INTEGER NOT NULL,
            created_at TEXT NOT NULL,
            completed_at TEXT
        )
        """,
        "CREATE INDEX quotes_by_status ON quotes (status, created_at)",
        """
        CREATE TABLE negotiations (
            id TEXT NOT NULL PRIMARY KEY,
            quote_id TEXT NOT NULL REFERENCES quotes (id),
            supplier_id TEXT NOT NULL,
            status TEXT NOT NULL CHECK (status IN ('active', 'completed', 'impasse')),
            reason TEXT,
            rounds INTEGER NOT NULL,
            agreed_terms TEXT,
            last_error TEXT,
            supplier TEXT NOT NULL,
            mandate TEXT NOT NULL,
            rules TEXT NOT NULL,
            automatic INTEGER NOT NULL,
            brand_negotiator TEXT NOT NULL,
            supplier_negotiator TEXT NOT NULL,
            message_count INTEGER NOT NULL,
            last_hash TEXT NOT NULL,
            last_message_at TEXT,
            brief_hash TEXT NOT NULL,
            row_hash TEXT NOT NULL,
            created_at TEXT NOT NULL,
            ended_at TEXT,
            UNIQUE (quote_id, supplier_id)
        )
        """,
        "CREATE INDEX negotiations_active ON negotiations (quote_id) WHERE status = 'active'",
        """
        CREATE TABLE messages (
            id INTEGER NOT NULL PRIMARY KEY,
            negotiation_id TEXT NOT NULL REFERENCES negotiations (id),
            seq INTEGER NOT NULL CHECK (seq > 0),
            sender TEXT NOT NULL CHECK (sender IN ('brand', 'supplier', 'user')),
            content TEXT NOT NULL,
            move TEXT CHECK (move IN ('offer', 'accept', 'walk_away', 'talk')),
            terms TEXT,
            accepts_seq INTEGER,
            origin TEXT NOT NULL,
            created_at TEXT NOT NULL,
            hash TEXT NOT NULL,
            UNIQUE (negotiation_id, seq)
        )
        """,
        """
        CREATE TABLE interventions (
            id TEXT NOT NULL PRIMARY KEY,
            negotiation_id TEXT NOT NULL REFERENCES negotiations (id),
            text TEXT,
            limits TEXT,
            priorities TEXT,
            action TEXT CHECK (action IN ('accept', 'walk_away', 'continue')),
            accepts_seq INTEGER,
            status TEXT NOT NULL CHECK (status IN ('received', 'applied', 'refused')),
            reason TEXT,
            message_seq INTEGER,
            applied_seq INTEGER,
            row_hash TEXT,
            created_at TEXT NOT NULL
        )
        """,
        "CREATE INDEX interventions_by_negotiation ON interventions (negotiation_id, created_at)",
        "CREATE INDEX interventions_open ON interventions (created_at) WHERE status = 'received'",
    ),
    # nobody could write interventions before; now another program can, with the fewest columns
    (
        "DROP TABLE interventions",
        """
        CREATE TABLE interventions (
            id TEXT NOT NULL PRIMARY KEY DEFAULT ('i-' || lower(hex(randomblob(8)))),
            negotiation_id TEXT NOT NULL REFERENCES negotiations (id),
            text TEXT,
            limits TEXT,
            priorities TEXT,
            action TEXT CHECK (action IN ('accept', 'walk_away', 'continue')),
            accepts_seq INTEGER,
            status TEXT NOT NULL DEFAULT 'received'
                CHECK (status IN ('received', 'applied', 'refused')),
            reason TEXT,
            message_seq INTEGER,
            applied_seq INTEGER,
            row_hash TEXT,
            created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'))
        )
        """,
        "CREATE INDEX interventions_by_negotiation ON interventions (negotiation_id, created_at)",
        "CREATE INDEX interventions_open ON interventions (created_at) WHERE status = 'received'",
    ),
    # language models
    (
        """
        CREATE TABLE calls (
            id TEXT NOT NULL PRIMARY KEY,
            quote_id TEXT NOT NULL REFERENCES quotes (id),
            negotiation_id TEXT NOT NULL REFERENCES negotiations (id),
            draft_id TEXT NOT NULL,
            side TEXT NOT NULL CHECK (side IN ('brand', 'supplier')),
            attempt INTEGER NOT NULL CHECK (attempt > 0),
            model TEXT NOT NULL,
            model_served TEXT,
            prompt_version TEXT NOT NULL,
            may_cost_tokens INTEGER NOT NULL,
            prompt_tokens INTEGER,
            completion_tokens INTEGER,
            queued_s REAL NOT NULL,
            latency_s REAL,
            finish_reason TEXT,
            outcome TEXT,
            http_status INTEGER,
            created_at TEXT NOT NULL
        )
        """,
        "CREATE INDEX calls_by_negotiation ON calls (negotiation_id, created_at)",
        "CREATE INDEX calls_by_quote ON calls (quote_id)",
    ),
)


def version(database: SqliteDatabase) -> int:
    """The number of the last step that the database has been through."""
    return int(database.pragma("user_version"))


def check(database: SqliteDatabase, path: Path) -> None:
    """Make sure that the file is empty or ours, without writing to it.

    Raises:
        DatabaseUnusable: It belongs to another program, or to a newer version of this one.
    """
    tables = database.get_tables()
    if tables and int(database.pragma("application_id")) != APPLICATION_ID:
        raise DatabaseUnusable(f"{path}: is a database of another program: name another file")
    if version(database) > len(STEPS):
        raise DatabaseUnusable(
            f"{path}: was written by a newer version "
            f"(schema {version(database)}, this one knows {len(STEPS)}): update this program"
        )


def check_is_newest(database: SqliteDatabase, path: Path) -> None:
    """Make sure that a checked database can be read as it is.

    Raises:
        DatabaseUnusable: Steps are missing, and who only reads runs none.
    """
    if version(database) < len(STEPS):
        raise DatabaseUnusable(
            f"{path}: is empty or was written by an older version: `run` brings it up to date"
        )


def migrate(database: SqliteDatabase) -> None:
    """Bring a checked database to the newest version, all missing steps in one transaction."""
    if version(database) == len(STEPS):
        return
    with database.atomic("IMMEDIATE"):
        # another process may have been faster, so the version counts only inside the transaction
        for step in STEPS[version(database) :]:
            for statement in step:
                database.execute_sql(statement)  # type: ignore[no-untyped-call]
        database.pragma("application_id", APPLICATION_ID)
        database.pragma("user_version", len(STEPS))
