BEGIN TRANSACTION;
CREATE TABLE action (
	id INTEGER NOT NULL, 
	incident INTEGER NOT NULL, 
	attempt INTEGER NOT NULL, 
	digest VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	target VARCHAR NOT NULL, 
	arguments TEXT NOT NULL, 
	state VARCHAR NOT NULL, 
	detail TEXT NOT NULL, 
	started_at VARCHAR NOT NULL, 
	finished_at VARCHAR, 
	token VARCHAR, 
	PRIMARY KEY (id), 
	FOREIGN KEY(incident) REFERENCES incident (number), 
	UNIQUE (token)
);
INSERT INTO "action" VALUES(1,1,1,'sha256:5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e','scale_service','payments-api','{"replicas": 6}','done','scaled','2026-09-02T03:14:01+00:00','2026-09-02T03:14:02+00:00',NULL);
INSERT INTO "action" VALUES(2,2,1,'sha256:6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f','restart_service','checkout','{}','executing','','2026-09-03T03:14:01+00:00',NULL,'t1');
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
CREATE TABLE attempt (
	incident INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	action VARCHAR NOT NULL, 
	target VARCHAR NOT NULL, 
	outcome VARCHAR NOT NULL, 
	explanation TEXT NOT NULL, 
	started_at VARCHAR NOT NULL, 
	finished_at VARCHAR, 
	PRIMARY KEY (incident, number), 
	FOREIGN KEY(incident) REFERENCES incident (number)
);
CREATE TABLE breaker (
    model VARCHAR NOT NULL,
    failures INTEGER NOT NULL,
    opened_at VARCHAR,
    probing_since VARCHAR,
    PRIMARY KEY (model)
);
CREATE TABLE decision (
	id INTEGER NOT NULL, 
	incident INTEGER NOT NULL, 
	attempt INTEGER NOT NULL, 
	digest VARCHAR NOT NULL, 
	call TEXT NOT NULL, 
	answer VARCHAR NOT NULL, 
	"by" VARCHAR NOT NULL, 
	method VARCHAR NOT NULL, 
	reason TEXT NOT NULL, 
	at VARCHAR NOT NULL, 
	expires_at VARCHAR, 
	token VARCHAR, 
	PRIMARY KEY (id), 
	FOREIGN KEY(incident) REFERENCES incident (number)
);
INSERT INTO "decision" VALUES(1,1,1,'sha256:5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e','{"action":"scale_service"}','approve','ines (local, not authenticated)','prompt','approved at the prompt','2026-09-02T03:14:00+00:00',NULL,NULL);
CREATE TABLE document (
    incident INTEGER NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (incident),
    FOREIGN KEY(incident) REFERENCES incident (number)
);
INSERT INTO "document" VALUES(1,'{"schema_version": 1, "incident": {"id": "INC-0001", "title": "HighLatency payments-api", "status": "recovered", "note": ""}, "alert": {"name": "HighLatency", "summary": "latency over 5 s", "annotations": {}}, "diagnosis": {"summary": "latency over 5 s"}, "actions": [{"action": "scale_service", "target": "payments-api"}]}');
INSERT INTO "document" VALUES(2,'{"schema_version": 1, "incident": {"id": "INC-0002", "title": "DiskFull ledger-db", "status": "action_needed", "note": ""}, "alert": {"name": "DiskFull", "summary": "the volume is full", "annotations": {}}, "diagnosis": {"summary": "the volume is full"}, "actions": []}');
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
CREATE TABLE fact (
	id INTEGER NOT NULL, 
	incident INTEGER NOT NULL, 
	at VARCHAR NOT NULL, 
	"key" VARCHAR NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY (id), 
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
CREATE TABLE "incident" (
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
INSERT INTO "incident" VALUES(1,'96ccb390d9302b86426fc1e406c5fe8c','incident','f1','HighLatency payments-api','HighLatency','payments-api','critical','recovered','fault','capacity-exhausted','payments-api','payments-api is out of capacity','scale_service payments-api replicas=6',1,NULL,'','unknown',0,0,NULL,'2026-11-01T03:08:00+00:00','2026-11-01T03:12:00+00:00','2026-11-01T03:12:00+00:00',NULL,NULL,'2026-11-01T03:20:00+00:00','2026-11-01T03:12:01+00:00',4711,NULL);
INSERT INTO "incident" VALUES(2,'a887697f4faa6911d00fa2454256408c','incident','f2','DiskFull ledger-db','DiskFull','ledger-db','warning','action_needed','fault','quota-exceeded','ledger-db','no space left on device',NULL,0,NULL,'','unknown',0,0,NULL,'2026-11-02T03:08:00+00:00','2026-11-02T03:12:00+00:00','2026-11-02T03:12:00+00:00',NULL,NULL,'2026-11-02T03:20:00+00:00','2026-11-02T03:12:01+00:00',4712,NULL);
CREATE TABLE index_state (
	id INTEGER NOT NULL, 
	documents INTEGER NOT NULL, 
	last_item INTEGER NOT NULL, 
	made_with VARCHAR NOT NULL, 
	thesaurus TEXT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "index_state" VALUES(1,0,0,'','{}');
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
CREATE TABLE post (
	term INTEGER NOT NULL, 
	first INTEGER NOT NULL, 
	data BLOB NOT NULL, 
	PRIMARY KEY (term, first)
)
 WITHOUT ROWID

;
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
CREATE TABLE schema_version (
	version INTEGER NOT NULL, 
	applied_at VARCHAR NOT NULL, 
	PRIMARY KEY (version)
);
INSERT INTO "schema_version" VALUES(1,'2026-11-01T00:00:00+00:00');
INSERT INTO "schema_version" VALUES(2,'2026-11-20T13:00:00+00:00');
INSERT INTO "schema_version" VALUES(3,'2026-11-20T14:00:00+00:00');
INSERT INTO "schema_version" VALUES(4,'2026-11-21T01:44:14.626222+00:00');
CREATE TABLE source (
    id INTEGER NOT NULL,
    place VARCHAR NOT NULL,
    added_at VARCHAR NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (place)
);
CREATE TABLE span (
	trace_id VARCHAR NOT NULL, 
	span_id VARCHAR NOT NULL, 
	parent_id VARCHAR, 
	incident INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	start_ns BIGINT NOT NULL, 
	duration_ns BIGINT NOT NULL, 
	error VARCHAR, 
	attributes TEXT NOT NULL, 
	PRIMARY KEY (trace_id, span_id), 
	FOREIGN KEY(incident) REFERENCES incident (number)
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
CREATE TABLE vector (
    model VARCHAR NOT NULL,
    item INTEGER NOT NULL,
    digest VARCHAR NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (model, item)
);
CREATE INDEX ix_decision_incident ON decision (incident);
CREATE INDEX ix_action_incident ON action (incident);
CREATE INDEX ix_fact_incident ON fact (incident);
CREATE INDEX ix_span_incident ON span (incident);
CREATE INDEX ix_model_call_at ON model_call (at);
CREATE INDEX ix_model_call_incident ON model_call (incident);
CREATE INDEX ix_vector_digest ON vector (digest);
CREATE INDEX ix_edit_incident ON edit (incident);
CREATE INDEX ix_feedback_incident ON feedback (incident);
CREATE INDEX ix_feedback_runbook ON feedback (runbook);
CREATE INDEX ix_link_incident ON link (incident);
CREATE INDEX ix_page_id ON page (id);
CREATE INDEX ix_page_source ON page (source);
CREATE INDEX ix_incident_fingerprint ON incident (fingerprint);
CREATE INDEX ix_incident_service ON incident (service);
CREATE INDEX ix_incident_opened_at ON incident (opened_at);
CREATE INDEX ix_incident_recorded_at ON incident (recorded_at);
CREATE INDEX term_by_initial ON term (initial, length, text) WHERE initial IS NOT NULL;
COMMIT;
