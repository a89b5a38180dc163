"""Is this synthetic text fit to train on? An answer without a model, from texts of any size."""

from collections.abc import Iterable

from collapse_guard.arguments import checked
from collapse_guard.audit.comparison.audit_samples import ROOM, SETTINGS, audit_samples
from collapse_guard.audit.comparison.content_sample import ContentSample
from collapse_guard.audit.comparison.text_audit import TextAudit
from collapse_guard.human_text.tokenizer import Tokenizer
from collapse_guard.human_text.words import WordSpans, word_spans


@checked(**SETTINGS, characters=ROOM)
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

    Texts that lie on many machines are sampled there (`ContentSample`), and `audit_samples` says
    the same of the samples.

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
    samples = {"human": ContentSample(characters), "synthetic": ContentSample(characters)}
    for argument, texts in (("human", human), ("synthetic", synthetic)):
        samples[argument].extend(texts, argument=argument)
    return audit_samples(
        **samples, tokenizer=tokenizer, target=target, near=near, seed=seed, spans=spans
    )
