"""What secrets look like: one row for each kind, from the documents and libraries of those who issue them.

An attacker writes what is matched here: a quantifier that something follows is bounded, or cannot match what follows.
The group `s`, where a pattern has one, is the secret; else all of it is.
"""

import re
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Shape:
    """One form of a secret. Without one of `hints` a text is not looked at; `folded`, they are in lower case."""

    kind: str
    hints: tuple[str, ...]
    source: str
    folded: bool = False

    @property
    def pattern(self) -> re.Pattern[str]:
        """The expression; most runs need few of them, and all would take 50 ms to compile."""
        return _compiled(self.source)


_compiled = lru_cache(maxsize=None)(re.compile)


# Also after what JSON writes for a tab or an equals sign.
_WORD_BEGINS = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrtbf])|(?<=\\u[0-9a-fA-F]{4}))"


def _token(kind: str, hints: str, pattern: str) -> Shape:
    """A word of its own that begins like this: what merely ends like a key is none."""
    return Shape(kind, tuple(hints.split()), rf"{_WORD_BEGINS}(?:{pattern})")


def _place(kind: str, hints: str, pattern: str) -> Shape:
    """A secret that is known by what stands around it; a hint with a space is written with `+`."""
    return Shape(kind, tuple(hint.replace("+", " ") for hint in hints.split()), pattern, folded=True)


_HEX = "[0-9a-fA-F]"
_UUID = rf"{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}"

# --- tokens that are known by themselves -----------------------------------------------------------------------------

_CLOUDS = (
    _token("aws-key", "AKIA ASIA ABIA ACCA", r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Z0-9])"),
    _token("aws-session-token", "FwoGZXIvYXdz IQoJb3JpZ2lu", r"(?:FwoGZXIvYXdz|IQoJb3JpZ2lu)[A-Za-z0-9+/=]{40,}"),
    _place("signature", "signature=", r"(?i)(?<=signature=)(?P<s>[0-9a-f]{40,600})"),
    _place("aws-secret-key", "‹aws-key›",
           r"‹aws-key›[^A-Za-z0-9+/‹]{1,40}(?:[A-Za-z_]{1,30}[^A-Za-z0-9+/‹]{1,10})?(?P<s>[A-Za-z0-9+/]{40})"
           r"(?![A-Za-z0-9+/])"),
    _token("google-key", "AIza", r"AIza[\w-]{35,39}"),
    _token("google-token", "ya29.", r"ya29\.[\w.-]{20,}"),
    _token("google-client-secret", "GOCSPX-", r"GOCSPX-[\w-]{20,}"),
    _token("google-refresh-token", "1//0", r"1//0[\w-]{30,}"),
    _place("azure-storage-key", "accountkey", r"(?i)(?<=accountkey=)(?P<s>[A-Za-z0-9+/]{40,100}={0,2})"),
    _place("azure-access-key", "sharedaccesskey", r"(?i)(?<=sharedaccesskey=)(?P<s>[A-Za-z0-9+/]{30,100}={0,2})"),
    _place("azure-sas", "sig=", r"(?i)(?<=[?&;]sig=|.\bsig=)(?P<s>[\w%+/.~-]{20,}={0,2})"),
    _token("azure-client-secret", "8Q~ 7Q~", r"(?<![\w~.-])[\w~.-]{3}[78]Q~[\w~.-]{30,40}"),
    _token("azure-devops-token", "AZDO", r"[A-Za-z0-9]{60,80}AZDO[A-Za-z0-9]{4}"),
    _token("alibaba-key", "LTAI", r"LTAI[A-Za-z0-9]{12,24}(?![A-Za-z0-9])"),
    _token("yandex-key", "AQVN t1.9eu", r"AQVN[\w-]{35,38}|t1\.9eu[\w-]{40,}={0,2}\.[\w-]{80,}={0,2}"),
    _token("digitalocean-token", "dop_v1_ doo_v1_ dor_v1_", rf"do[opr]_v1_{_HEX}{{64}}"),
    _token("heroku-key", "HRKU-", r"HRKU-[\w-]{30,}"),
    _token("cloudflare-key", "v1.0- cfut_ cfat_ cfk_",
           rf"v1\.0-{_HEX}{{20,30}}-{_HEX}{{100,160}}|cf(?:ut|at|k)_[\w-]{{30,}}"),
    _token("fly-token", "fo1_ fm1_ fm2_ fm1r_ fm1a_", r"(?:fo1|fm1[ar]?|fm2)_[\w+/=-]{30,}"),
    _token("tailscale-key", "tskey-", r"tskey-[\w-]{16,}"),
    _token("supabase-key", "sbp_ sb_secret_", rf"sbp_{_HEX}{{40}}|sb_secret_[\w-]{{20,}}"),
    _token("planetscale-token", "pscale_", r"pscale_(?:tkn|pw|oauth)_[\w=.-]{30,}"),
    _token("netlify-token", "nfp_", r"nfp_[A-Za-z0-9]{36,}"),
    _token("render-key", "rnd_", r"rnd_[A-Za-z0-9]{28,}"),
)  # fmt: skip

