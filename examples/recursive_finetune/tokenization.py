"""From text to rows of token ids, and a tokenizer where none is given."""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

END_OF_TEXT = "<|endoftext|>"


def train_tokenizer(documents: Iterable[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """Learn a byte-level BPE (Sennrich et al. 2016, arXiv 1508.07909) from human text.

    Args:
        documents: The text.
        vocab_size: Types, the 256 bytes and the end-of-text token included.
    """
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.decoder = ByteLevelDecoder()
    trainer = BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(documents, trainer)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        bos_token=END_OF_TEXT,
        eos_token=END_OF_TEXT,
        pad_token=END_OF_TEXT,
    )


def encode(tokenizer: PreTrainedTokenizerBase, documents: Sequence[str]) -> list[list[int]]:
    """Token ids of each document, without special tokens."""
    # `verbose=False`: documents longer than the model are cut into rows later, and that is fine.
    encoded = tokenizer(list(documents), add_special_tokens=False, verbose=False)
    ids: list[list[int]] = encoded["input_ids"]
    return ids


def rows_of(
    documents: Iterable[Sequence[int]], length: int, separator: int
) -> npt.NDArray[np.int64]:
    """Join documents, a separator before each, and cut the stream into rows.

    Returns:
        int64 of shape (rows, length); what is left over at the end is not used.
    """
    stream = np.concatenate(
        [np.zeros(0, np.int64), *(np.array([separator, *ids], np.int64) for ids in documents)]
    )
    return stream[: len(stream) // length * length].reshape(-1, length)


def separator(tokenizer: PreTrainedTokenizerBase) -> int:
    """The token that stands before every document, and that free-running text starts from."""
    token = tokenizer.bos_token_id
    return int(tokenizer.eos_token_id if token is None else token)
