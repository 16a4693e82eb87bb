"""Plant faults in the compiled functions, one at a time, and see whether the tests of their module notice.

    python tools/mutate.py                     a seeded sample, the same share of every module
    python tools/mutate.py --all               every mutant: hours
    python tools/mutate.py kalman --all        every mutant of one module

Each job works in a copy of the tree with a cache of kernels of its own, filled once; for a mutant only the kernels of
its module and of those that import it are compiled anew. Array bounds are checked, so that a fault which reads beyond
an array is an error and not luck. The score is the share of mutants killed, without those listed, each with its reason,
as equivalent in `equivalent_mutants.toml`. Below the goal the exit code is 1.
"""

from __future__ import annotations

import argparse
import importlib
import os
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
import tomllib
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from mutants import Mutant, mutants_of

ROOT = Path(__file__).parent.parent
PACKAGE = Path("src") / "pairscope"
EQUIVALENT = Path(__file__).parent / "equivalent_mutants.toml"
SAMPLE, SEED, GOAL = 180, 4, 0.90
FILES = ("analytics/**/*.py", "bars/builder.py")
# Tests that are meant for a module beside its own.
BESIDE = {
    "dickey_fuller": ("analytics/estimators/test_adf.py",),
    "least_squares": ("analytics/kernels/test_dickey_fuller.py", "analytics/estimators/test_johansen.py"),
    "regression": ("analytics/estimators/test_hedge.py",),
    "huber": ("analytics/estimators/test_regression.py", "analytics/estimators/test_terms.py"),
    "mackinnon": ("analytics/estimators/test_adf.py",),
    "moments": ("analytics/metrics/test_price.py",),
    "hayashi_yoshida": ("analytics/estimators/test_lead_lag.py",),
    "adf": ("analytics/estimators/test_half_life.py", "analytics/estimators/test_engle_granger.py"),
    "kalman": ("analytics/estimators/test_hedge.py",),
    "garch_search": ("analytics/estimators/test_garch.py",),
}
# Added to the tests' configuration: one failure is enough, it need not be a small one.
NO_SHRINKING = """
from hypothesis import Phase

settings.register_profile("mutants", settings(), phases=(Phase.explicit, Phase.generate))
settings.load_profile("mutants")
"""
BASELINE_PATIENCE_S = 600.0  # with all kernels to compile
PATIENCE_S = 60.0  # beside five times what the tests take without a fault
MEMORY_BYTES = 12 * 2**30
KILLED, SURVIVED, TIMED_OUT = "killed", "survived", "timed out"


@dataclass(frozen=True, slots=True)
class Task:
    """A mutant, or none: the tests as they are."""

    file: str  # within the package
    mutant: Mutant | None


@dataclass(slots=True)
class Report:
    sources: dict[str, bytes]
    equivalent: dict[str, dict[str, str]]
    outcomes: dict[Task, str] = field(default_factory=dict)

    def note(self, task: Task, outcome: str, took_s: float) -> None:
        self.outcomes[task] = outcome
        print(f"{len(self.outcomes):5}  {outcome:9}  {took_s:5.1f} s  {self.place(task)}", flush=True)

    def place(self, task: Task) -> str:
        assert task.mutant is not None
        source = self.sources[task.file]
        return f"{task.file}:{task.mutant.line(source)}  {task.mutant.kind}  {task.mutant.change(source)}"

    def reason(self, task: Task) -> str | None:
        """Why no test could tell this mutant from the original."""
        assert task.mutant is not None
        return self.equivalent.get(task.file, {}).get(task.mutant.change(self.sources[task.file]))

    def text(self) -> str:
        counted = {task: outcome for task, outcome in self.outcomes.items() if self.reason(task) is None}
        lines = ["# Mutants of the compiled functions", ""]
        lines += ["| module | mutants | killed | timed out | survived |", "|---|---|---|---|---|"]
        for file in dict.fromkeys(task.file for task in counted):
            found = Counter(outcome for task, outcome in counted.items() if task.file == file)
            lines.append(f"| {file} | {found.total()} | {found[KILLED]} | {found[TIMED_OUT]} | {found[SURVIVED]} |")
        alike = len(self.outcomes) - len(counted)
        lines += ["", f"{self.score():.1%} of {len(counted)} killed; {alike} more are known to be equivalent.", ""]
        lines += [f"- survived: {self.place(task)}" for task, outcome in counted.items() if outcome == SURVIVED]
        return "\n".join(lines) + "\n"

    def score(self) -> float:
        counted = [outcome for task, outcome in self.outcomes.items() if self.reason(task) is None]
        return sum(outcome != SURVIVED for outcome in counted) / len(counted) if counted else 1.0


