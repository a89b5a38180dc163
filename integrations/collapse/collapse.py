"""Generated against human texts: diversity at one size and tail share, as an `evaluate` metric."""

from typing import Any

from collapse_guard.diversity import unpadded
from collapse_guard.extras import require
from collapse_guard.integrations import evaluate_settings as settings, text_inputs as inputs
from collapse_guard.readings.against_human import compare_with_human

require("evaluate", "evaluate")

import datasets  # noqa: E402
import evaluate  # type: ignore[import-untyped]  # noqa: E402

_SETTINGS = {
    "default": {"budget", "human_reference", "length", "num_texts", "tokenizer"},
    "token_ids": {"budget", "human_reference", "length", "num_texts", "pad_token_id"},
}
_DESCRIPTION = """
Generated texts against human ones: the diversity of both at one amount of text, and the share of
tokens that are rare in human text (the tail). Ratios of 1 mean that the generated texts are as
varied as the human ones.
"""
_INPUTS = """
Args:
    predictions: generated texts (configuration "default"), or their token ids ("token_ids").
    references: human texts of the same kind, as many: continuations of the same prompts, say.
    human_reference: a `collapse_guard.HumanReference`, or the path of a saved one, counted with
        `tokenizer` on other human texts (optional; it adds the tail shares).
    budget: tokens to look at in both; as many as the shorter of the two has, if left out.
    num_texts, length: how many texts to compare with each other, and tokens of each (both
        optional; together they add four figures).
    tokenizer: a tokenizer, its name or path, or a function from a text to its tokens; what stands
        between spaces, if left out. For texts only, of which special tokens are no part.
    pad_token_id: the id that token ids are padded with at their ends, or several (optional; what
        `human_reference` knows to be no human text is left out of both either way).

Settings may be given to `evaluate.load` as well as to `compute`.

Returns a dict of floats: `sample_<figure>`, `human_<figure>` and `ratio_<figure>` for each figure
of `output_diversity`, and for `tail_share` with a `human_reference`; and `budget`.
"""


class Collapse(evaluate.Metric):  # type: ignore[misc]
    """`evaluate.load(evaluate_path("collapse"))`.

    Args:
        config_name: "default" takes texts, "token_ids" takes their token ids.
        options: Settings of the module, as in its README, and whatever `evaluate` takes.

    Raises:
        ArgumentError: A configuration or a setting that it does not have.
    """

    def __init__(self, config_name: str | None = None, **options: Any) -> None:
        self._own, self._at_load, of_framework = settings.at_load(config_name, options, _SETTINGS)
        super().__init__(config_name, **of_framework)

    def _info(self) -> Any:
        texts = datasets.Value("string")
        token_ids = datasets.Sequence(datasets.Value("int64"))
        kind = token_ids if self.config_name == "token_ids" else texts
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation="",
            inputs_description=_INPUTS,
            features=datasets.Features({"predictions": kind, "references": kind}),
        )

    def _compute(self, *, predictions: Any, references: Any, **at_compute: Any) -> dict[str, float]:
        given = settings.merge_settings(self._at_load, at_compute, self._own)
        tokenizer = inputs.as_tokenizer(given.pop("tokenizer", None))
        reference = given.pop("human_reference", None)
        if reference is not None:
            reference = inputs.as_reference(reference)
        if (padding := given.pop("pad_token_id", None)) is not None:
            predictions, references = (
                unpadded(documents, pad_token_id=padding) for documents in (predictions, references)
            )
        if self.config_name != "token_ids":
            if reference is not None:
                inputs.check_tokenizer(tokenizer, reference)
            # One call, so that words of both have one number.
            documents = inputs.as_token_ids([*predictions, *references], tokenizer)
            predictions, references = (
                documents[: len(predictions)],
                documents[len(predictions) :],
            )
        return compare_with_human(predictions, references, reference=reference, **given)
