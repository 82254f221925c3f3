"""Signatures: words of a cluster, an event or a log that name a cause. Ids are those of reasoner.md section 2.

Rows whose number is not in that catalogue: G are rows of `kubectl get pods`, Y are words of applications, R of brokers.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache

from aiops_cli.domain.evidence import ClusterEvent, Evidence, LogLine, TextLines
from aiops_cli.domain.findings.body import text
from aiops_cli.domain.findings.cluster import Cluster, is_over, see
from aiops_cli.domain.findings.finding import Case, Finding
from aiops_cli.domain.findings.network import find_resolver
from aiops_cli.domain.identity import is_related, service_of_host, workload_of
from aiops_cli.domain.quotes import shorten
from aiops_cli.domain.trouble import has_trouble
from aiops_cli.domain.vocabulary import FaultClass as F

_QUOTED_CHARS = 200
_MAX_LINE = 2_000
_PER_SIGNATURE = 2
_CITED = 5


@dataclass(frozen=True, slots=True)
class Signature:
    """A pattern over one line, what it means, and how specific it is (nats).

    `words` are the plain words of which one must be in the lower-cased line before the pattern is tried. `blames` says
    that the host which the line names is at fault rather than who wrote the line.
    """

    id: str
    words: tuple[str, ...]
    expression: str
    fault: F
    weight: float
    blames: bool = False

    @property
    def pattern(self) -> re.Pattern[str]:
        """The expression, compiled when its words first occur: of a hundred a run needs a few."""
        return _compiled(self.expression)


def _row(id_: str, words: str, pattern: str, fault: F, weight: float, blames: bool = False) -> Signature:
    return Signature(id_, tuple(words.split("|")), pattern, fault, weight, blames)


@cache
def _compiled(expression: str) -> re.Pattern[str]:
    return re.compile(expression, re.IGNORECASE)


# A row of `kubectl get pods`: name, ready of wanted, then the status.
_ROW = r"\s\d{1,4}/\d{1,4}\s+"
_DOWN = r"^\S{1,200} is (fatal|backoff)\b.{0,40}: "
_CONFIG = (
    r"(environment variable|env(ironment)? var|env var|config(uration)?( key| file| value)?"
    r"|setting|propert(y|ies))"
)

# The first row that matches a line is the one that counts, so what is more specific stands above.
SIGNATURES = (
    # Memory.
    _row("B06", "oom command|maxmemory|evicted_keys|cache is full", r"OOM command not allowed"
         r"|used memory > ['\"]?maxmemory"
         r"|maxmemory.{0,40}(reached|exceeded)|evicted_keys[\"']?\s?[:=]\s?[1-9]|\bcache is full",
         F.CAPACITY_EXHAUSTED, 4),
    _row("P01", "oom|out of memory|exit code|total-vm", r"\bOOM[- ]?Killed\b|\bOOMKilling\b|\bSystemOOM\b"
         r"|invoked oom-killer|exit code:?\s*137\b.{0,200}memory|out of memory: kill(ed)? process|total-vm:\d"
         r"|Memory cgroup out of memory", F.OUT_OF_MEMORY, 4),
    _row("N04", "too many open|emfile|enfile|pidpressure|resource temporarily|native thread|new thread|pthread_create"
         "|insufficientpid|cannot fork", r"too many open files|\b(EMFILE|ENFILE)\b|PIDPressure[\"'\s:=]{1,4}True"
         r"|fork: (retry: )?resource temporarily unavailable|unable to create (new )?native thread"
         r"|can't start new thread"
         r"|pthread_create failed|NodeHasInsufficientPID|cannot fork", F.CAPACITY_EXHAUSTED, 3.5),
    _row("M02", "gc overhead|full gc|gc pause|stop-the-world|gc pressure", r"GC overhead limit exceeded|gc pressure"
         r"|(full gc|gc pause|stop-the-world).{0,80}?(\b\d{4,9}(\.\d{1,6})?\s?ms\b"
         r"|\b\d{1,4}(\.\d{1,9})?\s?s(ec\w*)?\b)",
         F.OUT_OF_MEMORY, 3),
    _row("P01m", "outofmemory|out of memory|memoryerror|bad_alloc|cannot allocate memory|allocation failed",
         r"OutOfMemory(Error|Exception)|heap out of memory|(runtime|fatal error|CUDA)[: ]{1,8}.{0,40}out of memory"
         r"|CUDA out of memory|\bMemoryError\b|std::bad_alloc|cannot allocate memory"
         r"|Allocation failed - ", F.OUT_OF_MEMORY, 4),
    _row("B08", "alarm|watermark set", r"(memory|disk) resource limit alarm set|high_watermark set"
         r"|\b(mem|memory|disk(_free)?)_alarm[\"']?\s?[:=]\s?true", F.CAPACITY_EXHAUSTED, 4),
    # Admission and quota.
    _row("D05i", "immutable", r"field is immutable|cannot be changed.{0,40}immutable", F.CONFIGURATION_ERROR, 4),
    _row("Q04", "calling webhook", r"failed calling webhook", F.DEPENDENCY_FAILURE, 4, blames=True),
    # Probes come before the refused connections that they quote.
    _row("P02", "probe", r"(liveness|startup) probe (failed|errored)|failed (liveness"
         r"|startup) probe", F.PROBE_FAILURE, 3),
    _row("V03", "probe|no endpoints available|active endpoint", r"readiness probe (failed|errored)"
         r"|failed readiness probe"
         r"|no endpoints available for service|does not have any active endpoint", F.PROBE_FAILURE, 2),
    _row("Q04d", "admission webhook", r"admission webhook .{0,160}denied", F.CONFIGURATION_ERROR, 3.5),
    _row("Q01", "exceeded quota|quota exceeded", r"exceeded quota|quota exceeded", F.QUOTA, 4),
    _row("Q02", "must specify|usage per", r"must specify (limits|requests|cpu|memory)"
         r"|(maximum|minimum) [\w.-]{1,40} usage per \w{1,40} is", F.QUOTA, 4),
    _row("Q03", "podsecurity|security policy|security context", r"violates PodSecurity"
         r"|unable to validate against any (pod security policy|security context constraint)", F.PERMISSION, 4),
    _row("Q05", "serviceaccount|service account", r"service ?account \S{0,120}\s?not found"
         r"|error looking up service account", F.CONFIGURATION_ERROR, 4),
    _row("A03", "disruption budget", r"violate (the pod's|any) disruption budget", F.CONFIGURATION_ERROR, 4),
    _row("A02", "finalizer|contentremaining|finalizersremain|stuck terminating|stuck in terminating",
         r"stuck (in )?terminating|(NamespaceContent|NamespaceFinalizers|Finalizers)Remain\w*"
         r"|(waiting|blocked|remaining).{0,60}finalizer|finalizer.{0,60}(remaining|blocked|waiting)",
         F.CONFIGURATION_ERROR, 4),
    # Images.
    _row("I04", "no match", r"no match(ing manifest)? for (platform|linux/|windows/)", F.IMAGE_PULL, 4),
    _row("I05", "invalidimagename|imageneverpull|invalid reference format|inspect image",
         r"InvalidImageName|ErrImageNeverPull|invalid reference format|failed to inspect image", F.IMAGE_PULL, 4),
    _row("I02", "denied|unauthori|authorization failed|forbidden|401|403|insufficient_scope",
         r"pull access denied|insufficient_scope"
         r"|(pull|registry|errimage).{0,200}(unauthori[sz]ed|forbidden|denied|authorization failed|\b401\b|\b403\b)",
         F.IMAGE_PULL, 4),
    _row("I01", "manifest unknown|not found|repository does not exist",
         r"manifest unknown|(pull|image)\S{0,60}\s.{0,160}not found|repository does not exist", F.IMAGE_PULL, 4),
    _row("I03", "pull", r"(failed to pull|error pulling|pull(ing)? image|pull request|ErrImagePull|toomanyrequests)"
         r".{0,200}(time ?out|timed out|x509|tls|no such host|toomanyrequests|too many requests|refused|deadline"
         r"|rate limit)",
         F.IMAGE_PULL, 3),
    # Configuration of containers.
    _row("C01", "not found|couldn't find key", r"\b(secrets?|configmaps?)\b.{0,100}\bnot found|couldn't find key",
         F.CONFIGURATION_ERROR, 4),
    _row("C03", "poststart|prestop", r"FailedPostStartHook|FailedPreStopHook|(PostStart|PreStop)HookError"
         r"|(poststart|prestop) hook.{0,60}(fail|error|exit code:? [1-9])", F.CONFIGURATION_ERROR, 3),
    _row("P04", "exec format|executable file|exit code|command not found",
         r"exec format error|executable file not found|exit code:?\s*12[67]\b|\bsh: .{0,80}command not found",
         F.CONFIGURATION_ERROR, 4),
    _row("C02", "runcontainererror|createcontainererror|containerd task|oci runtime|failed to start container"
         "|cdi device",
         r"RunContainerError|CreateContainerError|failed to create (containerd task|shim)|OCI runtime (create|exec)"
         r"|failed to start container|unresolvable CDI device", F.CONFIGURATION_ERROR, 3),
    # Scheduling. The taint of control planes is in every such message, so it stands last.
    _row("S02", "gpu", r"Insufficient [\w./-]{0,60}gpu", F.SCHEDULING, 4),
    _row("S04", "didn't match", r"didn't match Pod's node (affinity|selector)", F.SCHEDULING, 4),
    _row("S05", "didn't match|didn't satisfy", r"didn't (match|satisfy) (existing )?pod.{0,8}(anti-?affinity"
         r"|topology spread)",
         F.SCHEDULING, 4),
    _row("S08", "persistentvolumeclaim|volume node affinity", r"persistentvolumeclaim \"?[\w.-]{1,253}\"? not (found"
         r"|bound)"
         r"|unbound immediate PersistentVolumeClaims|volume node affinity conflict", F.STORAGE, 4),
    _row("S09", "free ports|hostport", r"free ports for the requested pod ports|HostPortConflict"
         r"|hostPort.{0,60}(conflict|in use)", F.SCHEDULING, 4),
    _row("S01", "insufficient", r"\b\d{1,6} Insufficient (cpu|memory|ephemeral-storage)", F.SCHEDULING, 4),
    _row("S07", "too many pods|assign an ip|allocate an ip|allocate ip|no free ip|free addresses|range is full"
         "|no available ip"
         "|no ip addresses", r"\b\d{1,6} too many pods|failed to (assign|allocate)( an| for range.{0,80})? ?IP"
         r"|no (free|available) IP|no IP addresses available|range is full"
         r"|insufficient free addresses", F.SCHEDULING, 3),
    _row("S06", "unschedulable", r"node\(s\) were unschedulable", F.SCHEDULING, 4),
    _row("S10", "preempted", r"\bPreempted\b|\bpreempted by\b", F.SCHEDULING, 4),
    _row("S11", "schedulinggated|scheduling gate", r"\bSchedulingGated\b|non-empty scheduling gates", F.SCHEDULING, 4),
    _row("S03", "untolerated taint", r"untolerated taint", F.SCHEDULING, 3),
    # Storage.
    _row("T01", "provisioningfailed|storageclass|no persistent volumes",
         r"ProvisioningFailed|storageclass\S{0,60} .{0,80}not found|no persistent volumes available", F.STORAGE, 4),
    _row("T02", "multi-attach|already exclusively attached|already attached", r"Multi-Attach error"
         r"|volume .{0,120}already (exclusively )?attached to", F.STORAGE, 4),
    _row("N03", "diskpressure|imagegcfailed|freediskspacefailed|resource: nodefs|resource: imagefs"
         "|reclaim ephemeral", r"DiskPressure[\"'\s:=]{1,4}True|NodeHasDiskPressure|ImageGCFailed|FreeDiskSpaceFailed"
         r"|low on resource: (nodefs|imagefs)|attempting to reclaim ephemeral-storage", F.NODE_FAILURE, 3),
    _row("T04", "no space left|enospc|ephemeral|disk full|disk is full|disk quota exceeded", r"no space left on"
         r" device|ENOSPC"
         r"|low on resource: ephemeral-storage|exceeds? the (total|specified) (limit|size).{0,60}ephemeral"
         r"|ephemeral.{0,60}exceeds? the|\bdisk (is )?full\b|disk quota exceeded", F.STORAGE, 4),
    _row("T05", "read-only file|i/o error|input/output error|ext4-fs error|remounting filesystem",
         r"read-only file ?system|\bI/O error\b|input/output error|EXT4-fs error|remounting filesystem read-only",
         F.STORAGE, 3),
    _row("T03", "mountvolume|failedmount|attach or mount|failedattachvolume|attachvolume|mount failed",
         r"MountVolume\.\w{1,40} failed|FailedMount|unable to attach or mount volumes|FailedAttachVolume"
         r"|AttachVolume\.\w{1,40} failed|mount failed", F.STORAGE, 3),
    # Nodes.
    _row("N02", "memorypressure|insufficientmemory|evictionthresholdmet|resource: memory|reclaim memory",
         r"MemoryPressure[\"'\s:=]{1,4}True|NodeHasInsufficientMemory|low on resource: memory"
         r"|attempting to reclaim memory"
         r"|EvictionThresholdMet", F.NODE_FAILURE, 3),
    _row("N07", "rebooted|kernel panic|link is down|machine check|hardware error|soft lockup|hung_task"
         "|blocked for more",
         r"^Rebooted\b|\bRebooted\s+Node|has been rebooted|kernel panic|\blink is down\b|machine check"
         r"|\[Hardware Error\]|soft lockup|hung_task|blocked for more than \d{1,6} seconds", F.NODE_FAILURE, 3.5),
    _row("N06", "clock skew|used before issued|toskewed|tooskewed|clocknotsync|not yet valid|clock drift"
         "|clock is out of sync"
         "|clock unsynch", r"clock skew|used before issued|RequestTimeTooSkewed|ClockNotSynchroni[sz]ing|clock drift"
         r"|clock is out of sync|(token|jwt).{0,60}not yet valid|clock unsynchroni[sz]ed", F.NODE_FAILURE, 3),
    _row("N01", "notready|is not ready|stopped posting|nodestatusunknown|nodeunreachable|not reachable",
         r"\bNodeNotReady\b|\bnode\b.{0,80}is not ready|kubelet stopped posting node status|NodeStatusUnknown"
         r"|NodeUnreachable|^\s*\S{1,120}\s+NotReady\b", F.NODE_FAILURE, 3),
    # Rollouts, scaling, jobs, the control plane.
    _row("D01", "progressdeadline|progress deadline", r"ProgressDeadlineExceeded|exceeded its progress deadline",
         F.RELEASE_REGRESSION, 3),
    _row("H01", "resourcemetric|computemetrics|failed to get|unable to get metric|missing request for"
         "|no metrics returned",
         r"FailedGetResourceMetric|FailedComputeMetricsReplicas|failed to get (cpu|memory|resource)\b.{0,80}(metric"
         r"|utili[sz])"
         r"|unable to get metrics|missing request for (cpu|memory)|no metrics returned from", F.CONFIGURATION_ERROR, 4),
    _row("H02", "toomanyreplicas|more than the maximum|max node group size", r"TooManyReplicas"
         r"|desired replica count is more than the maximum|max node group size reached", F.CAPACITY_EXHAUSTED, 3),
    _row("H04", "throttl", r"\bcpu\b.{0,40}throttl|CPUThrottlingHigh|throttl\w{0,4}.{0,20}\bcpu\b"
         r"|nr_throttled[\"'\s:=]{1,3}[1-9]", F.CPU_SATURATED, 2),
    _row("J01", "backofflimit|backoff limit|specified deadline", r"BackoffLimitExceeded"
         r"|reached the specified backoff limit"
         r"|active longer than specified deadline", F.JOB_FAILURE, 3),
    _row("J02", "missed start|missschedule|unparseable schedule|suspend: true|suspend=true|cannotdeterminecurrent"
         "|toomanymissed",
         r"too many missed start times|TooManyMissedTimes|MissSchedule|unparseable schedule"
         r"|\bsuspend[:=]\s{0,20}true\b",
         F.JOB_FAILURE, 4),
    _row("A01", "apiserver|api server|etcd|client-side throttling|kubernetes api",
         r"(api-?server|api server|kubernetes api)\b.{0,80}(overload|too many requests|\b429\b|timed out|unavailable)"
         r"|client-side throttling|etcdserver: (request timed out|too many requests|leader changed"
         r"|mvcc: database space)"
         r"|etcd.{0,60}took too long", F.CAPACITY_EXHAUSTED, 3),
    # Networks and names.
    _row("R38", "split-brain|split brain|partition", r"network partition\b(?!s_?detected)|split[- ]brain"
         r"|(cluster |network )partitions? (was |were )?detected"
         r"|network_partitions?(_detected)?[\"']?\s?[:=]\s?[\"']?(true|[1-9])"
         r"|(?<!topic )\bpartitions[\"']?\s?[:=]\s?\[\s?[\"'{(\w]{1,3}[a-z]{1,60}@", F.NETWORK_PARTITION, 4),
    _row("V10", "conntrack|eaddrnotavail|assign requested address|ephemeral port", r"conntrack.{0,40}(full|exhaust"
         r"|dropp)"
         r"|EADDRNOTAVAIL|cannot assign requested address|ephemeral ports?.{0,40}exhaust", F.CAPACITY_EXHAUSTED, 4),
    _row("V05", ":53|dns", r":53\b.{0,80}(timeout|timed out|refused)|\b(core|kube-)?dns\b.{0,60}(timeout|timed out"
         r"|unavailable)"
         r"|DNSConfigForming", F.DNS, 3.5),
    _row("V04", "no such host|nxdomain|could not translate host|not known|getaddrinfo|name resolution|enotfound"
         "|eai_again"
         "|can't find|can't resolve|could not resolve host|unknownhost|nodename nor servname|servfail",
         r"no such host|NXDOMAIN|could not translate host name|name or service not known|getaddrinfo E?\w"
         r"|temporary failure in name resolution|\b(ENOTFOUND|EAI_AGAIN)\b|server can't find|can't resolve ['\"]?\w"
         r"|could not resolve host|UnknownHostException|nodename nor servname|\bSERVFAIL\b", F.DNS, 3.5),
    _row("V08", "rbac:|upstream connect error|mtls", r"RBAC: access denied|upstream connect error.{0,160}(TLS|reset)"
         r"|\bmTLS\b.{0,60}(fail|reset|denied|required)", F.PERMISSION, 4),
    _row("V07e", "has expired|is not yet valid|certificate expired|certificate_expired",
         r"certificate (has expired|is not yet valid|expired)|certificate_expired|CertificateExpired"
         r"|\b(cert|certificate|ca)\b.{0,60} has expired", F.CERTIFICATE, 4, blames=True),
    _row("V07", "x509|certificate|certpath|pkix|sslhandshake|ssl handshake|ssl routines", r"x509:"
         r"|CERTIFICATE_VERIFY_FAILED"
         r"|certificate (verify failed|verification failed|signed by unknown|is valid for|is not valid|rejected"
         r"|mismatch)"
         r"|(bad|unknown|invalid|self[- ]signed|revoked) certificate|PKIX path building failed|SSLHandshakeException"
         r"|SSL (handshake|routines).{0,60}(fail|alert|error)", F.CERTIFICATE, 4),
    # Databases, queues, caches.
    _row("B10", "\"keys |'keys ", r"[\"']KEYS [^\"'\s]*\*", F.SLOW_QUERY, 3),
    _row("B09", "wraparound|must be vacuumed", r"to avoid (transaction id |data loss from )?wraparound"
         r"|must be vacuumed within \d{1,12} transactions", F.STORAGE, 4),
    _row("B01", "pool|too many connections|too many clients|remaining connection|max_connections",
         r"(connection|client|thread|worker|hikari)[\w-]{0,20} ?pool.{0,80}"
         r"(exhaust|timed out|timeout|\bfull\b|empty|starv|is not available)|pool (is )?(exhausted|starv)"
         r"|QueuePool limit|connection is not available, request timed out|unable to acquire .{0,40}(connection|pool)"
         r"|too many (connections|clients)|remaining connection slots|(exceed|reach)\w{0,3} max_connections",
         F.POOL_EXHAUSTED, 4),
    _row("B02", "authentication failed|wrongpass|noauth|access denied for user|invalid password|login failed"
         "|invalid credentials"
         "|invalid api key|api key not valid|authentication failure|bad credentials",
         r"authentication (failed|failure)(?!.{0,80}(timeout|timed out|refused))|\bWRONGPASS\b|\bNOAUTH\b"
         r"|access denied for user"
         r"|invalid (user(name)? or )?password"
         r"|login failed for user|(invalid|bad) credentials|invalid api key|api key not valid", F.PERMISSION, 4),
    _row("B03", "deadlock|lock wait|obtain lock|lock timeout|database is locked|waiting for", r"deadlock (found"
         r"|detected)"
         r"|\bdeadlock(ed)?\b|lock wait timeout|could not obtain lock|lock timeout|database is locked"
         r"|still waiting for (\w{1,30})?lock", F.LOCK_CONTENTION, 3),
    _row("B04", "replica|read-only transaction|seconds_behind|readonly you can't|master_link_status|notwritableprimary"
         "|not master|super-read-only|read-only option", r"cannot execute \w{1,20} in a read-only transaction"
         r"|replica(tion)?\b.{0,60}(\blag|behind|broken|stopped|delayed|not in sync|fail|disconnect|diverge)"
         r"|seconds_behind_(master|source)[\"'\s:=]{1,4}[1-9]\d|READONLY You can't write|master_link_status[:=]\s?down"
         r"|NotWritablePrimary|not master and slaveOk|(super-)?read-only option", F.REPLICATION_LAG, 3),
    _row("B05", "offset|poison|dead letter|dead-letter|deserializ", r"poison (message|pill)"
         r"|(fail|error|cannot|could not|unable|exception).{0,120}\boffset\b.{0,3}\d"
         r"|\boffset\b.{0,3}\d{1,18}\b.{0,120}(fail|error|exception|deserializ|invalid|reject)", F.POISON_MESSAGE, 3),
    _row("B05l", "lag", r"\b(consumer|group|queue|partition)[\w -]{0,40}\blag\b.{0,30}?\d{4,}"
         r"|\blag[\"'\s:=]{1,3}\d{4,}",
         F.CAPACITY_EXHAUSTED, 2),
    _row("B07", "flushall|flushdb|cold cache|cache stampede|thundering herd", r"\bFLUSH(ALL|DB)\b|cold cache"
         r"|cache stampede"
         r"|thundering herd", F.COLD_CACHE, 2.5),
    _row("Y01", "syntax error at or near|sql syntax|sqlsyntax|column|ora-009|sql logic error|syntax error",
         r"syntax error at or near|error in your SQL syntax|SQLSyntaxErrorException|\bcolumn\b.{0,80}does not exist"
         r"|(unknown|no such) column|ORA-009\d\d|near ['\"].{0,60}['\"]: syntax error|SQL.{0,40}syntax error",
         F.APPLICATION_ERROR, 3.5),
    _row("Y02", "duplicate key|unique constraint|duplicate entry|constraint",
         r"duplicate key value|unique constraint failed|duplicate entry .{0,120}for key|E11000 duplicate key"
         r"|violates (unique|foreign key|not-null|check|exclusion) constraint", F.APPLICATION_ERROR, 3.5),
    _row("Y03", "relation|does not exist|doesn't exist|no such table|migration|missing table",
         r"relation .{0,120}does not exist|table .{0,120}does(n't| not) exist|no such table|schema-validation: missing"
         r"|(pending|unapplied|missing) migrations?|migrations? .{0,60}(not (been )?applied|failed|missing"
         r"|out of date)",
         F.APPLICATION_ERROR, 3.5),
    _row("Y08", "statement timeout|slow query|query timed out|query execution was interrupted|query exceeded"
         "|querytimeout",
         r"statement timeout|slow query|query timed out|query execution was interrupted|query exceeded .{0,40}(time"
         r"|limit)"
         r"|QueryTimeout", F.SLOW_QUERY, 3),
    # Applications.
    _row("Y06", "already in use|eaddrinuse|already allocated", r"address already in use|EADDRINUSE"
         r"|port \d{1,5}( is| was)? already (in use|allocated|bound)|port is already allocated",
         F.CONFIGURATION_ERROR, 4),
    _row("F01", "flag", r"(feature[- _]?(flag|toggle)s?)\b.{0,100}(error|fail|invalid|not found|missing|unavailable"
         r"|exception)"
         r"|(error|fail|exception|invalid|unknown|missing)\w{0,6}\b.{0,100}\bfeature[- _]?(flag|toggle)",
         F.CONFIGURATION_ERROR, 2.5),
    _row("P03y", "unknown|unrecogni|flag provided|invalid|pars|unmarshal|mapping values|did not find expected"
         "|malformed",
         r"(yaml|toml|json|ini|config\w{0,8})\b.{0,60}(pars(e|ing) error|error pars|cannot unmarshal|malformed"
         r"|mapping values)"
         r"|(error|failed to|cannot|could not) (pars(e|ing)|load(ing)?|read(ing)?|unmarshal)\w{0,4}.{0,40}config"
         r"|yaml: |did not find expected|mapping values are not allowed|flag provided but not defined|malformed config"
         r"|(unknown|unrecogni[sz]ed) (command[- ]line |configuration )?(flag|option|argument|shorthand flag|directive)"
         r"|invalid (configuration|config\b|configuration value|value .{0,60}for (flag|option|key|setting))",
         F.CONFIGURATION_ERROR, 3.5),
    _row("P03", "not set|missing|undefined|required|not found|placeholder|must be set", rf"\b{_CONFIG}\b.{{0,80}}?"
         r"(not set|unset\b|missing|undefined|required|not found|must be set)"
         rf"|(missing|required|undefined) (required )?{_CONFIG}|could not resolve placeholder",
         F.CONFIGURATION_ERROR, 4),
    # A key that is looked up in a table of the program itself is none of its settings.
    _row("P03k", "keyerror", r"(?:environ\W.{0,200}|^(?!.{0,2000}\w\[[^\]]{1,80}\]\s*KeyError).{0,2000})"
         r"KeyError: ['\"][A-Z][A-Z0-9_]{2,}['\"]", F.CONFIGURATION_ERROR, 3),
    _row("P03m", "modulenotfound|no module named|cannot find module|classnotfound|noclassdef|cannot load such file"
         "|shared libraries|importerror|could not find or load main class", r"ModuleNotFoundError|no module named"
         r"|cannot find module|ClassNotFoundException|NoClassDefFoundError|cannot load such file|\bImportError\b"
         r"|error while loading shared libraries|could not find or load main class", F.APPLICATION_ERROR, 3.5),
    _row("P03f", "no such file|filenotfound|enoent", r"no such file or directory|FileNotFound(Error|Exception)"
         r"|\bENOENT\b",
         F.CONFIGURATION_ERROR, 3),
    _row("P04s", "syntax error|syntaxerror", r"\bsyntax ?error\b", F.APPLICATION_ERROR, 3.5),
    _row("M01", "retry storm|retry budget|retry amplification|too many retries in flight", r"retry storm"
         r"|retry amplification"
         r"|retry budget .{0,20}(exhaust|exceed)|too many retries in flight", F.RETRY_STORM, 3.5),
    _row("Y05", "429|too many requests|rate limit|rate-limit|ratelimit|resource_exhausted|throttlingexception"
         "|throttled",
         r"\b(status|code|http|http/1\.1|http/2|error)[\"'\s:=]{1,4}429\b|\b429 too many|too many requests"
         r"|rate[- ]?limit\w{0,3}.{0,30}(exceed|reach|hit|error)|RateLimitError|RESOURCE_EXHAUSTED|ThrottlingException"
         r"|request(s)? (was |were )?throttled", F.RATE_LIMITED, 3),
    _row("P09", "forbidden|permission denied|403|accessdenied|not authorized|access denied|eacces",
         r"\bis forbidden: User|permission denied|\b(status|code)[\"' =:]{1,4}403\b|403 forbidden|\bAccessDenied"
         r"|\bEACCES\b"
         r"|(is )?not authorized to perform|access denied", F.PERMISSION, 3),
    _row("V12", "no healthy upstream|no live upstreams|default backend|error obtaining", r"no healthy upstream"
         r"|no live upstreams"
         r"|default backend - 404|error obtaining (service|endpoints)", F.DEPENDENCY_FAILURE, 3, blames=True),
    _row("P08", "still waiting for", r"still waiting for", F.DEPENDENCY_FAILURE, 2.5, blames=True),
    _row("P07", "refused|econnrefused|no route|timed out|etimedout|to connect|cannot connect|can't connect|not connect"
         "|host unreachable|ehostunreach|connect timeout|connection timeout|tried: |tried:|not available",
         r"connection ?refused|\bactively refused|ECONNREFUSED|no route to host|EHOSTUNREACH"
         r"|connect(ion)? (attempt )?(timed out|timeout)|ETIMEDOUT|connect timeout|(could not|cannot|can't|failed to"
         r"|unable to) connect"
         r"|(node|broker|endpoint) .{0,40}not available|\btried: ?[\w.-]{1,253}:\d",
         F.DEPENDENCY_FAILURE, 3, blames=True),
    _row("P07d", "deadline", r"deadline ?exceeded\b.{0,80}\b(calling|dialing|call to|invoking) [\w.-]{1,253}:\d{1,5}",
         F.DEPENDENCY_FAILURE, 3, blames=True),
    _row("P07t", "deadline exceeded|i/o timeout|read timed out|readtimeout|sockettimeout|deadline_exceeded"
         "|reset by peer"
         "|econnreset|broken pipe|epipe|upstream|bad gateway|gateway time|service unavailable|max retries exceeded"
         "|timed out",
         r"context deadline exceeded|i/o timeout|read timed out|ReadTimeout|SocketTimeout|DEADLINE_EXCEEDED"
         r"|reset by peer|\bECONNRESET\b|broken pipe|\bEPIPE\b|upstream (prematurely closed|request timeout|timed out)"
         r"|\b502 bad gateway|\b504 gateway time-?out|\b503 service (temporarily )?unavailable|max retries exceeded"
         r"|(request|call|response|reading) .{0,60}timed out", F.DEPENDENCY_FAILURE, 2, blames=True),
    _row("P05", "segmentation|sigsegv|segfault|sigabrt|core dumped|exit code|double free|stack smashing",
         r"segmentation fault|(?<!signal )\bSIGSEGV\b(?!: segmentation violation)|segfault at|\bSIGABRT\b|core dumped"
         r"|exit code:?\s*13[49]\b|double free or corruption|stack smashing", F.APPLICATION_ERROR, 3),
    _row("Y04", "panic|nil pointer|nullpointer|null pointer|propert|nonetype|index out of|unhandled|uncaught|typeerror"
         "|attributeerror|panicked", r"\bpanic: |nil pointer|NullPointerException|null pointer|NullReferenceException"
         r"|cannot read propert(y|ies) of (undefined|null)|'NoneType' object|index out of (range|bounds)"
         r"|unhandled (promise )?(exception|rejection)|uncaught \w{0,60}(error|exception)|(Type|Attribute)Error: "
         r"|panicked at",
         F.APPLICATION_ERROR, 3),
    _row("P06", "exit code", r"exit code:?\s*143\b", F.APPLICATION_ERROR, 1.5),
    _row("Z01", "chaos|fault injection|maintenance", r"\b(Pod|Network|IO|Stress|Time|HTTP|DNS|Kernel|JVM)Chaos\b"
         r"|ChaosEngine"
         r"|chaos (experiment|test|mesh|monkey).{0,40}(start|running|active|inject)|fault injection .{0,20}(active"
         r"|start)"
         r"|maintenance (window|mode).{0,40}(active|start|in progress|enabled)", F.PLANNED_WORK, 3),
    _row("Y07", "false", r"\b(running|healthy|alive|reachable|connected|available|is_up)[\"']?\s?[:=]\s?[\"']?false\b",
         F.APPLICATION_ERROR, 2),
    # Rows of tables.
    _row("G01", "imagepull", rf"{_ROW}(Init:)?(ImagePullBackOff|ErrImagePull)\b", F.IMAGE_PULL, 3.5),
    _row("G02", "createcontainer", rf"{_ROW}(Init:)?CreateContainer(Config)?Error\b", F.CONFIGURATION_ERROR, 3.5),
    _row("G03", "crashloop|error", rf"{_ROW}(Init:)?(CrashLoopBackOff|Error)\b", F.APPLICATION_ERROR, 3),
    _row("G04", "pending", rf"{_ROW}Pending\b", F.SCHEDULING, 3),
    _row("G05", "evict", rf"{_ROW}Evicted\b|^Evicted ", F.NODE_FAILURE, 3),
    _row("G06", "back-off restarting", r"back-off .{0,30}restarting failed container", F.APPLICATION_ERROR, 2),
    _row("G07", "init:", rf"{_ROW}Init:\d{{1,3}}/\d{{1,3}}\s", F.DEPENDENCY_FAILURE, 1.5),
    _row("G08", "failedscheduling", r"^FailedScheduling\b|\sFailedScheduling\s", F.SCHEDULING, 2.5),
    # A process that supervisord gave up, or tries again: its name, its state, and supervisord's own words.
    _row("G09", "fatal|backoff", rf"{_DOWN}exited too quickly", F.APPLICATION_ERROR, 2),
    _row("G10", "fatal|backoff", rf"{_DOWN}(can't find command|command at .{{1,200}} is not executable|no permission)",
         F.CONFIGURATION_ERROR, 3),
    _row("Q99", " full|exhaust", r"queue (is )?full, rejecting|worker slots exhausted", F.CAPACITY_EXHAUSTED, 1.5),
)  # fmt: skip

# Words in a state that is over or never was are taken out before a line is compared: `0 errors`, `error=null`. Each
# expression stands behind plain words, because most lines hold none of them.
_NEGATING = ("0 ", "no ", "zero ", "without ", "not ", "never ", "nor ")
_NEGATED_COUNT = re.compile(
    r"(?i)\b(0|no|zero|without|nor?) ([\w-]{1,20} )?(errors?|failures?|timeouts?|exceptions?|warnings?|problems?)\b"
    r"(?! (found|reading|parsing|handler))|\b(not|never|no) (oom[ -]?killed|evicted|refused|exceeded|full|expired)\b"
)
_NOTHING = re.compile(r"[:=]\s?[\"']?(false|null|none|nil|0(?![\d.])|\[\]|\{\}|\"|')")
_NEGATED_KEY = re.compile(
    r"(?i)(err|errors?|fail|failed|failures?|oom\w{0,8}|exceptions?|partitions?(_detected)?|timeouts?|timed_out|refused"
    r"|denied|evicted|panics?|deadlocks?|lag|expired|alarms?|missing|undefined|conflicts?|warnings?)[\"']?\s?"
    r"([:=]\s?[\"']?(false|\[\]|\{\}|\"\"|'')|[:=]\s?[\"']?(null|none|nil|0)[\"']?(?=[,;)\]}]|$)"
    r"|=(null|none|nil|0)(?=\s))"
)
_DONE_WORDS = (
    "resolved:", "retr", "reconnect", "recovered ", "established", "restored", "again", "back to"
         " normal", "is now ", "get /",
    "head /", "post /", "put /", "patch /", "delete /", "options /", "health check", "healthcheck",
)  # fmt: skip
_DONE = re.compile(
    r"(?i)\bresolved:|\b(retry|retries|retried|retrying|reconnect\w{0,4})\b.{0,120}\b(succeeded|successful(ly)?|success"
    r"|ok)\b|\b(recovered (from|after)|connection (re-?established|restored)|is healthy again|back to normal)\b"
    r"|\bis now (running|ready|healthy|bound|scheduled)\b"
    r"|\b(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) /\S{0,500}( HTTP/[\d.]{1,3})?\"? [23]\d\d\b"
    r"|\bhealth ?check\b.{0,80}\b(passed|succeeded|ok)\b"
)
_QUIET = re.compile(
    r"^.{0,80}?\b(INFO|DEBUG|TRACE|NOTICE)\b|^I\d{4} |(?i:\b(level|lvl|severity)[\"']?\s{0,3}[=:]\s{0,3}[\"']?(info"
    r"|debug|trace))"
    r"|^\s*(\S{1,12}\s+)?Normal\s"
)
_LOUD = re.compile(r"\b(ERROR|FATAL|CRITICAL|WARN|WARNING|Warning)\b")
_QUIET_WEIGHT = 1.5
# Kubernetes calls these events Normal although they tell of trouble.
_TELLING = frozenset(
    ["Killing", "BackOff", "NodeNotReady", "NodeHasDiskPressure", "NodeHasInsufficientMemory", "NodeHasInsufficientPID",
     "Preempted", "NotTriggerScaleUp", "Rebooted"]
)  # fmt: skip


def find(case: Case) -> Iterator[Finding]:
    """What the lines of events, logs and texts name, per entity and signature, in the evidence's own words."""
    hits = _without_followers(list(_hits(case, see(case))))
    groups: dict[tuple[str, str], list[_Hit]] = {}
    for hit in hits:
        groups.setdefault((hit.entity, hit.signature.id), []).append(hit)
    for group in groups.values():
        yield from _findings(group)
    yield from _shared_resolver(case, hits)
    yield from _stuck_offsets(hits)


