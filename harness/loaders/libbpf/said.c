#define _GNU_SOURCE
#include "said.h"

#include <bpf/libbpf.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Beyond all that Linux has (include/uapi/asm-generic/errno.h and include/linux/errno.h). */
#define ERRNO_END 600
#define LOG_KEPT (1u << 20)

struct line {
	char *text;
	bool warning;
};

static struct line *lines;
static size_t count, room;
static struct said_failure failure;
/* libbpf before 0.8 prints the log between two lines, and no program's name with it. */
static bool log_is_next;

static void *or_die(void *memory)
{
	if (!memory) {
		fputs("out of memory\n", stderr);
		exit(1);
	}
	return memory;
}

static void add(const char *text, bool warning)
{
	if (count == room) {
		room = room ? room * 2 : 64;
		lines = or_die(realloc(lines, room * sizeof(*lines)));
	}
	lines[count++] = (struct line){ or_die(strdup(text)), warning };
}

/* What stands between two texts, as a string of its own; null if they are not there. */
static char *between(const char *text, const char *before, const char *after)
{
	const char *start = strstr(text, before), *end = start ? strstr(start + strlen(before), after) : NULL;

	if (!end)
		return NULL;
	start += strlen(before);
	return or_die(strndup(start, end - start));
}

/* libbpf words an errno as strerror() does, since 1.6 by its name with a minus sign; the rest of the line is nothing else. */
static int worded_errno(const char *words)
{
	for (int error = 1; error < ERRNO_END; error++) {
		const char *name = strerrorname_np(error);

		if (!strcmp(words, strerror(error)) || (name && words[0] == '-' && !strcmp(words + 1, name)))
			return error;
	}
	return words[0] == '-' ? atoi(words + 1) : 0;
}

static bool starts(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

/* A log may be of 100 MB, and why the program is refused stands at its end. */
static char *end_of_log(char *log)
{
	size_t length = log ? strlen(log) : 0, left = length > LOG_KEPT ? length - LOG_KEPT : 0;
	char *end;

	if (!left)
		return log;
	if (asprintf(&end, "(%zu bytes of the log are left out here)\n%s", left, log + left) < 0)
		or_die(NULL);
	free(log);
	return end;
}

/* Takes the verifier's log out of what libbpf says; false if the message is none. */
static bool take_log(char *text)
{
	char *program = between(text, "prog '", "': -- BEGIN PROG LOAD LOG --");

	if (program) {
		failure.program = program;
		failure.log = end_of_log(between(text, "-- BEGIN PROG LOAD LOG --\n", "-- END PROG LOAD LOG --"));
		return true;
	}
	if (starts(text, "-- BEGIN DUMP LOG")) {
		log_is_next = true;
		return true;
	}
	if (starts(text, "-- END LOG"))
		return true;
	if (!log_is_next)
		return false;
	log_is_next = false;
	failure.log = end_of_log(or_die(strdup(text + strspn(text, "\n"))));
	return true;
}

/* Notes which program failed and why the kernel says it did. */
static void note_failure(const char *text)
{
	char *program = between(text, "prog '", "': BPF program load failed: ");
	const char *words = strstr(text, "BPF program load failed: ");

	if (starts(text, "load bpf program failed: "))
		failure.error = worded_errno(strchr(text, ':') + 2);
	else if (program && words)
		failure.error = worded_errno(strchr(words, ':') + 2);
	if (!program)
		program = between(text, "failed to load program '", "'");
	if (!program)
		program = between(text, "prog '", "': failed to load: ");
	if (program)
		failure.program = program;
}

/* A warning is what its first line says; a log of what the kernel finds wrong with BTF follows in others. */
static void add_lines(char *text, bool warning)
{
	char *line = strtok_r(text, "\n", &text);

	if (!line)
		return;
	add(line, warning);
	note_failure(line);
	while ((line = strtok_r(NULL, "\n", &text)))
		add(line, false);
}

static int listen(enum libbpf_print_level level, const char *format, va_list arguments)
{
	char *all, *text;

	/* What is for debugging is much, and one line of it the only reason that is ever given for BTF which cannot be read. */
	if (level == LIBBPF_DEBUG && !starts(format, "libbpf: Unsupported BTF_KIND"))
		return 0;
	if (vasprintf(&all, format, arguments) < 0)
		or_die(NULL);
	text = starts(all, "libbpf: ") ? all + strlen("libbpf: ") : all;
	if (!take_log(text))
		add_lines(text, level != LIBBPF_INFO);
	free(all);
	return 0;
}

void said_listen(void)
{
	libbpf_set_print(listen);
}

size_t said_count(void)
{
	return count;
}

const char *said_line(size_t index)
{
	return lines[index].text;
}

/* A line that says which step failed, after another has said why. */
static bool is_consequence(const char *text)
{
	return starts(text, "failed to load object ") || starts(text, "failed to load program ") ||
	       (starts(text, "prog '") &&
		(strstr(text, "': failed to load: ") || strstr(text, "': failed to prepare load attributes: ")));
}

/*
 * A warning after which libbpf goes on: the object's BTF is not needed in the kernel, a map can do without it. Where the BTF is needed, another line
 * says so.
 */
static bool is_harmless(const char *text)
{
	return strstr(text, "BTF is optional, ignoring") || strstr(text, "Retrying without BTF") ||
	       strstr(text, "Ignored and continue") || starts(text, "BTF loading error: ") ||
	       starts(text, "-- BEGIN BTF LOAD LOG --") || starts(text, "Error loading BTF: ") ||
	       starts(text, "magic: 0x");
}

/* The same line comes once for each attempt. */
static bool was_said(size_t from, size_t index)
{
	for (size_t i = from; i < index; i++)
		if (!strcmp(lines[i].text, lines[index].text))
			return true;
	return false;
}

const char *said_why(size_t from)
{
	char *why = NULL;

	for (size_t i = from; i < count; i++) {
		char *longer;

		if (!lines[i].warning || was_said(from, i) || (why && is_consequence(lines[i].text)) ||
		    is_harmless(lines[i].text))
			continue;
		if (asprintf(&longer, "%s%s%s", why ? why : "", why ? "\n" : "", lines[i].text) < 0)
			or_die(NULL);
		free(why);
		why = longer;
	}
	return why;
}

struct said_failure said_failure(void)
{
	return failure;
}
