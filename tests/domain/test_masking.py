"""Identifiers leave as numbers and come back as names; words of a diagnosis are no identifiers; nothing is forged."""

import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from aiops_cli.adapters.library import scenario_names
from aiops_cli.domain.consultation import CONCLUDE, Background, ask, read
from aiops_cli.domain.diagnosis import diagnose
from aiops_cli.domain.inquiry import tool_specs
from aiops_cli.domain.known_secrets import find_known, secrets_of
from aiops_cli.domain.masking import Redactor
from aiops_cli.domain.memory import Recall
from aiops_cli.pipeline import Options, run
from tests.clean_lines import clean_lines
from tests.fakes import ScriptedApprover, ScriptedModel, model_action, model_answer
from tests.scenes import stage
from tests.secret_samples import Maker, samples

MAKE = Maker(11)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("10.1.2.3:8080 and 10.1.2.3, then 10.1.2.4/16.", "‹ip-1›:8080 and ‹ip-1›, then ‹ip-2›/16."),
        ("2001:db8::17 [2001:db8:0:0:0:0:0:18]:80", "‹ip-1› [‹ip-2›]:80"),
        ("db-1.prod.example.com:5432", "‹host-1›:5432"),
        ("https://grafana.acme.io/d/1?from=x", "https://‹host-1›/d/1?from=x"),
        ("amqps://mq.acme:5671", "amqps://‹host-1›:5671"),
        ("DB-1.PROD.EXAMPLE.COM is db-1.prod.example.com", "‹host-1› is ‹host-1›"),
        ("at db.internal: refused. See wiki.acme.de.", "at ‹host-1›: refused. See ‹host-2›."),
        ("ip-10-0-3-17.ec2.internal and ip-10-0-3-18", "‹host-1› and ‹host-2›"),
        ("gke-prod-pool-1-abcdef12-x1yz, aks-pool1-12345678-vmss00000a", "‹host-1›, ‹host-2›"),
        ("i-0abc123def4567890", "‹host-1›"),
        ("shop.abc123.eu-west-1.rds.amazonaws.com", "‹host-1›"),
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com/pay:5.18", "‹host-1›/pay:5.18"),
        ("alice@corp.example.com wrote", "‹email-1› wrote"),
        ("user=alice uid=1000(bob) /home/carol/x /Users/dan",
         "user=‹user-1› uid=1000(‹user-2›) /home/‹user-3›/x /Users/‹user-4›"),
        ('{"user": "alice", "user_id": "u-77"}', '{"user": "‹user-1›", "user_id": "‹user-2›"}'),
        ("Failed password for invalid user bob from 10.0.0.5 port 22",
         "Failed password for invalid user ‹user-1› from ‹ip-1› port 22"),
        ("login: alice", "login: ‹user-1›"),
        ('{"a": "x\\\\n10.1.2.3\\\\ndb.corp.net"}', '{"a": "x\\\\n‹ip-1›\\\\n‹host-1›"}'),
    ],
)  # fmt: skip
def test_identifiers_become_numbers_and_come_back(text: str, masked: str) -> None:
    redactor = Redactor()
    assert redactor.redact(text) == masked
    assert redactor.restore(masked).lower() == text.lower()


@pytest.mark.parametrize(
    "text",
    [
        "java.lang.OutOfMemoryError com.shop.orders.OrderService$1 java.io.IOException java.io",
        "connection.pool.size jvm.memory.used service.instance.id k8s.pod.name host.name disk.io user.id",
        "app.py main.go:12 OrderService.java:77 lib.so.1 config.yaml values.prod.yaml index.js x.tar.gz",
        "version 1.2.3 v1.2.3.4 Chrome/120.0.0.0 Firefox/133.0 python 3.13.1 5.18.2-rc.1",
        "docker.io/library/nginx:1.25 quay.io/team/x@sha256:"
        + "0a" * 32
        + " gcr.io/p/i ghcr.io/o/i:2 registry.k8s.io/pause",
        "app.kubernetes.io/name=pay networking.k8s.io/v1 topology.kubernetes.io/zone node.kubernetes.io/not-ready",
        "payments.prod.svc.cluster.local payments.prod.svc kubernetes.default.svc:443",
        "sts.amazonaws.com dynamodb.us-east-1.amazonaws.com storage.googleapis.com api.github.com",
        "12:34:56 12:34:56.789 aa:bb:cc:dd:ee:ff std::vector Foo::bar ::1 fe80::1 namespace::9",
        "127.0.0.1 0.0.0.0 255.255.255.0 169.254.169.254 localhost 1.3.6.1.4.1.311",
        "user=root user: postgres /home/app/x uid=0(root) user=${USER} user: the name of it",
        "p99.9 e.g. i.e. etc. 3.14 0.95 1e-5 $.items[0].name a.b.c x.y",
        "git@github.com react@18.2.0 ranker@2.1 100%",
        "SELECT o.id, c.name FROM orders.items o WHERE o.at < 5",
        "tokens per second",
    ],
)
def test_the_words_of_a_diagnosis_stay(text: str) -> None:
    redactor = Redactor()
    assert redactor.redact(text) == text


