"""Rules about serving a model: prompts, caches, queues, contexts, parts of latency; ids as in the catalogue."""

from collections.abc import Iterator

from aiops_cli.domain.figures import figure
from aiops_cli.domain.findings.baseline import clock
from aiops_cli.domain.findings.finding import Finding
from aiops_cli.domain.findings.ml_view import Blame, Reading, View, by_change, row, say
from aiops_cli.domain.vocabulary import THRESHOLDS, Metric
from aiops_cli.domain.vocabulary import FaultClass as F

_HITS = THRESHOLDS[Metric.CACHE_HITS]
_LATENCY = THRESHOLDS[Metric.LATENCY_P95]
_STEP = 1.5
# A cache has lost a third of its hits, or more.
_LOST = 0.67
_ROOM_GONE = 0.95
_ROOM_LEFT = 0.8
_MOST = 0.6
_QUEUED = 10.0

_NO_ROOM = row(
    r"preempt.{0,120}(?:not enough|no free|insufficient).{0,20}(?:KV cache|blocks)|KV cache (?:is )?(?:full|exhausted)"
)
_TOO_SMALL = row(
    r"No available memory for the cache blocks|max(?:imum)? seq(?:uence)? len.{0,160}KV cache"
    r"|larger than the maximum number of tokens that can be stored in (?:the )?KV cache"
)
_TIMEOUT = row(
    r"(?:^|[\s\[(\"'])(?P<name>[a-z0-9][\w.@/-]{1,60}): 504\b|\b504\b.{0,40}DEADLINE_EXCEEDED"
    r"|DEADLINE_EXCEEDED.{0,80}(?:model|llm|completion|generate)"
    r"|(?:APITimeoutError|litellm\.Timeout|anthropic\.APITimeout)"
)
_LOADING = row(
    r"Loading (?:model weights|safetensors|checkpoint shards|pt checkpoint)"
    r"|(?:download|pull|fetch)\w{0,4} .{0,60}(?:weights|model)"
    r"|Pulling image .{0,160}(?:vllm|triton|tgi|llm|model|inference)|model is (?:still )?loading"
)
_INDEX = row(
    r"(?:index|hnsw|ivf|segment|collection|vector)\w{0,4}\b.{0,80}(?:rebuil|re-?index|compact|optimi[sz]|slow|evict)"
    r"|(?:compaction|rebuild|optimi[sz]er)\b.{0,60}(?:index|segment|collection|vector)"
)


def provider_timeout(view: View) -> Iterator[Finding]:
    """A03: calls time out, because outputs grew, or because the provider does not answer in time."""
    for match in view.matches(_TIMEOUT):
        named = match.first.groupdict().get("name")
        name = named if named and view.is_outside(named) else None
        output = next((r for r in view.of_metric(Metric.OUTPUT_TOKENS) if r.rose and r.ratio >= _STEP), None)
        if output is not None:
            blame = view.blame(output.entity, output.onset(), callers_first=True)
            text = f"{match.quote}; {output.text}"
            yield say(
                "A03", blame.entity, by_change(blame, F.PROMPT_GROWTH), 3.0, text, (*match.ids, output.item.id),
                "504 with longer outputs", onset=output.onset(), blame=blame,
            )  # fmt: skip
        elif name is not None:
            text = match.quote
            yield say("A03", name, F.PROVIDER_OUTAGE, 3.0, text, match.ids, "504 of a provider", onset=match.onset)


def prompt_growth(view: View) -> Iterator[Finding]:
    """A07: requests carry far more tokens of prompt than before; blames who changed how they are built."""
    said: set[str] = set()
    for prompt in view.of_metric(Metric.PROMPT_TOKENS):
        if not prompt.usual or not prompt.rose or prompt.ratio < _STEP:
            continue
        onset = prompt.onset()
        blame = view.blame(prompt.entity, onset, callers_first=True)
        if blame.entity in said:
            continue
        said.add(blame.entity)
        cost = view.reading(Metric.COST_PER_REQUEST, prompt.entity)
        text = f"requests at {prompt.entity} carry {figure(prompt.now, 'tokens')} of prompt, "
        text += f"usual {figure(prompt.usual, 'tokens')}"
        text += f", since {clock(onset)}" if onset else ""
        text += f"; {cost.text}" if cost and cost.rose else ""
        ids = (prompt.item.id, *([cost.item.id] if cost and cost.rose else ()))
        # Out of room is what it does to a server of ours: there the server is named, and this is why.
        weight = 2.0 if prompt.entity in _without_room(view) else 4.0 if blame.change else 3.0
        basis = "prompt tokens per request at 1.5x the usual or more"
        yield say("A07", blame.entity, F.PROMPT_GROWTH, weight, text, ids, basis, onset=onset, blame=blame)


