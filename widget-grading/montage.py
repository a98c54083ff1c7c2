import sys
from PIL import Image
out, cols, *files = sys.argv[1:]
ims=[Image.open(f).convert("RGB") for f in files]; cols=int(cols)
rows=[ims[k:k+cols] for k in range(0,len(ims),cols)]
W=max(sum(i.width for i in r)+12*(len(r)-1) for r in rows); H=sum(max(i.height for i in r) for r in rows)+12*(len(rows)-1)
m=Image.new("RGB",(W,H),"#888"); y=0
for r in rows:
    x=0
    for i in r: m.paste(i,(x,y)); x+=i.width+12
    y+=max(i.height for i in r)+12
m.save(out)
