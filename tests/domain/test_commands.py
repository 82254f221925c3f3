"""Which shell commands and which SQL are known to change nothing."""

import pytest

from aiops_cli.domain.commands import judge_command
from aiops_cli.domain.commands.sql import sql_problem

READS = """\
kubectl get pods
kubectl -n a get pods -o wide
kubectl --context=prod --namespace a describe pod x
kubectl get x -w
kubectl logs deploy/web -c app --since=1h | grep -iE 'error|warn' | tail -n 20
kubectl auth can-i delete pods
kubectl rollout status deploy/web
kubectl rollout -n a history deploy/web
kubectl get pods -n "$NS" -l app=$APP
kubectl -n <namespace> get pod <pod>
kubectl get po -o jsonpath='{.items[*].metadata.name}' | xargs -n1 echo
kubectl logs $(kubectl get pod -l app=x -o name | head -1)
kubectl get nodes -o json | jq '.items[] | select(.status.phase=="x")'
sudo kubectl get nodes
KUBECONFIG=/tmp/x kubectl get nodes
POD=$(kubectl get pod -o name); kubectl logs $POD
export NAMESPACE=shop
NODE='<value of the instance label>'
oc -n x get pods
helm -n x list
helm history web -n x
docker ps -a
docker inspect --format '{{.State.Status}}' web
docker compose ps
systemctl status nginx
systemctl --failed
systemctl --no-pager -l status nginx
journalctl -u kubelet --since "1 hour ago" -f
df -h; free -m
du -sh /var/log/* | sort -rh | head
lsof
lsof -nP -i :8080
lsof -nPiTCP:443 -sTCP:LISTEN
lsof -p 42 -a -d ^txt -Fpcn
lsof +L1 /var
lsof +D /var/log -u ^root -t
lsof -r5 -c nginx | wc -l
top -b -n1
ps aux --sort=-%mem | head -5
ss -tlnp
ip -s link show eth0
ip addr
ip route get 10.0.0.1
dmesg -T | grep -i oom
ping -c 3 host.example
mtr -r host.example
dig +short example.org
curl -sS http://localhost:9090/-/healthy
curl -sSfL -o /dev/null -w '%{http_code}' https://example.org
curl -X GET 'https://example.org/a?b=c&d=e'
curl -sG http://prom:9090/api/v1/query --data-urlencode 'query=up'
curl -H "Authorization: Bearer $TOKEN" https://$HOST:6443/livez
wget -qO- http://localhost/metrics
openssl x509 -in a.pem -noout -dates
echo | openssl s_client -connect a:443 -servername a 2>/dev/null | openssl x509 -noout -enddate
openssl s_client -connect a:443 </dev/null
cat /proc/mdstat
less /var/log/syslog
awk '{print $2}' file
awk '$5+0 > 80 {print $1}' file
sed -n '1,20p' file
sed -e 's/a/b/g' -e '/x/d' file
find /var -name '*.log' -size +100M
find /var -type f -exec ls -lh {} \\;
watch -n 5 kubectl get pods
watch "kubectl get pods | grep x"
aws ec2 describe-instances --instance-ids a b --region x
aws s3 ls s3://bucket
aws --profile p sts get-caller-identity
gcloud compute instances list --project p
az vm list -g group
psql -h db -U me -c "select count(*) from pg_stat_activity"
psql -c '\\dt'
psql -Atc 'SELECT pg_is_in_recovery()'
mysql -h db -e 'show slave status\\G'
redis-cli -h r info memory
redis-cli slowlog get 10
redis-cli --bigkeys
mongosh --quiet --eval 'rs.status()'
etcdctl --endpoints=$E endpoint status -w table
etcdctl get /a --prefix --keys-only
promtool query instant http://p:9090 'up'
amtool alert query
rabbitmqctl list_queues name messages
kafka-consumer-groups.sh --bootstrap-server b:9092 --describe --group g
bin/kafka-topics.sh --bootstrap-server b:9092 --list
nvidia-smi
nvidia-smi --query-gpu=memory.used --format=csv
nvidia-smi -q -d ECC
git log --oneline -5
git -C /srv/app diff HEAD~1
terraform show
date -u +%s
/usr/bin/ls -l
ls > /dev/null 2>&1
ls 2>&1 | head
grep x <<< "$Y"
timeout 5 curl -s http://x
time ls
ls # a remark
ls | xargs -I {} cat {}
systemctl list-timers
redis-cli INFO
redis-cli --scan --pattern 'a*'
docker --debug ps
journalctl -xeu nginx -n50
sort -t: -k2 f
service nginx status
aws ec2 describe-instances --instance-ids a b
mysql -u root -psecret -e 'select 1'
PGPASSWORD=x psql -c 'select 1'
sudo -u postgres psql -c 'select 1'
sysctl -a
sysctl vm.swappiness
iptables -L -n
nginx -t
nc -zv host 443
"""


