"""A world that outlives its process: its journal, and the same world made from it again."""

import errno
import fcntl
import json
import os
import random
import resource
import stat
import threading
from array import array
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import BaseModel

from aiops_cli.adapters.backends.simulator import journal as module
from aiops_cli.adapters.backends.simulator.journal import Effect, Journal, Mark
from aiops_cli.adapters.backends.simulator.world import World
from aiops_cli.adapters.library import read_scenario as read_document
from aiops_cli.bootstrap.worlds import Scene, read_scenario, restore_scene, stage_scenario, world_path
from aiops_cli.domain.action import EffectiveCall, Proposal, parse_call
from aiops_cli.domain.gate import Permit
from aiops_cli.domain.request import Request
from aiops_cli.errors import ActionRefused, BackendError, BadInput

SCALE = "scale_service search-api replicas=6"
RESTART = "restart_service search-api"


def permit(call: EffectiveCall, key: str) -> Permit:
    """As the gate would make it; what an actuator reads of it is the call and the key."""
    return Permit(call=call, key=key, request=cast(Request, None))


def prepare(scene: Scene, words: str) -> EffectiveCall:
    assert scene.actuator is not None
    return scene.actuator.prepare(parse_call(words))


def apply(scene: Scene, words: str, key: str) -> str:
    assert scene.actuator is not None
    return scene.actuator.apply(permit(prepare(scene, words), key))


def world_of(scene: Scene) -> World:
    return cast(Any, scene.observer).world


def replicas(scene: Scene) -> int:
    return len(world_of(scene).states["search-api"].replicas)


def attached(path: Path, name: str = "search-morning", seed: int | None = None) -> Scene:
    scene, _ = stage_scenario(read_scenario(name), seed)
    assert scene.journal is not None
    scene.journal.attach(path)
    return scene


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "worlds" / "INC-0001.jsonl"


def picture(thing: Any, seen: frozenset[int] = frozenset()) -> Any:
    """Everything that a thing is made of, down to plain values: two worlds with the same picture are the same."""
    if isinstance(thing, str | int | float | bool | None | Enum):
        return repr(thing)
    if isinstance(thing, array):
        return thing.tobytes()
    if isinstance(thing, random.Random):
        return thing.getstate()
    if isinstance(thing, BaseModel):
        # A part of the scenario, which never changes.
        return type(thing).__name__, repr(thing)
    if id(thing) in seen or callable(thing):
        return type(thing).__name__
    inside = seen | {id(thing)}
    if isinstance(thing, dict):
        return [(picture(key, inside), picture(value, inside)) for key, value in thing.items()]
    if isinstance(thing, list | tuple):
        return [picture(each, inside) for each in thing]
    slots = getattr(type(thing), "__slots__", ())
    fields = {name: getattr(thing, name) for name in slots} | getattr(thing, "__dict__", {})
    assert fields, f"{type(thing)} is not looked into"
    return type(thing).__name__, [(name, picture(value, inside)) for name, value in fields.items()]


def sees(scene: Scene) -> Any:
    observer = cast(Any, scene.observer)
    return observer.observe(observer.alert_group(), scene.clock.now())


# --- the same world --------------------------------------------------------------------------------------------------

# Replicas, a leak, a queue of messages, nodes, two roots, a model and its data, a quota.
WORLDS = ("payments-evening", "statements-night", "orders-dawn", "visits-afternoon", "hotels-evening", "captions-dawn",
          "drafts-afternoon", "raffles-evening")  # fmt: skip


def do_two_things(scene: Scene) -> int:
    """The first two calls of the truth that this world takes, five and fifteen minutes apart; how many there were."""
    assert scene.scenario is not None
    truth, done = scene.scenario.truth, 0
    for words in [
        call for steps in (*truth.ok_actions, *truth.harmful_actions, *truth.masking_actions) for call in steps
    ]:
        if done == 2:
            break
        scene.clock.wait(300)
        try:
            apply(scene, words, f"key-{done}")
        except ActionRefused:
            continue
        done += 1
    scene.clock.wait(900)
    return done


