#!/usr/bin/env bash
# The services that a server speaks, by reflection.
grpcurl -plaintext "${SPINEFX:-localhost:50051}" list
