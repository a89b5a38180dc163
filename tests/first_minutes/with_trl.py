"""The first minutes with TRL's SFTTrainer."""

from datasets import Dataset
from trl import SFTConfig, SFTTrainer

from collapse_guard import watch
from tests.first_minutes.at_hand import held_out_texts, model, tokenizer, train_texts

config = SFTConfig("out/trl", max_steps=30, max_length=64, report_to="none", use_cpu=True)
trainer = SFTTrainer(
    model(),
    config,
    train_dataset=Dataset.from_dict({"text": train_texts()}),
    processing_class=tokenizer(),
)
watch(trainer, held_out=held_out_texts())
trainer.train()
