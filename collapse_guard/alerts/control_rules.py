"""Rules against a control run."""

from collapse_guard.alerts.rules import Threshold


def control_rules() -> tuple[Threshold, ...]:
    """Rules for a run that is compared with a control run at equal steps.

    A control run trains the same model for as many steps on fresh human text of the same domain: it
    shows what ordinary training does to the panel, such as forgetting, overfitting, or a move into
    a domain. Past these limits a run has lost what the control has not.

    * `tail_retention_vs_control` below 0.90: rare tokens of human text have less probability than
      the control run gives them. It sees what a model forgets of its tail because of its rows, also
      where text was drawn at temperature 1 and nothing becomes sharper.
    * `tail_gap_vs_control` above 0.15: the tail has fallen behind the head, against the control.

    A monitor that is given `control=` and no rules takes these beside `default_rules`.
    """
    return (
        Threshold("tail_retention_vs_control", below=0.90),
        Threshold("tail_gap_vs_control", above=0.15),
    )
