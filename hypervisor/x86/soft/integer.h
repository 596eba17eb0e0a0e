/* SPDX-License-Identifier: MIT */
/*
 * integer.h - what the handlers of integer instructions are made of: registers, memory operands by
 * the form of their address, flags.
 */
#ifndef DYAD_SOFT_INTEGER_H
#define DYAD_SOFT_INTEGER_H

#include "hypervisor/x86/soft/compile.h"
#include "hypervisor/x86/soft/soft.h"
#include "hypervisor/x86/soft/tlb.h"

/* --- Registers, by their byte offset in struct cpu_state
 * ----------------------------------------- */

/* At any address, by one access: guests' operands, and AH to BH with what follows them. */
typedef uint8_t soft_u8;
typedef uint16_t __attribute__((aligned(1), may_alias)) soft_u16;
typedef uint32_t __attribute__((aligned(1), may_alias)) soft_u32;
typedef uint64_t __attribute__((aligned(1), may_alias)) soft_u64;

static inline uint8_t *soft_state(struct soft_vcpu *c)
{
	return (uint8_t *)&c->vcpu.state;
}

static inline uint64_t soft_get64(struct soft_vcpu *c, unsigned offset)
{
	return *(soft_u64 *)(void *)(soft_state(c) + offset);
}

static inline uint32_t soft_get32(struct soft_vcpu *c, unsigned offset)
{
	return *(soft_u32 *)(void *)(soft_state(c) + offset);
}

static inline uint16_t soft_get16(struct soft_vcpu *c, unsigned offset)
{
	return *(soft_u16 *)(void *)(soft_state(c) + offset);
}

static inline uint8_t soft_get8(struct soft_vcpu *c, unsigned offset)
{
	return soft_state(c)[offset];
}

static inline void soft_put64(struct soft_vcpu *c, unsigned offset, uint64_t value)
{
	*(soft_u64 *)(void *)(soft_state(c) + offset) = value;
}

/* Of 32 bits: the upper half becomes zero. */
static inline void soft_put32(struct soft_vcpu *c, unsigned offset, uint32_t value)
{
	soft_put64(c, offset, value);
}

static inline void soft_put16(struct soft_vcpu *c, unsigned offset, uint16_t value)
{
	*(soft_u16 *)(void *)(soft_state(c) + offset) = value;
}

static inline void soft_put8(struct soft_vcpu *c, unsigned offset, uint8_t value)
{
	soft_state(c)[offset] = value;
}

/* size is 1, 2, 4 or 8. */
static inline uint64_t soft_get(struct soft_vcpu *c, unsigned offset, unsigned size)
{
	return size == 8   ? soft_get64(c, offset)
	       : size == 4 ? soft_get32(c, offset)
	       : size == 2 ? soft_get16(c, offset)
			   : soft_get8(c, offset);
}

static inline void soft_put(struct soft_vcpu *c, unsigned offset, uint64_t value, unsigned size)
{
	if (size == 8)
		soft_put64(c, offset, value);
	else if (size == 4)
		soft_put32(c, offset, (uint32_t)value);
	else if (size == 2)
		soft_put16(c, offset, (uint16_t)value);
	else
		soft_put8(c, offset, (uint8_t)value);
}

/* --- Memory operands
 * ---------------------------------------------------------------------------- */

static inline uint64_t soft_load(const void *at, unsigned size)
{
	return size == 8   ? *(const volatile soft_u64 *)at
	       : size == 4 ? *(const volatile soft_u32 *)at
	       : size == 2 ? *(const volatile soft_u16 *)at
			   : *(const volatile soft_u8 *)at;
}

static inline void soft_save(void *at, uint64_t value, unsigned size)
{
	if (size == 8)
		*(volatile soft_u64 *)at = value;
	else if (size == 4)
		*(volatile soft_u32 *)at = (uint32_t)value;
	else if (size == 2)
		*(volatile soft_u16 *)at = (uint16_t)value;
	else
		*(volatile soft_u8 *)at = (uint8_t)value;
}

