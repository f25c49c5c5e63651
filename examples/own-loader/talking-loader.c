// The same loader, telling all that it knows: it prints the document that harness/loaders/PROTOCOL.md describes, so values are compared as well.
//
//     clang -O2 -o talking-loader talking-loader.c -lbpf
//
// with `command: ./talking-loader {object} {runs}` in the matrix. {runs} becomes `--run PROGRAM@CPU`, once for each test run that is wanted.
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

static char *messages[256];
static int message_count;

// libbpf's lines are kept for the document instead of being printed.
static int keep(enum libbpf_print_level level, const char *format, va_list arguments)
{
	char *text;

	if (level == LIBBPF_DEBUG || message_count == 256 || vasprintf(&text, format, arguments) < 0)
		return 0;
	text[strcspn(text, "\n")] = '\0';
	messages[message_count++] = text;
	return 0;
}

static void print_string(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			printf("\\%c", *text);
		else if ((unsigned char)*text < ' ')
			printf("\\u%04x", *text);
		else
			putchar(*text);
	}
	putchar('"');
}

// An error by name, such as "EINVAL", or null.
static void print_errno(int error)
{
	const char *name = error ? strerrorname_np(error) : NULL;

	if (name)
		print_string(name);
	else
		printf("null");
}

static void print_failure(const char *phase, int error)
{
	printf(",\"failure\":{\"phase\":\"%s\",\"errno\":", phase);
	print_errno(error);
	printf(",\"message\":");
	print_string(message_count ? messages[0] : strerror(error));
	printf("}");
}

// Every global data section as a whole, in hex; libbpf calls their maps OBJECT.bss and the like.
static void print_data(struct bpf_object *object)
{
	struct bpf_map *map;
	const char *comma = "";

	printf("{");
	bpf_object__for_each_map(map, object) {
		const char *section = strchr(bpf_map__name(map), '.');
		size_t size = bpf_map__value_size(map);
		unsigned char *bytes = malloc(size);
		__u32 zero = 0;

		if (bpf_map__is_internal(map) && section && !bpf_map_lookup_elem(bpf_map__fd(map), &zero, bytes)) {
			printf("%s", comma);
			print_string(section);
			printf(":\"");
			for (size_t at = 0; at < size; at++)
				printf("%02x", bytes[at]);
			printf("\"");
			comma = ",";
		}
		free(bytes);
	}
	printf("}");
}

// Runs PROGRAM@CPU there, on a frame of zero bytes if it works on packets.
static void print_run(struct bpf_object *object, char *wanted)
{
	char frame[64] = {}, *at = strrchr(wanted, '@');
	LIBBPF_OPTS(bpf_test_run_opts, options);
	struct bpf_program *program;
	cpu_set_t cpus;
	int cpu = at ? atoi(at + 1) : 0, error = ENOENT;

	if (at)
		*at = '\0';
	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	program = bpf_object__find_program_by_name(object, wanted);
	if (program) {
		switch (bpf_program__type(program)) {
		case BPF_PROG_TYPE_SOCKET_FILTER:
		case BPF_PROG_TYPE_SCHED_CLS:
		case BPF_PROG_TYPE_SCHED_ACT:
		case BPF_PROG_TYPE_XDP:
			options.data_in = frame;
			options.data_size_in = sizeof(frame);
		default:
			break;
		}
		error = bpf_prog_test_run_opts(bpf_program__fd(program), &options) ? errno : 0;
	}
	printf("{\"program\":");
	print_string(wanted);
	printf(",\"cpu\":%d,\"errno\":", cpu);
	print_errno(error);
	if (error)
		printf(",\"returned\":null,\"data\":");
	else
		printf(",\"returned\":%u,\"data\":", options.retval);
	print_data(object);
	printf("}");
}

int main(int argc, char **argv)
{
	struct bpf_object *object = NULL;
	struct bpf_program *program;
	const char *comma = "";
	int error = EINVAL, loaded = 0;

	libbpf_set_print(keep);
	if (argc > 1) {
		object = bpf_object__open(argv[1]);
		error = libbpf_get_error(object) ? errno : 0;
	}
	if (!error)
		loaded = !(error = -bpf_object__load(object));
	printf("{\"protocol\":1,\"loader\":{\"name\":\"libbpf\",\"version\":\"%s\"}", libbpf_version_string() + 1);
	printf(",\"opened\":%s,\"loaded\":%s", loaded || object ? "true" : "false", loaded ? "true" : "false");
	if (loaded)
		printf(",\"failure\":null");
	else
		print_failure(object ? "load" : "open", error);
	printf(",\"programs\":[");
	if (object) {
		bpf_object__for_each_program(program, object) {
			printf("%s{\"name\":", comma);
			print_string(bpf_program__name(program));
			printf(",\"loaded\":%s,\"errno\":null,\"message\":null,\"verifierLog\":null}", loaded ? "true" : "false");
			comma = ",";
		}
	}
	printf("],\"runs\":[");
	comma = "";
	for (int index = 2; loaded && index + 1 < argc; index += 2) {
		printf("%s", comma);
		print_run(object, argv[index + 1]);
		comma = ",";
	}
	printf("],\"messages\":[");
	for (int index = 0; index < message_count; index++) {
		printf("%s", index ? "," : "");
		print_string(messages[index]);
	}
	printf("]}\n");
	return 0;
}