_FOLLOWER_WEIGHT = 2.0


def _without_followers(hits: "Sequence[_Hit]") -> "list[_Hit]":
    """A pool that runs out where a named dependency refuses connections is a consequence, and weighs less."""
    refused = {hit.speaker for hit in hits if hit.signature.id == "P07" and hit.entity != hit.speaker}
    return [
        replace(hit, weight=min(hit.weight, _FOLLOWER_WEIGHT))
        if hit.signature.id == "B01" and hit.speaker in refused
        else hit
        for hit in hits
    ]


_SIGNATURES_BY_WORD: dict[str, list[int]] = {}
for _place, _signature in enumerate(SIGNATURES):
    for _word in _signature.words:
        _SIGNATURES_BY_WORD.setdefault(_word, []).append(_place)


def classify(line: str) -> Signature | None:
    """The signature that a line carries, or None."""
    line = line[:_MAX_LINE]
    lowered = line.lower()
    if not has_trouble(line) or (any(word in lowered for word in _DONE_WORDS) and _DONE.search(line)):
        return None
    bare = _without_negations(line, lowered)
    lowered = bare.lower()
    places = {place for word, each in _SIGNATURES_BY_WORD.items() if word in lowered for place in each}
    return next((SIGNATURES[place] for place in sorted(places) if SIGNATURES[place].pattern.search(bare)), None)


