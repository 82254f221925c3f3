"""The state machine on the shipped worlds: what ends how, and what can never happen."""

from dataclasses import replace
from datetime import timedelta

import pytest

from aiops_cli.domain.action import parse_call
from aiops_cli.domain.approval import Wish
from aiops_cli.domain.diagnosis import Verdict
from aiops_cli.domain.document import document
from aiops_cli.domain.gate import Permit
from aiops_cli.domain.incident import ActionState
from aiops_cli.domain.request import RequestState
from aiops_cli.domain.status import Status
from aiops_cli.domain.verification import Outcome
from aiops_cli.errors import BackendError, ModelError, StoreError
from aiops_cli.events import Acted, Closed, Decided, Diagnosed, ModelRefused, OperationEnded, StageEntered
from aiops_cli.pipeline import Options, run
from tests.fakes import ScriptedApprover, ScriptedModel, model_action, model_answer
from tests.scenes import Stage, Wrapped, keeping, memory_store, raising, stage

OPTIONS = Options()


@pytest.fixture
def payments() -> Stage:
    return stage("payments-evening")


@pytest.mark.parametrize(
    ("name", "status", "action"),
    [
        ("payments-evening", Status.RECOVERED, "scale_service"),
        ("statements-night", Status.RECOVERED, "rollback_release"),
        ("search-morning", Status.HEALTHY, None),
    ],
)
@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5])
def test_each_scenario_ends_as_it_should_when_approved(
    name: str, status: Status, action: str | None, seed: int
) -> None:
    at = stage(name, seed)
    incident = run(at.group, at.kit(ScriptedApprover(True)), OPTIONS)
    assert incident.status is status
    assert [a.proposal.action for a in incident.attempts] == ([action] if action else [])
    assert incident.exit_code == 0


@pytest.mark.parametrize(("name", "code"), [("payments-evening", 3), ("statements-night", 3), ("search-morning", 0)])
def test_nothing_changes_when_denied(name: str, code: int) -> None:
    at = stage(name)
    generations = {service: state.generation for service, state in at.world.states.items()}
    approver = ScriptedApprover(False)
    incident = run(at.group, at.kit(approver), OPTIONS)
    assert incident.exit_code == code
    assert {service: state.generation for service, state in at.world.states.items()} == generations
    assert not at.of(Acted)
    assert len(approver.asked) == (1 if code else 0)


def test_memory_finds_that_scaling_fixed_it_before(payments: Stage) -> None:
    incident = run(payments.group, payments.kit(ScriptedApprover(True)), OPTIONS)
    best = incident.recall.incidents[0]
    assert best.fix == "scale_service payments-api replicas=6"
    assert best.fix_verified and best.exact
    assert incident.recall.runbooks[0].id == "capacity-exhausted"


@pytest.mark.parametrize("seed", [1, 2, 3, 10, 37, 38, 39])
def test_a_restart_of_a_leaking_service_is_seen_to_mask_and_the_next_attempt_ends_it(seed: int) -> None:
    leak = stage("statements-night", seed)
    rollback = "rollback_release statement-api to_version=4.7.3"
    by_hand = (parse_call("restart_service statement-api"), parse_call(rollback))
    incident = run(leak.group, leak.kit(ScriptedApprover(True)), replace(OPTIONS, by_hand=by_hand))
    first, second = incident.attempts
    assert first.proposal.action == "restart_service"
    assert first.verification is not None and first.verification.outcome is Outcome.MASKED
    assert "still grows" in first.verification.reason
    assert second.proposal.action == "rollback_release"
    assert incident.status is Status.RECOVERED


