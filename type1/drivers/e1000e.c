/* SPDX-License-Identifier: MIT */
/*
 * e1000e.c - Intel's 82574 Gigabit Ethernet controller, with legacy descriptors and one queue in
 * each direction; section numbers are those of its datasheet (hw/e1000e.h).
 *
 * Interrupts are MSI-X: vector 0 for what is received, vector 1 for the link.  A message masks its
 * cause (CTRL_EXT.EIAME), which e1000e_wait() unmasks when all has been read.
 */
#include <linux/errno.h>

#include "hw/e1000e.h"
#include "lib/bits.h"
#include "lib/bytes.h"
#include "type1/drivers/device.h"
#include "type1/drivers/nic.h"

#define RECEIVE_DESCRIPTORS 256
#define TRANSMIT_DESCRIPTORS 256
#define TRANSMIT_BUFFER 2048
#define VECTOR_RECEIVE 0
#define VECTOR_OTHER 1
#define RESET_TIME (100 * DEVICE_MILLISECOND)
#define MASTER_TIME (100 * DEVICE_MILLISECOND)

struct e1000e {
	struct nic nic;
	struct device device;
	volatile uint8_t *registers;
	volatile struct e1000e_receive_descriptor *receive;
	volatile struct e1000e_transmit_descriptor *transmit;
	uint64_t receive_physical, transmit_physical; /* of the rings */
	uint8_t *received, *sent;                     /* buffers */
	/* Free running; the place in the ring is the remainder. */
	uint32_t read;         /* frames */
	uint32_t put, started; /* descriptors that were written; that the card was told of */
	uint32_t reclaimed;    /* that it is done with */
};

static struct e1000e *e1000e_of(struct nic *nic)
{
	return CONTAINER_OF(nic, struct e1000e, nic);
}

static volatile uint32_t *at(const struct e1000e *card, uint32_t offset)
{
	return (volatile uint32_t *)(card->registers + offset);
}

static void write_register(const struct e1000e *card, uint32_t offset, uint32_t value)
{
	*at(card, offset) = value;
}

static uint32_t read_register(const struct e1000e *card, uint32_t offset)
{
	return *at(card, offset);
}

/* --- Sending (section 7.2) */

static uint8_t *e1000e_transmit_buffer(struct nic *nic)
{
	struct e1000e *card = e1000e_of(nic);

	while (card->reclaimed != card->started &&
	       card->transmit[card->reclaimed % TRANSMIT_DESCRIPTORS].status & E1000E_TRANSMIT_DONE)
		card->reclaimed++;
	/* A ring that is full can't be told from an empty one (7.2): one stays free. */
	if (card->put - card->reclaimed >= TRANSMIT_DESCRIPTORS - 1)
		return NULL;
	return card->sent + (size_t)(card->put % TRANSMIT_DESCRIPTORS) * TRANSMIT_BUFFER;
}

static void e1000e_transmit(struct nic *nic, uint32_t size)
{
	struct e1000e *card = e1000e_of(nic);
	volatile struct e1000e_transmit_descriptor *descriptor =
		&card->transmit[card->put % TRANSMIT_DESCRIPTORS];

	descriptor->length = (uint16_t)size;
	descriptor->command =
		E1000E_TRANSMIT_END | E1000E_TRANSMIT_INSERT_FCS | E1000E_TRANSMIT_REPORT;
	descriptor->status = 0;
	card->put++;
}

static void e1000e_transmit_start(struct nic *nic)
{
	struct e1000e *card = e1000e_of(nic);

	if (card->started == card->put)
		return;
	card->started = card->put;
	device_publish();
	write_register(card, E1000E_TDT, card->put % TRANSMIT_DESCRIPTORS);
}

/* --- Receiving (section 7.1) */

static uint32_t e1000e_receive(struct nic *nic, const uint8_t **frame)
{
	struct e1000e *card = e1000e_of(nic);
	uint32_t place = card->read % RECEIVE_DESCRIPTORS;
	uint8_t status = card->receive[place].status;
	uint16_t length;

	if (!(status & E1000E_RECEIVE_DONE))
		return 0;
	device_observe();
	*frame = card->received + (size_t)place * E1000E_RECEIVE_BUFFER;
	length = card->receive[place].length;
	/* Without long packets (RCTL.LPE) and with CRC errors not stored (RCTL.SBP), each buffer is
	 * a packet.  One byte is no frame, and is given back as all are. */
	return status & E1000E_RECEIVE_END && length && length <= E1000E_RECEIVE_BUFFER ? length
											: 1;
}

static void e1000e_receive_done(struct nic *nic)
{
	struct e1000e *card = e1000e_of(nic);

	card->receive[card->read % RECEIVE_DESCRIPTORS].status = 0;
	card->read++;
	/* The tail is the last that the card may not use, so all but one are its own (7.1): told
	 * now and then, for the write is slow. */
	if (card->read % (RECEIVE_DESCRIPTORS / 4) == 0) {
		device_publish();
		write_register(card, E1000E_RDT, (card->read - 1) % RECEIVE_DESCRIPTORS);
	}
}

