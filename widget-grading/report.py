import sys; sys.path[:0]=[str(ROOT / "tests/browser"), str(ROOT / "tests"), str(ROOT)]
from pathlib import Path; import tempfile
from fabricated_run import fabricate, report
from browser_lab import CHROMIUM, FLAGS
from playwright.sync_api import sync_playwright
f=Path(tempfile.mkdtemp()); url=report(f, fabricate(f, iterations=80)).as_uri()
out=Path("grading-out/shots")
with sync_playwright() as pw:
    b=pw.chromium.launch(executable_path=CHROMIUM,args=FLAGS)
    for w in (1280,800,400):
        for dark in (False,True):
            p=b.new_page(viewport={"width":w,"height":1000},color_scheme="dark" if dark else "light"); p.goto(url)
            over=p.evaluate("document.documentElement.scrollWidth-innerWidth")
            t="dark" if dark else "light"; h=p.evaluate("document.documentElement.scrollHeight")
            p.screenshot(path=str(out/f"report--top--{w}-{t}.png"))
            for k,sec in enumerate(("results","training","preference","reward","tax","replies")):
                p.evaluate(f"document.getElementById('{sec}').scrollIntoView()"); p.wait_for_timeout(150)
                p.screenshot(path=str(out/f"report--{sec}--{w}-{t}.png"))
            print(w,t,"overflow",over,"height",h); p.close()
    b.close()