@pytest.mark.parametrize("name", WORLDS)
def test_a_restored_world_is_the_one_that_went_on(name: str, path: Path) -> None:
    scene = attached(path, name, seed=5)
    assert scene.journal is not None and do_two_things(scene) == 2
    scene.journal.mark()
    back = restore_scene(path)
    assert picture(world_of(back)) == picture(world_of(scene))
    assert sees(back) == sees(scene) and back.clock.now() == scene.clock.now()
    for each in (scene, back):
        each.clock.wait(1200)
    assert picture(world_of(back)) == picture(world_of(scene))


def test_the_picture_of_another_world_is_another() -> None:
    one, other = (stage_scenario(read_scenario("search-morning"), 5)[0] for _ in range(2))
    assert picture(world_of(one)) == picture(world_of(other))
    world_of(other).states["index-store"].warmth = 0.999
    assert picture(world_of(one)) != picture(world_of(other))
    assert picture(world_of(one)) != picture(world_of(stage_scenario(read_scenario("search-morning"), 6)[0]))


def test_an_effect_after_the_last_mark_is_there_and_time_stands_at_it(path: Path) -> None:
    scene = attached(path)
    scene.clock.wait(600)
    apply(scene, SCALE, "a")
    at, shown = scene.clock.now(), picture(world_of(scene))
    scene.clock.wait(600)
    back = restore_scene(path)
    assert back.clock.now() == at and replicas(back) == 6 and picture(world_of(back)) == shown


def test_a_restored_world_is_acted_on_and_restored_again(path: Path) -> None:
    first = attached(path)
    apply(first, SCALE, "a")
    second = restore_scene(path)
    apply(second, "scale_service search-api replicas=3", "b")
    second.clock.wait(120)
    assert second.journal is not None
    second.journal.mark()
    third = restore_scene(path)
    assert replicas(third) == 3 and picture(world_of(third)) == picture(world_of(second))


def test_the_clock_of_an_alert_from_outside_is_kept(path: Path) -> None:
    at = datetime(2026, 5, 4, 8, 0, 0, 123_456, tzinfo=UTC) + timedelta(hours=3)
    scene, _ = stage_scenario(read_scenario("search-morning"), 9, at)
    assert scene.journal is not None
    scene.journal.attach(path)
    assert restore_scene(path).clock.now() == scene.clock.now() and world_of(restore_scene(path)).seed == 9


def test_no_file_no_journal_on_disk(tmp_path: Path) -> None:
    scene, _ = stage_scenario(read_scenario("search-morning"), None)
    assert scene.journal is not None and scene.actuator is not None
    call = prepare(scene, SCALE)
    scene.actuator.apply(permit(call, ""))
    scene.journal.mark()
    assert replicas(scene) == 6 and list(tmp_path.iterdir()) == []
    assert [type(line) for line in scene.journal.lines] == [Effect]


# --- another world ---------------------------------------------------------------------------------------------------


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A scenario of somebody's own, with relative names of its folder."""
    from importlib.resources import files

    text = files("aiops_cli.adapters.backends.simulator").joinpath("template.yaml").read_text(encoding="utf-8")
    file = tmp_path / "own" / "scenario.yaml"
    file.parent.mkdir()
    file.write_text(text.replace("NAME", "own-world"))
    return file


