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
CREATE TABLE fact (
	id INTEGER NOT NULL, 
	incident INTEGER NOT NULL, 
	at VARCHAR NOT NULL, 
	"key" VARCHAR NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(incident) REFERENCES incident (number)
);
CREATE TABLE incident (
	number INTEGER NOT NULL, 
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
	simulated BOOLEAN NOT NULL, 
	origin VARCHAR, 
	alert_started_at VARCHAR, 
	opened_at VARCHAR NOT NULL, 
	closed_at VARCHAR, 
	recorded_at VARCHAR NOT NULL, 
	pid INTEGER, 
	document TEXT NOT NULL, 
	PRIMARY KEY (number), 
	UNIQUE (origin)
);
INSERT INTO "incident" VALUES(1,'f1','HighLatency payments-api','HighLatency','payments-api','critical','recovered','fault','capacity-exhausted','payments-api','payments-api is out of capacity','scale_service payments-api replicas=6',1,0,NULL,'2026-11-01T03:08:00+00:00','2026-11-01T03:12:00+00:00','2026-11-01T03:20:00+00:00','2026-11-01T03:12:01+00:00',4711,'{"schema_version": 1, "incident": {"id": "INC-0001", "title": "HighLatency payments-api", "status": "recovered", "note": ""}, "alert": {"name": "HighLatency", "summary": "latency over 5 s", "annotations": {}}, "diagnosis": {"summary": "latency over 5 s"}, "actions": [{"action": "scale_service", "target": "payments-api"}]}');
INSERT INTO "incident" VALUES(2,'f2','DiskFull ledger-db','DiskFull','ledger-db','warning','action_needed','fault','quota-exceeded','ledger-db','no space left on device',NULL,0,0,NULL,'2026-11-02T03:08:00+00:00','2026-11-02T03:12:00+00:00','2026-11-02T03:20:00+00:00','2026-11-02T03:12:01+00:00',4712,'{"schema_version": 1, "incident": {"id": "INC-0002", "title": "DiskFull ledger-db", "status": "action_needed", "note": ""}, "alert": {"name": "DiskFull", "summary": "the volume is full", "annotations": {}}, "diagnosis": {"summary": "the volume is full"}, "actions": []}');
CREATE TABLE post (
	term INTEGER NOT NULL, 
	incident INTEGER NOT NULL, 
	impact FLOAT NOT NULL, 
	PRIMARY KEY (term, incident), 
	FOREIGN KEY(term) REFERENCES term (id), 
	FOREIGN KEY(incident) REFERENCES incident (number)
);
INSERT INTO "post" VALUES(1,1,8.13008130081300794955e-01);
INSERT INTO "post" VALUES(2,1,8.60323886639676072007e-01);
INSERT INTO "post" VALUES(3,1,8.88529886914378064233e-01);
INSERT INTO "post" VALUES(4,1,8.88529886914378064233e-01);
INSERT INTO "post" VALUES(5,1,8.88529886914378064233e-01);
INSERT INTO "post" VALUES(6,1,6.44329896907216426171e-01);
INSERT INTO "post" VALUES(7,1,6.44329896907216426171e-01);
INSERT INTO "post" VALUES(8,1,6.44329896907216426171e-01);
INSERT INTO "post" VALUES(9,1,6.44329896907216426171e-01);
INSERT INTO "post" VALUES(10,1,6.44329896907216426171e-01);
INSERT INTO "post" VALUES(11,2,7.93650793650793606737e-01);
INSERT INTO "post" VALUES(12,2,7.93650793650793606737e-01);
INSERT INTO "post" VALUES(13,2,8.5259734552166654975e-01);
INSERT INTO "post" VALUES(14,2,7.93650793650793606737e-01);
INSERT INTO "post" VALUES(15,2,7.93650793650793606737e-01);
INSERT INTO "post" VALUES(16,2,7.93650793650793606737e-01);
INSERT INTO "post" VALUES(17,2,6.59630606860158397175e-01);
INSERT INTO "post" VALUES(18,2,6.59630606860158397175e-01);
INSERT INTO "post" VALUES(19,2,6.59630606860158397175e-01);
INSERT INTO "post" VALUES(20,2,6.59630606860158397175e-01);
INSERT INTO "post" VALUES(21,2,6.59630606860158397175e-01);
CREATE TABLE schema_version (
	version INTEGER NOT NULL, 
	applied_at VARCHAR NOT NULL, 
	PRIMARY KEY (version)
);
INSERT INTO "schema_version" VALUES(1,'2026-11-01T00:00:00+00:00');
INSERT INTO "schema_version" VALUES(2,'2026-11-20T13:00:00+00:00');
INSERT INTO "schema_version" VALUES(3,'2026-11-20T14:00:00+00:00');
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
	PRIMARY KEY (id), 
	UNIQUE (text)
);
INSERT INTO "term" VALUES(1,'highlatency',1);
INSERT INTO "term" VALUES(2,'latency',1);
INSERT INTO "term" VALUES(3,'payments-api',1);
INSERT INTO "term" VALUES(4,'payment',1);
INSERT INTO "term" VALUES(5,'api',1);
INSERT INTO "term" VALUES(6,'out',1);
INSERT INTO "term" VALUES(7,'capacity',1);
INSERT INTO "term" VALUES(8,'scale_service',1);
INSERT INTO "term" VALUES(9,'scale',1);
INSERT INTO "term" VALUES(10,'service',1);
INSERT INTO "term" VALUES(11,'diskfull',1);
INSERT INTO "term" VALUES(12,'disk',1);
INSERT INTO "term" VALUES(13,'full',1);
INSERT INTO "term" VALUES(14,'ledger-db',1);
INSERT INTO "term" VALUES(15,'ledger',1);
INSERT INTO "term" VALUES(16,'db',1);
INSERT INTO "term" VALUES(17,'no',1);
INSERT INTO "term" VALUES(18,'space',1);
INSERT INTO "term" VALUES(19,'left',1);
INSERT INTO "term" VALUES(20,'device',1);
INSERT INTO "term" VALUES(21,'volume',1);
CREATE INDEX ix_incident_service ON incident (service);
CREATE INDEX ix_incident_fingerprint ON incident (fingerprint);
CREATE INDEX ix_decision_incident ON decision (incident);
CREATE INDEX ix_action_incident ON action (incident);
CREATE INDEX ix_fact_incident ON fact (incident);
CREATE INDEX ix_span_incident ON span (incident);
CREATE INDEX post_by_incident ON post (incident);
COMMIT;
