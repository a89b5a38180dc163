"""What it takes to look at all of a corpus, from rates that were measured on one core."""

import math
from dataclasses import dataclass

SAMPLING = 73e6
"""Bytes a second of JSON lines that one process reads and samples, as are the others measured
(tests/benchmarks/RESULTS.md)."""

COUNTING = 145e6
"""Token ids a second that are counted out of Arrow."""

TOKENIZING = 2.3e6
"""Bytes a second that one process tokenizes and counts."""

RARITY = 62e6
"""Token ids a second whose rows are told how rare they are."""


@dataclass(frozen=True)
class Corpus:
    """A corpus and the machines that go through it.

    Attributes:
        tokens: Of it.
        bytes_per_token: Of UTF-8.
        bytes_per_document: Of UTF-8.
        cores_per_node: That work on it.
        sample_bytes: Room of a `ContentSample`.
        vocab_size: Types that are counted.
    """

    tokens: float = 15e12
    bytes_per_token: float = 4.2
    bytes_per_document: float = 3_500
    cores_per_node: int = 64
    sample_bytes: int = 1 << 24
    vocab_size: int = 128_256

    @property
    def size(self) -> float:
        """Bytes of it."""
        return self.tokens * self.bytes_per_token

    @property
    def documents(self) -> float:
        """Documents of it."""
        return self.size / self.bytes_per_document


@dataclass(frozen=True)
class Pass:
    """One pass over a corpus, and what travels for it.

    Attributes:
        name: What it does.
        rate: Bytes of UTF-8 a second on one core, measured.
        state: Bytes that each core hands over, in all.
    """

    name: str
    rate: float
    state: float

    def hours_per_terabyte(self, corpus: Corpus) -> float:
        """Hours of one node for a terabyte."""
        return 1e12 / self.rate / corpus.cores_per_node / 3600

    def node_hours(self, corpus: Corpus) -> float:
        """Hours of one node for all of it."""
        return self.hours_per_terabyte(corpus) * corpus.size / 1e12

    def travels(self, corpus: Corpus, nodes: int) -> float:
        """Bytes that go to where results are merged."""
        return self.state * nodes * corpus.cores_per_node


def sampled_bytes(corpus: Corpus, cores: int) -> float:
    """Bytes of a sample that one of so many cores hands over.

    Of n contents, k of which there is room for, it hands over k (1 + ln(n / k)) where it goes
    through one block after another, since it leaves out what its sample so far has no room for.

    Args:
        corpus: What is gone through.
        cores: That share it.
    """
    contents = corpus.documents / cores
    room = corpus.sample_bytes / (corpus.bytes_per_document + 200)
    kept = room * (1 + math.log(contents / room)) if contents > room else contents
    return kept * corpus.bytes_per_document


def passes(corpus: Corpus, nodes: int) -> tuple[Pass, ...]:
    """What an audit and a reference take of a corpus.

    Args:
        corpus: What is gone through.
        nodes: That share it.
    """
    counts = 8 * corpus.vocab_size
    return (
        Pass("sample for an audit", SAMPLING, sampled_bytes(corpus, nodes * corpus.cores_per_node)),
        Pass("count tokens that there are", COUNTING * corpus.bytes_per_token, counts),
        Pass("tokenize and count", TOKENIZING, counts),
        Pass("rarity of rows of tokens", RARITY * corpus.bytes_per_token, 0),
    )
