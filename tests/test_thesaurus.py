"""The thesaurus that ships: the rules of the file, and what tired people type at night."""

import json
from functools import cache
from importlib.resources import files

import pytest

from aiops_cli.adapters.thesaurus_file import read_thesaurus
from aiops_cli.domain.words import read_words
from aiops_cli.strict_yaml import read_yaml

GROUPS: dict[str, list[str]] = read_yaml(
    files("aiops_cli").joinpath("data", "thesaurus.yaml").read_text(encoding="utf-8"), "thesaurus.yaml"
).data
ON_CALL = read_thesaurus(None)


def concepts(text: str) -> set[str]:
    return set(ON_CALL.concepts(read_words(text).parts))


@cache
def stripped(form: str) -> tuple[str, ...]:
    return read_words(form).parts


def test_there_are_concepts_enough_and_each_has_words() -> None:
    assert len(GROUPS) >= 60
    assert not [concept for concept, forms in GROUPS.items() if not forms]


def test_concepts_are_named_in_lower_case_with_hyphens() -> None:
    assert not [concept for concept in GROUPS if not concept.replace("-", "").isalpha() or concept != concept.lower()]


def test_a_form_has_one_to_three_words_in_lower_case() -> None:
    every = [form for forms in GROUPS.values() for form in forms]
    assert all(isinstance(form, str) for form in every), "YAML reads a bare 503 or no as something else than a word"
    assert not [form for form in every if form != form.lower() or not 1 <= len(form.split()) <= 3]


def test_a_form_can_be_found() -> None:
    unfindable = [form for forms in GROUPS.values() for form in forms if not 1 <= len(stripped(form)) <= 3]
    assert not unfindable, "more than three words when taken apart: can't is two"


def test_a_form_stands_in_its_concept_once() -> None:
    twice = {
        concept: [form for at, form in enumerate(forms) if stripped(form) in map(stripped, forms[:at])]
        for concept, forms in GROUPS.items()
    }
    assert not {concept: forms for concept, forms in twice.items() if forms}


def test_a_longer_form_says_what_its_words_alone_would_not() -> None:
    idle = []
    for concept, forms in GROUPS.items():
        keys = {stripped(form) for form in forms}
        for key in keys:
            shorter = {key[at : at + size] for size in range(1, len(key)) for at in range(len(key) - size + 1)}
            if shorter & keys:
                idle.append((concept, " ".join(key)))
    assert not idle


def test_a_form_means_two_concepts_at_most() -> None:
    assert not {form: meant for form, meant in ON_CALL.forms.items() if len(meant) > 2}


