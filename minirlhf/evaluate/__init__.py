"""§3.6 and §4 of the paper: how a model is judged, with the uncertainty of the verdict.

Judges, labelers and probes are handed in; nothing here knows what world they come from.
"""