static bool e1000e_wait(struct nic *nic)
{
	struct e1000e *card = e1000e_of(nic);

	write_register(card, E1000E_IMS, E1000E_CAUSE_RECEIVE_QUEUE_0);
	/* A cause that came while it was masked is told of now (section 7.4). */
	return !(card->receive[card->read % RECEIVE_DESCRIPTORS].status & E1000E_RECEIVE_DONE);
}

static void e1000e_interrupt(void *arg)
{
	struct e1000e *card = arg;

	card->nic.received(card->nic.arg);
}

/* --- The card */

static bool e1000e_link(struct nic *nic)
{
	return read_register(e1000e_of(nic), E1000E_STATUS) & E1000E_STATUS_LINK_UP;
}

static void e1000e_other(void *arg)
{
	struct e1000e *card = arg;

	/* By writing ones (10.2.4): reading would take back that of frames as well. */
	write_register(card, E1000E_ICR, E1000E_CAUSE_OTHER | E1000E_CAUSE_LINK_CHANGED);
	write_register(card, E1000E_IMS, E1000E_CAUSE_OTHER | E1000E_CAUSE_LINK_CHANGED);
	card->nic.link_changed(card->nic.arg);
}

static void e1000e_close(struct nic *nic)
{
	struct e1000e *card = e1000e_of(nic);

	if (card->registers) {
		write_register(card, E1000E_IMC, E1000E_CAUSE_ALL);
		write_register(card, E1000E_RCTL, 0);
		write_register(card, E1000E_TCTL, 0);
	}
	device_close(&card->device);
	os_free(card);
}

static const struct nic_ops e1000e_ops = {
	.name = "e1000e",
	.transmit_buffer = e1000e_transmit_buffer,
	.transmit = e1000e_transmit,
	.transmit_start = e1000e_transmit_start,
	.receive = e1000e_receive,
	.receive_done = e1000e_receive_done,
	.wait = e1000e_wait,
	.link = e1000e_link,
	.close = e1000e_close,
};

/* Section 4.6: no DMA under way, then a reset, with interrupts off before and behind. */
static int e1000e_reset(struct e1000e *card)
{
	uint32_t control = read_register(card, E1000E_CTRL);

	write_register(card, E1000E_IMC, E1000E_CAUSE_ALL);
	write_register(card, E1000E_RCTL, 0);
	write_register(card, E1000E_TCTL, 0);
	/* A card that doesn't stop its DMA is reset all the same.
	 */
	write_register(card, E1000E_CTRL, control | E1000E_CTRL_GIO_MASTER_DISABLE);
	(void)device_wait(at(card, E1000E_STATUS), E1000E_STATUS_GIO_MASTER_ENABLED, 0,
			  MASTER_TIME);
	write_register(card, E1000E_CTRL, control | E1000E_CTRL_RESET);
	if (!device_wait(at(card, E1000E_CTRL), E1000E_CTRL_RESET, 0, RESET_TIME))
		return -EIO;
	write_register(card, E1000E_IMC, E1000E_CAUSE_ALL);
	(void)read_register(card, E1000E_ICR);
	return 0;
}

/* The address that the card has read from its NVM (section 4.6). */
static bool e1000e_read_address(struct e1000e *card)
{
	uint32_t low = read_register(card, E1000E_RAL0), high = read_register(card, E1000E_RAH0);

	store_le32(card->nic.address, low);
	store_le16(card->nic.address + sizeof(low), (uint16_t)high);
	return high & E1000E_RAH_VALID;
}

static int e1000e_make_rings(struct e1000e *card)
{
	uint64_t received, sent;

	card->receive = device_dma(&card->device, sizeof(*card->receive) * RECEIVE_DESCRIPTORS,
				   &card->receive_physical);
	card->transmit = device_dma(&card->device, sizeof(*card->transmit) * TRANSMIT_DESCRIPTORS,
				    &card->transmit_physical);
	card->received = device_dma(
		&card->device, (uint64_t)RECEIVE_DESCRIPTORS * E1000E_RECEIVE_BUFFER, &received);
	card->sent =
		device_dma(&card->device, (uint64_t)TRANSMIT_DESCRIPTORS * TRANSMIT_BUFFER, &sent);
	if (!card->receive || !card->transmit || !card->received || !card->sent)
		return -ENOMEM;
	for (uint32_t i = 0; i < RECEIVE_DESCRIPTORS; i++)
		card->receive[i].address = received + (uint64_t)i * E1000E_RECEIVE_BUFFER;
	for (uint32_t i = 0; i < TRANSMIT_DESCRIPTORS; i++)
		card->transmit[i].address = sent + (uint64_t)i * TRANSMIT_BUFFER;
	return 0;
}

