"""Language models of any make: called, scored and sampled without leaving a trace in them."""