def test_one_concept_stands_on_one_line() -> None:
    lines = files("aiops_cli").joinpath("data", "thesaurus.yaml").read_text(encoding="utf-8").splitlines()
    told = [line.partition(": ") for line in lines if line and not line.startswith("#")]
    assert [name for name, _, _ in told] == list(GROUPS)
    assert all(json.loads(forms) == GROUPS[name] for name, _, forms in told)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("checkout pods keep bouncing every couple of minutes", "crash-loop"),
        ("half of the new ones never come up", "startup"),
        ("half of them never come up", "replicas"),
        ("desired 5, available 3, and it stays so", "replicas"),
        ("the thing we run on every box is missing from three", "daemonset"),
        ("update hangs at ordinal 2", "statefulset"),
        ("web is not picking up the new build", "rollout-stuck"),
        ("rollout has exceeded its progress deadline", "rollout-stuck"),
        ("namespace hangs there, some finalizer", "termination"),
        ("they ignore sigterm and take the full grace period", "shutdown"),
        ("containerd is wedged on that host", "container-runtime"),
        ("the policy engine rejects it, says kyverno", "admission"),
        ("we loop on our custom resource", "operator"),
        ("CreateContainerConfigError", "startup"),
        ("pods all packed on one zone", "scheduling"),
        ("whole box vanished, no ping", "node-failure"),
        ("nobody home on db-3", "unresponsive"),
        ("disk is toast on storage-4", "disk-failure"),
        ("spare is rebuilding, md1 degraded", "raid"),
        ("cant create files though df shows lots of room", "inodes"),
        ("one leg of the bond is down", "network-interface"),
        ("clock is two minutes ahead", "clock"),
        ("it eats all its ram", "out-of-memory"),
        ("load is at 90", "cpu"),
        ("db is choking", "saturation"),
        ("we're drowning in requests", "traffic"),
        ("request timed out", "timeout"),
        ("fifty gpus sit idle", "gpu"),
        ("process dies on boot", "crash"),
        ("graphs are blank since three", "missing-metrics"),
        ("kube-state-metrics or another exporter", "exporter"),
        ("rule group is skipping iterations", "rules"),
        ("long term storage gets nothing, remote write", "remote-write"),
        ("samples rejected, out of order", "sample-rejection"),
        ("the always-firing alert stopped arriving", "watchdog"),
        ("peers disagree about who is in", "gossip"),
        ("way too many series from one service", "cardinality"),
        ("nobody wins the vote", "quorum"),
        ("two of them both think they lead", "leader"),
        ("wal won't replay", "wal"),
        ("tombstones everywhere", "compaction"),
        ("memtables pile up", "write-stall"),
        ("reshuffle of data all night", "rebalancing"),
        ("two shards idle", "sharding"),
        ("old files never get cleaned", "retention"),
        ("a forgotten snapshot", "snapshot"),
        ("ceph pgs stuck peering", "ceph"),
        ("esxi lost its guest", "virtualisation"),
        ("publishers are blocked by the memory alarm", "backpressure"),
        ("nobody eats from the queue", "consumer"),
        ("names don't resolve", "dns"),
        ("the chain lacks its intermediate", "certificate"),
        ("yo-yo service", "flapping"),
        ("api gave up the ghost", "down"),
        ("traffic fell off a cliff", "traffic-drop"),
        ("one dead service took the rest with it", "cascade"),
        ("cache is stone cold", "cold-cache"),
        ("someone dropped the users table", "deletion"),
        ("roll it back", "rollback"),
        ("github is down", "provider-outage"),
        ("bot makes up answers", "hallucination"),
        ("we get paged for nothing", "alert-noise"),
        ("pager was quiet, no pages", "alert-delivery"),
    ],
)
def test_what_people_say_is_understood(said: str, meant: str) -> None:
    assert meant in concepts(said)


@pytest.mark.parametrize(
    ("said", "other"),
    [
        ("set the table, then the other settings", "configuration"),
        ("we will recover the costs", "recovered"),
        ("a stack trace in the ticket", "tracing"),
        ("samples out of order", "cardinality"),
        ("out of scope of the edge", "cdn"),
        ("all proposals were read", "quorum"),
        ("an alert is gone after it was fixed", "down"),
        ("use the flags -a and -b", "feature-flag"),
        ("it should not run twice", "down"),
    ],
)
def test_what_people_do_not_mean_is_left_alone(said: str, other: str) -> None:
    assert other not in concepts(said)


@pytest.mark.parametrize(
    "page",
    [
        """Our team decides by writing short proposals. The author describes the problem, lists two or three options and
        says which one they prefer. Everybody has a week to comment, then the person who will do the work chooses. We
        keep the text in the repository, so that someone who joins next year can read why we chose what we chose.""",
        """Buttons have one primary colour and say what happens next. Forms show the label above the field and the hint
        below it. Tables can be sorted by each column. We spread the content over at most three columns. Toast messages
        last five seconds and can be dismissed.""",
        """To set up a laptop, clone the repository, install the language version that the file names, and run the setup
        script. It creates a virtual environment, installs the packages and adds the commit hooks. The tests take about
        two minutes. If you change the public interface, write a line in the changelog.""",
        """A good test has three parts: what is given, what is done, and what is expected. Its name is a sentence. When
        a test is hard to write, the design is trying to tell you something: perhaps a function does two things, or
        knows too much. Tests that depend on the order in which they run are repaired the same day.""",
    ],
)
def test_ordinary_prose_speaks_of_no_trouble(page: str) -> None:
    assert concepts(page) == set()
