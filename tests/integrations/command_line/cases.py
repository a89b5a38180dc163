"""Texts and models that commands are tried on."""

from pathlib import Path

from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from tests.audit.comparison.languages import word, zipf_texts
from tests.tiny import perturb, tiny_gpt2

KINDS = 200


def text_file(path: Path, *, seed: int, texts: int = 200, temperature: float = 1.0) -> str:
    """A file of a line for each text."""
    path.write_text("\n".join(zipf_texts(texts, seed=seed, temperature=temperature)) + "\n")
    return str(path)


def human_file(path: Path) -> str:
    """Text of few words, which a tiny vocabulary holds."""
    path.write_text("\n".join(zipf_texts(80, seed=5, kinds=KINDS)) + "\n")
    return str(path)


def saved_models(folder: Path) -> tuple[str, str]:
    """A model with its tokenizer, and one that has forgotten most of it."""
    words = {word(number): number for number in range(KINDS)} | {"?": KINDS}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="?")
    one, other = folder / "start", folder / "later"
    model = tiny_gpt2(vocab_size=KINDS + 1)
    model.save_pretrained(one)
    fast.save_pretrained(one)
    perturb(model, 0.5)
    model.save_pretrained(other)
    return str(one), str(other)
