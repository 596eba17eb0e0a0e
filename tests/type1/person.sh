# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# What tests/type1/console and tests/type1/screen have in common: a person at the console service's serial line.  They
# set: temporary (a folder), build, pid (the emulator's, empty at first), screen and keys (where the line is read and
# written).

passed=0 failed=0
patience=120 # seconds that anything may take on a busy machine

seen='' # what was written and not looked at yet

# A machine that has gone takes nothing.
trap '' PIPE

# type TEXT: with \e and the like.
type()
{
	printf '%b' "$1" >&"$keys" 2>/dev/null
}

# expect PATTERN [SECONDS]: waits until that was written, an extended regular expression, and forgets all up
# to its end.  What matched is in BASH_REMATCH.
expect()
{
	local piece end=$((SECONDS + ${2:-$patience}))
	until [[ $seen =~ $1 ]]; do
		if [ "$SECONDS" -gt "$end" ] || ! kill -0 "$pid" 2>/dev/null; then
			wanted=$1
			return 1
		fi
		IFS= read -r -N 4096 -t 0.1 -u "$screen" piece
		printf '%s' "$piece" >>"$temporary/log"
		seen+=${piece//$'\r'/}
		# Of a flood, what came last.
		[ ${#seen} -lt 20000 ] || seen=${seen: -10000}
	done
	seen=${seen#*"${BASH_REMATCH[0]}"}
}

# Whether the prompt comes, after a command's output, and no more than that.
prompt()
{
	expect 'dyad> '$'(\e\[K)?'
}

# run COMMAND PATTERN...: types it, and expects all of them, in that order, and the prompt.
run()
{
	local pattern
	type "$1\r"
	shift
	for pattern; do
		expect "$pattern" || return
	done
	prompt
}

# try NAME COMMAND...: whether it held.
try()
{
	local name=$1
	shift
	wanted=''
	if "$@"; then
		passed=$((passed + 1))
		echo "ok $name"
		return
	fi
	failed=$((failed + 1))
	echo "not ok $name: waited for '$wanted'"
	tail -c 2000 "$temporary/log" | cat -v | tail -n 20
	# What comes next begins at a prompt, if there is any.
	type '\x01d\x03'
	expect 'dyad> '$'(\e\[K)?$' 5
}

# Again as long as the VM, which may just be starting, isn't that far.
run_attached() # NAME PATTERN
{
	local end=$((SECONDS + patience))
	type "attach $1\r"
	while expect "\[$1; Ctrl-A d leaves it, Ctrl-A h helps\]|has no terminal|does not run"; do
		if [[ ${BASH_REMATCH[0]} == \[* ]]; then
			expect "$2"
			return
		fi
		[ "$SECONDS" -lt "$end" ] && prompt || return
		type "attach $1\r"
	done
	return 1
}

leave() # NAME
{
	type '\x01d'
	expect "\[$1 goes on\]" && prompt
}

# An image with two VMs, one and two: $temporary/iso.
make_image()
{
	local name
	for name in one two; do
		printf '{ "name": "%s", "kernel": "%s", "memory": "16M", "nets": [], "test-device": true }\n' "$name" \
			"$(realpath "$build/guests/terminal.elf")" >"$temporary/$name.json"
	done
	"$build/dyad" image "$temporary/one.json" "$temporary/two.json" -o "$temporary/iso" >"$temporary/log" 2>&1 || {
		cat "$temporary/log"
		echo 'not ok an image'
		return 1
	}
}
