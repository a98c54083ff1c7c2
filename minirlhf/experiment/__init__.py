"""The main job and the proof: the paper's three steps in one run, and what is claimed of them.

`models_and_data`   the parts of a run, each made when it is first asked for and kept
`measurements`      the figures of a run: what §4 of the paper measures
`main_job`          everything once, to a report (``minirlhf run``)
`claims`, `proof`   what is claimed, measured over several seeds (``make proof``)
"""
