"""The settings of generators, read as the arguments of a `Decoding`.

The tables name the settings that change from which law a token is drawn, with the values that
switch each off. What is in no table (lengths, stop words, seeds, caches) changes no law.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from collapse_guard.errors import ArgumentError, bad_argument

# Also the values that stand for "not set": None in both libraries.
_OFF = (None, False)

_NO_LAW_OF_TOKENS = (
    "what a search or a choice among texts gives follows no law of single tokens: draw rows "
    "without it, or train on these with the plain loss and a floor of human rows"
)
_NOT_YET = (
    "a likelihood does not take that back so far: draw rows without it, or train on these with the "
    "plain loss and a floor of human rows"
)

_TRANSFORMERS_SEARCH: Mapping[str, tuple[Any, ...]] = {
    "num_beams": (1,),
    "num_beam_groups": (1,),
    "constraints": (),
    "force_words_ids": (),
    "dola_layers": (),
}
_TRANSFORMERS_NOT_YET: Mapping[str, tuple[Any, ...]] = {
    "repetition_penalty": (1,),
    "encoder_repetition_penalty": (1,),
    "diversity_penalty": (0,),
    "no_repeat_ngram_size": (0,),
    "encoder_no_repeat_ngram_size": (0,),
    "typical_p": (1,),
    "top_h": (),
    "epsilon_cutoff": (0,),
    "eta_cutoff": (0,),
    "guidance_scale": (1,),
    "min_length": (0,),
    "min_new_tokens": (0,),
    "sequence_bias": (),
    "bad_words_ids": ([],),
    "suppress_tokens": ([],),
    "begin_suppress_tokens": ([],),
    "forced_bos_token_id": (),
    "forced_eos_token_id": (),
    "exponential_decay_length_penalty": (),
    "watermarking_config": (),
    "assistant_ensemble_weight": (0, 1),
}

_VLLM_SEARCH: Mapping[str, tuple[Any, ...]] = {
    "use_beam_search": (),
    "best_of": (1,),
    "trace_decode_token_ids": ([],),
}
_VLLM_NOT_YET: Mapping[str, tuple[Any, ...]] = {
    "repetition_penalty": (1,),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "min_tokens": (0,),
    "logit_bias": ({},),
    "allowed_token_ids": ([],),
    "bad_words": ([],),
    "logits_processors": ([],),
    "guided_decoding": (),
    "structured_outputs": (),
    "thinking_token_budget": (-1,),
}

_Get = Callable[[str], Any]


def from_transformers(config: object) -> dict[str, Any]:
    """The arguments of a `Decoding` in a `GenerationConfig` of transformers.

    What is None has the value of `GenerationConfig._get_default_generation_params` (5.23), which
    are those of the class itself in older releases.

    Args:
        config: An object with such attributes, or a dictionary.

    Raises:
        ArgumentError: It does not sample, or with more than temperature, top-k, top-p and min-p.
    """
    get = _reader(config)
    _refuse("config", get, _TRANSFORMERS_SEARCH, _NO_LAW_OF_TOKENS)
    if not get("do_sample"):
        raise _refusal(
            "config",
            {"do_sample": get("do_sample")},
            "greedy text shows nothing but the likeliest token: draw rows with do_sample=True",
        )
    _refuse("config", get, _TRANSFORMERS_NOT_YET, _NOT_YET)
    return {
        "temperature": _or(get("temperature"), 1.0),
        "top_k": _or(get("top_k"), 50) or None,
        "top_p": _unless(get("top_p"), 1),
        "min_p": _unless(get("min_p"), 0),
    }


def from_vllm(params: object) -> dict[str, Any]:
    """The arguments of a `Decoding`, without its order, in `SamplingParams` of vLLM.

    Args:
        params: An object with such attributes, or a dictionary.

    Raises:
        ArgumentError: It does not sample, or with more than temperature, top-k, top-p and min-p.
    """
    get = _reader(params)
    search = dict(_VLLM_SEARCH)
    # Up to 0.6 `best_of` stands at `n` where it is not set: all of the texts are returned.
    search["best_of"] = (*search["best_of"], _or(get("n"), 1))
    _refuse("params", get, search, _NO_LAW_OF_TOKENS)
    temperature = _or(get("temperature"), 1.0)
    if temperature == 0:
        raise _refusal(
            "params",
            {"temperature": temperature},
            "greedy text shows nothing but the likeliest token: draw rows at a temperature above 0",
        )
    _refuse("params", get, _VLLM_NOT_YET, _NOT_YET)
    top_k = get("top_k")
    return {
        "temperature": temperature,
        "top_k": None if top_k in (0, -1) else top_k,
        "top_p": _unless(get("top_p"), 1),
        "min_p": _unless(get("min_p"), 0),
    }


def _reader(settings: object) -> _Get:
    if isinstance(settings, Mapping):
        return lambda name: _plain(name, settings.get(name))
    return lambda name: _plain(name, getattr(settings, name, None))


def _plain(name: str, value: Any) -> Any:
    """A setting, if it is one of those that compare with numbers and texts as those do."""
    if value is None or isinstance(value, str | int | float | list | tuple | dict):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping) or type(value).__module__.partition(".")[0] in _GENERATORS:
        return value
    raise bad_argument(
        name,
        expected="a number, a text or a list, as generators take it",
        given=value,
        hint="give the settings as the generator was given them",
    )


_GENERATORS = ("transformers", "vllm")
"""Packages whose own objects may be settings."""


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value


def _unless(value: Any, off: Any) -> Any:
    return None if value == off else value


def _refuse(argument: str, get: _Get, table: Mapping[str, tuple[Any, ...]], hint: str) -> None:
    on = {name: get(name) for name, off in table.items() if get(name) not in (*_OFF, *off)}
    if on:
        raise _refusal(argument, on, hint)


def _refusal(argument: str, on: Mapping[str, Any], hint: str) -> ArgumentError:
    return bad_argument(
        argument,
        expected="tokens drawn by temperature, top-k, top-p and min-p alone",
        given=dict(on),
        hint=hint,
    )
