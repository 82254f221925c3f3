"""Tells the names of hosts from other words with dots: classes, metrics, files, versions, API groups.

There is no rule for that, so there are lists: which endings are those of hosts, which names are public, and which look
like hosts and are none.
"""

import re

# Endings that are seldom anything else.
_ENDINGS_TEXT = (
    "com net org io dev cloud edu gov mil arpa internal local lan corp home intranet localdomain private example"
    " invalid test ai co biz tech xyz online company digital systems services solutions network agency consulting"
    " technology de uk fr nl eu au jp cn ru br ch se dk fi cz kr mx za nz ie pt ro hu gr tr ua il sg hk tw vn ar"
    " cl sk bg hr lt lv ee lu"
)
_ENDINGS = frozenset(_ENDINGS_TEXT.split())
# Endings that are words, units or endings of files as well: these need a third label.
_WORDS_TOO_TEXT = (
    "at be it no to us ca es pl in th gg tv cc sh rs app run info page site store shop live team tools zone host"
    " space website pro id me is my"
)
_WORDS_TOO = frozenset(_WORDS_TOO_TEXT.split())
_FILES_TEXT = (
    "py js ts tsx jsx go java kt rb php cs cpp cc hpp scala swift sql json yaml yml toml xml html css md txt log"
    " csv conf cfg ini env lock gz tgz zip tar bz2 zst parquet so jar war pem crt key csr sock pid db bak tmp sh"
    " rs proto tf tpl ps onnx pt safetensors gguf exe dll whl ipynb"
)
_FILES = frozenset(_FILES_TEXT.split())
# A package begins with what a host ends with.
_PACKAGES_TEXT = (
    "com org net io java javax jakarta jdk sun kotlin scala akka android python gov edu dev ai de co system"
    " microsoft google spring hibernate logging sqlalchemy psycopg redis requests urllib urllib3 aiohttp httpx"
    " django flask numpy torch self this console math os sys"
)
_PACKAGES = frozenset(_PACKAGES_TEXT.split())
# Figures of a machine end in `io` and `net` as well.
_BEFORE_IO_TEXT = "disk java node system block file fs net network cpu memory async mem volume storage"
_BEFORE_IO = frozenset(_BEFORE_IO_TEXT.split())

# Names that stand in every cluster and say nothing about anybody: API groups, labels, registries, public services.
_PUBLIC_ENDS = re.compile(
    r"(?i)(?:^|\.)(?:kubernetes\.io|k8s\.io|helm\.sh|coreos\.com|cert-manager\.io|istio\.io|argoproj\.io|prometheus\.io"
    r"|openshift\.io|crossplane\.io|cilium\.io|projectcalico\.org|linkerd\.io|knative\.dev|tekton\.dev|fluxcd\.io|keda\.sh"
    r"|velero\.io|longhorn\.io|traefik\.io|opentelemetry\.io|gke\.io|nvidia\.com|k8s\.aws|karpenter\.sh|strimzi\.io"
    r"|cnpg\.io|rook\.io|ceph\.com|metallb\.io|kyverno\.io|external-secrets\.io|cluster\.local|googleapis\.com|gcr\.io"
    r"|pkg\.dev|quay\.io|ghcr\.io|docker\.io|docker\.com|mcr\.microsoft\.com|public\.ecr\.aws|nvcr\.io|elastic\.co"
    r"|registry\.gitlab\.com|redhat\.com|redhat\.io|json-schema\.org|w3\.org|ietf\.org|pool\.ntp\.org)$"
)
_PUBLIC = re.compile(
    r"(?i)(?:www\.|api\.|docs\.|registry\.|hooks\.|status\.|hub\.|cloud\.|eks\.|sts\.|o\d+\.ingest\.)?(?:github\.com|gitlab\.com"
    r"|bitbucket\.org|golang\.org|google\.com|microsoft\.com|apple\.com"
    r"|amazonaws\.com|amazon\.com|azure\.com|letsencrypt\.org|slack\.com|stripe\.com|pagerduty\.com|datadoghq\.com"
    r"|sentry\.io|openai\.com|anthropic\.com|huggingface\.co|cloudflare\.com|redis\.io|python\.org|apache\.org|example)"
    r"|[a-z0-9-]{1,40}(?:\.[a-z]{2}(?:-[a-z]{2,9}){1,3}-\d)?\.amazonaws\.com|raw\.githubusercontent\.com"
    r"|.{1,200}\.svc"
)


def is_host(name: str, *, in_address: bool = False, has_port: bool = False) -> bool:
    """Whether a word with dots is the name of a host that is somebody's.

    `in_address` says that it stands where an address has its host; `has_port`, that a colon and a number follow.
    """
    labels = name.split(".")
    last = labels[-1].lower()
    if _PUBLIC.fullmatch(name) or _PUBLIC_ENDS.search(name) or last == "localhost":
        return False
    if in_address:
        return not last.isdigit()
    if "_" in name or any(_is_of_code(label) for label in labels) or labels[0].lower() in _PACKAGES:
        return False
    if last in _ENDINGS:
        return not (last in ("io", "net") and len(labels) == 2 and labels[0] in _BEFORE_IO)
    if last in _WORDS_TOO and (len(labels) > 2 or has_port) and last not in _FILES:
        return labels[-2] not in ("instance", "user", "host", "request", "trace", "span", "container", "pod")
    return has_port and last not in _FILES and len(labels) > 2


def _is_of_code(label: str) -> bool:
    """A label in mixed case is a class or a method; hosts are written in one case."""
    return not (label.islower() or label.isupper() or label.isdigit() or not label.strip("0123456789-"))


def is_address_of_nobody(address: str) -> bool:
    """Whether an IPv4 address is the same on every machine: loopback, any, broadcast, masks, link-local."""
    return address.startswith(("127.", "0.", "169.254.", "255.")) or address == "255.255.255.255"


# Of an address that is written out; a time has two, the address of a network card five.
_COLONS = 7


def is_ipv6(text: str) -> bool:
    """Whether a text is an IPv6 address that is somebody's, and not a time, a part of code, or loopback."""
    if text == "::1" or text.lower().startswith("fe80:") or not any(char.isdigit() for char in text):
        return False
    if "::" not in text and text.count(":") != _COLONS:
        return False
    # Only what looks so far like an address pays for the import.
    from ipaddress import AddressValueError, IPv6Address

    try:
        return not IPv6Address(text).is_unspecified
    except AddressValueError:
        return False