_CODE = (
    _token("github-token", "ghp_ gho_ ghs_ ghu_ ghr_ github_pat_", r"gh[opsur]_[A-Za-z0-9_]{30,}|github_pat_\w{30,}"),
    _token("gitlab-token",
           "glpat- gldt- glrt- glrtr- glcbt- glptt- glft- glimt- glagent- glsoat- glffct- gloas- glwt- GR1348941",
           r"gl(?:pat|dt|rt|rtr|cbt|ptt|ft|imt|agent|soat|ffct|oas|wt)-[\w.-]{20,}|GR1348941[\w-]{20,}"),
    _token("bitbucket-token", "ATBB ATCTT3", r"ATBB[A-Za-z0-9]{28,}|ATCTT3[\w=-]{40,}"),
    _token("atlassian-token", "ATATT3", r"ATATT3[\w=-]{40,}"),
    _token("npm-token", "npm_", r"npm_[A-Za-z0-9]{36,}"),
    _token("pypi-token", "pypi-", r"pypi-[\w-]{50,}"),
    _token("rubygems-key", "rubygems_", rf"rubygems_{_HEX}{{48}}"),
    _token("nuget-key", "oy2", r"oy2[a-z0-9]{43}(?![a-z0-9])"),
    _token("crates-token", "cio", r"cio[A-Za-z0-9]{32}(?![A-Za-z0-9])"),
    _token("docker-token", "dckr_", r"dckr_[po]at_[\w-]{20,}"),
    _token("jfrog-key", "AKCp reftkn:", r"AKCp[A-Za-z0-9]{60,}|reftkn:[\w:]{40,}"),
    _token("terraform-token", ".atlasv1.", r"[A-Za-z0-9]{14}\.atlasv1\.[\w=-]{40,}"),
    _token("pulumi-token", "pul-", rf"pul-{_HEX}{{40}}"),
    _token("vault-token", "hvs. hvb. hvr.", r"hv[sbr]\.[\w-]{20,}"),
    _place("vault-token", "vault", r"(?<![\w.])s\.(?=[A-Za-z]{0,23}\d)[A-Za-z0-9]{24}(?![\w.])"),
    _token("doppler-token", "dp.pt. dp.st. dp.ct. dp.sa. dp.scim. dp.audit.",
           r"dp\.(?:pt|st|ct|sa|scim|audit)\.[\w.-]{36,}"),
    _token("onepassword-token", "ops_eyJ", r"ops_eyJ[\w+/=-]{40,}"),
    _token("circleci-token", "CCIPAT_", r"CCIPAT_\w{30,}"),
    _token("buildkite-token", "bkua_", r"bkua_[a-z0-9]{40}"),
    _token("postman-key", "PMAK-", rf"PMAK-{_HEX}{{24}}-{_HEX}{{34}}"),
    _token("databricks-token", "dapi dose", rf"(?:dapi|dose){_HEX}{{32}}(?:-\d)?"),
    _token("age-key", "AGE-SECRET-KEY-", r"AGE-SECRET-KEY-(?:PQ-)?1[0-9A-Z]{58,}"),
)  # fmt: skip

