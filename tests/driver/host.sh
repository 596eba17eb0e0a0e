# shellcheck shell=bash
# shellcheck disable=SC2034 # the variables are for the scripts that source this
# SPDX-License-Identifier: MIT
#
# What the scripts share that have the driver in the lab's emulated host.  To be sourced in the tree's
# folder; takes from the words that the script was given:
#
#   --smp N               processors of the host
#   --cpu VENDOR          their vendor, amd or intel: lab/run's option
#   --host-kernel SERIES  its kernel, such as 6.12: lab/run's option; the driver is built for it
#
# and sets smp (if it was said), host (words for lab/run), makes (for make), built (where dyad.ko and the
# tests will be), kernel (the folder of the host's) and differences (what small guests find wrong there).

build=${DYAD_BUILD:-build}
built=$build kernel=$build/lab/kernel/cloud host=() makes=() differences=tests/guest/emulated-host
while [ $# -gt 1 ]; do
	case $1 in
	--smp) smp=$2 ;;
	--cpu)
		host+=(--cpu "$2")
		[ "$2" != intel ] || differences=tests/guest/emulated-host-intel
		;;
	--host-kernel)
		lab/images "headers-$2" || exit
		built=$build/linux-$2 kernel=$build/lab/kernel/cloud-$2
		host+=(--host-kernel "$2")
		makes=(DYAD_BUILD="$built" KDIR="$build/lab/headers-$2/build")
		;;
	*) break ;;
	esac
	shift 2
done
