"""The builder of the built-in model: a small Mandarin recogniser in Vosk's format, made from our own words.

`acoustic` and `network` turn sentences spoken by espeak-ng into acoustic weights (about an hour, needs the
extra `builder`); `language_model` and `graph` turn text into the decoding graph (seconds), so that another
city's words need no training.
Voices, readings and text come from the caller: this package imports nothing else of the program.
"""

HELD_OUT = ("f5", "m8", "Mario", "klatt2", "iven3")  # espeak-ng voices for tests only, never trained on
