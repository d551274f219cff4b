"""Functions and cases per second of the sandbox, beside what others do and beside the physical floor.

All run the same corpus (`functions.jsonl`) on the same number of workers, in turn, in rounds A B C … A B C …; a ratio
is the median over the rounds of the ratio within a round. The goals are for CPU time over the whole process tree, which
a busy neighbour changes least; what the clock on the wall says is printed beside it. Only bwrap has to be judged by the
wall: it leaves its pid namespace behind, and the CPU time of what ran in there is counted for nobody.

The peers compute the same thing as one pass of the sandbox does, with text (`repr`) for values and no isolation worth
the name, except bwrap:

- (a) is what Case2Code's released executor does: one file for each function, which begins with a guard that imports
  subprocess, shutil and sqlite3 in order to patch them; `(a) bare` is the same file without the guard.
- (b) is EvalPlus' `untrusted_check`, which hands the results over instead of comparing them. The process that forks has
  loaded numpy, as EvalPlus' has; `(b) bare` forks from one that has not.
- (c) is the bare file of (a) inside bwrap.
- (d) is an ordinary warm interpreter, with the modules loaded that mined code may import, which forks a child that does
  nothing and waits for it; `(d) bare` has no modules loaded at all.
"""

import importlib
import io
import json
import multiprocessing
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import Synchronized, SynchronizedArray
from pathlib import Path
from typing import NamedTuple

from case2code.sandbox import Limits, Program, Sandbox
from case2code.sandbox.lockdown import LAYERS
from case2code.sandbox.preload import IMPORTABLE
from tests.benchmarks.report import Figure, write
from tests.contracts.sandbox_attacks import descendants

_ROUNDS = 5
_PEER_SHARE = 4  # the slow ones run every fourth function of the corpus
_CORPUS = Path(__file__).with_name("functions.jsonl")
_WORKERS = len(os.sched_getaffinity(0))

_SCRIPT = """
import copy, json, sys
{guard}
{code}
examples = [{arguments}]
for example in examples:
    print("<|EX|>", json.dumps(repr(example)))
for example in examples:
    print("<|OUT|>")
    try:
        print("<|RETURN|>", json.dumps(repr({name}(**example))))
    except Exception as error:
        print("<|EXCEPTION|>", json.dumps(f"{{type(error)}}: {{error}}"))
"""

_PATCHED = (
    *("kill", "system", "putenv", "remove", "removedirs", "rmdir", "fchdir", "setuid", "fork", "forkpty", "killpg"),
    *("rename", "renames", "truncate", "replace", "unlink", "fchmod", "fchown", "chmod", "chown", "chroot", "lchflags"),
    *("lchmod", "lchown", "getcwd", "chdir"),
)
_HIDDEN = ("ipdb", "joblib", "resource", "psutil", "tkinter")

_GUARD = f"""
def guard():
    import builtins, faulthandler, os, shutil, sqlite3, subprocess
    faulthandler.disable()
    builtins.exit = builtins.quit = builtins.open = builtins.help = None
    os.environ["OMP_NUM_THREADS"] = "1"
    for name in {(*_PATCHED, "makedirs", "link")!r}:
        setattr(os, name, None)
    shutil.rmtree = shutil.move = shutil.chown = subprocess.Popen = sqlite3.connect = None
    for name in {_HIDDEN!r}:
        sys.modules[name] = None
guard()
"""

_FLOOR = """
import gc, os, sys, time
for name in sys.argv[2:]:
    __import__(name)
gc.collect()
gc.freeze()
count = int(sys.argv[1])
started, before = time.perf_counter(), sum(os.times()[:4])
for _ in range(count):
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
print(time.perf_counter() - started, sum(os.times()[:4]) - before)
"""


class Cost(NamedTuple):
    """Seconds for each function: on the wall with all workers busy, and of CPU time over the whole process tree."""

    wall: float
    cpu: float


def measure(count: int, action: Callable[[], object]) -> Cost:
    started, before = time.perf_counter(), tree_cpu_seconds()
    action()
    return Cost((time.perf_counter() - started) / count, (tree_cpu_seconds() - before) / count)


def tree_cpu_seconds() -> float:
    """CPU time of this process, of all that it has waited for, and of those that stem from it and live."""
    total = sum(os.times()[:4])
    for pid in descendants(os.getpid()):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    return total


def corpus() -> list[Program]:
    rows = [json.loads(line) for line in _CORPUS.read_text(encoding="utf-8").splitlines()]
    return [
        Program(row["function_id"], row["code"], row["name"], tuple(c["arguments"] for c in row["cases"]))
        for row in rows
    ]


def sandbox_cost(opened: Sandbox, programs: list[Program]) -> Cost:
    """Its interpreters are warm, as they are for all but the first second of a night."""
    return measure(len(programs), lambda: sum(1 for _ in opened.run(programs)))


