"""Which level of isolation a sandbox has reached: found out by doing, from layers that hold and canaries that fail."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from case2code.errors import ConfigurationError

#: From none to all of it. L1 is anything between the limits alone and L2.
LEVELS: Final = ("L0", "L1", "L2", "L3")

_NEEDS: Final[dict[str, frozenset[str]]] = {
    "L3": frozenset(
        ("namespaces", "empty_root", "no_capabilities", "no_new_privileges", "landlock", "limits", "seccomp")
    ),
    "L2": frozenset(("no_capabilities", "no_new_privileges", "landlock", "limits", "seccomp")),
    "L1": frozenset(("no_capabilities", "no_new_privileges", "limits")),
    "L0": frozenset(),
}
_REMEDIES: Final = {
    "namespaces": "run as root, or allow user namespaces (sysctl user.max_user_namespaces, "
    "kernel.apparmor_restrict_unprivileged_userns=0; in a container a seccomp profile that allows unshare and mount)",
    "empty_root": "allow mount and pivot_root (in a container a seccomp profile that allows them)",
    "no_capabilities": "start as an ordinary user, or as root with CAP_SETUID and CAP_SETGID",
    "no_new_privileges": "use Linux 3.5 or newer",
    "landlock": "use Linux 5.13 or newer with landlock in the kernel's lsm= list "
    "(in a container a seccomp profile that allows landlock_*: Docker 20.10.22 or newer)",
    "limits": "raise the hard limits (ulimit -H) of the process that starts the sandbox",
    "seccomp": "use Linux 3.17 or newer with CONFIG_SECCOMP_FILTER, on x86-64 or aarch64",
}


@dataclass(frozen=True, slots=True)
class Isolation:
    """What holds: the level, each layer with 'on' or why it is not, each canary with 'contained' or 'escaped'."""

    level: str
    layers: Mapping[str, str]
    canaries: Mapping[str, str]

    @property
    def layers_on(self) -> tuple[str, ...]:
        return tuple(name for name, state in self.layers.items() if state == "on")

    @property
    def canaries_contained(self) -> str:
        """For example '18 of 18 contained'."""
        return f"{sum(s == 'contained' for s in self.canaries.values())} of {len(self.canaries)} contained"

    def require(self, minimum: str) -> None:
        """Raises ConfigurationError below `minimum`, naming what is missing and how to get it."""
        if LEVELS.index(self.level) >= LEVELS.index(minimum):
            return
        missing = [f"{name} ({self.layers[name]}): {_REMEDIES[name]}" for name in sorted(self.missing(minimum))]
        escaped = [name for name, state in self.canaries.items() if state != "contained"]
        if escaped:
            missing.append(f"canaries that were not contained: {', '.join(escaped)}")
        raise ConfigurationError(
            f"the sandbox reaches isolation {self.level} here, execute.min_isolation asks for {minimum} "
            f"(of {', '.join(LEVELS)}). Missing: {'; '.join(missing)}. Or lower execute.min_isolation in the recipe."
        )

    def missing(self, level: str) -> frozenset[str]:
        return frozenset(name for name in _NEEDS[level] if self.layers.get(name) != "on")


def judge(layers: Mapping[str, str], canaries: Mapping[str, str]) -> Isolation:
    """The level of a zygote that reported `layers`; one canary that escapes leaves L1 at best."""
    contained = bool(canaries) and all(state == "contained" for state in canaries.values())
    for level in reversed(LEVELS):
        reached = Isolation(level, dict(layers), dict(canaries))
        if not reached.missing(level) and (contained or level in ("L0", "L1")):
            return reached
    raise AssertionError("L0 needs nothing")


def weakest(found: list[Isolation]) -> Isolation:
    """Of several zygotes, the one that counts."""
    return min(found, key=lambda isolation: LEVELS.index(isolation.level))