def test_a_wrong_action_does_not_help_and_three_attempts_are_the_limit(payments: Stage) -> None:
    wrong = [
        model_answer(actions=[model_action("restart_service", name)])
        for name in ("payments-api", "ledger-db", "fraud-check")
    ]
    at = payments
    kit = at.kit(ScriptedApprover(True), model=ScriptedModel(*wrong))
    incident = run(at.group, kit, OPTIONS)
    assert incident.status is Status.NOT_RECOVERED
    assert incident.exit_code == 4
    assert [a.outcome for a in incident.attempts] == ["not_recovered"] * 3
    assert incident.escalation is not None
    assert incident.escalation.options[0].startswith("A) ")
    assert "3 attempts" in incident.escalation.error


def test_an_action_that_was_tried_is_not_proposed_again(payments: Stage) -> None:
    same = model_answer(actions=[model_action("restart_service", "payments-api")])
    incident = run(payments.group, payments.kit(ScriptedApprover(True), model=ScriptedModel(same)), OPTIONS)
    assert [a.proposal.action for a in incident.attempts] == ["restart_service", "scale_service"]
    assert incident.plan is not None and any("already tried" in text for text in incident.plan.refused)


def test_a_denial_after_an_action_that_failed_is_not_a_mere_open_plan(payments: Stage) -> None:
    wrong = model_answer(actions=[model_action("restart_service", "payments-api")])
    kit = payments.kit(ScriptedApprover(True, False), model=ScriptedModel(wrong))
    incident = run(payments.group, kit, OPTIONS)
    assert incident.status is Status.NOT_RECOVERED


def test_the_times_of_an_incident_are_in_order_and_mitigation_is_when_the_signal_came_back(payments: Stage) -> None:
    incident = run(payments.group, payments.kit(ScriptedApprover(True)), OPTIONS)
    times = [incident.group.starts_at, incident.opened_at, incident.acknowledged_at, incident.mitigated_at]
    assert times == sorted(times)  # type: ignore[type-var]
    assert incident.closed_at is not None and incident.mitigated_at is not None
    assert (incident.closed_at - incident.mitigated_at).total_seconds() >= 180


def test_plan_only_never_asks(payments: Stage) -> None:
    approver = ScriptedApprover(True)
    incident = run(payments.group, payments.kit(approver), Options(plan_only=True))
    assert approver.asked == []
    assert incident.status is Status.ACTION_NEEDED
    assert incident.planned_call is not None


def test_a_world_that_changed_while_the_person_thought_is_refused(payments: Stage) -> None:
    approver = ScriptedApprover(True, before=lambda: payments.world.scale("payments-api", 4))
    incident = run(payments.group, payments.kit(approver), OPTIONS)
    assert incident.status is Status.ACTION_NEEDED
    (decided,) = payments.of(Decided)
    assert decided.ruling.rule == "exact-call"
    assert len(payments.world.states["payments-api"].replicas) == 4


def test_an_approval_of_another_digest_is_refused(payments: Stage) -> None:
    incident = run(payments.group, payments.kit(ScriptedApprover(True, digest="sha256:" + "0" * 64)), OPTIONS)
    assert incident.status is Status.ACTION_NEEDED
    assert not payments.of(Acted)


def test_a_yes_that_was_used_is_refused_for_the_next_request_of_the_same_call() -> None:
    first, second = stage("payments-evening"), stage("payments-evening")
    kit = first.kit(ScriptedApprover(True))
    assert run(first.group, kit, OPTIONS).status is Status.RECOVERED
    (used,) = {event.decision.digest for event in first.of(Decided)}
    incident = run(second.group, second.kit(ScriptedApprover(True, digest=used), store=kit.store), OPTIONS)
    assert incident.attempts[0].call == first.of(Acted)[0].attempt.call
    assert incident.status is Status.ACTION_NEEDED
    assert second.of(Decided)[0].ruling.rule == "exact-call"
    assert not second.of(Acted)


