"""Is this synthetic text fit to train on? An answer without a model, from texts of any size."""

from collections.abc import Iterable

from collapse_guard.arguments import function, number, whole_number
from collapse_guard.audit.audit import audit_rows
from collapse_guard.audit.comparison.content_sample import ContentSample
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


def audit_texts(
    human: Iterable[str],
    synthetic: Iterable[str],
    *,
    tokenizer: Tokenizer | None = None,
    target: float = 0.9,
    near: float | None = 0.8,
    characters: int = 1 << 24,
    seed: int = 0,
    spans: WordSpans = word_spans,
) -> TextAudit:
    """Compare synthetic texts with human ones of the same kind.

    * Of the rare words of human text, and of its rare phrases of two and three words, how many does
      synthetic text still have, and how often do they come? The yardstick is as much fresh human
      text (`coverage`).
    * Which words and phrases have vanished, and which come too often (`telling_runs`)?
    * How many texts repeat others, or stand in the human text; and by which forms can the kinds be
      told apart (`audit_rows`)?
    * Which share of the words has to be human for rare ones to come as often as they should
      (`human_share`)?

    Each is gone through once, at any length, and a sample of its contents is kept: 17 million
    characters of each kind unless said otherwise, which is all of it where there is no more. A
    content counts once, however many copies there are.

    Texts on other subjects have other rare words. What is compared should differ in who wrote it,
    and in nothing else: answers of people and of a model to the same questions, say.

    Args:
        human: Human texts, in the order in which they belong together.
        synthetic: What is to be judged.
        tokenizer: To compare rare tokens as well as rare words.
        target: How often rare words are to come, beside human text, above 0 and below 1.
        near: As of `audit_rows`; None to look for identical texts only.
        characters: How many to keep of each kind, at least 100,000.
        seed: Of how samples are halved.
        spans: From a text to its words, for scripts that do not part them.

    Raises:
        ArgumentError: Something that is no texts, fewer than 1,000 words of a kind, or an argument
            out of range.

    Example:
        >>> people = [f"we met {name} on the {n}th" for n, name in enumerate(["Ada", "Bo"] * 150)]
        >>> audit = audit_texts(people, [text.replace("Bo", "Ada") for text in people])
        >>> print(audit.runs.vanished[0].words, audit.is_fit)
        we met bo False
    """
    hint = "0.9 is the default"
    number("target", target, above=0, below=1, what="a share", hint=hint)
    whole_number("characters", characters, least=100_000, hint="leave it out")
    seed = whole_number("seed", seed, least=0, hint="leave it out")
    numbers = WordNumbers(function(hint="leave it out")("spans", spans))
    sampled = []
    for argument, texts in (("human", human), ("synthetic", synthetic)):
        sample = ContentSample(characters)
        sample.extend(texts, argument=argument)
        chosen = [one.text for one in sample.contents()]
        numbered = NumberedTexts(chosen, numbers.of(chosen))
        if len(numbered.rows.ids) < LEAST_WORDS:
            raise bad_argument(
                argument,
                expected=f"texts of at least {LEAST_WORDS:,} words together",
                given=f"{len(numbered.rows.ids):,} words in {sample.rows:,} texts",
                hint="give more of them; for scripts without spaces give `spans`",
            )
        sampled.append((sample, numbered))
    (own_sample, own), (other_sample, other) = sampled
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
        human=TextSize.of(own_sample, len(own.rows.ids)),
        synthetic=TextSize.of(other_sample, len(other.rows.ids)),
        coverage=tuple(found),
        runs=telling_runs(own, other, runs, numbers.words),
        share=human_share(found[0].frequency, target),
        copies=Copies.of(own_sample, other_sample, report),
        forms=report.forms,
    )
