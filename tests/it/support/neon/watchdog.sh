# Waits until the other end of the pipe closes, then stops all servers whose data lies below folder $1.
trap '' HUP INT TERM
read -r word
for file in "$1"/*/*/postmaster.pid; do
  pid=$(head -n 1 "$file" 2>/dev/null)
  [ -n "$pid" ] || continue
  # The number may be another process's by now: its command line must name the folder.
  ps -ww -o args= -p "$pid" | grep -F -q "${file%/postmaster.pid}" && kill -QUIT "$pid"
done