def test_a_scenario_of_ones_own_is_found_from_any_folder(
    own: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(own.parent.parent)
    attached(path, "own/scenario.yaml")
    monkeypatch.chdir("/")
    assert restore_scene(path).scenario == read_scenario(str(own))
    own.write_text("# a comment is no change\n" + own.read_text())
    restore_scene(path)


def test_a_scenario_that_changed_or_is_gone_is_no_world_any_more(own: Path, path: Path) -> None:
    attached(path, str(own))
    own.write_text(own.read_text().replace("seed: 42", "seed: 43") + "\npod_quota: 90\n")
    with pytest.raises(BadInput, match="own-world has changed since") as changed:
        restore_scene(path)
    own.unlink()
    with pytest.raises(BadInput, match="cannot be read any more") as gone:
        restore_scene(path)
    assert changed.value.hint and gone.value.hint


def rewrite(path: Path, number: int, **fields: Any) -> None:
    """Change fields of a line; None takes one away."""
    lines = path.read_text().splitlines()
    data = json.loads(lines[number]) | fields
    lines[number] = json.dumps({name: value for name, value in data.items() if value is not None})
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("number", "fields"),
    [
        (0, {"seed": 4}),
        (1, {"world": "0" * 16}),
        (1, {"t": 15.5}),
        (2, {"action": "fail_over", "arguments": {}}),
        (2, {"arguments": {"replicas": 7}}),
        (3, {"t": 1e8}),
    ],
    ids=str,
)
def test_what_does_not_play_as_it_did_is_refused(number: int, fields: dict[str, Any], path: Path) -> None:
    scene = attached(path)
    apply(scene, SCALE, "a")
    scene.clock.wait(60)
    assert scene.journal is not None
    scene.journal.mark()
    rewrite(path, number, **fields)
    with pytest.raises(BackendError) as raised:
        restore_scene(path)
    assert raised.value.hint


# --- lines -----------------------------------------------------------------------------------------------------------


def test_the_file_says_what_was_done_and_how_far_it_came(path: Path) -> None:
    scene = attached(path)
    apply(scene, SCALE, "a")
    scene.clock.wait(60)
    assert scene.journal is not None
    scene.journal.mark()
    scene.journal.mark()
    head, begun, effect, end = [json.loads(line) for line in path.read_text().splitlines()]
    assert head["scenario"] == "search-morning" and head["seed"] == 19 and head["format"] == 1
    assert begun == {"t": begun["t"], "world": begun["world"], "end": True}
    del effect["world"]
    assert effect == {
        "t": begun["t"], "key": "a", "action": "scale_service", "target": "search-api", "arguments": {"replicas": 6},
    }  # fmt: skip
    assert end["t"] == begun["t"] + 60


def test_a_line_that_was_cut_off_at_any_byte_did_not_happen(path: Path) -> None:
    scene = attached(path)
    before = path.read_bytes()
    apply(scene, SCALE, "a")
    whole = path.read_bytes()
    for size in range(len(before), len(whole)):
        path.write_bytes(whole[:size])
        assert [type(line) for line in Journal.open(path).lines] == [Mark], size
        assert Journal.open(path).find("a") is None
    path.write_bytes(whole)
    assert Journal.open(path).find("a") is not None


@pytest.mark.parametrize("left", [1, 40, -1])
def test_a_torn_line_is_cut_off_before_the_next_append(left: int, path: Path) -> None:
    scene = attached(path)
    before = path.read_bytes()
    apply(scene, SCALE, "a")
    whole = path.read_bytes()
    torn = whole[: len(before) + left] if left > 0 else whole[:left]
    path.write_bytes(torn)
    back = restore_scene(path)
    assert replicas(back) == 4
    apply(back, SCALE, "b")
    again = Journal.open(path)
    assert again.find("a") is None and again.find("b") is not None and path.read_bytes().startswith(before)
    assert replicas(restore_scene(path)) == 6


def test_a_first_line_that_was_cut_off_says_that_nothing_was_done(path: Path) -> None:
    attached(path)
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(BackendError, match="never begun") as raised:
            Journal.open(path)
        assert "nothing was done" in str(raised.value.hint)


def repeat(path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines, lines[2]]))


