"""Rules for training that takes back what a sampler did."""

from collapse_guard.alerts.rules import Threshold


def flattening_rules() -> tuple[Threshold, ...]:
    """Rules for a model that becomes flatter than it was: `default_rules` seen in a mirror.

    A loss that takes back what a sampler did (`sampler_matched_loss`) has to know the sampler. Told
    of a temperature lower than the rows were drawn at, it teaches more than was taken away: rare
    tokens gain, and common ones pay for it. That is no collapse, and default rules see it late, but
    each generation goes further, and perplexity with it. So add these where a loss is told how rows
    were drawn: `CollapseMonitor(panel, rules=[*default_rules(), *flattening_rules()])`.

    * `tail_gap` below -0.20: the tail has gained what the head has not. It is the first to see it.
    * `effective_vocabulary` above 1.25 of its start: more types carry the predictions.

    Of a head below 0.85 `default_rules` tell already. The limits are theirs, on the other side. In
    the recursive fine-tuning example rows were drawn at 0.8 and matched for five generations. Told
    0.7, the gap read -0.19, -0.36 and -0.62 after one, two and five generations with 31% human
    rows, head retention 0.92, 0.85 and 0.73, and the vocabulary 1.15, 1.29 and 1.50 of its start;
    without human rows one generation was enough for the gap. Told the truth, without human rows,
    the gap stayed above -0.06, head retention above 0.96 and the vocabulary below 1.03: sampling
    noise alone, which comes to -0.10 and 0.91 after ten generations.

    False alarms are held as in `default_rules`, and an alarm does not say why here either: text of
    another domain takes probability from the head too, and from the tail less. Perplexity on the
    panel rises with all of these.
    """
    return (
        Threshold("tail_gap", below=-0.20),
        Threshold("effective_vocabulary", above=1.25, relative_to_start=True),
    )
