"""The first minutes with Lightning."""

import torch
from lightning.pytorch import LightningModule, Trainer

from collapse_guard import watch
from tests.first_minutes.at_hand import batches, held_out_texts, model, tokenizer


class Module(LightningModule):
    """A language model that is fine-tuned."""

    def __init__(self) -> None:
        super().__init__()
        self.model = model()

    def training_step(self, batch: torch.Tensor, number: int) -> torch.Tensor:
        """The loss of a batch."""
        loss: torch.Tensor = self.model(input_ids=batch, labels=batch).loss
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """What trains it."""
        return torch.optim.AdamW(self.parameters(), lr=1e-3)


module = Module()
trainer = Trainer(max_steps=30, accelerator="cpu", logger=False, default_root_dir="out/lightning")
watch(trainer, model=module, tokenizer=tokenizer(), held_out=held_out_texts())
trainer.fit(module, torch.utils.data.DataLoader(batches(30), batch_size=None))
