"""Adapters of a quantised model (QLoRA) train as if nobody looked.

On CPUs with AVX512-BF16 a layer of 4 bits packs its weights at the first pass in evaluation mode,
and passes no gradient on from then: a look did that to a training.
"""

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

from tests.callbacks.huggingface.runs import guarded, losses_in, make_trainer, readings_in
from tests.tiny import BRIEF, tiny_llama

SETTINGS: dict[str, dict[str, Any]] = {
    "4 bits": {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"},
    "8 bits": {"load_in_8bit": True},
}


def adapted(folder: Path, bits: str) -> torch.nn.Module:
    loaded = AutoModelForCausalLM.from_pretrained(
        folder, quantization_config=BitsAndBytesConfig(**SETTINGS[bits]), device_map={"": "cpu"}
    )
    prepared = prepare_model_for_kbit_training(loaded, use_gradient_checkpointing=False)
    torch.manual_seed(0)
    settings = LoraConfig(
        r=4, target_modules=["q_proj", "v_proj"], lora_dropout=0.1, task_type="CAUSAL_LM"
    )
    return get_peft_model(prepared, settings)


@pytest.mark.filterwarnings("ignore:MatMul8bitLt")
@pytest.mark.parametrize("bits", SETTINGS)
def test_a_watched_run_is_bit_by_bit_the_unwatched_one(tmp_path: Path, bits: str) -> None:
    # Wide enough for weights of 4 bits to be packed.
    wide = tiny_llama(hidden_size=64, intermediate_size=128, num_attention_heads=2)
    wide.save_pretrained(tmp_path / "base")
    runs = {}
    for name in ("alone", "watched"):
        model = adapted(tmp_path / "base", bits)
        trainer = make_trainer(tmp_path / name, model=model, logging_steps=1)
        if name == "watched":
            guarded(every_n_steps=4, sampling=BRIEF).attach(trainer)
        trainer.train()
        runs[name] = trainer
    weights, others = (run.model.state_dict() for run in runs.values())
    assert {str(value.dtype) for value in weights.values()} & {"torch.int8", "torch.uint8"}
    assert weights.keys() == others.keys()
    assert all(torch.equal(weights[key], others[key]) for key in weights)
    histories = [run.state.log_history for run in runs.values()]
    assert losses_in(histories[0]) == losses_in(histories[1])
    readings = [record["eval_collapse/tail_retention"] for record in readings_in(histories[1])]
    assert len(set(readings)) == len(readings) == 5
    flags = [{n: p.requires_grad for n, p in run.model.named_parameters()} for run in runs.values()]
    assert flags[0] == flags[1]