def test_fifty_thousand_clean_lines_stay() -> None:
    redactor = Redactor()
    lines = clean_lines(50_000, seed=8)
    assert [line for line in lines if redactor.redact(line) != line] == []
    assert not redactor.counts


def test_prompts_of_all_scenarios_lose_addresses_and_hosts_and_no_other_word() -> None:
    for name in scenario_names():
        scene = stage(name)
        case = scene.case()
        background = Background(offline=diagnose(case, Recall()), recall=Recall(), inventory=scene.observer.inventory())
        prompt = ask(case, background, (*tool_specs(), CONCLUDE))
        redactor = Redactor()
        masked = redactor.redact(prompt.user)
        assert set(redactor.counts) <= {"ip", "host"}, name
        assert redactor.restore(masked) == prompt.user
        assert redactor.redact(prompt.system) == prompt.system
        assert redactor.redact_tree(dict(prompt.schema)) == prompt.schema


def test_what_is_kept_is_never_masked() -> None:
    redactor = Redactor(["pay.shop.io"])
    redactor.keep(["db.shop.io", "10.0.0.9", "ann"])
    assert redactor.redact("pay.shop.io db.shop.io 10.0.0.9 user=ann x.shop.io") == (
        "pay.shop.io db.shop.io 10.0.0.9 user=ann ‹host-1›"
    )


def test_secrets_are_gone_for_good() -> None:
    redactor = Redactor()
    for sample in samples(2):
        assert sample.secret not in redactor.restore(redactor.redact(sample.text))


def test_with_identifiers_off_secrets_still_go() -> None:
    redactor = Redactor(identifiers=False)
    assert redactor.redact(f"db.corp.net 10.1.2.3 password={MAKE.word(9)}") == "db.corp.net 10.1.2.3 password=‹secret›"


@pytest.mark.parametrize(
    ("text", "harmless"),
    [
        ("‹host-1› db.corp.net", "＜host-1＞ ‹host-1›"),
        ("‹‹host-1››", "＜＜host-1＞＞"),
        ("‹host-", "＜host-"),
        ("1› ‹ ›", "1＞ ＜ ＞"),
        ("‹secret› ‹aws-key›", "‹secret› ‹aws-key›"),
        ("‹user-7›", "＜user-7＞"),
    ],
)
def test_what_looks_like_a_placeholder_is_made_harmless(text: str, harmless: str) -> None:
    redactor = Redactor()
    assert redactor.redact(text) == harmless
    assert "‹host-1›" in harmless or redactor.restore(harmless) == harmless


def test_only_what_was_made_here_is_put_back() -> None:
    first, second = Redactor(), Redactor()
    masked = first.redact("db.corp.net")
    assert second.restore(masked) == masked
    assert first.restore(f"{masked} ‹host-2› ‹host-01› host-1") == "db.corp.net ‹host-2› ‹host-01› host-1"


def test_numbers_are_given_in_the_order_of_the_text_in_every_process() -> None:
    text = "b.corp.net a.corp.net 10.0.0.2 10.0.0.1 b.corp.net user=zoe user=ann"
    code = f"from aiops_cli.domain.masking import Redactor; print(ascii(Redactor().redact({text!r})))"
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert outputs == {ascii("‹host-1› ‹host-2› ‹ip-1› ‹ip-2› ‹host-1› user=‹user-1› user=‹user-2›")}


def test_one_that_is_not_reversible_gives_no_numbers() -> None:
    redactor = Redactor(reversible=False)
    assert redactor.redact("b.corp.net a.corp.net") == "‹host› ‹host›"
    assert redactor.redact(redactor.redact("a.corp.net")) == "‹host›"
    assert redactor.restore("‹host›") == "‹host›"


def test_masking_twice_is_masking_once() -> None:
    redactor = Redactor()
    text = "db.corp.net 10.1.2.3 ann@corp.net user=ann password=" + MAKE.word(9)
    once = redactor.redact(text)
    assert redactor.redact(once, own=True) == once


