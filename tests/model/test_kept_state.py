"""Training goes on as if nobody had looked, whatever a model keeps beside its parameters."""

import random
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations, parametrize
from transformers import BigBirdConfig, BigBirdForCausalLM

from collapse_guard import CollapseMonitor, EveryNSteps, Sampling
from collapse_guard.model.kept_state import kept_state
from tests.model.another_thread import another_thread
from tests.tiny import VOCAB, tiny_llama, tiny_panel

WIDTH = 16


class Net(nn.Module):
    """A language model of a recurrent layer, with room for a part that remembers."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCAB, WIDTH)
        self.recurrent = nn.GRU(WIDTH, WIDTH, batch_first=True)
        self.linear = nn.Linear(WIDTH, WIDTH)
        self.out = nn.Linear(WIDTH, VOCAB)

    def remember(self, hidden: torch.Tensor) -> torch.Tensor:
        return hidden

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        hidden, _ = self.recurrent(self.embedding(input_ids))
        logits: torch.Tensor = self.out(torch.tanh(self.remember(self.linear(hidden))))
        return logits


class RunningMean(Net):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(WIDTH))

    def remember(self, hidden: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            self.mean.mul_(0.9).add_(0.1 * hidden.mean((0, 1)))
        return hidden - self.mean


class RunningMeanThroughData(RunningMean):
    """As many codes of vector quantisers are written, past the count of versions."""

    def remember(self, hidden: torch.Tensor) -> torch.Tensor:
        self.mean.data.mul_(0.9).add_(0.1 * hidden.detach().mean((0, 1)))
        return hidden - self.mean


class Observer(Net):
    """Puts a new tensor in the buffer's place."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("largest", torch.zeros(1), persistent=False)

    def remember(self, hidden: torch.Tensor) -> torch.Tensor:
        self.largest = torch.maximum(self.largest, hidden.detach().abs().amax())
        return hidden / self.largest


class Codes(Net):
    """A vector quantiser with counts."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("codes", torch.randn(8, WIDTH))
        self.register_buffer("counts", torch.ones(8))

    def remember(self, hidden: torch.Tensor) -> torch.Tensor:
        flat = hidden.reshape(-1, WIDTH)
        nearest = torch.cdist(flat, self.codes).argmin(1)
        with torch.no_grad():
            self.counts.mul_(0.9).add_(0.1 * torch.bincount(nearest, minlength=8))
        chosen = self.codes[nearest] * self.counts[nearest, None].rsqrt()
        return hidden + chosen.view_as(hidden)


class Experts(Net):
    """Counts of experts steer a bias, which the loop sets from them after each step."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("counts", torch.zeros(4))
        self.register_buffer("bias", torch.zeros(4))
        self.router = nn.Linear(WIDTH, 4)
        self.experts = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(4))

    def remember(self, hidden: torch.Tensor) -> torch.Tensor:
        if self.training and self.counts.sum():
            with torch.no_grad():
                self.bias.add_(0.1 * (self.counts.mean() - self.counts).sign())
                self.counts.zero_()
        scores = self.router(hidden)
        chosen = (scores + self.bias).argmax(-1)
        with torch.no_grad():
            self.counts.add_(torch.bincount(chosen.flatten(), minlength=4).float())
        parts = [(chosen == n).unsqueeze(-1) * each(hidden) for n, each in enumerate(self.experts)]
        return torch.stack(parts).sum(0) * scores.sigmoid().amax(-1, keepdim=True)


