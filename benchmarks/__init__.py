"""This engine and its peers on the same work, in one alternated run: ``make bench``.

`shapes` says what work, `ours` and `theirs` do it, `gate` lets one of them at a time, `arithmetic`
is the floor beneath them all, `identical` compares their numbers, `__main__` drives.
"""
