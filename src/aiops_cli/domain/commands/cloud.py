"""The command lines of clouds: aws, gcloud and az."""

import re

from aiops_cli.domain.commands.call import Call, Flags, doubt, options, texts, words_of

_AWS = Flags(names="--profile= --region= --output= --endpoint-url= --query= --color= --no-cli-pager --no-paginate")
_AWS_READS = re.compile(
    r"(?!get-(?:object|login|session-token|federation|password-data|export))(?:describe|list|get|batch-get)-[a-z0-9-]+"
    r"|ls|filter-log-events|tail|lookup-events|head-(?:object|bucket)"
)


def aws(call: Call) -> str:
    """aws with a service and a verb that reads, whose answer goes into no file. Raises Doubt."""
    words, end = _first_words(call, _AWS, 2)
    if len(words) < 2 or not _AWS_READS.fullmatch(words[1]):
        raise doubt(f"aws {' '.join(words)}", [*words[1:], *(part for word in words[1:] for part in word.split("-"))])
    if words not in (["s3", "ls"], ["logs", "tail"]) and _has_loose_word(texts(call.words[end:])):
        raise doubt(f"aws {words[1]} with a file")
    return f"aws {words[0]} {words[1]}"


def _first_words(call: Call, flags: Flags, most: int) -> tuple[list[str], int]:
    words: list[str] = []
    for option in options(call, flags):
        if not option.name:
            if not option.value.plain:
                raise doubt(f"{call.name} with words that are put in")
            words.append(option.value.text)
            if len(words) == most:
                return words, option.end
    return words, len(call.words)


def _has_loose_word(rest: list[str]) -> bool:
    """Whether a word stands behind no flag: it may be a file for the answer. Only flags in the plural take several."""
    flag, values = "", 1
    for text in rest:
        flag, values = (text, 0) if text.startswith("-") else (flag, values + 1)
        if values > 1 and not flag.endswith("s"):
            return True
    return False


_GROUPS = words_of(
    "compute instances container clusters node-pools sql operations projects run services revisions logging pubsub"
    " topics subscriptions storage buckets iam service-accounts dns managed-zones record-sets functions app versions"
    " disks networks subnets firewall-rules forwarding-rules backend-services instance-groups managed zones regions"
    " beta alpha redis monitoring health-checks url-maps target-pools images snapshots addresses routers quotas"
    " artifacts docker vm aks network nodepool vnet nsg lb public-ip group account monitor metrics log-analytics"
    " workspace postgres mysql server acr repository keyvault secret webapp functionapp cosmosdb servicebus queue topic"
    " eventhubs namespace resource vmss sqldb db activity-log alert flexible-server application-gateway dns-zone"
)
_READS = words_of(
    "list describe show read get-iam-policy get-value get-server-config get-health list-ip-addresses list-usage"
    " get-instance-view get-upgrades get-versions get-serial-port-output get-named-ports list-instances"
)
_CLOUD = Flags(valued="gon", names="--project= --region= --zone= --format= --account= --subscription= --quiet")


def cloud(call: Call) -> str:
    """gcloud and az: groups, then a verb that reads; the first word that is no group is the verb. Raises Doubt."""
    if any(text.startswith(("--flags-file", "--log-http", "--file")) for text in texts(call.words)):
        raise doubt(f"{call.name} with a file")
    groups = 0
    for option in options(call, _CLOUD):
        verb = option.value.text
        if option.name or (verb in _GROUPS):
            groups += not option.name
        elif groups and verb in _READS:
            return f"{call.name} {verb}"
        else:
            raise doubt(f"{call.name} {verb}", [verb])
    raise doubt(call.name)