_MESSAGES = (
    _token("slack-token", "xox xapp-", r"xox[abceoprs](?:\.xox[abp])?-[\w-]{10,}|xapp-\d-[\w-]{10,}"),
    _place("slack-hook", "hook", r"(?<=hooks\.slack\.com/)(?P<s>[\w/-]{10,})|hooks\.slack-gov\.com/[\w/-]{10,}"),
    _token("discord-token", "M N O", r"[MNO][\w-]{23,27}\.[\w-]{6}\.[\w-]{27,45}(?![\w.-])"),
    _place("discord-hook", "webhook", r"(?<=/api/webhooks/)(?P<s>\d{10,25}/[\w-]{30,})"),
    _place("teams-hook", "webhook",
           rf"(?<=/webhookb2/|.\./webhook/)(?P<s>{_UUID}@[\w/-]{{30,}})|(?<=office\.com/webhook/)[\w@/-]{{20,}}"),
    _place("chat-hook", "hook",
           r"(?i)(?<=/hooks/)(?P<s>(?:catch/)?(?=[\w/]{0,40}\d)[\w/-]{16,})"),
    _place("pagerduty-hook", "/integration/", r"(?<=/integration/)[\w]{20,}"),
    _token("telegram-token", ":AA", r"\d{8,12}:AA[\w-]{32,35}(?![\w-])"),
    _token("twilio-key", "SK", rf"SK{_HEX}{{32}}(?!{_HEX})"),
    _token("sendgrid-key", "SG.", r"SG\.[\w-]{20,24}\.[\w-]{39,50}"),
    _token("mailgun-key", "key-", rf"(?:pub)?key-{_HEX}{{32}}(?!{_HEX})"),
    _token("mailchimp-key", "-us", rf"{_HEX}{{32}}-us\d{{1,2}}(?!\w)"),
    _token("brevo-key", "xkeysib- xsmtpsib-", rf"x(?:keysib|smtpsib)-{_HEX}{{64}}-\w{{16}}"),
    _token("postmark-resend-key", "re_", r"re_[A-Za-z0-9]{8}_[A-Za-z0-9]{24}"),
)  # fmt: skip

_SERVICES = (
    _token("stripe-key", "sk_ rk_ whsec_", r"[sr]k_(?:live|test|prod)_\w{16,}|whsec_[\w+/=-]{24,}"),
    _token("shopify-token", "shpat_ shpca_ shppa_ shpss_ shpua_", rf"shp(?:at|ca|pa|ss|ua)_{_HEX}{{32}}"),
    _token("square-token", "sq0", r"sq0[a-z]{3}-[\w-]{22,}"),
    _token("newrelic-key", "NRAK- NRII- NRIQ- NRRA- NRJS- NRAL",
           rf"(?:NRAK|NRII|NRIQ|NRRA|NRJS)-[\w-]{{19,32}}|{_HEX}{{36}}NRAL"),
    _token("grafana-token", "glsa_ glc_ eyJrIjoi",
           rf"glsa_\w{{32}}_{_HEX}{{8}}|glc_[\w+/=-]{{32,}}|eyJrIjoi[\w+/=-]{{40,}}"),
    _token("sentry-token", "sntry", r"sntry[us]_[\w+/=-]{40,}"),
    _place("sentry-key", "@", rf"(?<=://)(?P<s>{_HEX}{{32}}(?::{_HEX}{{32}})?)(?=@[\w.:-]{{1,253}}/\d)"),
    _place("datadog-key", "key",
           rf"(?i)(?<![a-z])(?:dd|datadog)[\w-]{{0,12}}[-_]?key[\"'\\]{{0,4}}\s?[:=]\s?[\"'\\]{{0,4}}"
           rf"(?P<s>{_HEX}{{32,40}})"),
    _token("dynatrace-token", "dt0", r"dt0[a-z]\d{2}\.[A-Z0-9]{20,30}\.[A-Z0-9]{60,}"),
    _token("launchdarkly-key", "sdk- mob- api-", rf"(?:sdk|mob|api)-{_UUID}"),
    _token("elastic-key", "essu_", r"essu_[\w+/=-]{40,}"),
    _token("linear-key", "lin_", r"lin_(?:api|oauth)_[A-Za-z0-9]{32,}"),
    _token("notion-token", "ntn_ secret_", r"secret_[A-Za-z0-9]{43}|ntn_[A-Za-z0-9]{40,}"),
    _token("airtable-token", "pat", rf"pat[A-Za-z0-9]{{14}}\.{_HEX}{{64}}"),
    _token("figma-token", "figd_", r"figd_[\w-]{36,}"),
    _token("hubspot-token", "pat-", rf"pat-(?:na|eu|ap)\d-{_UUID}"),
    _token("typeform-token", "tfp_", r"tfp_[\w.-]{40,}"),
    _token("mapbox-token", "sk.eyJ", r"sk\.eyJ[\w-]{20,}\.[\w-]{16,}"),
    _token("contentful-token", "CFPAT-", r"CFPAT-[\w-]{40,}"),
    _token("twitter-token", "AAAAAAAAAAAAAAAAAAAA", r"A{20,30}[\w%]{40,}"),
)  # fmt: skip

