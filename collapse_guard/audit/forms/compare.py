"""Which forms tell synthetic rows from human ones, and by how much."""

from collections.abc import Callable, Hashable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from collapse_guard.audit.forms.effects import mean_effect, share_effect
from collapse_guard.audit.forms.ends import common_ends, common_lengths, phrase, shared_ends
from collapse_guard.audit.forms.form_report import FormDifference, FormReport
from collapse_guard.audit.forms.letters import NUM_BUCKETS, NUM_GROUPS, Profile, letter_distance
from collapse_guard.audit.forms.sampled import SampledForms, decoder, sample_forms, token_name
from collapse_guard.audit.forms.text_forms import FORM_NAMES, MEASURES
from collapse_guard.human_text.tokenizer import Tokenizer
from collapse_guard.rows.column import Column
from collapse_guard.rows.source import Kind

Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.float64]

_MOST_ROWS = 10_000
_LOG_MEASURES = 1


def compare_forms(
    columns: Sequence[Column], kinds: Sequence[Kind], tokenizer: Tokenizer | None
) -> tuple[FormReport, ...]:
    """Compare each synthetic source with all human rows.

    Up to 10,000 rows of each synthetic source and of the human ones are read, drawn evenly with a
    fixed seed: a form that one row in a thousand has is then missed with a probability of 1 in
    20,000. Of a text its first 15,360 characters and its last 1,024 are looked at.

    Args:
        columns: The sources, all texts or all token ids.
        kinds: The kind of each.
        tokenizer: What turns token ids into text; None where nothing does, and then only their
            ends and lengths are compared.

    Returns:
        One for each synthetic source; none where no row is human, or none synthetic.
    """
    human = [own for own, kind in zip(columns, kinds, strict=True) if kind == "human"]
    others = [own for own, kind in zip(columns, kinds, strict=True) if kind == "synthetic"]
    if not human or not others:
        return ()
    decode = None if columns[0].is_text else decoder(tokenizer)
    name = None if columns[0].is_text else token_name(tokenizer)
    theirs = sample_forms(human, _MOST_ROWS, decode)
    return tuple(
        _report(own.name, sample_forms([own], _MOST_ROWS, decode), theirs, name) for own in others
    )


def _report(
    source: str, ours: SampledForms, theirs: SampledForms, name: Callable[[Hashable], str] | None
) -> FormReport:
    found = [*_of_rows(ours, theirs, name), *_of_texts(ours, theirs)]
    found.sort(key=_order)
    return FormReport(source, tuple(found), letter_distance(_letters(ours), _letters(theirs)))


def _order(difference: FormDifference) -> tuple[bool, float, float]:
    effect = difference.effect
    # What all rows of one kind do and none of the other says most, and says it most plainly.
    is_told = {difference.synthetic, difference.human} == {0, 1} and effect.sure > 0
    return not (difference.is_share and is_told), -effect.sure, -abs(effect.size)


def _of_texts(ours: SampledForms, theirs: SampledForms) -> Iterator[FormDifference]:
    """Forms and measures of texts, without those that no text has."""
    if not (ours.forms and theirs.forms):
        return
    own_and_other = np.array(ours.forms).T, np.array(theirs.forms).T
    for name, own, other in zip(FORM_NAMES, *own_and_other, strict=True):
        if own.any() or other.any():
            yield _share(name, own, other)
    measured = np.array(ours.measures), np.array(theirs.measures)
    for place, name in enumerate(MEASURES):
        yield _mean(name, *(each[:, place] for each in measured), is_log=place < _LOG_MEASURES)


def _of_rows(
    ours: SampledForms, theirs: SampledForms, name: Callable[[Hashable], str] | None
) -> Iterator[FormDifference]:
    """Lengths and ends of rows that are not empty."""
    if not (ours.lengths and theirs.lengths):
        return
    unit = "word" if name is None else "token"
    size = "characters" if name is None else "tokens"
    lengths = np.array(ours.lengths), np.array(theirs.lengths)
    yield _mean(f"length in {size}", *(each.astype(float) for each in lengths), is_log=True)
    for length, has in common_lengths(*lengths).items():
        yield _share(f"has exactly {length:,} {size}", *has)
    fewer = min(len(ours.lengths), len(theirs.lengths))
    for first, own, other in (
        (True, ours.openings, theirs.openings),
        (False, ours.endings, theirs.endings),
    ):
        for end, has in common_ends(own, other, first=first).items():
            if has[0].any() or has[1].any():
                yield _share(phrase(end, name or repr, unit, first=first), *has)
        shared = [shared_ends(ends, first=first, among=fewer) for ends in (own, other)]
        if shared[0].any() or shared[1].any():
            which = "first" if first else "last"
            yield _share(f"has the {which} eight {unit}s of another row of its kind", *shared)


def _share(form: str, synthetic: Mask, human: Mask) -> FormDifference:
    counts = int(synthetic.sum()), len(synthetic), int(human.sum()), len(human)
    shares = counts[0] / counts[1], counts[2] / counts[3]
    return FormDifference(form, True, *shares, counts[1], counts[3], share_effect(*counts))


def _mean(form: str, synthetic: Numbers, human: Numbers, *, is_log: bool) -> FormDifference:
    if is_log:
        synthetic, human = np.log(synthetic), np.log(human)
    means = float(synthetic.mean()), float(human.mean())
    shown = tuple(map(float, np.exp(means))) if is_log else means
    effect = mean_effect(synthetic, human)
    return FormDifference(form, False, shown[0], shown[1], len(synthetic), len(human), effect)


def _letters(forms: SampledForms) -> Profile:
    total = np.zeros((NUM_GROUPS, NUM_BUCKETS), dtype=np.int64)
    for each in forms.letters:
        total += each
    return total