def script_cost(programs: list[Program], guard: str = "", prefix: tuple[str, ...] = ()) -> Cost:
    """One `python file.py` for each function, as many at once as there are workers."""
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number, program in enumerate(programs):
            path = Path(folder, f"{number}.py")
            arguments = ",".join(program.arguments)
            path.write_text(
                _SCRIPT.format(guard=guard, code=program.code, arguments=arguments, name=program.function_name)
            )
            paths.append(path)

        def run(path: Path) -> None:
            bound = tuple(part.replace("FILE", str(path)) for part in prefix)
            subprocess.run([*bound, sys.executable, str(path)], capture_output=True, timeout=60, check=False)

        with ThreadPoolExecutor(_WORKERS) as pool:
            return measure(len(paths), lambda: list(pool.map(run, paths)))


class _WriteOnly(io.StringIO):
    """Standard input, output and error of a checked function: what is read from it, fails."""

    def read(self, *arguments: object) -> str:
        raise OSError

    readline = readlines = read  # type: ignore[assignment]

    def readable(self) -> bool:
        return False


class _RedirectStdin(redirect_stdout):  # type: ignore[type-arg]
    _stream = "stdin"


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    def expire(number: int, frame: object) -> None:
        raise TimeoutError

    signal.setitimer(signal.ITIMER_REAL, seconds)
    signal.signal(signal.SIGALRM, expire)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _reliability_guard() -> None:
    """EvalPlus' `reliability_guard`, with its limit on the stack alone."""
    import builtins
    import faulthandler
    import resource

    if platform.uname().system != "Darwin":
        resource.setrlimit(resource.RLIMIT_STACK, (4 << 30, 4 << 30))
    faulthandler.disable()
    vars(builtins).update(exit=None, quit=None, open=None, help=None)
    os.environ["OMP_NUM_THREADS"] = "1"
    vars(os).update(dict.fromkeys(_PATCHED))
    vars(shutil).update(rmtree=None, move=None, chown=None)
    vars(subprocess).update(Popen=None)
    sys.modules.update(dict.fromkeys(_HIDDEN))  # type: ignore[arg-type]


def _guarded(
    program: Program,
    results: Connection,
    progress: "Synchronized[int]",
    stat: "Synchronized[int]",
    details: "SynchronizedArray[int]",
) -> None:
    """EvalPlus' `unsafe_execute`: a folder, a guard that patches modules, captured output and a timer for each case."""
    with tempfile.TemporaryDirectory() as folder:
        home = os.getcwd()
        os.chdir(folder)
        kept = shutil.rmtree, os.rmdir, os.chdir, os.unlink
        _reliability_guard()
        found = []
        namespace: dict[str, object] = {}
        stream = _WriteOnly()
        with redirect_stdout(stream), redirect_stderr(stream), _RedirectStdin(stream):
            exec(program.code, namespace)
            function = namespace[program.function_name]
            for position, arguments in enumerate(program.arguments):
                try:
                    with _time_limit(1.0):
                        found.append(repr(function(**eval(arguments))))  # type: ignore[operator]
                    details[position] = True
                except BaseException as error:
                    found.append(type(error).__name__)
                progress.value += 1
        stat.value = 1
        results.send(found)
        shutil.rmtree, os.rmdir, os.chdir, os.unlink = kept
        os.chdir(home)


def guard_cost(programs: list[Program], modules: tuple[str, ...]) -> Cost:
    """One forked `multiprocessing.Process` for each function, from as many processes as there are workers.

    These have the modules loaded before the clock starts.
    """
    context = multiprocessing.get_context("fork")
    ready = context.Barrier(_WORKERS + 1)

    def work(mine: list[Program]) -> None:
        for module in modules:
            importlib.import_module(module)
        ready.wait()
        for program in mine:
            progress, stat = context.Value("i", 0), context.Value("i", 3)
            details = context.Array("b", [False for _ in program.arguments])
            reading, writing = context.Pipe(False)
            process = context.Process(target=_guarded, args=(program, writing, progress, stat, details))
            process.start()
            if reading.poll(20):
                reading.recv()
            process.join(timeout=20)
            if process.is_alive():
                process.kill()
            reading.close()
            writing.close()

    workers = [context.Process(target=work, args=(programs[n::_WORKERS],)) for n in range(_WORKERS)]
    for worker in workers:
        worker.start()
    ready.wait()
    return measure(len(programs), lambda: [worker.join() for worker in workers])


def bwrap_cost(programs: list[Program]) -> Cost:
    """One bwrap for each function: empty root but for the interpreter, no network, no other process in sight."""
    binds = [
        part
        for path in sorted({"/usr", "/lib", "/lib64", "/bin", sys.base_prefix, sys.prefix})
        if Path(path).exists()
        for part in ("--ro-bind", path, path)
    ]
    prefix = ("bwrap", *binds, "--ro-bind", "FILE", "FILE", "--unshare-all", "--die-with-parent", "--new-session")
    return script_cost(programs, prefix=prefix)


