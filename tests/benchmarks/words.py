"""The words in which the README tells the results; a name in braces is a figure of the result."""

from __future__ import annotations

SIDES = {
    "whole": "here, whole",
    "ceiling": "asyncio by hand, the ceiling",
    "pykka_threads": "Pykka {pykka}, a thread each",
    "autogen_core": "autogen-core {autogen_core}",
    "langgraph": "LangGraph {langgraph}",
}
"""The columns of the table and the bars of the chart."""
WAITS = "ideal ÷ wall: {negotiations} negotiations, {move_s} s a move"
ROWS = (
    ("cpu_per_message", "cpu_ms", "CPU per message, ms: {negotiations} negotiations, no waiting"),
    ("cpu_per_message", "messages_per_s", "messages/s, the same"),
    ("short_waits", "ideal_to_wall", WAITS),
    ("long_waits", "ideal_to_wall", WAITS),
    ("ten_thousand", "ideal_to_wall", WAITS),
    ("ten_thousand", "kib_per_negotiation", "KiB per negotiation, the same"),
)
"""Of which result, the end of the figures' names, and what it is."""
TITLE = "Messages/s on a log scale: {negotiations} negotiations, no waiting, each message durable"

MACHINE = """\
The machine: {cpu}, {cores} cores; Python {python}, SQLite {sqlite}. `python tests/benchmarks
--keep` measures all of this anew and keeps each result in `tests/benchmarks/results/`; `python
tests/benchmarks/figures.py` then writes these figures and the chart."""
SAME_WORK = """\
**The orchestration beside what else one might use**: `{command}`, medians of {runs} runs, of
{waiting_runs} where moves take time (of LangGraph only one), in which the sides take turns. The
work is the same for all: negotiations of {messages_each} messages, each made by a stand-in, about
400 characters and an offer, and durable in SQLite (WAL, `synchronous=FULL`) before the next is
asked for."""
MEANING = """\
*Ideal* is what one negotiation alone would take if it cost nothing besides its moves. *Whole* is
this system as it runs: both sides' moves are judged by the rules, limits are looked at again when
a message is saved, and each has a hash in a chain and a line in the log. The others do none of
that. They only keep the messages, all through one thread that commits in groups, LangGraph as its
checkpoints: that is part of our distance to the ceiling, and where we are ahead, it is in spite of
it. The mail of autogen-core's agents holds the message that is answered, and no more. Each side is
one file in `tests/benchmarks/peers/`, as idiomatic and as fast as we could make it, to be read and
doubted. After every run each side's database was checked for exactly these messages, in order."""
LINES = {
    "stepping_in": """with {negotiations} negotiations active, the brand's draft that knows what
        `add_user_intervention` said starts after {median_ms} ms (median; 99 %: {p99_ms} ms), and
        where all of them move at the same instants after {in_step_median_ms} ms (99 %:
        {in_step_p99_ms} ms). Guidance and message are on disk by then. What comes while a supplier
        drafts changes a limit too: text alone would wait for what the supplier says.""",
    "start_up": """`python main.py --help` takes {help_s} s, the first output of `python main.py`
        {first_output_s} s, importing the face {face_s} s: {help_ratio}, {first_output_ratio} and
        {face_ratio} times as long as importing pydantic, pykka, peewee and structlog. The whole
        sample takes {sample_ratio} times as long.""",
    "growth": """from {smallest} to {largest} messages in the database, `show` goes from
        {show_at_smallest_ms} to {show_at_largest_ms} ms ({show_ratio} times), a start from
        {start_at_smallest_s} to {start_at_largest_s} s ({start_ratio} times), one more message
        from {message_at_smallest_ms} to {message_at_largest_ms} ms ({message_ratio} times, and
        {message_at_once_ratio} times while the pages are looked at), and the command `list` from
        {list_command_at_smallest_s} to {list_command_at_largest_s} s ({list_command_ratio} times).
        What it reads takes {list_at_smallest_ms} to {list_at_largest_ms} ms of that.""",
    "long_negotiation": """a message costs {short_cpu_ms_per_message} ms of CPU in a negotiation of
        {short_rounds} rounds and {long_cpu_ms_per_message} ms in one of {long_rounds}: {ratio}
        times as much, and in the last tenth of it {last_tenth_ratio} times.""",
    "recovery": """{negotiations} negotiations that a `kill -9` left over all move again
        {recover_s} s after a start of {start_s} s, and take {kib_per_negotiation} KiB of memory
        each.""",
    "models": """{negotiations} negotiations whose models take {answer_s} s take {ratio} times as
        long as one; our own CPU for a call is {our_cpu_ms_per_call} ms, beside
        {sdk_cpu_ms_per_call} ms of the SDK's.""",
    "parallel": """{negotiations} negotiations whose every move takes {move_s} s take {ratio} times
        as long as one of them. Nobody waits for another's move: the limit is the CPU of a message,
        {cpu_ms_per_message} ms in all.""",
    "pick_up": """what another process has committed is picked up after {median_ms} ms (median of
        {interventions}; {max_ms} at most); waiting for it takes {idle_cpu_s_per_minute} s of CPU a
        minute.""",
    "stdio": """an engine by its pipes is ready after {ready_ms} ms, and a call there and back
        takes {call_ms} ms (a child that only echoes: {echo_ms} ms).""",
    "events": """one event costs {event_us} µs of CPU with the log on, {ratio} times what it takes
        to make and write the bare line, {in_a_burst_us} µs where many come together, and
        {rotating_us} µs where the log rotates; a heartbeat costs {heartbeat_us} µs with {active}
        active negotiations.""",
    "watch": """`watch` shows the first rows of a log of {lines} lines after {first_table_s} s and
        prints all its {negotiations} negotiations after {once_s} s, {ratio_to_plain} times what it
        takes to parse the lines and do nothing; it takes {memory_mib} MiB.""",
    "report": """the page takes {many_page_ms} ms and {many_page_kib} KiB for each of {many}
        negotiations, {few_page_ms} ms for each of {few}; `--json` {many_json_ms} ms.""",
}
"""What is told of each benchmark but the orchestration's."""