class Job:
    """A copy of the tree with a cache of kernels of its own, and the process that tests in it."""

    def __init__(self, tree: Path) -> None:
        self.tree = tree
        self.task: Task | None = None
        self._process = 0
        self._began_s = 0.0
        self._limit_s = 0.0
        self._stamp_ns = 0

    def start(self, task: Task, limit_s: float) -> None:
        self.task = task
        cache = self.tree / "cache"
        if task.mutant is not None:
            path = self.tree / PACKAGE / task.file
            source = path.read_bytes()
            self._stamp_ns = path.stat().st_mtime_ns
            (self.tree / "source").write_bytes(source)
            path.write_bytes(task.mutant.applied(source))
            cache = _cache_without(self.tree, task.file)
        stem = Path(task.file).stem
        tests = [f"{task.file.rpartition('/')[0]}/test_{stem}.py", *BESIDE.get(stem, ())]
        self._began_s = time.monotonic()
        self._limit_s = limit_s
        sys.stdout.flush()
        self._process = os.fork()
        if self._process == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            code = 2
            try:
                code = _test(self.tree, cache, tests)
            except BaseException:  # noqa: BLE001 - whatever it is, the child must not go on as if it were the parent
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                os._exit(code)

    def outcome(self) -> tuple[str, float] | None:
        """What became of the task and how long it took; None while it runs."""
        took_s = time.monotonic() - self._began_s
        done, status = os.waitpid(self._process, os.WNOHANG)
        if done == 0 and took_s < self._limit_s:
            return None
        if done == 0:
            os.kill(self._process, signal.SIGKILL)
            os.waitpid(self._process, 0)
        if self.task is not None and self.task.mutant is not None:
            path = self.tree / PACKAGE / self.task.file
            path.write_bytes((self.tree / "source").read_bytes())
            os.utime(path, ns=(self._stamp_ns, self._stamp_ns))  # else the cached kernels would seem to be out of date
        self.task = None
        return (SURVIVED if status == 0 else KILLED) if done else TIMED_OUT, took_s

    def stop(self) -> None:
        if self.task is not None:
            os.kill(self._process, signal.SIGKILL)
            os.waitpid(self._process, 0)
            self.task = None

    def said(self) -> str:
        return (self.tree / "said").read_text(encoding="utf-8", errors="replace")[-3000:]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", metavar="module", help="all by default")
    parser.add_argument("--all", action="store_true", help="every mutant, not a sample")
    parser.add_argument("--sample", type=int, default=SAMPLE, help=f"how many mutants; {SAMPLE} by default")
    parser.add_argument("--seed", type=int, default=SEED, help="of the sample")
    parser.add_argument("--goal", type=float, default=GOAL, help=f"share to be killed; {GOAL:g} by default")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at once")
    parser.add_argument("--output", type=Path, help="write the report here, too")
    arguments = parser.parse_args()
    _load_libraries()
    with tempfile.TemporaryDirectory(prefix="mutate-") as name:
        trees = [Path(name) / str(number) for number in range(arguments.jobs)]
        _copy(ROOT, trees[0])  # the others from this one: the project may change meanwhile
        with (trees[0] / "tests" / "conftest.py").open("a", encoding="utf-8") as configuration:
            configuration.write(NO_SHRINKING)
        for tree in trees[1:]:
            _copy(trees[0], tree)
        sources = {
            path.relative_to(trees[0] / PACKAGE).as_posix(): path.read_bytes()
            for pattern in FILES
            for path in sorted((trees[0] / PACKAGE).glob(pattern))
            if not arguments.modules or path.stem in arguments.modules
        }
        found = {file: mutants_of(source) for file, source in sources.items()}
        count = sum(map(len, found.values())) if arguments.all else arguments.sample
        report = Report(sources, tomllib.loads(EQUIVALENT.read_text(encoding="utf-8")))
        jobs = [Job(tree) for tree in trees]
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))  # so that the folder goes away then, too
        try:
            _run(jobs, _sample(found, count, arguments.seed), report)
        finally:
            for job in jobs:
                job.stop()
    text = report.text()
    print(text)
    if arguments.output:
        arguments.output.write_text(text, encoding="utf-8")
    return 0 if report.score() >= arguments.goal else 1