static inline bool soft_store_page(struct soft_vcpu *c, unsigned segment, uint64_t linear,
				   uint64_t value, unsigned size)
{
	const struct soft_tlb_entry *entry = soft_tlb_at(c->tlb, linear);

	if (SOFT_UNLIKELY(((linear + size - 1) | PAGE_MASK) != entry->write))
		return soft_store_slow(c, segment, linear, value, size);
	soft_save((void *)(uintptr_t)(linear + entry->addend), value, size);
	return true;
}

static SOFT_INLINE uint64_t soft_flat_address(struct soft_vcpu *c, const struct soft_op *op)
{
	return soft_get64(c, op->base * 8u) + (uint64_t)(int64_t)op->displacement;
}

static SOFT_INLINE uint64_t soft_indexed_address(struct soft_vcpu *c, const struct soft_op *op)
{
	return soft_flat_address(c, op) + (soft_get64(c, op->index * 8u) << op->scale);
}

/* The segment's checks; in 64-bit mode there is but a base. */
static inline struct soft_linear soft_general_address(struct soft_vcpu *c, const struct soft_op *op,
						      unsigned size, bool write)
{
	uint64_t offset = soft_offset(c, op);

	if (SOFT_LIKELY(c->long64))
		return (struct soft_linear){c->segment[op->segment].base + offset, true};
	return soft_linear(c, op->segment, offset, size, write);
}

/* The operand's bytes; NULL: stop.  address is one of enum soft_address, a constant. */
static inline const void *soft_operand_read(struct soft_vcpu *c, const struct soft_op *op,
					    enum soft_address address, unsigned size)
{
	struct soft_linear linear;

	if (address == SOFT_FLAT)
		return soft_read_page(c, op->segment, soft_flat_address(c, op), size);
	if (address == SOFT_INDEXED)
		return soft_read_page(c, op->segment, soft_indexed_address(c, op), size);
	linear = soft_general_address(c, op, size, false);
	return linear.ok ? soft_read_page(c, op->segment, linear.address, size) : NULL;
}

static inline void *soft_operand_update(struct soft_vcpu *c, const struct soft_op *op,
					enum soft_address address, unsigned size)
{
	struct soft_linear linear;

	if (address == SOFT_FLAT)
		return soft_update_page(c, op->segment, soft_flat_address(c, op), size);
	if (address == SOFT_INDEXED)
		return soft_update_page(c, op->segment, soft_indexed_address(c, op), size);
	linear = soft_general_address(c, op, size, true);
	return linear.ok ? soft_update_page(c, op->segment, linear.address, size) : NULL;
}

static inline bool soft_operand_store(struct soft_vcpu *c, const struct soft_op *op,
				      enum soft_address address, uint64_t value, unsigned size)
{
	struct soft_linear linear;

	if (address == SOFT_FLAT)
		return soft_store_page(c, op->segment, soft_flat_address(c, op), value, size);
	if (address == SOFT_INDEXED)
		return soft_store_page(c, op->segment, soft_indexed_address(c, op), value, size);
	linear = soft_general_address(c, op, size, true);
	return linear.ok && soft_store_page(c, op->segment, linear.address, value, size);
}

/* The operand's linear address; ok is false if that takes more than the short way. */
static SOFT_INLINE struct soft_linear soft_operand_linear(struct soft_vcpu *c,
							  const struct soft_op *op,
							  enum soft_address address)
{
	if (address == SOFT_FLAT)
		return (struct soft_linear){soft_flat_address(c, op), true};
	if (address == SOFT_INDEXED)
		return (struct soft_linear){soft_indexed_address(c, op), true};
	return (struct soft_linear){c->segment[op->segment].base + soft_offset(c, op), c->long64};
}

/* The operand's bytes if the short way leads to them, else NULL. */
static SOFT_INLINE const void *soft_operand_read_short(struct soft_vcpu *c,
						       const struct soft_op *op,
						       enum soft_address address, unsigned size)
{
	struct soft_linear linear = soft_operand_linear(c, op, address);
	const struct soft_tlb_entry *entry = soft_tlb_at(c->tlb, linear.address);

