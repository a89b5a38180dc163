"""What probability a model gives to the rare tokens of human text, as an `evaluate` metric."""

from typing import Any

from collapse_guard import CollapseMonitor, EveryNSteps
from collapse_guard.extras import require
from collapse_guard.human_text.panel import HeldOutPanel
from collapse_guard.integrations import evaluate_settings as settings, text_inputs as inputs
from collapse_guard.readings.from_logprobs import logprob_readings

require("evaluate", "evaluate")

import datasets  # noqa: E402
import evaluate  # type: ignore[import-untyped]  # noqa: E402

_SETTINGS = {
    "default": {"human_reference", "start_logprobs"},
    "texts": {
        "batch_size",
        "groups",
        "human_reference",
        "model",
        "start_model",
        "tokenizer",
        "window",
    },
}
_PAIRED = ("tail_retention", "head_retention", "tail_gap")
_DESCRIPTION = """
What probability a model gives to the rare tokens (the tail) of held-out human text, with standard
errors over documents. A model that collapses loses it first, while its loss still looks fine.
"""
_INPUTS = """
Args, configuration "default" (log-probabilities are at hand, as in `compute_metrics` of a Trainer):
    predictions: for each document, the log-probability of each token, natural logarithms.
    references: for each document, its token ids; -100 marks tokens that are not scored.
    human_reference: a `collapse_guard.HumanReference`, or the path of a saved one.
    start_logprobs: as `predictions`, of the model that the run started from (optional).

Args, configuration "texts" (a model is at hand):
    references: held-out human texts, one document each.
    model, tokenizer: a causal language model and its tokenizer, or their names or paths.
    human_reference: as above, counted with that tokenizer on other texts than these.
    start_model: the model that the run started from (optional).
    groups: a label of each text, in their order: give them when several texts are of one article,
        author or source file, since errors count what is not labelled as independent (optional).
    window: tokens per window; shorter texts are left out (default 128).
    batch_size: windows per forward pass (default 16).

Settings may be given to `evaluate.load` as well as to `compute`.

Returns a dict of floats, each `<name>` with its `<name>_se`: `perplexity`, `tail_logprob`,
`head_logprob`, `tail_prob`; with a start also `tail_retention`, `head_retention`, `tail_gap`;
"texts" also has `tail_mass_ratio`, `effective_vocabulary`, `predictive_entropy`.
"""


class TailProbability(evaluate.Metric):  # type: ignore[misc]
    """`evaluate.load(evaluate_path("tail_probability"))`.

    Args:
        config_name: "default" takes log-probabilities and token ids, "texts" takes texts and a
            model.
        options: Settings of the module, as in its README, and whatever `evaluate` takes.

    Raises:
        ArgumentError: A configuration or a setting that it does not have.
    """

    def __init__(self, config_name: str | None = None, **options: Any) -> None:
        self._own, self._at_load, of_framework = settings.at_load(config_name, options, _SETTINGS)
        super().__init__(config_name, **of_framework)

    def _info(self) -> Any:
        documents = {
            "predictions": datasets.Sequence(datasets.Value("float64")),
            "references": datasets.Sequence(datasets.Value("int64")),
        }
        texts = {"references": datasets.Value("string")}
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation="",
            inputs_description=_INPUTS,
            features=datasets.Features(texts if self.config_name == "texts" else documents),
        )

    def _compute(
        self, *, references: Any, predictions: Any = None, **at_compute: Any
    ) -> dict[str, float]:
        given = settings.merge_settings(self._at_load, at_compute, self._own)
        given["human_reference"] = inputs.as_reference(given.get("human_reference"))
        if self.config_name == "texts":
            return _of_texts(references, **given)
        return _of_logprobs(predictions, references, **given)


def _of_logprobs(
    logprobs: Any, token_ids: Any, *, human_reference: Any, start_logprobs: Any = None
) -> dict[str, float]:
    readings = logprob_readings(logprobs, token_ids, human_reference, start_logprobs=start_logprobs)
    return {
        **{name: readings[name].value for name in readings},
        **{f"{name}_se": readings[name].standard_error for name in readings},
    }


def _of_texts(
    texts: Any,
    *,
    human_reference: Any,
    model: Any = None,
    tokenizer: Any = None,
    start_model: Any = None,
    groups: Any = None,
    window: int = 128,
    batch_size: int = 16,
) -> dict[str, float]:
    tokenizer = inputs.check_tokenizer(inputs.as_tokenizer(tokenizer), human_reference)
    panel = HeldOutPanel.from_texts(
        texts, tokenizer, human_reference, window=window, short="drop", groups=groups
    )
    monitor = CollapseMonitor(
        panel, rules=[], pace=EveryNSteps(1), batch_size=batch_size, across_processes=False
    )
    looked_at = inputs.as_model("model", model)
    if start_model is None:
        reading = monitor.start(looked_at)
    else:
        monitor.start(inputs.as_model("start_model", start_model))
        reading = monitor.look(looked_at, step=0)
    names = [name for name in reading if start_model is not None or name not in _PAIRED]
    return {
        **{name: reading[name] for name in names},
        **{f"{name}_se": reading.standard_errors[name] for name in names},
    }
