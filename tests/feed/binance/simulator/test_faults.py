"""Each fault does what it is told, as often as it is told, and to no other stream."""

from __future__ import annotations

from pairscope.feed.binance.simulator.faults import Faults, FaultyDoor
from pairscope.feed.binance.simulator.wire import Frame


def frames(*numbers: int, stream: str = "a@trade") -> list[Frame]:
    return [Frame(stream, b"%d" % number) for number in numbers]


def numbers(played: list[Frame]) -> list[int]:
    return [int(frame.data) for frame in played]


def test_without_faults_frames_pass_untouched() -> None:
    played = frames(1, 2, 3)
    assert Faults().apply(played) is played


def test_skipped_frames_are_never_sent() -> None:
    faults = Faults()
    faults.skip(2)
    assert numbers(faults.apply(frames(1))) == []
    assert numbers(faults.apply(frames(2, 3, 4))) == [3, 4]


def test_doubled_frames_come_twice() -> None:
    faults = Faults()
    faults.duplicate(2)
    assert numbers(faults.apply(frames(1, 2, 3))) == [1, 1, 2, 2, 3]


def test_swapped_frames_wait_for_each_other() -> None:
    faults = Faults()
    faults.reorder(3)
    assert numbers(faults.apply(frames(1, 2))) == []
    assert numbers(faults.apply(frames(3, 4))) == [3, 2, 1, 4]


def test_faults_combine_and_keep_to_their_stream() -> None:
    faults = Faults()
    faults.skip(1, stream="a@trade")
    faults.reorder(2, stream="b@trade")
    played = faults.apply(frames(1, 2) + frames(7, 8, stream="b@trade"))
    assert numbers(played) == [2, 8, 7]


def test_silence_loses_frames_until_it_ends() -> None:
    faults = Faults()
    faults.silence("a@trade")
    assert numbers(faults.apply(frames(1) + frames(2, stream="b@trade"))) == [2]
    faults.speak("a@trade")
    assert numbers(faults.apply(frames(3))) == [3]
    faults.silence()
    assert faults.apply(frames(4)) == []
    faults.speak()
    assert numbers(faults.apply(frames(5))) == [5]


def test_garbage_is_given_out_once() -> None:
    faults = Faults()
    faults.garbage(b"x", b"y")
    assert faults.take_garbage() == [b"x", b"y"]
    assert faults.take_garbage() == []


def test_refusals_end_after_their_number_and_keep_to_their_door() -> None:
    faults = Faults()
    faults.refuse(429, door=FaultyDoor.REST, times=2)
    assert faults.refusal(FaultyDoor.WS) is None
    assert [faults.refusal(FaultyDoor.REST) for _ in range(3)] == [429, 429, None]
    faults.refuse(451, door=FaultyDoor.WS)
    assert [faults.refusal(FaultyDoor.WS) for _ in range(3)] == [451, 451, 451]
    faults.refuse(0, door=FaultyDoor.WS)
    assert faults.refusal(FaultyDoor.WS) is None
