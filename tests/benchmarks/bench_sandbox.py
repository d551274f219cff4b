"""Functions and cases per second of the sandbox, beside what others do and beside the physical floor.

All run the same corpus (`functions.jsonl`) on the same number of workers, in turn, in rounds A B C … A B C …; a ratio
is the median over the rounds of the ratio within a round. The goals are for CPU time over the whole process tree, which
a busy neighbour changes least; what the clock on the wall says is printed beside it. Only bwrap has to be judged by the
wall: it leaves its pid namespace behind, and the CPU time of what ran in there is counted for nobody.

The peers compute the same thing as one pass of the sandbox does, with text (`repr`) for values and no isolation worth
the name, except bwrap. `floor` is a warm interpreter with the sandbox's modules that forks, does nothing and waits.
"""

import io
import json
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import NamedTuple

from case2code.sandbox import Limits, Program, Sandbox
from case2code.sandbox.lockdown import LAYERS
from tests.benchmarks.report import Figure, write
from tests.contracts.sandbox_attacks import descendants

_ROUNDS = 5
_PEER_SHARE = 4  # the slow ones run every fourth function of the corpus
_CORPUS = Path(__file__).with_name("functions.jsonl")
_WORKERS = len(os.sched_getaffinity(0))
_INCLUDE = Path(__file__).parents[2] / "include"

_SCRIPT = """
import json, sys
{code}
for arguments in {arguments!r}:
    try:
        print(repr({name}(**eval(arguments))))
    except Exception as error:
        print(type(error).__name__)
"""

_FLOOR = f"""
import os, sys, time, types
sys.path.insert(0, {str(_INCLUDE)!r})
package = sys.modules["case2code.sandbox"] = types.ModuleType("case2code.sandbox")
package.__path__ = [{str(_INCLUDE / "case2code/sandbox")!r}]
import ast, ctypes, gc, marshal, mmap, resource, select, signal
from case2code.sandbox import preload
preload.preload(0)
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


def script_cost(programs: list[Program], prefix: tuple[str, ...] = ()) -> Cost:
    """One `python file.py` for each function, as many at once as there are workers."""
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number, program in enumerate(programs):
            path = Path(folder, f"{number}.py")
            path.write_text(_SCRIPT.format(code=program.code, arguments=program.arguments, name=program.function_name))
            paths.append(path)

        def run(path: Path) -> None:
            bound = tuple(part.replace("FILE", str(path)) for part in prefix)
            subprocess.run([*bound, sys.executable, str(path)], capture_output=True, timeout=60, check=False)

        with ThreadPoolExecutor(_WORKERS) as pool:
            return measure(len(paths), lambda: list(pool.map(run, paths)))


def _guarded(program: Program, results: Connection, progress: "Synchronized[int]", stat: "Synchronized[int]") -> None:
    """EvalPlus' `unsafe_execute`: a folder, a guard that patches modules, captured output and a timer for each case."""
    import builtins
    import faulthandler
    import resource
    import signal

    def expire(number: int, frame: object) -> None:
        raise TimeoutError

    with tempfile.TemporaryDirectory() as folder:
        kept = shutil.rmtree, os.rmdir, os.chdir, os.getcwd(), os.unlink
        os.chdir(folder)
        for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA):
            resource.setrlimit(kind, (4 << 30, 4 << 30))
        faulthandler.disable()
        builtins.exit = builtins.quit = None  # type: ignore[assignment]
        os.environ["OMP_NUM_THREADS"] = "1"
        for name in (
            *("kill", "system", "putenv", "remove", "removedirs", "rmdir", "fchdir", "setuid", "fork", "forkpty"),
            *("killpg", "rename", "renames", "truncate", "replace", "unlink", "fchmod", "fchown", "chmod", "chown"),
            *("chroot", "lchown", "getcwd", "chdir"),
        ):
            setattr(os, name, None)
        shutil.rmtree = shutil.move = shutil.chown = None  # type: ignore[assignment]
        subprocess.Popen = None  # type: ignore[assignment,misc]
        for module in ("ipdb", "joblib", "psutil", "tkinter"):
            sys.modules[module] = None  # type: ignore[assignment]
        found = []
        namespace: dict[str, object] = {}
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            exec(program.code, namespace)
            function = namespace[program.function_name]
        for arguments in program.arguments:
            signal.signal(signal.SIGALRM, expire)
            signal.setitimer(signal.ITIMER_REAL, 1.0)
            try:
                with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
                    found.append(repr(function(**eval(arguments))))  # type: ignore[operator]
            except BaseException as error:
                found.append(type(error).__name__)
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
            progress.value += 1
        stat.value = 1
        results.send(found)
        shutil.rmtree, os.rmdir, os.chdir, home, os.unlink = kept
        os.chdir(home)


def guard_cost(programs: list[Program]) -> Cost:
    """One forked `multiprocessing.Process` for each function, from as many processes as there are workers."""
    context = multiprocessing.get_context("fork")

    def work(mine: list[Program]) -> None:
        for program in mine:
            progress, stat = context.Value("i", 0), context.Value("i", 0)
            reading, writing = context.Pipe(False)
            process = context.Process(target=_guarded, args=(program, writing, progress, stat))
            process.start()
            if reading.poll(20):
                reading.recv()
            process.join(timeout=20)
            if process.is_alive():
                process.kill()
            reading.close()
            writing.close()

    workers = [context.Process(target=work, args=(programs[n::_WORKERS],)) for n in range(_WORKERS)]

    def run() -> None:
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    return measure(len(programs), run)


def bwrap_cost(programs: list[Program]) -> Cost:
    """One bwrap for each function: empty root but for the interpreter, no network, no other process in sight."""
    binds = [
        part
        for path in sorted({"/usr", "/lib", "/lib64", "/bin", sys.base_prefix, sys.prefix})
        if Path(path).exists()
        for part in ("--ro-bind", path, path)
    ]
    prefix = ("bwrap", *binds, "--ro-bind", "FILE", "FILE", "--unshare-all", "--die-with-parent", "--new-session")
    return script_cost(programs, prefix)


def floor_cost(count: int) -> Cost:
    """fork, _exit and wait in a warm interpreter, one for each worker."""
    command = [sys.executable, "-S", "-s", "-P", "-B", "-c", _FLOOR, str(count)]
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
            "(d) fork and wait": lambda: floor_cost(len(programs) // _WORKERS),
            "sandbox without lockdown, one pass": lambda: sandbox_cost(bare, programs),
            "sandbox, both passes": lambda: sandbox_cost(twice, programs),
            "(b) process with reliability guard": lambda: guard_cost(few),
            "(a) python file.py": lambda: script_cost(few),
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
    peers = {"(a) python file.py": 12, "(b) process with reliability guard": 3, "(c) bwrap": 7}
    for clock in ("cpu", "wall"):

        def goal(text: str, clock: str = clock, judged_by: str = "cpu") -> str:
            return text if clock == judged_by else ""

        for peer, most in peers.items():
            judged_by = "wall" if peer == "(c) bwrap" else "cpu"
            if peer in costs and clock in (judged_by, "wall"):
                times = ratio(peer, ours, clock)
                figures.append(
                    Figure(f"{clock}: times as fast as {peer}", times, "times", goal(f"≥ {most}", judged_by=judged_by))
                )
        bare = ratio(ours, "sandbox without lockdown, one pass", clock)
        figures += [
            Figure(
                f"{clock}: cost against (d) fork and wait",
                ratio(ours, "(d) fork and wait", clock),
                "times",
                goal("≤ 2.5"),
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
