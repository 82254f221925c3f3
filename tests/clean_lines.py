"""Lines of logs, manifests and metrics without a secret, made from templates: what a diagnosis is made of."""

import random
from collections.abc import Callable

_SERVICES = ("payments-api", "checkout", "orders-db", "search", "auth-service", "token-service", "secrets-manager",
             "keycloak", "session-store", "inventory", "passport", "ranker", "feature-store",
             "kafka", "vault-agent")  # fmt: skip
_ERRORS = ("OOMKilled", "CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "CreateContainerConfigError",
           "java.lang.OutOfMemoryError: Java heap space", "java.net.SocketTimeoutException: Read timed out",
           "sqlalchemy.exc.OperationalError", "ConnectionRefusedError: [Errno 111]", "context deadline exceeded",
           "redis.exceptions.ConnectionError", "psycopg.errors.TooManyConnections", "EOFError", "ECONNRESET",
           "KeyError: 'customer'", "ValueError: invalid literal for int()", "NullPointerException")  # fmt: skip
_METRICS = ("connection.pool.size", "jvm.memory.used", "http.server.requests", "http_requests_total",
            "container_memory_working_set_bytes", "kube_pod_container_status_restarts_total",
            "gen_ai.usage.input_tokens",
            "vllm:time_to_first_token_seconds", "hikaricp.connections.pending",
            "process_cpu_seconds_total")  # fmt: skip

# What stands in braces is made for each line.
TEMPLATES = (
    "{time} {level} {service} {error}",
    "pod {pod} {error} exit code {exit}, restart count {small}",
    "{time} Warning BackOff pod/{pod} Back-off restarting failed container app in pod {pod}",
    'Failed to pull image "docker.io/library/nginx:1.{small}": not found',
    'Failed to pull image "quay.io/team/{service}@sha256:{hex64}": manifest unknown',
    "image {service}:{version} digest sha256:{hex64}",
    "trace_id={hex32} span_id={hex16} duration={ms}ms status={status}",
    "request {uuid} failed after {ms} ms, retry {small} of 5",
    "commit {hex40} by ci: raise pool size to {small}",
    "deployed {service} {version} ({hex8}) in {small}m",
    "max_tokens: 4096 prompt_tokens={ms} completion_tokens: {small} total_tokens={ms}",
    "token_count={small} tokens_per_second={ms}.{small} time_to_first_token: {ms}ms eos_token: </s>",
    "throughput {ms} tokens per second, {small} tokens in flight, token budget {ms}",
    "invalid token: expired", "token: missing", "password: required",
    "password authentication failed for role {service}",
    'MountVolume.SetUp failed for volume "creds": secret "{service}-db" not found',
    "    secretName: {service}-credentials", "    secretKeyRef:", "      name: {service}-tls", "      key: password",
    "  imagePullSecrets:", "  - name: regcred", "automountServiceAccountToken: false", "tokenExpirationSeconds: 3607",
    "password.policy.min-length={small}", "token_ttl={ms}s", "token-bucket rate limit {small}/s exceeded for {service}",
    "ca.crt: 1066 bytes", "token: {ms} bytes", "password:  16 bytes",
    "DB_PASSWORD=${{DB_PASSWORD}}", "password: ****", "api_key: <redacted>", "secret: {{{{ .Values.secret }}}}",
    "--password-file /run/secrets/db --token-ttl 30m", "POST /oauth/token {status} in {ms}ms",
    "GET /v1/keys?page={small} {status}",
    "primary key violation on orders_pkey, key (id)=({ms}) already exists", "sort_key=created_at partition_key: tenant",
    "authentication failed for {service}: credentials rejected", "authorization: denied by policy {service}-read",
    "basic authentication is disabled", "bearer token was not given", "cookie consent shown to {ms} visitors",
    "certificate for {service} expires in {small} days", "rotating keys for {service}: {small} keys left",
    "{metric} {ms}.{small}", '{metric}{{service="{service}",code="{status}"}} {ms}', "rate({metric}[5m]) > {small}",
    "{time} {level} com.shop.orders.OrderService - {error}",
    "\tat com.shop.orders.OrderService.place(OrderService.java:{ms})",
    '  File "/app/{word}/handlers.py", line {ms}, in handle',
    "goroutine {ms} [running]: main.main() /src/cmd/main.go:{small} +0x{hex8}",
    '{{"level":"{level}","service":"{service}","msg":"{error}","ms":{ms},"trace":"{hex32}"}}',
    "SELECT id, token_id FROM sessions WHERE expires_at < now() LIMIT {small} -- {ms} ms",
    "duration: {ms}.{small} ms  statement: UPDATE users SET last_login = now() WHERE id = {ms}",
    "node {node} NotReady: kubelet stopped posting node status", "volume pvc-{uuid} is {small} % full",
    "consumer lag {ms} on topic orders.created partition {small} offset {ms}{ms}",
    "HPA {service} scaled from {small} to {small} replicas, cpu {small}%", "GC pause {ms}ms, heap {small}% of 4Gi",
    "Liveness probe failed: HTTP probe failed with statuscode: {status}",
    "x-request-id: {uuid} x-envoy-upstream-ms: {ms}",
    "feature flag {word}-{word} turned on for {small} %", "ETA {time}, step {small}/{ms}, loss 0.{ms}, lr 1e-0{small}",
    "etag W/\"{hex32}\" cache-control: max-age={ms}", "md5 {hex32} /var/lib/{service}/{word}/{hex8}.parquet",
    "UserPasswordResetEmailSent count={small}", "accessKeyRotation finished for {service} in {ms}ms",
    "Kubernetes API: apps/v1 Deployment {service}, networking.k8s.io/v1, topology.kubernetes.io/zone=eu-{small}",
    "VmRSS: {ms} kB  VmHWM: {ms} kB  Threads: {small}", "arn:aws:iam::{account}:role/{service}",
    "systemd[1]: {service}.service: Main process exited, code=exited, status={exit}/FAILURE",
    "{version} -> {version}: {small} files changed, {ms} insertions(+)", "100%|{word}| {small}/{ms} [00:{small}<00:01]",
    "disk usage 9{small}% of /var/lib/docker/overlay2/{hex64}/merged", "TLS handshake timeout after {ms}ms",
)  # fmt: skip