def _without_negations(line: str, lowered: str) -> str:
    if any(word in lowered for word in _NEGATING):
        line = _NEGATED_COUNT.sub(" ", line)
    return _NEGATED_KEY.sub(" ", line) if _NOTHING.search(lowered) else line


@dataclass(frozen=True, slots=True)
class _Hit:
    """A line that carries a signature: where it is from, whom it blames, and what speaks against its counting now."""

    item: Evidence
    signature: Signature
    line: str
    entity: str
    speaker: str
    notes: tuple[str, ...]
    weight: float


def _hits(case: Case, cluster: Cluster) -> Iterator[_Hit]:
    addresses = _addresses(cluster)
    for place, item in enumerate(case.evidence.items):
        lines = [raw if isinstance(raw, str) else str(raw) for raw in _lines(item)]
        for number, line in enumerate(lines):
            signature = classify(line)
            if signature is None:
                continue
            hit = _hit(case, cluster, item, signature, line[:_MAX_LINE], addresses)
            if signature.blames and not host_of(line):
                near = (
                    _near(case, place) if isinstance(item.payload, LogLine) else lines[max(0, number - 3) : number + 4]
                )
                hit = _blame_neighbour(hit, near)
            yield hit


def _near(case: Case, place: int) -> list[str]:
    """What the same speaker logged right before and after."""
    items = case.evidence.items
    around = [each for each in items[max(0, place - 3) : place + 4] if each.entity == items[place].entity]
    return [each.payload.message for each in around if isinstance(each.payload, LogLine)]


