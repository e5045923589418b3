"""Measure speed: of an engine as its callers feel it, and of labkit itself as a ratio of two things run side by side.

`labkit bench` (serving, compare, results, load): time to first token, time per token and throughput by how many ask at once.
`labkit bench check` (check): the same requests, read by us and by the engine itself. `labkit bench reader` (reader): what the
caller's own clock readings cost and how late they are. `labkit bench overhead` (overhead): what labkit's client and engine process
cost, beside the plain openai client and xllamacpp driven directly. Taught in notebook 00, section "How fast is it".
"""
