"""Functions and cases per second of the sandbox, beside what others do and beside the physical floor.

All run the same corpus (`functions.jsonl`) on the same number of workers, in turn, in rounds A B C … A B C …; a ratio
is the median over the rounds of the ratio within a round, so that a busy neighbour falls on both sides of it.

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

from case2code.sandbox import Limits, Program, Sandbox
from case2code.sandbox.lockdown import LAYERS
from tests.benchmarks.report import Figure, write

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
started = time.perf_counter()
for _ in range(count):
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
print(time.perf_counter() - started)
"""


def corpus() -> list[Program]:
    rows = [json.loads(line) for line in _CORPUS.read_text(encoding="utf-8").splitlines()]
    return [
        Program(row["function_id"], row["code"], row["name"], tuple(c["arguments"] for c in row["cases"]))
        for row in rows
    ]


def sandbox_seconds(opened: Sandbox, programs: list[Program]) -> float:
    """Seconds for each function; its interpreters are warm, as they are for all but the first second of a night."""
    started = time.perf_counter()
    done = sum(1 for _ in opened.run(programs))
    return (time.perf_counter() - started) / done


def script_seconds(programs: list[Program], prefix: tuple[str, ...] = ()) -> float:
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
            started = time.perf_counter()
            list(pool.map(run, paths))
            return (time.perf_counter() - started) / len(paths)


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


def guard_seconds(programs: list[Program]) -> float:
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
    started = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return (time.perf_counter() - started) / len(programs)


def bwrap_seconds(programs: list[Program]) -> float:
    """One bwrap for each function: empty root but for the interpreter, no network, no other process in sight."""
    binds = [
        part
        for path in sorted({"/usr", "/lib", "/lib64", "/bin", sys.base_prefix, sys.prefix})
        if Path(path).exists()
        for part in ("--ro-bind", path, path)
    ]
    prefix = ("bwrap", *binds, "--ro-bind", "FILE", "FILE", "--unshare-all", "--die-with-parent", "--new-session")
    return script_seconds(programs, prefix)


def floor_seconds(count: int) -> float:
    """fork, _exit and wait in a warm interpreter, one for each worker."""
    command = [sys.executable, "-S", "-s", "-P", "-B", "-c", _FLOOR, str(count)]
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(_WORKERS)]
    seconds = [float(worker.communicate()[0]) for worker in workers]
    return statistics.mean(seconds) / count / _WORKERS


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
        contestants: dict[str, Callable[[], float]] = {
            "sandbox, one pass": lambda: sandbox_seconds(once, programs),
            "(d) fork and wait": lambda: floor_seconds(len(programs) // _WORKERS),
            "sandbox without lockdown, one pass": lambda: sandbox_seconds(bare, programs),
            "sandbox, both passes": lambda: sandbox_seconds(twice, programs),
            "(b) process with reliability guard": lambda: guard_seconds(few),
            "(a) python file.py": lambda: script_seconds(few),
        }
        if bwrap_works():
            contestants["(c) bwrap"] = lambda: bwrap_seconds(few)
        seconds: dict[str, list[float]] = {name: [] for name in contestants}
        for name in ("sandbox, one pass", "sandbox without lockdown, one pass", "sandbox, both passes"):
            contestants[name]()  # the first run of a process is not like the others
        for _ in range(_ROUNDS):
            for name, contestant in contestants.items():
                seconds[name].append(contestant())
        level = once.isolation.level

    def ratio(above: str, below: str = "sandbox, one pass") -> float:
        return statistics.median(a / b for a, b in zip(seconds[above], seconds[below], strict=True))

    cases = sum(len(program.arguments) for program in programs) / len(programs)
    figures = [
        Figure(f"{name}: functions per second", 1 / statistics.median(found), "functions/s")
        for name, found in seconds.items()
    ]
    figures += [
        Figure(
            "sandbox, one pass: cases per second", cases / statistics.median(seconds["sandbox, one pass"]), "cases/s"
        ),
        Figure("times as fast as (a) python file.py", ratio("(a) python file.py"), "times", "≥ 12"),
        Figure("times as fast as (b) process with guard", ratio("(b) process with reliability guard"), "times", "≥ 3"),
    ]
    if "(c) bwrap" in seconds:
        figures.append(Figure("times as fast as (c) bwrap", ratio("(c) bwrap"), "times", "≥ 7"))
    figures += [
        Figure("times the cost of (d) fork and wait", 1 / ratio("(d) fork and wait"), "times", "≤ 2.5"),
        Figure("cost of the lockdown", 100 * (1 / ratio("sandbox without lockdown, one pass") - 1), "%", "≤ 10"),
        Figure("cost of both passes against one", ratio("sandbox, both passes"), "times", "≤ 2.3"),
    ]
    print(
        f"{len(programs)} functions with {cases:g} cases each, {_WORKERS} workers, "
        f"isolation {level}, medians of {_ROUNDS} rounds"
    )
    if "(c) bwrap" not in seconds:
        print("(c) left out: bwrap is not installed, or may not make namespaces here")
    write("sandbox", figures)


if __name__ == "__main__":
    main()
