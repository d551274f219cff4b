"""Locks a zygote down, layer by layer, and reports which layers hold.

The order matters: namespaces need the privileges that are dropped later, changing the user clears the parent-death
signal, and Landlock needs no-new-privs. It works for root and, with a user namespace, for anybody.

Runs inside the sandbox: nothing but the standard library.
"""

import ctypes
import os
import resource
import struct
from collections.abc import Callable

from case2code.sandbox.system import SystemCallError, system_call

#: Every layer, in the order in which it is put on; `seccomp` is loaded by each child.
LAYERS = ("namespaces", "empty_root", "no_capabilities", "no_new_privileges", "landlock", "limits", "seccomp")

_CLONE_NEWNS, _CLONE_NEWCGROUP, _CLONE_NEWUTS, _CLONE_NEWIPC = 0x20000, 0x2000000, 0x4000000, 0x8000000
_CLONE_NEWUSER, _CLONE_NEWPID, _CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
_NAMESPACES = _CLONE_NEWNS | _CLONE_NEWCGROUP | _CLONE_NEWUTS | _CLONE_NEWIPC | _CLONE_NEWPID | _CLONE_NEWNET
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_REMOUNT = 1, 2, 4, 8, 32
_MS_REC, _MS_PRIVATE, _MNT_DETACH = 0x4000, 0x40000, 2
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 1, 4, 24, 38, 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION_3 = 0x20080522
_LANDLOCK_VERSION = 1
_NOBODY = 65534
#: The children of one zygote share a user id with nobody else, so that limits by user hold for each zygote.
_FIRST_USER = 1_879_048_192
#: A zygote should die before what else runs here, but not before anything: with 1000 it was the kernel's first choice.
_OOM_SCORE = 300
_SIGKILL = 9


def enter_namespaces() -> None:
    """Move into new namespaces; the next fork is the first process of the new pid namespace. Raises SystemCallError.

    A child tries first: whoever gets half of the way can neither fork nor return.
    """
    child = os.fork()
    if child == 0:
        status = 255
        try:
            _unshare()
            status = 0
        except OSError as error:
            status = error.errno or status
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status != 0:
        raise SystemCallError("unshare", status)
    _unshare()


def _unshare() -> None:
    """Root needs no user namespace, all others do."""
    if os.geteuid() == 0:
        try:
            system_call("unshare", _NAMESPACES)
            return
        except SystemCallError:  # root without CAP_SYS_ADMIN is an ordinary user here
            pass
    user, group = os.geteuid(), os.getegid()
    system_call("unshare", _NAMESPACES | _CLONE_NEWUSER)
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{_NOBODY} {user} 1")
    _write("/proc/self/gid_map", f"{_NOBODY} {group} 1")


def prefer_for_oom() -> None:
    """Let the kernel's memory killer choose the sandbox before its caller, where it may be told so."""
    try:
        _write("/proc/self/oom_score_adj", str(_OOM_SCORE))
    except OSError:
        pass


def empty_root() -> None:
    """Make a read-only, empty tmpfs the root of this mount namespace. Raises SystemCallError."""
    system_call("mount", None, b"/", None, _MS_REC | _MS_PRIVATE, None)
    flags = _MS_NOSUID | _MS_NODEV | _MS_NOEXEC
    system_call("mount", b"tmpfs", b"/tmp", b"tmpfs", flags, b"size=4k,nr_inodes=2,mode=555")
    os.chdir("/tmp")  # noqa: S108
    system_call("pivot_root", b".", b".")
    system_call("umount2", b".", _MNT_DETACH)
    os.chdir("/")
    system_call("mount", None, b"/", None, flags | _MS_REMOUNT | _MS_RDONLY, None)
    if os.listdir("/"):
        raise SystemCallError("the new root is not empty", 39)


def drop_user(index: int) -> None:
    """Root becomes an ordinary user of its own; any other user stays who it is."""
    if os.geteuid() != 0:
        return
    for user in (_FIRST_USER + index, _NOBODY):  # a container may map 65,536 users only
        try:
            os.setgroups([])
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
            return
        except OSError:
            continue


def drop_capabilities() -> None:
    """Give up every capability, for good. Raises SystemCallError."""
    for capability in range(64):
        if system_call("prctl", _PR_CAPBSET_DROP, capability, 0, 0, 0, check=False) == -22:  # the kernel's last one
            break
    system_call("prctl", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0, check=False)
    header = ctypes.create_string_buffer(struct.pack("<Ii", _CAPABILITY_VERSION_3, 0), 8)
    system_call("capset", header, ctypes.create_string_buffer(24))
    if os.geteuid() == 0:
        raise SystemCallError("still root: setresuid", 1)


def forbid_new_privileges() -> None:
    """No program run from here gains rights, and no process of this user may look inside. Raises SystemCallError."""
    system_call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    system_call("prctl", _PR_SET_DUMPABLE, 0, 0, 0, 0)


def restrict_with_landlock() -> None:
    """Deny every file, TCP port, abstract socket and signal that this Landlock knows. Raises SystemCallError."""
    version = system_call("landlock_create_ruleset", None, 0, _LANDLOCK_VERSION)
    files = (1 << (13 + (version >= 2) + (version >= 3) + (version >= 5))) - 1
    network = 3 if version >= 4 else 0
    scopes = 3 if version >= 6 else 0
    attributes = struct.pack("<QQQ", files, network, scopes)[: 24 if version >= 6 else 16 if version >= 4 else 8]
    rules = system_call("landlock_create_ruleset", attributes, len(attributes), 0)
    try:
        system_call("landlock_restrict_self", rules, 0)
    finally:
        os.close(rules)


def limit_resources(address_space_bytes: int) -> None:
    """Limits that every child inherits."""
    for kind, value in (
        (resource.RLIMIT_AS, address_space_bytes),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 32),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))


def die_with_parent() -> None:
    """Be killed when the parent ends. Changing the user clears this, so it comes last."""
    system_call("prctl", _PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)


def attempt(layer: str, without: tuple[str, ...], step: Callable[[], object], report: dict[str, str]) -> bool:
    """Put one layer on and write into `report` 'on', or why it is not."""
    if layer in without:
        report[layer] = "left out on request"
        return False
    try:
        step()
    except OSError as error:
        report[layer] = str(error)
        return False
    report[layer] = "on"
    return True


def mapped_bytes() -> int:
    """Address space of this process, read while /proc is still there."""
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[0]) * resource.getpagesize()


def _write(path: str, content: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(content)
