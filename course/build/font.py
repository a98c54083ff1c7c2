"""The font of Chinese pictures: ``python -m course.build.font NotoSansSC-Regular.otf``.

Of the whole font (from https://github.com/notofonts/noto-cjk, under the OFL) it keeps the letters
of the words that pictures may show, and ASCII. A test says when it has to be made anew.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path

from course.build.masters import Master, masters
from course.build.settings import PACKAGE
from minirlhf.data.files import written_whole
from minirlhf.lesson import letters
from minirlhf.lesson.languages import Texts

DRAWN = {
    "lesson/lesson.toml": "",
    "widgets/labels.toml": "",
    "grading/messages.toml": "runs.shown.",
}
"""The package's words that may come into a picture: files, and how their keys begin."""
ASCII = "".join(map(chr, range(0x20, 0x7F)))


def words(every: Iterable[Master]) -> Iterator[str]:
    """Every Chinese word that a picture may show: labels, and the words of the masters' code."""
    for name, begin in DRAWN.items():
        for key, entry in Texts(PACKAGE / name).entries.items():
            if key.startswith(begin):
                yield entry["zh"]
    for master in every:
        for cell in master.cells:
            yield from filter(None, cell.words.values())


def make(source: Path) -> None:
    """Write the package's font from the whole one."""
    from fontTools.subset import Options, Subsetter  # comes with matplotlib
    from fontTools.ttLib import TTFont

    font = TTFont(source, recalcTimestamp=False)
    options = Options(hinting=False, desubroutinize=True, layout_features=[], glyph_names=False)
    options.drop_tables += ["BASE", "DSIG", "GDEF", "GPOS", "GSUB", "VORG", "vhea", "vmtx"]
    subsetter = Subsetter(options)
    subsetter.populate(text=ASCII + "".join(words(masters())))
    subsetter.subset(font)
    for record in font["name"].names:
        if record.nameID in (1, 4, 16):  # the names that it is found by
            record.string = letters.FAMILY
    with written_whole(letters.FILE) as partial:
        font.save(partial)
    print(f"{letters.FILE.name}: {len(font.getBestCmap())} letters, "
          f"{letters.FILE.stat().st_size / 1000:.0f} KB")  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m course.build.font", description=__doc__)
    parser.add_argument("source", type=Path, help="the whole font, NotoSansSC-Regular.otf")
    make(parser.parse_args().source)