class Counter(Net):
    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def remember(self, hidden: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return hidden * (1 + 0.01 * self.calls)


class OwnGenerators(Net):
    def __init__(self) -> None:
        super().__init__()
        self.torch_generator = torch.Generator().manual_seed(5)
        self.numpy_generator = np.random.default_rng(5)
        self.python_generator = random.Random(5)

    def remember(self, hidden: torch.Tensor) -> torch.Tensor:
        kept = torch.bernoulli(torch.full(hidden.shape, 0.8), generator=self.torch_generator)
        return hidden * kept * (1 + self.numpy_generator.random()) * self.python_generator.random()


class Containers(Net):
    """A list, a queue, a set, and a dictionary with a tensor and a list in it."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[float] = []
        self.last: deque[float] = deque(maxlen=3)
        self.lengths: set[int] = set()
        self.cache: dict[str, Any] = {"sum": torch.zeros(WIDTH), "sums": [0.0]}

    def remember(self, hidden: torch.Tensor) -> torch.Tensor:
        size = float(hidden.detach().abs().mean())
        self.seen.append(size)
        self.last.append(size)
        self.lengths.add(hidden.shape[1])
        self.cache["sum"] += hidden.detach().mean((0, 1))
        self.cache["sums"][0] += size
        self.cache[str(len(self.seen))] = size
        scale = sum(self.seen) + sum(self.last) + len(self.lengths) + self.cache["sums"][0]
        return hidden * (1 + scale / 100) + self.cache["sum"] + len(self.cache) / 100


class Exchanged(Net):
    """Puts another submodule in place for short texts, as BigBird does with its attention."""

    def remember(self, hidden: torch.Tensor) -> torch.Tensor:
        if hidden.shape[1] > 20:
            self.linear = nn.Linear(WIDTH, WIDTH)
            self.late = True
        return hidden


class Hooked(Net):
    """A hook that counts, in an attribute that nobody declared."""

    def __init__(self) -> None:
        super().__init__()
        self.linear.register_forward_hook(self._count)

    def _count(self, module: nn.Module, _: Any, output: torch.Tensor) -> torch.Tensor:
        calls = vars(self).get("calls", 0) + 1
        self.calls = calls
        return output * (1 + 0.001 * calls)


def with_norm(track: bool, frozen: bool) -> Callable[[], nn.Module]:
    def make() -> nn.Module:
        net = Net()
        net.linear = nn.Sequential(nn.Linear(WIDTH, WIDTH), Transposed(track))
        if frozen:
            net.linear[1].eval()
        return net

    return make


class Transposed(nn.Module):
    def __init__(self, track: bool) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(WIDTH, track_running_stats=track)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        normed: torch.Tensor = self.norm(hidden.transpose(1, 2)).transpose(1, 2)
        return normed


def reparametrized(how: Callable[[nn.Module], Any]) -> Callable[[], nn.Module]:
    def make() -> nn.Module:
        net = Net()
        how(net.linear)
        return net

    return make


def dynamic_llama() -> nn.Module:
    """Rotary tables that grow with the longest text: training is shorter than the panel."""
    rope = {"rope_type": "dynamic", "factor": 4.0, "rope_theta": 1e4}
    return tiny_llama(positions=16, rope_parameters=rope)


def big_bird() -> nn.Module:
    """Goes over to full attention for good where a text is short: the panel is."""
    return BigBirdForCausalLM(
        BigBirdConfig(
            vocab_size=VOCAB,
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=512,
            is_decoder=True,
            attention_type="block_sparse",
            block_size=4,
            num_random_blocks=2,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )
    )


KINDS: dict[str, Callable[[], nn.Module]] = {
    "nothing": Net,
    "running mean": RunningMean,
    "running mean through data": RunningMeanThroughData,
    "buffer replaced": Observer,
    "vector quantiser": Codes,
    "expert counts": Experts,
    "call counter": Counter,
    "own generators": OwnGenerators,
    "containers": Containers,
    "submodule exchanged": Exchanged,
    "hook that counts": Hooked,
    "batch norm": with_norm(track=True, frozen=False),
    "batch norm, frozen": with_norm(track=True, frozen=True),
    "batch norm without statistics": with_norm(track=False, frozen=False),
    "spectral norm": reparametrized(parametrizations.spectral_norm),
    "spectral norm, old": reparametrized(nn.utils.spectral_norm),
    "weight norm": reparametrized(parametrizations.weight_norm),
    "orthogonal": reparametrized(parametrizations.orthogonal),
    "dynamic rotary tables": dynamic_llama,
    "attention by length": big_bird,
}


def trained(
    make: Callable[[], nn.Module], watched: bool, *, length: int = 16
) -> tuple[list[float], dict[str, Any], Any]:
    """Losses of some steps, what the model is after them, and the next random numbers."""
    torch.manual_seed(1)
    model = make()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    monitor = None
    # Writing begins with short texts, after which rotary tables begin anew.
    if watched and make is dynamic_llama:
        monitor = CollapseMonitor(tiny_panel(), rules=(), pace=EveryNSteps(1), sampling=None)
        monitor.start(model)
    elif watched:
        sampling = Sampling(
            num_free=3,
            num_prompts=2,
            samples_per_prompt=2,
            prompt_length=4,
            length=8,
            start_ids=(0,),
        )
        monitor = CollapseMonitor(tiny_panel(), rules=(), pace=EveryNSteps(1), sampling=sampling)
        monitor.start(model)
    generator = torch.Generator().manual_seed(9)
    losses = []
    for step in range(1, 7):
        rows = torch.randint(VOCAB, (4, length), generator=generator)
        logits = model(rows)
        logits = getattr(logits, "logits", logits)[:, :-1]
        loss = F.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        if monitor is not None:
            monitor.look(model, step)
    state = {name: values.clone() for name, values in model.state_dict().items()}
    return losses, state, torch.rand(1).item()


@pytest.fixture(params=["alone", "with another thread"])
def _threads(request: pytest.FixtureRequest) -> Iterator[None]:
    """Beside another thread it does not show who drew random numbers."""
    with nullcontext() if request.param == "alone" else another_thread():
        yield


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated")
@pytest.mark.usefixtures("_threads")
def test_training_is_the_same_to_the_bit(kind: str) -> None:
    length = 128 if kind == "attention by length" else 24 if "rotary" in kind else 16
    alone, watched = (trained(KINDS[kind], each, length=length) for each in (False, True))
    assert alone[0] == watched[0]
    assert alone[1].keys() == watched[1].keys()
    for name, values in alone[1].items():
        assert torch.equal(values, watched[1][name]), name
    assert alone[2] == watched[2]


@pytest.mark.parametrize("kind", ["running mean", "call counter", "own generators", "containers"])
def test_these_models_would_be_changed_by_a_bare_look(kind: str) -> None:
    """So that the test above can fail: without anything put back, what they compute moves."""
    torch.manual_seed(1)
    model = KINDS[kind]().eval()
    ids = torch.arange(16)[None]
    with torch.no_grad():
        first, second = model(ids), model(ids)
    assert not torch.equal(first, second)


def test_what_was_added_is_gone_and_what_was_taken_is_back() -> None:
    model = Net()
    model.kept = {"a": [1, 2]}
    kept, inner = model.kept, model.kept["a"]
    linear = model.linear
    with kept_state(model):
        model.added = torch.zeros(3)
        model.register_buffer("another", torch.zeros(3))
        del model.kept
        kept["b"] = 3
        inner.append(4)
        model.linear = nn.Linear(2, 2)
        del model.out
    assert not hasattr(model, "added")
    assert not hasattr(model, "another")
    assert model.kept is kept
    assert kept == {"a": [1, 2]}
    assert kept["a"] is inner
    assert model.linear is linear
    assert list(model._modules) == ["embedding", "recurrent", "linear", "out"]


def test_a_look_inside_a_look_leaves_it_to_the_outer_one() -> None:
    model = Counter()
    with kept_state(model):
        model.calls = 5
        with kept_state(model.linear), kept_state(model):
            model.calls = 7
        assert model.calls == 7
    assert model.calls == 0
    with kept_state(model):
        model.calls = 3
    assert model.calls == 0


def test_it_is_put_back_after_an_error_too() -> None:
    model = RunningMean()

    def look() -> None:
        with kept_state(model):
            model.mean += 1
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        look()
    assert torch.equal(model.mean, torch.zeros(WIDTH))


def test_a_backward_pass_that_waits_is_not_spoilt() -> None:
    """A look between forward and backward: tensors that the graph has kept count as untouched."""
    model = RunningMean()
    ids = torch.arange(16)[None]
    loss = (model(ids) * model.mean.sum()).sum()
    with kept_state(model), torch.no_grad():
        pass
    loss.backward()


def test_an_expanded_buffer_is_left_alone() -> None:
    model = Net()
    model.register_buffer("wide", torch.zeros(1).expand(5))
    with kept_state(model):
        pass
    assert model.wide.stride() == (0,)


def test_weights_that_are_kept_as_buffers_are_not_copied() -> None:
    model = Net()
    model.register_buffer("weights", torch.zeros(1 << 21, dtype=torch.float32))
    with kept_state(model):
        model.weights[0] = 1.0
    assert model.weights[0] == 1.0


def test_what_autocast_and_parametrizations_cache_stays_apart() -> None:
    """A look before the forward pass, in the blocks that training caches in."""
    losses = []
    for watched in (False, True):
        torch.manual_seed(0)
        model = reparametrized(parametrizations.weight_norm)()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        monitor = CollapseMonitor(tiny_panel(), rules=(), pace=EveryNSteps(1), sampling=None)
        if watched:
            monitor.start(model)
        found = []
        for step in range(1, 4):
            ids = torch.randint(VOCAB, (4, 16), generator=torch.Generator().manual_seed(step))
            with torch.autocast("cpu", torch.bfloat16), parametrize.cached():
                if watched:
                    monitor.look(model, step)
                logits = model(ids)[:, :-1]
                loss = F.cross_entropy(logits.flatten(0, 1).float(), ids[:, 1:].flatten())
            loss.backward()
            gradients = [each.grad is not None for each in model.parameters()]
            assert all(gradients)
            optimizer.step()
            optimizer.zero_grad()
            found.append(loss.item())
        losses.append(found)
    assert losses[0] == losses[1]