def cache_collapse(view: View) -> Iterator[Finding]:
    """A09: a cache of answers finds far less than it used to."""
    for hits in view.of_metric(Metric.CACHE_HITS):
        if not hits.usual or hits.now > min(_HITS.warning, _LOST * hits.usual) or not hits.fell:
            continue
        onset = hits.onset(upward=False)
        own = view.blame(hits.entity, onset)
        blame = own if own.entity == hits.entity else Blame(hits.entity)
        text = hits.text + (f" since {clock(onset)}" if onset else "")
        dearer = [r for m in (Metric.COST_PER_REQUEST, Metric.COST_PER_HOUR) for r in view.of_metric(m) if r.rose]
        text += "".join(f"; {r.text}" for r in dearer[:1] if r.entity == hits.entity)
        weight = 4.0 if hits.now < _HITS.critical or blame.change else 3.0
        ids = (hits.item.id, *(r.item.id for r in dearer[:1]))
        basis = "hits under 20 % / 5 %, row B1, and a third below the usual"
        yield say("A09", hits.entity, F.COLD_CACHE, weight, text, ids, basis, onset=onset, blame=blame)


def prefix_cache_loss(view: View) -> Iterator[Finding]:
    """A14: the prefix cache of a model server finds less, and first tokens come later."""
    for hits in view.of_metric(Metric.PREFIX_HITS):
        first = view.reading(Metric.FIRST_TOKEN, hits.entity)
        if not hits.usual or hits.now > _LOST * hits.usual or not hits.fell or first is None or not first.rose:
            continue
        onset = hits.onset(upward=False)
        blame = view.blame(hits.entity, onset)
        text, ids = f"{hits.text}; {first.text}", (hits.item.id, first.item.id)
        basis = "prefix hits a third below the usual, first token later"
        yield say("A14", blame.entity, F.COLD_CACHE, 3.5, text, ids, basis, onset=onset, blame=blame)


def latency_parts(view: View) -> Iterator[Finding]:
    """A10: which part of the latency of a model carries its growth: queue, prefill, decoding or retrieval."""
    for total in view.of_metric(Metric.LATENCY_P95):
        parts = _parts(view, total.entity)
        if total.usual is None or not total.rose or total.now < _LATENCY.warning or not parts:
            continue
        growth = total.now - total.usual
        for name, fault, grown, ids in parts:
            if grown >= _MOST * growth:
                text = f"{name} carries {figure(grown, 's')} of the {figure(growth, 's')} by which its p95 grew"
                evidence = (total.item.id, *ids)
                yield say("A10", total.entity, fault, 2.0, text, evidence, "60 % of the growth", onset=total.onset())


def _parts(view: View, entity: str) -> list[tuple[str, F, float, tuple[str, ...]]]:
    """What the latency of an entity is made of, and by how much each part grew; nothing for what serves no model."""
    if not any(
        view.reading(m, entity) for m in (Metric.FIRST_TOKEN, Metric.PREFILL, Metric.TOKEN_TIME, Metric.RETRIEVAL)
    ):
        return []
    found: list[tuple[str, F, float, tuple[str, ...]]] = [
        (name, fault, part.now - part.usual, (part.item.id,))
        for metric, name, fault in (
            (Metric.QUEUE_WAIT, "waiting in the queue", F.CAPACITY_EXHAUSTED),
            (Metric.PREFILL, "reading the prompt", F.PROMPT_GROWTH),
            (Metric.RETRIEVAL, "retrieval", F.SLOW_QUERY),
        )
        if (part := view.reading(metric, entity)) is not None and part.usual is not None and part.rose
    ]
    token, output = view.reading(Metric.TOKEN_TIME, entity), view.reading(Metric.OUTPUT_TOKENS, entity)
    if token and output and token.usual is not None and output.usual is not None and (token.rose or output.rose):
        grown = token.now * output.now - token.usual * output.usual
        found.append(("decoding", F.CAPACITY_EXHAUSTED, grown, (token.item.id, output.item.id)))
    return found


def server_queue(view: View) -> Iterator[Finding]:
    """A12: requests wait in front of a model server although it has room for their contexts."""
    for queue in view.of_metric(Metric.QUEUE_DEPTH):
        room = view.reading(Metric.KV_CACHE_USED, queue.entity)
        if room is None or room.now >= _ROOM_LEFT or queue.now < _QUEUED or not queue.rose:
            continue
        text, ids = f"{queue.text}, {room.text}", [queue.item.id, room.item.id]
        for metric in (Metric.TRAFFIC, Metric.REQUESTS_RUNNING, Metric.TOKEN_TIME):
            other = view.reading(metric, queue.entity)
            if other is not None and other.rose:
                text, ids = f"{text}; {other.text}", [*ids, other.item.id]
        text += _replicas(view, queue.entity)
        basis = "10 waiting or more with under 0.8 of the KV cache used"
        yield say("A12", queue.entity, F.CAPACITY_EXHAUSTED, 3.0, text, ids, basis, onset=queue.onset())


