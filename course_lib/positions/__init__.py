"""How a model knows where a token stands: vectors added, scores biased, queries and keys turned."""
