"""The pack of shipped runs: what the chapters replay, and the figures that their text cites.

`make` makes the runs, `publish` puts what the chapters need of them into the package, `figures`
writes course/run.json. ``python -m course.pack`` does all three and goes on where it was.
"""
