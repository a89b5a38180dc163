"""Sessions, callbacks, and the bridges to other packages."""

from collections.abc import Iterator
from types import SimpleNamespace

import torch
from huggingface_hub import DatasetCard, ModelCard

from collapse_guard import Decoding, watch
from collapse_guard.callbacks import (
    AxolotlPlugin,
    CollapseGuard,
    CollapseGuardCallback,
    MixLedgerCallback,
    WatchHeldOut,
    WatchSession,
)
from collapse_guard.integrations import (
    AppriseSink,
    MixDataModule,
    add_data_section,
    add_model_section,
    as_hf_dataset,
    evaluate_path,
    find_decoding_for,
    match_sampler,
    mlflow_plots,
    tensorboard_plots,
    trackio_plots,
    trackio_sink,
    wandb_plots,
    wandb_sink,
    write,
)
from collapse_guard.integrations.detectors.greenlist import GreenlistDetector
from collapse_guard.integrations.detectors.perplexity import PerplexityDetector
from collapse_guard.integrations.plots import plot_readings
from collapse_guard.integrations.torchmetrics import TailLogProbability, TailRetention
from tests.callbacks.lightning.runs import LanguageModule
from tests.callbacks.one_call.people import people_write, word_tokenizer
from tests.docs.pages import README
from tests.hostile.target import Target
from tests.hostile.targets.made import (
    Words,
    mix,
    model,
    monitor,
    reference,
    rows,
    started,
    texts,
)
from tests.tiny import VOCAB


def session() -> WatchSession:
    watching = WatchSession(monitor())
    watching.start(model())
    return watching


def matched(**given: object) -> None:
    match_sampler(**given).remove()  # type: ignore[arg-type]


def watched(**given: object) -> None:
    run = watch(**given)  # type: ignore[arg-type]
    if run.match is not None:
        run.match.remove()


