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
            print(seed, "BAD", round(time.process_time()-t,2), len(lines), sum("restored" in x for x in lines)); print("   "+"\n   ".join(lines[:8]), flush=True)
    print("bad", bad)