def _blame_neighbour(hit: _Hit, near: Sequence[str]) -> _Hit:
    """The same hit, blaming the other end that a line beside it names in so many words."""
    for line in near:
        match = _OTHER_END.search(line[:_MAX_LINE])
        if match and not _NOT_A_HOST.match(match["host"]):
            told = f"{hit.line[:120]}; {' '.join(line.split())[:80]}"
            return replace(hit, entity=service_of_host(match["host"]), line=told)
    return hit


def _hit(
    case: Case, cluster: Cluster, item: Evidence, signature: Signature, line: str, addresses: dict[str, str]
) -> _Hit:
    speaker, notes = _subject(case, cluster, item, line)
    blamed = dependency_of(line, addresses) if signature.blames else None
    weight = max(0.3, signature.weight - _FOREIGN_COST * len(notes))
    if isinstance(item.payload, ClusterEvent) and _event_is_over(cluster, item, item.payload):
        weight, notes = min(weight, 1.0), [*notes, "over since"]
    elif isinstance(item.payload, TextLines) and _QUIET.search(line[:300]) and not _LOUD.search(line[:300]):
        weight = min(weight, _QUIET_WEIGHT)
    return _Hit(item, signature, " ".join(line.split()), blamed or speaker, speaker, tuple(notes), weight)


