# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Completion of the dyad command for bash.  Works with bash alone; bash-completion loads it by itself
# once it is installed.

# _dyad_words WORDS: offers those of WORDS that begin as the current word does.
_dyad_words()
{
	mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
}

# _dyad_files [SUFFIX]: offers folders, and files (that end in SUFFIX).
_dyad_files()
{
	local name
	compopt -o filenames 2>/dev/null
	COMPREPLY=()
	while IFS= read -r name; do
		if [[ -d $name || $name == *"${1-}" ]]; then
			COMPREPLY+=("$name")
		fi
	done < <(compgen -f -- "$cur")
}

# _dyad_list WORDS: offers WORDS for what stands behind the last comma.
_dyad_list()
{
	local head=${cur%,*}, word
	COMPREPLY=()
	compopt -o nospace 2>/dev/null
	while IFS= read -r word; do
		COMPREPLY+=("$head$word")
	done < <(compgen -W "$1" -- "${cur##*,}")
}

# _dyad_value OPTION: offers values of an option; false if it takes none.
_dyad_value()
{
	case $1 in
	--config) _dyad_files .json ;;
	--kernel | --initrd) _dyad_files ;;
	--module)
		[[ $cur == *,* ]] || _dyad_files
		;;
	--disk)
		if [[ $cur == *,* ]]; then
			_dyad_list 'ro cache=writeback cache=none discard=on discard=off serial='
		else
			_dyad_files
		fi
		;;
	--net)
		case $cur in
		user,*) _dyad_list 'hostfwd=tcp: hostfwd=udp: mac=' ;;
		tap=*,*) _dyad_list 'mac=' ;;
		*)
			compopt -o nospace 2>/dev/null
			_dyad_words 'user tap= none'
			;;
		esac
		;;
	--console) _dyad_words 'serial virtio none' ;;
	--engine) _dyad_words 'auto dyad kvm soft' ;;
	--log-level) _dyad_words 'error warning info debug' ;;
	--rng | --balloon) _dyad_words 'on off' ;;
	--runtime) _dyad_files ;;
	-o | --output) _dyad_files .iso ;;
	--append | --name | --cpus | --memory | --import | --volume) ;;
	*) return 1 ;;
	esac
}

_dyad_run()
{
	local options='--config --print-config --name --kernel --initrd --append --module --kaslr --no-kaslr
		--cpus --memory --disk --net --console --rng --no-rng --balloon --no-balloon --test-device
		--no-test-device --engine --log-level --quiet --verbose --help'

	if _dyad_value "$prev"; then
		return
	fi
	case $cur in
	-*) _dyad_words "$options" ;;
	*) _dyad_files .json ;;
	esac
}

_dyad_image()
{
	if _dyad_value "$prev"; then
		return
	fi
	case $cur in
	-*) _dyad_words '--output --without-devices --runtime --import-disks --import --volume
		--format --quiet --help' ;;
	*) _dyad_files .json ;;
	esac
}

_dyad()
{
	# The words around the cursor, split at blanks only: values have '=' and ':' in them.
	local line=${COMP_LINE:0:COMP_POINT} cur prev command cut
	local -a words
	read -ra words <<<"$line"
	[[ $line == *[[:space:]] ]] && words+=('')
	cur=${words[-1]}
	prev=${words[-2]-}
	command=${words[1]-}
	COMPREPLY=()

	# --option=value is completed as --option value is.
	if [[ $cur == --*=* ]]; then
		prev=${cur%%=*}
		cur=${cur#*=}
	fi
	if ((${#words[@]} <= 2)); then
		_dyad_words 'run image doctor help --help --version'
	elif [[ $command == help ]]; then
		_dyad_words 'run image doctor'
	elif [[ $command == run ]]; then
		_dyad_run
	elif [[ $command == image ]]; then
		_dyad_image
	elif [[ $command == doctor ]]; then
		_dyad_words '--help'
	fi

	# bash replaces only what stands behind the last '=' or ':' of the word.
	cut=${cur%"${cur##*[=:]}"}
	if [[ -n $cut ]]; then
		COMPREPLY=("${COMPREPLY[@]#"$cut"}")
	fi
}

complete -F _dyad dyad
