"""Secrets of many kinds, put together at run time: nothing here has the form of a real one until it is run.

`samples` gives texts in which a secret stands as it would in a log or a manifest, and the part that must not leave.
"""

import base64
import json
import random
import string
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

_HEX = "0123456789abcdef"
_WORD = string.ascii_letters + string.digits


@dataclass(frozen=True)
class Sample:
    """A secret as it is met, its kind, and what of it must not be seen."""

    kind: str
    text: str
    secret: str


class Maker:
    """Random parts of secrets, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)

    def of(self, letters: str, length: int) -> str:
        """So many of these letters, a digit among them."""
        made = "".join(self._chance.choice(letters) for _ in range(length - 1))
        digit = self._chance.choice([letter for letter in letters if letter.isdigit()] or list(letters))
        return made + digit

    def hex(self, length: int) -> str:
        """Hexadecimal digits."""
        return self.of(_HEX, length)

    def word(self, length: int) -> str:
        """Letters and digits."""
        return self.of(_WORD, length)

    def upper(self, length: int) -> str:
        """Capital letters and digits."""
        return self.of(string.ascii_uppercase + string.digits, length)

    def lower(self, length: int) -> str:
        """Small letters and digits."""
        return self.of(string.ascii_lowercase + string.digits, length)

    def uuid(self) -> str:
        """The form of a UUID."""
        return "-".join(self.hex(length) for length in (8, 4, 4, 4, 12))

    def raw(self, length: int) -> str:
        """Random bytes in base64."""
        return base64.b64encode(self._chance.randbytes(length)).decode()


Part = Callable[[Maker], str]

# What a token begins with is cut in two, so that no scanner takes this file for a leak.
_TOKENS: tuple[tuple[str, str, str, Part], ...] = (
    ("aws-key", "AK", "IA", lambda m: m.upper(16)),
    ("aws-key-temporary", "AS", "IA", lambda m: m.upper(16)),
    ("aws-session-token", "IQoJb3", "JpZ2lu", lambda m: m.word(200)),
    ("google-key", "AI", "za", lambda m: m.word(35)),
    ("google-oauth", "ya2", "9.", lambda m: m.word(60)),
    ("google-client-secret", "GOC", "SPX-", lambda m: m.word(28)),
    ("google-refresh", "1/", "/0", lambda m: m.word(60)),
    ("azure-client-secret", "abc8", "Q~", lambda m: m.word(34)),
    ("alibaba", "LT", "AI", lambda m: m.word(20)),
    ("digitalocean", "do", "p_v1_", lambda m: m.hex(64)),
    ("digitalocean-oauth", "do", "o_v1_", lambda m: m.hex(64)),
    ("heroku", "HR", "KU-", lambda m: m.uuid()),
    ("cloudflare-origin", "v1", ".0-", lambda m: f"{m.hex(24)}-{m.hex(146)}"),
    ("fly", "fm", "2_", lambda m: m.word(80)),
    ("tailscale", "ts", "key-auth-", lambda m: f"{m.word(12)}-{m.word(32)}"),
    ("supabase", "sb", "p_", lambda m: m.hex(40)),
    ("planetscale", "psc", "ale_pw_", lambda m: m.word(43)),
    ("netlify", "nf", "p_", lambda m: m.word(36)),
    ("render", "rn", "d_", lambda m: m.word(32)),
    ("github", "gh", "p_", lambda m: m.word(36)),
    ("github-oauth", "gh", "o_", lambda m: m.word(36)),
    ("github-server", "gh", "s_", lambda m: m.word(36)),
    ("github-fine", "github", "_pat_", lambda m: f"{m.word(22)}_{m.word(59)}"),
    ("gitlab", "gl", "pat-", lambda m: m.word(20)),
    ("gitlab-deploy", "gl", "dt-", lambda m: m.word(20)),
    ("gitlab-runner", "gl", "rt-", lambda m: m.word(20)),
    ("bitbucket", "AT", "BB", lambda m: m.word(32)),
    ("bitbucket-access", "ATC", "TT3xFfGF0", lambda m: m.word(160)),
    ("atlassian", "ATA", "TT3xFfGF0", lambda m: m.word(160)),
    ("npm", "np", "m_", lambda m: m.word(36)),
    ("pypi", "py", "pi-AgEIcHlwaS5vcmc", lambda m: m.word(80)),
    ("rubygems", "ruby", "gems_", lambda m: m.hex(48)),
    ("nuget", "oy", "2", lambda m: m.lower(43)),
    ("crates", "ci", "o", lambda m: m.word(32)),
    ("docker-hub", "dck", "r_pat_", lambda m: m.word(27)),
    ("docker-hub-org", "dck", "r_oat_", lambda m: m.word(27)),
    ("jfrog", "AK", "Cp", lambda m: m.word(70)),
    ("terraform", "", "", lambda m: f"{m.word(14)}.atlas" + f"v1.{m.word(67)}"),
    ("pulumi", "pu", "l-", lambda m: m.hex(40)),
    ("vault", "hv", "s.", lambda m: m.word(90)),
    ("vault-batch", "hv", "b.", lambda m: m.word(120)),
    ("doppler", "dp", ".pt.", lambda m: m.word(43)),
    ("doppler-service", "dp", ".st.", lambda m: f"prd.{m.word(43)}"),
    ("onepassword", "op", "s_eyJ", lambda m: m.word(200)),
    ("circleci", "CCI", "PAT_", lambda m: f"{m.word(22)}_{m.hex(40)}"),
    ("buildkite", "bk", "ua_", lambda m: m.lower(40)),
    ("postman", "PM", "AK-", lambda m: f"{m.hex(24)}-{m.hex(34)}"),
    ("databricks", "da", "pi", lambda m: m.hex(32)),
    ("age", "AGE-SECRET", "-KEY-1", lambda m: m.upper(58)),
    ("slack-bot", "xo", "xb-", lambda m: f"{m.hex(12)}-{m.hex(12)}-{m.word(24)}"),
    ("slack-user", "xo", "xp-", lambda m: f"{m.hex(12)}-{m.hex(12)}-{m.word(32)}"),
    ("slack-app", "xa", "pp-1-", lambda m: f"{m.upper(11)}-{m.hex(13)}-{m.hex(64)}"),
    ("discord", "M", "T", lambda m: f"{m.word(22)}.{m.word(6)}.{m.word(38)}"),
    ("telegram", "7", "1", lambda m: f"{m.of(string.digits, 8)}:A" + f"A{m.word(33)}"),
    ("twilio", "S", "K", lambda m: m.hex(32)),
    ("sendgrid", "S", "G.", lambda m: f"{m.word(22)}.{m.word(43)}"),
    ("mailgun", "ke", "y-", lambda m: m.hex(32)),
    ("mailchimp", "", "", lambda m: f"{m.hex(32)}-u" + "s12"),
    ("brevo", "xkey", "sib-", lambda m: f"{m.hex(64)}-{m.word(16)}"),
    ("resend", "r", "e_", lambda m: f"{m.word(8)}_{m.word(24)}"),
    ("stripe", "sk_", "live_", lambda m: m.word(24)),
    ("stripe-restricted", "rk_", "live_", lambda m: m.word(24)),
    ("stripe-webhook", "whs", "ec_", lambda m: m.word(32)),
    ("shopify", "shp", "at_", lambda m: m.hex(32)),
    ("square", "sq0", "csp-", lambda m: m.word(43)),
    ("newrelic", "NR", "AK-", lambda m: m.upper(27)),
    ("newrelic-license", "", "", lambda m: m.hex(36) + "NR" + "AL"),
    ("grafana", "gl", "sa_", lambda m: f"{m.word(32)}_{m.hex(8)}"),
    ("grafana-cloud", "gl", "c_", lambda m: m.word(60)),
    ("sentry", "snt", "ryu_", lambda m: m.hex(64)),
    ("dynatrace", "dt0", "c01.", lambda m: f"{m.upper(24)}.{m.upper(64)}"),
    ("launchdarkly", "sd", "k-", lambda m: m.uuid()),
    ("linear", "lin_", "api_", lambda m: m.word(40)),
    ("notion", "nt", "n_", lambda m: m.word(46)),
    ("airtable", "pa", "t", lambda m: f"{m.word(14)}.{m.hex(64)}"),
    ("figma", "fi", "gd_", lambda m: m.word(40)),
    ("hubspot", "pat-", "na1-", lambda m: m.uuid()),
    ("typeform", "tf", "p_", lambda m: m.word(59)),
    ("mapbox", "s", "k.eyJ", lambda m: f"{m.word(60)}.{m.word(22)}"),
    ("openai", "sk", "-", lambda m: m.word(48)),
    ("openai-project", "sk", "-proj-", lambda m: m.word(120)),
    ("anthropic", "sk-", "ant-api03-", lambda m: m.word(93)),
    ("huggingface", "h", "f_", lambda m: m.word(34)),
    ("groq", "gs", "k_", lambda m: m.word(52)),
    ("replicate", "r", "8_", lambda m: m.word(37)),
    ("perplexity", "pp", "lx-", lambda m: m.word(48)),
    ("xai", "xa", "i-", lambda m: m.word(80)),
    ("langsmith", "lsv", "2_pt_", lambda m: f"{m.hex(32)}_{m.hex(10)}"),
    ("pinecone", "pc", "sk_", lambda m: m.word(60)),
    ("nvidia", "nva", "pi-", lambda m: m.word(64)),
)

# The secret stands where {} is.
_PLACES: tuple[tuple[str, str, Part], ...] = (
    ("aws-secret", "aws_secret_access_key = {}", lambda m: m.word(40)),
    ("azure-connection",
     "DefaultEndpointsProtocol=https;AccountName=shop;AccountKey={};EndpointSuffix=core.windows.net",
     lambda m: m.raw(64)),
    ("azure-service-bus", "Endpoint=sb://shop.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey={}",
     lambda m: m.raw(32)),
    ("azure-sas", "https://shop.blob.core.windows.net/logs?sv=2024-11-04&se=2026-12-01&sr=b&sp=r&sig={}",
     lambda m: quote(m.raw(32), safe="")),
    ("aws-presigned", "https://b.s3.amazonaws.com/k?X-Amz-Expires=900&X-Amz-Signature={}", lambda m: m.hex(64)),
    ("slack-hook", "https://hooks.sl" + "ack.com/services/{}", lambda m: f"T{m.upper(9)}/B{m.upper(9)}/{m.word(24)}"),
    ("discord-hook", "https://discord.com/api/web" + "hooks/{}", lambda m: f"{m.of(string.digits, 18)}/{m.word(68)}"),
    ("teams-hook", "https://shop.webhook.office.com/web" + "hookb2/{}",
     lambda m: f"{m.uuid()}@{m.uuid()}/IncomingWebhook/{m.hex(32)}/{m.uuid()}"),
    ("mattermost-hook", "https://chat.shop.io/hooks/{}", lambda m: m.lower(26)),
    ("zapier-hook", "https://hooks.zapier.com/hooks/catch/{}", lambda m: f"{m.of(string.digits, 8)}/{m.lower(8)}"),
    ("pagerduty-hook", "https://events.pagerduty.com/integration/{}/enqueue", lambda m: m.hex(32)),
    ("pagerduty-key", "routing_key: {}", lambda m: m.hex(32)),
    ("datadog", "DD_API_KEY={}", lambda m: m.hex(32)),
    ("datadog-app", "dd-app-key: {}", lambda m: m.hex(40)),
    ("cloudflare-token", "CLOUDFLARE_API_TOKEN={}", lambda m: m.word(40)),
    ("sentry-dsn", "https://{}@o123.ingest.sentry.io/456", lambda m: m.hex(32)),
    ("postgres-url", "postgres://app:{}@db:5432/shop", lambda m: m.word(12)),
    ("postgres-url-odd", "postgresql://app:{}@db/shop?sslmode=require", lambda m: m.word(6) + "@" + m.word(6)),
    ("redis-url", "redis://:{}@cache:6379/0", lambda m: m.word(16)),
    ("mongodb-url", "mongodb+srv://app:{}@c0.shop.net,c1.shop.net/orders", lambda m: m.word(16)),
    ("amqp-url", "amqps://app:{}@mq:5671/%2f", lambda m: m.word(16)),
    ("git-url", "https://oauth2:{}@git.shop.io/team/app.git", lambda m: m.word(20)),
    ("token-url", "https://{}@git.shop.io/team/app.git", lambda m: m.word(40)),
    ("mysql-dsn", "app:{}@tcp(db:3306)/shop?parseTime=true", lambda m: m.word(12)),
    ("jdbc", "jdbc:postgresql://db:5432/shop?user=app&password={}&ssl=true", lambda m: m.word(12)),
    ("odbc", "Server=db;Database=shop;User Id=app;Password={};Encrypt=True", lambda m: m.word(12) + "!x"),
    ("jwt", "session {}", lambda m: "ey" + f"J{m.word(30)}.eyJ{m.word(80)}.{m.word(43)}"),
    ("bearer", "Authorization: Bearer {}", lambda m: m.word(40)),
    ("bearer-json", '{{"authorization": "Bearer {}"}}', lambda m: m.word(40)),
    ("basic-header", "authorization: Basic {}", lambda m: base64.b64encode(f"app:{m.word(16)}".encode()).decode()),
    ("token-header", "Authorization: Token token={}", lambda m: m.word(20)),
    ("genie", "Authorization: GenieKey {}", lambda m: m.uuid()),
    ("api-key-header", "X-Api-Key: {}", lambda m: m.word(32)),
    ("auth-token-header", "X-Auth-Token: {}", lambda m: m.hex(32)),
    ("vault-header", "X-Vault-Token: {}", lambda m: "s" + f".{m.word(24)}"),
    ("cookie", "Cookie: theme=dark; session={}; lang=en", lambda m: m.word(32)),
    ("set-cookie", "Set-Cookie: sid={}; Path=/; HttpOnly", lambda m: m.word(32)),
    ("password-env", "DB_PASSWORD={}", lambda m: m.word(10)),
    ("password-yaml", "password: {}", lambda m: m.lower(9)),
    ("password-words", 'password: "{}"', lambda m: f"{m.lower(6)} {m.lower(6)}"),
    ("password-json", '{{"user": "app", "password": "{}", "ssl": true}}', lambda m: m.word(10)),
    ("password-json-in-json", '{{\\"password\\": \\"{}\\"}}', lambda m: m.word(10)),
    ("password-digits", "db.password={}", lambda m: m.of(string.digits, 10)),
    ("password-odd", "export APP_PASSWORD={}", lambda m: f"{m.word(4)},{m.word(4)};{m.word(4)}&{m.word(3)}"),
    ("password-ruby", ":password => '{}'", lambda m: m.word(10)),
    ("password-xml", "<password>{}</password>", lambda m: m.word(10)),
    ("pgpassword", "PGPASSWORD={} psql -h db", lambda m: m.word(12)),
    ("mysql-pwd", "MYSQL_PWD={}", lambda m: m.word(12)),
    ("flag", "app --password {} --port 80", lambda m: m.word(10)),
    ("flag-equals", "app --db-password={} --port 80", lambda m: m.word(10)),
    ("flag-token", "kubeadm join --token {}", lambda m: f"{m.lower(6)}.{m.lower(16)}"),
    ("flag-list", '["--api-key", "{}"]', lambda m: m.word(20)),
    ("mysql-flag", "mysql -u root -p{} shop", lambda m: m.word(10)),
    ("curl-user", "curl -u admin:{} https://api", lambda m: m.word(10)),
    ("redis-auth", "redis-cli -h cache -a {}", lambda m: m.word(16)),
    ("redis-config", "requirepass {}", lambda m: m.word(16)),
    ("docker-login", "docker login -u ci -p {} registry", lambda m: m.word(16)),
    ("netrc", "machine git.shop.io login ci password {}", lambda m: m.word(16)),
    ("sql", "ALTER USER app IDENTIFIED BY '{}'", lambda m: m.word(12)),
    ("sql-role", "CREATE ROLE app LOGIN PASSWORD '{}'", lambda m: m.word(12)),
    ("client-secret", "client_secret={}&grant_type=client_credentials", lambda m: m.word(32)),
    ("secret-key-base", "SECRET_KEY_BASE={}", lambda m: m.hex(128)),
    ("encryption-key", "encryption-key: {}", lambda m: m.raw(32)),
    ("npmrc", "//npm.corp.example/:_authToken={}", lambda m: m.uuid()),
    ("docker-auth", '{{"auths": {{"r.io": {{"auth": "{}"}}}}}}',
     lambda m: base64.b64encode(f"ci:{m.word(20)}".encode()).decode()),
    ("wireguard", "PrivateKey = {}", lambda m: m.raw(32)),
    ("htpasswd", "admin:{}", lambda m: f"$2y$10${m.word(53)}"),
    ("shadow", "app:{}:19000:0:99999:7:::", lambda m: f"$6${m.word(16)}${m.word(86)}"),
    ("env-pair", "- name: DB_PASSWORD\n  value: {}", lambda m: m.word(12)),
    ("env-pair-json", '{{"name": "API_TOKEN", "value": "{}"}}', lambda m: m.word(24)),
    ("yaml-block", "secretKey: |\n  {}\nnext: 1", lambda m: m.word(40)),
    ("kubernetes-secret", "apiVersion: v1\nkind: Secret\ndata:\n  odd: {}\nmetadata:\n  name: db", lambda m: m.raw(12)),
    ("service-account", "token:      {}", lambda m: "ey" + f"J{m.word(40)}.eyJ{m.word(200)}.{m.word(300)}"),
)  # fmt: skip

_ARMOURS = ("RSA PRIVATE KEY", "EC PRIVATE KEY", "DSA PRIVATE KEY", "OPENSSH PRIVATE KEY", "PRIVATE KEY",
            "ENCRYPTED PRIVATE KEY", "PGP PRIVATE KEY BLOCK")  # fmt: skip


def samples(seed: int = 1) -> list[Sample]:
    """More than a hundred secrets, each as it is met."""
    make = Maker(seed)
    made = [Sample(kind, head + tail + (part := body(make)), part) for kind, head, tail, body in _TOKENS]
    made += [Sample(kind, text.format(part := body(make)), part) for kind, text, body in _PLACES]
    return made + [_armoured(name, make) for name in _ARMOURS]


def _armoured(name: str, make: Maker) -> Sample:
    body = make.raw(480)
    lines = "\n".join(body[at : at + 64] for at in range(0, len(body), 64))
    return Sample(name.lower().replace(" ", "-"), f"-----BEGIN {name}-----\n{lines}\n-----END {name}-----", lines)


ENCODINGS: dict[str, Callable[[str], str]] = {
    "plain": lambda text: text,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "url": lambda text: quote(text, safe=""),
}


def traces(sample: Sample) -> list[str]:
    """What of a secret must be nowhere in a request, in any of the encodings: pieces that name it beyond doubt."""
    found = []
    for part in sample.secret.split("\n"):
        pieces = [part] if len(part) < 24 else [part[:20], part[-20:]]
        for piece in pieces:
            found += [piece, quote(piece, safe=""), json.dumps(piece)[1:-1]]
            # The letters in the middle of each alignment are the same whatever stands around it.
            for shift in range(3):
                encoded = base64.b64encode(b"\0" * shift + piece.encode()).decode().rstrip("=")
                found.append(encoded[4 if shift else 0 : -2] or piece)
    return list(dict.fromkeys(found))