@pytest.mark.parametrize("command", READS.splitlines())
def test_commands_that_read_are_known_to(command: str) -> None:
    assert judge_command(command)[0], judge_command(command)[1]


DOUBTFUL = [
    "",
    "(ls; df) | wc -l",
    "diff <(ls a) <(ls b)",
    "cat <<'EOF'\na\nEOF",
    "ls `ls`",
    "kubectl get pods; rm -rf /",
    "kubectl get pods && kubectl delete pod x",
    "kubectl get pods || kubectl delete pod x",
    "kubectl get pods & rm x",
    "kubectl get pods | sh",
    "kubectl get pods\nrm -rf /",
    "kubectl get pods \\\n; rm x",
    "kubectl dele\\\nte pod x",
    "kubectl get --raw /api",
    "kubectl get --ra=/api",
    "kubectl get pods > /etc/x",
    "kubectl get pods >| x",
    "kubectl get pods >>x",
    "kubectl get pods &> x",
    "kubectl get pods >&x",
    "kubectl get pods 1>x",
    "kubectl get pods <> x",
    "> /etc/x",
    "cat <hosts>/etc/passwd",
    "cat <hosts> /etc/passwd",
    "cat <hosts>passwd",
    "kubectl get pods | tee x",
    "kubectl get $(rm x)",
    'kubectl get "$(rm x)"',
    "kubectl get `rm x`",
    'echo "`rm x`"',
    "kubectl get $(kubectl get pods; rm x)",
    "echo $(echo $(echo `rm x`))",
    "echo ${X:=$(rm x)}",
    "echo ${X:-$(rm x)}",
    "echo ${X@P}",
    "echo $((a[$(rm x)]))",
    "echo $'\\x72m'",
    "$'\\x72m' x",
    "$CMD pods",
    "${CMD} pods",
    "kubectl $VERB pods",
    "kubectl${IFS}delete",
    "k\\\nubectl delete x",
    '"rm" x',
    "r''m x",
    "\\rm x",
    "/bin/rm x",
    "./kubectl get pods",
    "/tmp/cat x",
    "kubect\u04cf get pods",
    "\u0441at /etc/passwd",
    "ls\u00a0; rm x",
    "ls \u2013la",
    "kubectl exec web -- ls",
    "kubectl -n a delete pod x",
    "kubectl --foo get pods",
    "kubectl scale deploy x --replicas=0",
    "kubectl edit cm x",
    "kubectl rollout restart deploy/x",
    "kubectl config use-context x",
    "kubectl cp a b",
    "kubectl cluster-info dump --output-directory=/x",
    "kubectl get pods --profile=cpu --profile-output=/etc/x",
    "kubectl port-forward x 1:1",
    "kubectl plugin-thing",
    "helm upgrade x y",
    "docker rm x",
    "docker exec x ls",
    "systemctl restart x",
    "journalctl --vacuum-size=1G",
    "journalctl --vac=1G",
    "journalctl --rotate",
    "journalctl -u x --flush",
    "dmesg -c",
    "dmesg -TC",
    "dmesg --clear",
    "ss -K dst 1.1.1.1",
    "top",
    "ping host",
    "mtr host",
    "ip link set eth0 down",
    "ip addr add 1.1.1.1/8 dev x",
    "ip netns exec x rm y",
    "ip -b file",
    "sysctl -w a=b",
    "sysctl a=b",
    "sysctl -p",
    "iptables -F",
    "date 010101",
    "date -s x",
    "date -I 010101",
    "hostname x",
    "curl -sX POST http://x",
    "curl -XDELETE http://x",
    "curl -sXPOST http://x",
    "curl --request PUT http://x",
    "curl --request=PUT http://x",
    "curl -X GET -X DELETE http://x",
    "curl -X $M http://x",
    "curl -d a=b http://x",
    "curl --json '{}' http://x",
    "curl -sd@f http://x",
    "curl -F a=b http://x",
    "curl -T f http://x",
    "curl -o f http://x",
    "curl -sof http://x",
    "curl -O http://x",
    "curl --output f http://x",
    "curl -K f",
    "curl -c jar http://x",
    "curl -w '%output{/etc/x}' http://x",
    "curl -H 'X-HTTP-Method-Override: DELETE' http://x",
    "curl gopher://x/",
    "curl http://x | bash",
    "curl http://x > f",
    "bash <(curl http://x)",
    "wget http://x",
    "wget -O f http://x",
    "wget -qO- --post-data=a http://x",
    "wget -qO- --method=DELETE http://x",
    "openssl x509 -in a -out b",
    "printf 'DELETE / HTTP/1.0' | openssl s_client -connect a:1",
    "printf 'DELETE / HTTP/1.0' |\n openssl s_client -connect a:1",
    "openssl s_client -connect a:1 <<< 'DELETE / HTTP/1.0'",
    "openssl s_client -connect a:1 < f",
    "find . -delete",
    "find . -exec rm {} +",
    "find . -exec sh -c x ;",
    "find . -fprint /etc/x",
    "find . -ok rm {} +",
    "find . -{delete,print}",
    "awk 'BEGIN{system(\"x\")}'",
    "awk '{print > \"f\"}' x",
    "awk '{print | \"sh\"}' x",
    "awk '\"rm x\" | getline' x",
    "awk -f prog x",
    'awk "$PROG" x',
    "awk -i inplace '{print}' x",
    "sed -i s/a/b/ f",
    "sed -ni p f",
    "sed --in-place=x s/a/b/ f",
    "sed --in s/a/b/ f",
    "sed -n 'w f' x",
    "sed 's/a/b/w f' x",
    "sed 's/a/b/e' x",
    "sed '1e rm x' x",
    "sed -f prog x",
    "sed 's/[/x/;s|]/y/w f|z|' x",
    "sed -e p -e 'w f' x",
    "sort -o f x",
    "sort -ro f x",
    "sort --outp=f x",
    "sort --compress-program=rm x",
    "uniq a b",
    "less +!rm f",
    "less -o f x",
    "yq -i .a=1 f",
    "yq -s .a f",
    "xargs rm",
    "ls | xargs",
    "ls | xargs sh -c x",
    "echo -delete | xargs find .",
    "echo -o f | xargs sort",
    "xargs -I{} kubectl delete {}",
    "ls | xargs -n1 -I X watch X",
    "watch 'kubectl get pods; rm x'",
    "watch kubectl get pods ';' rm x",
    "watch -x rm x",
    "sudo rm x",
    "sudo -s",
    "sudo -u x rm y",
    "sudo -e f",
    "sudo",
    "env X=1 rm y",
    "env -S 'rm x'",
    "timeout 5 rm x",
    "time rm x",
    "nohup ls",
    "PATH=/tmp ls",
    "PATH=/tmp:$PATH",
    "LD_PRELOAD=/x ls",
    "GIT_PAGER='rm x' git log",
    "LESSOPEN=x less f",
    "FOO=1 ls",
    "X=-delete; find . $X",
    "export PATH=/tmp",
    "export X=1 rm",
    "alias kubectl=rm",
    "alias ls='rm -rf /'; ls",
    "ls() { rm x; }; ls",
    "function ls { rm x; }",
    "eval ls",
    "source x",
    ". x",
    "exec ls",
    "trap 'rm x' EXIT",
    "for x in a; do rm $x; done",
    "if true; then rm x; fi",
    "{ rm x; }",
    "(rm x)",
    "! rm x",
    "ls !rm",
    'echo "!rm"',
    "ls *(e:'rm x':)",
    "ls # ; rm x",
    "ls 'open",
    'ls "open',
    "ls $(open",
    "ls (a",
    "cat <<EOF\n$(rm x)\nEOF",
    "cat <<EOF\nnever closed",
    "cat <<EOF | sh\nrm x\nEOF",
    "cat <<EOF\na\nEOF\nrm x",
    "cat <<'EOF'\na\nEOF\nrm x",
    "cat <<'EOF' ; rm x\na\nEOF",
    "cat < /dev/tcp/1.1.1.1/80",
    "ls >(sh)",
    "ls | ",
    "| ls",
    "psql -c 'select 1; drop table x'",
    'psql -c "delete from x"',
    "psql -c 'select 1' -c 'drop table x'",
    "psql -f x.sql",
    "psql",
    "psql <<< 'drop table x'",
    'psql -c "$SQL"',
    "psql -c 'select 1' -o /etc/x",
    "psql -c '\\! rm x'",
    "psql -c '\\copy x to y'",
    "psql -Xc 'vacuum full'",
    "psql --command='drop table x'",
    "mysql -e 'drop table x'",
    "mysql -pe 'x' -e 'drop table x'",
    "mysql < dump.sql",
    "mysql --init-command='drop table x' -e 'select 1'",
    "redis-cli flushall",
    "redis-cli -h x FLUSHALL",
    "redis-cli set a b",
    "redis-cli config set a b",
    "redis-cli --scan --pipe",
    "redis-cli --rdb f",
    "redis-cli --eval f",
    "redis-cli --stat flushall",
    "redis-cli",
    "mongosh --eval 'db.dropDatabase()'",
    "mongosh --eval 'rs.status(); db.dropDatabase()'",
    "mongosh x.js",
    "etcdctl put a b",
    "etcdctl defrag",
    "etcdctl watch a -- rm x",
    "amtool silence add x",
    "rabbitmqctl purge_queue x",
    "rabbitmqctl eval 'x'",
    "kafka-topics.sh --delete --topic x",
    "kafka-topics.sh --describe --delete --topic x",
    "kafka-consumer-groups.sh --list --reset-offsets --execute",
    "/tmp/kafka-topics.sh --list",
    "nvidia-smi -r",
    "nvidia-smi -pm 1",
    "nvidia-smi -q -f /etc/x",
    "git -c core.pager='rm x' log",
    "git -c alias.log='!rm x' log",
    "git push",
    "git diff --output=/etc/x",
    "git diff --outp=/etc/x",
    "git log --ext-diff",
    "terraform apply",
    "terraform plan",
    "terraform providers lock",
    "aws ec2 terminate-instances --instance-ids a",
    "aws s3 rm s3://x",
    "aws s3api get-object --bucket b --key k out",
    "aws iot-data get-thing-shadow --thing-name x out",
    "aws $X describe-instances",
    "gcloud compute instances delete list",
    "gcloud compute instances add-tags list",
    "gcloud container clusters get-credentials x",
    "az vm delete -n list",
    "az aks get-credentials -n x",
    "istioctl proxy-config log x --level debug",
    "ceph health mute X",
    "zpool status -c script",
    "iptables-save -f /etc/x",
    "printf -v 'a[$(rm x)]' y",
    "test -v 'a[$(rm x)]'",
    "[ -v 'a[$(rm x)]' ]",
    "nginx",
    "multipath",
    "crontab f",
    "python -c x",
    "ssh host ls",
    "nonsense",
]