def _event_is_over(cluster: Cluster, item: Evidence, event: ClusterEvent) -> bool:
    return any(each.event is event and is_over(cluster, each) for each in cluster.events(item.entity))


def _lines(item: Evidence) -> Iterable[str]:
    match item.payload:
        case TextLines(lines=lines):
            return lines
        case LogLine(level=level, message=message) if level not in ("INFO", "DEBUG"):
            return (message,)
        case ClusterEvent(reason=reason, message=message, warning=warning) if warning or reason in _TELLING:
            return (f"{reason} {message}",)
    return ()


_NUMBERS = re.compile(r"0x[0-9a-fA-F]+|\d+|\b[a-z0-9-]{1,200}-[a-z0-9]{5}\b")


def _findings(group: Sequence[_Hit]) -> Iterator[Finding]:
    """The first two kinds of line of one group; the second says mostly what the first one did."""
    kinds: dict[str, list[_Hit]] = {}
    for hit in sorted(group, key=lambda hit: -hit.weight):
        kinds.setdefault(_NUMBERS.sub("#", hit.line)[:_QUOTED_CHARS], []).append(hit)
    for place, same in enumerate(list(kinds.values())[:_PER_SIGNATURE]):
        yield _finding(same, same[0].weight if place == 0 else min(0.5, same[0].weight))


