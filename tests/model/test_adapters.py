from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import PreTrainedModel

from collapse_guard import ArgumentError, CollapseMonitor
from collapse_guard.model.adapters import without_adapters
from tests.tiny import BRIEF, VOCAB, perturb, tiny_gpt2, tiny_panel

IDS = torch.arange(16)[None] % VOCAB


def lora(**arguments: Any) -> LoraConfig:
    settings = {"r": 2, "target_modules": ["c_attn"], "fan_in_fan_out": True}
    return LoraConfig(**{**settings, **arguments})


def wrapped(config: LoraConfig) -> PeftModel:
    with torch.random.fork_rng(devices=[]):
        return get_peft_model(tiny_gpt2(), config)


def native(config: LoraConfig) -> PreTrainedModel:
    model = tiny_gpt2()
    with torch.random.fork_rng(devices=[]):
        model.add_adapter(config)
    return model


def trained(model: torch.nn.Module) -> torch.nn.Module:
    """The model with adapters that do something."""
    with torch.no_grad():
        for index, parameter in enumerate(model.parameters()):
            if parameter.requires_grad:
                generator = torch.Generator().manual_seed(index)
                parameter.add_(torch.randn(parameter.shape, generator=generator))
    return model


def logits(model: torch.nn.Module) -> torch.Tensor:
    with torch.no_grad():
        return model(IDS).logits


def wanting(model: torch.nn.Module) -> dict[str, bool]:
    return {name: parameter.requires_grad for name, parameter in model.named_parameters()}


def switches(model: torch.nn.Module) -> dict[str, bool]:
    """Which layers say that they are off."""
    flags = {name: getattr(each, "disable_adapters", None) for name, each in model.named_modules()}
    return {name: flag for name, flag in flags.items() if isinstance(flag, bool)}


@pytest.mark.parametrize("modules_to_save", [None, ["ln_f"]], ids=["adapters", "whole_modules"])
@pytest.mark.parametrize("make", [wrapped, native])
def test_the_base_is_exact_and_everything_comes_back(
    make: Callable[[LoraConfig], torch.nn.Module], modules_to_save: list[str] | None
) -> None:
    model = trained(make(lora(modules_to_save=modules_to_save))).eval()
    # Of the active adapter too, some weights may be frozen by the user.
    next(p for n, p in model.named_parameters() if "lora_A" in n).requires_grad = False
    before, flags, off = logits(model), wanting(model), switches(model)
    assert len(off) == 2 + (modules_to_save is not None)
    assert any(flags.values())
    with without_adapters(model):
        assert torch.equal(logits(model), logits(tiny_gpt2().eval()))
    assert not torch.allclose(before, logits(tiny_gpt2().eval()))
    assert torch.equal(logits(model), before)
    assert wanting(model) == flags
    assert switches(model) == off


@pytest.mark.parametrize("make", [wrapped, native])
def test_everything_comes_back_after_an_error(
    make: Callable[[LoraConfig], torch.nn.Module],
) -> None:
    model = trained(make(lora())).eval()
    before, flags = logits(model), wanting(model)

    def look() -> None:
        with without_adapters(model):
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        look()
    assert torch.equal(logits(model), before)
    assert wanting(model) == flags


@pytest.mark.parametrize("make", [wrapped, native])
def test_adapters_that_were_off_stay_off(make: Callable[[LoraConfig], torch.nn.Module]) -> None:
    model = trained(make(lora())).eval()
    off = model.disable_adapter() if isinstance(model, PeftModel) else nullcontext()
    with off:
        if not isinstance(model, PeftModel):
            model.disable_adapters()
        with without_adapters(model):
            pass
        assert torch.equal(logits(model), logits(tiny_gpt2().eval()))
        assert all(switches(model).values())


def test_of_two_adapters_the_active_one_stays_the_active_one() -> None:
    model = trained(wrapped(lora()))
    model.add_adapter("second", lora())
    model.set_adapter("second")
    trained(model).eval()
    before, flags = logits(model), wanting(model)
    with without_adapters(model):
        assert torch.equal(logits(model), logits(tiny_gpt2().eval()))
    assert torch.equal(logits(model), before)
    assert wanting(model) == flags
    assert model.active_adapter == "second"


