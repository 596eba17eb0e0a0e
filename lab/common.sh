# shellcheck shell=bash
# shellcheck disable=SC2034 # the variables are for the scripts that source this
# What lab/images and lab/run share: where things lie and how they speak. To be sourced.

# The folder of this script's tree, and of what is built; DYAD_BUILD may move the latter.
LAB_SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
LAB_BUILD=${DYAD_BUILD:-$LAB_SOURCE/../build}
mkdir -p "$LAB_BUILD/lab"
LAB_BUILD=$(cd "$LAB_BUILD/lab" && pwd)

LAB_KERNEL=$LAB_BUILD/kernel
LAB_HOST_IMAGE=$LAB_BUILD/host.img
LAB_HOST_INITRD=$LAB_BUILD/initrd-host
LAB_BOOT_SECTOR=$LAB_BUILD/boot-sector
LAB_BOOT_LOADER=$LAB_BUILD/boot-loader
LAB_TSC_KHZ=$LAB_BUILD/tsc-khz

# lab_error WORDS: one sentence for the person, with the name of the command in front.
lab_error()
{
	printf 'lab/%s: %s\n' "${0##*/}" "$*" >&2
}