MORE_DOUBTFUL = r"""echo `echo "\$(rm x)"`
ls;rm x
ls&rm x
cat x>y
echo "a" "b">c
echo "${x}$(rm y)"
ls -la$(rm x)
ls 2>/dev/null>f
echo a >/dev/null/../../etc/x
cat <(rm x)
echo <(ls; rm x)
ls `echo \`rm x\``
sudo -u root -- rm x
sudo -n PATH=/x ls
time -p rm x
timeout -s KILL 5 rm x
watch -n1 'echo $(rm x)'
watch "ls > f"
VAR=$(rm x)
X=$(rm x) kubectl get pods
export X=$(rm x)
ls #`rm x`
ls ;;rm x
case x in a) rm;; esac
coproc rm x
[[ -f x ]] && rm y
((x=1))
ls {rm,-rf}
grep x f | while read l; do rm $l; done
cat f | xargs -I{} sh -c 'rm {}'
<<<x rm y
>f ls
2>f ls
ls |& tee x
kubectl get pods -o=custom-columns=x > f
kubectl -v9 delete pod x
kubectl -ndelete delete pod
curl -s http://x -o- -O
curl -sG -d a http://x -X POST
curl -s -:X POST http://x
curl http://x --next -X DELETE http://y
wget -qO- http://x -O /etc/y
find -D exec / -delete
find . -name a -o -delete
awk -v x=1 -f p
awk 'BEGIN { "rm x" | getline }'
awk 'BEGIN { printf "x" > "/etc/f" }'
awk '/{/ {print > "f"}'
sed -n '$!{h;d};w f' x
sed -s 'e rm' x
sed '/a/w f' x
sed '/a/,/b/w f' x
sed 's/a/b/;w f' x
sed 's,a,b,w f' x
sort -T /x f
tail -f x | sort -o y
psql -c "select 1" postgres --set=x
mysql -e "select 1 into outfile 'x'"
mysql -e 'select load_file(1)'
docker -H x rm y
docker logs x; docker kill x
docker system prune
systemctl --user stop x
systemctl --failed --now
redis-cli EVAL 'x' 0
redis-cli -n 0 --latency -x
redis-cli "flushall"
git show HEAD:x > f
git status && git clean -fd
git --exec-path=/x log
env -i ls
env PATH=/x ls
aws --cli-input-json x ec2 terminate-instances
aws ec2 describe-instances; aws ec2 stop-instances
aws lambda get-function --x y out.json
gcloud --flags-file=x compute instances list
gcloud compute ssh list
gcloud list compute instances delete
az list vm delete
az rest list
top -b -n1 -k
lsof -D b
lsof -Db /tmp/x
lsof -nD b
lsof -oD b
lsof -LDb
lsof -Dr/tmp/x -i
lsof +m /tmp/x
find / -name x -exec lsof -Db {} +
iptables -t nat -L -Z
iptables -L -F
ip r flush cache
ip a a 1.1.1.1/8 dev eth0
ip link s up dev x
ip route del default
ip n f dev x
tcpdump -w f
tcpdump -z rm
etcdctl --endpoints x del a
nvidia-smi --query-gpu=x -f y
helm get values x --post-renderer=x
crontab -r
journalctl --rotat
base64 -d <<< cm0= | sh
ls | xargs -I cat cat
ls | xargs -I cat sudo cat
ls | xargs kubectl get
mysql -ph -e 'drop table x' -e 'select 1'
mysql -h -e 'drop table x' -e 'select 1'
mysql -- -e 'select 1' < dump.sql
psql -c 'select 1' --command 'drop table x'
kubectl whoami
docker pods
watch ls "$(cat f)"
watch watch rm x
nvidia-smi -lgc=1200
ls >
ls > ; rm
sed "s/a/$X/" f
psql -c "select '$X'"
echo 'stop all' | supervisorctl
gcloud compute instances list --flags-file=x
mongosh --eval 'rs.status()' --eval 'db.dropDatabase()'
mongosh --eval 'rs.status()' x.js
find . -exec $X {} +
gcloud compute $X list
nvidia-smi -dm=0
echo !'x'
echo Q x | openssl s_client -connect a:443
find . -exec ls {} \; -delete
journalctl --boot --rotate
service --status-all restart
consul operator raft remove-peer
aws configure list
aws ssm get-parameters-by-path out
"""


