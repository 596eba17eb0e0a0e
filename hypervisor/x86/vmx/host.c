/* SPDX-License-Identifier: MIT */
/*
 * host.c - the host's state.  The VMCS has what an exit loads (SDM3 section 28.5): what may differ
 * from one entry to the next is looked at in front of each, the rest where the thread comes to a
 * CPU. What an exit leaves otherwise than it was is given back where the inner loop ends: nothing
 * between needs it.
 */
#include "hw/msr.h"
#include "hypervisor/x86/privileged.h"
#include "hypervisor/x86/vmx/vmx.h"

#define TSS_DESCRIPTOR_SIZE 16
#define EXIT_TABLE_LIMIT 0xffffu /* of GDTR and IDTR behind an exit */

#define READ_SELECTOR(name)                                                                        \
	static inline uint16_t read_##name(void)                                                   \
	{                                                                                          \
		uint16_t selector;                                                                 \
                                                                                                   \
		__asm__ volatile("mov %%" #name ", %0" : "=r"(selector));                          \
		return selector;                                                                   \
	}
READ_SELECTOR(cs)
READ_SELECTOR(ss)
READ_SELECTOR(ds)
READ_SELECTOR(es)
READ_SELECTOR(fs)
READ_SELECTOR(gs)

static inline uint16_t read_tr(void)
{
	uint16_t selector;

	__asm__ volatile("str %0" : "=r"(selector));
	return selector;
}

static inline uint16_t read_ldtr(void)
{
	uint16_t selector;

	__asm__ volatile("sldt %0" : "=r"(selector));
	return selector;
}

/* As instructions have GDTR and IDTR in memory. */
struct table_image {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

#define TABLE_REGISTER(name, instruction)                                                          \
	static inline struct cpu_table read_##name(void)                                           \
	{                                                                                          \
		struct table_image image;                                                          \
                                                                                                   \
		__asm__ volatile("s" instruction " %0" : "=m"(image));                             \
		return (struct cpu_table){.base = image.base, .limit = image.limit};               \
	}                                                                                          \
	static inline void write_##name(const struct cpu_table *table)                             \
	{                                                                                          \
		struct table_image image = {.base = table->base, .limit = table->limit};           \
                                                                                                   \
		__asm__ volatile("l" instruction " %0" : : "m"(image));                            \
	}
TABLE_REGISTER(gdtr, "gdt")
TABLE_REGISTER(idtr, "idt")

/* The base in a 64-bit TSS's descriptor; APM2 section 4.8.3. */
static uint64_t find_task_base(const struct cpu_table *gdt, uint16_t selector)
{
	const uint8_t *d = (const uint8_t *)(uintptr_t)(gdt->base + (selector & SELECTOR_INDEX));

	if ((selector & SELECTOR_INDEX) + TSS_DESCRIPTOR_SIZE - 1u > gdt->limit)
		return 0;
	return d[2] | (uint64_t)d[3] << 8 | (uint64_t)d[4] << 16 | (uint64_t)d[7] << 24 |
	       (uint64_t)load_le32(d + 8) << 32;
}

void vmx_host_init(void)
{
	vmwrite(VMCS_HOST_ES, 0);
	vmwrite(VMCS_HOST_DS, 0);
	vmwrite(VMCS_HOST_FS, 0);
	vmwrite(VMCS_HOST_GS, 0);
	vmwrite(VMCS_HOST_RIP, (uintptr_t)vmx_switch_exit);
}

/* What a CPU has as its own. */
static void write_cpu(const struct vmx_host *host)
{
	uint16_t tr = read_tr();

	vmwrite(VMCS_HOST_CS, read_cs());
	vmwrite(VMCS_HOST_SS, read_ss());
	vmwrite(VMCS_HOST_TR, tr);
	vmwrite(VMCS_HOST_TR_BASE, find_task_base(&host->gdtr, tr));
	vmwrite(VMCS_HOST_GDTR_BASE, host->gdtr.base);
	vmwrite(VMCS_HOST_IDTR_BASE, host->idtr.base);
	vmwrite(VMCS_HOST_GS_BASE, read_msr(MSR_GS_BASE));
	vmwrite(VMCS_HOST_SYSENTER_CS, (uint32_t)read_msr(MSR_SYSENTER_CS));
	vmwrite(VMCS_HOST_SYSENTER_ESP, read_msr(MSR_SYSENTER_ESP));
	vmwrite(VMCS_HOST_SYSENTER_EIP, read_msr(MSR_SYSENTER_EIP));
	vmwrite(VMCS_HOST_CR0, read_cr0());
	vmwrite(VMCS_HOST_EFER, read_msr(MSR_EFER));
}

/* --- MSRs that are the guest's in the inner loop ---------------------------------------------- */

static void exchange(uint32_t msr, uint64_t from, uint64_t to)
{
	if (from != to)
		write_msr(msr, to);
}

static void load_msrs(struct vmx_vcpu *c, const struct vmx_cpu *cpu)
{
	const struct cpu_state *s = &c->vcpu.state;

	exchange(MSR_KERNEL_GS_BASE, c->host.segments.kernel_gs_base, s->kernel_gs_base);
	exchange(MSR_STAR, cpu->host_star, s->star);
	exchange(MSR_LSTAR, cpu->host_lstar, s->lstar);
	exchange(MSR_CSTAR, cpu->host_cstar, s->cstar);
	exchange(MSR_SFMASK, cpu->host_sfmask, s->sfmask);
	if (vmx_features.rdtscp)
		exchange(MSR_TSC_AUX, cpu->host_tsc_aux, s->tsc_aux);
	if (cpu->host_xss) /* a guest's XSAVES and XRSTORS would have the host's state */
		exchange(MSR_XSS, cpu->host_xss, s->xss);
}

static void put_msrs(struct vmx_vcpu *c, const struct vmx_cpu *cpu)
{
	struct cpu_state *s = &c->vcpu.state;

	s->kernel_gs_base = read_msr(MSR_KERNEL_GS_BASE);
	exchange(MSR_KERNEL_GS_BASE, s->kernel_gs_base, c->host.segments.kernel_gs_base);
	exchange(MSR_STAR, s->star, cpu->host_star);
	exchange(MSR_LSTAR, s->lstar, cpu->host_lstar);
	exchange(MSR_CSTAR, s->cstar, cpu->host_cstar);
	exchange(MSR_SFMASK, s->sfmask, cpu->host_sfmask);
	if (vmx_features.rdtscp)
		exchange(MSR_TSC_AUX, s->tsc_aux, cpu->host_tsc_aux);
	if (cpu->host_xss)
		exchange(MSR_XSS, s->xss, cpu->host_xss);
}

/* --- Around the inner loop -------------------------------------------------------------------- */

void vmx_host_load(struct vmx_vcpu *c, const struct vmx_cpu *cpu, bool moved)
{
	struct vmx_host *host = &c->host;
	uint64_t fs_base = read_msr(MSR_FS_BASE), cr3 = read_cr3();

	host->gdtr = read_gdtr();
	host->idtr = read_idtr();
	host->debugctl = read_msr(MSR_DEBUG_CONTROL);
	host->segments = (struct host_segments){.ds = read_ds(),
						.es = read_es(),
						.fs = read_fs(),
						.gs = read_gs(),
						.ldtr = read_ldtr(),
						.fs_base = fs_base,
						.kernel_gs_base = read_msr(MSR_KERNEL_GS_BASE)};
	if (moved)
		write_cpu(host);
	/* The thread's: its address space stays while it has the CPU. */
	if (host->fs_base != fs_base || moved)
		vmwrite(VMCS_HOST_FS_BASE, fs_base);
	if (host->cr3 != cr3 || moved)
		vmwrite(VMCS_HOST_CR3, cr3);
	host->fs_base = fs_base;
	host->cr3 = cr3;
	load_msrs(c, cpu);
}

void vmx_host_put(struct vmx_vcpu *c, const struct vmx_cpu *cpu)
{
	const struct vmx_host *host = &c->host;

	put_msrs(c, cpu);
	if (host->gdtr.limit != EXIT_TABLE_LIMIT)
		write_gdtr(&host->gdtr);
	if (host->idtr.limit != EXIT_TABLE_LIMIT)
		write_idtr(&host->idtr);
	host_segments_lost(&host->segments);
}

/* Another CPU may have had this one change CR4. */
void vmx_host_enter(struct vmx_vcpu *c)
{
	uint64_t cr4 = read_cr4();

	if (c->host.cr4 == cr4)
		return;
	c->host.cr4 = cr4;
	vmwrite(VMCS_HOST_CR4, cr4);
}

/* Clear behind an exit. */
void vmx_host_leave(struct vmx_vcpu *c)
{
	if (c->host.debugctl)
		write_msr(MSR_DEBUG_CONTROL, c->host.debugctl);
}