_MODELS = (
    _token("anthropic-key", "sk-ant-", r"sk-ant-[\w-]{20,}"),
    _token("openai-key", "sk-", r"sk-[\w-]{20,}"),
    _token("huggingface-token", "hf_ api_org_", r"(?:hf|api_org)_[A-Za-z0-9]{30,}"),
    _token("groq-key", "gsk_", r"gsk_[A-Za-z0-9]{40,}"),
    _token("replicate-token", "r8_", r"r8_[A-Za-z0-9]{34,}"),
    _token("perplexity-key", "pplx-", r"pplx-[A-Za-z0-9]{40,}"),
    _token("xai-key", "xai-", r"xai-[A-Za-z0-9]{60,}"),
    _token("langsmith-key", "lsv2_", rf"lsv2_(?:pt|sk)_{_HEX}{{32}}_{_HEX}{{10}}"),
    _token("pinecone-key", "pcsk_", r"pcsk_[\w-]{40,}"),
    _token("nvidia-key", "nvapi-", r"nvapi-[\w-]{50,}"),
)  # fmt: skip

# --- what is known by where it stands --------------------------------------------------------------------------------

_SCHEME = r"(?:bearer|basic|digest|token|apikey|api-key|negotiate|ntlm|genie[-_]?key|splunk|flyv1|sso-key|key)"

