"""A seeded story of faults, told in virtual time: what breaks is drawn from the seed, what must hold never changes."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.faults.process import Process
from tests.faults.scripted import LIMIT, MINUTE_MS, WEIGHT, RestManners, ScriptedRest
from tests.faults.tape import MemoryTape
from tests.faults.truth import invented
from tests.faults.verdict import assert_tape_is_true
from tests.faults.virtual import VirtualClock, run_virtually

START_MS = 1_790_000_000_000
TICKS = 30  # moments at which something arrives
CALM_TICKS = 3  # at the end, so that the last hole is seen
SETTLE_S = 4 * 3_600
LONGEST_STALL_S = 240.0  # of trades that come late and leave no hole; a start looks back further than that
FAULTS = ("drop", "stall", "duplicate", "reorder", "garbage", "kill", "jump", "disk", "rest_down", "restart")
GARBAGE = (
    b"",
    b"junk",
    b"\xff\xfe\x00",
    b'{"stream":"ausdt@aggTrade","data":{"e":"aggTrade","a":1',
    b'{"result":null,"id":3}',
    b'{"e":"aggTrade"}',
    b"[" * 2_000,
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a scenario did; two runs of one seed give the same hash."""

    log_hash: str
    trades: int
    gaps: int  # rows, closed ones too
    open_ids: int  # that nobody could have any more
    kills: int
    requests: int


@dataclass(slots=True)
class Log:
    """Everything that happened, in order, and when."""

    digest: hashlib._Hash = field(default_factory=hashlib.sha256)
    requests: int = 0

    def note(self, *facts: object) -> None:
        self.requests += facts[0] == "rest"
        self.digest.update(repr((round(asyncio.get_running_loop().time(), 6), *facts)).encode())


