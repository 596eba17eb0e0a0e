# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # the variables are lab/run's
# The lab's Intel host, by Bochs: VMX with EPT.  To be sourced by lab/run, which says what the functions
# MACHINE_... are for.
#
# Bochs has neither virtio nor NVMe.  Drives are its four IDE ones, known by their models; output goes through
# parallel ports, where a byte is three instructions and no time.  It boots by its BIOS only, so the job's
# image has GRUB in what ext4 leaves free at its beginning, and behind its end, and kernel and initial RAM
# disk among its files.

readonly BOCHS_MEMORY_MIB=3072
readonly GRUB_FOLDER=/usr/lib/grub/i386-pc SECTOR=512
# Where its boot sector says in which sector it goes on, and the sector there in turn (both 8 bytes).
readonly GRUB_BOOT_KERNEL_SECTOR=$((0x5c)) GRUB_CORE_NEXT_SECTOR=$((0x1f4))
# What GRUB needs to read that image and start Linux.
readonly GRUB_MODULES='biosdisk ext2 linux'
# In Bochs time goes by with the instructions: so many of them are a second.
readonly BOCHS_SPEED=100000000 BOCHS_ICOUNT_SPEED=1000000000

bochs_check_options()
{
	local file snapshot
	: "${smp:=1}" "${memory:=1G}"
	[ "$mode" != tty ] || refuse '--tty is not for --cpu intel: that host has no way in for what is typed'
	[ ${#qemu_args[@]} -eq 0 ] || refuse '--qemu-arg is not for --cpu intel: that host is emulated by Bochs'
	[ ${#disks[@]} -le 1 ] || refuse '--cpu intel has room for one --disk: Bochs has four IDE drives'
	[ ${#disks[@]} -eq 0 ] || split_disk "${disks[0]}"
	megabytes=${memory%[MG]}
	[ "${memory: -1}" = M ] || megabytes=$((megabytes * 1024))
	[ "$megabytes" -le $BOCHS_MEMORY_MIB ] ||
		refuse "--cpu intel has 3G of memory at most, not $memory"
	[ "$smp" -le 8 ] || refuse "--cpu intel has 8 processors at most, not $smp"
}

# print_geometry FILE: cylinders, heads and sectors (at most 262143, 16 and 63) that make its size exactly.
print_geometry()
{
	local sectors heads=16 track
	sectors=$(($(stat -L -c %s "$1") / SECTOR))
	for track in 32 8 1; do
		[ $((sectors % (heads * track))) -ne 0 ] || break
	done
	[ $((sectors % (heads * track))) -eq 0 ] || heads=1
	echo "cylinders=$((sectors / (heads * track))), heads=$heads, spt=$track"
}

# add_ide NUMBER FILE SNAPSHOT: the next IDE drive, which the host's init knows by this number.  What is written
# to a volatile one goes to a journal, which ends with Bochs.
add_ide()
{
	local mode=flat places=(ata0-master ata0-slave ata1-master ata1-slave)
	[ "$3" = off ] || mode="volatile, journal=drive$1.journal"
	ln -s "$2" "$dir/drive$1"
	echo "${places[drives]}: type=disk, mode=$mode, path=drive$1, $(print_geometry "$2")," \
		"model=\"lab-drive-$1\""
	drives=$((drives + 1))
}

# print_drives: the BIOS boots from the first, the job's.
print_drives()
{
	local drives=0 disk file snapshot
	add_ide 2 "$dir/job.img" off
	add_ide 1 "$LAB_HOST_IMAGE" on
	add_ide 3 "$dir/results.img" off
	for disk in "${disks[@]}"; do
		split_disk "$disk"
		add_ide 4 "$file" "$snapshot"
	done
}

# print_append: the words for the host's kernel.  The TSC's frequency, which CPUID has wrong here.  APERF and
# MPERF are in CPUID but not in the CPU: Linux would fault at each tick.  With AVX-512 the size of the XSAVE
# area is wrong: Linux would do without XSAVE.
print_append()
{
	local words='console=ttyS0 panic=-1 cryptomgr.notests clearcpuid=aperfmperf,avx512f'
	words+=" tsc_early_khz=$((speed / 1000))"
	[ -n "$verbose" ] && words+=' ignore_loglevel' || words+=' quiet'
	echo "$words$appends"
}

bochs_prepare()
{
	local isolate=(unshare --net)
	if ! command -v bochs grub-mkimage >/dev/null || [ ! -d $GRUB_FOLDER ]; then
		"$LAB_SOURCE/../tools/setup" lab >&2
	fi
	speed=$BOCHS_SPEED
	[ -z "$icount" ] || speed=$BOCHS_ICOUNT_SPEED
	mkfifo "$dir/out.out" "$dir/err.out"
	: >"$dir/console"
	# The display that needs none listens on the network for somebody who looks: it is given a network
	# of its own, where nobody is.
	[ "$(id -u)" -eq 0 ] || isolate+=(--map-root-user)
	emulator_command=(env -C "$dir" "${isolate[@]}" bochs -q -f bochsrc -rc commands)
}

# stage_initrd MODULE...: the host's own initial RAM disk, and these modules under names in the order of loading.
# They are without signatures, types (BTF) and the names of what is local, whose examination takes Linux longer
# than all the rest of its start.
stage_initrd()
{
	local path number=100 folder=$dir/initrd
	mkdir -p "$folder/modules"
	while read -r path; do
		objcopy --strip-unneeded --remove-section=.BTF "$path" \
			"$folder/modules/$number-${path##*/}" || return
		number=$((number + 1))
	done < <(print_modules "$@")
	{
		cat "$LAB_HOST_INITRD"
		(cd "$folder" && find modules | sort | cpio --quiet -o -H newc -R 0:0)
	} >"$job/boot/initrd"
}

bochs_stage()
{
	local modules=(ata_piix sd_mod tun vhost_net)
	[ "$kvm" = no ] || modules+=(kvm_intel)
	mkdir "$job/boot" &&
		stage "$kernel/vmlinuz" "$job/boot/vmlinuz" &&
		stage_initrd "${modules[@]}" || return
	write_modules
	write_settings parallel
}

# poke FILE OFFSET NUMBER: 8 bytes there, the lowest first.
poke()
{
	local byte bytes=''
	for byte in 0 8 16 24 32 40 48 56; do
		bytes+=$(printf '\\x%02x' $(($3 >> byte & 255)))
	done
	# shellcheck disable=SC2059 # they are escapes
	printf "$bytes" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# finish_image: GRUB's first sector, which loads the second from behind the file system, which loads the others
# from behind itself.
finish_image()
{
	local sectors=$(($(stat -c %s "$dir/job.img") / SECTOR)) word
	{
		printf 'linux /boot/vmlinuz'
		for word in $(print_append); do
			printf " '%s'" "${word//\'/\'\\\'\'}"
		done
		printf '\ninitrd /boot/initrd\nboot\n'
	} >"$dir/grub.cfg"
	# shellcheck disable=SC2086 # the modules are words
	grub-mkimage -O i386-pc -d $GRUB_FOLDER -p /boot -c "$dir/grub.cfg" -o "$dir/core.img" $GRUB_MODULES &&
		cp "$GRUB_FOLDER/boot.img" "$dir/boot.img" &&
		poke "$dir/boot.img" $GRUB_BOOT_KERNEL_SECTOR $sectors &&
		poke "$dir/core.img" $GRUB_CORE_NEXT_SECTOR $((sectors + 1)) &&
		dd if="$dir/boot.img" of="$dir/job.img" conv=notrunc status=none &&
		dd if="$dir/core.img" of="$dir/job.img" bs=$SECTOR seek=$sectors conv=notrunc status=none &&
		truncate -s %2M "$dir/job.img"
}

bochs_finish()
{
	finish_image || return
	echo c >"$dir/commands"
	{
		echo "cpu: model=corei7_skylake_x, count=$smp, ips=$speed, reset_on_triple_fault=0"
		echo "memory: guest=$megabytes, host=$megabytes"
		cat <<-'END'
			romimage: file=/usr/share/bochs/BIOS-bochs-latest, options=fastboot
			vgaromimage: file=/usr/share/vgabios/vgabios.bin
			clock: sync=none, time0=utc
			display_library: rfb, options="timeout=0"
			sound: driver=dummy
			boot: disk
			com1: enabled=1, mode=file, dev=console
			parport1: enabled=1, file=out.out
			parport2: enabled=1, file=err.out
			panic: action=fatal
			info: action=ignore
		END
		print_drives
	} >"$dir/bochsrc"
}
