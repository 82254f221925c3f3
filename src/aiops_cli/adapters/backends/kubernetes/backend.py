"""Acts on a cluster: every call tried out on the server first, tied to the state it was approved on, and marked."""

import json
import shlex
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiops_cli.adapters.backends.kubernetes.account import may_only_scale
from aiops_cli.adapters.backends.kubernetes.complaints import warnings_in
from aiops_cli.adapters.backends.kubernetes.drain import Drain, refusals_in
from aiops_cli.adapters.backends.kubernetes.keepers import managers_of, tags_of, team_of
from aiops_cli.adapters.backends.kubernetes.kinds import KSERVE
from aiops_cli.adapters.backends.kubernetes.kubectl import CHANGE_S, Kubectl, KubectlError, read_json
from aiops_cli.adapters.backends.kubernetes.patch import (
    MANAGER,
    MARK,
    OWNER,
    annotate,
    as_text,
    differences,
    found_marks,
    mark_of,
    still,
    still_exactly,
)
from aiops_cli.adapters.backends.kubernetes.revisions import Revision, revisions_of
from aiops_cli.adapters.backends.kubernetes.steps import KINDS, Wanted, is_cordoned, plan_patch, replicas_of, state_of
from aiops_cli.adapters.backends.kubernetes.target import (
    INFERENCE_SERVICE,
    NODE,
    POD,
    Target,
    has_shape,
    name_all,
    owner_of,
    read_printed,
)
from aiops_cli.domain.action import EffectiveCall, Proposal, Undo, check_proposal
from aiops_cli.domain.findings.body import entries, mapping, text, whole
from aiops_cli.domain.gate import LookedBack, Permit
from aiops_cli.domain.identity import workload_of
from aiops_cli.domain.inference_service import KIND
from aiops_cli.domain.redact import safe
from aiops_cli.errors import ActionRefused, BackendError

READ_S = 10.0
# Names change seldom; what is done with one is read afresh each time.
_NAMES_S = 20.0
_DIFFERENCES = 6
_DIFFERENCE_CHARS = 160
_CHILDREN = {"Deployment": "replicasets", "StatefulSet": "controllerrevisions", "DaemonSet": "controllerrevisions"}
_NAMED_KINDS = "deployments,statefulsets,daemonsets,pods"
_IN_WORDS = {INFERENCE_SERVICE: "KServe InferenceService"}
_HOLDS_BRIEFLY = "by the right to scale alone: the yes holds only until there is news of its state"
_TRIED = " (tried out on the server)"


