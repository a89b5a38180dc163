"""What a Hugging Face Trainer's evaluation is told of our readings, and what it makes of them."""

import logging
import math
from collections.abc import Mapping
from typing import Any

from collapse_guard.extras import require

require("transformers", "huggingface")

from transformers import (  # noqa: E402
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer_utils import default_compute_objective  # noqa: E402

logger = logging.getLogger("collapse_guard")


def best_model_key(args: TrainingArguments) -> str | None:
    """The metric that the best model is chosen by, as it is called among an evaluation's."""
    name = args.metric_for_best_model
    return name if name is None or name.startswith("eval_") else f"eval_{name}"


def sums_all_metrics(trainer: Trainer | None, state: TrainerState) -> bool:
    """Whether a search of hyperparameters would make our readings part of its objective.

    Where it is told no objective it takes the sum of all metrics besides the loss.

    Args:
        trainer: The trainer; None where it is not known, which is taken for one that does.
        state: Its progress.
    """
    objective = getattr(trainer, "compute_objective", default_compute_objective)
    return state.is_hyper_param_search and objective is default_compute_objective


class MissingMetric(TrainerCallback):
    """Stands in for the metric of the best model where no look could give it.

    The Trainer ends a run that has no such metric. An `EarlyStoppingCallback` lets it pass, but
    would count NaN as no improvement: so that it is put in when all others have been told.

    Args:
        prefix: What our keys begin with; other metrics are none of ours.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._is_training = False

    def is_due(self, args: TrainingArguments, metrics: Mapping[str, Any]) -> bool:
        """Whether the Trainer would miss a metric of ours."""
        key = best_model_key(args)
        return key is not None and key.startswith(self._prefix) and key not in metrics

    def fill_in(self, args: TrainingArguments, metrics: dict[str, Any]) -> None:
        """Put in NaN, which never is the best, where one is missing."""
        if self.is_due(args, metrics):
            metrics[str(best_model_key(args))] = math.nan

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Take note that a best model is chosen from now on."""
        self._is_training = True

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Put in what the Trainer looks for next."""
        if self._is_training and kwargs.get("metrics") is not None:
            self.fill_in(args, kwargs["metrics"])

    def on_train_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Take note that none is chosen any more."""
        self._is_training = False


class EvaluationMetrics:
    """What of our readings goes into an evaluation's metrics; says once why some do not.

    Args:
        missing: Knows which metric the Trainer would miss.
    """

    def __init__(self, missing: MissingMetric) -> None:
        self._missing = missing
        self._told = set[str]()

    def put_in(
        self,
        metrics: dict[str, Any],
        readings: Mapping[str, float],
        args: TrainingArguments,
        state: TrainerState,
        trainer: Trainer | None,
    ) -> None:
        """Put in the readings, but those that would count in a search of hyperparameters."""
        if sums_all_metrics(trainer, state):
            self._tell("readings are no part of this search's objective: give compute_objective=.")
            best = best_model_key(args)
            readings = {key: value for key, value in readings.items() if key == best}
        metrics.update(readings)

    def fill_in(self, metrics: dict[str, Any], args: TrainingArguments) -> None:
        """Put in NaN at once, where no callback stands behind the stoppers that could do so."""
        if self._missing.is_due(args, metrics):
            self._tell(
                "a look could not give the metric of the best model, and an early stopping counts "
                "that as no improvement: attach(trainer) keeps it from that."
            )
            self._missing.fill_in(args, metrics)

    def _tell(self, message: str) -> None:
        if message not in self._told:
            self._told.add(message)
            logger.warning(message)
