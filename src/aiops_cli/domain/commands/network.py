"""What asks an address: curl, wget and openssl."""

import re
from collections.abc import Mapping

from aiops_cli.domain.commands.call import Call, Flags, Option, doubt, options

# Another protocol than HTTP may carry any command.
_ADDRESS = re.compile(r"https?://|[\w$\[<{][^:]*(?::\d|:\$|/|$)|[\w.-]+:\d")
_CURL = Flags(
    letters="sSfvkiILgGNq46",
    valued="AumeExbrXdoDwHFT",
    names="--silent --show-error --fail --fail-with-body --verbose --insecure --include --head --location --globoff"
    " --no-buffer --compressed --get --no-progress-meter --http1.1 --http2 --ipv4 --ipv6 --location-trusted --tlsv1.2"
    " --user-agent= --user= --max-time= --connect-timeout= --cacert= --cert= --key= --retry= --retry-delay= --resolve="
    " --proxy= --unix-socket= --interface= --referer= --max-redirs= --retry-max-time= --oauth2-bearer= --range="
    " --request= --data= --data-urlencode= --data-raw= --data-binary= --json= --form= --upload-file= --output="
    " --dump-header= --write-out= --header=",
)
_DATA = frozenset(["-d", "--data", "--data-urlencode", "--data-raw", "--data-binary"])
_SENDS = frozenset([*_DATA, "--json", "-F", "--form", "-T", "--upload-file"])
_WGET = Flags(
    letters="qSnv",
    valued="OTt",
    names="--spider --quiet --no-check-certificate --server-response --timeout= --tries= --header= --user="
    " --ca-certificate= --output-document=",
)
_WRITES = frozenset(["-o", "--output", "-D", "--dump-header", "-O", "--output-document"])


def curl(call: Call) -> str:
    """curl that asks and shows the answer. Raises Doubt."""
    given = list(options(call, _CURL))
    gets = any(option.name in ("-G", "--get", "-I", "--head") for option in given)
    for option in given:
        if option.name in ("-X", "--request") and option.value.text not in ("GET", "HEAD", "OPTIONS"):
            raise doubt(f"curl -X {option.value.text[:10]}", ["put"])
        if option.name in _SENDS and not (gets and option.name in _DATA):
            raise doubt("curl sends data", ["put"])
    return _asks(call, given)


def wget(call: Call) -> str:
    """wget that asks and shows the answer, or nothing. Raises Doubt."""
    given = list(options(call, _WGET))
    if not any(option.name in ("-O", "--output-document", "--spider") for option in given):
        raise doubt("wget writes a file", ["create"])
    return _asks(call, given)


def _asks(call: Call, given: list[Option]) -> str:
    for name, value, _ in given:
        if name in _WRITES and value.text not in ("-", "/dev/null"):
            raise doubt(f"{call.name} writes a file", ["create"])
        if name in ("-w", "--write-out", "-H", "--header") and re.match(r"@|(?is:.*(?:method|%output))", value.text):
            raise doubt(f"{call.name} {name} with another method or a file")
        if not name and not _ADDRESS.match(value.text):
            raise doubt(f"{call.name} with another protocol")
    return f"{call.name}: reads an address"


_OPENSSL: Mapping[str, Flags] = {
    "s_client": Flags(
        names="-connect -servername -showcerts -CAfile -CApath -starttls -tls1_2 -tls1_3 -brief -verify"
        " -verify_return_error -status -alpn -cert -key -prexit -verify_hostname -4 -6"
    ),
    "x509": Flags(
        names="-in -noout -text -dates -enddate -startdate -subject -issuer -fingerprint -sha256 -serial -checkend -ext"
        " -inform -nameopt -checkhost -email -purpose -hash -modulus -pubkey -alias -subject_hash -issuer_hash"
    ),
    "verify": Flags(names="-CAfile -CApath -verbose -untrusted"),
    "version": Flags(names="-a"),
}


def openssl(call: Call) -> str:
    """openssl that looks at a certificate or a connection. Raises Doubt."""
    verb = call.words[1].text if len(call.words) > 1 else ""
    if verb not in _OPENSSL:
        raise doubt(f"openssl {verb}")
    list(options(call, _OPENSSL[verb], 2))
    if verb == "s_client" and call.fed:
        raise doubt("openssl s_client that is sent something")
    return "openssl"
