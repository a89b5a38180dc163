"""The scripts are run, and not imported in the search for docstring examples."""

collect_ignore_glob = ["with_*.py"]
