"""What `cat` makes of datasets: slices, shuffles, new keys, one set of fields, and the formats of other trainers."""
