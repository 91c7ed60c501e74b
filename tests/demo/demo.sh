#!/bin/sh
# The whole chat on this machine, in one go: `make demo` runs this with BIN set to the virtual environment's bin.
set -eu

run() {
    printf '\n\033[1m$ nwchatctl %s\033[0m\n' "$*"
    "$BIN/nwchatctl" "$@"
}
[ -t 1 ] || run() {
    printf '\n$ nwchatctl %s\n' "$*"
    "$BIN/nwchatctl" "$@"
}

# Where another program has the usual port, any free one will do.
free='import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
run sandbox up || run sandbox up --port "$("$BIN/python" -c "$free")"
run --sandbox deploy --yes
run --sandbox smoke

url=$("$BIN/nwchatctl" --sandbox status --json |
    "$BIN/python" -c 'import json, sys; print(json.load(sys.stdin)["endpoints"]["websocket"])')

# Somebody in the chat while the operator looks: says hello, prints what arrives, leaves after the announcement.
ready=$(mktemp -d)
"$BIN/python" tests/demo/player.py "$url" "$ready/here" &
player=$!
trap 'kill "$player" 2>/dev/null || true; rm -rf "$ready"' EXIT
tries=0
while [ ! -e "$ready/here" ] && [ "$tries" -lt 100 ]; do
    tries=$((tries + 1))
    sleep 0.1
done

run --sandbox connections list
run --sandbox broadcast "The dojo opens at eight."
wait "$player"
run --sandbox history tail -n 5

cat <<END

The chat is running at
  $url

Try next (talk in it from as many terminals as you like; change a setting and plan again):
  npx wscat -c '$url'
  $BIN/nwchatctl --sandbox history tail -f
  NWCHAT_STAGE__THROTTLE_RATE=50 $BIN/nwchatctl --sandbox plan
  $BIN/nwchatctl --sandbox status
  $BIN/nwchatctl sandbox down
END