def _replicas(view: View, entity: str) -> str:
    replicas = view.reading(Metric.REPLICAS, entity)
    return f"; {replicas.text}" if replicas and replicas.usual and replicas.now < replicas.usual else ""


def context_room(view: View) -> Iterator[Finding]:
    """A13: the KV cache is full, so that contexts are thrown out and computed again."""
    said = {match.entity: match for match in view.matches(_NO_ROOM)}
    full = _without_room(view)
    for name in dict.fromkeys((*full, *said)):
        used, match = view.reading(Metric.KV_CACHE_USED, name), said.get(name)
        if used is not None and name not in full and used.now < _ROOM_GONE:
            continue
        prompt = view.reading(Metric.PROMPT_TOKENS, name)
        longer = prompt if prompt is not None and prompt.rose else None
        onset = longer.onset() if longer else full[name].onset() if name in full else match.onset if match else None
        evicted = view.reading(Metric.PREEMPTIONS, name)
        parts = [r.text for r in (used, evicted if evicted and evicted.now > 0 else None, longer) if r is not None]
        text = "; ".join(parts) if parts or match is None else match.quote
        ids = (*(r.item.id for r in (used, full.get(name), longer) if r is not None), *(match.ids if match else ()))
        evicts = match is not None or (name in full and full[name] is not used)
        blame = view.blame(name, onset, callers_first=longer is not None)
        weight, basis = 4.0 if used and evicts else 3.5, "KV cache over 0.95 with preemptions or late first tokens"
        yield say("A13", name, F.KV_CACHE_EXHAUSTED, weight, text, ids, basis, onset=onset, blame=blame)
    for match in view.matches(_TOO_SMALL):
        yield say(
            "A13", match.entity, F.CONFIGURATION_ERROR, 4.0, match.quote, match.ids, "refused at start: no KV cache"
        )


def _without_room(view: View) -> dict[str, Reading]:
    """Servers whose KV cache is full, with what says that it hurts: preemptions, or the cache itself where it filled up
    from a level with room to spare and first tokens come later."""
    found: dict[str, Reading] = {}
    for used in view.of_metric(Metric.KV_CACHE_USED):
        preempted = view.reading(Metric.PREEMPTIONS, used.entity)
        first = view.reading(Metric.FIRST_TOKEN, used.entity)
        if used.now > _ROOM_GONE and preempted is not None and preempted.now > 0 and preempted.rose:
            found[used.entity] = preempted
        elif used.now > _ROOM_GONE and used.usual is not None and used.usual < _ROOM_LEFT and first and first.rose:
            found[used.entity] = used
    return found


def cold_start(view: View) -> Iterator[Finding]:
    """A19: replicas of a model server are wanted and still load their weights."""
    for match in view.matches(_LOADING):
        ready = view.reading(Metric.REPLICAS, match.entity)
        wanted = view.reading(Metric.REPLICAS_WANTED, match.entity)
        if ready is None or wanted is None or ready.now >= wanted.now:
            continue
        late = [r for m in (Metric.FIRST_TOKEN, Metric.LATENCY_P95) for r in view.of_metric(m) if r.rose]
        text = f"{ready.now:.0f} of {wanted.now:.0f} replicas are ready; {match.quote}"
        text += f"; {late[0].text} of {late[0].entity}" if late else ""
        ids = (ready.item.id, wanted.item.id, *match.ids, *(r.item.id for r in late[:1]))
        weight, basis = 3.0 if late else 1.5, "replicas not ready while weights load"
        yield say("A19", match.entity, F.CAPACITY_EXHAUSTED, weight, text, ids, basis, onset=match.onset)


def retrieval(view: View) -> Iterator[Finding]:
    """A31: the vector index answers slowly."""
    work = {match.entity: match for match in view.matches(_INDEX)}
    for slow in view.of_metric(Metric.RETRIEVAL):
        if not slow.usual or not slow.rose or slow.ratio < _STEP:
            continue
        # Who reports the time of retrieval calls the index, unless it is the index.
        callees = view.callees.get(slow.entity, frozenset())
        match = work.get(slow.entity) or next((work[name] for name in sorted(callees) if name in work), None)
        entity = match.entity if match else slow.entity
        text = slow.text + (f"; {match.quote}" if match else "")
        ids = (slow.item.id, *(match.ids if match else ()))
        weight, basis = 3.5 if match else 3.0, "retrieval p95 at 1.5x the usual"
        yield say("A31", entity, F.SLOW_QUERY, weight, text, ids, basis, onset=slow.onset())


RULES = (
    ("A03", provider_timeout),
    ("A07", prompt_growth),
    ("A09", cache_collapse),
    ("A10", latency_parts),
    ("A12", server_queue),
    ("A13", context_room),
    ("A14", prefix_cache_loss),
    ("A19", cold_start),
    ("A31", retrieval),
)
