"""How varied texts are, at a stated amount of text, as an `evaluate` measurement."""

from typing import Any

from collapse_guard.diversity import unpadded
from collapse_guard.errors import bad_argument
from collapse_guard.extras import require
from collapse_guard.integrations import evaluate_settings as settings, text_inputs as inputs
from collapse_guard.readings.against_human import diversity_figures

require("evaluate", "evaluate")

import datasets  # noqa: E402
import evaluate  # type: ignore[import-untyped]  # noqa: E402

_SETTINGS = {
    "default": {"budget", "length", "num_texts", "tokenizer"},
    "token_ids": {"budget", "length", "num_texts", "pad_token_id"},
}
_DESCRIPTION = """
How varied texts are. Every figure of this kind depends on how much text it is taken of, so all are
at a budget that you state: compare figures at one budget only.
"""
_INPUTS = """
Args:
    predictions: texts (configuration "default"), or token ids of texts ("token_ids").
    budget: tokens to look at; the texts must hold as many.
    num_texts, length: how many texts to compare with each other, and tokens of each (both
        optional; together they add the last four figures).
    tokenizer: a tokenizer, its name or path, or a function from a text to its tokens; what stands
        between spaces, if left out. For texts only, of which special tokens are no part.
    pad_token_id: the id that token ids are padded with at their ends, or several (optional).

Settings may be given to `evaluate.load` as well as to `compute`.

Returns a dict of floats: `rarefied_types`, `distinct_1`, `distinct_2`, `distinct_3`,
`good_turing_coverage`, `chao_shen_entropy` (bits), `compression_ratio`; with `num_texts` also
`rep_n_diversity`, `self_bleu`, `self_repetition`, `vendi_score`.
"""


class OutputDiversity(evaluate.Measurement):  # type: ignore[misc]
    """`evaluate.load(evaluate_path("output_diversity"))`.

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
        return evaluate.MeasurementInfo(
            description=_DESCRIPTION,
            citation="",
            inputs_description=_INPUTS,
            features=datasets.Features(
                {"predictions": token_ids if self.config_name == "token_ids" else texts}
            ),
        )

    def _compute(self, *, predictions: Any, **at_compute: Any) -> dict[str, float]:
        given = settings.merge_settings(self._at_load, at_compute, self._own)
        tokenizer = inputs.as_tokenizer(given.pop("tokenizer", None))
        if given.get("budget") is None:
            raise bad_argument(
                "budget",
                expected="how many tokens to look at",
                given=None,
                hint="state one, such as 10,000, and keep to it: diversity depends on it",
            )
        if self.config_name == "token_ids":
            if (padding := given.pop("pad_token_id", None)) is not None:
                predictions = unpadded(predictions, pad_token_id=padding)
            return diversity_figures(predictions, **given)
        return diversity_figures(inputs.as_token_ids(predictions, tokenizer), **given)