def _finding(same: Sequence[_Hit], weight: float) -> Finding:
    first = same[0]
    others = {hit.item.entity for hit in same if hit.item.entity} - {first.item.entity}
    notes = [
        *first.notes,
        *([f"and {len(others)} more pods"] if len(others) > 1 else ["and 1 more pod"] if others else []),
    ]
    quoted = _quote(first.line, first.signature.pattern)
    return Finding(
        lane="signatures",
        entity=first.entity,
        fault=first.signature.fault,
        weight=weight,
        statement=f"{quoted} ({', '.join(notes)})" if notes else quoted,
        evidence=tuple(dict.fromkeys(hit.item.id for hit in same))[:_CITED],
        basis=f"signature {first.signature.id}",
    )


def _quote(line: str, pattern: re.Pattern[str]) -> str:
    if len(line) <= _QUOTED_CHARS:
        return line
    match = pattern.search(line)
    start = max(0, (match.start() if match else 0) - 60)
    return f"{'…' if start else ''}{shorten(line[start:], _QUOTED_CHARS)}"


_POD_ROW = re.compile(r"^\s*([a-z0-9][a-z0-9.-]{1,80})\s+\d{1,4}/\d{1,4}\s")
_DATED = re.compile(r"^\W{0,3}(\d{4}-\d{2}-\d{2})[T ]\d{2}:\d{2}")
_FOREIGN_COST = 3.0
_OLD_DAYS = 2