	if (SOFT_LIKELY(linear.ok && ((linear.address + size - 1) | PAGE_MASK) == entry->read))
		return (const void *)(uintptr_t)(linear.address + entry->addend);
	return NULL;
}

static SOFT_INLINE void *soft_operand_update_short(struct soft_vcpu *c, const struct soft_op *op,
						   enum soft_address address, unsigned size)
{
	struct soft_linear linear = soft_operand_linear(c, op, address);
	const struct soft_tlb_entry *entry = soft_tlb_at(c->tlb, linear.address);

	if (SOFT_LIKELY(linear.ok && ((linear.address + size - 1) | PAGE_MASK) == entry->write))
		return (void *)(uintptr_t)(linear.address + entry->addend);
	return NULL;
}

/* The same for 8 bytes of the stack, in 64-bit mode. */
static SOFT_INLINE const void *soft_stack_read_short(struct soft_vcpu *c, uint64_t linear)
{
	const struct soft_tlb_entry *entry = soft_tlb_at(c->tlb, linear);

	if (SOFT_LIKELY(((linear + 7) | PAGE_MASK) == entry->read))
		return (const void *)(uintptr_t)(linear + entry->addend);
	return NULL;
}

static SOFT_INLINE void *soft_stack_write_short(struct soft_vcpu *c, uint64_t linear)
{
	const struct soft_tlb_entry *entry = soft_tlb_at(c->tlb, linear);

	if (SOFT_LIKELY(((linear + 7) | PAGE_MASK) == entry->write))
		return (void *)(uintptr_t)(linear + entry->addend);
	return NULL;
}

/*
 * Handlers with a memory operand.  The short way calls nothing, so that it needs no frame; the slow
 * way stands apart.  A body goes on to the next operation by itself.
 */

/* body(c, op, at) */
#define SOFT_READER(name, address, size, body)                                                     \
	static SOFT_APART void name##_slow(struct soft_vcpu *c, const struct soft_op *op)          \
	{                                                                                          \
		const void *at = soft_operand_read(c, op, address, size);                          \
                                                                                                   \
		if (at)                                                                            \
			body(c, op, at);                                                           \
		else                                                                               \
			soft_stop(c, op);                                                          \
	}                                                                                          \
	static void name(struct soft_vcpu *c, const struct soft_op *op)                            \
	{                                                                                          \
		const void *at = soft_operand_read_short(c, op, address, size);                    \
                                                                                                   \
		if (SOFT_LIKELY(at))                                                               \
			body(c, op, at);                                                           \
		else                                                                               \
			name##_slow(c, op);                                                        \
	}

/* value: what is stored, of c and op */
#define SOFT_WRITER(name, address, size, value)                                                    \
	static SOFT_APART void name##_slow(struct soft_vcpu *c, const struct soft_op *op)          \
	{                                                                                          \
		if (soft_operand_store(c, op, address, (uint64_t)(value), size))                   \
			soft_next(c, op);                                                          \
		else                                                                               \
			soft_stop(c, op);                                                          \
	}                                                                                          \
	static void name(struct soft_vcpu *c, const struct soft_op *op)                            \
	{                                                                                          \
		void *to = soft_operand_update_short(c, op, address, size);                        \
                                                                                                   \
		if (SOFT_UNLIKELY(!to)) {                                                          \
			name##_slow(c, op);                                                        \
			return;                                                                    \
		}                                                                                  \
		soft_save(to, (uint64_t)(value), size);                                            \
		soft_next(c, op);                                                                  \
	}

