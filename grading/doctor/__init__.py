"""What is mended in a submission before it is graded, and what cannot be; files in, files out."""
