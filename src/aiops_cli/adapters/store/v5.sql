CREATE TABLE request (
    number {key},
    incident INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    state {text} NOT NULL,
    digest {text} NOT NULL,
    canonical TEXT NOT NULL,
    details TEXT NOT NULL,
    action {text} NOT NULL,
    target {text} NOT NULL,
    arguments TEXT NOT NULL,
    subject TEXT NOT NULL,
    environment {text} NOT NULL,
    simulated BOOLEAN NOT NULL,
    requester {text} NOT NULL,
    ticket {text},
    policy_digest {text} NOT NULL,
    proposed_at {text} NOT NULL,
    decide_by {text} NOT NULL,
    run_by {text} NOT NULL,
    started_at {text},
    finished_at {text},
    detail TEXT NOT NULL,
    outcome {text},
    undoes INTEGER,
    "foreign" BOOLEAN NOT NULL,
    pid INTEGER,
    host {text},
    PRIMARY KEY (number),
    FOREIGN KEY(incident) REFERENCES incident (number)
);

CREATE INDEX ix_request_digest ON request (digest);

CREATE INDEX ix_request_incident ON request (incident);

CREATE INDEX ix_request_state ON request (state);

CREATE TABLE audit (
    seq BIGINT NOT NULL,
    at {text} NOT NULL,
    body TEXT NOT NULL,
    previous {text} NOT NULL,
    hash {text} NOT NULL,
    PRIMARY KEY (seq)
);

CREATE INDEX ix_audit_at ON audit (at);

CREATE TABLE audit_position (
    receiver {text} NOT NULL,
    seq BIGINT NOT NULL,
    at {text} NOT NULL,
    PRIMARY KEY (receiver)
);

CREATE TABLE session_grant (
    number {key},
    action {text} NOT NULL,
    target {text} NOT NULL,
    arguments TEXT NOT NULL,
    uses INTEGER NOT NULL,
    used INTEGER NOT NULL,
    "by" {text} NOT NULL,
    reason TEXT NOT NULL,
    at {text} NOT NULL,
    expires_at {text} NOT NULL,
    revoked_at {text},
    revoked_by {text},
    environment {text} NOT NULL,
    simulated BOOLEAN NOT NULL,
    PRIMARY KEY (number)
);

CREATE TABLE promotion (
    number {key},
    action {text} NOT NULL,
    target {text} NOT NULL,
    simulated BOOLEAN NOT NULL,
    policy_digest {text} NOT NULL,
    "by" {text} NOT NULL,
    reason TEXT NOT NULL,
    at {text} NOT NULL,
    ended_at {text},
    ended_by {text},
    ended_why TEXT,
    environment {text} NOT NULL,
    per_day INTEGER NOT NULL,
    PRIMARY KEY (number)
);

CREATE TABLE intake (
    incident INTEGER NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (incident),
    FOREIGN KEY(incident) REFERENCES incident (number)
);

CREATE TABLE handoff (
    id {key},
    incident INTEGER NOT NULL,
    decision {text} NOT NULL,
    owner {text} NOT NULL,
    note TEXT NOT NULL,
    "by" {text} NOT NULL,
    at {text} NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(incident) REFERENCES incident (number)
);

CREATE INDEX ix_handoff_incident ON handoff (incident);
