# To be sourced: starts a server on a free port and waits until it listens.
#
#   start_server PROGRAM LOG     sets `address` (host:port); the server ends with the calling script
start_server() {
  local program=$1 log=$2
  "$program" serve --listen 127.0.0.1:0 >"$log" 2>&1 &
  server=$!
  trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true' EXIT
  for _ in $(seq 120); do
    address=$(sed -nE 's/.*listening on (127\.0\.0\.1:[0-9]+).*/\1/p' "$log" | head -n 1)
    [ -n "$address" ] && return
    kill -0 "$server" 2>/dev/null || break
    sleep 0.5
  done
  echo "the server did not start:" >&2
  cat "$log" >&2
  exit 1
}
