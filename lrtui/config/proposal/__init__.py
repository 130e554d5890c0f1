"""`lrtui init`: from a script's source to an experiment file, without running the script.

`python_source` reads it, `parsers` and `parserless` find its options, `roles` identifies the learning rate, the seed and so on,
`printed` makes patterns from its format strings, and `draft` writes the file. Comments mark guesses.
"""