def _copy(source: Path, tree: Path) -> None:
    for name in ("src", "tests"):
        shutil.copytree(source / name, tree / name, ignore=shutil.ignore_patterns("__pycache__", "static"))
    shutil.copy2(source / "pyproject.toml", tree)


def _sample(found: dict[str, list[Mutant]], count: int, seed: int) -> list[Task]:
    """The same share of every module, and at least one."""
    total = sum(map(len, found.values()))
    tasks = []
    for file, mutants in found.items():
        own = min(len(mutants), max(1, round(count * len(mutants) / total)))
        chosen = random.Random(f"{seed} {file}").sample(mutants, own)
        tasks += [Task(file, mutant) for mutant in sorted(chosen, key=mutants.index)]
    return tasks


def _run(jobs: list[Job], tasks: list[Task], report: Report) -> None:
    """First the tests without a fault in every tree, which fills its cache; then the mutants, as jobs become free."""
    files = dict.fromkeys(task.file for task in tasks)
    waiting = {job: [Task(file, None) for file in reversed(files)] for job in jobs}
    mutants = list(reversed(tasks))
    limits: dict[str, float] = {}
    while True:
        for job in jobs:
            own = waiting[job] or mutants
            if job.task is None and own:
                task = own.pop()
                job.start(task, limits[task.file] if task.mutant else BASELINE_PATIENCE_S)
        busy = [job for job in jobs if job.task is not None]
        if not busy:
            return
        time.sleep(0.05)
        for job in busy:
            tested = job.task
            ended = job.outcome()
            if tested is None or ended is None:
                continue
            outcome, took_s = ended
            if tested.mutant is not None:
                report.note(tested, outcome, took_s)
                continue
            if outcome != SURVIVED:
                raise SystemExit(f"the tests of {tested.file} fail without a fault\n{job.said()}")
            limits[tested.file] = max(limits.get(tested.file, 0.0), PATIENCE_S + 5.0 * took_s)
            print(f"       no fault   {took_s:5.1f} s  {tested.file}", flush=True)


def _load_libraries() -> None:
    """What the tests import, once for all the processes that are forked; one thread each."""
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ[name] = "1"
    os.environ["NUMBA_BOUNDSCHECK"] = "1"
    for module in ("mpmath", "numba", "pytest", "statsmodels.api", "statsmodels.tsa.vector_ar.vecm"):
        importlib.import_module(module)


def _cache_without(tree: Path, file: str) -> Path:
    """A copy of the tree's cache without the kernels of a file and of all that import it, directly or not."""
    stale = {Path(file).stem}
    imports = {
        path.stem: set(
            re.findall(r"^from pairscope\.[\w.]+\.(\w+) import|^from pairscope\.[\w.]+ import (\w+)", text, re.M)
        )
        for path in (tree / PACKAGE).glob("*/**/*.py")
        if "base.jit import" in (text := path.read_text(encoding="utf-8"))
    }
    names = {stem: {name for pair in pairs for name in pair if name} for stem, pairs in imports.items()}
    while more := {stem for stem, used in names.items() if used & stale} - stale:
        stale |= more
    cache = tree / "cache-of-mutant"
    shutil.rmtree(cache, ignore_errors=True)
    shutil.copytree(
        tree / "cache",
        cache,
        copy_function=os.link,  # numba replaces files, it does not write into them
        ignore=lambda _, names: [name for name in names if name.partition(".")[0] in stale],
    )
    return cache


def _test(tree: Path, cache: Path, tests: list[str]) -> int:
    """In a child process: pytest's exit code, 0 when all passed."""
    said = os.open(tree / "said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(said, 1)
    os.dup2(said, 2)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    os.chdir(tree)
    sys.path.insert(0, str(tree / "src"))
    kernel = importlib.import_module("pairscope.base.jit")
    if not Path(kernel.__file__ or "").is_relative_to(tree):
        raise RuntimeError(f"expected the copy's package, was {kernel.__file__}")
    vars(importlib.import_module("numba.core.config"))["CACHE_DIR"] = str(cache)
    options = ["-x", "-q", "-p", "no:cacheprovider", "-m", "not slow and not data", f"--basetemp={tree / 'pytest'}"]
    return int(importlib.import_module("pytest").main([*options, *(f"tests/{name}" for name in tests)]))


if __name__ == "__main__":
    sys.exit(main())