def targets() -> Iterator[Target]:
    def watching() -> dict[str, object]:
        return {
            "monitor": monitor(),
            "on_alert": "log",
            "sink": print,
            "on_error": "report",
            "name": "collapse",
        }

    yield Target(
        "MixDataModule",
        MixDataModule,
        lambda: {
            "human": rows(1),
            "synthetic": rows(2),
            "human_fraction": 0.3,
            "batch_size": 8,
            "loader": {},
        },
    )
    yield Target(
        "WatchSession",
        WatchSession,
        lambda: {
            **watching(),
            "log": None,
            "save": None,
            "log_every_n_steps": 1,
            "prefix": "",
            "stop": None,
            "on_change": None,
        },
    )
    for name in ("step", "look", "end"):
        yield Target(
            f"WatchSession.{name}",
            lambda name=name, **given: getattr(session(), name)(**given),
            lambda: {"model": model(), "step": 1, "optimizer": None},
        )
    yield Target(
        "WatchSession.start",
        lambda **given: WatchSession(monitor()).start(**given),
        lambda: {"model": model(), "step": 0, "optimizer": None},
    )
    yield Target("WatchSession.metrics", lambda step: session().metrics(step), lambda: {"step": 0})
    yield Target("CollapseGuardCallback", CollapseGuardCallback, watching)
    yield Target(
        "watch",
        watched,
        lambda: {
            "run": model(),
            "held_out": people_write(12),
            "human": people_write(12, seed=2),
            "tokenizer": word_tokenizer(),
            "model": None,
            "groups": None,
            "reference": None,
            "panel": None,
            "synthetic": "all",
            "decoding": Decoding(0.8),
            "sampling": None,
            "on_alert": "log",
            "sink": print,
            "on_error": "report",
            "name": "collapse",
            "tell": None,
            "steps": 9,
            "tokens_per_step": 9.0,
            "report": False,
            "log": None,
            "save": None,
            "state": None,
        },
    )
    yield Target(
        "CollapseGuard", CollapseGuard, lambda: {**watching(), "model": None, "forward": None}
    )
    # Any text of paragraphs.
    text = str(README)
    yield Target(
        "WatchHeldOut",
        WatchHeldOut,
        lambda: {
            "held_out": text,
            "tokenizer": "a",
            "human": text,
            "groups": None,
            "split": "test",
            "on_alert": "log",
            "overhead": 0.01,
            "every_n_steps": 9,
            "writing": True,
            "name": "collapse",
            "tokens_per_step": 9.0,
        },
    )
    yield Target(
        "AxolotlPlugin.register",
        lambda cfg: AxolotlPlugin().register(cfg),
        lambda: {"cfg": {"collapse_guard": {"held_out": text, "every_n_steps": 9}}},
    )
    yield Target(
        "MixLedgerCallback",
        MixLedgerCallback,
        lambda: {"guard": mix(), "every_n_steps": 10, "on_error": "report"},
    )
    yield Target(
        "add_model_section",
        add_model_section,
        lambda: {"card": ModelCard("---\n---\n"), "monitor": started(), "mix": mix().report()},
    )
    yield Target(
        "add_data_section",
        add_data_section,
        lambda: {"card": DatasetCard("---\n---\n"), "mix": mix().report()},
    )
    limits = {"most": 3, "within": 60.0}
    yield Target("wandb_sink", wandb_sink, lambda: dict(limits))
    yield Target("trackio_sink", trackio_sink, lambda: dict(limits))
    for plots in (mlflow_plots, trackio_plots, wandb_plots):
        yield Target(plots.__name__, plots, lambda: {"name": "collapse"})
    yield Target(
        "tensorboard_plots",
        tensorboard_plots,
        lambda: {"writer": SimpleNamespace(add_figure=print), "name": "collapse"},
    )
    yield Target(
        "AppriseSink",
        AppriseSink,
        lambda: {**limits, "urls": "json://127.0.0.1:9", "timeout": 5.0},
    )
    yield Target("as_hf_dataset", as_hf_dataset, lambda: {"guard": mix()})
    yield Target("evaluate_path", evaluate_path, lambda: {"name": "collapse"})
    yield Target(
        "match_sampler",
        matched,
        lambda: {
            "target": model(),
            "decodings": [Decoding(0.8)],
            "drawn": "all",
            "scale_by_temperature": False,
            "held_out": None,
        },
    )
    yield Target(
        "write",
        write,
        lambda: {
            "model": model(),
            "prompts": [[1, 2]],
            "decoding": Decoding(0.8),
            "length": 3,
            "seed": 0,
            "tokenizer": None,
            "stop_ids": (),
            "batch_size": 2,
            "first_row": 0,
            "progress": False,
        },
    )
    yield Target(
        "find_decoding_for",
        find_decoding_for,
        lambda: {
            "target": LanguageModule(model()),
            "rows": rows(2, 4),
            "held_out": texts(3, 16),
            "model": None,
            "candidates": [Decoding(0.8)],
            "steps": 1,
            "batch_size": 2,
        },
    )
    yield Target(
        "PerplexityDetector",
        PerplexityDetector,
        lambda: {
            "model": model(),
            "tokenizer": Words(),
            "intercept": 0.0,
            "slope": -1.0,
            "max_tokens": 8,
            "batch_size": 2,
        },
    )
    yield Target(
        "GreenlistDetector",
        GreenlistDetector,
        lambda: {"detector": greenlist(), "tokenizer": Words(), "prior": 0.5},
    )
    yield Target(
        "plot_readings",
        plot_readings,
        lambda: {
            "runs": {"run": started().history},
            "names": ["tail_logprob"],
            "titles": None,
            "colors": None,
            "rules": (),
            "step": "step",
            "columns": 3,
        },
    )
    yield Target("TailLogProbability", TailLogProbability, lambda: {"reference": reference()})
    scored = {"logits": torch.zeros(2, 8, VOCAB), "targets": torch.arange(16).reshape(2, 8)}
    yield Target(
        "TailLogProbability.update",
        lambda **given: TailLogProbability(reference()).update(**given),
        lambda: dict(scored),
    )
    yield Target(
        "TailRetention.update",
        lambda **given: TailRetention(reference()).update(**given),
        lambda: {**scored, "start_logprobs": torch.full((2, 8), -1.0)},
    )


def greenlist() -> object:
    from transformers import WatermarkDetector, WatermarkingConfig

    return WatermarkDetector(model().config, "cpu", WatermarkingConfig(bias=4.0))
