"""Whole models, each on one page of torch: what the other rooms take apart stands here in a row."""
