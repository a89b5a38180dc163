"""What the model is let write, and how much of it."""

from dataclasses import replace

import numpy as np
import pytest

from collapse_guard import ArgumentError, CollapseMonitor, Decoding, Sampling, Threshold, sample
from collapse_guard.readings.sampling import draw_samples
from tests.tiny import tiny_gpt2, tiny_panel

SMALL = Sampling(num_free=10, num_prompts=6, samples_per_prompt=3, prompt_length=8, length=16)


def test_samples_are_what_sample_draws() -> None:
    model, panel = tiny_gpt2(), tiny_panel()
    samples = draw_samples(model, panel, SMALL)
    assert samples.free.shape == (10, 16)
    assert samples.prompted.shape == (6, 3, 16)
    free = sample(model, num_sequences=10, length=16, seed=0)
    assert np.array_equal(samples.free, free.numpy())
    # The last prompt is the last window's beginning.
    prompt = panel.input_ids[-1, :8]
    last = sample(model, num_sequences=3, length=16, seed=0, prompt_ids=prompt, first_sequence=15)
    assert np.array_equal(samples.prompted[-1], last.numpy())
    assert len({texts.tobytes() for texts in samples.prompted.reshape(18, 16)}) == 18


def test_samples_are_drawn_as_it_is_said() -> None:
    decoding = Decoding(temperature=0.5, min_p=0.1)
    samples = draw_samples(tiny_gpt2(), tiny_panel(), replace(SMALL, decoding=decoding))
    cold = sample(tiny_gpt2(), num_sequences=10, length=16, seed=0, decoding=decoding)
    assert np.array_equal(samples.free, cold.numpy())


def test_bad_use() -> None:
    with pytest.raises(ArgumentError, match="`num_free` expected a whole number from 3"):
        Sampling(num_free=2)
    with pytest.raises(ArgumentError, match="`rules` expected rules on what is read here"):
        CollapseMonitor(tiny_panel(), sampling=None, rules=[Threshold("free_self_bleu", above=0.9)])
    plain = CollapseMonitor(tiny_panel(), sampling=None)
    plain.start(tiny_gpt2())
    with pytest.raises(ArgumentError, match=r"`baseline` .* without free_tail_share"):
        CollapseMonitor(tiny_panel(), sampling=SMALL, baseline=plain.baseline)
    with pytest.raises(ArgumentError, match="`num_prompts` expected at most the panel's 36"):
        draw_samples(tiny_gpt2(), tiny_panel(), Sampling(num_prompts=40))
    with pytest.raises(ArgumentError, match="`prompt_length` expected at most the panel's 32"):
        draw_samples(tiny_gpt2(), tiny_panel(), Sampling(prompt_length=40))


def test_the_fewest_texts_can_be_read() -> None:
    fewest = Sampling(num_free=3, num_prompts=2, samples_per_prompt=2, prompt_length=1, length=8)
    monitor = CollapseMonitor(tiny_panel(), sampling=fewest)
    assert monitor.start(tiny_gpt2())["free_self_bleu"] >= 0
