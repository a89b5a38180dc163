"""Decodings out of the settings of generators: what these mean, and what is refused."""

from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from transformers import GenerationConfig, SynthIDTextWatermarkingConfig

from collapse_guard.errors import ArgumentError
from collapse_guard.model.decoding import TRANSFORMERS_ORDER, VLLM_ORDER, Decoding


def test_a_generation_config_means_what_generate_does() -> None:
    # 50 is what `generate` takes where nothing is said.
    assert Decoding.from_generation_config(GenerationConfig(do_sample=True)) == Decoding(top_k=50)
    said = GenerationConfig(do_sample=True, temperature=0.7, top_k=0, top_p=0.9, min_p=0.02)
    expected = Decoding(temperature=0.7, top_p=0.9, min_p=0.02)
    assert Decoding.from_generation_config(said) == expected
    assert Decoding.from_generation_config(said.to_dict()) == expected
    assert expected.order == TRANSFORMERS_ORDER
    bare = {"do_sample": True, "top_k": 20, "max_new_tokens": 5, "eos_token_id": 0}
    assert Decoding.from_generation_config(bare) == Decoding(top_k=20)


def test_the_defaults_are_those_of_transformers() -> None:
    defaults = GenerationConfig._get_default_generation_params()
    assert Decoding.from_generation_config({**defaults, "do_sample": True}) == Decoding(top_k=50)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"do_sample": False}, "'do_sample': False}: greedy text"),
        ({"do_sample": None}, "'do_sample': None}: greedy text"),
        ({"num_beams": 4}, "'num_beams': 4}: what a search"),
        ({"repetition_penalty": 1.1}, "'repetition_penalty': 1.1}: a likelihood does not"),
        ({"no_repeat_ngram_size": 3}, "'no_repeat_ngram_size': 3"),
        ({"typical_p": 0.9}, "'typical_p': 0.9"),
        (
            {"epsilon_cutoff": 3e-4, "eta_cutoff": 3e-4},
            "'epsilon_cutoff': 0.0003, 'eta_cutoff': 0.0003",
        ),
        ({"bad_words_ids": [[5]]}, "bad_words_ids"),
        ({"min_new_tokens": 8}, "'min_new_tokens': 8"),
        ({"guidance_scale": 1.5}, "'guidance_scale': 1.5"),
        ({"temperature": 0.01}, "temperature of at least 0.05"),
        ({"top_k": 1}, "expected a top-k above 1"),
        ({"temperature": 0.0}, "`temperature` expected a number above 0"),
    ],
)
def test_generation_configs_that_cannot_be_matched_are_refused(
    setting: dict[str, Any], message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        Decoding.from_generation_config({"do_sample": True, **setting})


class SamplingParams:
    """The attributes of vLLM's own, with its defaults."""

    def __init__(self, **settings: Any) -> None:
        self.n, self.best_of, self.temperature = 1, None, 1.0
        self.top_k, self.top_p, self.min_p = 0, 1.0, 0.0
        self.presence_penalty = self.frequency_penalty = 0.0
        self.repetition_penalty, self.min_tokens, self.bad_words = 1.0, 0, []
        self.__dict__ |= settings


def test_sampling_params_mean_what_vllm_does() -> None:
    assert Decoding.from_vllm({}).is_plain
    assert Decoding.from_vllm(SamplingParams()).is_plain
    params = {"temperature": 0.6, "top_k": 20, "top_p": 0.95, "min_p": 0.1, "max_tokens": 9}
    expected = Decoding(0.6, 20, 0.95, 0.1, order=VLLM_ORDER)
    assert Decoding.from_vllm(params) == expected
    assert Decoding.from_vllm(SamplingParams(**params)) == expected
    assert Decoding.from_vllm({"top_k": -1, "n": 4, "best_of": 4, "seed": 3}).is_plain


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"temperature": 0}, "'temperature': 0}: greedy text"),
        ({"temperature": 0.01}, "temperature of at least 0.05"),
        ({"n": 1, "best_of": 8}, "'best_of': 8}: what a search or a choice"),
        ({"use_beam_search": True}, "'use_beam_search': True"),
        ({"presence_penalty": 0.5}, "'presence_penalty': 0.5"),
        ({"frequency_penalty": -0.5}, "'frequency_penalty': -0.5"),
        ({"repetition_penalty": 1.05}, "'repetition_penalty': 1.05"),
        ({"logit_bias": {5: 1.0}}, "'logit_bias'"),
        ({"structured_outputs": {"regex": "a"}}, "'structured_outputs'"),
    ],
)
def test_sampling_params_that_cannot_be_matched_are_refused(
    setting: dict[str, Any], message: str
) -> None:
    for given in (setting, SamplingParams(**setting)):
        with pytest.raises(ArgumentError, match=message):
            Decoding.from_vllm(given)


def test_settings_of_other_kinds_of_numbers_are_those_numbers() -> None:
    setting = {"temperature": np.float64(0.5), "top_k": np.int64(7), "do_sample": np.bool_(True)}
    assert Decoding.from_generation_config(setting) == Decoding(0.5, top_k=7)
    with pytest.raises(ArgumentError, match="'do_sample': False}: greedy text"):
        Decoding.from_generation_config({"do_sample": np.bool_(False)})


def test_objects_of_the_generators_own_are_settings_and_others_are_none() -> None:
    own = SynthIDTextWatermarkingConfig(ngram_len=5, keys=[1, 2])
    for on in (own, MappingProxyType({(5,): 1.0})):
        name = "watermarking_config" if on is own else "sequence_bias"
        with pytest.raises(ArgumentError, match=f"'{name}': .*: a likelihood does not"):
            Decoding.from_generation_config({"do_sample": True, name: on})
    with pytest.raises(ArgumentError, match="`num_beams` expected a number, a text or a list"):
        Decoding.from_generation_config({"do_sample": True, "num_beams": object()})
