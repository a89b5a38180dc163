"""The first minutes with a loop of one's own."""

import torch

from collapse_guard import watch
from tests.first_minutes.at_hand import batches, held_out_texts, model, tokenizer

trained = model()
optimizer = torch.optim.AdamW(trained.parameters(), lr=1e-3)
with watch(trained, tokenizer=tokenizer(), held_out=held_out_texts(), record="out/loop") as run:
    for step, batch in enumerate(batches(30), start=1):
        trained(input_ids=batch, labels=batch).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if run.step(step):
            break
