"""How a text was drawn: what stands between a model's logits and the token that it writes."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import torch

from collapse_guard.arguments import Check, a, check_fields, number, optional, understood, whole
from collapse_guard.errors import bad_argument
from collapse_guard.model.sampler_settings import from_transformers, from_vllm

TRANSFORMERS_ORDER = ("top_k", "top_p", "min_p")
"""The order of cuts in transformers (`GenerationMixin._get_logits_processor` of 5.23)."""

VLLM_ORDER = ("min_p", "top_k", "top_p")
"""The order of cuts in vLLM (`vllm/v1/sample/sampler.py`: the docstring of its `Sampler`)."""

COLDEST_MATCHED = 0.05
"""Below this a likelihood has nothing to hold on to.

A type of 60% of the likeliest one's probability is then drawn once in 20,000 times.
"""


@dataclass(frozen=True)
class Decoding:
    """A sampler: logits are divided by the temperature, cut, and drawn from by their softmax.

    Each cut sees what the ones before it have left over, with probabilities that add up to 1. Ties
    are broken as transformers breaks them (see `collapse_guard.model.cuts`).

    Attributes:
        temperature: Divides the logits, above 0; 1.0 leaves them as they are. It comes first.
        top_k: Keep the k likeliest types, at least 1; 1 is greedy decoding. None keeps all.
        top_p: Keep the smallest set of likeliest types that holds at least this share, in (0, 1].
            "Nucleus sampling" of Holtzman et al. 2020 (arXiv 1904.09751). None keeps all.
        min_p: Keep the types of at least this share of the likeliest one's probability, in [0, 1].
            Nguyen et al. 2024 (arXiv 2407.01082). None keeps all.
        order: In which order the cuts are made: `TRANSFORMERS_ORDER` or another permutation.

    Raises:
        ArgumentError: At construction, for a number out of range or an order that is none.

    Example:
        >>> nucleus = Decoding(temperature=0.8, top_p=0.95)
        >>> print(nucleus)
        T 0.8, top-p 0.95
        >>> Decoding.from_dict(nucleus.to_dict()) == nucleus
        True
        >>> print(Decoding.from_vllm({"temperature": 0.6, "top_k": 20, "min_p": 0.05}))
        T 0.6, min-p 0.05, top-k 20
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    order: tuple[str, ...] = TRANSFORMERS_ORDER

    def __post_init__(self) -> None:
        check_fields(
            self,
            temperature=_number_from(
                "a number",
                above=0,
                hint="1.0 samples the model as it is; top_k=1 is greedy decoding",
            ),
            top_k=optional(whole(least=1, hint="None keeps every token")),
            top_p=optional(_number_from(_SHARE, above=0, most=1, hint="None keeps every token")),
            min_p=optional(_number_from(_SHARE, least=0, most=1, hint="None keeps every token")),
            order=_order,
        )

    @classmethod
    def from_generation_config(cls, config: object) -> Self:
        """What transformers' `generate` does with a `GenerationConfig`.

        What the configuration leaves out has the value that `generate` gives it: `top_k` is 50
        then, and nothing is drawn at all unless `do_sample` says so. A model's own
        `generation_config` fills in what a call leaves out, so give the one that was in force.

        Args:
            config: A `GenerationConfig`, another object with such attributes, or a dictionary.

        Raises:
            ArgumentError: Text that was not drawn token by token (greedy, beam search), or with
                something that a likelihood does not take back so far, such as a penalty.
        """
        return cls._checked(from_transformers(config))

    @classmethod
    def from_vllm(cls, params: object) -> Self:
        """What vLLM does with its `SamplingParams`: `min_p` cuts first there.

        Args:
            params: `SamplingParams`, or a dictionary of them (`{"temperature": 0.7, ...}`). What is
                left out has vLLM's own default. A server may take others from the model's
                `generation_config.json`, so give the ones that were in force.

        Raises:
            ArgumentError: As in `from_generation_config`.
        """
        return cls._checked({**from_vllm(params), "order": VLLM_ORDER})

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Self:
        """A decoding from what `to_dict` gave.

        Raises:
            ArgumentError: Names that a decoding does not have, or values out of range.
        """
        unknown = sorted(set(state) - {field.name for field in fields(cls)})
        if unknown:
            raise bad_argument(
                "state",
                expected=f"any of {', '.join(field.name for field in fields(cls))}",
                given=unknown,
                hint="use from_generation_config or from_vllm for the settings of a generator",
            )
        return cls(**state)

    @classmethod
    def _checked(cls, arguments: Mapping[str, Any]) -> Self:
        decoding = cls(**arguments)
        check_matchable(decoding)
        return decoding

    def to_dict(self) -> dict[str, Any]:
        """Itself in plain JSON types, for ledgers."""
        return {**asdict(self), "order": list(self.order)}

    @property
    def cuts(self) -> tuple[str, ...]:
        """Which cuts take something away, in their order."""
        keeps_all = {"top_k": (None,), "top_p": (None, 1.0), "min_p": (None, 0.0)}
        return tuple(name for name in self.order if getattr(self, name) not in keeps_all[name])

    @property
    def is_plain(self) -> bool:
        """Whether tokens are drawn from the model as it is, so that there is nothing to match."""
        return self.temperature == 1 and not self.cuts

    def __str__(self) -> str:
        parts = [f"T {self.temperature:g}"] if self.temperature != 1 or not self.cuts else []
        parts += [f"{cut.replace('_', '-')} {getattr(self, cut):g}" for cut in self.cuts]
        return ", ".join(parts)


def check_matchable(decoding: Decoding, argument: str = "decoding") -> None:
    """Refuse a decoding whose text tells next to nothing about the law that it was drawn from.

    Args:
        decoding: How the text was drawn.
        argument: What the caller calls it.

    Raises:
        ArgumentError: It is greedy, or nearly so.
    """
    if not isinstance(decoding, Decoding):
        A_DECODING(argument, decoding)
    if decoding.top_k == 1 or decoding.temperature < COLDEST_MATCHED:
        raise bad_argument(
            argument,
            expected=f"a top-k above 1 and a temperature of at least {COLDEST_MATCHED}",
            given=str(decoding),
            hint="greedy text shows nothing but the likeliest token, so that no likelihood can "
            "take the sampler back: draw rows at a higher temperature, or train on these with the "
            "plain loss and a floor of human rows",
        )


_SHARE = "a share"


def _number_from(what: str, hint: str, **limits: float) -> Check:
    """A number as Python's own float, which JSON takes, also where it came from numpy or torch."""

    def check(name: str, given: Any) -> float:
        is_one = isinstance(given, torch.Tensor) and given.numel() == 1 and not given.is_meta
        return float(
            number(name, given.item() if is_one else given, what=what, hint=hint, **limits)
        )

    return check


def _order(name: str, given: Any) -> tuple[str, ...]:
    wanted = {
        "expected": f"each of {', '.join(TRANSFORMERS_ORDER)} once",
        "hint": "leave it out for the order of transformers",
    }
    with understood(name, given, **wanted):
        order = tuple(given[:]) if len(given) == len(TRANSFORMERS_ORDER) else ()
        fits = sorted(order) == sorted(TRANSFORMERS_ORDER)
    if not fits:
        raise bad_argument(name, given=given, **wanted)
    return order


A_DECODING = a(Decoding, expected="a Decoding", hint="give Decoding(temperature=0.8), for example")
"""Checks an argument that is to be one."""

PLAIN = Decoding()
"""Tokens drawn from the model as it is."""
