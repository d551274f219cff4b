"""A small, reproducible proof that the published train split teaches something about the held-out one.

`make learning` trains a small network from scratch on what the train split publishes, the shown cases of a sample and
its program, and lets it solve held-out tasks beside the same network without training. Both are scored by the harness
of `case2code_evaluate`. It takes minutes on two cores and no more than numpy.
"""
