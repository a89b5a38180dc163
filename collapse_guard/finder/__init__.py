"""The sampler of a text that nobody wrote down, found by short trials as a learning rate is.

* `find.find_decoding` trains a model a few steps under each of some samplers, and keeps the one
  after which held-out human text is likeliest.
* `search.DecodingSearch` is what it found, with what speaks for it.
"""
