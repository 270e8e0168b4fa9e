import time
from tests.simulation.one_period import History, tell
from tests.simulation.faults import *
from worker.sandbox.behaviours import *
def test_x(engine):
    for story in [(pay(),), (troubled(Reply.DROP, charged=True),pay()), (troubled(Reply.HANG, charged=False),pay()), (decline(), pay()), (slow(600.0),pay())]:
        t=time.perf_counter()
        told = tell(engine, History(story))
        print(time.perf_counter()-t, len(told.points), told.repeated)
        print([str(p) for p in told.points])
    t=time.perf_counter()
    for n in range(50): tell(engine, History((pay(),)))
    print((time.perf_counter()-t)/50)
    import cProfile
    pr=cProfile.Profile(); pr.enable()
    for n in range(50): tell(engine, History((pay(),)))
    pr.disable(); import pstats; pstats.Stats(pr).sort_stats("tottime").print_stats(18)
