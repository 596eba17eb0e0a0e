# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # the variables are lab/run's
# The lab's Intel host, by Bochs: VMX with EPT.  To be sourced by lab/run, which says what the functions
# MACHINE_... are for.
#
# Bochs has neither virtio nor NVMe.  Drives are its four IDE ones, known by their models; output goes through
# parallel ports, where a byte is three instructions and no time.  The job's image can be booted: its first
# sector, which ext4 leaves free, and what stands behind the file system are the loader of lab/boot, the
# kernel and the initial RAM disk.

readonly BOCHS_MEMORY_MIN=256 BOCHS_MEMORY_MAX=3072 BOCHS_PROCESSORS=8
readonly SECTOR=512
# Where things lie on that image, and in the loader's two parts: lab/boot/layout.h and start.S.
readonly LOADER_SECTORS=12 BOOT_LOADER_SECTOR=$((0x1b8)) LOADER_TASK=$((0xfc0)) LOADER_COMMAND_LINE=$((0x1000))
# Where the initial RAM disk goes; the kernel ends below.
readonly INITRD_ADDRESS=$((0x8000000))
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
	if [ "$megabytes" -lt $BOCHS_MEMORY_MIN ] || [ "$megabytes" -gt $BOCHS_MEMORY_MAX ]; then
		refuse "--cpu intel has 256M to 3G of memory, not $memory"
	fi
	[ "$smp" -le $BOCHS_PROCESSORS ] || refuse "--cpu intel has $BOCHS_PROCESSORS processors at most, not $smp"
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
	printf %s "$words$appends"
}

bochs_prepare()
{
	local isolate=(unshare --net)
	command -v bochs >/dev/null || "$LAB_SOURCE/../tools/setup" lab >&2
	speed=$BOCHS_SPEED
	[ -z "$icount" ] || speed=$BOCHS_ICOUNT_SPEED
	mkfifo "$dir/out.out" "$dir/err.out"
	: >"$dir/console"
	# The display that needs none listens on the network for somebody who looks: it is given a network
	# of its own, where nobody is.
	[ "$(id -u)" -eq 0 ] || isolate+=(--map-root-user)
	emulator_command=(env -C "$dir" "${isolate[@]}" bochs -q -f bochsrc -rc commands)
}

# unpack_module PATH TO: some kernels' are compressed.
unpack_module()
{
	case $1 in
	*.xz) xz -dc "$1" >"$2" ;;
	*) cp "$1" "$2" ;;
	esac
}

# stage_initrd MODULE...: the host's own initial RAM disk, and these modules under names in the order of loading.
# They are without signatures, types (BTF) and the names of what is local, whose examination takes Linux longer
# than all the rest of its start.
stage_initrd()
{
	local path module number=100 folder=$dir/initrd
	mkdir -p "$folder/modules"
	while read -r path; do
		module=$folder/modules/$number-${path##*/}
		module=${module%.xz}
		unpack_module "$path" "$module" &&
			objcopy --strip-unneeded --remove-section=.BTF "$module" || return
		number=$((number + 1))
	done < <(print_modules "$@")
	{
		cat "$LAB_HOST_INITRD"
		(cd "$folder" && find modules | sort | cpio --quiet -o -H newc -R 0:0)
	} >"$dir/initrd.image"
}

bochs_stage()
{
	local modules=(ata_piix sd_mod tun vhost_net)
	[ "$kvm" = no ] || modules+=(kvm_intel)
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

# print_sectors FILE: how many it takes.
print_sectors()
{
	echo $((($(stat -c %s "$1") + SECTOR - 1) / SECTOR))
}

# print_entry KERNEL: the address of its PVH entry, which is that of a note of type 18.
print_entry()
{
	readelf -nW "$1" 2>/dev/null |
		sed -n 's/.*(0x00000012).*data: \(..\) \(..\) \(..\) \(..\) .*/0x\4\3\2\1/p'
}

# print_start KERNEL: the lowest physical address of what it loads.
print_start()
{
	readelf -lW "$1" | awk '$1 == "LOAD" { print $4 }' | sort | head -n 1
}

# finish_loader: the second part, with what it is to load, for an image whose file system has $1 sectors.
finish_loader()
{
	local at=$LOADER_TASK number kernel_sectors
	kernel_sectors=$(print_sectors "$dir/kernel.image")
	cp "$LAB_BOOT_LOADER" "$dir/loader"
	truncate -s $((LOADER_SECTORS * SECTOR)) "$dir/loader"
	for number in $(($1 + LOADER_SECTORS)) "$kernel_sectors" "$(print_start "$kernel/vmlinux")" \
		"$(print_entry "$kernel/vmlinux")" $(($1 + LOADER_SECTORS + kernel_sectors)) \
		"$(print_sectors "$dir/initrd.image")" $INITRD_ADDRESS "$(stat -c %s "$dir/initrd.image")"; do
		poke "$dir/loader" $at "$number" || return
		at=$((at + 8))
	done
	print_append | dd of="$dir/loader" bs=1 seek=$LOADER_COMMAND_LINE conv=notrunc status=none
}

# finish_image: makes the job's image one that can be booted.
finish_image()
{
	local sectors
	sectors=$(print_sectors "$dir/job.img")
	objcopy -O binary "$kernel/vmlinux" "$dir/kernel.image" &&
		truncate -s %$SECTOR "$dir/kernel.image" &&
		finish_loader "$sectors" &&
		cp "$LAB_BOOT_SECTOR" "$dir/sector" &&
		poke "$dir/sector" $BOOT_LOADER_SECTOR "$sectors" &&
		dd if="$dir/sector" of="$dir/job.img" conv=notrunc status=none &&
		cat "$dir/loader" "$dir/kernel.image" "$dir/initrd.image" >>"$dir/job.img" &&
		truncate -s %1M "$dir/job.img"
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
