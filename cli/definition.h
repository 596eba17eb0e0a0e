/* SPDX-License-Identifier: MIT */
/*
 * definition.h - a VM's definition: what options and JSON say, and the vm_config that comes of it.
 *
 * Life: definition_begin, then any of definition_read_*, definition_set and definition_add_* in the
 * order in which they count, then definition_finish, after which config is complete; definition_end
 * in any case.  Functions that can fail return 0 or a negative errno with the sentence in why; the
 * definition is then only good for definition_end.
 *
 * Relies on vm_config.h for the limits, value.h for the notation of values, and jansson.
 */
#ifndef DYAD_CLI_DEFINITION_H
#define DYAD_CLI_DEFINITION_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/engine.h"
#include "lib/error.h"
#include "monitor/vm_config.h"

#define DEFINITION_SIZE_MAX (1 << 20) /* a longer file is no definition */
#define DEFINITION_WEIGHT_MAX 10000   /* the runtime's, and its CPUs' */
#define DEFINITION_HOST_CPUS 64

/* A VM's part of a machine's CPUs, where Dyad shares them out: on bare metal. */
struct definition_shares {
	uint32_t weight;    /* 1 to DEFINITION_WEIGHT_MAX; 0: the runtime's usual one, 100 */
	uint32_t cap;       /* at most so many percent of one CPU; 0: no limit */
	uint64_t host_cpus; /* a bit for each that it may run on; 0: all */
};

struct definition {
	/* Until definition_finish() what nobody gave is NULL, 0, or a MAC of zeros. */
	struct vm_config config;
	enum engine_choice engine;
	struct definition_shares shares;
	bool nets_given; /* even if there are none */
	char *fallback_name;
	struct definition_string *strings; /* owns all strings of config */
};

void definition_begin(struct definition *definition);
void definition_end(struct definition *definition);

/*
 * Reads a JSON definition, once and before all options.  File names in it are relative to its
 * folder. Errors tell the file, then the line and column or the key's path, then what was expected.
 */
int definition_read_file(struct definition *definition, const char *path, struct error *why);
/* The same from memory; path is what to call it, and where it would be. */
int definition_read_text(struct definition *definition, const char *text, size_t size,
			 const char *path, struct error *why);

/* In the notation of the options: set_* replaces, add_* adds. */
int definition_set_name(struct definition *definition, const char *name, struct error *why);
int definition_set_kernel(struct definition *definition, const char *path, struct error *why);
int definition_set_initrd(struct definition *definition, const char *path, struct error *why);
int definition_set_append(struct definition *definition, const char *text, struct error *why);
int definition_set_console(struct definition *definition, const char *text, struct error *why);
int definition_set_engine(struct definition *definition, const char *text, struct error *why);
int definition_add_disk(struct definition *definition, const char *text, struct error *why);
int definition_add_module(struct definition *definition, const char *text, struct error *why);
int definition_add_net(struct definition *definition, const char *text, struct error *why);
void definition_clear_nets(struct definition *definition);

/* Fills in the defaults and checks the whole. */
int definition_finish(struct definition *definition, struct error *why);

/*
 * A finished definition as JSON, to be freed, that reads back as the same: every key with its
 * value, file names absolute (relative ones are taken from folder).
 */
int definition_write(const struct definition *definition, const char *folder, char **text,
		     struct error *why);

/* --- For the parts of the definition's own code ---------------------------------------------- */

extern const char *const definition_consoles[];  /* by enum vm_console */
extern const char *const definition_caches[];    /* by enum os_block_cache */
extern const char *const definition_net_kinds[]; /* by enum os_net_kind */

/* A copy that lives as long as the definition. */
int definition_keep(struct definition *definition, const char *text, const char **copy,
		    struct error *why);
/* A copy of a file's name, seen from folder (NULL: as it is); not empty. */
int definition_keep_path(struct definition *definition, const char *folder, const char *path,
			 const char **copy, struct error *why);
/* Room for one more, with its defaults. */
int definition_new_disk(struct definition *definition, struct vm_disk_config **disk,
			struct error *why);
int definition_new_module(struct definition *definition, struct vm_module_config **module,
			  struct error *why);
int definition_new_net(struct definition *definition, struct vm_net_config **net,
		       struct error *why);
/* Adds a forward in its notation. */
int definition_add_forward(struct vm_net_config *net, const char *text, struct error *why);

#endif
