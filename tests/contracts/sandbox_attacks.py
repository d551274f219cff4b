"""Attacks on the sandbox, and the runner that makes them: each one between two good jobs, watched from outside.

    python sandbox_attacks.py L3

prints one JSON line for each attack. It imports nothing but the standard library and `case2code.sandbox`, so that it can
run as another user, from a copy. An attack is a function `f(x)` that returns 'escaped' where it got what it wanted.
"""

import ctypes
import json
import os
import resource
import socket
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

#: What every attack starts with: white-box knowledge of the sandbox, and no trace of it left in the record.
PRELUDE = """
_inside = __builtins__["__import__"].__globals__
sys, noticed = _inside["sys"], _inside["noticed"]
ctypes, os, time = sys.modules["ctypes"], sys.modules["os"], sys.modules["time"]
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p

def verdict(escaped):
    noticed.clear()
    return "escaped" if escaped else "contained"

def attempt(call):
    try:
        result = call()
    except BaseException as error:
        return verdict(False)
    return verdict(result if isinstance(result, bool) else True)

def frames():
    frame = sys._getframe()
    while frame is not None:
        yield frame
        frame = frame.f_back

noticed.clear()
"""


@dataclass(frozen=True)
class Attack:
    """`body` follows the prelude. `expected` are outcomes that the attacked case may have, all where it is empty."""

    name: str
    body: str
    expected: frozenset[str] = field(default_factory=frozenset)
    proven: bool = False  # it escapes where no layer holds, so that its failure elsewhere means something


def _attack(name: str, body: str, *expected: str, proven: bool = False) -> Attack:
    lines = body if body.lstrip().startswith(("def ", "class ", "import ", "@")) else f"def f(x):\n    {body}"
    return Attack(name, lines, frozenset(expected), proven)


def _socket(name: str, family: int, kind: int, proven: bool = False) -> Attack:
    return _attack(
        f"{name} socket", f"return verdict(libc.socket({family}, {kind}, 0) >= 0)", "returned", proven=proven
    )


