-- What version 4 adds, as it was when it was released. Run on stores of version 3 alone; never changed afterwards.
CREATE TABLE answer (
    number INTEGER NOT NULL,
    digest VARCHAR NOT NULL,
    model VARCHAR NOT NULL,
    text TEXT NOT NULL,
    attributes TEXT NOT NULL,
    size INTEGER NOT NULL,
    at VARCHAR NOT NULL,
    PRIMARY KEY (number),
    UNIQUE (digest)
);

CREATE TABLE breaker (
    model VARCHAR NOT NULL,
    failures INTEGER NOT NULL,
    opened_at VARCHAR,
    probing_since VARCHAR,
    PRIMARY KEY (model)
);

CREATE TABLE incident_new (
    number INTEGER NOT NULL,
    uid VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    fingerprint VARCHAR NOT NULL,
    title VARCHAR NOT NULL,
    alert VARCHAR NOT NULL,
    service VARCHAR,
    severity VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    verdict VARCHAR,
    fault_class VARCHAR,
    root_entity VARCHAR,
    cause TEXT NOT NULL,
    fix TEXT,
    fix_verified BOOLEAN NOT NULL,
    fix_worked BOOLEAN,
    lesson TEXT NOT NULL,
    environment VARCHAR NOT NULL,
    simulated BOOLEAN NOT NULL,
    pinned BOOLEAN NOT NULL,
    origin VARCHAR,
    alert_started_at VARCHAR,
    detected_at VARCHAR,
    opened_at VARCHAR NOT NULL,
    acknowledged_at VARCHAR,
    mitigated_at VARCHAR,
    closed_at VARCHAR,
    recorded_at VARCHAR NOT NULL,
    pid INTEGER,
    host VARCHAR,
    PRIMARY KEY (number),
    UNIQUE (uid),
    UNIQUE (origin)
);

CREATE TABLE index_state (
    id INTEGER NOT NULL,
    documents INTEGER NOT NULL,
    last_item INTEGER NOT NULL,
    made_with VARCHAR NOT NULL,
    thesaurus TEXT NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE model_call (
    number INTEGER NOT NULL,
    at VARCHAR NOT NULL,
    person VARCHAR NOT NULL,
    incident VARCHAR NOT NULL,
    stage VARCHAR NOT NULL,
    service VARCHAR NOT NULL,
    model VARCHAR NOT NULL,
    answered_by VARCHAR,
    outcome VARCHAR,
    seconds FLOAT,
    input_tokens BIGINT,
    cached_tokens BIGINT,
    output_tokens BIGINT,
    reserved_nano BIGINT,
    cost_nano BIGINT,
    cached BOOLEAN NOT NULL,
    PRIMARY KEY (number)
);

CREATE INDEX ix_model_call_at ON model_call (at);

CREATE INDEX ix_model_call_incident ON model_call (incident);

CREATE TABLE post (
    term INTEGER NOT NULL,
    first INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (term, first)
)
 WITHOUT ROWID;

CREATE TABLE source (
    id INTEGER NOT NULL,
    place VARCHAR NOT NULL,
    added_at VARCHAR NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (place)
);

CREATE TABLE term (
    id INTEGER NOT NULL,
    text VARCHAR NOT NULL,
    documents INTEGER NOT NULL,
    written VARCHAR,
    initial VARCHAR(1),
    length SMALLINT,
    newest BLOB NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (text)
);

CREATE INDEX term_by_initial ON term (initial, length, text) WHERE initial IS NOT NULL;

CREATE TABLE vector (
    model VARCHAR NOT NULL,
    item INTEGER NOT NULL,
    digest VARCHAR NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (model, item)
);

CREATE INDEX ix_vector_digest ON vector (digest);

CREATE TABLE document (
    incident INTEGER NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (incident),
    FOREIGN KEY(incident) REFERENCES incident (number)
);

CREATE TABLE edit (
    id INTEGER NOT NULL,
    incident INTEGER NOT NULL,
    field VARCHAR NOT NULL,
    "before" TEXT NOT NULL,
    "after" TEXT NOT NULL,
    "by" VARCHAR NOT NULL,
    at VARCHAR NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(incident) REFERENCES incident (number)
);

CREATE INDEX ix_edit_incident ON edit (incident);

CREATE TABLE evidence (
    incident INTEGER NOT NULL,
    id VARCHAR NOT NULL,
    source VARCHAR NOT NULL,
    entity VARCHAR NOT NULL,
    at VARCHAR,
    digest VARCHAR NOT NULL,
    text TEXT,
    PRIMARY KEY (incident, id),
    FOREIGN KEY(incident) REFERENCES incident (number)
);

CREATE TABLE feedback (
    id INTEGER NOT NULL,
    incident INTEGER,
    runbook VARCHAR,
    vote SMALLINT NOT NULL,
    why TEXT NOT NULL,
    "by" VARCHAR NOT NULL,
    at VARCHAR NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(incident) REFERENCES incident (number)
);

CREATE INDEX ix_feedback_incident ON feedback (incident);

CREATE INDEX ix_feedback_runbook ON feedback (runbook);

CREATE TABLE link (
    id INTEGER NOT NULL,
    incident INTEGER NOT NULL,
    target VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    note TEXT NOT NULL,
    "by" VARCHAR NOT NULL,
    at VARCHAR NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(incident) REFERENCES incident (number)
);

CREATE INDEX ix_link_incident ON link (incident);

CREATE TABLE page (
    number INTEGER NOT NULL,
    id VARCHAR NOT NULL,
    source INTEGER,
    path VARCHAR NOT NULL,
    size BIGINT NOT NULL,
    changed_ns BIGINT NOT NULL,
    title VARCHAR NOT NULL,
    revision VARCHAR NOT NULL,
    "commit" VARCHAR,
    shipped BOOLEAN NOT NULL,
    problem TEXT,
    matches TEXT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (number),
    FOREIGN KEY(source) REFERENCES source (id),
    UNIQUE (path)
);

CREATE INDEX ix_page_id ON page (id);

CREATE INDEX ix_page_source ON page (source);

CREATE TABLE runbook_use (
    incident INTEGER NOT NULL,
    runbook VARCHAR NOT NULL,
    revision VARCHAR NOT NULL,
    "commit" VARCHAR,
    role VARCHAR NOT NULL,
    at VARCHAR NOT NULL,
    PRIMARY KEY (incident, runbook, revision),
    FOREIGN KEY(incident) REFERENCES incident (number)
);

CREATE TABLE item (
    number INTEGER NOT NULL,
    kind VARCHAR NOT NULL,
    incident INTEGER,
    page INTEGER,
    at VARCHAR,
    simulated BOOLEAN NOT NULL,
    shipped BOOLEAN NOT NULL,
    fix_worked BOOLEAN NOT NULL,
    votes SMALLINT NOT NULL,
    terms BLOB NOT NULL,
    PRIMARY KEY (number),
    UNIQUE (incident),
    FOREIGN KEY(incident) REFERENCES incident (number),
    UNIQUE (page),
    FOREIGN KEY(page) REFERENCES page (number)
);
