"""What a model is looked at on, whatever its tokens stand for."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch

from collapse_guard.errors import bad_argument


class Panel(Protocol):
    """Held-out data as windows of tokens, with the positions to look at.

    `HeldOutPanel` is the one of human text. Anything else that a causal model predicts token by
    token can have its own (the codes of an audio or image tokenizer, say): a class with what is
    listed here, none of which changes once a monitor has seen it. It may have `special_types` too,
    bool of shape (vocab_size,): types that stand for no data, such as an end, and belong to no
    share of what a model writes.
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


_MEMBERS = tuple(name for name, member in vars(Panel).items() if isinstance(member, property))


def counted_types(panel: Panel) -> npt.NDArray[np.bool_]:
    """bool of shape (vocab_size,): the types that stand for data, all but the special ones."""
    special = getattr(panel, "special_types", None)
    return np.ones(panel.vocab_size, dtype=bool) if special is None else ~np.asarray(special)


def check_panel(panel: Panel) -> Panel:
    """The argument as it is.

    Raises:
        ArgumentError: It lacks something that a panel has.
    """
    missing = [name for name in _MEMBERS if not hasattr(panel, name)]
    if missing or isinstance(panel, type) or not hasattr(panel, "__len__"):
        raise bad_argument(
            "panel",
            expected="a HeldOutPanel, or an object with all that collapse_guard.readings.panel."
            "Panel lists",
            given=f"a {type(panel).__name__} without {', '.join(missing) or 'an instance of it'}",
            hint="HeldOutPanel.from_texts makes one of human text",
        )
    return panel


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
