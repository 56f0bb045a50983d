"""What a change to the program or its settings does to each stack, determined without a cluster."""
