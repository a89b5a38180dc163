"""What a model is looked at on, whatever its tokens stand for."""

from collections.abc import Mapping
from typing import Protocol, cast, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch

from collapse_guard.distributed import largest
from collapse_guard.errors import bad_argument


class Panel(Protocol):
    """Held-out data as windows of tokens, with the positions to look at.

    `HeldOutPanel` is the one of human text. Anything else that a causal model predicts token by
    token can have its own (the codes of an audio or image tokenizer, say): a class with what is
    listed here, none of which changes once a monitor has seen it. It may have `special_types` too,
    bool of shape (vocab_size,): types that stand for no data, such as an end, and belong to no
    share of what a model writes.

    A panel for a model that predicts no tokens scores itself: it is a `ScoresItself` too.
    """

    @property
    def input_ids(self) -> torch.Tensor:
        """int64 of shape (windows, tokens), on the CPU, each below `vocab_size`."""

    @property
    def document_ids(self) -> torch.Tensor:
        """int64 of shape (windows,), from 0: the document of each, the unit of standard errors."""

    @property
    def positions(self) -> torch.Tensor:
        """bool of shape (windows, tokens): where the token is predicted; never in column 0."""

    @property
    def tail_positions(self) -> torch.Tensor:
        """bool of shape (windows, tokens): the positions whose token is rare."""

    @property
    def head_positions(self) -> torch.Tensor:
        """bool of shape (windows, tokens): the positions whose token is common."""

    @property
    def position_counts(self) -> Mapping[str, npt.NDArray[np.float64]]:
        """float64 of shape (windows,): positions of each window, "all", of the "tail", "head"."""

    @property
    def tail_types(self) -> npt.NDArray[np.bool_]:
        """bool of shape (vocab_size,): the rare types."""

    @property
    def vocab_size(self) -> int:
        """Number of types."""

    @property
    def num_documents(self) -> int:
        """Number of documents, at least 2."""

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that name windows, documents and bands."""

    def __len__(self) -> int:
        """Number of windows."""


@runtime_checkable
class ScoresItself(Protocol):
    """What a `Panel` has beside the rest where the model is no causal language model.

    It is asked in place of the model's logits, at each look. Then `positions` stands for whatever
    the model gives a probability: the cells of a table, the pixels of an image, a row as a whole
    (one position), column 0 included. Bands, documents, alarms and all readings of
    log-probabilities work as for text. There is no distribution over types: the readings of one
    (`ReadingKind.of_types`) are left out, nothing is written, and the panel needs no `input_ids`,
    `tail_types` and `vocab_size`.

    Example:
        A density model, which gives each row of numbers a log-density:

        >>> import torch
        >>> class Rows:
        ...     def __init__(self, rows):
        ...         self.rows = rows
        ...     def log_probs(self, model, windows):
        ...         return model(self.rows[windows])[:, None]
        >>> isinstance(Rows(torch.zeros(3, 2)), ScoresItself)
        True
    """

    def log_probs(self, model: torch.nn.Module, windows: torch.Tensor) -> torch.Tensor:
        """What the model gives what stands at each position of some windows.

        It is called without gradients and with the model in evaluation mode; modes and random
        states are put back after it. So that two looks can be compared it must be a function of the
        weights and of the windows alone: what it draws comes from a generator of its own, seeded
        anew each time.

        Args:
            model: The model that is watched, as its training calls it: wrapped where that wraps it.
            windows: int64 of shape (chosen windows,), their numbers, on the CPU.

        Returns:
            float of shape (chosen windows, tokens), on any device: natural logarithms of
            probabilities, or of densities, or bounds on them. Those at `positions` must be finite,
            and below 700: of a density over many dimensions give nats per dimension. What stands
            elsewhere is not looked at.
        """


_OF_TYPES = ("input_ids", "tail_types", "vocab_size")
_MEMBERS = tuple(name for name, member in vars(Panel).items() if isinstance(member, property))


def counted_types(panel: Panel) -> npt.NDArray[np.bool_]:
    """bool of shape (vocab_size,): the types that stand for data, all but the special ones."""
    special = getattr(panel, "special_types", None)
    return np.ones(panel.vocab_size, dtype=bool) if special is None else ~np.asarray(special)


def check_panel(panel: Panel | ScoresItself) -> Panel:
    """The argument as it is.

    Raises:
        ArgumentError: It lacks something that a panel has.
    """
    spared = _OF_TYPES if isinstance(panel, ScoresItself) else ()
    missing = [name for name in _MEMBERS if name not in spared and not hasattr(panel, name)]
    if missing or isinstance(panel, type) or not hasattr(panel, "__len__"):
        raise bad_argument(
            "panel",
            expected="a HeldOutPanel, or an object with all that collapse_guard.readings.panel."
            "Panel lists",
            given=f"a {type(panel).__name__} without {', '.join(missing) or 'an instance of it'}",
            hint="HeldOutPanel.from_texts makes one of human text",
        )
    return cast(Panel, panel)


def check_same_panel(panel: Panel, fingerprint: str) -> None:
    """Refuse a panel other than the one that something was made for.

    Args:
        panel: The one at hand.
        fingerprint: Of the other.

    Raises:
        ArgumentError: They differ.
    """
    if panel.fingerprint != fingerprint:
        raise bad_argument(
            "panel",
            expected=f"panel {fingerprint}, which this was made for",
            given=f"panel {panel.fingerprint}",
            hint="make the reading of the monitor's own panel",
        )


def check_same_on_all(panel: Panel) -> None:
    """Refuse panels that differ, of which the processes would add up unlike windows.

    In a distributed run all processes must call it.

    Args:
        panel: The one at hand.

    Raises:
        ArgumentError: They differ.
    """
    halves = [float(int(panel.fingerprint[part : part + 8], 16)) for part in (0, 8)]
    if largest([*halves, *(-half for half in halves)]) != [*halves, *(-half for half in halves)]:
        raise bad_argument(
            "panel",
            expected="the same held-out text on every process",
            given=f"panels that differ, here {panel.fingerprint}",
            hint="make it of all documents, before any are dealt out to the processes",
        )
