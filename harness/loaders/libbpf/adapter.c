/*
 * Loads one object with libbpf, as a program that uses it would, and says what happened: ../PROTOCOL.md. For libbpf 0.3 and later; what
 * differs between versions is marked here by LIBBPF_MAJOR_VERSION, which 0.6 was the first to define.
 */
#include "json.h"
#include "said.h"
#include "test-run.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#if __has_include(<bpf/libbpf_version.h>)
#include <bpf/libbpf_version.h>
#else
#define LIBBPF_MAJOR_VERSION 0
#endif
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#if LIBBPF_MAJOR_VERSION == 0
/* Without `get` since 0.8. */
#define bpf_program__type bpf_program__get_type
#endif

static const char *version(void)
{
#ifdef LIBBPF_MINOR_VERSION
	const char *text = libbpf_version_string();

	return text + (text[0] == 'v');
#else
	/* The build knows what the library does not. */
	return VERSION_OF_LIBBPF;
#endif
}

/* libbpf gives all programs up if one of them cannot be loaded: then none is there, and one of them is the reason. */
static void print_programs(struct bpf_object *object, int error, const char *why)
{
	struct said_failure failed = said_failure();
	struct bpf_program *program;

	json_open("programs", '[');
	if (object) {
		bpf_object__for_each_program(program, object) {
			const char *name = bpf_program__name(program);
			bool wanted = bpf_program__autoload(program);
			bool guilty = error && failed.program && !strcmp(name, failed.program);

			json_open(NULL, '{');
			json_text("name", name);
			json_bool("loaded", !error && wanted);
			json_errno("errno", !guilty ? 0 : failed.error ? failed.error : error);
			json_text("message", guilty ? why : wanted ? NULL : "not asked for: its section's name begins with `?`");
			json_text("verifierLog", guilty ? failed.log : NULL);
			json_close('}');
		}
	}
	json_close(']');
}

/* The section that a map of libbpf's own holds: its name may have the object's in front. Null if it is none of global data. */
static const char *section_of(const struct bpf_map *map)
{
	static const char *const sections[] = { ".data", ".bss", ".rodata" };
	const char *name = bpf_map__is_internal(map) ? strchr(bpf_map__name(map), '.') : NULL;

	for (size_t i = 0; name && i < sizeof(sections) / sizeof(*sections); i++)
		if (!strncmp(name, sections[i], strlen(sections[i])))
			return name;
	return NULL;
}

/* Bytes of sections that may be told still, so that the document stays one that is read whole: each run has all of them. */
static size_t bytes_left = 12u << 20;

static void print_data(struct bpf_object *object)
{
	struct bpf_map *map;

	json_open("data", '{');
	bpf_object__for_each_map(map, object) {
		const char *section = section_of(map);
		size_t size = bpf_map__value_size(map);
		void *value = section && size <= bytes_left ? malloc(size) : NULL;
		__u32 key = 0;

		if (section && size > bytes_left) {
			fprintf(stderr, "%s is not told: it has %zu bytes, which are too many\n", section, size);
		} else if (value && bpf_map_lookup_elem(bpf_map__fd(map), &key, value) == 0) {
			json_hex(section, value, size);
			bytes_left -= size;
		} else if (section) {
			fprintf(stderr, "%s cannot be read\n", section);
		}
		free(value);
	}
	json_close('}');
}

/* Test-runs what an argument asks for: PROGRAM@CPU. */
static void print_run(struct bpf_object *object, const char *wanted)
{
	const char *at = strrchr(wanted, '@');
	char *name = strndup(wanted, at - wanted);
	unsigned cpu = strtoul(at + 1, NULL, 10);
	struct bpf_program *program = bpf_object__find_program_by_name(object, name);
	__u32 returned;
	int error = !program ? ENOENT : test_run(bpf_program__fd(program), bpf_program__type(program), cpu, &returned);

	json_open(NULL, '{');
	json_text("program", name);
	json_number("cpu", cpu);
	if (error)
		json_null("returned");
	else
		json_number("returned", returned);
	json_errno("errno", error);
	print_data(object);
	json_close('}');
	free(name);
}

static void print_failure(const char *phase, int error, const char *why)
{
	struct said_failure failed = said_failure();

	json_open("failure", '{');
	json_text("phase", phase);
	/* Before 1.0 a program that the verifier refuses gives a number of libbpf's own, and the kernel's only in words. */
	json_errno("errno", failed.error ? failed.error : error);
	json_text("message", why ? why : strerror(error));
	json_close('}');
}

/* Whether the arguments are OBJECT [--run PROGRAM@CPU]... */
static bool understood(int count, char **arguments)
{
	if (count < 2 || count % 2)
		return false;
	for (int i = 2; i < count; i += 2)
		if (strcmp(arguments[i], "--run") || !strchr(arguments[i + 1], '@'))
			return false;
	return true;
}

int main(int count, char **arguments)
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	struct bpf_object *object;
	const char *why;
	size_t before;
	int error;

	if (!understood(count, arguments)) {
		fprintf(stderr, "usage: %s OBJECT [--run PROGRAM@CPU]...\n", arguments[0]);
		return 2;
	}
	/* Before Linux 5.11 maps and programs count as locked memory; libbpf sees to that itself only since 1.0. */
	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	said_listen();
	object = bpf_object__open_file(arguments[1], NULL);
	error = -libbpf_get_error(object);
	if (error)
		object = NULL;
	why = error ? said_why(0) : NULL;

	json_open(NULL, '{');
	json_number("protocol", 1);
	json_open("loader", '{');
	json_text("name", "libbpf");
	json_text("version", version());
	json_close('}');
	json_bool("opened", object != NULL);
	if (object) {
		before = said_count();
		error = -bpf_object__load(object);
		if (error)
			why = said_why(before);
	}
	json_bool("loaded", !error);
	if (error)
		print_failure(object ? "load" : "open", error, why);
	else
		json_null("failure");
	print_programs(object, error, why);
	json_open("runs", '[');
	for (int i = 2; !error && i < count; i += 2)
		print_run(object, arguments[i + 1]);
	json_close(']');
	json_open("messages", '[');
	for (size_t i = 0; i < said_count(); i++)
		json_text(NULL, said_line(i));
	json_close(']');
	json_close('}');
	putchar('\n');
	/* A document that was cut off must not look like one. */
	return fflush(stdout) || ferror(stdout) ? 1 : 0;
}
