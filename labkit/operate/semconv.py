"""The names of OpenTelemetry's GenAI conventions that labkit uses, in one place, and labkit's own beside them.

The conventions are young and names have moved (`gen_ai.system` became `gen_ai.provider.name`): a test compares this table with
the installed opentelemetry-semantic-conventions, so a rename there is red here.

Taught in notebook 11, sections "A slow engine" and "Out of this program".
"""

from __future__ import annotations

__all__ = ["ATTRIBUTES", "CONTENT", "METRICS", "OPERATIONS", "OPERATION_DURATION", "OURS", "REQUEST_MODEL"]

# Metric names; each has (unit, meaning).
OPERATION_DURATION = "gen_ai.client.operation.duration"
TOKEN_USAGE = "gen_ai.client.token.usage"
TIME_TO_FIRST_CHUNK = "gen_ai.client.operation.time_to_first_chunk"
TIME_PER_OUTPUT_CHUNK = "gen_ai.client.operation.time_per_output_chunk"

METRICS = {
    OPERATION_DURATION: ("s", "GenAI operation duration."),
    TOKEN_USAGE: ("{token}", "Number of input and output tokens used."),
    TIME_TO_FIRST_CHUNK: ("s", "Time from the request to the first chunk of a streamed answer."),
    TIME_PER_OUTPUT_CHUNK: ("s", "Time from one chunk of a streamed answer to the next."),
}

# The conventions know the time per output token only as seen by a server; measured by a client it is another figure.
TIME_PER_OUTPUT_TOKEN = "labkit.client.time_per_output_token"
IN_FLIGHT = "labkit.client.requests.in_flight"
OURS = {
    TIME_PER_OUTPUT_TOKEN: ("s", "Time per output token after the first chunk, as the client sees it."),
    IN_FLIGHT: ("{request}", "Requests that were sent and have not ended."),
}

# Attributes. Those of METRIC_LABELS may label a metric; nothing else may, because every value is one more time series.
OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
REQUEST_MODEL = "gen_ai.request.model"
REQUEST_MAX_TOKENS = "gen_ai.request.max_tokens"
REQUEST_TEMPERATURE = "gen_ai.request.temperature"
REQUEST_STREAM = "gen_ai.request.stream"
RESPONSE_MODEL = "gen_ai.response.model"
FINISH_REASONS = "gen_ai.response.finish_reasons"
RESPONSE_FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
TOKEN_TYPE = "gen_ai.token.type"
AGENT_NAME = "gen_ai.agent.name"
TOOL_NAME = "gen_ai.tool.name"
TOOL_CALL_ID = "gen_ai.tool.call.id"
TOOL_ARGUMENTS = "gen_ai.tool.call.arguments"
TOOL_RESULT = "gen_ai.tool.call.result"
INPUT_MESSAGES = "gen_ai.input.messages"
OUTPUT_MESSAGES = "gen_ai.output.messages"
SYSTEM_INSTRUCTIONS = "gen_ai.system_instructions"
ERROR_TYPE = "error.type"

ATTRIBUTES = (
    OPERATION, PROVIDER, REQUEST_MODEL, REQUEST_MAX_TOKENS, REQUEST_TEMPERATURE, REQUEST_STREAM, RESPONSE_MODEL,
    FINISH_REASONS, RESPONSE_FIRST_CHUNK, INPUT_TOKENS, OUTPUT_TOKENS, TOKEN_TYPE, AGENT_NAME, TOOL_NAME, TOOL_CALL_ID,
    TOOL_ARGUMENTS, TOOL_RESULT, INPUT_MESSAGES, OUTPUT_MESSAGES, SYSTEM_INSTRUCTIONS, ERROR_TYPE,
)  # fmt: skip
METRIC_LABELS = (OPERATION, PROVIDER, REQUEST_MODEL, RESPONSE_MODEL, TOKEN_TYPE, AGENT_NAME, TOOL_NAME, ERROR_TYPE)
CONTENT = (INPUT_MESSAGES, OUTPUT_MESSAGES, SYSTEM_INSTRUCTIONS, TOOL_ARGUMENTS, TOOL_RESULT)  # what people wrote

CHAT, INVOKE_AGENT, EXECUTE_TOOL = "chat", "invoke_agent", "execute_tool"
OPERATIONS = (CHAT, INVOKE_AGENT, EXECUTE_TOOL)

# What the conventions advise for the buckets of their histograms.
SECONDS_BUCKETS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
TOKEN_BUCKETS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)
SHORT_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24)  # one token
