"""Measure speed as ratios of two things run side by side, never as a bare figure.

`labkit bench overhead` (module `overhead`): what labkit's own client and engine process cost, beside the plain openai client
and beside xllamacpp driven directly. Taught in notebook 00, section "How fast is it".
"""
