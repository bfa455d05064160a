"""The figures of the book: the only room that imports matplotlib and altair."""
