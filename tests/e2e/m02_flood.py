"""A flood of distinct queries and its memory: what a release build takes, sampled while it goes on."""
from case import same, slow, wait_for
from m01_memory import MB, Peak
from p22_flood import MAX, Flood, Gauge, active, site


@slow(180)
def test_50000_distinct_queries(t):
    """50,000 objects that are asked for once: the RAM tier's budget and a constant, as for any other traffic."""
    gauge = Gauge(t, take_s=0.001)
    larder = t.larder(sites=site(gauge, "queue size=200 timeout=10s;"), memory="32M", access="off")
    same(larder.fetch("/hot").status, 200)
    before = larder.rss_bytes()
    with Peak(larder) as peak:
        flood = Flood(larder, 300, 50_000, lambda number: f"/search?q={number}").run(150)
        wait_for(lambda: active(larder) == 0, 10, "the end of it")
    same((flood.wrong[:3], flood.good + flood.refused), ([], 50_000))
    assert flood.good > 1000 and gauge.most <= MAX, (flood.good, gauge.most)
    allowed = (32 + 96 if not larder.is_sanitized() else 600) * MB
    assert peak.bytes < before + allowed, f"{peak.bytes >> 20} MB resident, {before >> 20} before"
    print(f"{flood.good} good, {flood.refused} refused, {(peak.bytes - before) >> 20} MB more at the most")
