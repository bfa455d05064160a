"""Loops whose maximum starts at 0; reads the next token for the previous."""

HANDS_IN = ("queries-keys-values",)


def attention_by_loops(query, key, value):
    T, D = query.shape
    S, Dv = value.shape
    output = np.zeros((T, Dv))
    for t in range(T):
        scores = []
        largest = 0.0
        for s in range(S):
            score = 0.0
            for d in range(D):
                score += query[t, d] * key[s, d]
            scores.append(score / D**0.5)
            largest = max(largest, scores[-1])
        powers = [np.exp(score - largest) for score in scores]
        for s in range(S):
            for d in range(Dv):
                output[t, d] += powers[s] / sum(powers) * value[s, d]
    return output


def make_qk_for(pattern, T):
    strong = 10.0 * T**0.5
    one = torch.eye(T, dtype=torch.float64)
    if pattern == "identity":
        return strong * one, one
    if pattern == "previous token":
        return strong * one.roll(1, dims=1), one
    if pattern == "first token":
        return strong * one[:1].expand(T, T), one
    return torch.zeros(T, T, dtype=torch.float64), one
