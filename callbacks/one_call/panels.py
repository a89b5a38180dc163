"""The panel of a run that is watched: as large as the run can pay for, and as rules need."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from collapse_guard.callbacks.one_call.counted import counted_in
from collapse_guard.callbacks.one_call.held_out import HeldOutText, Ids
from collapse_guard.callbacks.one_call.sizes import (
    SIZES,
    Length,
    affordable,
    best_window,
    sees_enough,
)
from collapse_guard.human_text.panel import HeldOutPanel
from collapse_guard.human_text.reference import HumanReference
from collapse_guard.human_text.repeats import shingle_length
from collapse_guard.human_text.tokenizer import Tokenizer


class Fitted(NamedTuple):
    """A panel that was fitted to a run.

    Attributes:
        panel: The panel.
        where: In what its reference was counted, in words.
        documents: How many held-out documents have no window in it.
    """

    panel: HeldOutPanel
    where: str
    documents: int


def fitted_panel(
    held_out: HeldOutText,
    tokenizer: Tokenizer,
    *,
    training: tuple[Sequence[Ids], str] | None,
    reference: HumanReference | None,
    positions: int | None,
    length: Length | None,
) -> Fitted:
    """Count what is rare, and cut held-out text into as many windows as the run can pay for.

    Args:
        held_out: The held-out text.
        tokenizer: Of the model.
        training: Human training rows and what they are in words; None where none can be had.
        reference: Counts that were given; None to count.
        positions: Tokens that the model reads at once; None where it says nothing.
        length: Of the run; None where nobody knows it.

    Raises:
        PanelError: As `HeldOutPanel.from_token_ids` has it: held-out text that stands in the
            training rows, say, or too little of it.
        ArgumentError: There are too few documents to be split.
    """
    rows = None if training is None else training[0]
    where = "the text that the reference given was counted in"
    rest = held_out
    if reference is None:
        reference, rest, where = counted_in(training, held_out, tokenizer)
    prefix = prefix_of(tokenizer)
    window = best_window(rest.documents, None if positions is None else positions - len(prefix))

    def cut(size: int | None, leaks: Sequence[Ids] | None = None) -> HeldOutPanel:
        return HeldOutPanel.from_token_ids(
            rest.documents,
            reference,
            window=window,
            training_documents=leaks,
            short="drop",
            max_windows=size,
            prefix=prefix,
            groups=rest.groups,
        )

    first = affordable(length, window)
    # Shorter rows hold nothing that a held-out document could be looked up in.
    least = min(shingle_length(reference.entropy), window)
    panel = cut(first, [ids for ids in rows or () if len(ids) >= least] or None)
    for size in [*(each for each in SIZES if each > first), None]:
        if sees_enough(panel) or len(panel) < first:
            break
        panel = cut(size)
    return Fitted(panel, where, len(rest.documents) - panel.num_sources)


def prefix_of(tokenizer: Any) -> tuple[int, ...]:
    """The token that a tokenizer puts before each text, if it does."""
    begin = getattr(tokenizer, "bos_token_id", None)
    if begin is None or not callable(tokenizer):
        return ()
    ids = tokenizer("a")["input_ids"]
    return (begin,) if len(ids) > 0 and ids[0] == begin else ()
