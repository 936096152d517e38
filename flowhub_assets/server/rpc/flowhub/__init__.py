"""The .proto files of this project, and the Python that protoc makes of them."""
