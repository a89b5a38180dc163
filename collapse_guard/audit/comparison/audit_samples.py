"""What samples of human and of synthetic texts say of each other: the last step of an audit."""

from collapse_guard.arguments import checked, function, optional, real, whole
from collapse_guard.audit.audit import audit_rows
from collapse_guard.audit.comparison.content_sample import A_SAMPLE, ContentSample
from collapse_guard.audit.comparison.coverage import coverage
from collapse_guard.audit.comparison.human_share import human_share
from collapse_guard.audit.comparison.numbered_words import WordNumbers
from collapse_guard.audit.comparison.runs import number_runs
from collapse_guard.audit.comparison.telling_runs import NumberedTexts, telling_runs
from collapse_guard.audit.comparison.text_audit import TextAudit
from collapse_guard.audit.comparison.text_sizes import Copies, TextSize
from collapse_guard.errors import bad_argument
from collapse_guard.human_text.tokenizer import Tokenizer
from collapse_guard.human_text.words import WordSpans, word_spans
from collapse_guard.rows.column import encoder
from collapse_guard.rows.source import Source

LONGEST = 3
"""Words in the longest phrases that are compared."""

LEAST_WORDS = 1_000
"""Below this there is not enough of a text to say anything of its rare words."""

ROOM = whole(least=100_000, hint="leave it out")
"""Characters of a sample that is to be audited."""

SETTINGS = {
    "target": real(above=0, below=1, what="a share", hint="0.9 is the default"),
    "near": optional(real(least=0.5, most=1, hint="0.8 is the default")),
    "seed": whole(least=0, hint="leave it out"),
    "spans": function(hint="leave it out"),
}
"""What is asked beside the texts, checked before any of them is read."""


@checked(human=A_SAMPLE, synthetic=A_SAMPLE, **SETTINGS)
def audit_samples(
    human: ContentSample,
    synthetic: ContentSample,
    *,
    tokenizer: Tokenizer | None = None,
    target: float = 0.9,
    near: float | None = 0.8,
    seed: int = 0,
    spans: WordSpans = word_spans,
) -> TextAudit:
    """Compare texts by their samples, as `audit_texts` does.

    Samples may be drawn of parts, on as many machines as there are, and merged: what comes out is
    bit for bit what one machine says of the whole.

    Args:
        human: Of human texts.
        synthetic: Of what is to be judged.
        tokenizer: As of `audit_texts`, as are the others.
        target: How often rare words are to come.
        near: Least similarity of near copies.
        seed: Of how samples are halved.
        spans: From a text to its words.

    Raises:
        ArgumentError: Fewer than 1,000 words of a kind, or an argument out of range.

    Example:
        >>> names = ["Ada", "Bo"] * 150
        >>> human, synthetic = ContentSample(1_000_000), ContentSample(1_000_000)
        >>> human.extend(f"we met {name} on the {n}th" for n, name in enumerate(names))
        >>> synthetic.extend(f"we met Ada on the {n}th" for n in range(300))
        >>> audit_samples(human, synthetic).runs.vanished[0].words
        'we met bo'
    """
    numbers = WordNumbers(spans)
    own = _numbered("human", human, numbers)
    other = _numbered("synthetic", synthetic, numbers)
    runs = number_runs(own.rows, other.rows, LONGEST)
    found = [coverage(each, length=length, seed=seed) for length, each in enumerate(runs, start=1)]
    if tokenizer is not None:
        encode = encoder(tokenizer)
        (tokens,) = number_runs(encode(own.texts), encode(other.texts), 1)
        found.append(coverage(tokens, unit="tokens", seed=seed))
    report = audit_rows(
        [Source(own.texts, "human", "human"), Source(other.texts, "synthetic", "synthetic")],
        near=near,
    )
    return TextAudit(
        human=TextSize.of(human, len(own.rows.ids)),
        synthetic=TextSize.of(synthetic, len(other.rows.ids)),
        coverage=tuple(found),
        runs=telling_runs(own, other, runs, numbers.words),
        share=human_share(found[0].frequency, target),
        copies=Copies.of(human, synthetic, report),
        forms=report.forms,
    )


def _numbered(argument: str, sample: ContentSample, numbers: WordNumbers) -> NumberedTexts:
    texts = [one.text for one in sample.contents()]
    numbered = NumberedTexts(texts, numbers.of(texts))
    if len(numbered.rows.ids) < LEAST_WORDS:
        raise bad_argument(
            argument,
            expected=f"texts of at least {LEAST_WORDS:,} words together",
            given=f"{len(numbered.rows.ids):,} words in {sample.rows:,} texts",
            hint="give more of them; for scripts without spaces give `spans`",
        )
    return numbered