def test_two_keys_that_become_the_same_are_both_kept() -> None:
    masked: Any = Redactor().redact_tree(
        {f"password={MAKE.word(9)}": 1, f"password={MAKE.word(9)} ": 2, "n": [1, None]}
    )
    assert sorted(map(str, masked.values())) == ["1", "2", "[1, None]"]


def test_json_as_text_is_looked_at_field_by_field() -> None:
    # As one text, a variable whose name comes after its value would not be seen.
    env = [{"value": "letmein", "name": "DB_PASSWORD"}]
    text = json.dumps({"env": env, "out": "a\nghp" + "_" + MAKE.word(36)})
    assert json.loads(Redactor().redact_tree(text)) == {
        "env": [{"value": "‹secret›", "name": "DB_PASSWORD"}],
        "out": "a\n‹github-token›",
    }


def test_names_come_back_into_prose_and_never_into_an_action() -> None:
    scene = stage("payments-evening")
    case = scene.case()
    offline = diagnose(case, Recall())
    redactor = Redactor()
    host = redactor.redact("db1.corp.net")
    call = model_action("scale_service", host, replicas=5, note=host) | {"because": f"{host} is full"}
    said = model_answer(entity=host, evidence=offline.evidence[:1], actions=[call])
    said |= {"summary": f"{host} is down", "question": f"is {host} up?", "verdict": "inconclusive"}
    said["hypotheses"][0] |= {"statement": f"{host} refuses", "against": f"{host} answers"}
    answer = read(json.dumps(said), case, offline, "m", redactor.restore)
    assert answer.summary == "db1.corp.net is down" and answer.question == "is db1.corp.net up?"
    [claim] = answer.hypotheses
    assert claim.entity == "db1.corp.net"
    assert claim.statements == ("db1.corp.net refuses",) and claim.against == ("db1.corp.net answers",)
    fault = said | {"verdict": "fault"}
    told = read(json.dumps(fault), case, offline, "m", redactor.restore)
    proposals = [(p.target, dict(p.arguments), p.because) for p in told.proposals]
    assert proposals in ([], [(host, {"replicas": 5, "note": host}, "db1.corp.net is full")])
    assert proposals or any(host in line for line in told.struck)


def test_the_run_keeps_the_names_of_its_inventory() -> None:
    scene = stage("payments-evening")
    kept: list[str] = []
    kit = replace(scene.kit(ScriptedApprover(False), model=ScriptedModel(model_answer())), keep=kept.extend)
    run(scene.group, kit, Options())
    assert set(scene.observer.inventory()) <= set(kept)


# --- secrets that are known ------------------------------------------------------------------------------------------


def test_which_variables_hold_secrets() -> None:
    value = MAKE.word(20)
    named = ["GEMINI_API_KEY", "AWS_SECRET_ACCESS_KEY", "DB_PASSWORD", "PGPASSWORD", "GH_TOKEN", "MYSQL_PWD",
             "REDIS_AUTH", "SLACK_WEBHOOK", "APP_CREDENTIALS", "KEY", "STRIPE_KEY2", "npm_config_token"]  # fmt: skip
    others = ["PATH", "PWD", "OLDPWD", "HOME", "SSH_AUTH_SOCK", "TOKENIZERS_PARALLELISM", "KEYBOARD",
              "AWS_SECRET_NAME", "TLS_KEY_FILE", "XAUTHORITY", "GOOGLE_APPLICATION_CREDENTIALS", 
              "TOKEN_TTL", "DESKTOP_SESSION"]  # fmt: skip
    assert set(secrets_of(dict.fromkeys([*named, *others], value))) == set(named)


def test_of_an_address_the_password_is_the_secret() -> None:
    password = MAKE.word(14)
    found = secrets_of(
        {
            "AIOPS_DATABASE_URL": f"postgresql://app:{password}%2Bx@db.corp.net/aiops",
            "SENTRY_DSN": f"https://{password}@o1.ingest.sentry.io/1",
            "REDIS_URL": "redis://cache:6379",
            "HTTPS_PROXY": f"http://me:{password}@proxy:3128",
        }
    )
    assert sorted(found.values()) == [password, password, f"{password}+x"]
    assert all(name.endswith("(a part of it)") for name in found)


def test_short_values_and_words_of_every_log_do_not_stop_a_request() -> None:
    assert secrets_of({"DB_PASSWORD": "postgres", "A_TOKEN": "short", "B_TOKEN": "        ", "C_KEY": "changeme"}) == {}


def test_nothing_known_is_nothing_found() -> None:
    assert find_known(b"{}", ["x"], {}) is None
    assert find_known(b'{"a": "b"}', ["x"], {"A": MAKE.word(12)}) is None
