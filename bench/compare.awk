# SPDX-License-Identifier: MIT
#
# What bench/compare measured, as tables and as a plot.  With part=1 it reads lines 'KEY SIDE VALUE', with
# part=2 bench/compare-measures, whose fields are separated by bars.  format is
#
#   markdown   the table of the group `group`; nothing if nothing of it was measured
#   json       one object a line, of all
#   svg        the plot
# Of several values it is the median that counts.

BEGIN {
	if (format == "svg") {
		printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 860 %d\" font-family=\"sans-serif\">\n", height
		print "<style>.t{font-size:13px;font-weight:bold;fill:#222}.u{font-size:11px;fill:#666}.n{font-size:11px;fill:#333}" \
			".s{font-size:11px;fill:#333;text-anchor:end}</style>"
		printf "<rect width=\"860\" height=\"%d\" fill=\"#fff\"/>\n", height
		print "<text x=\"20\" y=\"24\" font-size=\"16\" font-weight=\"bold\" fill=\"#222\">" \
			"The same VMs as type 1, as type 2, and by QEMU on Linux's KVM</text>"
	}
}

part == 1 {
	if (split($0, field, " ") == 3) {
		key = field[1] " " field[2]
		values[key, ++count[key]] = field[3] + 0
	}
	next
}

function median(key,    i, j, n, value)
{
	n = count[key]
	for (i = 2; i <= n; i++) {
		value = values[key, i]
		for (j = i - 1; j > 0 && values[key, j] > value; j--)
			values[key, j + 1] = values[key, j]
		values[key, j + 1] = value
	}
	return n % 2 ? values[key, (n + 1) / 2] : (values[key, n / 2] + values[key, n / 2 + 1]) / 2
}

function number(key, digits,    text)
{
	if (!count[key])
		return ""
	text = sprintf("%.*f", digits, median(key))
	if (count[key] > 1)
		text = text sprintf(" (%.*f-%.*f)", digits, values[key, 1], digits, values[key, count[key]])
	return text
}

function verdict(    met)
{
	if (rule == "-")
		return ""
	if (!count[one] || rule ~ /^ratio/ && !has_ratio)
		return "not measured"
	met = rule == "type1<=" ? median(one) <= target : rule == "ratio<=" ? ratio <= target : ratio >= target
	return met ? "met" : "not met"
}

function target_text()
{
	return rule == "-" ? "" : rule == "type1<=" ? "type 1 at most " target : \
		rule == "ratio<=" ? "ratio at most " target : "ratio at least " target
}

function write_row()
{
	if (!headed++) {
		print "| | unit | type 1 | type 2 | QEMU on KVM | type 1 : type 2 | target | |"
		print "|---|---|---|---|---|---|---|---|"
	}
	printf "| %s | %s | %s | %s | %s | %s | %s | %s |\n", what, unit, number(one, digits), number(two, digits),
		number(peer, digits), has_ratio ? sprintf("%.2f", ratio) : "", target_text(), verdict()
}

function json_number(key)
{
	return count[key] ? sprintf("%.*f", digits, median(key)) : "null"
}

function write_json()
{
	printf "{\"measure\": \"%s\", \"unit\": \"%s\", \"type1\": %s, \"type2\": %s, \"peer\": %s, \"peer_name\": \"%s\", ",
		measure, unit, json_number(one), json_number(two), json_number(peer), peer_side
	printf "\"ratio\": %s, \"target\": \"%s\", \"verdict\": \"%s\"}\n", has_ratio ? sprintf("%.4f", ratio) : "null",
		target_text(), verdict()
}

# --- The plot: a panel for each measure, a bar for each side.

function escape(text)
{
	gsub(/&/, "\\&amp;", text)
	gsub(/</, "\\&lt;", text)
	return text
}

function bar(key, name, colour, y,    length_)
{
	printf "<text class=\"s\" x=\"88\" y=\"%d\">%s</text>", y + 13, name
	if (!count[key]) {
		printf "<text class=\"n\" x=\"94\" y=\"%d\">not measured</text>\n", y + 13
		return
	}
	length_ = 230 * median(key) / largest
	printf "<rect x=\"94\" y=\"%d\" width=\"%.1f\" height=\"16\" fill=\"%s\"/>", y, length_, colour
	printf "<text class=\"n\" x=\"%.1f\" y=\"%d\">%.*f</text>\n", 94 + length_ + 5, y + 13, digits, median(key)
}

function write_panel(    y)
{
	largest = 0
	for (y = 1; y <= 3; y++) {
		key = y == 1 ? one : y == 2 ? two : peer
		if (count[key] && median(key) > largest)
			largest = median(key)
	}
	if (!largest)
		return
	printf "<g transform=\"translate(%d %d)\">\n", panels % 2 * 420 + 20, int(panels / 2) * 108 + 56
	printf "<text class=\"t\" x=\"0\" y=\"0\">%s</text>", escape(what)
	printf "<text class=\"u\" x=\"0\" y=\"15\">%s, %s is better</text>\n", escape(unit), plot
	bar(one, "type 1", "#1b6ca8", 22)
	bar(two, "type 2", "#e08e2b", 41)
	bar(peer, "QEMU/KVM", "#8a8f98", 60)
	print "</g>"
	panels++
}

{
	gsub(/ *\| */, "|")
	split($0, field, "|")
	measure = field[1]; unit = field[3]; digits = field[4]; plot = field[5]; peer_side = field[6]
	rule = field[7]; target = field[8]; what = field[9]
	one = measure " type1"
	two = measure " type2"
	peer = measure " " peer_side
	has_ratio = count[one] && count[two] && median(two) > 0 && median(one) > 0
	ratio = has_ratio ? median(one) / median(two) : 0
	if (format == "markdown" && field[2] == group && count[one] + count[two] + count[peer])
		write_row()
	else if (format == "json")
		write_json()
	else if (format == "svg" && plot != "-")
		write_panel()
}

END {
	if (format == "svg")
		print "</svg>"
}