ATTACKS = (
    # Files.
    _attack("read /etc/passwd", "return attempt(lambda: bool(open('/etc/passwd').read()))", proven=True),
    _attack("read a file by system call", "return verdict(libc.open(b'/etc/passwd', 0) >= 0)", proven=True),
    _attack("read a private file", "return attempt(lambda: bool(open(x['secret_file']).read()))", proven=True),
    _attack("read the parent's environment", "return attempt(lambda: bool(open(f\"/proc/{x['pid']}/environ\").read()))"),
    _attack("read the parent's memory", "return attempt(lambda: bool(open(f\"/proc/{x['pid']}/mem\", 'rb')))"),
    _attack("read own environment", "return verdict(b'CASE2CODE_SECRET' in b''.join(os.environb.values()) "
            "or bool(libc.getenv(b'CASE2CODE_SECRET')))"),
    _attack("list the root", "return attempt(lambda: os.listdir('/') is not None)", proven=True),
    _attack("list processes", "return attempt(lambda: os.listdir('/proc') is not None)", proven=True),
    _attack("write a file", "return attempt(lambda: bool(open(x['marker'], 'w').write('here')))", proven=True),
    _attack("make a folder", "return attempt(lambda: os.mkdir(x['marker']))", proven=True),
    _attack("make a symbolic link", "return attempt(lambda: os.symlink('/etc/passwd', x['marker']))", proven=True),
    _attack("stat a file", "return attempt(lambda: os.stat('/etc/passwd') is not None)", proven=True),
    _attack("delete a file", "return attempt(lambda: os.unlink(x['secret_file']))"),
    _attack("change the working folder", "return attempt(lambda: os.chdir('/etc'))", proven=True),
    _attack("change the root", "return attempt(lambda: os.chroot('/'))"),
    _attack("anonymous file", "return attempt(lambda: os.memfd_create('x') >= 0)", proven=True),
    _attack("fill the disk", "return attempt(lambda: [open(x['marker'], 'ab').write(b'x' * 1000000) for _ in range(50)])"),
    _attack("use inherited descriptors", """
def f(x):
    found = []
    for descriptor in range(64):
        buffer = ctypes.create_string_buffer(16)
        if libc.read(descriptor, buffer, 0) >= 0 or libc.write(descriptor, b"", 0) >= 0 or libc.dup(descriptor) >= 0:
            found.append(descriptor)
    return verdict(found)
""", "returned"),
    # Network.
    _attack("connect to loopback", """
def f(x):
    class Address(ctypes.Structure):
        _fields_ = [("family", ctypes.c_ushort), ("port", ctypes.c_ushort), ("host", ctypes.c_uint32), ("rest", ctypes.c_uint64)]
    handle = libc.socket(2, 1, 0)
    port = x["tcp_port"]
    address = Address(2, (port >> 8) | ((port & 255) << 8), 0x0100007F, 0)
    return verdict(handle >= 0 and libc.connect(handle, ctypes.byref(address), 16) == 0)
""", proven=True),
    _attack("send a datagram", """
def f(x):
    class Address(ctypes.Structure):
        _fields_ = [("family", ctypes.c_ushort), ("port", ctypes.c_ushort), ("host", ctypes.c_uint32), ("rest", ctypes.c_uint64)]
    handle = libc.socket(2, 2, 0)
    port = x["udp_port"]
    address = Address(2, (port >> 8) | ((port & 255) << 8), 0x0100007F, 0)
    return verdict(handle >= 0 and libc.sendto(handle, b"stolen", 6, 0, ctypes.byref(address), 16) == 6)
""", proven=True),
    _socket("IPv4 stream", 2, 1, proven=True),
    _socket("IPv6 stream", 10, 1),
    _socket("unix stream", 1, 1, proven=True),
    _socket("netlink", 16, 3, proven=True),
    _socket("raw packet", 17, 3),
    _socket("vsock", 40, 1),
    _socket("kernel crypto", 38, 5),
    _attack("socket pair", "return verdict(libc.socketpair(1, 1, 0, (ctypes.c_int * 2)()) == 0)", "returned", proven=True),
    # Programs and processes.
    _attack("run a shell", "return attempt(lambda: os.system('echo escaped > ' + x['marker']) == 0)"),
    _attack("execute a program", "return verdict(libc.execv(b'/bin/true', None) == 0)", "impure"),
    _attack("spawn a program", "return attempt(lambda: os.posix_spawn('/bin/sh', ['sh', '-c', 'true'], {}) > 0)"),
    _attack("fork", """
def f(x):
    child = libc.fork()
    if child == 0:
        os._exit(0)
    return verdict(child > 0)
""", proven=True),
    _attack("vfork by system call", """
def f(x):
    child = libc.syscall(56 if x['machine'] == "x86_64" else 220, 17, 0, 0, 0, 0)
    if child == 0:
        os._exit(0)
    return verdict(child > 0)
""", proven=True),
    _attack("fork bomb", """
def f(x):
    made = 0
    for _ in range(150):
        child = libc.fork()
        if child == 0:
            while True:
                libc.pause()
        made += child > 0
    return verdict(made)
"""),
    _attack("thread bomb", """
def f(x):
    thread, made = sys.modules["_thread"], 0
    for _ in range(300):
        try:
            thread.start_new_thread(lambda: time.sleep(60), ())
            made += 1
        except BaseException:
            pass
    return verdict(made)
"""),
    _attack("daemon", """
def f(x):
    child = libc.fork()
    if child == 0:
        libc.setsid()
        if libc.fork() == 0:
            while True:
                libc.pause()
        os._exit(0)
    return verdict(child > 0)
"""),
    _attack("kill the parent", "return verdict(libc.kill(os.getppid(), 9) == 0)"),
    _attack("kill everything", "return verdict(libc.kill(-1, 9) == 0)"),
    _attack("kill the caller of the sandbox", "return verdict(libc.kill(x['pid'], 9) == 0)"),
    _attack("stop the parent", "return verdict(libc.kill(os.getppid(), 19) == 0)"),
    _attack("queue a signal", "return verdict(libc.syscall(129 if x['machine'] == 'x86_64' else 138, x['pid'], 9, 0) == 0)"),
    _attack("trace the parent", "return verdict(libc.ptrace(16, x['pid'], 0, 0) == 0)", "impure"),
    _attack("let the parent trace", "return verdict(libc.ptrace(0, 0, 0, 0) == 0)", "impure", proven=True),
    _attack("write the caller's memory", "return verdict(libc.process_vm_writev(x['pid'], None, 0, None, 0, 0) >= 0)", "impure"),
    _attack("open a handle of a process", "return verdict(libc.syscall(434, x['pid'], 0) >= 0)", proven=True),
    _attack("change priority", "return verdict(libc.setpriority(0, 0, 10) == 0)", "returned", proven=True),
    _attack("learn the parent", "return verdict(libc.getppid() > 0)", "returned"),
    # The kernel's corners.
    _attack("io_uring", "return verdict(libc.syscall(425, 8, ctypes.create_string_buffer(256)) >= 0)", "impure"),
    _attack("user namespace", "return verdict(libc.unshare(0x10000000) == 0)", "impure"),
    _attack("mount", "return verdict(libc.mount(b'none', b'/', b'tmpfs', 0, None) == 0)", "impure"),
    _attack("bpf", "return verdict(libc.syscall(321 if x['machine'] == 'x86_64' else 280, 0, 0, 0) >= 0)", "impure"),
    _attack("userfaultfd", "return verdict(libc.syscall(323 if x['machine'] == 'x86_64' else 282, 0) >= 0)", "impure"),
    _attack("kernel keyring", "return verdict(libc.syscall(248 if x['machine'] == 'x86_64' else 217, b'user', b'a', b'b', 1, -3) > 0)", "impure"),
    _attack("perf events", "return verdict(libc.syscall(298 if x['machine'] == 'x86_64' else 241, 0, 0, -1, -1, 0) >= 0)", "impure"),
    _attack("shared memory by key", "return verdict(libc.shmget(0x7733, 4096, 0o1666) >= 0)", "returned"),
    _attack("message queue", "return verdict(libc.msgget(0x7733, 0o1666) >= 0)", "returned"),
    _attack("semaphores", "return verdict(libc.semget(0x7733, 1, 0o1666) >= 0)", "returned"),
    _attack("executable memory", "return verdict(ctypes.c_ssize_t(libc.mmap(None, 4096, 7, 0x22, -1, 0) or 0).value > 0)", "returned", proven=True),
    _attack("make memory executable", "return verdict(libc.mprotect(libc.mmap(None, 4096, 3, 0x22, -1, 0), 4096, 7) == 0)"),
    _attack("32-bit system call numbers", "return verdict(libc.syscall(0x40000000 + 39) > 0)", "impure", "returned"),
    _attack("load another filter", "return verdict(libc.prctl(22, 2, None) == 0)", "returned"),
    _attack("new capabilities", "return verdict(libc.setuid(0) == 0 or libc.setgid(0) == 0)", "returned"),
    _attack("set the host's name", "return verdict(libc.sethostname(b'x', 1) == 0)", "returned"),
    _attack("set the clock", "return verdict(libc.clock_settime(0, ctypes.create_string_buffer(16)) == 0)", "returned"),
    _attack("raise own limits", "return attempt(lambda: sys.modules['resource'].setrlimit(9, (1 << 40, 1 << 40)))"),
    # Resources.
    _attack("memory flood", "return len([bytearray(1 << 20) for _ in range(100000)])", "out_of_memory", "timed_out"),
    _attack("one huge string", "return len('a' * 10**12)", "out_of_memory"),
    _attack("huge number", "return 10 ** 10 ** 8 > 0", "timed_out", "out_of_memory"),
    _attack("endless loop", "while True: pass", "timed_out"),
    _attack("endless loop in C", "return sum(iter(int, 1))", "timed_out"),
    _attack("catastrophic regular expression", "return bool(sys.modules['re'].match('(a+)+$', 'a' * 40 + 'b'))", "timed_out"),
    _attack("swallow every exception", """
def f(x):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass
""", "timed_out"),
    _attack("cancel timers", "libc.setitimer(2, ctypes.create_string_buffer(32), None); libc.alarm(0)\n    while True: pass", "timed_out"),
    _attack("ignore signals", "libc.signal(24, 1); libc.signal(14, 1)\n    while True: pass", "timed_out"),
    _attack("sleep for good", "lock = sys.modules['_thread'].allocate_lock(); lock.acquire(); lock.acquire()", "timed_out"),
    _attack("deep recursion", "return f(x)", "raised"),
    _attack("deep recursion in C", """
def f(x):
    sys.setrecursionlimit(10**9)
    value = []
    for _ in range(10**6):
        value = [value]
    return repr(value)
""", "crashed", "out_of_memory", "timed_out"),
    _attack("segmentation fault", "ctypes.string_at(8)", "crashed"),
    _attack("abort", "libc.abort()", "crashed", "impure", "exited"),
    _attack("leave by sys.exit", "sys.exit(0)", "exited"),
    _attack("leave by the system call", "os._exit(0)", "exited"),
    _attack("print a flood", "chunk = 'x' * 1000000\n    while True: print(chunk)", "timed_out", "too_large"),
    _attack("write a flood to descriptor 1", "return attempt(lambda: os.write(1, b'x' * 1000000))"),
    _attack("huge result", "return 'a' * 100000000", "too_large"),
    _attack("deeply nested result", """
def f(x):
    value = []
    for _ in range(100000):
        value = [value]
    return value
""", "too_large"),
    _attack("result that contains itself", "value = []; value.append(value); return value", "too_large"),
    # The harness.
    _attack("evil representation", """
class Evil(list):
    def __repr__(self): raise SystemExit
    __str__ = __hash__ = __eq__ = __len__ = __iter__ = __repr__
def f(x): return Evil()
""", "opaque"),
    _attack("evil metaclass", """
class Meta(type):
    @property
    def __name__(self): raise SystemExit
    def __hash__(self): raise KeyboardInterrupt
    def __eq__(self, other): raise SystemExit
    def __str__(self): raise SystemExit
class Evil(metaclass=Meta): pass
def f(x): return Evil()
""", "opaque"),
    _attack("evil exception", """
class Evil(BaseException):
    def __str__(self):
        while True: pass
def f(x): raise Evil()
""", "timed_out"),
    _attack("evil string", """
class Evil(str):
    def __getitem__(self, key): raise SystemExit
    def encode(self, *a): raise SystemExit
class Error(Exception):
    def __str__(self): return Evil("text")
def f(x): raise Error()
""", "raised"),
    _attack("pickle a surprise", """
class Evil:
    def __reduce__(self): return (eval, ("open('/tmp/case2code-escaped', 'w')",))
def f(x): return Evil()
""", "opaque"),
    _attack("patch the builtins", """
def f(x):
    builtins = sys.modules["builtins"]
    for name in ("len", "repr", "type", "print", "str", "sorted", "isinstance", "min", "sum", "int", "bool"):
        setattr(builtins, name, lambda *a, **k: 666)
    verdict(False)
    return [1, 2]
""", "returned"),
    _attack("patch the standard library", """
def f(x):
    for name in ("marshal", "struct", "time"):
        module = sys.modules.get(name)
        for attribute in list(vars(module) if module else ()):
            try: setattr(module, attribute, None)
            except BaseException: pass
    verdict(False)
    return [1, 2]
"""),
    _attack("forge frames of other cases", """
def f(x):
    for frame in frames():
        memory = frame.f_locals.get("memory")
        if memory is not None:
            memory[:4096] = b"\\xff" * 4096
    os._exit(0)
"""),
    _attack("forge a giant progress", """
def f(x):
    for frame in frames():
        memory = frame.f_locals.get("memory")
        if memory is not None:
            memory[:12] = (1).to_bytes(4, "little") + b"\\xff" * 8
    while True: pass
"""),
    _attack("speak to the broker", "return verdict(libc.send(0, b'forged', 6, 0) >= 0 or libc.recv(0, ctypes.create_string_buffer(9), 9, 0x42) > 0)", "returned"),
    _attack("serve as the zygote", """
def f(x):
    for frame in frames():
        zygote = frame.f_locals.get("self")
        if hasattr(zygote, "serve"):
            try: zygote.serve()
            except BaseException: pass
    os._exit(0)
"""),
    _attack("unwind into the zygote", """
def f(x):
    for frame in frames():
        frame.f_globals.clear()
    raise SystemExit
"""),
    _attack("read the previous job's results", """
def f(x):
    wanted = bytes(x["wanted"])
    for frame in frames():
        for value in frame.f_locals.values():
            if type(value).__name__ == "mmap" and value.find(wanted, 0) >= 0:
                return verdict(True)
            for inner in vars(value).values() if hasattr(value, "__dict__") else ():
                if type(inner).__name__ == "mmap" and inner.find(wanted, 0) >= 0:
                    return verdict(True)
    return verdict(False)
""", "returned"),
    _attack("read the previous job in the heap", """
def f(x):
    backwards = bytes(x["wanted"][::-1])  # so that it does not find itself
    arenas = {id(value) >> 20 for value in [object() for _ in range(20000)]}
    return verdict(any(backwards in ctypes.string_at(arena << 20, 1 << 20)[::-1] for arena in arenas))
"""),
    _attack("leave something for the next job", """
def f(x):
    sys.modules["math"].floor = lambda value: 666
    for frame in frames():
        frame.f_globals["poisoned"] = True
    sys.modules["__main__"].poisoned = True
    return verdict(False)
""", "returned"),
)  # fmt: skip

