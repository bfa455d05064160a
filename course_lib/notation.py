"""The course's alphabet as data: one letter, one meaning, in code, formulas and figures.

The notation page is generated from these tuples, and the tests allow no other letter in the
shape annotations of ``course_lib``.
"""

from dataclasses import dataclass

__all__ = ["SIZES", "SYMBOLS", "Size", "Symbol", "size"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """One letter of the alphabet of sizes.

    Attributes:
        letter: as it stands in annotations and figures, for example "T".
        name: the full word in code, for example "num_queries".
        meaning: what is counted, in English.
        chinese: the Chinese term.
    """

    letter: str
    name: str
    meaning: str
    chinese: str

    @property
    def latex(self) -> str:
        """The letter as it stands in formulas: "Dv" is set as D with the index v."""
        return self.letter if len(self.letter) == 1 else f"{self.letter[0]}_{self.letter[1:]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Symbol:
    """One quantity that the formulas name.

    Attributes:
        latex: as it stands in formulas, for example "Q".
        name: the full word in code, for example "query".
        shape: its axes in the letters of ``SIZES``; leading batch axes are left out, and a single
            number has none.
        meaning: what it is, in English.
        chinese: the Chinese term.
    """

    latex: str
    name: str
    shape: str
    meaning: str
    chinese: str


def _size(letter: str, name: str, meaning: str, chinese: str) -> Size:
    return Size(letter=letter, name=name, meaning=meaning, chinese=chinese)


def _symbol(latex: str, name: str, shape: str, meaning: str, chinese: str) -> Symbol:
    return Symbol(latex=latex, name=name, shape=shape, meaning=meaning, chinese=chinese)


SIZES: tuple[Size, ...] = (
    _size("B", "batch_size", "examples in a batch", "批大小"),
    _size("T", "num_queries", "query positions: those that read", "查询位置数"),
    _size("S", "num_keys", "key positions: those that are read", "键位置数"),
    _size("C", "d_model", "width of a token's vector", "模型宽度"),
    _size("H", "num_heads", "query heads", "查询头数"),
    _size("G", "num_kv_heads", "key/value heads", "键值头数"),
    _size("R", "num_shared", "query heads that share one key/value head, H / G", "共享倍数"),
    _size("D", "head_dim", "size of a head's query and key vectors", "头维度"),
    _size("Dv", "value_dim", "size of a head's value vectors, where it differs from D", "值维度"),
    _size("F", "d_ff", "width inside the feed-forward network", "前馈层宽度"),
    _size("E", "num_experts", "experts of one mixture-of-experts layer", "专家数"),
    _size("A", "experts_per_token", "experts active for one token", "每词元激活专家数"),
    _size("L", "num_layers", "layers", "层数"),
    _size("V", "vocab_size", "entries of the vocabulary", "词表大小"),
    _size("N", "num_units", "units of a recurrent network's state", "循环单元数"),
    _size("Dc", "latent_dim", "size of the latent vector that MLA keeps for a token", "潜在维度"),
    _size("Dr", "rope_dim", "size of the rotary key that MLA's heads share", "旋转维度"),
    _size("W", "window", "keys within reach, the query's own included", "窗口大小"),
)

SYMBOLS: tuple[Symbol, ...] = (
    _symbol("X", "x", "T C", "the vectors that ask: one row per query position", "输入"),
    _symbol(
        r"X'", "context", "S C", "the vectors that are read; X itself in self-attention", "上下文"
    ),
    _symbol("W_Q", "w_q", "C D", "projection of x into queries", "查询投影矩阵"),
    _symbol("W_K", "w_k", "C D", "projection of the context into keys", "键投影矩阵"),
    _symbol("W_V", "w_v", "C Dv", "projection of the context into values", "值投影矩阵"),
    _symbol("Q", "query", "T D", "queries: what each position looks for", "查询"),
    _symbol("K", "key", "S D", "keys: what each position can be found by", "键"),
    _symbol("V", "value", "S Dv", "values: what each position hands over when it is read", "值"),
    _symbol("Z", "scores", "T S", "how well query t fits key s, before the softmax", "得分"),
    _symbol("P", "weights", "T S", "the share of key s in what query t reads", "注意力权重"),
    _symbol("M", "may_attend", "T S", "True where query t may read key s", "可读掩码"),
    _symbol("O", "output", "T Dv", "what each query reads: the weighted sum of values", "输出"),
    _symbol(r"\sigma", "sink", "H", "a score that takes weight and hands nothing over", "汇聚分数"),
    _symbol("u_t", "position", "C", "the vector of position t", "位置向量"),
    _symbol("h_t", "h", "N", "the state of a recurrent network after step t", "状态"),
    _symbol("W_x", "w_x", "C N", "what a recurrent network makes of its input", "输入矩阵"),
    _symbol("W_h", "w_h", "N N", "what it makes of its old state", "循环矩阵"),
    _symbol("J_t", "jacobian", "N N", "the derivatives of state t by the one before", "雅可比矩阵"),
    _symbol(r"\sigma_1", "largest_singular_value", "", "the size of a matrix", "最大奇异值"),
    _symbol("c", "scale", "", "the factor on q · k before the softmax", "缩放因子"),
    _symbol(
        "a",
        "query_pre_attn_scalar",
        "",
        "what c is one over the root of, D unless said",
        "缩放基数",
    ),
    _symbol("f", "yarn_factor", "", "how many times longer YaRN makes the context", "扩展倍数"),
    _symbol(r"\tau", "temperature", "", "what scores are divided by before the softmax", "温度"),
    _symbol(r"\lambda", "width", "", "how far a kernel reaches: the temperature is 2λ²", "核宽度"),
    _symbol("m", "maximum", "", "the largest score of a row, or the largest so far", "最大值"),
    _symbol(r"\ell", "normaliser", "", "the sum of exp(score − m) so far", "归一化因子"),
    _symbol("g", "grad_weights", "T S", "the gradient that arrives at the weights", "权重的梯度"),
    _symbol(r"\mathcal{L}", "loss", "", "the number that training makes small", "损失"),
    _symbol(r"\delta_{sr}", "identity", "S S", "1 where s = r, else 0", "克罗内克符号"),
)


def size(letter: str) -> Size:
    """Look a size up by its letter.

    Args:
        letter: a letter of ``SIZES``, for example "T".

    Returns:
        The size.

    Raises:
        ValueError: if the alphabet has no such letter.

    >>> size("S").name
    'num_keys'
    """
    for entry in SIZES:
        if entry.letter == letter:
            return entry
    raise ValueError(
        f"a size is named by a letter of the alphabet; {letter!r} is none; "
        f"the letters are {' '.join(entry.letter for entry in SIZES)}"
    )
