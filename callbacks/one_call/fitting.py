"""What there is of human text in what `watch` was given, and what each part of it is for."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from collapse_guard.callbacks.one_call.counted import all_rows, human_rows
from collapse_guard.callbacks.one_call.held_out import Ids, held_out_text
from collapse_guard.callbacks.one_call.matched import ToMatch
from collapse_guard.callbacks.one_call.panels import Fitted, fitted_panel
from collapse_guard.callbacks.one_call.set_aside import apart_from, set_aside
from collapse_guard.callbacks.one_call.sizes import Length
from collapse_guard.callbacks.one_call.target import Target
from collapse_guard.errors import bad_argument
from collapse_guard.human_text.reference import HumanReference
from collapse_guard.model.positions import positions_of


class Fitting(NamedTuple):
    """A panel, and what else human text is there for.

    Attributes:
        fitted: The panel.
        length: Of the run; None where nobody knows it.
        to_find_with: Human text that neither trains nor judges the model; none where no decoding
            is to be found.
    """

    fitted: Fitted
    length: Length | None
    to_find_with: Sequence[Ids]


def fit(
    target: Target,
    matching: ToMatch | None,
    *,
    held_out: Any,
    human: Any,
    tokenizer: Any,
    groups: Any,
    reference: HumanReference | None,
) -> Fitting:
    """Read what was given, and fit a panel to the run.

    Args:
        target: What is watched.
        matching: What is matched; None where nothing is.
        held_out: As of `watch`, and the following.
        human: Likewise.
        tokenizer: Likewise.
        groups: Likewise.
        reference: Likewise.

    Raises:
        ArgumentError: Something is missing, or cannot be read; says what to write.
        PanelError: As `fitted_panel` has it.
    """
    if tokenizer is None:
        raise bad_argument(
            "tokenizer",
            expected="the model's tokenizer, which nothing here says",
            given=None,
            hint="watch(..., tokenizer=tokenizer)",
        )
    if held_out is None:
        raise bad_argument(
            "held_out",
            expected="human texts that the run never trains on",
            given=None,
            hint='watch(..., held_out=texts); a data set\'s split for tests, say dataset["test"]',
        )
    text = held_out_text("held_out", held_out, tokenizer, groups)
    # What a model wrote says nothing of what is rare in human text.
    is_model_text = matching is not None and matching.is_of_all
    trained = all_rows(target.training) if is_model_text else []
    training: tuple[Sequence[Ids], str] | None = None
    if not is_model_text:
        training = human_rows(target.training)
    rows = trained if training is None else training[0]
    length = target.length(float(np.mean([len(ids) for ids in rows])) if rows else 0.0)
    if human is not None:
        given = held_out_text("human", human, tokenizer)
        training = given.documents, f"the {given.given:,} human documents given"
    finds = matching is not None and matching.finds
    # What is counted serves to find a decoding too, where nobody trains on it.
    is_counted = reference is None and (training is None or is_model_text)
    aside: Sequence[Ids] = ()
    if finds and not is_counted:
        aside, text = set_aside(text)
    fitted = fitted_panel(
        text,
        tokenizer,
        training=training,
        reference=reference,
        positions=None if target.model is None else positions_of(target.model),
        length=length,
        trained=trained,
    )
    if finds:
        aside = apart_from(fitted.panel, fitted.counted if is_counted else aside)
    return Fitting(fitted, length, aside)