def test_a_request_that_ran_does_not_run_again(payments: Stage) -> None:
    kit = payments.kit(ScriptedApprover(True))
    incident = run(payments.group, kit, OPTIONS)
    (attempt,), generation = incident.attempts, payments.world.states["payments-api"].generation
    # The world is as it was before, so that nothing but the request's own state stands in the way.
    kit = keeping(kit, actuator=Wrapped(payments.scene.actuator, "prepare", lambda _: attempt.call))
    assert kit.keeper is not None
    kit.keeper.act(incident, attempt, attempt.proposal)
    assert attempt.ruling is not None and attempt.ruling.rule == "once"
    assert payments.world.states["payments-api"].generation == generation
    assert len(payments.of(Acted)) == 1


@pytest.mark.parametrize(
    ("method", "status"),
    [
        ("lately", Status.FAILED),
        ("find_pending", Status.FAILED),
        ("file", Status.FAILED),
        ("find_standing", Status.FAILED),
        ("head", Status.FAILED),
        ("decide", Status.ACTION_NEEDED),
        ("hold", Status.FAILED),
        ("claim", Status.FAILED),
    ],
)
def test_no_effect_without_a_record(payments: Stage, method: str, status: Status) -> None:
    kit = payments.kit(ScriptedApprover(True))
    assert kit.keeper is not None
    kit = keeping(kit, book=Wrapped(kit.keeper.book, method, raising(StoreError("disk full"))))
    incident = run(payments.group, kit, OPTIONS)
    assert incident.status is status
    assert "disk full" in incident.note
    assert payments.of(Closed) and not payments.of(Acted)
    assert payments.world.states["payments-api"].generation == 1


def test_an_effect_whose_end_cannot_be_written_down_stays_as_begun_in_the_record(payments: Stage) -> None:
    kit = payments.kit(ScriptedApprover(True))
    assert kit.keeper is not None
    book = kit.keeper.book
    kit = keeping(kit, book=Wrapped(book, "settle", raising(StoreError("disk full"))))
    incident = run(payments.group, kit, OPTIONS)
    assert incident.status is Status.FAILED and "disk full" in incident.note
    assert payments.world.states["payments-api"].generation == 2
    (kept,) = book.of_incident(incident.id, kit.clock.wall())
    assert kept.state is RequestState.EXECUTING


def test_an_unwritable_store_says_so_before_any_work(payments: Stage) -> None:
    kit = payments.kit(
        ScriptedApprover(True), store=Wrapped(memory_store(), "open_incident", raising(StoreError("full")))
    )
    with pytest.raises(StoreError):
        run(payments.group, kit, OPTIONS)
    assert payments.events == []


@pytest.mark.parametrize("stage_name", ["monitor", "diagnose", "remediate", "verify"])
def test_an_interruption_in_any_stage_is_recorded(payments: Stage, stage_name: str) -> None:
    kit = payments.kit(ScriptedApprover(True))

    def interrupt(event: object) -> None:
        if isinstance(event, StageEntered) and event.stage == stage_name:
            raise KeyboardInterrupt

    kit.bus.subscribe(interrupt)
    incident = run(payments.group, kit, OPTIONS)
    assert incident.status is Status.INTERRUPTED
    assert incident.exit_code == 130
    assert payments.of(Closed)


def test_an_interruption_while_the_backend_works_leaves_the_outcome_unknown(payments: Stage) -> None:
    kit = keeping(
        payments.kit(ScriptedApprover(True)),
        actuator=Wrapped(payments.scene.actuator, "apply", raising(KeyboardInterrupt())),
    )
    incident = run(payments.group, kit, OPTIONS)
    assert incident.status is Status.INTERRUPTED
    assert incident.attempts[0].state is ActionState.UNKNOWN
    assert kit.keeper is not None
    (kept,) = kit.keeper.book.of_incident(incident.id, kit.clock.wall())
    assert kept.state is RequestState.UNKNOWN


def test_ctrl_c_at_the_prompt_is_a_denial_and_an_interruption(payments: Stage) -> None:
    incident = run(payments.group, payments.kit(ScriptedApprover(None, interrupted=True)), OPTIONS)
    assert incident.status is Status.INTERRUPTED
    assert incident.attempts[0].outcome == "denied"
    assert not payments.of(Acted)


