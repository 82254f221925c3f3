"""Pods and their containers: how they ended, what they wait for, and which probe, image or key it is about."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta

from aiops_cli.domain.evidence import Evidence, LogLine
from aiops_cli.domain.findings.body import condition, entries, flag, inside, labels, mapping, moment, text
from aiops_cli.domain.findings.cluster import Container, Happening, Thing, containers, is_over, is_ready, phase
from aiops_cli.domain.findings.objects.rule import Rule, Seen, Sight
from aiops_cli.domain.findings.signatures import Signature, classify, dependency_of
from aiops_cli.domain.vocabulary import FaultClass as F

_SOON = timedelta(seconds=60)
_INIT_STUCK = timedelta(minutes=2)
_CHURN_RESTARTS = 3
_CRASHED = ("CrashLoopBackOff", "Error")
_CONFIG_SIGNATURES = ("P03", "P03k", "P03y", "P03f", "P03m", "C01")
_DEPENDENCY_FAULTS = (F.DEPENDENCY_FAILURE, F.DNS)


def _pods(sight: Sight) -> Iterator[tuple[Thing, Container]]:
    for pod in sight.cluster.of("Pod"):
        for container in containers(pod):
            yield pod, container


def _seen(
    sight: Sight,
    pod: Thing,
    statement: str,
    *evidence: str,
    weight: float | None = None,
    fault: F | None = None,
    over: bool = False,
) -> Seen:
    return Seen(
        entity=sight.cluster.workload(pod),
        statement=statement,
        evidence=(pod.id, *(each for each in evidence if each)),
        pod=pod.name,
        weight=weight,
        fault=fault,
        over=over,
    )


# --- how a container ended -------------------------------------------------------------------------------------------


def _has_liveness_kill(sight: Sight, pod: Thing) -> bool:
    events = sight.cluster.events(pod.name, "Killing", "Unhealthy")
    return any(re.search(r"(?i)(liveness|startup) probe", each.event.message) for each in events)


def _out_of_memory(sight: Sight) -> Iterator[Seen]:
    for pod, container in _pods(sight):
        reason, code = text(container.ended, "reason"), container.exit_code
        if reason != "OOMKilled" and not (code == 137 and not reason.startswith("Completed")):
            continue
        if reason != "OOMKilled" and _has_liveness_kill(sight, pod):
            continue
        limit = text(container.spec, "resources", "limits", "memory")
        named = reason == "OOMKilled"
        said = f"container {container.name} {'was OOMKilled' if named else 'was killed'} (exit code {code or 137})"
        said += f", memory limit {limit}" if limit else ""
        said += f", {container.restarts} restarts" if container.restarts else ""
        yield _seen(sight, pod, said, over=is_over(sight.cluster, container), weight=4.0 if named else 2.0)


def _by_exit_code(codes: tuple[int, ...], meaning: str, at_least: int = 0) -> Callable[[Sight], Iterator[Seen]]:
    def see(sight: Sight) -> Iterator[Seen]:
        for pod, container in _pods(sight):
            if container.exit_code not in codes or container.restarts < at_least:
                continue
            message = text(container.ended, "message") or text(container.status, "state", "waiting", "message")
            said = f"container {container.name} {meaning} (exit code {container.exit_code}, "
            said += f"{container.restarts} restarts){': ' + message if message else ''}"
            yield _seen(sight, pod, said, over=is_over(sight.cluster, container))

    return see


def _liveness(sight: Sight) -> Iterator[Seen]:
    """A probe that fails, with what it asks and how long it waits."""
    for pod in sight.cluster.of("Pod"):
        for happening in sight.cluster.events(pod.name, "Unhealthy", "Killing"):
            match = re.search(r"(?i)\b(liveness|startup|readiness) probe", happening.event.message)
            if match is None:
                continue
            kind = match[1].lower()
            probe = _probe(pod, kind)
            said = f"{kind} probe{' ' + probe if probe else ''}: {happening.event.message}"
            weight = 2.0 if kind == "readiness" else 3.0
            over = is_over(sight.cluster, happening, pod)
            yield _seen(sight, pod, said, happening.id, weight=weight, over=over)


def _probe(pod: Thing, kind: str) -> str:
    for container in containers(pod):
        probe = mapping(container.spec, f"{kind}Probe")
        if probe:
            ask = _asks(probe)
            waits = text(probe, "timeoutSeconds") or "1"
            return f"{ask}, timeout {waits} s, period {text(probe, 'periodSeconds') or '10'} s"
    return ""


def _asks(probe: object) -> str:
    get = mapping(probe, "httpGet")
    if get:
        return f"http-get :{text(get, 'port')}{text(get, 'path') or '/'}"
    for kind in ("tcpSocket", "grpc"):
        port = text(probe, kind, "port")
        if port:
            return f"{kind.removesuffix('Socket')} :{port}"
    command = inside(probe, "exec", "command")
    return f"exec {' '.join(str(part) for part in command)[:80]}" if isinstance(command, list) else "probe"


def _wrong_probe_port(sight: Sight) -> Iterator[Seen]:
    """A probe of a port that the container does not name, on a pod that is not ready."""
    for pod, container in _pods(sight):
        if is_ready(pod):
            # Ports need not be listed; what answers there answers.
            continue
        ports = entries(container.spec, "ports")
        known = {text(port, "containerPort") for port in ports} | {text(port, "name") for port in ports}
        for kind in ("liveness", "readiness", "startup"):
            probe = mapping(container.spec, f"{kind}Probe")
            port = next((text(probe, how, "port") for how in ("httpGet", "tcpSocket", "grpc") if how in probe), "")
            if port and ports and port not in known:
                listed = ", ".join(sorted(known - {""}))
                said = f"{kind} probe of container {container.name} asks {_asks(probe)}; its ports are {listed}"
                yield _seen(sight, pod, said)


# --- why a container crashes, by its own log -------------------------------------------------------------------------


def _crashing(sight: Sight) -> Iterator[tuple[Thing, Container]]:
    for pod, container in _pods(sight):
        ended_badly = container.exit_code not in (None, 0) and not container.ready
        if (container.waiting in _CRASHED or ended_badly) and not is_over(sight.cluster, container):
            yield pod, container


def _last_words(sight: Sight, pod: Thing, container: Container) -> tuple[str, str, Signature | None]:
    """The last line that the pod said before it ended: evidence id, words, and the signature that they carry."""
    best: tuple[str, str, Signature | None] = ("", "", None)
    for item, line in _logs(sight, pod):
        signature = classify(line.message)
        if signature is not None or (best[2] is None and line.level == "ERROR"):
            best = (item.id, line.message, signature)
    message = text(container.ended, "message")
    return best if best[0] or not message else (pod.id, message, classify(message))


def _logs(sight: Sight, pod: Thing) -> Iterator[tuple[Evidence, LogLine]]:
    for item, line in sight.case.evidence.of(LogLine):
        if item.entity in (pod.name, sight.cluster.workload(pod)) and line.level not in ("INFO", "DEBUG"):
            yield item, line


def _how_it_ended(container: Container) -> str:
    began, ended = moment(container.ended, "startedAt"), moment(container.ended, "finishedAt")
    after = f" after {(ended - began).total_seconds():.0f} s" if began and ended and ended - began < _SOON else ""
    code = f"ends with exit code {container.exit_code}" if container.exit_code is not None else container.waiting
    return f"container {container.name} {code}{after}, {container.restarts} restarts"


def _crash_by_configuration(sight: Sight) -> Iterator[Seen]:
    for pod, container in _crashing(sight):
        where, words, signature = _last_words(sight, pod, container)
        if signature and signature.id in _CONFIG_SIGNATURES:
            said = f"{words[:150]}: {_how_it_ended(container)}"
            yield _seen(sight, pod, said, where, fault=signature.fault)


def _crash_by_dependency(sight: Sight) -> Iterator[Seen]:
    for pod, container in _crashing(sight):
        where, words, signature = _last_words(sight, pod, container)
        if signature and signature.fault in _DEPENDENCY_FAULTS:
            blamed = dependency_of(words, {}) if signature.blames else None
            entity = blamed or sight.cluster.workload(pod)
            said = f"{words[:150]}: {_how_it_ended(container)}"
            yield Seen(entity=entity, statement=said, evidence=(pod.id, where), pod=pod.name, fault=signature.fault)


def _crash_by_other(sight: Sight) -> Iterator[Seen]:
    for pod, container in _crashing(sight):
        where, words, signature = _last_words(sight, pod, container)
        told = signature and (signature.id in _CONFIG_SIGNATURES or signature.fault in _DEPENDENCY_FAULTS)
        if told or container.exit_code in (137, 126, 127, 139, 134, 143):
            continue
        said = f"{words[:150] + ': ' if words else ''}{_how_it_ended(container)}"
        fault = signature.fault if signature else F.APPLICATION_ERROR
        yield _seen(sight, pod, said, where, fault=fault, weight=3.0 if words else 2.0)


# --- init containers -------------------------------------------------------------------------------------------------


def _stuck_init(sight: Sight) -> Iterator[Seen]:
    for pod, container in _pods(sight):
        if not container.init or not container.running or text(container.spec, "restartPolicy") == "Always":
            continue
        since = moment(container.status, "state", "running", "startedAt")
        if since is None or sight.cluster.now - since < _INIT_STUCK:
            continue
        where, words, _ = _last_words(sight, pod, container)
        minutes = (sight.cluster.now - since).total_seconds() / 60
        said = f"init container {container.name} runs for {minutes:.0f} min{': ' + words[:120] if words else ''}"
        yield _seen(sight, pod, said, where)


def _forbidden_init(sight: Sight) -> Iterator[Seen]:
    for pod, container in _crashing(sight):
        where, words, signature = _last_words(sight, pod, container)
        if container.init and signature and signature.fault is F.PERMISSION:
            account = text(pod.body, "spec", "serviceAccountName") or "default"
            said = f"init container {container.name} as service account {account}: {words[:150]}"
            yield _seen(sight, pod, said, where)


# --- images ----------------------------------------------------------------------------------------------------------

_PULLS = ("ErrImagePull", "ImagePullBackOff")
_BAD_NAMES = ("InvalidImageName", "ErrImageNeverPull", "ImageInspectError")
_NO_PLATFORM = re.compile(r"(?i)no match(ing manifest)? for (platform|linux|windows)")
_DENIED = re.compile(r"(?i)\b40[13]\b|denied|unauthori|authorization failed|forbidden|insufficient_scope")
_ABSENT = re.compile(r"(?i)not found|manifest unknown|does not exist|not exist")
_UNREACHABLE = re.compile(
    r"(?i)time ?out|timed out|x509|tls|no such host|toomanyrequests|too many req|refused|deadline"
)


def _image(pick: Callable[[str], bool]) -> Callable[[Sight], Iterator[Seen]]:
    def see(sight: Sight) -> Iterator[Seen]:
        for pod, container in _pods(sight):
            if container.waiting in _PULLS:
                image = text(container.spec, "image") or text(container.status, "image")
                where, message = _pull_message(sight, pod, container, image)
                if pick(message):
                    said = (
                        f"container {container.name} cannot pull image {image or '?'}: {message or container.waiting}"
                    )
                    yield _seen(sight, pod, said, *where)

    return see


def _pull_message(sight: Sight, pod: Thing, container: Container, image: str) -> tuple[list[str], str]:
    """Why a pull failed: the back-off that follows it does not say."""
    for happening in sight.cluster.events(pod.name, "Failed", "ErrImagePull", "InspectFailed"):
        message = happening.event.message
        if _image_kind(message) and (not image or image in message or "image" in message):
            return [happening.id], message
    return [], text(container.status, "state", "waiting", "message")


def _image_kind(message: str) -> str:
    for kind, pattern in (("I04", _NO_PLATFORM), ("I02", _DENIED), ("I01", _ABSENT), ("I03", _UNREACHABLE)):
        if pattern.search(message):
            return kind
    return ""


def _bad_image_name(sight: Sight) -> Iterator[Seen]:
    for pod, container in _pods(sight):
        if container.waiting in _BAD_NAMES:
            policy = text(container.spec, "imagePullPolicy")
            said = f"container {container.name}: {container.waiting} for image {text(container.spec, 'image') or '?'}"
            yield _seen(sight, pod, said + (f", imagePullPolicy {policy}" if policy else ""))


# --- what a container refers to --------------------------------------------------------------------------------------


def _config_error(sight: Sight) -> Iterator[Seen]:
    for pod, container in _pods(sight):
        if container.waiting == "CreateContainerConfigError":
            message = text(container.status, "state", "waiting", "message")
            missing = [said for said, _ in _missing_references(sight, pod, container)]
            said = f"container {container.name}: {message or 'CreateContainerConfigError'}"
            yield _seen(sight, pod, f"{said}; {missing[0]}" if missing else said)
        elif not is_ready(pod) and phase(pod) != "Succeeded":
            for missing_said, evidence in _missing_references(sight, pod, container):
                yield _seen(sight, pod, f"container {container.name}: {missing_said}", *evidence, weight=3.0)


def _missing_references(sight: Sight, pod: Thing, container: Container) -> Iterator[tuple[str, tuple[str, ...]]]:
    """References of a container to keys that a known ConfigMap or Secret does not have."""
    for variable in entries(container.spec, "env"):
        for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
            reference = mapping(variable, "valueFrom", field)
            thing = sight.cluster.named(kind, text(reference, "name"))
            if thing is None or thing.object.partial or flag(reference, "optional") or not thing.beside(pod):
                continue
            key = text(reference, "key")
            held = {*labels(thing.body, "data"), *labels(thing.body, "binaryData"), *labels(thing.body, "stringData")}
            if key and held and key not in held:
                yield f"variable {text(variable, 'name')}: key {key} is not in {kind} {thing.name}", (thing.id,)


def _waiting(reasons: tuple[str, ...]) -> Callable[[Sight], Iterator[Seen]]:
    def see(sight: Sight) -> Iterator[Seen]:
        for pod, container in _pods(sight):
            message = text(container.status, "state", "waiting", "message")
            # A command that is absent from the image is P04's.
            if container.waiting in reasons and not re.search(r"executable file not found|exec format", message):
                yield _seen(sight, pod, f"container {container.name}: {container.waiting} {message}")

    return see


def _wrong_command(sight: Sight) -> Iterator[Seen]:
    yield from _by_exit_code((126, 127), "cannot run its command")(sight)
    for pod, container in _pods(sight):
        message = text(container.status, "state", "waiting", "message") or text(container.ended, "message")
        if re.search(r"executable file not found|exec format error", message) and container.exit_code not in (126, 127):
            yield _seen(sight, pod, f"container {container.name}: {message}", over=is_over(sight.cluster, container))


def _hooks(sight: Sight) -> Iterator[Seen]:
    for pod in sight.cluster.of("Pod"):
        for happening in sight.cluster.events(pod.name, "FailedPostStartHook", "FailedPreStopHook"):
            over = is_over(sight.cluster, happening, pod)
            yield _seen(sight, pod, f"{_hook(pod, happening)}{happening.event.message}", happening.id, over=over)


def _hook(pod: Thing, happening: Happening) -> str:
    kind = "postStart" if "PostStart" in happening.event.reason else "preStop"
    for container in containers(pod):
        hook = mapping(container.spec, "lifecycle", kind)
        if hook:
            return f"{kind} hook {_asks(hook)} of container {container.name}: "
    return f"{kind} hook: "


def _evicted(sight: Sight) -> Iterator[Seen]:
    """A pod that its node evicted: disk is the pod's own storage limit, memory is the node's."""
    for pod in sight.cluster.of("Pod"):
        if text(pod.body, "status", "reason") == "Evicted":
            message = text(pod.body, "status", "message") or condition(pod.body, "DisruptionTarget")[2]
            disk = re.search(r"(?i)ephemeral|nodefs|imagefs|emptydir", message)
            yield _seen(sight, pod, f"Evicted: {message}", fault=F.STORAGE if disk else F.NODE_FAILURE)


RULES = (
    Rule("P01", F.OUT_OF_MEMORY, 4, _out_of_memory),
    Rule("P02", F.PROBE_FAILURE, 3, _liveness),
    Rule("P02p", F.PROBE_FAILURE, 3, _wrong_probe_port),
    Rule("P03", F.CONFIGURATION_ERROR, 4, _crash_by_configuration),
    Rule("P04", F.CONFIGURATION_ERROR, 4, _wrong_command),
    Rule("P05", F.APPLICATION_ERROR, 3, _by_exit_code((139, 134), "crashed")),
    Rule("P06", F.APPLICATION_ERROR, 2, _by_exit_code((143,), "is stopped again and again", _CHURN_RESTARTS)),
    Rule("P07", F.DEPENDENCY_FAILURE, 3, _crash_by_dependency),
    Rule("G03", F.APPLICATION_ERROR, 2, _crash_by_other),
    Rule("P08", F.DEPENDENCY_FAILURE, 3, _stuck_init),
    Rule("P09", F.PERMISSION, 3, _forbidden_init),
    Rule("I01", F.IMAGE_PULL, 4, _image(lambda message: _image_kind(message) == "I01")),
    Rule("I02", F.IMAGE_PULL, 4, _image(lambda message: _image_kind(message) == "I02")),
    Rule("I03", F.IMAGE_PULL, 3, _image(lambda message: _image_kind(message) == "I03")),
    Rule("I04", F.IMAGE_PULL, 4, _image(lambda message: _image_kind(message) == "I04")),
    Rule("I00", F.IMAGE_PULL, 3, _image(lambda message: not _image_kind(message))),
    Rule("I05", F.IMAGE_PULL, 4, _bad_image_name),
    Rule("C01", F.CONFIGURATION_ERROR, 4, _config_error),
    Rule("C02", F.CONFIGURATION_ERROR, 3, _waiting(("RunContainerError", "CreateContainerError"))),
    Rule("C03", F.CONFIGURATION_ERROR, 3, _hooks),
    Rule("N02e", F.NODE_FAILURE, 3, _evicted),
)