/* change(c, op, at, &flags) changes the bytes at at. */
#define SOFT_UPDATER(name, address, size, change)                                                  \
	static SOFT_APART bool name##_work(struct soft_vcpu *c, const struct soft_op *op)          \
	{                                                                                          \
		void *at = soft_operand_update(c, op, address, size);                              \
		uint16_t flags = c->flags;                                                         \
                                                                                                   \
		if (!at)                                                                           \
			return false;                                                              \
		change(c, op, at, &flags);                                                         \
		if (!soft_update_end(c, at))                                                       \
			return false;                                                              \
		c->flags = flags;                                                                  \
		return true;                                                                       \
	}                                                                                          \
	static SOFT_APART void name##_slow(struct soft_vcpu *c, const struct soft_op *op)          \
	{                                                                                          \
		soft_next_if(c, op, name##_work(c, op));                                           \
	}                                                                                          \
	static void name(struct soft_vcpu *c, const struct soft_op *op)                            \
	{                                                                                          \
		void *at = soft_operand_update_short(c, op, address, size);                        \
                                                                                                   \
		if (SOFT_UNLIKELY(!at)) {                                                          \
			name##_slow(c, op);                                                        \
			return;                                                                    \
		}                                                                                  \
		change(c, op, at, &c->flags);                                                      \
		soft_next(c, op);                                                                  \
	}

/* --- Flags
 * -------------------------------------------------------------------------------------- */

#define SOFT_FLAG_OF 0x0001u
#define SOFT_FLAG_CF 0x0100u
#define SOFT_FLAG_PF 0x0400u
#define SOFT_FLAG_AF 0x1000u
#define SOFT_FLAG_ZF 0x4000u
#define SOFT_FLAG_SF 0x8000u

/* In inline assembly: the flags to AX, as c->flags has them; from AX; and the carry alone. */
#define SOFT_FLAGS_TO_AX "lahf\n\tseto %%al"
#define SOFT_FLAGS_FROM_AX "addb $127, %%al\n\tsahf\n\t"
#define SOFT_CARRY_FROM_AX "btw $8, %%ax\n\t"

/* A condition, numbered as the low four bits of Jcc's opcode. */
static inline bool soft_condition(uint16_t flags, unsigned condition)
{
	bool less = ((flags >> 15) ^ flags) & 1;
	bool yes = false;

	switch (condition >> 1) {
	case 0:
		yes = flags & SOFT_FLAG_OF;
		break;
	case 1:
		yes = flags & SOFT_FLAG_CF;
		break;
	case 2:
		yes = flags & SOFT_FLAG_ZF;
		break;
	case 3:
		yes = flags & (SOFT_FLAG_CF | SOFT_FLAG_ZF);
		break;
	case 4:
		yes = flags & SOFT_FLAG_SF;
		break;
	case 5:
		yes = flags & SOFT_FLAG_PF;
		break;
	case 6:
		yes = less;
		break;
	case 7:
		yes = less || (flags & SOFT_FLAG_ZF);
		break;
	}
	return yes != (condition & 1);
}

/* --- Conditional branches, in 64-bit mode
 * ------------------------------------------------------- */

struct soft_branch {
	struct soft_link *link[2]; /* not taken, taken */
	int64_t to[2];             /* from the block's start */
};

/* Both links are near. */
static SOFT_INLINE void soft_branch_take(struct soft_vcpu *c, const struct soft_op *op, bool taken)
{
	const struct soft_branch *branch = op->data;

	c->vcpu.state.rip += (uint64_t)branch->to[taken];
	soft_go(c, branch->link[taken]);
}

/* --- Tables of handlers
 * ------------------------------------------------------------------------- */

/* All sizes of one form; name##_##form##_8, _16... are the handlers. */
#define SOFT_ALL_SIZES(name)                                                                       \
	{                                                                                          \
		name##_8, name##_16, name##_32, name##_64                                          \
	}
/* One for each condition. */
#define SOFT_CONDITIONS(name)                                                                      \
	{                                                                                          \
		name##_0, name##_1, name##_2, name##_3, name##_4, name##_5, name##_6, name##_7,    \
			name##_8, name##_9, name##_10, name##_11, name##_12, name##_13, name##_14, \
			name##_15                                                                  \
	}
/* The macro for each number of a condition. */
#define SOFT_EACH_CONDITION(macro)                                                                 \
	macro(0) macro(1) macro(2) macro(3) macro(4) macro(5) macro(6) macro(7) macro(8) macro(9)  \
		macro(10) macro(11) macro(12) macro(13) macro(14) macro(15)
/* Without one of a byte. */
#define SOFT_WIDE_SIZES(name)                                                                      \
	{                                                                                          \
		NULL, name##_16, name##_32, name##_64                                              \
	}

#endif