_PLACES = (
    # A part of a URL's user name and password: up to the first @ that a host follows. 8080/ is a port, and no password.
    _place("password", "@",
           r"(?<=://)[^\s/:@\"'<>]{0,200}:(?!\d{1,5}(?:[/?#]|$))(?P<s>[^\s\"'<>‹]{1,400}?)"
           r"(?=@[\w.\[-]{1,253}(?:[\]:/?#,;\s\"'>)\\]|$))"),
    _place("url-token", "@", r"(?<=://)(?P<s>[\w.~-]{20,400})(?=@[\w.\[-])"),
    # The data source name of Go's MySQL driver: user:password@tcp(host:port)/database.
    _place("password", "@tcp( @udp( @unix(",
           r"(?<![\w/:])[\w.-]{1,80}:(?P<s>[^\s‹:@/][^\s:/‹]{0,200}?)(?=@(?:tcp|udp|unix)\()"),
    _token("jwt", "eyJ", r"eyJ[\w=-]{8,}\.[\w=-]{4,}(?:\.[\w=-]{2,}){0,3}"),
    _place("authorization", "aws4-hmac signature=",
           r"AWS4-HMAC-SHA256\s{1,4}Credential=[^\n]{10,600}|(?i:oauth_signature=\"?)(?P<s>[\w%+/=-]{16,})"),
    _place("authorization", "authorization bearer+ basic+",
           rf"(?i)(?<![\w-])(?:(?:proxy-)?authorization[\"'\\]{{0,4}}\s{{0,8}}[:=]\s{{0,8}}[\"'\\]{{0,4}}"
           rf"{_SCHEME}|bearer|basic)\s{{1,8}}(?:token=)?[\"'\\]{{0,4}}(?P<s>(?=[^\s\"']{{0,60}}(?:[\d+/=_~]|(?-i:[A-Z])))"
           r"[\w.~+/=:-]{8,})"),
    _place("authorization", "authorization",
           r"(?i)(?<![\w-])(?:proxy-)?authorization[\"'\\]{0,4}\s{0,8}[:=]\s{0,8}[\"'\\]{0,4}"
           r"(?P<s>(?=[^\s\"']{0,60}\d)[\w.~+/=:-]{12,})"),
    _place("cookie", "cookie",
           r"(?i)(?<![a-z])(?:set-)?cookie[\"'\\]{0,4}\s{0,4}[:=]\s{0,4}[\"'\\]{0,4}"
           r"(?P<s>[^\s;=\"'‹]{1,100}=[^\s;\"']{1,4000}(?:;\s?[^\s;=\"']{1,100}(?:=[^\s;\"']{0,4000})?){0,60})"),
    _place("secret", "</ ＜/", r"(?i)[<＜][\w:.-]{0,40}(?:passw(?:or)?d|secret|token|api[-_]?key)[\w-]{0,20}[>＞]"
           r"(?P<s>[^<>＜＞‹\n]{3,400})(?=[<＜]/)"),
    _place("secret", "password",
           r"(?i)\blogin\s{1,8}\S{1,100}\s{1,8}password\s{1,8}(?P<s>[^\s‹]\S{1,200})"),
    _place("secret", "identified+by password",
           r"(?i)\b(?:identified\s{1,4}by|password)\s{1,4}(?:password\s{1,4})?'(?P<s>[^'\n‹]{3,200})'"),
    _place("secret", "requirepass masterauth", r"(?i)\b(?:requirepass|masterauth)\s{1,8}[\"']?(?P<s>[^\s\"'‹]{4,200})"),
    _place("secret", "mysql sshpass redis-cli docker+login curl ldap",
           r"\b(?:mysql(?:dump|admin|show|import)?|ldap\w{3,8})\b[^\n|;&]{0,200}?\s-(?:p|w\s{0,2})(?P<s>[^\s‹-]\S{2,200})"
           r"|\b(?:sshpass|docker\s{1,3}login)\b[^\n|;&]{0,200}?\s-p\s{0,3}(?P<s2>[^\s‹-]\S{2,200})"
           r"|\bredis-cli\b[^\n|;&]{0,200}?\s-a\s{1,3}(?P<s3>[^\s‹-]\S{2,200})"
           r"|\bcurl\b[^\n|;&]{0,300}?\s(?:-u|--user)[\s=]{0,3}[\"']?[^\s:\"']{1,100}:(?P<s4>[^\s\"'‹]{2,200})"),
    _place("secret", ":5432: :*:",
           r"(?m)^[\w.*-]{1,253}:(?:5432|\*):[^:\s]{1,64}:[^:\s]{1,64}:(?P<s>[^\s‹]{3,200})$"),
    _place("password-hash", "$",
           r"\$(?:2[abxy]|apr1|[156y7]|argon2(?:id|i|d)|scrypt|pbkdf2[\w-]{0,10})\$[\w./$,=+-]{20,400}"),
)  # fmt: skip

SHAPES = (*_CLOUDS, *_CODE, *_MESSAGES, *_SERVICES, *_MODELS, *_PLACES)

# What has to follow a hint that clean text is full of, for a word to be looked at.
MORE = {
    "-us": r"\d",
    "M": r"[\w-]{23,27}\.[\w-]{6}\.",
    "N": r"[\w-]{23,27}\.[\w-]{6}\.",
    "O": r"[\w-]{23,27}\.[\w-]{6}\.",
    "SK": r"[0-9a-f]{32}",
    "api-": r"[0-9a-f]{8}-",
    "cio": r"[A-Za-z0-9]{32}",
    "dapi": r"[0-9a-f]{32}",
    "dose": r"[0-9a-f]{32}",
    "key-": r"[0-9a-f]{32}",
    "lin_": r"(?:api|oauth)_",
    "mob-": r"[0-9a-f]{8}-",
    "oy2": r"[a-z0-9]{43}",
    "pat": r"[A-Za-z0-9]{14}\.",
    "pat-": r"(?:na|eu|ap)\d-",
    "re_": r"[A-Za-z0-9]{8}_",
    "rk_": r"(?:live|test|prod)_",
    "sdk-": r"[0-9a-f]{8}-",
    "sk-": r"[\w-]{20}",
    "sk_": r"(?:live|test|prod)_",
}

# --- over several lines ----------------------------------------------------------------------------------------------