def put(path: Path, number: int, text: bytes) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:number], text + b"\n", *lines[number:]]))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (repeat, "has the key of line 4 twice"),
        (lambda path: put(path, 2, b""), "line 3"),
        (lambda path: put(path, 2, b"\0\0\0"), "line 3"),
        (lambda path: put(path, 2, b"\xff\xfe"), "line 3"),
        (lambda path: put(path, 2, b"[1]"), "line 3"),
        (lambda path: put(path, 2, b'{"t":1,"t":2,"end":true}'), "line 3"),
        (lambda path: put(path, 2, b'{"t":NaN,"world":"0000000000000000","end":true}'), "line 3"),
        (lambda path: put(path, 2, b'{"t":0.0,"world":"0000000000000000","end":true}'), "goes back in time in line 3"),
        (lambda path: put(path, 2, b"[" * 100_000), "line 3"),
        (lambda path: rewrite(path, 2, arguments=None), "line 3: arguments: is missing"),
        (lambda path: rewrite(path, 2, more=1), "line 3: more: is not a known field"),
        (lambda path: rewrite(path, 2, key=""), "line 3: key"),
        (lambda path: rewrite(path, 2, t="12"), "line 3: t"),
        (lambda path: rewrite(path, 1, end=False), "line 2: end"),
        (lambda path: rewrite(path, 0, format=2), "line 1: format"),
        (lambda path: rewrite(path, 0, epoch="2026-05-04T08:00:00"), "line 1: epoch"),
        (lambda path: rewrite(path, 0, epoch="noon\x1b[2J"), "line 1: epoch"),
        (lambda path: path.write_bytes(b"x" * 5_000_001), "larger than"),
    ],
)
def test_garbage_is_refused_with_its_line_and_a_hint(spoil: Callable[[Path], None], said: str, path: Path) -> None:
    apply(attached(path), SCALE, "a")
    spoil(path)
    with pytest.raises(BackendError) as raised:
        Journal.open(path)
    assert said in raised.value.message and raised.value.hint and raised.value.message.isprintable()


# --- once ------------------------------------------------------------------------------------------------------------


def test_a_key_that_was_used_changes_nothing_any_more(path: Path) -> None:
    scene = attached(path)
    assert scene.actuator is not None
    call = prepare(scene, RESTART)
    assert "had already" not in scene.actuator.apply(permit(call, "a"))
    written, shown = path.read_bytes(), picture(world_of(scene))
    assert scene.actuator.apply(permit(call, "a")).endswith("had already been done")
    back = restore_scene(path)
    assert back.actuator is not None and back.actuator.apply(permit(call, "a")).endswith("had already been done")
    assert path.read_bytes() == written and picture(world_of(scene)) == shown == picture(world_of(back))


def test_of_two_processes_with_one_world_the_second_is_refused(path: Path) -> None:
    attached(path)
    one, other = restore_scene(path), restore_scene(path)
    apply(one, SCALE, "a")
    written = path.read_bytes()
    with pytest.raises(ActionRefused, match="nothing was done") as raised:
        apply(other, RESTART, "b")
    assert path.read_bytes() == written and world_of(other).actions == []
    assert "another process" in str(raised.value.hint)
    assert apply(other, SCALE, "a").endswith("had already been done")
    assert other.journal is not None
    other.clock.wait(60)
    with pytest.raises(BackendError):
        other.journal.mark()
    assert path.read_bytes() == written


def test_between_looking_and_writing_another_with_the_same_key_wins_and_it_is_done_once(path: Path) -> None:
    attached(path)
    one, other = restore_scene(path), restore_scene(path)
    call = prepare(other, SCALE)
    apply(one, SCALE, "a")
    assert other.journal is not None
    found = other.journal.append("a", call)
    assert found is not None and found.key == "a" and len(path.read_text().splitlines()) == 3


def test_a_world_that_moved_is_refused_and_nothing_is_written(path: Path) -> None:
    scene = attached(path)
    assert scene.actuator is not None
    call = prepare(scene, SCALE)
    apply(scene, RESTART, "a")
    written = path.read_bytes()
    with pytest.raises(ActionRefused, match="changed after the approval"):
        scene.actuator.apply(permit(call, "b"))
    assert path.read_bytes() == written and scene.actuator.look_back(call, "b").done is False


@pytest.mark.parametrize("key", ["", "two words", "line\nbreak", "k" * 201, "schlüssel"])
def test_a_key_that_could_not_be_found_again_is_refused(key: str, path: Path) -> None:
    scene = attached(path)
    written = path.read_bytes()
    with pytest.raises(ActionRefused, match="nothing was done: the call's key"):
        apply(scene, SCALE, key)
    assert path.read_bytes() == written and replicas(scene) == 4


