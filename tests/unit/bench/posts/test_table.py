"""Tables and charts of `make bench`: what they say, in which order, and nothing of who did not run."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from bench.posts import chart as svg_chart
from bench.posts.measure import Figures, Goal
from bench.posts.model import Case, Contender, LoadSize, Results
from bench.posts.table import bar, case_tables, chart, goal_table, summary_line

PLAIN, TLS, SLOW = Case(False, 0), Case(True, 0), Case(False, 20)
SIZE = LoadSize(1, 1)
FAST, MISSING, BASE = (
    Contender("cli", "ours", SIZE, SIZE),
    Contender("node", "Node & co", SIZE, SIZE),
    Contender("threads", "boto3", SIZE, SIZE),
)
ALL = (FAST, MISSING, BASE)
FOUND = {
    (SLOW, "threads"): Figures(550.4, 1.8, 555.5, 61.2, 1.0, 0),
    (PLAIN, "threads"): Figures(900, 1.25, 800, 60, 1.0, 0),
    (PLAIN, "cli"): Figures(23_456.7, 0.05, 20_000, 42, 25.0, 2),
    (SLOW, "cli"): Figures(9_999, 0.05, 20_000, 42, None, 0),
}


def test_a_table_for_each_case_in_which_somebody_ran() -> None:
    results = Results("nginx/1.22.1", ceilings={PLAIN: [70_000.0, 60_000.0, 10.0]})
    assert list(case_tables(results, FOUND, ALL)) == [
        "### plain HTTP, 0 ms",
        "",
        "| contender | posts/s | CPU-s per 1,000 | posts per CPU-s | ratio | peak memory |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        "| ours (2 lost) | 23,457 | 0.050 | 20,000 | 25.00× | 42 MB |",
        "| boto3 | 900 | 1.250 | 800 | 1.00× | 60 MB |",
        "| wrk (nginx/1.22.1) | 60,000 |  |  |  |  |",
        "",
        "### plain HTTP, 20 ms",
        "",
        "| contender | posts/s | CPU-s per 1,000 | posts per CPU-s | ratio | peak memory |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        "| ours | 9,999 | 0.050 | 20,000 | – | 42 MB |",
        "| boto3 | 550 | 1.800 | 556 | 1.00× | 61 MB |",
        "",
    ]


def test_what_was_measured_is_said_with_how_busy_the_machine_was() -> None:
    assert summary_line(Results("nginx/1.22.1", load=2.46), 5, 40_000) == (
        "5 rounds of 40,000 posts, slow contenders a part of that; stub: nginx/1.22.1; "
        "load of the machine at the start: 2.5"
    )


def test_aims_say_whether_they_were_reached() -> None:
    wanted = [
        Goal(PLAIN, "cli", min_ratio=20),
        Goal(SLOW, "cli", min_rate=10_000),
        Goal(SLOW, "cli", min_ratio=2),
    ]
    assert list(goal_table([*wanted, Goal(TLS, "cli", min_ratio=12)], FOUND, {"cli": "ours"})) == [
        "| aim | wanted | found |  |",
        "| --- | ---: | ---: | --- |",
        "| ours, plain HTTP, 0 ms | 20× | 25.00× | reached |",
        "| ours, plain HTTP, 20 ms | 10,000 posts/s | 9,999 posts/s | missed |",
        "| ours, plain HTTP, 20 ms | 2× | – | not measured |",
        "",
    ]
    assert list(goal_table([Goal(TLS, "cli", min_ratio=12)], FOUND, {"cli": "ours"})) == []


def test_bars_are_on_one_scale() -> None:
    lines = list(chart(FOUND, ALL, (PLAIN, TLS, SLOW)))
    assert [each.strip() for each in lines if "HTTP" in each or "TLS" in each] == [str(PLAIN), str(SLOW)]
    # The names are as wide as the widest of all contenders.
    assert lines[3] == f"  ours      {'█' * 44} 20,000"
    assert lines[4] == f"  boto3     {bar(0.04)} 800"
    assert bar(0.04) == "█▊"
    assert bar(0) == ""
    assert list(chart({}, (), ())) == ["Posts per CPU-second"]


def test_the_picture_is_svg_with_a_bar_for_each() -> None:
    drawn = svg_chart.svg(FOUND, ALL, (PLAIN, TLS, SLOW), frozenset({"cli"}))
    root = ET.fromstring(drawn)
    name = "{http://www.w3.org/2000/svg}"
    bars = [each for each in root.iter(f"{name}rect") if each.get("y")]
    assert len(bars) == len(FOUND)
    widths = [float(each.get("width", 0)) for each in bars]
    assert widths[0] == max(widths)
    assert widths[1] == round(widths[0] * 800 / 20_000, 1)
    texts = [each.text for each in root.iter(f"{name}text")]
    assert "20,000 (25.0×)" in texts
    assert "20,000" in texts
    assert str(TLS) not in texts
    assert len({each.get("fill") for each in bars}) == 2


def test_names_are_escaped_in_the_picture() -> None:
    drawn = svg_chart.svg({(PLAIN, "node"): FOUND[PLAIN, "cli"]}, ALL, (PLAIN,), frozenset())
    assert "Node & co" in [
        each.text for each in ET.fromstring(drawn).iter("{http://www.w3.org/2000/svg}text")
    ]
