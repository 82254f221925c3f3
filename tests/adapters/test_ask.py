"""Approvers: whatever goes wrong is No, and what is typed means one thing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest

from aiops_cli.adapters.ui.ask import NobodyToAsk, SimulatedApprover, TerminalApprover
from aiops_cli.adapters.ui.choices import Choice, menu_lines, question_for, read_choice
from aiops_cli.domain.action import Proposal, Risk
from aiops_cli.domain.approval import Answer, Decision, Wish
from aiops_cli.domain.asking import Asked
from aiops_cli.domain.audit import GENESIS, Head
from aiops_cli.domain.incident import Attempt
from aiops_cli.domain.plan import Plan
from tests.gates import ALLOWED, CALL, NOW, request_for, signed, yes_to

PROPOSAL = Proposal("scale_service", "payments-api", {"replicas": 6}, "")


def asked_about(call: object = CALL, *others: Decision, approvals: int = 1, undoes: int | None = None) -> Asked:
    request = request_for(call, undoes=undoes, principal="ines")  # type: ignore[arg-type]
    found: Sequence[Decision] = others
    return Asked(
        request=request,
        verdict=replace(ALLOWED, approvals=approvals),
        attempt=Attempt(1, PROPOSAL, NOW, request.call),
        head=Head(0, GENESIS),
        watch=lambda: found,
        plan=Plan((PROPOSAL,), (), "") if undoes is None else None,
    )


ASKED = asked_about()
HIGH = asked_about(replace(CALL, risk=Risk.HIGH))
UNDO = asked_about(undoes=1)
TWO = asked_about(approvals=2)
NO = Choice()


@dataclass
class Drawn:
    """A screen that shows one request's panel, and can draw no other."""

    shown: str | None

    def draw(self, asked: Asked) -> None:
        self.shown = None

    def explain(self, asked: Asked) -> None:
        pass


def terminal(shown: str | None) -> TerminalApprover:
    return TerminalApprover(600, "tester", Drawn(shown))


@pytest.mark.parametrize("shown", [None, "sha256:" + "0" * 64])
def test_nobody_is_asked_about_a_call_that_was_not_shown(shown: str | None) -> None:
    decision = terminal(shown).decide(ASKED)
    assert decision.answer is Answer.DENY
    assert "could not be shown" in decision.reason


def test_a_keyboard_that_is_none_is_no() -> None:
    decision = terminal(ASKED.request.digest).decide(ASKED)
    assert decision.answer is Answer.DENY
    assert decision.reason.startswith(("the terminal could not be read", "end of input"))


def answer_of(decision: Decision) -> Answer:
    return decision.answer


def test_the_simulators_yes_is_for_the_simulator_and_takes_nothing_back() -> None:
    assert answer_of(SimulatedApprover().decide(ASKED)) is Answer.APPROVE
    assert answer_of(SimulatedApprover().decide(asked_about(replace(CALL, simulated=False)))) is Answer.DENY
    assert answer_of(SimulatedApprover().decide(UNDO)) is Answer.DENY


def test_without_a_terminal_the_answer_is_no_unless_others_have_answered() -> None:
    said = NobodyToAsk("why").decide(ASKED)
    assert (said.answer, said.reason, said.by, said.wish) == (Answer.DENY, "why", "nobody", Wish.WAIT)
    yes = yes_to(ASKED.request, recorded=True)
    assert NobodyToAsk("why").decide(asked_about(CALL, yes)) is yes
    no = yes_to(ASKED.request, answer=Answer.DENY, recorded=True)
    assert NobodyToAsk("why").decide(asked_about(CALL, yes, no)) is no


def test_without_a_terminal_a_request_for_two_people_stays_open_until_both_have_signed() -> None:
    one = signed(TWO.request, "ana")
    assert NobodyToAsk("why").decide(TWO).wish is Wish.WAIT
    assert NobodyToAsk("why").decide(asked_about(CALL, one, approvals=2)).wish is Wish.WAIT
    two = signed(TWO.request, "bo")
    assert NobodyToAsk("why").decide(asked_about(CALL, one, two, approvals=2)) is two


