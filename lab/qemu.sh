# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # the variables are lab/run's
# The lab's AMD host, by QEMU's TCG: SVM with nested paging.  To be sourced by lab/run, which says what the
# functions MACHINE_... are for.  Drives are name spaces of one NVMe disk; output, or the terminal and its size,
# go through virtio-serial ports.
#
# Commas in QEMU's arguments are no separators of words.
# shellcheck disable=SC2054

# add_drive NAME FILE SNAPSHOT: the next name space of the host's only disk; its init knows it by the number.
add_drive()
{
	drives=$((drives + 1))
	emulator_command+=(-drive "if=none,id=$1,format=raw,cache=unsafe,discard=unmap,snapshot=$3,file=${2//,/,,}"
		-device "nvme-ns,drive=$1,nsid=$drives")
}

# add_port NAME: a virtio-serial port, /dev/vport0pN in the host, joined to the FIFOs NAME.in, NAME.out.
add_port()
{
	ports=$((ports + 1))
	mkfifo "$dir/$1.in" "$dir/$1.out"
	emulator_command+=(-chardev "pipe,id=$1,path=${dir//,/,,}/$1" -device "virtserialport,chardev=$1,nr=$ports")
}

qemu_check_options()
{
	: "${smp:=2}" "${memory:=3G}"
}

qemu_prepare()
{
	# The emulated processors share one TSC, which Linux can't know of an AMD without constant_tsc: it
	# would keep time by the HPET, and KVM would stop and restart each vCPU's TSC as it goes.  Then the
	# clocks of a guest's vCPUs drift apart by seconds, and it hangs.  The frequency is told, too: measured
	# in there on a busy machine, it may come out several times too low.
	local disk file snapshot threads=multi drives=0 ports=0 append='console=ttyS0 panic=-1 tsc=reliable' khz=1000000
	[ -n "$icount" ] || khz=$("$LAB_TSC_KHZ")
	append+=" tsc_early_khz=$khz"
	[ -n "$verbose" ] && append+=' ignore_loglevel' || append+=' quiet'
	append+=$appends
	[ -z "$icount$turns" ] || threads=single
	emulator_command=(qemu-system-x86_64 -name dyad-lab -M q35 -cpu max -smp "$smp" -m "$memory"
		-nodefaults -no-user-config -display none -no-reboot -serial "file:$dir/console"
		-kernel "$kernel/vmlinux" -initrd "$LAB_HOST_INITRD" -append "$append"
		-device nvme,serial=lab)
	[ -z "$icount" ] || emulator_command+=(-icount shift=0,sleep=off)
	emulator_command+=(-accel "tcg,thread=$threads")
	add_drive root "$LAB_HOST_IMAGE" on
	add_drive job "$dir/job.img" off
	add_drive results "$dir/results.img" off
	for disk in "${disks[@]}"; do
		split_disk "$disk"
		add_drive "disk$((drives - 2))" "$file" "$snapshot"
	done
	# Port 0 is for consoles.  Each port more would be two descriptors more to poll, hundreds of times a
	# second.
	emulator_command+=(-device virtio-serial-pci,max_ports=3)
	if [ "$mode" = tty ]; then
		add_port terminal
		add_port control
	else
		add_port out
		add_port err
	fi
	emulator_command+=("${qemu_args[@]}")
}

qemu_stage()
{
	local modules=(virtio_pci virtio_console tun vhost_net)
	[ "$kvm" = no ] || modules+=(kvm_amd)
	write_modules "${modules[@]}"
	write_settings "$mode"
}

qemu_finish()
{
	:
}
