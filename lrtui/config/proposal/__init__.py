"""`lrtui init`: from a script's source to an experiment file, without running the script.

`python_source` reads it, `parsers` and `parserless` find what it can be told, `roles` says which of that is the learning rate or the seed,
`printed` makes patterns of its format strings, and `draft` writes the file. What is guessed is said in comments.
"""
