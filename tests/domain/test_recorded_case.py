"""Recorded cases: what makes an answer right, and bad files."""

from pathlib import Path

import pytest

from aiops_cli.adapters.library import read_case
from aiops_cli.bootstrap.recorded import read_case as open_case
from aiops_cli.domain.alert import AlertStatus
from aiops_cli.domain.diagnosis import Diagnosis, Hypothesis, Verdict
from aiops_cli.domain.recorded_case import CATEGORIES, CaseTruth, category_of, shortcomings
from aiops_cli.domain.vocabulary import FaultClass
from aiops_cli.errors import BadConfig, BadInput


def said(summary: str, verdict: Verdict = Verdict.FAULT, fault: FaultClass = FaultClass.POOL_EXHAUSTED) -> Diagnosis:
    return Diagnosis(
        verdict=verdict, summary=summary, confidence=0.9, hypotheses=(Hypothesis("api", fault, 0.9, (), ()),)
    )


def truth(**fields: object) -> CaseTruth:
    return CaseTruth.model_validate({"verdict": "fault", **fields})


@pytest.mark.parametrize(
    ("diagnosis", "expected", "right"),
    [
        (said("the pool of api is full"), truth(must_match=["pool|conn"], must_mention=["API"]), True),
        (said("the POOL"), truth(must_match=["pool"]), True),
        (said("x" * 800 + "pool"), truth(must_match=["pool"]), False),
        (said("x" * 800 + "pool"), truth(must_mention=["pool"]), True),
        (said("x" * 1200 + "pool"), truth(must_mention=["pool"]), False),
        (said("pool"), truth(must_match=["pool", "starv"]), False),
        (said("all is well", Verdict.HEALTHY), truth(verdict="healthy"), True),
        (said("all is well"), truth(verdict="healthy"), False),
        (said("all is well", Verdict.INCONCLUSIVE), truth(verdict="healthy"), False),
        (said("pool", Verdict.HEALTHY), truth(must_match=["pool"]), False),
        (said("pool"), truth(must_not_category=["resource_exhaustion"]), False),
        (said("pool"), truth(must_not_category=["unknown"]), True),
        (said("cannot tell", Verdict.INCONCLUSIVE), truth(must_not_category=["unknown"]), False),
    ],
)
def test_an_answer_is_right_by_its_words_its_verdict_and_its_category(
    diagnosis: Diagnosis, expected: CaseTruth, right: bool
) -> None:
    assert (shortcomings(diagnosis, expected) == []) is right


def test_every_fault_has_one_category() -> None:
    listed = [fault for faults in CATEGORIES.values() for fault in faults]
    assert sorted(listed) == sorted(fault for fault in FaultClass if not fault.benign)
    assert category_of(said("", Verdict.HEALTHY)) == "healthy"


def write(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "case.yaml").write_text(text)
    return folder


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("id: a\ntruth: {verdict: perhaps}\n", "case.yaml:2: truth.verdict"),
        ("id: a\ntruth: {verdict: fault, must_match: ['(']}\n", "case.yaml:2: truth.must_match"),
        ("id: a\ntruth: {verdict: fault, must_not_category: [resource_exhaustoin]}\n", "is no category"),
        ("id: a\ntruht: {verdict: fault}\n", "case.yaml:2: truht"),
        ("id: a\n", "case.yaml:1: truth"),
        ("id: a\nid: b\n", "occurs twice"),
        ("- 1\n", "case.yaml:1"),
    ],
)
def test_a_case_that_does_not_hold_names_its_line_and_field(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(BadConfig) as caught:
        read_case(write(tmp_path / "c", text))
    assert words in caught.value.message


def test_a_folder_without_a_case_says_so(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"case\.yaml"):
        read_case(tmp_path)


def test_a_question_stands_for_the_alert_and_the_name_of_the_case_does_not_get_in(tmp_path: Path) -> None:
    folder = write(tmp_path / "pool-is-full", "id: pool-is-full\ntruth: {verdict: fault}\n")
    assert "pool" not in repr(open_case(folder).group)
    folder = write(tmp_path / "b", "id: b\nquestion: why is api slow?\ntruth: {verdict: fault}\n")
    assert "why is api slow?" in open_case(folder).group.lead.name


def test_an_alert_of_any_product_is_read_by_the_names_that_such_things_have(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", "id: a\ntruth: {verdict: healthy}\n")
    (folder / "alert.json").write_text(
        '{"outer": {"title": "Scheduled check", "state": "normal", "source": "cloudwatch", "priority": "low",'
        ' "subject": {"name": "ledger-db"}, "summary": "within bounds"}}'
    )
    (folder / "evidence").mkdir()
    (folder / "evidence" / "10-pods.txt").write_text("ledger-db-0 1/1 Running 0 3d\n")
    opened = open_case(folder)
    lead = opened.group.lead
    assert (lead.name, lead.service, lead.summary) == ("Scheduled check", "ledger-db", "within bounds")
    assert lead.status is AlertStatus.RESOLVED
    assert [item.source for item in opened.handed.items] == ["file:10-pods.txt"]


@pytest.mark.parametrize("text", ["{", "[]", '{"a": 1}', '{"title": 5}'])
def test_an_alert_that_names_nothing_is_refused(tmp_path: Path, text: str) -> None:
    folder = write(tmp_path / "a", "id: a\ntruth: {verdict: healthy}\n")
    (folder / "alert.json").write_text(text)
    with pytest.raises(BadInput):
        open_case(folder)