def test_looking_back_says_yes_no_or_that_it_cannot_tell(path: Path) -> None:
    scene = attached(path)
    assert scene.actuator is not None
    call, other = prepare(scene, SCALE), prepare(scene, RESTART)
    assert scene.actuator.look_back(call, "a").done is False
    scene.actuator.apply(permit(call, "a"))
    back = restore_scene(path).actuator
    assert back is not None
    for actuator in (scene.actuator, back):
        assert actuator.look_back(call, "a").done is True
        assert actuator.look_back(call, "b").done is False
        mixed = actuator.look_back(other, "a")
        assert mixed.done is None and "another effect" in mixed.reason and SCALE in mixed.reason
    path.chmod(0o622)
    assert back.look_back(call, "a").done is None
    path.chmod(0o600)
    path.write_bytes(path.read_bytes() + b"garbage\n")
    assert back.look_back(call, "a").done is None and "line 4" in back.look_back(call, "a").reason
    path.unlink()
    lost = back.look_back(call, "a")
    assert lost.done is None and "is not there" in lost.reason


def test_in_memory_a_key_is_known_too() -> None:
    scene, _ = stage_scenario(read_scenario("search-morning"), None)
    assert scene.actuator is not None
    call = prepare(scene, SCALE)
    assert scene.actuator.look_back(call, "a").done is False
    scene.actuator.apply(permit(call, "a"))
    assert scene.actuator.look_back(call, "a").done is True
    assert scene.actuator.apply(permit(call, "a")).endswith("had already been done") and replicas(scene) == 6


# --- the disk --------------------------------------------------------------------------------------------------------


@contextmanager
def masked(value: int) -> Iterator[None]:
    before = os.umask(value)
    try:
        yield
    finally:
        os.umask(before)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_the_file_is_for_its_owner_alone_whatever_the_umask(umask: int, tmp_path: Path) -> None:
    folder = tmp_path / "worlds"
    # With the last of them the folder could not even be entered by its owner; it is there already then.
    if umask == 0o777:
        folder.mkdir(mode=0o700)
    with masked(umask):
        scene = attached(folder / "INC-0001.jsonl")
        apply(scene, SCALE, "a")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "INC-0001.jsonl").stat().st_mode) == 0o600


def link_file(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


def link_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("elsewhere"))
    path.parent.symlink_to(path.parent.with_name("elsewhere"))