def test_a_model_that_fails_leaves_the_offline_answer_and_the_reason(payments: Stage) -> None:
    model = ScriptedModel(ModelError("Gemini is away", reason="unavailable"))
    incident = run(payments.group, payments.kit(ScriptedApprover(True), model=model), OPTIONS)
    assert incident.diagnosis is not None and incident.diagnosis.degraded == "Gemini is away"
    assert incident.diagnosis.reasoner == "offline"
    assert incident.status is Status.RECOVERED
    spans = [e.operation for e in payments.of(OperationEnded) if e.operation.kind == "model"]
    assert spans[0].error == "unavailable"


def test_tokens_of_an_unusable_answer_are_counted(payments: Stage) -> None:
    incident = run(payments.group, payments.kit(ScriptedApprover(False), model=ScriptedModel("not json")), OPTIONS)
    assert incident.diagnosis is not None and incident.diagnosis.degraded is not None
    spans = [e.operation for e in payments.of(OperationEnded) if e.operation.kind == "model"]
    assert spans[0].attributes["gen_ai.usage.input_tokens"] == 10
    assert spans[0].error == "json"
    assert payments.of(ModelRefused)[0].reason.startswith("the model's answer is not JSON")


def test_a_model_cannot_declare_the_incident_over(payments: Stage) -> None:
    answer = model_answer("healthy", fault="recovered")
    incident = run(payments.group, payments.kit(ScriptedApprover(True), model=ScriptedModel(answer)), OPTIONS)
    assert incident.status is not Status.RECOVERED


def test_a_hostile_model_gets_nothing_past_catalogue_and_inventory(payments: Stage) -> None:
    answer = model_answer(
        actions=[
            model_action("run_shell", "payments-api", command="rm -rf /"),
            model_action("scale_service", "somebody-elses", replicas=3),
            model_action("scale_service", "payments-api", replicas=10_000),
            model_action("scale_service", "payments-api", replicas="6"),
            model_action("scale_service", "payments-api", replicas=True),
            model_action("restart_service", "payments-api", force=True),
            model_action("rollback_release", "payments-api", to_version="9.9.9"),
        ]
    )
    approver = ScriptedApprover(False)
    incident = run(payments.group, payments.kit(approver, model=ScriptedModel(answer)), OPTIONS)
    assert [asked.request.call.action for asked in approver.asked] == ["scale_service"]
    assert approver.asked[0].request.call.arguments == {"replicas": 6}
    assert incident.plan is not None and len(incident.plan.refused) == 7


def test_stages_follow_each_other_in_order(payments: Stage) -> None:
    run(payments.group, payments.kit(ScriptedApprover(True)), OPTIONS)
    entered = [event.stage for event in payments.of(StageEntered)]
    assert entered == ["monitor", "diagnose", "remediate", "verify", "report"]


def test_every_stage_has_a_span_of_its_own(payments: Stage) -> None:
    run(payments.group, payments.kit(ScriptedApprover(True)), OPTIONS)
    stages = [e.operation.name for e in payments.of(OperationEnded) if e.operation.kind == "stage"]
    assert stages == ["monitor", "diagnose", "remediate", "verify", "report"]


def test_the_verdict_of_the_embedded_reasoner_names_entity_and_fault(payments: Stage) -> None:
    run(payments.group, payments.kit(ScriptedApprover(False)), OPTIONS)
    diagnosis = payments.of(Diagnosed)[0].diagnosis
    assert diagnosis.verdict is Verdict.FAULT
    assert diagnosis.summary.startswith("payments-api is out of capacity")
    assert all(payments.case().evidence.get(eid) for eid in diagnosis.evidence)


class Flaky:
    """An observer whose measurements fail when told to."""

    def __init__(self, observer: object, fails: object) -> None:
        self._observer, self._fails, self.count = observer, fails, 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._observer, name)

    def measure(self, signal: object) -> object:
        self.count += 1
        if self._fails(self.count):  # type: ignore[operator]
            raise BackendError("503")
        return self._observer.measure(signal)  # type: ignore[attr-defined]