def test_several_active_ones_stay_active() -> None:
    model = trained(wrapped(lora()))
    model.add_adapter("second", lora())
    model.set_adapter("second")
    trained(model)
    model.base_model.set_adapter(["default", "second"])
    model.eval()
    before, flags = logits(model), wanting(model)
    with without_adapters(model):
        assert torch.equal(logits(model), logits(tiny_gpt2().eval()))
    assert torch.equal(logits(model), before)
    assert wanting(model) == flags
    assert model.base_model.active_adapters == ["default", "second"]


def test_what_the_user_froze_stays_frozen() -> None:
    model = trained(wrapped(lora())).eval()
    frozen = [name for name, each in model.named_parameters() if each.requires_grad][::2]
    for name in frozen:
        model.get_parameter(name).requires_grad = False
    flags = wanting(model)
    with without_adapters(model):
        pass
    assert wanting(model) == flags


def test_merged_ones_are_refused_and_looked_at_as_they_are() -> None:
    model = trained(wrapped(lora())).eval()
    model.merge_adapter()
    weights = {name: each.clone() for name, each in model.state_dict().items()}
    with pytest.raises(ArgumentError, match="merged into the weights"), without_adapters(model):
        pass
    # A look without the base leaves them merged.
    monitor = CollapseMonitor(tiny_panel(), rules=[], sampling=None)
    monitor.start(model)
    monitor.look(model, 1)
    assert all(torch.equal(each, weights[name]) for name, each in model.state_dict().items())
    assert model.get_model_status().merged_adapters == ["default"]


@pytest.mark.slow
def test_a_compiled_model_is_looked_through() -> None:
    base = logits(tiny_gpt2().eval())
    compiled = torch.compile(trained(wrapped(lora())).eval(), backend="eager")
    before = logits(compiled)
    with without_adapters(compiled):
        assert torch.equal(logits(compiled), base)
    assert torch.equal(logits(compiled), before)
    assert not torch.equal(before, base)


def test_a_data_parallel_model_is_looked_through(tmp_path: Path) -> None:
    model = trained(wrapped(lora())).eval()
    base = logits(tiny_gpt2().eval())
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/me", rank=0, world_size=1)
    try:
        parallel = torch.nn.parallel.DistributedDataParallel(model)
        with without_adapters(parallel):
            assert torch.equal(logits(parallel), base)
        assert not torch.equal(logits(parallel), base)
    finally:
        dist.destroy_process_group()


@pytest.mark.parametrize(
    ("config", "given"),
    [
        (lora(bias="lora_only"), "bias='lora_only'"),
        (lora(bias="all"), "bias='all'"),
        (lora(init_lora_weights="pissa_niter_2"), "init_lora_weights='pissa_niter_2'"),
        (lora(init_lora_weights="olora"), "init_lora_weights='olora'"),
    ],
)
def test_adapters_that_change_the_base_are_refused(config: LoraConfig, given: str) -> None:
    with (
        pytest.raises(ArgumentError, match=given),
        without_adapters(wrapped(config)),
    ):
        pass


def test_the_refused_starts_do_change_the_base() -> None:
    model = wrapped(lora(init_lora_weights="olora")).eval()
    with model.disable_adapter():
        assert not torch.allclose(logits(model), logits(tiny_gpt2().eval()), atol=1e-2)


@pytest.mark.parametrize("model", [tiny_gpt2(), torch.nn.Linear(2, 2)])
def test_a_model_without_adapters_is_refused(model: torch.nn.Module) -> None:
    with pytest.raises(ArgumentError, match="no adapters"), without_adapters(model):
        pass


def test_against_the_base_is_what_a_monitor_of_the_base_reads() -> None:
    panel, model = tiny_panel(), trained(wrapped(lora()))
    perturb(model, 0.02)
    of_base = CollapseMonitor(panel, rules=[], sampling=BRIEF)
    with model.disable_adapter():
        of_base.start(model)
    expected = of_base.look(model, 3)
    # This run began long ago: its start has the adapters already.
    late = CollapseMonitor(panel, rules=[], against_base=True, sampling=BRIEF)
    assert late.start(model)["tail_retention"] == 1.0
    reading = late.look(model, 3)
    for name in ("tail_retention", "head_retention", "tail_gap"):
        assert reading[f"{name}_vs_base"] == expected[name] != 1.0
        assert reading.standard_errors[f"{name}_vs_base"] == expected.standard_errors[name]
    assert reading["tail_retention"] == 1.0
