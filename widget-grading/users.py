"""Serves one widget for somebody who only sees pictures.

    python users.py PAGE            PAGE: explorer frontier lens desk labels curve
    then, from any shell, a line each into grading-out/user/PAGE.in; an answer comes in PAGE.out:
        shot NAME | click X Y | move X Y | drag X Y X2 Y2 | type TEXT | key NAME | scroll DY | wait S | end
    A picture is grading-out/user/NAME.png, 1000 x 1000 pixels, of what is in the window.
"""
import sys, time
from common import *
from bare_page import BarePage
from browser_lab import CHROMIUM, FLAGS
from playwright.sync_api import sync_playwright
import numpy as np

HOME = Path("grading-out/user"); HOME.mkdir(exist_ok=True)

def desk():
    from tiny import DEMONSTRATIONS, DOCUMENTS, policy, tokenizer
    from minirlhf.models import ScalarModel
    from minirlhf.pretrained import save_model
    from minirlhf.data.records import write_jsonl
    place = Path(tempfile.mkdtemp()); os.chdir(place)
    model = policy("gpt2", scale=2.0)
    save_model(model, tokenizer(), place / "policy")
    ScalarModel.from_policy(model, tokenizer()).save(place / "rm", tokenizer())
    write_jsonl(place / "prompts.jsonl", [{"prompt": r["prompt"]} for r in DEMONSTRATIONS])
    write_jsonl(place / "docs.jsonl", DOCUMENTS)
    from browser_runs import OPTIONS
    run = start("ppo", str(place / "mine"), **{**OPTIONS, "episodes": 12800})
    return TrainingDesk(run, interval=0.5)

def curve():
    g = Prediction("How does the judge's grade go along the training where nothing holds the policy?", "u.curve",
                   along=range(1, 21), x="iteration", unit="grade", reach=(1, 7), low=1, high=7)
    return g, g.reveal([3 + 2 * float(np.sin(k / 6)) for k in range(20)], "shipped run")

def explorer(): return RankingExplorer([0.8, 1.2, -0.4, -1.0])
MAKE = dict(desk=desk, curve=curve, explorer=explorer, frontier=frontier, lens=lens, labels=labels)

def main(name):
    box, out = HOME / f"{name}.in", HOME / f"{name}.out"
    box.write_text(""); out.write_text("")
    made = MAKE[name](); made = made if isinstance(made, tuple) else (made,)
    with sync_playwright() as pw:
        b = BarePage(pw.chromium.launch(executable_path=CHROMIUM, args=FLAGS), *made, width=1000, height=1000)
        page, done = b.page, 0
        out.write_text("ready\n")
        beat = 0.0
        while True:
            page.wait_for_timeout(100)
            if time.time() - beat > 0.7:
                if name == "desk": made[0].look()
                b.push(); beat = time.time()
            lines = box.read_text().splitlines()
            for line in lines[done:]:
                done += 1
                word, _, rest = line.partition(" "); a = rest.split()
                try:
                    if word == "shot": page.screenshot(path=str(HOME / f"{rest.strip()}.png"))
                    elif word == "click": page.mouse.click(float(a[0]), float(a[1]))
                    elif word == "move": page.mouse.move(float(a[0]), float(a[1]))
                    elif word == "drag":
                        x, y, x2, y2 = map(float, a); page.mouse.move(x, y); page.mouse.down()
                        for k in range(1, 21): page.mouse.move(x + (x2 - x) * k / 20, y + (y2 - y) * k / 20); page.wait_for_timeout(15)
                        page.mouse.up()
                    elif word == "type": page.keyboard.type(rest)
                    elif word == "key": page.keyboard.press(rest.strip())
                    elif word == "scroll": page.mouse.wheel(0, float(a[0]))
                    elif word == "wait": page.wait_for_timeout(1000 * float(a[0]))
                    elif word == "end": return
                    page.wait_for_timeout(250)
                    said = "ok"
                except Exception as e:
                    said = f"no: {str(e)[:200]}"
                out.write_text(out.read_text() + f"{line} -> {said}\n")
main(sys.argv[1])
