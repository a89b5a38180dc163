"""Bridges from collapse_guard to other packages, one module each.

Most modules are imported by their own name, such as `collapse_guard.integrations.plots`. What is
offered here is imported on first use: importing this package needs none of the packages that its
modules lead to.

The modules for `evaluate` are folders, because `evaluate.load` takes a folder; `evaluate_path` says
where they are.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collapse_guard.integrations.alert_sinks.apprise_sink import AppriseSink
    from collapse_guard.integrations.alert_sinks.tracker_sinks import trackio_sink, wandb_sink
    from collapse_guard.integrations.cards import add_data_section, add_model_section
    from collapse_guard.integrations.datatrove.collapse_filter import (
        CollapseFilter,
        read_rejection,
    )
    from collapse_guard.integrations.datatrove.collapse_stats import (
        CollapseStats,
        read_collapse_stats,
    )
    from collapse_guard.integrations.evaluate_folders import evaluate_path
    from collapse_guard.integrations.find_decoding import find_decoding_for
    from collapse_guard.integrations.matching.match_sampler import match_sampler
    from collapse_guard.integrations.mix_data_module import MixDataModule
    from collapse_guard.integrations.mixed_dataset import as_hf_dataset
    from collapse_guard.integrations.ray.audit_ray import audit_ray
    from collapse_guard.integrations.ray.reference_from_ray import reference_from_ray
    from collapse_guard.integrations.ray.with_row_rarity import with_row_rarity
    from collapse_guard.integrations.tracker_plots import (
        mlflow_plots,
        tensorboard_plots,
        trackio_plots,
        wandb_plots,
    )
    from collapse_guard.integrations.writing import write

_HOME = {
    "AppriseSink": "alert_sinks.apprise_sink",
    "CollapseFilter": "datatrove.collapse_filter",
    "CollapseStats": "datatrove.collapse_stats",
    "MixDataModule": "mix_data_module",
    "add_data_section": "cards",
    "add_model_section": "cards",
    "as_hf_dataset": "mixed_dataset",
    "audit_ray": "ray.audit_ray",
    "evaluate_path": "evaluate_folders",
    "find_decoding_for": "find_decoding",
    "match_sampler": "matching.match_sampler",
    "mlflow_plots": "tracker_plots",
    "read_collapse_stats": "datatrove.collapse_stats",
    "read_rejection": "datatrove.collapse_filter",
    "reference_from_ray": "ray.reference_from_ray",
    "tensorboard_plots": "tracker_plots",
    "trackio_plots": "tracker_plots",
    "trackio_sink": "alert_sinks.tracker_sinks",
    "wandb_plots": "tracker_plots",
    "wandb_sink": "alert_sinks.tracker_sinks",
    "with_row_rarity": "ray.with_row_rarity",
    "write": "writing",
}

__all__ = [
    "AppriseSink",
    "CollapseFilter",
    "CollapseStats",
    "MixDataModule",
    "add_data_section",
    "add_model_section",
    "as_hf_dataset",
    "audit_ray",
    "evaluate_path",
    "find_decoding_for",
    "match_sampler",
    "mlflow_plots",
    "read_collapse_stats",
    "read_rejection",
    "reference_from_ray",
    "tensorboard_plots",
    "trackio_plots",
    "trackio_sink",
    "wandb_plots",
    "wandb_sink",
    "with_row_rarity",
    "write",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # The full name, not `__name__`: a checkout also offers this folder as plain `integrations`, and
    # both doors must lead to one and the same function.
    value = getattr(import_module(f"collapse_guard.integrations.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