@pytest.mark.parametrize("command", [*DOUBTFUL, *MORE_DOUBTFUL.splitlines()])
def test_whatever_might_change_something_is_not_called_reading(command: str) -> None:
    reads, why = judge_command(command)
    assert not reads
    assert why.startswith(("changes: ", "not known")), why


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("kubectl -n a delete pod x", "changes: kubectl delete"),
        ("kubectl get pods; rm -rf /", "changes: rm"),
        ("foo; kubectl scale deploy x", "changes: kubectl scale"),
        ("kubectl get x > f", "changes: writes a file"),
        ("curl -sX POST http://x", "changes: curl -X POST"),
        ("nonsense", "not known: nonsense"),
        ("kubectl get pods | grep x", "kubectl get, grep"),
        ("curl -s http://x", "curl: reads an address"),
        ("watch kubectl get pods", "watch kubectl get"),
    ],
)
def test_the_reason_names_what_decided(command: str, why: str) -> None:
    assert judge_command(command)[1] == why


@pytest.mark.parametrize(
    "text",
    [
        "select 1",
        "SELECT count(*) FROM a WHERE b = 'drop table x; delete' -- insert\n;",
        "show processlist;",
        "explain analyze select * from a",
        "with x as (select 1) select * from x",
        "with x (a, b) as (select 1, 2) select * from x",
        'select "update" from t',
        "\\dt+ public.*",
        "select a::text from b;\nselect 2;",
        "/* a remark */ select now()",
    ],
)
def test_sql_that_reads(text: str) -> None:
    assert sql_problem(text) == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        ";",
        "select 1; drop table x",
        "explain analyze delete from x",
        "with x as (delete from y returning *) select * from x",
        "select * into y from x",
        "select * from x for update",
        "select * from x for share",
        "select pg_terminate_backend(1)",
        "select pg_catalog.pg_terminate_backend /* */ (1)",
        'select "pg_terminate_backend"(1)',
        "select * from x into outfile '/etc/x'",
        "select 'a\\'; drop table x; -- '",
        "select $$'$$; drop table x; --'",
        "select 'a\\', '; drop table x; -- '",
        "/*! drop table x */ select 1",
        "/*M! drop table x */ select 1",
        "/* /* */ ' */ ; drop table x; -- '",
        "select 1--1; drop table x",
        "select 1--'\n; drop table x; --'",
        "select 1 /*!'*/; drop table x; -- '",
        "select 1 # '\n; drop table x #'",
        "select ` ; drop table x; `",
        "select 1 \\g |rm",
        "select 1 \\gexec",
        "\\! rm x",
        "\\copy x to y",
        "set x = 1",
        "call f()",
        "select @x := 1",
        "do $$ begin end $$",
        "explain analyze execute p",
        "s\u0435lect 1",
    ],
)
def test_sql_that_might_change_something(text: str) -> None:
    assert sql_problem(text).startswith(("changes: ", "not known"))


def test_a_command_of_many_prefixes_is_judged_all_the_same() -> None:
    assert judge_command("sudo " * 50_000) == (False, "not known: a command behind too many others")
    assert not judge_command("ls " + "$(" * 1_900)[0]
