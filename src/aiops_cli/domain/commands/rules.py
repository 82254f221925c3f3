"""Which rule judges which command, and the names of those that change something or of which nothing is known."""

from collections.abc import Callable, Mapping

from aiops_cli.domain.commands.call import CHANGING_VERBS, Call, Doubt, doubt, texts, words_of
from aiops_cli.domain.commands.cloud import aws, cloud
from aiops_cli.domain.commands.databases import SQL_CLIENTS, mongosh, sql_client
from aiops_cli.domain.commands.files import awk, find, sed
from aiops_cli.domain.commands.network import curl, openssl, wget
from aiops_cli.domain.commands.tools import READS_ALWAYS, TOOLS, by_table

_CHANGERS = words_of(
    "rm rmdir mv cp dd kill pkill killall chmod chown chgrp ln touch mkdir truncate tee shred reboot shutdown halt"
    " poweroff mount umount useradd userdel usermod passwd apt apt-get yum dnf rpm dpkg pip pip3 npm swapoff swapon"
    " fsck resize2fs e2fsck lvextend lvremove lvresize pvcreate xfs_growfs visudo vi vim nano ed install rsync scp sftp"
    " patch pg_ctl pg_dump pg_restore pg_repack mysqldump unlink rename sync wipefs parted fdisk mkswap modprobe insmod"
    " rmmod setenforce ufw firewall-cmd nft brew snap systemd-run at alias unalias eval exec source . set unset trap"
    " nohup reset init telinit mkfifo mknod losetup cryptsetup fstrim logrotate pgbench vacuumdb reindexdb createdb"
    " dropdb createuser dropuser unzip tar gzip gunzip zip ansible-playbook kustomize puppet chef-client"
)
# Names that begin a command, and of which nothing more is known here.
_FURTHER = words_of(
    "ssh python python3 bash sh make go cargo node java telnet screen tmux nsenter chroot perl ruby perf strace gdb for"
    " while if export exit su doas minikube kind k3s talosctl eksctl kops velero gitlab-ctl gitlab-rake knife chef"
    " bin/kafka-topics.sh ./bin/kafka-topics.sh lxc virsh jstack jmap jcmd jstat sudo time timeout nice ionice watch"
    " xargs nerdctl linkerd cilium calicoctl kubeadm nomad mysqladmin bq gsutil gh launchctl zpool zfs chronyc"
    " timedatectl history test iptables-save conntrack mdadm tune2fs dumpe2fs multipath ntpq numastat slabtop"
)
_RULES: Mapping[str, Callable[[Call], str]] = {
    **dict.fromkeys(READS_ALWAYS, lambda call: call.name),
    **dict.fromkeys(TOOLS, by_table),
    **dict.fromkeys(SQL_CLIENTS, sql_client),
    **dict.fromkeys(["mongosh", "mongo"], mongosh),
    **dict.fromkeys(["gcloud", "az"], cloud),
    **dict.fromkeys(["awk", "gawk", "mawk"], awk),
    **{"aws": aws, "curl": curl, "wget": wget, "openssl": openssl, "find": find, "sed": sed},
}


def is_command(name: str) -> bool:
    """Whether a command of that name is known, whatever it does."""
    return name in _RULES or name in _CHANGERS or name in _FURTHER


def read_by(call: Call) -> str:
    """What a call is, in a word or two. Raises Doubt where it is not known to read."""
    if call.name in _RULES:
        return _RULES[call.name](call)
    if call.name in _CHANGERS or call.name.startswith("mkfs"):
        raise Doubt(f"changes: {call.name}")
    verb = next((text for text in texts(call.words[1:]) if text in CHANGING_VERBS), "")
    raise doubt(f"{call.name[:40]} {verb}")
