import time, os
from tests.simulation.long_history import tell_long
def test_p(engine):
    a,b = map(int, os.environ.get("ZZ","0,10").split(","))
    bad=0
    for seed in range(a,b):
        t=time.process_time(); w=time.monotonic()
        try:
            s=tell_long(engine, seed)
            print(seed, "ok", len(s), sum("restored" in x for x in s), round(time.process_time()-t,2), round(time.monotonic()-w,2), flush=True)
        except AssertionError as e:
            bad+=1
            lines=str(e).splitlines()
            print(seed, "BAD", round(time.process_time()-t,2), len(lines), sum("restored" in x for x in lines));
            keep=[l[:160] for l in lines if " at " not in l[14:60] and "restored" not in l]
            print("   "+"\n   ".join(keep[:14]+keep[-3:]), flush=True)
            if os.environ.get("ZF"): __import__("pathlib").Path("/tmp/again/zz.txt").write_text(str(e))
    print("bad", bad)