def test_a_hole_in_the_measurements_is_not_counted_as_good(payments: Stage) -> None:
    kit = replace(payments.kit(ScriptedApprover(True)), observer=Flaky(payments.observer, lambda n: n > 2 and n % 3))
    incident = run(payments.group, kit, OPTIONS)
    assert incident.attempts[0].outcome in ("not_recovered", "inconclusive")


def test_a_reading_that_failed_before_the_action_does_not_spoil_the_verification(payments: Stage) -> None:
    kit = replace(payments.kit(ScriptedApprover(True)), observer=Flaky(payments.observer, lambda n: n <= 2))
    assert run(payments.group, kit, OPTIONS).status is Status.RECOVERED


def test_a_signal_that_came_back_while_the_person_thought_stops_the_action(payments: Stage) -> None:
    def relief() -> None:
        payments.world.scale("ledger-db", 2)
        payments.world.states["payments-api"].queue = 0.0
        object.__setattr__(payments.world.scenario.traffic[0], "pulses", [])
        payments.world.run(600)

    incident = run(payments.group, payments.kit(ScriptedApprover(True, before=relief)), OPTIONS)
    assert incident.attempts[0].outcome == "not_needed"
    assert incident.status is not Status.RECOVERED
    assert not payments.of(Acted)


def test_an_action_whose_answer_was_lost_is_unknown_and_is_measured(payments: Stage) -> None:
    actuator = payments.scene.actuator

    def lose(permit: Permit) -> str:
        actuator.apply(permit)  # type: ignore[union-attr]
        raise BackendError("read timed out")

    kit = keeping(payments.kit(ScriptedApprover(True)), actuator=Wrapped(actuator, "apply", lose))
    incident = run(payments.group, kit, OPTIONS)
    assert incident.attempts[0].state is ActionState.UNKNOWN
    assert incident.status is Status.RECOVERED


def test_an_interruption_while_the_end_is_told_reaches_everybody_and_is_known(payments: Stage) -> None:
    kit = payments.kit(ScriptedApprover(True))
    told: list[object] = []

    def interrupt_once(event: object) -> None:
        if isinstance(event, Closed) and not told:
            told.append(event)
            raise KeyboardInterrupt

    kit.bus.subscribe(interrupt_once)
    late: list[object] = []
    kit.bus.subscribe(lambda event: late.append(event) if isinstance(event, Closed) else None)
    incident = run(payments.group, kit, OPTIONS)
    assert incident.status is Status.RECOVERED and incident.interrupted
    assert len(late) == 1


@pytest.mark.parametrize(("days", "taken_up"), [(0, True), (1, False)])
def test_an_approval_of_one_night_does_not_serve_the_next(days: int, taken_up: bool) -> None:
    """The same call of the same alert on the same state: only the firing is another one."""
    store, requests = memory_store(), []
    for shift in (0, days):
        at = stage("payments-evening")
        alert = at.group.alerts[0]
        later = replace(alert, starts_at=alert.starts_at + timedelta(days=shift))  # type: ignore[operator]
        kit = at.kit(ScriptedApprover(False), store=store)
        incident = run(replace(at.group, alerts=(later,)), kit, replace(OPTIONS, plan_only=True))
        requests.append(incident.request)
    first, second = requests
    assert first is not None and second is not None
    assert (first.digest == second.digest) is taken_up
    assert (first.call.canonical == second.call.canonical) is taken_up
    assert replace(second.call, occasion=first.call.occasion) == first.call


def test_a_yes_that_nobody_used_serves_the_next_run_of_the_same_firing(payments: Stage) -> None:
    kit = payments.kit(ScriptedApprover(False))
    waiting = run(payments.group, kit, replace(OPTIONS, plan_only=True)).request
    assert waiting is not None
    approver = ScriptedApprover(True, digest=waiting.digest)
    incident = run(payments.group, payments.kit(approver, store=kit.store), OPTIONS)
    assert incident.status is Status.RECOVERED
    (attempt,) = incident.attempts
    assert attempt.request is not None and attempt.request.id == waiting.id


