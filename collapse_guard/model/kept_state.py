"""What a model keeps beside its weights, put back after it was called for a look.

A forward pass may change more than it returns: running statistics, expert counts, codes of a vector
quantiser, rotary tables, a counter, a generator of its own. What it changes stands in modules, and
there it is put back; what stands elsewhere (in a closure, in an object that a module refers to) is
found out by `collapse_guard.model.trial`.
"""

import random
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import BuiltinFunctionType, FunctionType, MethodType, NoneType
from typing import Any

import numpy as np
import torch

_LARGEST_TENSOR = 1 << 22
_MOST_BYTES = 1 << 26
"""Copies of one tensor and of all of a model: weights that are kept as buffers are none."""

_LARGEST_CONTAINER = 10_000
_DEEPEST = 4

_FIXED = frozenset(
    (
        *(NoneType, bool, int, float, complex, str, bytes, type, tuple, frozenset, range),
        *(FunctionType, BuiltinFunctionType, MethodType),
        *(torch.dtype, torch.device, torch.Size, torch.nn.Parameter),
    )
)
"""Types of values that stay as they are, or are no state: most of what modules have."""

_OF_TORCH = frozenset(vars(torch.nn.Module()))
"""What every module has: its mode, parameters, hooks, and the two dictionaries copied by name."""

_MANAGERS = (
    *("torch.distributed.", "torch.nn.parallel.", "torch._dynamo."),
    *("deepspeed.", "accelerate."),
)
"""Where wrappers come from that keep book of passes in more than their own attributes: half of that
put back would be worse than nothing."""

PutBack = Callable[[], None]

_held = threading.local()


@contextmanager
def kept_state(model: torch.nn.Module) -> Iterator[None]:
    """Put back what a model keeps in its modules, whatever the block does to it.

    Buffers and attributes are the same objects with the same contents afterwards: tensors of up to
    4 MiB, numbers, lists, dictionaries, sets and random generators; what was added is gone again,
    and submodules that were exchanged are back. Quantised weights of bitsandbytes that were packed
    in another way are those that they were, with what is kept of their quantisation. Inside of
    another such block for the same model it does nothing, so a look takes one copy.

    Args:
        model: Any module.
    """
    holding = vars(_held).setdefault("modules", set())
    if id(model) in holding:
        yield
        return
    modules = list(model.modules())
    copier = _Copier()
    copies = [
        copier.module(module)
        for module in modules
        if not type(module).__module__.startswith(_MANAGERS)
    ]
    inside = set(map(id, modules)) - holding
    holding |= inside
    try:
        yield
    finally:
        holding -= inside
        with torch.no_grad():
            for attributes, own, dictionaries in copies:
                _put_back_attributes(attributes, own)
                for now, before in dictionaries:
                    _refill(now, before)
            for put_back in copier.contents:
                put_back()


