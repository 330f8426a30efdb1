#!/usr/bin/env bash
# An archive as an array job of AWS Batch, on spot machines if the queue has them.
#
#   1. invdn plan s3://photos/2024 -o s3://clean/2024 --manifest s3://clean/plan-2024 --shards 500
#   2. put your image, role and region into job-definition.json; the role may read and write the buckets
#   3. ./submit.sh QUEUE s3://clean/plan-2024 500     (2 to 10,000 shards)
#   4. invdn status --manifest s3://clean/plan-2024
#
# A lost spot machine (Host EC2...) and exit code 75 try a shard again, 42 does not.
set -euo pipefail
queue=$1 manifest=$2 shards=$3
cd "$(dirname "$0")"
aws batch register-job-definition --cli-input-json file://job-definition.json
aws batch submit-job --job-name invdn-archive --job-definition invdn-archive --job-queue "$queue" \
  --array-properties "size=$shards" --parameters "manifest=$manifest"