def make_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def give_away(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(path, 12345, -1)


@pytest.mark.parametrize(
    "swap",
    [
        link_file,
        link_folder,
        make_fifo,
        make_folder,
        give_away,
        lambda path: path.chmod(0o620),
        lambda path: path.chmod(0o602),
        lambda path: path.parent.chmod(0o770),
        lambda path: path.parent.chmod(0o703),
    ],
)
def test_what_another_could_have_put_there_is_refused(swap: Callable[[Path], None], path: Path) -> None:
    scene = attached(path)
    swap(path)
    with pytest.raises(BackendError):
        Journal.open(path)
    with pytest.raises(ActionRefused, match="nothing was done"):
        cast(Any, scene.journal).append("a", prepare(scene, SCALE))
    assert replicas(scene) == 4


def test_a_new_journal_takes_the_place_of_nothing(path: Path) -> None:
    attached(path)
    written = path.read_bytes()
    scene, _ = stage_scenario(read_scenario("search-morning"), None)
    assert scene.journal is not None
    for place in (path, path.with_name("dangling")):
        if place != path:
            place.symlink_to(path.with_name("nowhere"))
        with pytest.raises(BackendError, match="cannot begin") as raised:
            scene.journal.attach(place)
        assert raised.value.hint
    assert path.read_bytes() == written and not path.with_name("nowhere").exists()
    scene.journal.attach(path.with_name("INC-0002.jsonl"))
    with pytest.raises(RuntimeError):
        scene.journal.attach(path.with_name("INC-0003.jsonl"))


@contextmanager
def full_at(size: int) -> Iterator[None]:
    """No file of this process grows beyond a size: the disk is full in the middle of a write."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("room", [0, 1, 50, -1])
def test_a_disk_that_is_full_in_the_middle_of_a_line_is_nothing_done(room: int, path: Path) -> None:
    scene = attached(path)
    assert scene.actuator is not None
    call, before = prepare(scene, SCALE), path.read_bytes()
    apply(restore_scene(path), SCALE, "a")
    room = room if room >= 0 else len(path.read_bytes()) - len(before) - 1
    path.write_bytes(before)
    with full_at(len(before) + room), pytest.raises(ActionRefused, match="nothing was done") as raised:
        scene.actuator.apply(permit(call, "a"))
    assert path.read_bytes() == before and replicas(scene) == 4 and raised.value.hint
    assert scene.actuator.look_back(call, "a").done is False
    scene.actuator.apply(permit(call, "a"))
    assert replicas(scene) == 6 == replicas(restore_scene(path))


def test_a_disk_that_is_full_at_the_beginning_leaves_no_file(path: Path) -> None:
    scene, _ = stage_scenario(read_scenario("search-morning"), None)
    assert scene.journal is not None
    with full_at(100), pytest.raises(BackendError, match="cannot begin"):
        scene.journal.attach(path)
    assert not path.exists()
    scene.journal.attach(path)


def test_what_may_not_be_on_the_disk_is_not_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = attached(path)
    assert scene.actuator is not None
    call = prepare(scene, SCALE)
    scene.actuator.apply(permit(call, "a"))

    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        found = scene.actuator.look_back(call, "a")
        assert found.done is None and "cannot tell" in found.reason
    assert scene.actuator.look_back(call, "a").done is True


@pytest.mark.parametrize("same", [True, False])
def test_of_twelve_at_once_one_writes(same: bool, path: Path) -> None:
    """Locks are of open files, so threads stand for processes here."""
    scene = attached(path)
    call, begun = prepare(scene, SCALE), path.read_bytes()
    for _ in range(20):
        path.write_bytes(begun)
        journals = [Journal.open(path) for _ in range(12)]
        start = threading.Barrier(12)

        def write(number: int, journals: list[Journal] = journals, start: threading.Barrier = start) -> str:
            start.wait(10)
            try:
                return "was there" if journals[number].append("k" if same else f"k{number}", call) else "done"
            except ActionRefused as error:
                return error.message[:16]

        with ThreadPoolExecutor(12) as pool:
            said = sorted(pool.map(write, range(12)))
        assert said == sorted(["done", *(["was there" if same else "nothing was done"] * 11)])
        assert sum(isinstance(line, Effect) for line in Journal.open(path).lines) == 1


def test_a_file_that_became_shorter_is_refused(path: Path) -> None:
    scene = attached(path)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(BackendError):
        apply(scene, SCALE, "a")
    assert replicas(scene) == 4


def test_a_file_that_another_holds_is_waited_for_and_then_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOCK_TIMEOUT_S", 0.1)
    scene = attached(path)
    assert scene.actuator is not None
    call = prepare(scene, SCALE)
    with path.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(BackendError, match="another process holds"):
            Journal.open(path)
        with pytest.raises(ActionRefused, match="nothing was done: another process holds"):
            cast(Any, scene.journal).append("a", call)
        found = scene.actuator.look_back(call, "a")
        assert found.done is None and "another process holds" in found.reason
    assert scene.actuator.look_back(call, "a").done is False


@pytest.mark.parametrize("name", ["INC-1", "INC-0001/../x", "../INC-0001", "REQ-0001", "INC-0001\n", ""])
def test_a_journal_is_named_by_an_incidents_id_alone(name: str, tmp_path: Path) -> None:
    assert world_path(tmp_path, "INC-0042") == tmp_path / "worlds" / "INC-0042.jsonl"
    with pytest.raises(ValueError, match="no incident's id"):
        world_path(tmp_path, name)


# --- what is known of a target ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Facts:
    service: str
    team: str | None
    tags: tuple[str, ...]
    touched: int | None


@pytest.mark.parametrize(
    ("scenario", "words", "facts"),
    [
        ("payments-evening", "scale_service payments-api replicas=6",
         Facts("payments-api", "payments", ("card-data",), 3)),
        ("payments-evening", "scale_service payments-api replicas=1",
         Facts("payments-api", "payments", ("card-data",), 2)),
        ("payments-evening", "restart_service checkout-web", Facts("checkout-web", "storefront", (), 4)),
        ("search-morning", "restart_service search-api", Facts("search-api", None, (), 4)),
        ("insurance-noon", "fail_over customer-db", Facts("customer-db", "customers", (), 1)),
        ("visits-afternoon", "drain_node pool-a2", Facts("", None, (), 6)),
    ],
)  # fmt: skip
def test_a_call_says_whose_its_target_is_and_how_much_it_touches(scenario: str, words: str, facts: Facts) -> None:
    call = prepare(stage_scenario(read_scenario(scenario), None)[0], words)
    assert Facts(call.service, call.team, call.tags, call.touched) == facts
    # A policy decides by them, so they are among what is approved.
    assert all(tag.encode() in call.canonical for tag in facts.tags)


@pytest.mark.parametrize("text", ["Payments", "two words", "", "-x", 5])
def test_a_team_and_a_tag_are_plain_words(text: object) -> None:
    from aiops_cli.adapters.backends.simulator.scenario import parse_scenario
    from aiops_cli.errors import BadConfig
    from aiops_cli.strict_yaml import YamlDocument

    document = read_document("search-morning")
    for part in ({"team": text}, {"tags": [text]}):
        services = [{**document.data["services"][0], **part}, *document.data["services"][1:]]
        with pytest.raises(BadConfig, match=r"services\.0\.t"):
            parse_scenario(YamlDocument("x", {**document.data, "services": services}, document.lines))


def test_the_state_of_a_target_is_read_and_an_undo_brings_it_back() -> None:
    scene, _ = stage_scenario(read_scenario("payments-evening"), None)
    assert scene.actuator is not None
    before = dict(scene.actuator.read_state("payments-api"))
    call = prepare(scene, "scale_service payments-api replicas=6")
    assert call.preconditions.items() <= before.items()
    scene.actuator.apply(permit(call, "a"))
    assert scene.actuator.read_state("payments-api")["replicas"] == 6
    undo = scene.actuator.prepare(Proposal(str(call.undo.action), call.target, call.undo.arguments, ""))
    scene.actuator.apply(permit(undo, "b"))
    after = dict(scene.actuator.read_state("payments-api"))
    assert after.pop("generation") == before.pop("generation") + 2 and after == before
    with pytest.raises(ActionRefused, match="not in the inventory"):
        scene.actuator.read_state("nobody")


# Actions that take back what the one before did: of each the state shows it, and shows it gone.
SETTINGS = (
    "set_flag", "set_canary", "use_provider", "limit_requests", "revert_config", "set_model_alias", "set_pod_quota",
    "rollback_release", "uncordon_node",
)  # fmt: skip


def test_whatever_an_action_sets_shows_in_the_state_and_its_undo_brings_it_back() -> None:
    from aiops_cli.adapters.library import scenario_names

    seen: set[str] = set()
    for name in scenario_names():
        scenario = read_scenario(name)
        words = [call for steps in (*scenario.truth.ok_actions, *scenario.truth.harmful_actions) for call in steps]
        wanted = [call for call in words if call.split()[0] in SETTINGS and call.split()[0] not in seen]
        if not wanted:
            continue
        scene, _ = stage_scenario(scenario, None)
        assert scene.actuator is not None
        for each in wanted:
            try:
                call = prepare(scene, each)
            except ActionRefused:
                continue
            before = dict(scene.actuator.read_state(call.target))
            scene.actuator.apply(permit(call, ""))
            during = dict(scene.actuator.read_state(call.target))
            undo = scene.actuator.prepare(Proposal(str(call.undo.action), call.target, call.undo.arguments, ""))
            scene.actuator.apply(permit(undo, ""))
            after = dict(scene.actuator.read_state(call.target))
            for state in (before, during, after):
                state.pop("generation")
                # Where replicas are now is what comes of a node's state.
                state.pop("runs", None)
            assert during != before == after, each
            seen.add(call.action)
    assert seen >= set(SETTINGS) - {"uncordon_node", "use_provider"}, set(SETTINGS) - seen
