"""Which default rules fire on real trainings: `tests/alarm_study.py` says how it is asked."""