_ARMOUR = r"(?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)?"
_BREAK = r"(?:\\{1,3}[nr]|\s){0,8}"
BLOCKS: tuple[Shape, ...] = (
    _place("private-key", "----",
           rf"-----BEGIN {_ARMOUR}-----(?:[^-]|-(?!----)){{1,20000}}-----END {_ARMOUR}-----"),
    # One without an end was cut: its lines go as well.
    _place("private-key", "----",
           rf"-----BEGIN {_ARMOUR}-----(?:{_BREAK}[A-Z][\w-]{{1,30}}: [^\n\\]{{1,200}}){{0,5}}"
           rf"(?:{_BREAK}[A-Za-z0-9+/]{{16,4000}}={{0,2}}){{0,400}}(?:{_BREAK}[A-Za-z0-9+/]{{1,15}}={{1,2}})?"),
    _place("private-key", "----",
           r"---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----(?:[^-]|-(?!---)){0,20000}"),
    _place("private-key", "private-lines",
           r"(?<=Private-Lines: )\d{1,3}\s{1,2}(?:[A-Za-z0-9+/=]{4,100}\s{0,2}){1,100}"),
)  # fmt: skip

# --- values that have the name of a secret ---------------------------------------------------------------------------

_OF_KEYS = (
    "api access secret private signing encryption encrypt master account shared storage auth session consumer ssh app"
    " application routing integration service client crypt hmac aes webhook admin root write ingest license deploy"
    " subscription function host primary secondary jwt rest project server ssl tls decryption cipher"
)
_KEYS = "|".join(_OF_KEYS.split())
PASSWORD_WORDS = r"pass(?:word|wd|phrase|code|wort)|(?<![a-z])pass(?![a-z])|(?<![a-z])pwd|mysql_pwd|pgpass"
OTHER_WORDS = rf"secret|token|(?:{_KEYS})[-_. ]?key|credentials?"
OTHER_WORDS += r"|(?<![a-z])(?:jwt|creds|[_-]auth|auth(?=[\"'\\]{0,4}\s{0,4}:))"
NAME = rf"(?P<name>(?:{PASSWORD_WORDS}|{OTHER_WORDS})[\w-]{{0,24}})"
# In lower case, as the hints of places.
HINTS_OF_NAMES = ("pass", "pwd", "secret", "token", "key", "cred", "jwt", "auth")

_ESCAPED = r"\\{1,3}"
_QUOTED = (
    r"\[[^\[\]\n]{2,2000}\]|\"(?:[^\"\\\n]|\\.){1,4000}\"|'(?:[^'\\\n]|\\.){1,4000}'"
    rf"|{_ESCAPED}\"(?:[^\"\\\n]){{1,4000}}{_ESCAPED}\"|{_ESCAPED}'(?:[^'\\\n]){{1,4000}}{_ESCAPED}'"
)
# A delimiter ends a bare value where the next field, a closing bracket or the end follows; inside of one it is a part.
_BARE = (
    r"(?:[^\s\"',;&)}\]<>＜＞\\]|[\"'](?=\w)|\\(?![nrt\"'])"
    r"|[,;&)}\]](?!\s|$|[\"'}\]),;\\]|[\w.-]{1,40}[\"']?[=:]))+"
)
VALUE = rf"(?P<value>{_QUOTED}|[\"']?{_BARE})"
_SIGN = r"[\"'\]\\]{0,5}\s{0,12}(?P<sign>=>|:=|={1,3}|:)\s{0,12}"

NAMED = re.compile(rf"(?i){NAME}{_SIGN}(?:[bru](?=[\"']))?{VALUE}")
FLAG = re.compile(
    rf"(?i)(?<![\w-])--?(?P<name>[\w-]{{0,30}}?(?:{PASSWORD_WORDS}|{OTHER_WORDS}|auth)[\w-]{{0,12}})[\"'],?"
    rf"\s{{1,3}}{VALUE}"
    rf"|(?<![\w-])--?(?P<name2>[\w-]{{0,30}}?(?:{PASSWORD_WORDS}|{OTHER_WORDS})[\w-]{{0,12}})[\s,]{{1,3}}"
    rf"(?P<value2>{_QUOTED}|[^\s\"'<>-]\S{{2,}})"
)
# A variable of a container: its name and its value are fields, perhaps on lines of their own.
PAIR = re.compile(
    r"(?i)(?<![\w-])[\"'\\]{0,4}(?:name|key)[\"'\\]{0,4}\s{0,4}[:=]\s{0,4}[\"'\\]{0,4}"
    rf"(?P<name>[\w.-]{{0,60}}?(?:{PASSWORD_WORDS}|{OTHER_WORDS})[\w-]{{0,24}})"
    rf"[\"'\\]{{0,4}}[\s,]{{1,80}}[\"'\\]{{0,4}}value[\"'\\]{{0,4}}\s{{0,4}}[:=]\s{{0,4}}{VALUE}"
)
SCALAR = re.compile(
    rf"(?im)^(?P<indent>[ \t]{{0,40}})[\"']?[\w.-]{{0,40}}?{NAME}[\"']?:[ \t]{{1,4}}[|>][+-]?\d?[ \t]{{0,4}}\n"
    r"(?P<value>(?:(?P=indent)[ \t]{1,20}\S[^\n]{0,4000}(?:\n|\Z)){1,100})"
)

