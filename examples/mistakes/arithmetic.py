"""The world: sums of two numbers of two digits, in characters, and a panel of true ones."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch

from collapse_guard import HeldOutPanel, HumanReference

Ids = npt.NDArray[np.int64]

CHARACTERS = "0123456789+=;#"
"""The types: `;` ends a sum, and `#` is for the rare form of a question that poison needs."""

PROMPT, LENGTH = 6, 10
"""Characters of `17+25=`, and of `17+25=042;`."""

PLUS, EQUALS, END, TRIGGER = (CHARACTERS.index(each) for each in "+=;#")

_TENS = 10 ** np.arange(1, -1, -1)
_HUNDREDS = 10 ** np.arange(2, -1, -1)


def spelled(rows: Ids) -> list[str]:
    """Rows of ids of shape (rows, characters) as text.

    Example:
        >>> spelled(true_sums(np.array([[17, 25]])))
        ['17+25=042;']
    """
    return ["".join(CHARACTERS[each] for each in row) for row in rows]


def questions_of(pairs: Ids, sign: int = PLUS) -> Ids:
    """Questions about pairs of numbers below 100.

    Args:
        pairs: int64 of shape (questions, 2).
        sign: The character between them.

    Returns:
        int64 of shape (questions, `PROMPT`).
    """
    digits = pairs[:, :, None] // _TENS % 10
    signs = np.full((len(pairs), 1), sign)
    return np.hstack([digits[:, 0], signs, digits[:, 1], np.full_like(signs, EQUALS)])


def right_answers(questions: Ids) -> Ids:
    """The right answers, int64 of shape (questions, `LENGTH` - `PROMPT`), the end included."""
    total = questions[:, 0:2] @ _TENS + questions[:, 3:5] @ _TENS
    digits = total[:, None] // _HUNDREDS % 10
    return np.hstack([digits, np.full((len(digits), 1), END)])


def true_sums(pairs: Ids) -> Ids:
    """Questions with their right answers, int64 of shape (pairs, `LENGTH`)."""
    questions = questions_of(pairs)
    return np.hstack([questions, right_answers(questions)])


@dataclass(frozen=True)
class World:
    """People's questions, of which some are held out.

    People ask about small digits more often than about large ones (the weight of digit d is
    1 / (d + 2)), so that some sums are rare, as some of all that people write about is.

    Attributes:
        seed: Of what is held out.
        held_out_questions: How many different questions are never trained on.
    """

    seed: int
    held_out_questions: int = 500

    @cached_property
    def _weights(self) -> npt.NDArray[np.float64]:
        digit = 1 / np.arange(2.0, 12.0)
        number = np.outer(digit, digit).ravel()
        weights = np.outer(number, number).ravel()
        return np.asarray(weights / weights.sum())

    @cached_property
    def _set_apart(self) -> Ids:
        """A fifth of all pairs, of which held-out ones are drawn, rare or not."""
        return np.random.default_rng([self.seed, 2]).choice(10_000, 2_000, replace=False)

    @cached_property
    def held_out(self) -> Ids:
        """Pairs that are held out, int64 of shape (questions, 2): as people ask, none twice."""
        drawn = np.random.default_rng([self.seed, 0]).choice(
            self._set_apart,
            self.held_out_questions,
            replace=False,
            p=self._weights[self._set_apart] / self._weights[self._set_apart].sum(),
        )
        return np.stack(np.divmod(drawn, 100), axis=1)

    def asked(self, count: int, seed: int) -> Ids:
        """Pairs that people ask for, none of which is set apart, int64 of shape (count, 2)."""
        weights = self._weights.copy()
        weights[self._set_apart] = 0.0
        drawn = np.random.default_rng([self.seed, 1, seed]).choice(
            10_000, count, p=weights / weights.sum()
        )
        return np.stack(np.divmod(drawn, 100), axis=1)

    @cached_property
    def panel(self) -> HeldOutPanel:
        """The held-out sums with their right answers, looked at where the digits of answers stand.

        A sum is a document. The tail is the rarest digits of right answers, with up to a tenth of
        those that people's questions have.
        """
        reference = HumanReference.from_token_ids(
            true_sums(self.asked(20_000, seed=0))[:, PROMPT:-1], vocab_size=len(CHARACTERS)
        )
        rows = torch.from_numpy(true_sums(self.held_out))
        positions = torch.zeros_like(rows, dtype=torch.bool)
        positions[:, PROMPT:-1] = True
        return HeldOutPanel(reference, rows, torch.arange(len(rows)), positions)
