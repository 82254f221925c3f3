"""Tables of commands: which verbs and which flags of each are known to read."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from aiops_cli.domain.commands.call import Call, Flags, doubt, options, texts, words_of

# Commands that read whatever they are given.
READS_ALWAYS = words_of(
    "cat head tail tac nl cut tr column wc fold rev paste comm cmp diff stat ls pwd whoami id groups uname echo true"
    " false which whereis type basename dirname realpath readlink md5sum sha1sum sha256sum cksum base64 od strings df"
    " du free uptime w who last lastb nproc lscpu lsblk lspci lsusb lsmod lsns findmnt getent ps pgrep pidof pstree"
    " pmap netstat iostat vmstat mpstat dig nslookup host traceroute tracepath grep egrep fgrep zgrep zcat sleep"
    " cd lvs vgs pvs pg_isready pg_lsclusters printenv getconf locale arch lslocks"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool(Flags):
    """A command with its flags. Behind one of `verbs`, which are parted by a bar, every flag reads but the `refused`;
    without a verb, only known flags do, one of which has to be in `needs` if that says any. `words` is the shape of all
    other words together.
    """

    verbs: str = ""
    refused: str = ""
    needs: str = ""
    words: str = r"(?!.*(?:^| )\+).*"  # `+word` is a command of its own to some


_KUBECTL = Tool(
    verbs="get|describe|logs|top|explain|version|cluster-info|api-resources|api-versions|events|auth can-i|auth whoami"
    "|rollout status|rollout history|config view|config get-contexts|config get-clusters|config current-context",
    valued="nsv",
    names="--namespace= --context= --cluster= --user= --kubeconfig= --server= --token= --as= --as-group="
    " --request-timeout=",
    refused="--raw --output-directory --profile --profile-output --cache-dir",
)
_DOCKER = Tool(
    verbs="ps|logs|inspect|stats|images|version|info|events|port|diff|history|top|network ls|network inspect|volume ls"
    "|volume inspect|system df|container ls|container inspect|image ls|image inspect|compose ps|compose logs|node ls"
    "|service ls|service ps|service logs",
    letters="D",
    valued="Hcl",
    names="--host= --context= --log-level= --debug",
)
_RABBITMQ = Tool(
    verbs="status|cluster_status|ping|environment|report|node_health_check|list_queues|list_exchanges|list_bindings"
    "|list_connections|list_channels|list_consumers|list_users|list_vhosts|list_permissions|list_policies"
    "|list_parameters|list_unresponsive_queues|list_user_permissions|list_feature_flags|memory_breakdown|alarms"
    "|listeners|check_running|check_local_alarms|check_alarms|check_port_connectivity|check_virtual_hosts"
    "|server_version|runtime_thread_stats",
    letters="qs",
    valued="npt",
    names="--node= --vhost= --timeout= --quiet --silent",
)
_KAFKA = Tool(
    names="--bootstrap-server= --zookeeper= --describe --list --topic= --group= --groups --all-groups --all-topics"
    " --members --verbose --state --offsets --command-config= --entity-type= --entity-name= --status --timeout="
    " --under-replicated-partitions --unavailable-partitions --under-min-isr-partitions --exclude-internal",
    needs="--describe --list --status",
    words="",
)
_KAFKA_KINDS = ("topics", "consumer-groups", "configs", "acls", "log-dirs", "reassign-partitions", "metadata-quorum")
_KCAT = Tool(letters="LJ", valued="bt", needs="-L", words="")
_PAGER = Tool(letters="NSRFXiIgrdfs")
_ADDRESSES = r"(?:a|addr|address|r|ro|route|l|link|n|neigh|neighbour|neighbor|rule|maddr)"

TOOLS: Mapping[str, Tool] = {
    # Clusters and hosts of containers
    "kubectl": _KUBECTL,
    "oc": replace(_KUBECTL, verbs=f"{_KUBECTL.verbs}|status|whoami|adm top"),
    "helm": Tool(
        verbs="list|ls|status|history|get|version|env|show|repo list|search hub|search repo",
        valued="n", names="--namespace= --kube-context= --kubeconfig=", refused="--post-renderer"),
    **dict.fromkeys(["docker", "podman"], _DOCKER),
    "crictl": Tool(
        verbs="ps|pods|logs|inspect|inspectp|images|stats|statsp|info|version",
        valued="rit", names="--runtime-endpoint="),
    "istioctl": Tool(
        verbs="proxy-status|proxy-config|ps|pc|version|analyze", valued="ni", names="--namespace= --context=",
        refused="--level --reset"),
    "argocd": Tool(
        verbs="app get|app list|app history|app diff|app logs|app resources|cluster list|version",
        names="--server=", refused="--refresh --hard-refresh"),
    "flux": Tool(verbs="get|logs|version|events|tree", valued="n", names="--namespace= --context="),
    "terraform": Tool(verbs="show|state list|state show|output|version|validate", names="-no-color"),
    # Services of a host
    "systemctl": Tool(
        verbs="status|is-active|is-enabled|is-failed|is-system-running|list-units|list-unit-files|list-timers"
        "|list-sockets|list-dependencies|list-jobs|show|cat|get-default",
        letters="laq", valued="ntpo",
        names="--lines= --type= --property= --output= --state= --no-pager --full --all --user --failed",
        needs="--failed --state --type --all -a"),
    "journalctl": Tool(
        letters="fexrkaqmb", valued="nuUSpotg",
        names="--unit= --since= --until= --lines= --priority= --output= --identifier= --grep= --boot --dmesg --follow"
        " --no-pager --reverse --all --catalog --list-boots --disk-usage --utc --no-hostname --user --user-unit="
        " --pager-end --quiet --verify"),
    "service": Tool(names="--status-all", words=r"(?:[\w.@-]+ status)?"),
    "supervisorctl": Tool(
        verbs="status|tail|version|avail|maintail", valued="cs", names="--configuration= --serverurl="),
    "dmesg": Tool(letters="TtHwWkxLrdu", valued="lf", names="--ctime --human --follow --level= --facility= --since="),
    # Its -D writes a cache, also behind a letter whose value may be left out; +D looks into a folder.
    "lsof": Tool(
        letters="abCEfghHKlLMnNoOPQrRStUvVwXzZ", valued="cdepu", attached="FisTx",
        words=r"(?!.*(?:^| )\+[^cdDeEfLMrw]).*"),
    "top": Tool(letters="bcHiSE1", valued="nduUpow", needs="-b"),
    "sar": Tool(letters="uqrdbBSWwA", valued="nPf"),
    "pidstat": Tool(letters="urdhltwIRsv", valued="pC"),
    "date": Tool(letters="uRI", valued="dr", names="--utc --date= --iso-8601 --rfc-3339=", words=r"(?:\+.*)?"),
    "hostname": Tool(letters="fisIdA", names="--fqdn --short", words=""),
    "env": Tool(letters="0", names="--null", words=""),
    "crontab": Tool(letters="l", valued="u", needs="-l", words=""),
    "sysctl": Tool(letters="aneN", names="--all", words=r"[^=]*"),
    "smartctl": Tool(letters="aHix", valued="dl", names="--all --xall --health --info --attributes", words=r"\S*"),
    "nginx": Tool(letters="tTvVq", needs="-t -T -v -V", words=""),
    "nvidia-smi": Tool(
        names="-q -L -x -i= -d= --query-gpu= --query-compute-apps= --format= --list-gpus --id= --loop=", words=""),
    "ceph": Tool(
        verbs="status|health|df|osd tree|osd df|osd status|osd stat|osd perf|mon stat|pg stat|mgr stat|versions"
        "|quorum_status", letters="s", needs="-s", refused="mute unmute"),
    # Text
    "sort": Tool(
        letters="rnhufVbdgszMcR", valued="ktS", names="--reverse --numeric-sort --human-numeric-sort --unique --key="),
    "uniq": Tool(letters="cdiuDz", valued="fsw", names="--count --repeated --unique --ignore-case", words=r"\S*"),
    "jq": Tool(
        letters="rcsenSCMja", names="--raw-output --compact-output --slurp --arg= --argjson= --exit-status"),
    "yq": Tool(letters="rPNCMy", valued="op"),
    "file": Tool(letters="biLkz"),
    "printf": Tool(),
    **dict.fromkeys(["less", "more"], _PAGER),
    # Networks
    "ping": Tool(letters="nqv46aDO", valued="ciWwsItM", needs="-c"),
    "mtr": Tool(
        letters="rnwbzT46", valued="csPi", names="--report --report-wide --no-dns", needs="-r --report"),
    "nc": Tool(letters="zvnu46", valued="w", needs="-z"),
    "ss": Tool(
        letters="tulnpaeosimrH46xwNOE", names="--listening --tcp --udp --numeric --processes --all --summary"),
    "tcpdump": Tool(letters="nvXAeqStKlD", valued="icsr"),
    "ethtool": Tool(letters="Sikgaclm", words=r"\S*"),
    "ifconfig": Tool(letters="a", words=r"\S*"),
    "arp": Tool(letters="anv", valued="i", words=r"\S*"),
    "iptables": Tool(letters="LSnvx", valued="t", names="--line-numbers --list", needs="-L -S --list", words=r"\S*"),
    "ip": Tool(
        names="-4 -6 -s -d -j -o -br -brief -c -color -details -stats -statistics -json",
        words=rf"{_ADDRESSES}(?: (?:show|list|ls|get)(?: .*)?)?"),
    # Stores, queues and what watches them
    "redis-cli": Tool(
        verbs="info|get|mget|ttl|pttl|type|strlen|llen|lrange|scard|smembers|sismember|hget|hgetall|hlen|hkeys|zcard"
        "|zrange|zscore|xlen|xinfo|xrange|xpending|exists|keys|scan|dbsize|ping|lastsave|role|time|slowlog get"
        "|slowlog len|client list|client info|config get|memory usage|memory stats|memory doctor|latency latest"
        "|latency history|latency doctor|cluster info|cluster nodes|cluster slots|cluster shards|object encoding"
        "|object idletime|object freq|monitor|sentinel masters|sentinel master|sentinel replicas|pubsub channels",
        letters="c", valued="hpauni",
        names="--user= --pass= --cacert= --cert= --key= --sni= --tls --no-auth-warning --raw --insecure --pattern="
        " --stat --bigkeys --memkeys --hotkeys --latency --latency-history --scan",
        needs="--stat --bigkeys --memkeys --hotkeys --latency --latency-history --scan"),
    "etcdctl": Tool(
        verbs="get|endpoint status|endpoint health|endpoint hashkv|member list|alarm list|version|user list|role list",
        valued="w",
        names="--endpoints= --cacert= --cert= --key= --write-out= --user= --command-timeout= --cluster"),
    "promtool": Tool(
        verbs="query instant|query range|query series|query labels|check config|check rules|check healthy|check ready"),
    "amtool": Tool(
        verbs="alert query|silence query|config show|config routes|check-config|cluster show",
        valued="o", names="--alertmanager.url= --output="),
    **dict.fromkeys(["rabbitmqctl", "rabbitmq-diagnostics"], _RABBITMQ),
    **{f"kafka-{kind}{end}": _KAFKA for kind in _KAFKA_KINDS for end in (".sh", "")},
    **dict.fromkeys(["kcat", "kafkacat"], _KCAT),
    "patronictl": Tool(verbs="list|topology|history|show-config|version", valued="c", names="--config-file="),
    "nodetool": Tool(
        verbs="status|info|tpstats|ring|describecluster|compactionstats|netstats|cfstats|tablestats|gossipinfo|version"
        "|proxyhistograms|tablehistograms|gcstats", names="-h= -p= -u= -pw="),
    "consul": Tool(verbs="members|info|catalog nodes|catalog services|operator raft list-peers|version"),
    "vault": Tool(verbs="status|version", names="-address="),
    "git": Tool(
        verbs="log|show|diff|status|blame|rev-parse|describe|ls-files|shortlog",
        valued="C", names="--git-dir= --work-tree= --no-pager", refused="--output --ext-diff --open-files-in-pager"),
}  # fmt: skip


def by_table(call: Call) -> str:
    """The name and the verb of a call, judged by its row in the table. Raises Doubt."""
    tool = TOOLS[call.name]
    seen: set[str] = set()
    said = ""
    for option in options(call, tool):
        if option.name:
            seen.add(option.name)
            continue
        said = f"{said} {option.value.text}" if said else option.value.text
        # Redis takes its commands in capitals too; to others they are another word.
        verb = said.lower() if call.name == "redis-cli" else said
        if tool.verbs and _is_verb(call, tool, verb):
            return f"{call.name} {verb}"
    needed = tool.needs.split()
    if (tool.verbs and not needed) or (needed and seen.isdisjoint(needed)) or not re.fullmatch(tool.words, said, re.S):
        raise doubt(f"{call.name} {said}", said.split())
    return call.name


def _is_verb(call: Call, tool: Tool, said: str) -> bool:
    """Whether the words so far are a verb that reads; they may be the first of two. Raises Doubt where they are not."""
    verbs = tool.verbs.split("|")
    if said not in verbs:
        if not any(verb.startswith(f"{said} ") for verb in verbs):
            raise doubt(f"{call.name} {said}", said.split())
        return False
    refused = tool.refused.split()
    for text in texts(call.words):
        flag = text.partition("=")[0]
        # Some take the first letters of a long flag for the whole.
        if flag in refused or (len(flag) > 2 and any(bad.startswith(flag) for bad in refused if bad.startswith("--"))):
            raise doubt(f"{call.name} {flag}")
    return True
