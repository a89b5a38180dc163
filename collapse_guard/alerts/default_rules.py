"""The rules of a monitor that is given none."""

from collapse_guard.alerts.rules import Threshold
from collapse_guard.arguments import checked, flag

_LOST = Threshold("tail_retention", below=0.85)
_LESS_VARIED = Threshold("free_distinct_2_vs_human", below=1.0)
_REPETITIVE = Threshold("free_rep_n_diversity_vs_human", below=1.0)


@checked(sampling=flag(hint="say whether the model writes"))
def default_rules(*, sampling: bool = False) -> tuple[Threshold, ...]:
    """Rules that need no tuning: each sees another way of collapsing.

    * `tail_retention` below 0.85: rare tokens of human text have lost probability, however that
      came about; below 0.75 it is critical. Noise that piles up over generations takes head and
      tail together, and is seen here alone.
    * `tail_gap` above 0.20, and `head_retention` above 1.05, each beside a tail that is surely
      below 0.85: it has lost what the head kept or gained, which text drawn at a low temperature or
      from the likeliest tokens teaches. The loss can look fine. Where the tail has lost nothing a
      gap is no harm: a model that learns a domain wins more in its head, or in its tail.
    * `head_retention` below 0.85: common tokens of human text have lost probability, as they do
      where a model forgets or is taught another domain.
    * `effective_vocabulary` below 0.80 of its start, beside such a tail: fewer types carry the
      predictions on human text, rare or not. A model that learns a domain becomes surer of it, and
      its tail gains.
    * `free_distinct_2` below 0.90 of its start: what the model writes by itself narrows, which it
      goes on to do where a share of human rows has its predictions on human text come to rest.
    * `free_rep_n_diversity` below 0.95 of its start: what it writes repeats itself.

      Both beside a text that is surely less varied than as much human text: a model that knows
      little writes at random, and has to become less varied as it learns.

    The last two fall away with `sampling=None`. The limits are from the recursive example. Its five
    generations on human text took no reading half of the way to its limit (retention stayed above
    0.96, the effective vocabulary above 0.95 and the diversities above 0.99 of their start). On its
    own text the tail and the vocabulary are told within 4 training steps, `free_distinct_2` in the
    second generation, and `free_rep_n_diversity` in the third; with 30% human rows in the third and
    the fifth, when retention is on its way back up.

    Each rule's false alarms are held to its own `alpha`; those of all together to the sum. An alarm
    says that a truth has passed a limit, not why: fine-tuning on a domain that is far from the
    held-out text also takes probability from that text's tail. A control run on fresh human text of
    the same domain tells the two apart.

    Args:
        sampling: Whether the monitor lets the model write.
    """
    on_human_text = (
        _LOST,
        Threshold("tail_retention", below=0.75, severity="critical"),
        Threshold("tail_gap", above=0.20, beside=_LOST),
        Threshold("head_retention", below=0.85),
        Threshold("head_retention", above=1.05, beside=_LOST),
        Threshold("effective_vocabulary", below=0.80, relative_to_start=True, beside=_LOST),
    )
    on_written_text = (
        Threshold("free_distinct_2", below=0.90, relative_to_start=True, beside=_LESS_VARIED),
        Threshold("free_rep_n_diversity", below=0.95, relative_to_start=True, beside=_REPETITIVE),
    )
    return (*on_human_text, *(on_written_text if sampling else ()))
