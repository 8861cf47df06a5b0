# Waits until the other end of the pipe closes, then stops the server in folder $1 and removes the folder.
# The line `keep` before that leaves everything as it is.
trap '' HUP INT TERM
read -r word
[ "$word" = keep ] && exit
folder=$1
server() {
  pid=$(head -n 1 "$folder/data/postmaster.pid" 2>/dev/null) || return 1
  [ -n "$pid" ] || return 1
  # The number may be another process's by now: its command line must name the folder.
  if [ -r "/proc/$pid/cmdline" ]; then tr '\0' ' ' <"/proc/$pid/cmdline"; else ps -o args= -p "$pid"; fi |
    grep -F -q "$folder/data"
}
server && kill -QUIT "$pid" 2>/dev/null
tries=0
while server && [ $tries -lt 100 ]; do
  sleep 0.05
  tries=$((tries + 1))
done
server && kill -KILL "$pid" 2>/dev/null
# An initdb that still runs may write into the folder once more.
while [ -e "$folder" ] && [ $tries -lt 200 ]; do
  rm -rf "$folder" && [ ! -e "$folder" ] && break
  sleep 0.1
  tries=$((tries + 1))
done
