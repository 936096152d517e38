"""What a pipeline is: plain data between those who write pipelines and those who run them."""
