"""A network with one hidden layer that predicts the parts of a program from clues in its cases; trained by Adam."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

_HIDDEN: Final = 48
_EPOCHS: Final = 120
_BATCH: Final = 64
_RATE: Final = 3e-3
_DECAY: Final = 1e-4


@dataclass(frozen=True, slots=True)
class Network:
    """Weights of clues → hidden → parts. Without training, every part is as likely as any other."""

    inner: Matrix
    inner_bias: Matrix
    outer: Matrix
    outer_bias: Matrix

    @classmethod
    def untrained(cls, clues: int, parts: int, seed: int) -> "Network":
        """Random weights inside and zeros outside: the start of every training."""
        chance = np.random.default_rng(seed)
        inner = chance.normal(0.0, (2 / clues) ** 0.5, (clues, _HIDDEN))
        return cls(inner, np.zeros(_HIDDEN), np.zeros((_HIDDEN, parts)), np.zeros(parts))

    def probabilities(self, clues: Matrix) -> Matrix:
        """How likely each part is to be in the program: (tasks, clues) → (tasks, parts)."""
        return _sigmoid(self._hidden(clues) @ self.outer + self.outer_bias)

    def _hidden(self, clues: Matrix) -> Matrix:
        return np.maximum(clues @ self.inner + self.inner_bias, 0.0)

    def trained(self, clues: Matrix, parts: Matrix, seed: int) -> "Network":
        """These weights after some passes over the tasks: (tasks, clues) and (tasks, parts) of zeros and ones."""
        weights = [self.inner.copy(), self.inner_bias.copy(), self.outer.copy(), self.outer_bias.copy()]
        first, second = [np.zeros_like(w) for w in weights], [np.zeros_like(w) for w in weights]
        chance = np.random.default_rng(seed)
        step = 0
        for _ in range(_EPOCHS):
            order = chance.permutation(len(clues))
            for start in range(0, len(order), _BATCH):
                chosen = order[start : start + _BATCH]
                step += 1
                for n, slope in enumerate(_slopes(Network(*weights), clues[chosen], parts[chosen])):
                    first[n] = 0.9 * first[n] + 0.1 * slope
                    second[n] = 0.999 * second[n] + 0.001 * slope**2
                    scale = np.sqrt(second[n] / (1 - 0.999**step)) + 1e-8
                    weights[n] -= _RATE * (first[n] / (1 - 0.9**step) / scale + _DECAY * weights[n])
        return Network(*weights)


def _slopes(network: Network, clues: Matrix, parts: Matrix) -> tuple[Matrix, ...]:
    """Gradient of the mean cross-entropy with respect to the four weights."""
    hidden = network._hidden(clues)
    wrong = (network.probabilities(clues) - parts) / len(clues)
    back = (wrong @ network.outer.T) * (hidden > 0)
    return clues.T @ back, back.sum(0), hidden.T @ wrong, wrong.sum(0)


def _sigmoid(x: Matrix) -> Matrix:
    return 1 / (1 + np.exp(-np.clip(x, -30.0, 30.0)))