#: A result that appears nowhere in the code, and uses what attacks try to poison.
GOOD_CODE = """
import math
def f(x):
    if "poisoned" in globals():
        return "poisoned"
    return ["".join(chr(c) for c in x["codes"]), math.floor(7.5), len(x), sorted({3, 1, 2}), type(x).__name__]
"""
GOOD_TEXT = "good result 4711"
GOOD_CODES = [ord(c) for c in GOOD_TEXT]
GOOD_VALUE = f"['{GOOD_TEXT}', 7, 1, [1, 2, 3], 'dict']"


def main(level: str) -> None:
    """Make every attack at `level`; 'L0' makes only those that are proven, with no layer at all."""
    from case2code import values
    from case2code.sandbox import Limits, Program, Sandbox
    from case2code.sandbox.lockdown import LAYERS

    without = {"L3": (), "L2": ("namespaces",), "L0": LAYERS}[level]
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: whoever is left behind becomes our child
    os.environ["CASE2CODE_SECRET"] = "secret"
    folder = Path(tempfile.mkdtemp())
    secret_file, marker = folder / "secret", folder / "marker"
    tcp, udp = socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    for listener in (tcp, udp):
        listener.setblocking(False)
    target = {
        "pid": os.getpid(),
        "secret_file": str(secret_file),
        "marker": str(marker),
        "tcp_port": tcp.getsockname()[1],
        "udp_port": udp.getsockname()[1],
        "wanted": [*GOOD_CODES],
        "machine": os.uname().machine,
    }
    good = Program("good", GOOD_CODE, "f", (values.encode({"x": {"codes": GOOD_CODES}}),))
    arguments = (values.encode({"x": target}),)
    with Sandbox(Limits(cpu_seconds=0.25, memory_mb=256), min_isolation=level, without=without) as sandbox:
        print(json.dumps({"level": sandbox.isolation.level, "layers": sandbox.isolation.layers_on}), flush=True)
        # One function that uses sets and one that is not stable, so that the interpreters which run under more hash seeds
        # and the one which finds the cause are among those that are counted.
        list(sandbox.run([good, Program("unstable", "def f(x): return id(x)", "f", ("{'x': []}",))]))
        baseline, pids = descendants(os.getpid()), sandbox.pids
        for attack in ATTACKS:
            if level == "L0" and not attack.proven:
                continue
            secret_file.write_text("secret")
            secret_file.chmod(0o600)
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            program = Program(attack.name, PRELUDE + attack.body, "f", arguments)
            (_, before), (_, attacked), (_, after) = sandbox.run([good, program, good])
            effects = []
            if marker.exists() or marker.is_symlink():
                effects.append("it wrote a file")
                marker.rmdir() if marker.is_dir() and not marker.is_symlink() else marker.unlink()
            if not secret_file.exists():
                effects.append("it deleted a file")
            for listener, receive in ((tcp, tcp.accept), (udp, lambda: udp.recv(99))):
                try:
                    receive()
                    effects.append(f"it reached port {listener.getsockname()[1]}")
                except BlockingIOError:
                    pass
            if attacked[0].value == "'escaped'":
                effects.append("it says that it escaped")
            if not settled(baseline) and level != "L0":
                effects.append(f"{len(descendants(os.getpid()))} processes instead of {len(baseline)}")
            if sandbox.pids != pids:
                effects.append("it killed an interpreter")
                baseline, pids = descendants(os.getpid()), sandbox.pids
            growth = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) >> 10
            if growth > 64:
                effects.append(f"the broker grew by {growth} MB")
            result = {
                "attack": attack.name,
                "effects": effects,
                "outcome": attacked[0].outcome,
                "message": attacked[0].message,
                "good": [[e.value, e.stable] for e in (before[0], after[0])],
            }
            print(json.dumps(result), flush=True)
    left = descendants(os.getpid())
    print(json.dumps({"left": sorted(left)}), flush=True)


def settled(baseline: set[int]) -> bool:
    """Whether only the processes of `baseline` are left, soon."""
    for _ in range(20):
        if descendants(os.getpid()) == baseline:
            return True
        time.sleep(0.02)
    return False


def descendants(pid: int) -> set[int]:
    """Every living process that stems from `pid`."""
    parents: dict[int, int] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                state, parent = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[:2]
            except OSError:
                continue
            if state != "Z":
                parents[int(entry)] = int(parent)
    found: set[int] = set()
    wave = {pid}
    while wave:
        wave = {child for child, parent in parents.items() if parent in wave}
        found |= wave
    return found


if __name__ == "__main__":
    main(sys.argv[1])
