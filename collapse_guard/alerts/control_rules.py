"""Rules against a control run."""

from collapse_guard.alerts.rules import Threshold


def control_rules() -> tuple[Threshold, ...]:
    """Rules for a run that is compared with a control run at equal steps.

    A control run trains the same model for as many steps on fresh human text of the same domain: it
    shows what ordinary training does to the panel, such as forgetting, overfitting, or a move into
    a domain. Past these limits a run has lost what the control has not.

    * `tail_retention_vs_control` below 0.90: rare tokens of human text have less probability than
      the control run gives them, whether or not anything becomes sharper.
    * `tail_gap_vs_control` above 0.15: the tail has fallen behind the head, against the control.

    The limits stand clear of what two runs on human text differ by. In the recursive fine-tuning
    example two more runs of 24 steps, each on other human rows, read between 0.974 and 1.037, and
    between -0.062 and 0.039, against a third; one on the model's own text of temperature 0.8 read
    0.67 and 0.52 after 4 steps, and was told there. One generation on text of temperature 1 cost
    the tail nothing (at worst 0.995 and -0.004): what noise costs comes with generations.

    A monitor that is given `control=` and no rules takes these beside `default_rules`.
    """
    return (
        Threshold("tail_retention_vs_control", below=0.90),
        Threshold("tail_gap_vs_control", above=0.15),
    )