def clean_lines(count: int, seed: int = 7) -> list[str]:
    """So many lines."""
    chance = random.Random(seed)
    digits = "0123456789abcdef"

    def hexed(length: int) -> str:
        return "".join(chance.choice(digits) for _ in range(length))

    def pod() -> str:
        letters = "bcdfghjklmnpqrstvwxz2456789"
        tail = ["".join(chance.choice(letters) for _ in range(length)) for length in (9, 5)]
        return f"{chance.choice(_SERVICES)}-{tail[0]}-{tail[1]}"

    makers: dict[str, Callable[[], str]] = {
        "time": lambda: f"2026-11-{chance.randint(10, 28)}T{chance.randint(10, 23)}:{chance.randint(10, 59)}:12.417Z",
        "level": lambda: chance.choice(("INFO", "WARN", "ERROR", "DEBUG")),
        "service": lambda: chance.choice(_SERVICES),
        "error": lambda: chance.choice(_ERRORS),
        "metric": lambda: chance.choice(_METRICS),
        "word": lambda: chance.choice(("orders", "checkout", "cart", "billing", "search")),
        "pod": pod,
        "node": lambda: f"worker-{chance.randint(1, 40)}",
        "version": lambda: f"{chance.randint(1, 9)}.{chance.randint(0, 30)}.{chance.randint(0, 9)}",
        "uuid": lambda: "-".join(hexed(length) for length in (8, 4, 4, 4, 12)),
        "hex8": lambda: hexed(8), "hex16": lambda: hexed(16), "hex32": lambda: hexed(32), "hex40": lambda: hexed(40),
        "hex64": lambda: hexed(64),
        "ms": lambda: str(chance.randint(10, 9000)),
        "small": lambda: str(chance.randint(1, 9)),
        "exit": lambda: str(chance.choice((1, 2, 126, 127, 137, 139, 143))),
        "status": lambda: str(chance.choice((200, 401, 403, 404, 429, 500, 502, 503, 504))),
        "account": lambda: str(chance.randint(10**11, 10**12 - 1)),
    }  # fmt: skip

    class Values(dict[str, str]):
        def __missing__(self, name: str) -> str:
            return makers[name]()

    return [TEMPLATES[number % len(TEMPLATES)].format_map(Values()) for number in range(count)]
