#!/usr/bin/env bash
# Loads flights and planes into a new data directory and starts the queries of query.sql.
#
#   load.sh [DIR] [FLIGHTS_CSV] [PLANES_CSV]
#
# The binary is $MILLSTREAM, or what `cargo run --release` builds when called inside the repository.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
data=${1:-./millstream-data}
flights=${2:-$here/flights-week.csv}
planes=${3:-$here/planes.csv}
read -r -a millstream <<< "${MILLSTREAM:-cargo run --release --quiet --}"

if [ -e "$data" ]; then
    echo "error: $data exists already; loading again would count every flight twice" >&2
    echo "help: remove it, or name another directory" >&2
    exit 1
fi

# Planes first: a flight is joined with the planes that are known when it comes.
"${millstream[@]}" produce planes "$planes" --format csv --partitions 4 \
    --key tailnum --timestamp loaded --data "$data"
"${millstream[@]}" produce flights "$flights" --format csv --partitions 4 \
    --key tailnum --timestamp time_hour --data "$data"
"${millstream[@]}" --data "$data" -f "$here/query.sql"
