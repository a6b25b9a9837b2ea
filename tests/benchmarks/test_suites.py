"""What the peers' suites report is read right."""

from __future__ import annotations

from benchmarks.suites import outcomes

REPORT = """<testsuites><testsuite>
<testcase classname="a" name="good"/>
<testcase classname="a" name="talks"><system-out>words</system-out></testcase>
<testcase classname="a" name="bad"><failure message="no">trace</failure></testcase>
<testcase classname="a" name="broken"><error message="no">trace</error></testcase>
<testcase classname="a" name="left"><skipped message="why"/></testcase>
</testsuite></testsuites>"""


def test_only_what_passed_counts_as_passed() -> None:
    """A failure, an error and a skipped test do not; nor does a suite without a report."""
    found = outcomes(REPORT, 1.5)
    assert found.passed == {"a::good", "a::talks"}
    assert found.others == {"a::bad", "a::broken", "a::left"}
    assert outcomes("", 1.0).passed == frozenset()
