"""python shoot.py [names…] [--only w900-dark-zh]: every widget in its states, into OUT."""
import sys, time
from common import *
from bare_page import BarePage, LAB
import bare_page
from browser_lab import CHROMIUM, FLAGS
from playwright.sync_api import sync_playwright
from minirlhf.lesson import languages
import filelock, shutil
import numpy as np

OUT = Path(os.environ.get("OUT", "grading-out/shots")); OUT.mkdir(exist_ok=True)
FONT = "NotoSansSC-Regular.otf"

def runfolder(kind):
    """A folder that looks like a run in the middle, from the shipped one's log."""
    src, to = shipped.run("ppo-ptx"), Path(tempfile.mkdtemp()) / "mine"
    to.mkdir()
    cfg = json.loads((src / "config.json").read_text())
    rows = [json.loads(l) for l in (src / "metrics.jsonl").read_text().splitlines()]
    n = len(rows) * 5 // 8
    for i, row in enumerate(rows[:n]):
        if i >= n // 2 and "objective/beta" in row: row["objective/beta"] *= 5
        if i >= 3 * n // 4 and "ptx/gamma" in row: row["ptx/gamma"] *= 2
    (to / "config.json").write_text(json.dumps(cfg))
    (to / "metrics.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows[:n]))
    (to / "control.json").write_text(json.dumps({"beta": rows[n - 1]["objective/beta"], "ptx_gamma": rows[n - 1].get("ptx/gamma", 0)}))
    (to / "samples.jsonl").write_text("".join(l + "\n" for l in (src / "samples.jsonl").read_text().splitlines()
        if json.loads(l)["step"] <= n))
    return to

def scenes(name):
    """(state, make, do) for a widget."""
    if name == "desk":
        from minirlhf.widgets.launch import Job
        def fresh():
            return TrainingDesk(Job(Path(tempfile.mkdtemp()) / "mine", ["ppo"]))
        def inuse():
            f = runfolder(""); inuse.lock = filelock.FileLock(f / ".lock"); inuse.lock.acquire()
            d = TrainingDesk(f, ghost=shipped.run("ppo-ptx")); d.more = True; return d
        def hover(b):
            box = b.page.locator(".mr-desk-plot").nth(1).bounding_box()
            b.page.mouse.move(box["x"] + box["width"] * .4, box["y"] + 60)
        def busy():
            d = fresh(); d.run = {**d.run, "state": "starting", "label": languages and TrainingDesk and __import__("minirlhf.widgets.words", fromlist=["say"]).say("desk.state.starting"),
                "hint": __import__("minirlhf.widgets.words", fromlist=["say"]).say("desk.loading"), "moves": True, "hold": "", "stop": False, "clock": 5.0}
            return d
        def error():
            f = runfolder(""); error.lock = filelock.FileLock(f / ".lock"); error.lock.acquire()
            return TrainingDesk(f)
        def wrong(b):
            x = b.page.locator(".mr-desk-lever .mr-input").first; x.fill("lots"); x.press("Enter")
        def refused():
            d = fresh(); d.run = {**d.run, "error": "unrecognized argument --episode; the closest is --episodes"}; return d
        return [("first", fresh, None), ("use", inuse, hover), ("replay", lambda: TrainingDesk(shipped.run("ppo")), None),
                ("busy", busy, None), ("error", error, wrong), ("refused", refused, None)]
    if name == "explorer":
        r = shipped.read("heldout")[3]
        def use(b):
            b.page.get_by_role("button").filter(has_text="gradient step").or_(b.page.get_by_role("button").filter(has_text="梯度下降")).click()
            b.page.wait_for_timeout(900)
            b.page.locator(".rank-dot").nth(1).focus(); b.page.keyboard.press("ArrowRight")
        def tie():
            e = RankingExplorer([0.8, 1.2, -0.4, -1.0]); e.ranks = [1, 1, 1, 1]; return e
        return [("first", lambda: RankingExplorer([0.8, 1.2, -0.4, -1.0]), None),
                ("use", lambda: RankingExplorer([0.8, 1.2, -0.4, -1.0]), use), ("error", tie, None)]
    if name == "lens":
        def use(step):
            def do(b):
                b.widget.step = step; b.push(); b.page.locator("[role=option]").nth(4).click(); b.page.wait_for_timeout(200)
            return do
        def busy(b): 
            b.widget.busy = b.widget._labels["prompt.busy"]; b.push()
        def err(b):
            b.page.locator("textarea").fill(""); b.page.get_by_role("button").filter(has_text="ample").or_(b.page.get_by_role("button").filter(has_text="采样一个")).first.click(); b.page.wait_for_timeout(200)
        return [("first", lens, None), ("use-reward", lens, use("reward")), ("use-gae", lens, use("gae")), ("use-loss", lens, use("loss")), ("busy", lens, busy), ("error", lens, err)]
    if name == "labels":
        def place(b, k, r):
            b.page.locator(".mr-label-card").filter(has_text=f"y{k}").first.focus(); b.page.keyboard.press(str(r))
        def use(b):
            for k, r in ((1, 2), (2, 1), (3, 3), (4, 2)): place(b, k, r)
            b.page.wait_for_timeout(400)
        def saved(b):
            for k, r in ((1, 2), (2, 1), (3, 3), (4, 2), (5, 5), (6, 4)): place(b, k, r)
            b.page.keyboard.press("Enter"); b.page.wait_for_timeout(800)
        def blocked():
            p = Path(tempfile.mkdtemp()) / "file"; p.write_text("x"); return labels(p / "mine.jsonl")
        return [("first", labels, None), ("use", labels, use), ("saved", labels, saved), ("error", blocked, saved)]
    if name == "frontier":
        def use(b):
            b.page.get_by_role("radio").nth(0).click(); b.page.wait_for_timeout(200)
            r = b.page.locator("input[type=range]"); r.focus()
            for _ in range(5): b.page.keyboard.press("PageDown")
            b.page.wait_for_timeout(300)
        return [("first", frontier, None), ("use", frontier, use)]
    if name == "playground":
        def town(): return playground()
        def use(b):
            b.widget.n = 8; b.push()
            b.widget.answer("Write a happy story about Cora and a lamp."); b.push(); b.page.wait_for_timeout(300)
            d = b.page.locator(".mr-play-lane").nth(0).locator("circle")
            if d.count() > 3: d.nth(2).click(force=True)
        def busy(b):
            w = b.widget; w.prompt = "Write a happy story about Cora and a lamp."
            w.n = 4
            seen = []
            def watch(change):
                if change["new"] and change["new"].get("at") == 1 and any(len(t) > 60 for t in change["new"]["texts"]): raise StopAsyncIteration
            w.observe(watch, "growing")
            try: w.answer(w.prompt)
            except BaseException as e: pass
            w.unobserve(watch, "growing")
            from minirlhf.widgets.words import say
            w.busy = say("playground.writing", model="PPO"); w.growing = {"at": 1, "texts": ["Cora the baker took a happy lamp to the"] * 4}
            b.push()
        def err(b):
            b.page.get_by_role("button").filter(has_text="Ask").or_(b.page.get_by_role("button").filter(has_text="询问")).click(); b.page.wait_for_timeout(200)
        def strange(b):
            b.widget.answer("Who won the world cup?"); b.push()
        return [("first", town, None), ("use", town, use), ("busy", town, busy), ("error", town, err), ("strange", town, strange)]
    if name in ("bar", "curve"):
        n = [0]
        def q(**k):
            n[0] += 1
            if name == "bar": return Prediction("After 300 demonstrations, what share of the requests will be done?", f"s.{name}.{n[0]}", unit="% of requests")
            return Prediction("How does the judge's grade go as training goes on?", f"s.{name}.{n[0]}", along=range(1, 21), x="iteration", unit="grade", reach=(1, 7), low=1, high=7)
        def first(): return q()
        def two():
            g = q(); return g, g.reveal(72.6 if name == "bar" else [3 + 2 * np.sin(k / 6) for k in range(20)], "shipped run")
        def drawit(b):
            p = b.page
            if name == "bar":
                box = p.locator(".guess-track").first.bounding_box(); p.mouse.click(box["x"] + box["width"] * .6, box["y"] + 5)
            else:
                box = p.locator(".guess-slider > rect").first.bounding_box(); p.mouse.move(box["x"] + 4, box["y"] + 120); p.mouse.down()
                for k in range(1, 21): p.mouse.move(box["x"] + k * box["width"] / 20 - 2, box["y"] + 120 - 4 * k + 15 * np.sin(k / 2)); p.wait_for_timeout(10)
                p.mouse.up()
            p.wait_for_timeout(400)
        def reveal(b):
            drawit(b); b.page.get_by_role("button").filter(has_text="Reveal").or_(b.page.get_by_role("button").filter(has_text="揭晓")).click(); b.page.wait_for_timeout(800)
        def err(b):
            if name == "bar":
                i = b.page.locator("input").first; i.fill("140"); i.press("Enter"); b.page.wait_for_timeout(300)
            else: b.page.mouse.move(0, 0)
        return [("first", two, None), ("use", first, drawit), ("revealed", two, reveal)] + ([("error", first, err)] if name == "bar" else [])
    if name == "steps":
        def filled(k):
            def make():
                s = ThreeSteps(); d = shipped.read("demonstrations")[2]; r = shipped.read("rankings")[0]
                if k > 0: s.first(d["prompt"], d["completion"], .03, .41)
                if k > 1: s.second(r["prompt"], r["completions"][:4], r["ranks"][:4], [1.2, .3, -.5, .9], .5, .71)
                if k > 2:
                    x = json.loads((shipped.run("ppo") / "samples.jsonl").read_text().splitlines()[-1]); s.third(x["prompt"], x["response"], x.get("score", 1.), (.2, 1.4), (.41, .48))
                return s
            return make
        def click(b): b.page.locator(".mr-steps-replies [role=button]").nth(1).click()
        return [("first", filled(0), None), ("use", filled(2), click), ("full", filled(3), None)]

LOOKS = [(w, d, l) for w in (1280, 900) for d in (False, True) for l in ("en", "zh")]
def main():
    args = sys.argv[1:]; only = None
    if "--only" in args: k = args.index("--only"); only = args[k + 1].split(","); del args[k:k + 2]
    names = args or ["desk", "explorer", "lens", "labels", "frontier", "playground", "bar", "curve", "steps"]
    with sync_playwright() as pw:
        browser = pw.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for width, dark, lang in LOOKS:
            look = f"{width}-{'dark' if dark else 'light'}-{lang}"
            if only and look not in only: continue
            languages.choose(lang)
            for name in names:
                for state, make, do in scenes(name):
                    made = make(); made = made if isinstance(made, tuple) else (made,)
                    bare_page.LAB = LAB if lang == "en" else {k: v + '--jp-ui-font-family: "Liberation Sans", shots;--jp-code-font-family: "Liberation Mono", shots;' for k, v in LAB.items()}
                    b = BarePage(browser, *made, width=892 if width == 1280 else 772, height=700, dark=dark)
                    if lang == "zh":
                        if not hasattr(main, "font"): main.font = base64.b64encode(open(FONT, "rb").read()).decode()
                        b.page.add_style_tag(content='@font-face { font-family: shots; src: url("data:font/otf;base64,' + main.font + '"); }')
                        b.page.evaluate("() => document.fonts.ready"); b.page.wait_for_timeout(300)
                    try:
                        if do: do(b)
                    except Exception as e:
                        print(name, state, look, "FAILED", str(e)[:300])
                    b.page.wait_for_timeout(500)
                    over = b.page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
                    b.screenshot(OUT / f"{name}--{state}--{look}.png")
                    if b.problems or over > 0: print(name, state, look, b.problems, "overflow", over)
                    b.close()
        browser.close()
main()
