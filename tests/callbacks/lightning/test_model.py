from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch

from collapse_guard import (
    ArgumentError,
)
from collapse_guard.callbacks import CollapseGuard
from tests.callbacks.lightning.runs import QUIET, LanguageModule, every, fit, guarded, make_trainer
from tests.looks import ON_HUMAN_TEXT
from tests.tiny import VOCAB, tiny_gpt2

pytestmark = QUIET


def test_the_model_is_called_in_the_precision_of_the_training(tmp_path: Path) -> None:
    # Not in the module, whose lists are put back after a look.
    calls: list[tuple[bool, bool]] = []

    class Watched(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = tiny_gpt2()

        def forward(self, input_ids: torch.Tensor, labels: torch.Tensor | None = None) -> Any:
            calls.append((self.training, torch.is_autocast_enabled("cpu")))
            return self.net(input_ids=input_ids, labels=labels)

    guard = guarded(every(1))
    fit(make_trainer(tmp_path, guard, precision="bf16-mixed"), LanguageModule(Watched()))
    assert set(calls) == {(False, True), (True, True)}


@pytest.mark.parametrize(("precision", "tolerance"), [("bf16-mixed", 0.03), ("bf16-true", 0.1)])
def test_only_the_model_computes_in_low_precision(
    tmp_path: Path, precision: Any, tolerance: float
) -> None:
    module, guard = LanguageModule(tiny_gpt2()), guarded(every(1_000))
    expected = every(1).start(tiny_gpt2())
    fit(make_trainer(tmp_path, guard, precision=precision, max_steps=1, max_epochs=-1), module)
    start = guard.monitor.history[0]
    for name in ON_HUMAN_TEXT:
        assert start[name] == pytest.approx(expected[name], rel=tolerance), name
    # A sum over the vocabulary in bfloat16 would be off by far more than its inputs are.
    assert start["tail_retention"] == 1.0
    assert torch.get_default_dtype() == torch.float32


def test_schedule_free_optimizers_are_read_at_their_average(tmp_path: Path) -> None:
    from schedulefree import AdamWScheduleFree

    class ScheduleFree(LanguageModule):
        def configure_optimizers(self) -> torch.optim.Optimizer:
            optimizer = AdamWScheduleFree(self.parameters(), lr=1e-2)
            optimizer.train()
            return optimizer

    def run(*callbacks: pl.Callback) -> tuple[LanguageModule, pl.Trainer]:
        module = ScheduleFree(tiny_gpt2())
        trainer = make_trainer(tmp_path, *callbacks)
        fit(trainer, module)
        return module, trainer

    guard = guarded(every(1))
    module, trainer = run(guard)
    plain, _ = run()
    assert module.losses == plain.losses
    assert module.state_dict().keys() == plain.state_dict().keys()
    assert all(map(torch.equal, module.state_dict().values(), plain.state_dict().values()))
    trainer.optimizers[0].eval()
    assert guard.monitor.look(module.net, 16)["perplexity"] == pytest.approx(
        guard.monitor.history[-2]["perplexity"]
    )


class Bare(torch.nn.Module):
    """A language model that says nothing about itself."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = torch.nn.Embedding(VOCAB, 8), torch.nn.Linear(8, VOCAB)

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(input_ids))


class Parts(LanguageModule):
    def __init__(self, **parts: torch.nn.Module) -> None:
        super().__init__()
        del self.net
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        return next(self.children())(input_ids)

    def configure_optimizers(self) -> torch.optim.Optimizer | None:
        return super().configure_optimizers() if list(self.parameters()) else None

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        logits = getattr(output := self(batch), "logits", output)
        return torch.nn.functional.cross_entropy(
            logits[:, :-1].flatten(0, 1), batch[:, 1:].flatten()
        )


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"lm": Bare(), "loss": torch.nn.CrossEntropyLoss()}, "lm"),
        ({"probe": torch.nn.Linear(2, 2), "lm": tiny_gpt2()}, "lm"),
        ({"policy": tiny_gpt2(), "frozen": tiny_gpt2(seed=1).requires_grad_(False)}, "policy"),
    ],
)
def test_the_obvious_model_is_found(
    tmp_path: Path, parts: dict[str, torch.nn.Module], expected: str
) -> None:
    module = Parts(**parts)
    guard = guarded()
    trainer = make_trainer(tmp_path, guard)
    trainer.strategy.connect(module)
    guard.on_fit_start(trainer, module)
    assert guard._model is not None
    assert guard._model.model is getattr(module, expected)


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"body": torch.nn.Linear(2, 2), "head": torch.nn.Linear(2, 2)},
        {"first": tiny_gpt2(), "second": tiny_gpt2()},
    ],
    ids=["none", "parts", "two"],
)
def test_a_model_that_is_not_obvious_is_asked_for(
    tmp_path: Path, parts: dict[str, torch.nn.Module]
) -> None:
    with pytest.raises(ArgumentError, match="which part of Parts is the language model"):
        # Whatever on_error says: nothing has been trained yet, and nothing would be read.
        fit(make_trainer(tmp_path, CollapseGuard(every(1))), Parts(**parts))


@pytest.mark.parametrize(
    "how",
    [
        {"model": lambda module: module.second},
        {"model": lambda module: torch.nn.Sequential(module.second)},
        {"forward": lambda module, input_ids: module.second(input_ids)},
        {"forward": lambda module, input_ids: module.second(input_ids, use_cache=False).logits},
    ],
    ids=["model", "wrapped", "forward", "logits"],
)
def test_the_model_can_be_told(tmp_path: Path, how: dict[str, Any]) -> None:
    module = Parts(first=tiny_gpt2(dropout=0.5), second=tiny_gpt2(seed=4, dropout=0.5))
    expected = every(1).start(tiny_gpt2(seed=4))
    guard = guarded(every(4), **how)
    fit(make_trainer(tmp_path, guard), module)
    assert dict(guard.monitor.history[0]) == pytest.approx(dict(expected))
    # The second model is not trained.
    assert guard.monitor.history[-1]["tail_retention"] == 1.0


def test_the_modules_own_forward(tmp_path: Path) -> None:
    module = Parts(first=Bare(), second=Bare())
    guard = guarded(model=lambda pl_module: pl_module)
    fit(make_trainer(tmp_path, guard), module)
    assert guard.monitor.history[-1]["tail_retention"] != 1.0


def test_something_that_is_no_model_is_refused(tmp_path: Path) -> None:
    guard = guarded(model=lambda pl_module: pl_module.losses)
    with pytest.raises(ArgumentError, match=r"`model` expected a function that returns a torch"):
        fit(make_trainer(tmp_path, guard))


class Sharded(torch.nn.Sequential):
    """What `fully_shard` makes of a module, to whoever only looks at it."""

    def unshard(self) -> None:
        pass

    def reshard(self) -> None:
        pass


def test_the_root_of_what_is_sharded_is_called_and_no_part_of_it(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path)
    root = Parts(lm=Sharded(Sharded(Bare())))
    guarded().on_fit_start(trainer, root)
    with pytest.raises(ArgumentError, match="expected a model that is the root of what is sharded"):
        guarded(model=lambda module: module.lm[0]).on_fit_start(trainer, root)
    guarded(forward=lambda module, ids: module.lm(ids)).on_fit_start(trainer, root)