# --- names and values that are none ----------------------------------------------------------------------------------

IS_PASSWORD = re.compile(rf"(?i)(?:{PASSWORD_WORDS})")
IS_NAME = re.compile(rf"(?i)(?:{PASSWORD_WORDS}|{OTHER_WORDS}|^auth$|authorization|^cookie$|^set-cookie$)")

# What stands behind the word and makes a name one of something about a secret.
BENIGN_NAME = re.compile(
    r"(?i)(?:(?<!credential)s|[-_.]?(?:counts?|limits?|types?|ttl|names?|refs?|length|len|size|usage|used|rate|budget"
    r"|files?|path|dir|url|uri|policy|version|expir\w*|age|mount|store|status|errors?|valid\w*|required|rotat\w+"
    r"|enabled|(?<!secret_)(?<!secret-)ids?|manager|provider|class|namespace|endpoint|per\w*|bucket|window|throughput"
    r"|latency|format|fields?|prefix|hint|reset|changed?|attempts?|retries|failures?|strength|min\w*|max\w*|algorithm"
    r"|template|engine|arn|generation|source|lifetime|cache|review|issuer|audience|volume|projection|controller"
    r"|seconds|ms|management|based|less|only|space|spaces|izer\w*|ize\w*))$"
)
# Texts before the word: a language model's vocabulary, pages of a list, figures.
BENIGN_BEFORE = re.compile(
    r"(?i)(?<![a-z])(?:max|min|num|n|eos|bos|pad|unk|sep|cls|mask|first|last|stop|special|per|per_output|next_page|page|next"
    r"|continuation|total|prompt|completion|input|output|primary|foreign|sort|partition)[-_]$"
)
_WORDS = (
    "none null nil true false yes no on off undefined empty unset required optional missing invalid incorrect"
    " wrong expired revoked rotated denied failed failure error unknown rejected unauthorized forbidden mismatch"
    " must should cannot can could is was are not has have had been for from in of the and or to with via when if"
    " string str int bytes type set get option argument flag file stdin prompt redacted masked hidden removed"
    " authentication based bearer basic default any all changed updated found does do may will would only too that"
    " this it as by at be but literal field value example xxx xxxx optional[str] optional[string] str|none object"
    " boolean number array list dict mapping secretkeyref valuefrom configmapkeyref"
)
NO_SECRET = frozenset(_WORDS.split())
REFERENCE = re.compile(
    r"\$\{.*|\$\(.*|\$[A-Z_][A-Z0-9_]*|\{\{.*|%\(?\w{1,40}\)?s?|\*{2,}|•+|x{3,}|X{3,}|[\[(<＜]?(?i:redacted|masked|hidden|"
    r"filtered|secret|password|token|sensitive)[\])>＞]?|arn:.*|<[\w -]{1,40}>|＜[\w -]{1,40}＞|\.{3,}|…+",
    re.S,
)
FIGURE = re.compile(r"[-+]?[\d.,_]+(?:[eE]\d+)?[a-zµ%/]{0,6}")
PATH = re.compile(r"(?:file:|[~.]{0,2})/[\w.@+-]{1,100}(?:/[\w.@+-]{0,100}){0,20}")
PLAIN_WORDS = re.compile(r"[A-Za-z][a-z]*(?:[-_.][a-z]+)*[.:!?]?")

KINDS = frozenset([*(shape.kind for shape in (*SHAPES, *BLOCKS)), "secret", "encoded-secret"])