def _subject(case: Case, cluster: Cluster, item: Evidence, line: str) -> tuple[str, list[str]]:
    """What a line is about, and what speaks against its having to do with this alert: other workload, other time."""
    row = _POD_ROW.match(line)
    kind = item.payload.kind if isinstance(item.payload, ClusterEvent) else ""
    entity = workload_of(row[1], is_pod=True) if row else cluster.workload_named(item.entity, kind)
    notes = []
    service = case.service
    if entity and service and isinstance(item.payload, TextLines) and not is_related(entity, service):
        notes.append(f"{entity} is not what the alert is about")
    dated = _DATED.match(line)
    start = case.group.starts_at
    if dated and start is not None:
        days = (start.date() - date.fromisoformat(dated[1])).days if _is_date(dated[1]) else 0
        if days > _OLD_DAYS:
            notes.append(f"{days} days before the alert")
    own = row and (case.entity.startswith(entity) or entity.startswith(case.entity))
    return (case.entity if own else entity or case.entity), notes


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


# --- whom a line blames ----------------------------------------------------------------------------------------------

_HOST = r"[\"'`\[]{0,2}(?P<host>[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9])?)"
_HOSTS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?i)\btarget host:?\s{{0,3}}{_HOST}",
        rf"(?i)\btried:?\s{{0,3}}{_HOST}:\d",
        r"(?i)\blookup (?P<host>[a-z0-9](?:[a-z0-9_.-]{0,251}[a-z0-9])?)\.?(?: on \S{1,60})?:",
        rf"(?i)\bdial (?:tcp|udp)[46]?:? {_HOST}:\d",
        r"(?i)\b[a-z][a-z0-9+]{1,20}(?::[a-z][a-z0-9]{1,20})?:(?://"
        r"|@)(?:[^\s/@]{1,100}@)?(?P<host>[a-z0-9][a-z0-9_.-]{0,252})",
        rf"(?i)\bhost(?:name)?[\"']?\s?[=:]\s?{_HOST}",
        rf"(?i)\b(?:ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ECONNRESET|EHOSTUNREACH|getaddrinfo"
        rf"|UnknownHostException:"
        rf"|resolve host:?|resolve|translate host name|can't find|server at|on host|connect(?:ing|ion|ed)? to(?: server"
        rf"| host)?:?"
        rf"|not connect to server:|waiting for|unknown host:?|host:|for service|failed for|from service"
        # A plain word is a host only where the phrase ends with it: `connect to required database` names none.
        rf"|error obtaining service) {_HOST}(?=[:,;\"'`)\]/]|\.?$|\s(?:at|on|port|failed|refused|timed|after|because"
        rf"|\()|\s-)",
        r"\b(?P<host>[a-z][a-z0-9-]{0,60}(?:\.[a-z0-9-]{1,60}){0,6}):\d{2,5}\b",
        r"\b(?P<host>\d{1,3}(?:\.\d{1,3}){3}):\d{2,5}\b",
    )
)
_OTHER_END = re.compile(
    rf"(?i)\b(?:target host|(?:db|database|redis|broker)[_ ]?host|tried"
    rf"|upstream):?=?\s{{0,3}}{_HOST}[:,\s]"
)
_NOT_A_HOST = re.compile(
    r"(?i)^(localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|0\.0\.0\.0|the|a|an|server|host|host name|database|service"
    r"|redis server|to|at"
    r"|tcp|connection|upstream|connections?|lock|\w{0,20}lock|\d+|E[A-Z_]{4,}|[\w.-]{1,60}\.(go|py|js|ts|java|rb|rs"
    r"|kt|c|cc|cpp"
    r"|cs|php|scala|ex|lua|sh|log))$"
)