class Scenario:
    """One seed: a market of a few symbols, a process that records it, and everything that can go wrong between."""

    def __init__(self, seed: int) -> None:
        self.rng = rng = random.Random(seed)
        self.log = Log()
        self.kills = 0
        self.begun: Counter[int] = Counter()  # processes after a kill, by minute of the exchange
        self.tick_s = rng.choice([0.5, 5.0, 30.0, 120.0])
        self.times = [self.tick_s * n for n in range(1, TICKS + CALM_TICKS + 1)]
        end_ms = START_MS + round(self.times[-1] * 1_000)
        count = rng.choice([40, 100, 200, 200, 400, 400, 400, 3_000])
        names = [f"{letter}USDT" for letter in "ABC"[: rng.randint(1, 3)]]
        self.truths = {name: invented(name, count, START_MS, end_ms, rng) for name in names}
        self.sent = {name: truth.first_id for name, truth in self.truths.items()}
        # Some kinds of fault at a time, not always all: what one hides another may show.
        self.kinds = rng.sample(FAULTS, rng.randint(1, len(FAULTS)))
        self.chance = rng.choice([0.05, 0.2, 0.5])
        self.manners = manners(rng)
        self.lost_until = self.stalled_until = 0
        self.kill_in_s: float | None = None
        self.waiting: list[bytes] = []  # frames the exchange is late with
        self.seen: list[bytes] = []  # frames that were delivered, for sending them again

    async def run(self) -> Outcome:
        self.clock = VirtualClock(START_MS)
        exchange_clock = VirtualClock(START_MS + self.rng.randint(-2_000, 2_000))  # never jumps
        self.rest = ScriptedRest(
            self.truths, lambda: exchange_clock.now_ns() // 1_000_000, self.manners, self.rng, self.log.note
        )
        self.process = Process(MemoryTape(list(self.truths)), self.clock, self.rest, self.rng)
        self.process.start()
        for tick, time_s in enumerate(self.times):
            await asyncio.sleep(max(0.0, time_s - self.clock.monotonic_s()))
            calm = tick >= TICKS
            if calm:
                self.all_is_well()
            elif self.rng.random() < self.chance:
                await self.break_something(tick)
            if self.kill_in_s == 0.0:
                await self.restart_process()
            self.deliver(tick, calm)
            while self.kill_in_s is not None:
                await asyncio.sleep(self.kill_in_s)
                await self.restart_process()
        await self.settled()
        self.check()
        await self.process.kill()
        return self.outcome()

    def all_is_well(self) -> None:
        self.lost_until = self.stalled_until = 0
        self.process.tape.failing = frozenset()
        self.rest.down = False
        self.rest.manners = RestManners(lag_ms=self.manners.lag_ms, keeps_ms=self.manners.keeps_ms)

    async def break_something(self, tick: int) -> None:
        kind = self.rng.choice(self.kinds)
        until = tick + self.rng.randint(1, 8)
        self.log.note(kind, until)
        match kind:
            case "drop":  # or half-open: whatever is sent is lost
                self.lost_until = until
            case "stall":
                # A trade that is held back by disorder already must not come later than a start looks back.
                longest_s = LONGEST_STALL_S - (2 * self.tick_s if self.waiting else 0)
                self.stalled_until = min(until, tick + round(longest_s / self.tick_s))
            case "restart":
                self.lost_until = until
                self.rest.down = True
            case "kill":  # now, or while what comes now is being worked off
                self.kill_in_s = self.rng.choice([0.0, 0.01, self.rng.uniform(0, 0.3)])
            case "jump":
                self.clock.jump(self.rng.choice([-3_600, -61, -1, 0.5, 61, 3_600]))
            case "disk":
                parts = self.rng.choice([("trades",), ("bars",), ("gaps",), ("reads",), ("trades", "bars", "gaps")])
                self.process.tape.failing = frozenset(() if self.process.tape.failing else parts)
            case "rest_down":
                self.rest.down = not self.rest.down

    async def restart_process(self) -> None:
        self.kills += 1
        # Half of them are killed once more while they recover.
        self.kill_in_s = self.rng.choice([None, self.rng.uniform(0.01, 0.3)])
        await self.process.kill()
        tape = self.process.tape.killed(self.rng)
        self.rest.ban_told_s = None  # the next process cannot know
        self.process = Process(tape, self.clock, self.rest, self.rng)
        self.process.start()
        self.begun[self.rest.now_ms() // MINUTE_MS] += 1

    def deliver(self, tick: int, calm: bool) -> None:
        frames = self.newly_sent(last=tick == len(self.times) - 1)
        if tick < self.lost_until:
            return
        if tick < self.stalled_until:
            self.waiting += frames
            return
        frames = [*self.waiting, *frames]
        self.waiting = []
        if not calm:
            frames = self.spoiled(frames)
        self.seen = (self.seen + frames)[-300:]
        self.log.note("frames", len(frames), hash_of(frames))
        cut = self.rng.randint(0, len(frames))
        for burst in (frames[:cut], frames[cut:]):
            if burst:
                self.process.receive(burst)

    def newly_sent(self, last: bool) -> list[bytes]:
        now_ms = self.rest.now_ms()
        timed: list[tuple[int, bytes]] = []
        for name, truth in self.truths.items():
            # The very last trade comes when all is well again: only a trade shows that those before it are missing.
            sent = min(truth.last_id, truth.sent_before(now_ms))
            end = truth.last_id + 1 if last else max(self.sent[name], sent)
            ids = range(self.sent[name], end)
            timed += [(int(truth.time_ms[i - truth.first_id]), truth.frame(i)) for i in ids]
            self.sent[name] = end
        timed.sort(key=lambda each: each[0])
        return [frame for _, frame in timed]

    def spoiled(self, frames: list[bytes]) -> list[bytes]:
        rng = self.rng
        if "duplicate" in self.kinds and self.seen and rng.random() < self.chance:
            start = rng.randrange(len(self.seen))
            frames = frames + self.seen[start : start + rng.randint(1, 100)]
        if "reorder" in self.kinds and len(frames) > 1 and rng.random() < self.chance:
            start = rng.randrange(len(frames))
            part = frames[start : start + rng.randint(2, 40)]
            rng.shuffle(part)
            frames = frames[:start] + part + frames[start + len(part) :]
            if rng.random() < 0.3:  # some of them come with the next burst only
                self.waiting, frames = frames[-rng.randint(1, 5) :], frames[:-5]
        if "garbage" in self.kinds and rng.random() < self.chance:
            place = rng.randint(0, len(frames))
            frames = [*frames[:place], *rng.choices(GARBAGE, k=3), *frames[place:]]
        return frames

    async def settled(self) -> None:
        """Give it all the time it may need, now that nothing breaks any more."""
        deadline_s = self.clock.monotonic_s() + SETTLE_S
        while self.process.backfill.waiting:
            assert self.clock.monotonic_s() < deadline_s, f"not closed: {self.process.tracker.all_open()}"
            await asyncio.sleep(10)
            self.process.assert_accounted()
        await asyncio.sleep(10)

    def check(self) -> None:
        self.process.assert_accounted()
        for truth in self.truths.values():
            assert_tape_is_true(self.process, truth)
        for minute, weight in self.rest.weight.items():
            # A process that begins must ask once to learn what was used before it.
            assert weight <= LIMIT / 2 + WEIGHT * self.begun[minute], "more than half of a minute's weight was used"
        assert self.rest.asked_against_a_ban == 0
        gaps = self.process.tracker.all_open()
        habits = self.manners
        served = not (habits.lag_ms or habits.empty or habits.short) and habits.keeps_ms > 3_600_000
        assert not (served and gaps), gaps

    def outcome(self) -> Outcome:
        gaps = self.process.tape.gaps()
        self.log.note("end", gaps, self.process.intake.counters)
        return Outcome(
            log_hash=self.log.digest.hexdigest(),
            trades=sum(len(truth.maker) for truth in self.truths.values()),
            gaps=len(gaps),
            open_ids=sum(gap.ids for gap in self.process.tracker.all_open()),
            kills=self.kills,
            requests=self.log.requests,
        )


def manners(rng: random.Random) -> RestManners:
    """Mostly well; in one world of three REST has one bad habit or two."""
    bad: dict[str, Any] = {
        "empty": rng.choice([0.1, 0.5]),
        "short": rng.choice([0.1, 0.5]),
        "refused": rng.choice([0.05, 0.3]),
        "banned": rng.choice([0.02, 0.1]),
        "broken": rng.choice([0.1, 0.5]),
        "latency_s": 5.0,
        "lag_ms": rng.choice([1_000, 5_000]),
        "keeps_ms": rng.choice([60_000, 600_000]),
    }
    habits = rng.sample(sorted(bad), rng.choice([0, 0, 1, 2]))
    return RestManners(**{habit: bad[habit] for habit in habits})


def hash_of(frames: list[bytes]) -> str:
    return hashlib.sha256(b"\n".join(frames)).hexdigest()[:16]


def told(seed: int) -> Outcome:
    """The whole story of a seed."""
    return run_virtually(Scenario(seed).run())
