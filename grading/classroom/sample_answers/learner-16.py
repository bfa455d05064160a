"""Returns nothing, prints, warns, and runs for ever."""

HANDS_IN = ("queries-keys-values",)


def project_qkv(x, w_q, w_k, w_v, context=None):
    print("query", x @ w_q)


def attention_scores(query, key):
    import warnings

    warnings.warn("this is slow")
    return query @ key.mT


def attention(query, key, value):
    while True:
        pass
