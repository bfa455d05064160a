"""Texts on which tokenizers disagree, and Hypothesis' own."""

# ruff: noqa: RUF001 (characters that look like others are the point here)

from hypothesis import strategies as st

TEXTS = {
    "empty": "",
    "prose": "It was the best of times, it was the worst of times; we had everything before us.",
    "contractions": "I'm they'll say we've DON'T'S, it'd, IT'S, 'tis, o'clock 'S ''re'llx a'ſ a'ſs",
    "code": "def f(x):\n\tif x>=10 and not(y!=3):\n        return [i**2 for i in x]  # näh\r\n",
    "camel case": "HTTPServer parseJSON2Dict getElementById XMLHttpRequest iPhone ABCdefGHI",
    "snake case": "__init__ my_var_2 SOME_CONST /usr/local/bin//x C:\\path http://a.b/?c=d&e#f",
    "Chinese": "注意力机制让模型在每一步都能读取整个序列。查询、键和值都来自同一个输入（2017年）。",
    "Japanese": "これはテストです。カタカナもABCもー、１２３。",
    "emoji": "👍🏽 family: 👨\u200d👩\u200d👧\u200d👦, flag 🇨🇭, heart ❤\ufe0f\u200d🔥!!🙂🙂",
    "white space": "a  b   c\t\td \n\n\n e \r\n\r\n  \n f\u00a0\u00a0g\u2003h\u3000\u3000 i   ",
    "only spaces": "      ",
    "only breaks": "\n\n\r\n \n",
    "separators": "a\x1cb\x1d \x1e\x1f\x85\x0b\x0c\u2028\u2029c",
    "digits": "0 12 345 6789 1234567890 3.14159 1,000,000 x86_64 ½ ² Ⅷ ٣٤٥٦ ๑๒๓๔",
    "mixed scripts": "Привет мир! Γειά σου ÜBER straße שלום مرحبا नमस्ते สวัสดี 안녕하세요 Ǆǅǆ ʰʱ",
    "combining": "e\u0301le\u0300ve Z̴̡a̷l̸g̶o̵ \u0301 \u0301a A\u0301B\u0301c क्षि",
    "control": "\x00\x01\x7f\ufeff\u200b\ufffd\uffff",
    "special names": "<|endoftext|><|start|>user<|message|>hi<|end|> <|nothing|>",
    "long run": "a" * 100 + "=" * 70 + " " * 90 + "\n" * 30 + "啊" * 40,
    "signs": "--->>> !?... ((())) $$$ /* */ // \n///\n\n ;\n/ …—“quoted”",
}

# Characters that Python's Unicode knows, without surrogates, which UTF-8 cannot hold. The letter
# 0295 is out: its category differs between the versions of Unicode that are in use.
_any = st.characters(exclude_categories=("Cs", "Cn"), exclude_characters="ʕ")
_awkward = st.sampled_from(list("aAsS'tTlLdDvVeE09 \t\n\r/_-.,é啊ʰǅ\u0301²٣\u00a0😀ſ"))

#: Any characters, and runs of those at which the rules change.
any_text = st.text(_any, max_size=40) | st.text(_awkward, max_size=30)
#: Few letters, so that pairs repeat and counts are equal.
repetitive_text = st.text(st.sampled_from(list("ab B'1é\n")), max_size=60)