def floor_cost(count: int, modules: tuple[str, ...]) -> Cost:
    """fork, _exit and wait in a warm interpreter with these modules, one for each worker."""
    command = [sys.executable, "-S", "-s", "-P", "-B", "-c", _FLOOR, str(count), *modules]
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(_WORKERS)]
    walls, cpus = zip(*(map(float, worker.communicate()[0].split()) for worker in workers), strict=True)
    return Cost(statistics.mean(walls) / count / _WORKERS, statistics.mean(cpus) / count)


def bwrap_works() -> bool:
    try:
        done = subprocess.run(
            ["bwrap", "--ro-bind", "/", "/", "--unshare-all", "true"], capture_output=True, check=False
        )
    except OSError:
        return False
    return done.returncode == 0


def main() -> None:
    programs = corpus()
    few = programs[::_PEER_SHARE]
    limits = Limits()
    with (
        Sandbox(limits, min_isolation="L2", passes=1) as once,
        Sandbox(limits, min_isolation="L2") as twice,
        Sandbox(limits, min_isolation="L0", passes=1, without=LAYERS) as bare,
    ):
        contestants: dict[str, Callable[[], Cost]] = {
            "sandbox, one pass": lambda: sandbox_cost(once, programs),
            "(d) fork and wait": lambda: floor_cost(len(programs) // _WORKERS, IMPORTABLE),
            "(d) bare fork and wait": lambda: floor_cost(len(programs) // _WORKERS, ()),
            "sandbox without lockdown, one pass": lambda: sandbox_cost(bare, programs),
            "sandbox, both passes": lambda: sandbox_cost(twice, programs),
            "(b) process with reliability guard": lambda: guard_cost(few, ("numpy",)),
            "(b) bare process with reliability guard": lambda: guard_cost(few, ()),
            "(a) python file.py": lambda: script_cost(few, _GUARD),
            "(a) bare python file.py": lambda: script_cost(few),
        }
        if bwrap_works():
            contestants["(c) bwrap"] = lambda: bwrap_cost(few)
        costs: dict[str, list[Cost]] = {name: [] for name in contestants}
        for name in ("sandbox, one pass", "sandbox without lockdown, one pass", "sandbox, both passes"):
            contestants[name]()  # the first run of a process is not like the others
        for _ in range(_ROUNDS):
            for name, contestant in contestants.items():
                costs[name].append(contestant())
        level = once.isolation.level

    ours = "sandbox, one pass"

    def ratio(above: str, below: str, clock: str) -> float:
        return statistics.median(
            getattr(a, clock) / getattr(b, clock) for a, b in zip(costs[above], costs[below], strict=True)
        )

    cases = sum(len(program.arguments) for program in programs) / len(programs)
    figures = []
    for name, found in costs.items():
        wall = statistics.median(cost.wall for cost in found)
        cpu = statistics.median(cost.cpu for cost in found)
        figures.append(Figure(f"{name}: functions per second", 1 / wall, "functions/s"))
        if name != "(c) bwrap":
            figures.append(Figure(f"{name}: CPU time per function", cpu * 1000, "ms"))
        if name.startswith("sandbox"):
            figures.append(Figure(f"{name}: cases per second", cases / wall, "cases/s"))
    peers = {
        "(a) python file.py": "≥ 12",
        "(a) bare python file.py": "",
        "(b) process with reliability guard": "≥ 3",
        "(b) bare process with reliability guard": "",
        "(c) bwrap": "≥ 7",
    }
    for clock in ("cpu", "wall"):

        def goal(text: str, clock: str = clock, judged_by: str = "cpu") -> str:
            return text if clock == judged_by else ""

        for peer, least in peers.items():
            judged_by = "wall" if peer == "(c) bwrap" else "cpu"
            if peer in costs and clock in (judged_by, "wall"):
                times = ratio(peer, ours, clock)
                figures.append(
                    Figure(f"{clock}: times as fast as {peer}", times, "times", goal(least, judged_by=judged_by))
                )
        bare = ratio(ours, "sandbox without lockdown, one pass", clock)
        figures += [
            Figure(
                f"{clock}: cost against (d) fork and wait",
                ratio(ours, "(d) fork and wait", clock),
                "times",
                goal("≤ 2.5"),
            ),
            Figure(
                f"{clock}: cost against (d) bare fork and wait", ratio(ours, "(d) bare fork and wait", clock), "times"
            ),
            Figure(f"{clock}: cost of the lockdown", 100 * (bare - 1), "%", goal("≤ 10")),
            Figure(
                f"{clock}: both passes against one", ratio("sandbox, both passes", ours, clock), "times", goal("≤ 2.3")
            ),
        ]
    print(
        f"{len(programs)} functions with {cases:g} cases each, {_WORKERS} workers, "
        f"isolation {level}, medians of {_ROUNDS} rounds"
    )
    if "(c) bwrap" not in costs:
        print("(c) left out: bwrap is not installed, or may not make namespaces here")
    write("sandbox", figures)


if __name__ == "__main__":
    main()