def host_of(line: str) -> str:
    """The host that a line names as the other end, or an empty string; this host itself is no other end."""
    for pattern in _HOSTS:
        for match in pattern.finditer(line[:_MAX_LINE]):
            if not _NOT_A_HOST.match(match["host"]):
                return match["host"]
    return ""


def dependency_of(line: str, addresses: dict[str, str]) -> str | None:
    """The service behind the host that a line names; an address only where the evidence says whose it is."""
    service = service_of_host(host_of(line)) if host_of(line) else ""
    if re.fullmatch(r"[\d.]{7,15}|[0-9a-f:]{3,39}", service):
        return addresses.get(service)
    return service or None


def _addresses(cluster: Cluster) -> dict[str, str]:
    """Whose an address is: that of a pod's workload, or of a Service."""
    known = {text(pod.body, "status", "podIP"): cluster.workload(pod) for pod in cluster.of("Pod")}
    known |= {text(each.body, "spec", "clusterIP"): each.name for each in cluster.of("Service")}
    return {address: name for address, name in known.items() if address not in ("", "None")}


# --- what only many lines together show ------------------------------------------------------------------------------

_RESOLVER = "coredns"
_MANY = 3
_OFFSET = re.compile(r"(?i)(?:\b([\w.-]{1,100}-\d{1,4})\b.{0,60}?)?\boffset\b[\"'\s:=]{1,3}(\d{1,18})")


def _shared_resolver(case: Case, hits: Sequence[_Hit]) -> Iterator[Finding]:
    """Three callers or more that cannot resolve names at once: the resolver, not the callers (V05).

    Where nothing here has a resolver's name it is the one that Kubernetes ships.
    """
    failing = {hit.speaker: hit for hit in hits if hit.signature.fault is F.DNS and not hit.notes}
    if len(failing) < _MANY:
        return
    callers = ", ".join(sorted(failing)[:3])
    first = next(iter(failing.values()))
    yield Finding(
        lane="signatures",
        entity=find_resolver(case) or _RESOLVER,
        fault=F.DNS,
        weight=4.0,
        statement=f"{len(failing)} workloads cannot resolve names at once ({callers}): {first.line[:120]}",
        evidence=tuple(dict.fromkeys(hit.item.id for hit in failing.values()))[:_CITED],
        basis="signature V05",
    )


def _stuck_offsets(hits: Sequence[_Hit]) -> Iterator[Finding]:
    """The same offset of a topic failing three times or more: one message holds up the rest (B05)."""
    by_offset: dict[tuple[str, str, str], list[_Hit]] = {}
    for hit in hits:
        match = _OFFSET.search(hit.line) if hit.signature.id == "B05" else None
        if match:
            by_offset.setdefault((hit.speaker, match[1] or "", match[2]), []).append(hit)
    for (entity, _, offset), same in by_offset.items():
        times = sum(hit.item.payload.count if isinstance(hit.item.payload, LogLine) else 1 for hit in same)
        if times >= _MANY:
            yield Finding(
                lane="signatures",
                entity=entity,
                fault=F.POISON_MESSAGE,
                weight=4.0,
                statement=f"offset {offset} failed {times} times: {same[0].line[:150]}",
                evidence=tuple(dict.fromkeys(hit.item.id for hit in same))[:_CITED],
                basis="signature B05",
            )
