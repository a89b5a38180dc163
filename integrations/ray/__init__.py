"""Data sets of Ray: counted, compared and weighed where they lie."""
