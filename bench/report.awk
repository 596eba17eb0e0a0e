# SPDX-License-Identifier: MIT
#
# From values to ratios of medians.  With part=1 it reads lines 'GROUP SERIES MONITOR VALUE', with part=2
# those of bench/measures.  format is
#
#   json       a file in the folder `out` for each measure
#   table      for a terminal
#   markdown   for docs/bench.md
#   failed     names of the measures that lack values

part == 1 {
	split($0, field, " ")
	key = field[1] " " field[2] " " field[3]
	values[key, ++count[key]] = field[4] + 0
	next
}

function sort_values(key,    i, j, value)
{
	for (i = 2; i <= count[key]; i++) {
		value = values[key, i]
		for (j = i - 1; j > 0 && values[key, j] > value; j--)
			values[key, j + 1] = values[key, j]
		values[key, j + 1] = value
	}
}

function median(key,    n)
{
	n = count[key]
	sort_values(key)
	return n % 2 ? values[key, (n + 1) / 2] : (values[key, n / 2] + values[key, n / 2 + 1]) / 2
}

function is_met(rule, target, dyad, ratio)
{
	return rule == "ratio<=" ? ratio <= target : rule == "ratio>=" ? ratio >= target : \
		rule == "dyad<=" ? dyad <= target : dyad >= target
}

# Median, and the range where there is more than one value.
function describe(key, digits,    text)
{
	if (!count[key])
		return "failed"
	text = sprintf("%.*f", digits, median(key))
	if (count[key] > 1)
		text = text sprintf(" (%.*f-%.*f)", digits, values[key, 1], digits, values[key, count[key]])
	return text
}

function target_of(rule, target)
{
	return rule == "-" ? "" : rule == "dyad<=" ? "at most " target : rule == "dyad>=" ? "at least " target : \
		rule == "ratio<=" ? "ratio at most " target : "ratio at least " target
}

function write_json(    file)
{
	file = out "/" name ".json"
	printf "{\"measure\": \"%s\", \"unit\": \"%s\", \"dyad\": %s, \"peer\": %s, \"peer_name\": \"%s\", " \
		"\"ratio\": %s, \"target\": %s, \"met\": %s}\n", name, unit,
		has_dyad ? sprintf("%.*f", digits, dyad) : "null",
		has_peer ? sprintf("%.*f", digits, peer) : "null", peer_name,
		measured ? sprintf("%.4f", ratio) : "null", rule == "-" ? "null" : target, met >file
	close(file)
}

function write_row(    verdict)
{
	verdict = !measured ? "failed" : met == "null" ? "" : met == "true" ? "met" : "not met"
	if (format == "markdown")
		printf "| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", name, $10, unit, describe(key_dyad, digits),
			describe(key_peer, digits), peer_name, measured ? sprintf("%.3f", ratio) : "",
			target_of(rule, target), verdict
	else
		printf "%-33s %-12s %12s %12s  %-16s %7s  %-17s %s\n", name, unit,
			has_dyad ? sprintf("%.*f", digits, dyad) : "-", has_peer ? sprintf("%.*f", digits, peer) : "-",
			peer_name, measured ? sprintf("%.3f", ratio) : "-", target_of(rule, target), verdict
}

function write_head()
{
	if (format == "table") {
		printf "%-33s %-12s %12s %12s  %-16s %7s  %-17s\n", "measure", "unit", "dyad", "peer", "which", "ratio",
			"target"
	} else if (format == "markdown") {
		print "| measure | what | unit | Dyad | peer | which | ratio | target | |"
		print "|---|---|---|---|---|---|---|---|---|"
	}
}

{
	if (!headed++)
		write_head()
	name = $1; unit = $2; digits = $3; peer_name = $7; rule = $8; target = $9
	key_dyad = $4 " " $5 " dyad"
	key_peer = $4 " " $5 " " $6
	has_dyad = count[key_dyad] > 0
	has_peer = count[key_peer] > 0
	if (has_dyad)
		dyad = median(key_dyad)
	if (has_peer)
		peer = median(key_peer)
	measured = has_dyad && has_peer && peer > 0
	ratio = measured ? dyad / peer : 0
	met = !measured ? "false" : rule == "-" ? "null" : is_met(rule, target, dyad, ratio) ? "true" : "false"
	if (format == "json")
		write_json()
	else if (format == "failed") {
		if (!measured)
			print "bench: " name " was not measured"
	} else
		write_row()
}
