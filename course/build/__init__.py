"""From masters to notebooks: ``python -m course.build``.

`masters` reads the percent files, `prose` fills and checks their text, `assemble` makes notebooks
of them, `execute` runs those, `staleness` tells what has to run again, `translations` what has
to be translated again, and `atlas` draws the map from the paper's sections to everything here.
"""