/* Section 4.6, for receiving and sending. */
static void e1000e_start_rings(struct e1000e *card)
{
	for (unsigned i = 0; i < E1000E_MTA_COUNT; i++)
		write_register(card, E1000E_MTA(i), 0);
	write_register(card, E1000E_RFCTL, 0);
	write_register(card, E1000E_RDBAL, (uint32_t)card->receive_physical);
	write_register(card, E1000E_RDBAH, (uint32_t)(card->receive_physical >> 32));
	write_register(card, E1000E_RDLEN, sizeof(*card->receive) * RECEIVE_DESCRIPTORS);
	write_register(card, E1000E_RDH, 0);
	write_register(card, E1000E_RDT, RECEIVE_DESCRIPTORS - 1);
	write_register(card, E1000E_TDBAL, (uint32_t)card->transmit_physical);
	write_register(card, E1000E_TDBAH, (uint32_t)(card->transmit_physical >> 32));
	write_register(card, E1000E_TDLEN, sizeof(*card->transmit) * TRANSMIT_DESCRIPTORS);
	write_register(card, E1000E_TDH, 0);
	write_register(card, E1000E_TDT, 0);
	write_register(card, E1000E_TXDCTL, E1000E_TXDCTL_DESCRIPTORS | E1000E_TXDCTL_BIT_22);
	write_register(card, E1000E_TCTL,
		       E1000E_TCTL_ENABLE | E1000E_TCTL_PAD_SHORT |
			       E1000E_TCTL_COLLISION_THRESHOLD | E1000E_TCTL_COLLISION_DISTANCE);
	write_register(card, E1000E_RCTL,
		       E1000E_RCTL_ENABLE | E1000E_RCTL_UNICAST_PROMISCUOUS |
			       E1000E_RCTL_MULTICAST_PROMISCUOUS | E1000E_RCTL_BROADCAST |
			       E1000E_RCTL_STRIP_CRC);
}

/* Sections 7.4 (MSI-X) and 4.6 (the link of the PHY, which negotiates by itself). */
static void e1000e_start(struct e1000e *card)
{
	write_register(card, E1000E_IVAR,
		       E1000E_IVAR_RECEIVE_QUEUE_0(VECTOR_RECEIVE) |
			       E1000E_IVAR_OTHER(VECTOR_OTHER));
	write_register(card, E1000E_EITR(VECTOR_RECEIVE), 0);
	write_register(card, E1000E_EIAC, E1000E_CAUSE_RECEIVE_QUEUE_0);
	write_register(card, E1000E_IAM, E1000E_CAUSE_RECEIVE_QUEUE_0);
	write_register(card, E1000E_CTRL_EXT,
		       read_register(card, E1000E_CTRL_EXT) | E1000E_CTRL_EXT_EIAME |
			       E1000E_CTRL_EXT_DRIVER_LOADED);
	e1000e_start_rings(card);
	write_register(card, E1000E_CTRL,
		       read_register(card, E1000E_CTRL) | E1000E_CTRL_SET_LINK_UP |
			       E1000E_CTRL_AUTO_SPEED | E1000E_CTRL_FULL_DUPLEX);
	write_register(card, E1000E_IMS,
		       E1000E_CAUSE_RECEIVE_QUEUE_0 | E1000E_CAUSE_OTHER |
			       E1000E_CAUSE_LINK_CHANGED);
}

bool e1000e_matches(const struct type1_device *info)
{
	return info->vendor == E1000E_VENDOR &&
	       (info->device == E1000E_DEVICE_82574L || info->device == E1000E_DEVICE_82574LA);
}

int e1000e_open(const struct nic_options *options, const struct type1_device *info,
		struct nic **out, struct error *why)
{
	struct e1000e *card = os_alloc(sizeof(*card));
	int error;

	if (!card)
		return error_set(why, -ENOMEM, "a network card can't be used: out of memory");
	card->nic = (struct nic){
		.ops = &e1000e_ops,
		.received = options->received,
		.link_changed = options->link_changed,
		.arg = options->arg,
	};
	error = device_open(&card->device, options->devices, info);
	if (!error) {
		card->registers = device_map(&card->device, E1000E_BAR, E1000E_BAR_SIZE);
		error = card->registers ? e1000e_reset(card) : -ENODEV;
	}
	if (!error && !e1000e_read_address(card))
		error = -EIO;
	if (!error)
		error = e1000e_make_rings(card);
	if (!error)
		error = device_interrupt(&card->device, VECTOR_RECEIVE, options->loop,
					 e1000e_interrupt, card);
	if (!error)
		error = device_interrupt(&card->device, VECTOR_OTHER, options->loop, e1000e_other,
					 card);
	if (error < 0) {
		error_set(why, error, "an Intel 82574 network card can't be set up (error %d)",
			  -error);
		e1000e_close(&card->nic);
		return error;
	}
	e1000e_start(card);
	*out = &card->nic;
	return 0;
}