class _Copier:
    """Copies what can change of modules.

    Attributes:
        contents: What puts back contents of attributes and buffers that are no plain values.
    """

    def __init__(self) -> None:
        self.contents: list[PutBack] = []
        self._bytes_left = _MOST_BYTES
        self._quantised = _quantised_types()
        # What is in two places is copied once, and what holds itself ends somewhere.
        self._seen: set[int] = set()

    def module(
        self, module: torch.nn.Module
    ) -> tuple[dict[str, Any], dict[str, Any], list[tuple[dict[str, Any], dict[str, Any]]]]:
        """Attributes as they are and as a copy without torch's own; buffers and submodules so."""
        attributes = vars(module)
        own = {name: each for name, each in attributes.items() if name not in _OF_TORCH}
        both = (module._buffers, module._modules)
        for value in (*own.values(), *both[0].values()):
            if type(value) not in _FIXED and (put_back := self._value(value)):
                self.contents.append(put_back)
        for parameter in module._parameters.values():
            if type(parameter) in self._quantised:
                self.contents.append(_quantised(parameter))
        return attributes, own, [(each, dict(each)) for each in both]

    def _value(self, value: Any, depth: int = 0) -> PutBack | None:
        """What puts a value's contents back; None where they cannot change, or cannot be kept."""
        if type(value) in _FIXED or id(value) in self._seen:
            return None
        self._seen.add(id(value))
        if isinstance(value, torch.Tensor):
            return self._tensor(value)
        if isinstance(value, torch.Generator | np.random.Generator | random.Random):
            return _generator(value)
        if isinstance(value, list | dict | set | deque):
            return self._container(value, depth)
        return None

    def _tensor(self, tensor: torch.Tensor) -> PutBack | None:
        size = tensor.numel() * tensor.element_size()
        if (
            type(tensor) not in (torch.Tensor, torch.nn.Buffer)
            or tensor.is_meta
            or tensor.is_inference()
            or tensor.layout is not torch.strided
            or size > min(_LARGEST_TENSOR, self._bytes_left)
        ):
            return None
        self._bytes_left -= size
        copy = tensor.detach().clone()
        version = tensor._version

        def put_back() -> None:
            # By way of `data`, which the version of a tensor that waits for its backward pass does
            # not count; and always, since what changed it may have gone that way too.
            if tensor.shape != copy.shape:
                tensor.data = copy
            elif not _overlaps(tensor):
                tensor.data.copy_(copy)
            elif tensor._version != version:
                tensor.data = copy

        return put_back

    def _container(self, value: Any, depth: int) -> PutBack | None:
        if len(value) > _LARGEST_CONTAINER or depth == _DEEPEST:
            return None
        copy = value.copy()
        items = value.values() if isinstance(value, dict) else value
        found = (self._value(item, depth + 1) for item in items)
        contents = [each for each in found if each]

        def put_back() -> None:
            if isinstance(value, dict):
                _refill(value, copy)
            elif len(value) != len(copy) or any(map(_is_not, value, copy)):
                value.clear()
                (value.update if isinstance(value, set) else value.extend)(copy)
            for each in contents:
                each()

        return put_back


def _quantised_types() -> tuple[type[Any], ...]:
    """Parameters of bitsandbytes, whose layers may pack them for evaluation; none without it."""
    functional = sys.modules.get("bitsandbytes.nn")
    return () if functional is None else (functional.Params4bit, functional.Int8Params)


def _quantised(parameter: Any) -> PutBack:
    """By reference, as what packs weights makes others of them; so it costs no copy."""
    data, attributes = parameter.data, dict(vars(parameter))
    objects: list[dict[str, Any]] = [
        each.__dict__ for each in attributes.values() if type(each).__name__ == "QuantState"
    ]
    copies = [dict(each) for each in objects]

    def put_back() -> None:
        if parameter.data_ptr() != data.data_ptr() or parameter.shape != data.shape:
            parameter.data = data
        _refill(vars(parameter), attributes)
        for now, before in zip(objects, copies, strict=True):
            _refill(now, before)

    return put_back


def _generator(generator: Any) -> PutBack:
    if isinstance(generator, torch.Generator):
        state = generator.get_state()

        def put_back_state() -> None:
            generator.set_state(state)

        return put_back_state
    if isinstance(generator, random.Random):
        drawn = generator.getstate()
        return lambda: generator.setstate(drawn)
    bits = generator.bit_generator
    numbers = bits.state

    def put_back() -> None:
        bits.state = numbers

    return put_back


def _put_back_attributes(attributes: dict[str, Any], own: dict[str, Any]) -> None:
    missing = object()
    for name, value in own.items():
        if attributes.get(name, missing) is not value:
            attributes[name] = value
    if len(attributes) > len(_OF_TORCH) + len(own):
        for name in attributes.keys() - _OF_TORCH - own.keys():
            del attributes[name]


def _refill(now: dict[Any, Any], before: dict[Any, Any]) -> None:
    """Let a dictionary hold what it held, in its order, touching it only where it does not."""
    if list(now) == list(before) and not any(map(_is_not, now.values(), before.values())):
        return
    now.clear()
    now.update(before)


def _overlaps(tensor: torch.Tensor) -> bool:
    """Whether places of a tensor share memory, as those of an expanded one do."""
    return any(
        stride == 0 and size > 1 for stride, size in zip(tensor.stride(), tensor.shape, strict=True)
    )


def _is_not(one: object, other: object) -> bool:
    return one is not other