@pytest.mark.parametrize(
    ("asked", "typed", "choice"),
    [
        (ASKED, "y", Choice(answer=Answer.APPROVE, reason="approved at the prompt")),
        (ASKED, " YES ", Choice(answer=Answer.APPROVE, reason="approved at the prompt")),
        *[(ASKED, no, NO) for no in ("", "n", "no", "deny", "yy", "ye", "y y", "yes please", "ok", "1", "\x1b[Ay")],
        (ASKED, "payments-api", NO),
        (ASKED, "n it is noon", Choice(reason="denied: it is noon", wish=Wish.OTHER)),
        (ASKED, "q", Choice(reason="quit at the prompt")),
        (ASKED, "s", Choice(reason="skipped at the prompt", wish=Wish.SKIP)),
        (ASKED, "e replicas=5", Choice(reason="changed at the prompt", wish=Wish.EDIT, arguments={"replicas": 5})),
        (ASKED, "x", Choice(again="explained", explain=True)),
        (HIGH, "y", Choice(reason="denied at the prompt: the risk is high, and payments-api was not typed")),
        (HIGH, "Payments-api", Choice(reason="denied at the prompt: the risk is high, and payments-api was not typed")),
        (HIGH, "payments-api", Choice(answer=Answer.APPROVE, reason="approved at the prompt")),
        (HIGH, "", NO),
        (UNDO, "s", NO),
        (UNDO, "e replicas=5", NO),
        (UNDO, "y", Choice(answer=Answer.APPROVE, reason="approved at the prompt")),
        (TWO, "y", NO),
        (TWO, "q", Choice(waits=True, reason="left open")),
        (TWO, "", Choice(waits=True, reason="left open")),
        (TWO, "n too risky", Choice(reason="denied: too risky", wish=Wish.OTHER)),
    ],
)  # fmt: skip
def test_what_a_typed_line_means(asked: Asked, typed: str, choice: Choice) -> None:
    assert read_choice(typed, asked) == choice


@pytest.mark.parametrize(
    "typed", ["e", "e replicas=0", "e replicas=six", "e replicas=6", "e replicas", "e ; rm=1", "e a=1"]
)
def test_arguments_that_do_not_hold_are_asked_for_again_and_approve_nothing(typed: str) -> None:
    choice = read_choice(typed, ASKED)
    assert choice.again and choice.answer is Answer.DENY and choice.wish is Wish.STOP


def test_the_question_says_what_has_to_be_typed_and_what_enter_does() -> None:
    assert question_for(ASKED) == "Run exactly this? Enter is No:"
    assert question_for(HIGH) == "Run exactly this? Type payments-api; Enter is No:"
    assert "Run" not in question_for(TWO) and "waits" in question_for(TWO)


@pytest.mark.parametrize("width", [100, 80, 40, 20])
@pytest.mark.parametrize("asked", [ASKED, HIGH, UNDO, TWO], ids=["medium", "high", "undo", "two people"])
def test_the_menu_holds_every_choice_whole_whatever_the_width(asked: Asked, width: int) -> None:
    lines = menu_lines(asked, width)
    choices = [choice for line in lines for choice in line.split(" · ")]
    assert all(len(line) <= width or " · " not in line for line in lines)
    assert choices == menu_lines(asked, 1)
    assert any(choice.startswith("y: ") for choice in choices) == (asked in (ASKED, UNDO))
    assert any(choice.startswith("s: ") for choice in choices) == (asked in (ASKED, HIGH))
    # What the menu offers is what a typed line means.
    assert all(read_choice(choice[0], asked) != NO for choice in choices if choice[1] == ":" and choice[0] in "xqs")
