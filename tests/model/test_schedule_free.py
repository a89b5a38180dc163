import pytest
import schedulefree
import torch

from collapse_guard import CollapseMonitor, EveryNSteps
from collapse_guard.model.schedule_free import averaged_weights, is_schedule_free
from tests.tiny import BRIEF, tiny_gpt2, tiny_panel

Made = tuple[torch.nn.Linear, object]


def stepped(make: object, steps: int = 10) -> Made:
    generator = torch.Generator().manual_seed(0)
    layer = torch.nn.Linear(40, 30)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    optimizer = make(layer.parameters())
    if hasattr(optimizer, "train"):
        optimizer.train()
    for _ in range(steps):
        loss = layer(torch.randn(3, 40, generator=generator)).square().sum()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return layer, optimizer


KINDS = {
    "adamw": lambda parameters: schedulefree.AdamWScheduleFree(parameters, lr=0.1),
    "adamw_reference": lambda parameters: schedulefree.AdamWScheduleFreeReference(
        parameters, lr=0.1
    ),
    "sgd": lambda parameters: schedulefree.SGDScheduleFree(parameters, lr=0.1),
    "radam": lambda parameters: schedulefree.RAdamScheduleFree(parameters, lr=0.1),
    "wrapper": lambda parameters: schedulefree.ScheduleFreeWrapper(
        torch.optim.SGD(parameters, lr=0.1)
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_average_is_held_and_every_bit_comes_back(kind: str) -> None:
    layer, optimizer = stepped(KINDS[kind])
    twin, its_optimizer = stepped(KINDS[kind])
    its_optimizer.eval()
    before = layer.weight.detach().clone()
    with averaged_weights(optimizer):
        assert torch.equal(layer.weight, twin.weight)
        assert not torch.equal(layer.weight, before)
    assert torch.equal(layer.weight, before)
    # It refuses to step unless it is in training mode again.
    layer(torch.ones(1, 40)).sum().backward()
    optimizer.step()


def test_going_there_and_back_without_a_copy_would_leave_a_trace() -> None:
    layer, optimizer = stepped(KINDS["adamw"])
    before = layer.weight.detach().clone()
    optimizer.eval()
    optimizer.train()
    assert not torch.equal(layer.weight, before)


def test_weights_come_back_after_an_error() -> None:
    layer, optimizer = stepped(KINDS["adamw"])
    before = layer.weight.detach().clone()
    with pytest.raises(ValueError, match="broken"), averaged_weights(optimizer):
        raise ValueError("broken")
    assert torch.equal(layer.weight, before)
    assert optimizer.param_groups[0]["train_mode"]


def test_one_that_is_in_evaluation_mode_stays_there() -> None:
    layer, optimizer = stepped(KINDS["adamw"])
    optimizer.eval()
    before = layer.weight.detach().clone()
    with averaged_weights(optimizer):
        assert torch.equal(layer.weight, before)
    assert torch.equal(layer.weight, before)
    assert not optimizer.param_groups[0]["train_mode"]


@pytest.mark.parametrize("kind", KINDS)
def test_schedule_free_ones_are_told_from_others(kind: str) -> None:
    _, optimizer = stepped(KINDS[kind], steps=0)
    assert is_schedule_free(optimizer)

    class Wrapper:
        def __init__(self) -> None:
            self.optimizer = optimizer

        def eval(self) -> None: ...

        def train(self) -> None: ...

    assert is_schedule_free(Wrapper())


def test_others_are_left_alone() -> None:
    layer, optimizer = stepped(lambda parameters: torch.optim.AdamW(parameters, lr=0.1))
    before = layer.weight.detach().clone()
    for each in (optimizer, None):
        assert not is_schedule_free(each)
        with averaged_weights(each):
            assert torch.equal(layer.weight, before)


def test_every_kind_of_look_sees_the_average() -> None:
    model = tiny_gpt2()
    optimizer = schedulefree.SGDScheduleFree(model.parameters(), lr=0.05)
    optimizer.train()
    monitor = CollapseMonitor(tiny_panel(), pace=EveryNSteps(2), sampling=BRIEF)
    monitor.start(model, optimizer=optimizer)
    for _ in range(4):
        ids = torch.arange(20)[None]
        model(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    trained = {name: each.clone() for name, each in model.state_dict().items()}
    seen = [
        monitor.look(model, 1, optimizer=optimizer)["perplexity"],
        monitor.observe(model, 2, optimizer=optimizer)["perplexity"],
    ]
    assert all(torch.equal(trained[name], each) for name, each in model.state_dict().items())
    optimizer.eval()
    average = monitor.look(model, 3)["perplexity"]
    assert seen == [average, average]
    optimizer.train()
    assert monitor.look(model, 4)["perplexity"] != average


def test_what_has_switches_and_no_mode_is_none_of_them() -> None:
    class Switched(torch.optim.SGD):
        def eval(self) -> None:
            raise AssertionError("asked")

        train = eval

    layer = torch.nn.Linear(2, 2)
    before = layer.weight.detach().clone()
    for optimizer in (Switched(layer.parameters(), lr=0.1), layer):
        assert not is_schedule_free(optimizer)
        with averaged_weights(optimizer):
            assert torch.equal(layer.weight, before)


def test_a_wrapper_of_itself_comes_to_an_end() -> None:
    class Around:
        @property
        def optimizer(self) -> "Around":
            return self

    assert not is_schedule_free(Around())


def test_weights_that_could_not_be_copied_were_not_moved() -> None:
    layer, optimizer = stepped(KINDS["sgd"])
    before = layer.weight.detach().clone()

    class Full(torch.nn.Parameter):
        def detach(self) -> torch.Tensor:
            raise MemoryError

    optimizer.param_groups[0]["params"].append(Full(torch.zeros(2)))
    with pytest.raises(MemoryError), averaged_weights(optimizer):
        pytest.fail("it was looked at")
    assert torch.equal(layer.weight, before)
    assert optimizer.param_groups[0]["train_mode"]
