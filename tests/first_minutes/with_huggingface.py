"""The first minutes with a Hugging Face Trainer."""

from transformers import Trainer, TrainingArguments, default_data_collator

from collapse_guard import watch
from tests.first_minutes.at_hand import held_out_texts, model, tokenizer, train_rows

arguments = TrainingArguments("out/huggingface", max_steps=30, report_to="none", use_cpu=True)
trainer = Trainer(
    model(),
    arguments,
    train_dataset=train_rows(),
    data_collator=default_data_collator,
    processing_class=tokenizer(),
)
watch(trainer, held_out=held_out_texts())
trainer.train()