def test_a_resolved_alert_that_nothing_else_is_known_of_is_no_reason_to_act() -> None:
    from aiops_cli.bootstrap.worlds import choose_scene
    from aiops_cli.config import resolve
    from aiops_cli.domain.alert import AlertStatus

    at = stage("payments-evening")
    over = replace(at.group.alerts[0], status=AlertStatus.RESOLVED)
    group = replace(at.group, alerts=(over,), source="alertmanager")
    scene = choose_scene(group, resolve(), has_evidence=False)
    kit = replace(at.kit(ScriptedApprover(True)), observer=scene.observer, keeper=None, clock=scene.clock)
    incident = run(group, kit, OPTIONS)
    assert incident.status is Status.HEALTHY
    assert incident.diagnosis is not None and incident.diagnosis.evidence == ("E1",)
    assert "reports the alert as resolved" in incident.diagnosis.summary


@pytest.mark.parametrize(
    ("name", "summary", "bound"),
    [
        ("HighLatency", "", True),
        ("PaymentsSlow", "p95 is up", True),
        ("DiskFull", "/var is 99% full", False),
        ("KubePodCrashLooping", "restarting", False),
    ],
)
def test_an_alert_is_measured_on_its_own_symptom_or_not_at_all(name: str, summary: str, bound: bool) -> None:
    at = stage("payments-evening")
    alert = replace(at.group.alerts[0], name=name, summary=summary)
    signal = at.observer.bind(replace(at.group, source="alertmanager", alerts=(alert,)))
    assert (signal is not None) is bound


def test_the_panel_names_the_threshold_that_is_applied(payments: Stage) -> None:
    from aiops_cli.domain.plan import describe_success
    from aiops_cli.domain.verification import recovery_threshold

    signal = payments.observer.bind(payments.group)
    assert signal is not None
    assert f"{recovery_threshold(signal):.3g}" in describe_success(signal)


@pytest.mark.parametrize(("yes", "method"), [(True, "decide"), (False, "decide"), (True, "hold"), (True, "claim")])
def test_an_interruption_between_the_answer_and_the_gate_keeps_the_answer_and_approves_nothing(
    payments: Stage, yes: bool, method: str
) -> None:
    kit = payments.kit(ScriptedApprover(yes))
    assert kit.keeper is not None
    kit = keeping(kit, book=Wrapped(kit.keeper.book, method, raising(KeyboardInterrupt())))
    incident = run(payments.group, kit, OPTIONS)
    (decision,) = document(incident).decisions
    assert incident.status is Status.INTERRUPTED
    assert (decision.answer, decision.allowed, decision.rule) == ("approve" if yes else "deny", False, "interrupted")
    assert incident.attempts[0].outcome == "denied"
    assert not payments.of(Acted)
    assert payments.world.states["payments-api"].generation == 1


def test_a_change_that_cannot_be_leads_back_to_what_was_asked_before(payments: Stage) -> None:
    """Whoever mistypes a number at night is asked again, and told what was wrong with it."""
    approver = ScriptedApprover(False, wish=Wish.EDIT, arguments={"replicas": 3})
    incident = run(payments.group, payments.kit(approver), Options())
    asked = [each.request.call.arguments for each in approver.asked]
    assert len(asked) > 1 and all(each == asked[0] for each in asked)
    plan = approver.asked[1].plan
    assert plan is not None and "replicas=3" in plan.refused[-1]
    assert not incident.acted


def test_a_change_that_can_be_is_asked_about_next(payments: Stage) -> None:
    approver = ScriptedApprover(False, wish=Wish.EDIT, arguments={"replicas": 5})
    run(payments.group, payments.kit(approver), Options())
    assert [each.request.call.arguments["replicas"] for each in approver.asked[:2]] == [6, 5]