@dataclass(frozen=True, slots=True)
class _Way:
    """How a patch is made: what it tests of the object itself, and how it leaves its mark."""

    tests: Sequence[Mapping[str, Any]]
    manager: str
    marking: Sequence[Mapping[str, Any]] = ()
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A call in the making: the object it is made on, what has to be still so, and the argument lists that make it."""

    target: Target
    thing: Mapping[str, Any]
    preconditions: Mapping[str, Any]
    mark: str
    lines: tuple[tuple[str, ...], ...]
    tries: tuple[tuple[str, ...], ...]
    undo: Undo
    touched: int | None
    touches: tuple[str, ...]
    given: bytes = b""
    dry_given: bytes = b""
    said: str = ""
    teams: tuple[str | None, ...] = ()

    @property
    def command(self) -> str:
        """What will run, as a shell would take it."""
        words = " && ".join(shlex.join(line) for line in self.lines)
        return f"{words} <<< {shlex.quote(self.given.decode())}" if self.given else words


class KubernetesBackend:
    """Acts on workloads, models, pods and nodes of one context, where `write` allows it.

    `namespaces` are those that are looked at; in the first of them names are bare. `drain_s` is how long an eviction
    that a disruption budget refuses is tried again.
    """

    name = "kubernetes"

    def __init__(self, kubectl: Kubectl, namespaces: Sequence[str], *, write: bool, drain_s: int = 60) -> None:
        self._kubectl = kubectl
        self._namespaces = tuple(namespaces)
        self._write = write
        self._drain_s = drain_s
        self._lock = threading.Lock()
        self._names: tuple[float, dict[str, Target]] | None = None

    # -- what there is ------------------------------------------------------------------------------------------------

    def targets(self) -> Sequence[str]:
        """Workloads, InferenceServices, pods and nodes by name. Raises BackendError."""
        return list(self._named())

    def can(self, action: str) -> str | None:
        """None when it has the action and may use it."""
        if action not in KINDS:
            return f"kubernetes has no action {action}"
        if not self._write:
            return "kubernetes.write is false: set it to true to have anything changed there"
        return None

    def read_state(self, target: str) -> Mapping[str, Any]:
        """What actions can change of a target, as it is now. Raises BackendError, or ActionRefused for no target."""
        return state_of(self._read(self._find(target)))

    def _named(self) -> dict[str, Target]:
        with self._lock:
            if self._names is None or time.monotonic() - self._names[0] > _NAMES_S:
                self._names = (time.monotonic(), self._read_names())
            return self._names[1]

    def _read_names(self) -> dict[str, Target]:
        found: list[Target] = []
        problems: list[KubectlError] = []
        own = f"{_NAMED_KINDS},{KSERVE.resource}" if self._has_kserve(problems) else _NAMED_KINDS
        asked = [(own, namespace) for namespace in self._namespaces]
        for kinds, namespace in [*asked, ("nodes", "")]:
            line = self._kubectl.line("get", kinds, "-o", "name", _within(READ_S), namespace=namespace)
            # One kind that may not be listed hides no other: what is printed counts.
            answer = self._kubectl.run(line, READ_S, fails=False)
            found += read_printed(answer.out.decode("utf-8", "replace"), namespace)
            if answer.complaint is not None:
                problems.append(KubectlError(answer.complaint.message, answer.complaint))
        if problems and not found:
            raise problems[0]
        return name_all(found, self._namespaces[0])

    def _has_kserve(self, problems: list[KubectlError]) -> bool:
        try:
            return self._kubectl.serves(KSERVE.api, READ_S)
        except KubectlError as error:
            problems.append(error)
            return False

    def _find(self, name: str) -> Target:
        found = self._named().get(name)
        if found is None:
            raise ActionRefused(f"{self._kubectl.context} has no {name!r} in {', '.join(self._namespaces)}")
        return found

    def _read(self, target: Target) -> Mapping[str, Any]:
        try:
            thing: Any = self._kubectl.get_dated(target.argument, namespace=target.namespace, deadline_s=READ_S)
        except KubectlError as error:
            if error.complaint.kind in ("missing", "denied", "context", "login"):
                raise ActionRefused(f"{target.said}: {error.message}", hint=error.hint) from error
            raise
        if not has_shape(thing):
            raise BackendError(f"{target.said} has not the shape of one", hint="is it a Kubernetes API that answers?")
        read: Mapping[str, Any] = thing
        return read

    # -- before -------------------------------------------------------------------------------------------------------

    def prepare(self, proposal: Proposal) -> EffectiveCall:
        """The proposal on the target's present state, tried out on the server. Raises ActionRefused."""
        refusal = self.can(proposal.action)
        if refusal is not None:
            raise ActionRefused(refusal)
        spec = check_proposal(proposal, self._named())
        prepared = self._make(proposal)
        changes, warned = self._try_out(prepared)
        target, thing = prepared.target, prepared.thing
        teams = set(prepared.teams or (team_of(thing),))
        context = self._kubectl.context + (f", namespace {target.namespace}" if target.namespace else "")
        return EffectiveCall(
            action=proposal.action,
            backend=self.name,
            context=context,
            target=proposal.target,
            arguments=dict(proposal.arguments),
            preconditions=prepared.preconditions,
            command=prepared.command,
            changes=changes,
            touches=(*prepared.touches, *warned),
            undo=prepared.undo,
            risk=spec.risk,
            simulated=False,
            service=_service_of(target, thing),
            team=teams.pop() if len(teams) == 1 else None,
            tags=tags_of(thing),
            touched=prepared.touched,
            managers=self._managers(proposal.action, target, thing),
        )

    def _make(self, proposal: Proposal) -> _Prepared:
        target = self._find(proposal.target)
        if target.kind not in KINDS[proposal.action]:
            kinds = " or ".join(_IN_WORDS.get(kind, kind) for kind in KINDS[proposal.action])
            raise ActionRefused(f"{proposal.action} is for a {kinds}; {proposal.target} is a {target.kind}")
        thing = self._read(target)
        if proposal.action == "delete_pod":
            return self._delete(proposal, target, thing)
        if proposal.action == "drain_node":
            return self._drain(proposal, target, thing)
        if proposal.action == "scale_service" and may_only_scale(self._kubectl, target):
            return self._scale(proposal, target, thing)
        preconditions = _preconditions(thing)
        mark = mark_of(proposal.action, proposal.target, proposal.arguments, preconditions)
        wanted = plan_patch(proposal.action, thing, proposal.arguments, mark, self._revisions(proposal, target, thing))
        return self._patch(target, thing, preconditions, mark, wanted)

    def _patch(
        self, target: Target, thing: Mapping[str, Any], preconditions: Mapping[str, Any], mark: str, wanted: Wanted
    ) -> _Prepared:
        way = _way(target, thing, mark)
        line, dry = self._patch_lines(target, way, wanted.operations)
        touches = (wanted.touches, *self._quota_words(target, thing, wanted))
        return _Prepared(target, thing, preconditions, mark, (line,), (dry,), wanted.undo, wanted.touched,
                         touches, said=wanted.said)  # fmt: skip

    def _scale(self, proposal: Proposal, target: Target, thing: Mapping[str, Any]) -> _Prepared:
        """A scaling by the subresource, which has no generation and keeps no annotation."""
        preconditions = {**_preconditions(thing), "version": thing["metadata"]["resourceVersion"]}
        mark = mark_of(proposal.action, proposal.target, proposal.arguments, preconditions)
        wanted = plan_patch(proposal.action, thing, proposal.arguments, mark, ())
        line, dry = self._patch_lines(target, _way_of_scale(thing, mark), wanted.operations)
        touches = (wanted.touches, *self._quota_words(target, thing, wanted), _HOLDS_BRIEFLY)
        said = f"replicas: {replicas_of(thing)} -> {proposal.arguments['replicas']}"
        return _Prepared(target, thing, preconditions, mark, (line,), (dry,), wanted.undo, wanted.touched,
                         touches, said=said)  # fmt: skip

    def _quota_words(self, target: Target, thing: Mapping[str, Any], wanted: Wanted) -> Iterator[str]:
        """What a quota has no room for: the API server sees it only when the pods are made, and so does no dry run."""
        more = wanted.undo.arguments.get("replicas") is not None and (wanted.touched or 0)
        if not more or wanted.undo.arguments["replicas"] != replicas_of(thing):
            return
        try:
            quotas = self._kubectl.get("resourcequotas", namespace=target.namespace, deadline_s=READ_S)
        except KubectlError:
            return
        for quota in entries(quotas, "items"):
            hard, used = (whole(quota, "status", part, "pods") for part in ("hard", "used"))
            if hard is not None and hard - (used or 0) < more:
                name = safe(text(quota, "metadata", "name"), one_line=True, limit=_DIFFERENCE_CHARS)
                yield f"the quota {name} has room for {max(0, hard - (used or 0))} more pods ({used} of {hard} used)"

    def _patch_lines(
        self, target: Target, way: _Way, operations: Sequence[Mapping[str, Any]]
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The argument list of a patch, and that which tries it out."""
        text = as_text([*way.tests, *operations, *way.marking])
        asked = ("patch", target.argument, *way.flags, "--type=json", f"--patch={text}",
                 f"--field-manager={way.manager}", _within(CHANGE_S), "-o", "json")  # fmt: skip
        line = self._kubectl.line(*asked, namespace=target.namespace)
        return line, (*line, "--dry-run=server")

    def _revisions(self, proposal: Proposal, target: Target, thing: Mapping[str, Any]) -> list[Revision]:
        if proposal.action not in ("rollback_release", "revert_config"):
            return []
        children = _CHILDREN[str(thing["kind"])]
        listed = self._kubectl.get(children, namespace=target.namespace, deadline_s=READ_S)
        return revisions_of(thing, entries(listed, "items"))

    def _delete(self, proposal: Proposal, target: Target, pod: Mapping[str, Any]) -> _Prepared:
        owner = owner_of(pod)
        if owner is None:
            raise ActionRefused(f"{target.name} belongs to no workload: nobody would start it again")
        preconditions = {"uid": pod["metadata"]["uid"]}
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions}
        path = f"/api/v1/namespaces/{target.namespace}/pods/{target.name}"
        # `kubectl delete pod` takes no precondition; the API does, and this is how kubectl hands one over.
        line = self._kubectl.line("delete", f"--raw={path}", "-f", "-", _within(CHANGE_S))
        dry = self._kubectl.line("delete", f"--raw={path}?dryRun=All", "-f", "-", _within(CHANGE_S))
        undo = Undo(None, {}, f"nothing to undo: {owner[0]} {owner[1]} starts another in its place", 0.0, needed=False)
        touches = (f"{target.name}: 1 replica of {safe(owner[1], one_line=True)}; requests in it are cut off at the end"
                   " of its grace period",)  # fmt: skip
        return _Prepared(target, pod, preconditions, "", (line,), (dry,), undo, 1, touches,
                         given=_body(body), dry_given=_body({**body, "dryRun": ["All"]}),
                         said=f"deletes the pod; {owner[0]} {owner[1]} starts another in its place")  # fmt: skip

    def _drain(self, proposal: Proposal, target: Target, node: Mapping[str, Any]) -> _Prepared:
        drain = Drain(self._kubectl, target.name, self._drain_s, READ_S)
        plan = drain.plan()
        preconditions = {**_preconditions(node), "runs": plan.runs}
        mark = mark_of(proposal.action, proposal.target, proposal.arguments, preconditions)
        cordon = {"op": "add", "path": "/spec/unschedulable", "value": True}
        line, dry = self._patch_lines(target, _way(target, node, mark), (cordon,))
        undo = Undo("uncordon_node", {}, "let it take pods again; the pods stay where they are then", 1.0)
        if is_cordoned(node):
            undo = Undo(None, {}, "nothing to undo: it took no pods before either", 0.0, needed=False)
        return _Prepared(target, node, preconditions, mark, (line, drain.line), (dry, drain.check), undo,
                         len(plan.pods), plan.touches, said=f"takes no new pods; evicts {plan.said}",
                         teams=tuple(team_of(pod) for pod in plan.pods))  # fmt: skip

    def _try_out(self, prepared: _Prepared) -> tuple[str, tuple[str, ...]]:
        """What would change, as the server says, and what it warns of. Raises ActionRefused for what it refuses."""
        try:
            answer, *_ = [self._kubectl.run(line, CHANGE_S, given=prepared.dry_given) for line in prepared.tries]
        except KubectlError as error:
            # A dry run changes nothing, whatever became of it.
            raise ActionRefused(f"refused when it was tried out: {error.message}", hint=error.hint) from error
        warned = tuple(f"the API server warns: {line}" for line in warnings_in(answer.said))
        if prepared.said:
            return prepared.said + _TRIED, warned
        after = read_json(answer.out)
        found = list(differences(prepared.thing.get("spec"), mapping(after, "spec")))
        if not found:
            raise ActionRefused("the API server says that nothing would change")
        words = [safe(each.text, one_line=True, limit=_DIFFERENCE_CHARS) for each in found]
        more = f"; and {len(words) - _DIFFERENCES} more" if len(words) > _DIFFERENCES else ""
        return "; ".join(words[:_DIFFERENCES]) + more + _TRIED, warned

    def _managers(self, action: str, target: Target, thing: Mapping[str, Any]) -> tuple[str, ...]:
        """What else changes the object; that autoscalers could not be read is told as well."""
        if action != "scale_service":
            return managers_of(thing, (), action)
        try:
            listed = self._kubectl.get("horizontalpodautoscalers", namespace=target.namespace, deadline_s=READ_S)
        except KubectlError as error:
            unread = f"whether an autoscaler sets the replicas too is not known: {error.message}"
            return (*managers_of(thing, (), action), unread)
        return managers_of(thing, entries(listed, "items"), action)

    # -- the act ------------------------------------------------------------------------------------------------------

    def apply(self, permit: Permit) -> str:
        """Make the permitted call, once. Raises ActionRefused when it is certain that nothing was done."""
        call = permit.call
        try:
            done = self._done_before(call)
            prepared = None if done else self._make(Proposal(call.action, call.target, call.arguments, ""))
        except KubectlError as error:
            raise ActionRefused(f"nothing was done: {error.message}", hint=error.hint) from error
        if prepared is None:
            return f"{call.changes.removesuffix(_TRIED)}: had already been done"
        if prepared.preconditions != dict(call.preconditions) or prepared.command != call.command:
            raise ActionRefused(f"{call.target} changed after the approval")
        self._kubectl.change(prepared.lines[0], given=prepared.given)
        if len(prepared.lines) > 1:
            return self._evict(prepared)
        return call.changes.removesuffix(_TRIED)

    def _evict(self, prepared: _Prepared) -> str:
        """Evict after the cordon was made: what could not go within the time is told, and stays."""
        line = prepared.lines[1]
        try:
            answer = self._kubectl.run(line, self._drain_s + CHANGE_S, fails=False)
        except KubectlError as error:
            raise BackendError(f"cordoned; how far the evictions came is not known: {error.message}") from error
        left = refusals_in(answer.said)
        evicted = answer.out.decode("utf-8", "replace").count(" evicted")
        if left:
            return f"cordoned; {evicted} pods evicted; not evicted: {'; '.join(left)}"
        return f"cordoned; {evicted} pods evicted"

    def _done_before(self, call: EffectiveCall) -> bool:
        target = self._find(call.target) if call.target in self._named() else None
        if target is None:
            return call.action == "delete_pod"
        if call.action == "delete_pod":
            return self._is_gone(target, call)
        return _mark_of_call(call) in found_marks(self._read(target))

    def _is_gone(self, target: Target, call: EffectiveCall) -> bool:
        """Whether the very pod is gone, or on its way."""
        try:
            pod = self._kubectl.get(target.said, namespace=target.namespace, deadline_s=READ_S)
        except KubectlError as error:
            if error.complaint.kind == "missing":
                return True
            raise
        metadata = mapping(pod, "metadata")
        return metadata.get("uid") != call.preconditions["uid"] or "deletionTimestamp" in metadata

    # -- afterwards ---------------------------------------------------------------------------------------------------

    def look_back(self, call: EffectiveCall, key: str) -> LookedBack:
        """Whether the call was made: the object has its mark, or is exactly as it was before."""
        try:
            with self._lock:
                self._names = None
            if call.action == "delete_pod":
                return self._look_for_pod(call)
            thing = self._read(self._find(call.target))
        except BackendError as error:
            return LookedBack(None, error.message)
        mark = _mark_of_call(call)
        if mark in found_marks(thing):
            return LookedBack(True, f"{call.target} has the mark of this call ({mark})")
        if _preconditions(thing) == _as_before(call.preconditions):
            return LookedBack(False, f"{call.target} is as it was before the call")
        return LookedBack(None, f"{call.target} was changed since, and has the mark of no call or of another")

    def _look_for_pod(self, call: EffectiveCall) -> LookedBack:
        target = self._named().get(call.target)
        if target is None or self._is_gone(target, call):
            return LookedBack(True, f"the pod {call.target} of that time is gone; who deleted it nobody can tell")
        return LookedBack(False, f"the pod {call.target} is the one that was there before the call")


def _within(seconds: float) -> str:
    return f"--request-timeout={max(1, int(seconds))}s"


def _body(options: Mapping[str, Any]) -> bytes:
    return json.dumps(options, separators=(",", ":"), sort_keys=True).encode()


def _mark_of_call(call: EffectiveCall) -> str:
    return mark_of(call.action, call.target, call.arguments, call.preconditions)


def _way(target: Target, thing: Mapping[str, Any], mark: str) -> _Way:
    if target.kind == INFERENCE_SERVICE:
        # KServe hands annotations on to its revisions: a new one would make a new revision of the model.
        return _Way(still(thing), OWNER + mark)
    return _Way(still(thing), MANAGER, (annotate(thing, MARK, mark),))


def _way_of_scale(thing: Mapping[str, Any], mark: str) -> _Way:
    return _Way(still_exactly(thing), OWNER + mark, flags=("--subresource=scale",))


def _as_before(preconditions: Mapping[str, Any]) -> dict[str, Any]:
    """What tells whether an object is as it was: pods come and go, and so do versions, without anybody's doing."""
    return {key: value for key, value in preconditions.items() if key not in ("runs", "version")}


def _preconditions(thing: Mapping[str, Any]) -> dict[str, Any]:
    """What has to be still so: the object, what is wanted of it, and the call of ours that was the last."""
    metadata = thing["metadata"]
    state: dict[str, Any] = {"uid": metadata["uid"], "last_call": " ".join(found_marks(thing)) or "none"}
    if thing["kind"] == "Node":
        return {**state, "cordoned": state_of(thing)["cordoned"]}
    if thing["kind"] == KIND:
        return {**state, "generation": metadata["generation"], **state_of(thing)}
    return {**state, "generation": metadata["generation"], "replicas": replicas_of(thing)}


def _service_of(target: Target, thing: Mapping[str, Any]) -> str:
    """The service that a call is about; none where it is about many."""
    if target.kind == NODE:
        return ""
    owner = owner_of(thing)
    return workload_of(target.name, is_pod=True) if target.kind == POD and owner else target.name
